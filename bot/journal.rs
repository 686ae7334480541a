//! At most once: what was begun, and what was finished. The trait here, its file in `src/`.

use crate::message::Message;
use async_trait::async_trait;

/// What a claim came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// Run it.
    Mine,
    /// It ran.
    Done,
    /// It was begun and never finished: it may or may not have run.
    Unsure,
}

/// Remembers what was begun.
#[async_trait]
pub trait Journal: Send + Sync + 'static {
    /// Claims a message's key before it runs.
    async fn claim(&self, key: &str, message: &Message) -> Claim;

    /// It is finished.
    async fn done(&self, key: &str);

    /// Claimed and never done.
    async fn open(&self) -> Vec<Message>;
}
