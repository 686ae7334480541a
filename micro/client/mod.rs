//! The client: finds a service, picks a node, decides how to speak to it, calls.

mod call;
pub mod config;
mod dialect;
pub mod protocol;
pub mod request;
mod retry;
mod stream;
#[cfg(test)]
mod tests;

use crate::client::dialect::Dialect;
use crate::client::request::{Request, Response};
use crate::error::Result;
use crate::open::STRATEGIES;
use crate::registry::Registry;
use crate::registry::cache::{Cache, Found};
use crate::registry::service::{Node, Service};
use crate::selector::strategy::{Random, Strategy};
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

pub use crate::client::stream::Stream;

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
    /// The longest a single try may take; one of a call that names its own time may take all of it.
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
    /// The strategy's name: a row of [`STRATEGIES`]; an unknown one is `random`.
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

/// The longest limit: beyond, clocks and the nanoseconds of Go's `Timeout` overflow.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

/// Calls services. Cheap to clone; all clones share connections and what was learned of nodes.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    options: Arc<Options>,
    source: Source,
    strategy: Box<dyn Strategy>,
    dialect: Dialect,
}

/// Where nodes come from.
enum Source {
    Registry(Cache),
    /// One address, whatever the service's name.
    Address(Arc<Found>),
}

impl Client {
    /// A client over a registry.
    pub fn new(registry: Arc<dyn Registry>, options: Options) -> Self {
        Self::over(Source::Registry(Cache::new(registry)), options)
    }

    /// A client without a registry: every call goes to one address, whatever the service's name.
    pub fn at(address: impl Into<String>) -> Self {
        Self::at_with(address, Options::default())
    }

    /// [`Client::at`] with options.
    pub fn at_with(address: impl Into<String>, options: Options) -> Self {
        let address = address.into();
        let node = Arc::new(Node { id: address.clone(), address, ..Node::default() });
        let services = vec![Service { nodes: vec![node], ..Service::default() }];
        let found = Found { services, as_of: SystemTime::now(), stale: false, revision: 0 };
        Self::over(Source::Address(Arc::new(found)), options)
    }

    fn over(source: Source, options: Options) -> Self {
        let [timeout, attempt, dial] = [options.timeout, options.attempt, options.dial].map(|limit| limit.min(LONGEST));
        let options = Arc::new(Options { timeout, attempt, dial, ..options });
        let row = STRATEGIES.iter().find(|row| row.name == options.strategy);
        let strategy = row.map_or_else(|| Box::new(Random) as Box<dyn Strategy>, |row| (row.open)());
        let dialect = Dialect::new(&options);
        Self { inner: Arc::new(Inner { options, source, strategy, dialect }) }
    }

    /// The service as the client sees it: from the cache, stale while the registry is away.
    ///
    /// # Errors
    /// `Unreachable`: the registry is away and never said anything of this name.
    pub async fn find(&self, service: &str) -> Result<Arc<Found>> {
        self.inner.find(service).await
    }

    /// Its options.
    pub fn options(&self) -> &Options {
        &self.inner.options
    }

    /// Calls a service once.
    ///
    /// # Errors
    /// `NotFound` (no such service, or no node passes the filter), `Service` (its own error), `Invalid` (the body is not
    /// of its content type, the node speaks what this build does not), and those of the network.
    ///
    /// # Cancel safety
    /// Dropping it closes the connection or resets the stream; the handler may run to its end.
    pub async fn call(&self, request: Request) -> Result<Response> {
        call::call(&self.inner, None, &request).await
    }

    /// Calls one node, without the registry: `health` and `stats` ask each node by itself. `request.service` names the
    /// service; no other node is tried. The response's version is empty.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn call_node(&self, node: &Arc<Node>, request: Request) -> Result<Response> {
        call::call(&self.inner, Some(node), &request).await
    }

    /// Opens a stream. For mucp the request's body goes into the opening message, which Go servers discard
    /// (WIRE §2.7); the client then sends it again as the first data message if it is not empty, so that a
    /// server stream gets its request on every protocol. The time limits are those of the opening alone.
    ///
    /// # Errors
    /// As [`Client::call`]. What the service says of the opening, such as that there is no such endpoint, comes with the
    /// first [`Stream::recv`].
    pub async fn stream(&self, request: Request) -> Result<Stream> {
        call::open(&self.inner, &request).await
    }
}

impl Inner {
    async fn find(&self, service: &str) -> Result<Arc<Found>> {
        match &self.source {
            Source::Registry(cache) => cache.get(service).await,
            Source::Address(found) => Ok(Arc::clone(found)),
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("options", &self.inner.options).finish_non_exhaustive()
    }
}
