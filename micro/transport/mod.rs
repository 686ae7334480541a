//! How messages travel. A socket is two halves, since one `&mut self` cannot do a bidirectional stream.

pub(crate) mod dial;
pub(crate) mod http;
pub(crate) mod keepalive;

use crate::error::Result;
use crate::header::Header;
use async_trait::async_trait;
use bytes::Bytes;
use std::time::Duration;

/// One message: a header and a body.
#[derive(Clone, Debug, Default)]
pub struct Packet {
    /// Its header.
    pub header: Header,
    /// Its body, unencoded bytes.
    pub body: Bytes,
}

/// The half that sends.
#[async_trait]
pub trait SendHalf: Send {
    /// Sends one message.
    ///
    /// # Errors
    /// The connection broke (`Unsure`), the peer closed it, or this side is finished (`Invalid`).
    ///
    /// # Cancel safety
    /// A message goes out whole or not at all; one that was begun goes out before the next.
    async fn send(&mut self, packet: Packet) -> Result<()>;

    /// Says that no more will be sent.
    ///
    /// # Errors
    /// As [`SendHalf::send`].
    async fn finish(&mut self) -> Result<()>;
}

/// The half that receives.
#[async_trait]
pub trait RecvHalf: Send {
    /// The next message; `None` at the peer's end of stream.
    ///
    /// # Errors
    /// The peer's error (`Service`), a broken connection, or a message beyond the limit.
    ///
    /// # Cancel safety
    /// Safe: what was read in part is kept for the next call.
    async fn recv(&mut self) -> Result<Option<Packet>>;
}

/// A connection, or one stream of one.
pub type Socket = (Box<dyn SendHalf>, Box<dyn RecvHalf>);

/// A way to travel.
#[async_trait]
pub trait Transport: Send + Sync + 'static {
    /// Connects to an address; all addresses of a name are tried within the time.
    ///
    /// # Errors
    /// `Unreachable`, `Refused`, `Timeout`.
    async fn dial(&self, address: &str, within: Duration) -> Result<Socket>;

    /// Listens at an address.
    ///
    /// # Errors
    /// The address is taken or cannot be had.
    async fn listen(&self, address: &str) -> Result<Box<dyn Listener>>;
}

/// Takes connections.
#[async_trait]
pub trait Listener: Send {
    /// The address it listens at, with the port it was given.
    fn address(&self) -> &str;

    /// The next connection.
    ///
    /// # Errors
    /// The listener is broken for good.
    async fn accept(&mut self) -> Result<Socket>;
}
