//! A stream as its caller sees it, whatever carries it.

use crate::error::Result;
use crate::header::Header;
use crate::registry::service::Node;
use crate::transport::{Packet, Socket};
use bytes::Bytes;
use std::fmt;
use std::sync::Arc;

/// A stream with one node. Dropping it resets the stream or closes its connection.
pub struct Stream {
    pub(super) socket: Socket,
    pub(super) node: Arc<Node>,
    pub(super) version: String,
}

impl Stream {
    /// The node it runs on.
    pub fn node(&self) -> &Arc<Node> {
        &self.node
    }

    /// The version of the service it runs on.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Sends one message.
    ///
    /// # Errors
    /// The connection broke, the peer ended the stream, or this side is finished.
    ///
    /// # Cancel safety
    /// The message goes out whole or not at all; one that was begun goes out before the next.
    pub async fn send(&mut self, body: Bytes) -> Result<()> {
        self.socket.0.send(Packet { header: Header::default(), body }).await
    }

    /// Says that no more will be sent.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn finish(&mut self) -> Result<()> {
        self.socket.0.finish().await
    }

    /// The next message; `None` at the end.
    ///
    /// # Errors
    /// The service's error, a broken connection, a body that the peer's generation corrupted (`Defect`): after the last
    /// the stream goes on.
    ///
    /// # Cancel safety
    /// Safe: what was read in part is kept for the next call.
    pub async fn recv(&mut self) -> Result<Option<Bytes>> {
        Ok(self.socket.1.recv().await?.map(|packet| packet.body))
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream").field("node", &self.node).field("version", &self.version).finish_non_exhaustive()
    }
}
