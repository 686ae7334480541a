//! The client: finds a service, picks a node, decides how to speak to it, calls.

pub mod config;
pub mod protocol;
pub mod request;

use crate::client::request::{Request, Response};
use crate::error::{Error, ErrorKind, Result};
use crate::registry::Registry;
use crate::registry::cache::Found;
use crate::registry::service::Node;
use bytes::Bytes;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Which family a node belongs to that says nothing of itself (`--client`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Family {
    /// Probe it.
    #[default]
    Probe,
    /// mucp over HTTP/1.1.
    Mucp,
    /// gRPC over h2c.
    Grpc,
}

/// How a client behaves.
#[derive(Clone, Debug)]
pub struct Options {
    /// The caller's name, sent as `Micro-From-Service`; empty sends none.
    pub name: String,
    /// One deadline over all tries.
    pub timeout: Duration,
    /// The longest a single try may take.
    pub attempt: Duration,
    /// The longest a dial may take.
    pub dial: Duration,
    /// Tries after the first, where no handler can have run.
    pub retries: u32,
    /// Idle connections kept a node; 0 keeps none.
    pub pool_size: usize,
    /// How long an idle connection is kept.
    pub pool_ttl: Duration,
    /// The largest answer, in bytes.
    pub max_message: usize,
    /// For nodes that say nothing of themselves.
    pub family: Family,
    /// The strategy's name: `random` or `roundrobin`.
    pub strategy: String,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            name: String::new(),
            timeout: Duration::from_secs(5),
            attempt: Duration::from_secs(5),
            dial: Duration::from_secs(5),
            retries: 1,
            pool_size: 100,
            pool_ttl: Duration::from_secs(60),
            max_message: 16 << 20,
            family: Family::Probe,
            strategy: "random".to_owned(),
        }
    }
}

/// Calls services. Cheap to clone; all clones share connections and what was learned of nodes.
#[derive(Clone)]
pub struct Client {
    options: Arc<Options>,
}

impl Client {
    /// A client over a registry.
    pub fn new(_registry: Arc<dyn Registry>, options: Options) -> Self {
        Self { options: Arc::new(options) }
    }

    /// A client without a registry: every call goes to one address, whatever the service's name.
    pub fn at(_address: impl Into<String>) -> Self {
        Self { options: Arc::default() }
    }

    /// The service as the client sees it: from the cache, stale while the registry is away.
    ///
    /// # Errors
    /// `Unreachable`: the registry is away and never said anything of this name.
    pub async fn find(&self, _service: &str) -> Result<Arc<Found>> {
        Err(Error::new(ErrorKind::Defect, "not built"))
    }

    /// Its options.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Calls a service once.
    ///
    /// # Errors
    /// `NotFound` (no such service, or no node passes the filter), `Service` (its own error), and those of the network.
    pub async fn call(&self, _request: Request) -> Result<Response> {
        Err(Error::new(ErrorKind::Defect, "not built"))
    }

    /// Calls one node, without the registry: `health` and `stats` ask each node by itself. `request.service` names the
    /// service; no other node is tried.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn call_node(&self, _node: &Arc<Node>, _request: Request) -> Result<Response> {
        Err(Error::new(ErrorKind::Defect, "not built"))
    }

    /// Opens a stream. For mucp the request's body goes into the opening message, which Go servers discard
    /// (WIRE §2.7); the client then sends it again as the first data message if it is not empty, so that a
    /// server stream gets its request on every protocol.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn stream(&self, _request: Request) -> Result<Stream> {
        Err(Error::new(ErrorKind::Defect, "not built"))
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("options", &self.options).finish_non_exhaustive()
    }
}

/// A stream with one node. Dropping it resets the stream or closes its connection.
#[derive(Debug)]
pub struct Stream {
    node: Arc<Node>,
    version: String,
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
    /// The connection broke, or the peer ended the stream.
    pub async fn send(&mut self, _body: Bytes) -> Result<()> {
        Err(Error::new(ErrorKind::Defect, "not built"))
    }

    /// Says that no more will be sent.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn finish(&mut self) -> Result<()> {
        Err(Error::new(ErrorKind::Defect, "not built"))
    }

    /// The next message; `None` at the end.
    ///
    /// # Errors
    /// The service's error, a broken connection, a body that the peer's generation corrupted (`Defect`).
    pub async fn recv(&mut self) -> Result<Option<Bytes>> {
        Err(Error::new(ErrorKind::Defect, "not built"))
    }
}
