//! One exchange with one node. Which protocol a node speaks, `client/dialect.rs` decides.

pub mod grpc;
pub(crate) mod mucp;

use crate::client::request::{Answer, Request};
use crate::error::{Error, ErrorKind, Result};
use crate::registry::service::Node;
use crate::transport::Socket;
use async_trait::async_trait;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A protocol.
#[async_trait]
pub trait Protocol: Send + Sync + 'static {
    /// One request, one answer, by `until` at the latest.
    ///
    /// # Errors
    /// `Service` (the service's own), or what the network did; `Error::is_retryable` says whether no handler can have
    /// run.
    ///
    /// # Cancel safety
    /// Dropping it closes the connection or resets the stream.
    async fn call(&self, node: &Arc<Node>, request: &Request, until: Instant) -> Result<Answer>;

    /// Opens a stream by `until`, which does not limit the stream itself: packets carry bare payloads, without envelope.
    ///
    /// # Errors
    /// As [`Protocol::call`].
    async fn open(&self, node: &Arc<Node>, request: &Request, until: Instant) -> Result<Socket>;
}

/// The time of a call, `limit` since its begin, was up.
fn unanswered(limit: Duration) -> Error {
    // To the millisecond: 5 s, of which the pick of the node took some microseconds, are 5 s.
    let limit = Duration::from_millis(u64::try_from(limit.as_micros().div_ceil(1000)).unwrap_or(u64::MAX));
    Error::new(ErrorKind::Timeout, format!("no answer within {limit:?}; the call may have run"))
}

/// Now, by the runtime's clock.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
