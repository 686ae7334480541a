//! Where the bot lives, as the bot sees it. An adapter never reconnects by itself; one supervisor does, for all of them.

use crate::command::{BoxError, Field, Spec};
use crate::message::{Address, Args, Message, Place, Sender};
use crate::reply::Reply;
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// One instance of a chat.
#[async_trait]
pub trait Adapter: Send + Sync + 'static {
    /// The instance's name.
    fn name(&self) -> &Arc<str>;

    /// Delivers until `inbox.closed()`; flushes and returns at `inbox.hang_up()`, or `Ok` before that: its input has
    /// ended for good.
    ///
    /// # Errors
    /// The connection is gone; the supervisor decides whether and when to listen again.
    async fn listen(&self, inbox: Inbox) -> Result<(), AdapterError>;

    /// Posts a reply, beside `listen` and other posts.
    ///
    /// # Errors
    /// Whether it may be posted again, by kind.
    async fn post(&self, to: &Place, reply: &Reply) -> Result<Posted, AdapterError>;

    /// Replaces an earlier post; posts anew where a chat cannot.
    ///
    /// # Errors
    /// As [`Adapter::post`].
    async fn edit(&self, posted: &Posted, reply: &Reply) -> Result<Posted, AdapterError> {
        self.post(&posted.place, reply).await
    }

    /// Says what happens to a message: typing, a reaction. For every message that was addressed to the bot, `Done` or
    /// `Failed` comes once, after its last post, also where nothing was posted: an adapter may hold back until then what
    /// it has to say itself about a later one.
    async fn working(&self, _on: &Message, _state: State) {}

    /// The roles of a person at a place.
    ///
    /// # Errors
    /// The chat did not say.
    async fn roles(&self, who: &Sender, _at: &Address) -> Result<Vec<String>, AdapterError> {
        Ok(who.roles.clone())
    }

    /// Whether whoever can type here may do everything: the operator's own terminal. Everyone else needs the policy.
    fn trusted(&self) -> bool {
        false
    }

    /// Whether even `stop` takes its turn here: a pipe, where two lines would race.
    fn in_turn(&self) -> bool {
        false
    }
}

impl fmt::Debug for dyn Adapter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Adapter({})", self.name())
    }
}

/// What happens to a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Heard.
    Seen,
    /// Its command runs.
    Working,
    /// Answered.
    Done,
    /// Answered with an error.
    Failed,
}

/// One reply may be several posts.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Posted {
    /// Where.
    pub place: Place,
    /// The chat's ids of the posts.
    pub ids: Vec<String>,
}

/// Why an adapter failed.
#[derive(Debug)]
pub struct AdapterError {
    /// Which kind.
    pub kind: AdapterErrorKind,
    /// What caused it.
    pub source: BoxError,
}

impl fmt::Display for AdapterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self.kind {
            AdapterErrorKind::Absent => "nobody there",
            AdapterErrorKind::Lost { .. } => "connection lost",
            AdapterErrorKind::Limited(_) => "told to slow down",
            AdapterErrorKind::Refused => "post refused",
            AdapterErrorKind::Forbidden => "not allowed in",
            AdapterErrorKind::Unsure => "post may have been delivered",
        };
        f.write_str(text)
    }
}

impl std::error::Error for AdapterError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&*self.source)
    }
}

/// Which kind of failure, and what follows from it.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AdapterErrorKind {
    /// Nobody there: try again every 1–1.5 s.
    Absent,
    /// Cut off, or told to come back later.
    Lost {
        /// When the server said to come back.
        again: Option<Duration>,
    },
    /// Post again after this time.
    Limited(Duration),
    /// This post, never again (channel gone, too long).
    Refused,
    /// This adapter, never again (token revoked).
    Forbidden,
    /// The post may have been delivered.
    Unsure,
}

/// What an adapter sees of the bot. It knows no command, yet needs the catalogue.
#[derive(Clone, Debug)]
pub struct Inbox(pub Arc<dyn Front>);

impl std::ops::Deref for Inbox {
    type Target = dyn Front;

    fn deref(&self) -> &Self::Target {
        &*self.0
    }
}

/// The bot's side of an [`Inbox`].
#[async_trait]
pub trait Front: Send + Sync + 'static {
    /// Hands a message over; waits for nothing.
    async fn deliver(&self, message: Message) -> Delivered;

    /// What may be filled in next.
    async fn fields(&self, command: &str, so_far: &Args, who: &Sender, at: &Address) -> Vec<Field>;

    /// The commands, as they come and go.
    fn catalogue(&self) -> watch::Receiver<Arc<[Spec]>>;

    /// Something was heard: proven hearing.
    fn alive(&self);

    /// Waits until `deliver` will not say `Full`.
    async fn room(&self);

    /// Waits for: stop listening.
    async fn closed(&self);

    /// Waits for: the last reply is posted.
    async fn hang_up(&self);
}

impl fmt::Debug for dyn Front {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Front")
    }
}

/// What became of a delivery.
#[derive(Debug)]
pub enum Delivered {
    /// It is on its way (or was known already, and dropped).
    Queued,
    /// Too much is waiting; the message comes back.
    Full(Box<Message>),
}

/// Posts anywhere without having been asked: alerts, approvals, progress.
#[derive(Clone, Debug)]
pub struct Outbox(pub Arc<[Arc<dyn Adapter>]>);

impl Outbox {
    /// The adapter of a conversation, by its instance's name.
    pub fn adapter(&self, name: &str) -> Option<&Arc<dyn Adapter>> {
        self.0.iter().find(|adapter| &**adapter.name() == name)
    }
}
