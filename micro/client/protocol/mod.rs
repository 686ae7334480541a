//! One exchange with one node. Which protocol a node speaks, `client/dialect.rs` decides.

pub mod grpc;
pub(crate) mod mucp;

use crate::client::request::{Answer, Request};
use crate::error::Result;
use crate::registry::service::Node;
use crate::transport::Socket;
use async_trait::async_trait;
use std::sync::Arc;
use std::time::Instant;

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
