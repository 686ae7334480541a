//! The server: one handler set, answered in mucp and gRPC on one port.

mod advertise;
pub mod config;
mod debug;
pub(crate) mod grpc;
pub mod handler;
mod lease;
mod mucp;
pub(crate) mod port;
pub(crate) mod router;
#[cfg(test)]
mod tests;

use crate::error::{Error, ErrorKind, Result};
use crate::registry::Registry;
use crate::registry::service::{Endpoint, MARKER, Metadata, Node, Service};
use crate::server::debug::Stats;
use crate::server::lease::{Lease, Terms};
use crate::server::port::Shared;
use crate::server::router::Router;
use crate::transport::Socket;
use async_trait::async_trait;
use bytes::Bytes;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

/// What a handler is told besides the payload.
#[derive(Clone, Debug)]
pub struct Context {
    /// `Struct.Method`.
    pub endpoint: String,
    /// What the payload is, and what the answer must be: `application/json` or `application/protobuf`, whatever envelope
    /// carried it.
    pub content_type: String,
    /// The caller's headers, without those that frame the message, and `Local` and `Remote`, the connection's two ends.
    pub metadata: Vec<(String, String)>,
    /// When the caller stops waiting.
    pub deadline: Option<Instant>,
    /// Fires when the caller is gone or the server hangs up.
    pub stop: CancellationToken,
}

/// Answers the calls of one endpoint.
#[async_trait]
pub trait Handler: Send + Sync + 'static {
    /// One payload in, one out.
    ///
    /// # Errors
    /// What the caller gets: `Error::service` as it is, anything else as code 500.
    async fn call(&self, context: Context, body: Bytes) -> Result<Bytes>;

    /// A stream: packets carry bare payloads. Returning ends it, with the error if it is one.
    ///
    /// # Errors
    /// As [`Handler::call`].
    async fn stream(&self, context: Context, _socket: Socket) -> Result<()> {
        Err(Error::new(ErrorKind::NotFound, format!("{} is no stream", context.endpoint)))
    }
}

/// How a server is made.
#[derive(Clone)]
pub struct Options {
    /// The service's name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The server's id; the node's is `<name>-<id>`. Empty: a random UUID.
    pub id: String,
    /// Where to listen: `127.0.0.1:0`.
    pub address: String,
    /// What the registry is told; empty: the address, with a private address of this machine for a wildcard.
    pub advertise: String,
    /// The node's own metadata, besides what the framework writes.
    pub metadata: Metadata,
    /// Where it is registered; `None`: nowhere.
    pub registry: Option<Arc<dyn Registry>>,
    /// How long an entry lives without renewal.
    pub ttl: Duration,
    /// How often it is renewed.
    pub interval: Duration,
    /// The largest body, in bytes.
    pub max_message: usize,
    /// The most connections at once.
    pub max_connections: usize,
    /// How long a connection may take for its first byte and for a header.
    pub patience: Duration,
    /// How long running calls may take at shutdown.
    pub drain: Duration,
    /// Serve `Debug.Health` and `Debug.Stats`.
    pub debug: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            name: "go.micro.server".to_owned(),
            version: "latest".to_owned(),
            id: String::new(),
            address: "127.0.0.1:0".to_owned(),
            advertise: String::new(),
            metadata: Metadata::new(),
            registry: None,
            ttl: Duration::from_secs(60),
            interval: Duration::from_secs(30),
            max_message: 16 << 20,
            max_connections: 10_000,
            patience: Duration::from_secs(5),
            drain: Duration::from_secs(10),
            debug: true,
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("name", &self.name)
            .field("version", &self.version)
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

/// How long a start waits for the first registration before it goes on in the background.
const FIRST_REGISTRATION: Duration = Duration::from_secs(1);
/// How long tasks that were told to end may take to do so.
const LAST_WAIT: Duration = Duration::from_secs(1);

/// A server that is being put together.
pub struct Server {
    options: Options,
    routes: Vec<(Endpoint, Arc<dyn Handler>)>,
}

impl Server {
    /// A server without handlers.
    pub fn new(options: Options) -> Self {
        Self { options, routes: Vec::new() }
    }

    /// Adds an endpoint and its handler; the endpoint goes into the registry, unless it is one of `Debug`, which then
    /// takes the place of the framework's own.
    #[must_use]
    pub fn handle(mut self, endpoint: Endpoint, handler: impl Handler) -> Self {
        self.routes.push((endpoint, Arc::new(handler)));
        self
    }

    /// Listens, serves, registers. A registry that is away is tried again in the background.
    ///
    /// # Errors
    /// `Unreachable`: the address cannot be had. `Invalid`: two handlers for one endpoint.
    ///
    /// # Cancel safety
    /// Dropping it closes the port at once without deregistering.
    pub async fn start(self) -> Result<Running> {
        let endpoints = endpoints(&self.routes)?;
        let place = || format!("listen at {}", self.options.address);
        let cannot =
            |error: std::io::Error| Error::new(ErrorKind::Unreachable, error.to_string()).because(error).at(place());
        let listener = TcpListener::bind(&self.options.address).await.map_err(cannot)?;
        let bound = listener.local_addr().map_err(cannot)?;
        let service = service(&self.options, endpoints, bound);

        let shared = shared(self.options, self.routes);
        let stop = shared.stop.clone();
        // From here on nothing outlives this future, or what it returns.
        let hang_up = stop.clone().drop_guard();
        shared.tasks.spawn(port::serve(listener, Arc::clone(&shared)));

        let mut lease = shared.options.registry.clone().map(|registry| {
            let Options { ttl, interval, .. } = shared.options;
            Lease::take(Terms { registry, service: service.clone(), ttl, interval }, stop)
        });
        if let Some(lease) = &mut lease {
            lease.tried(FIRST_REGISTRATION).await;
        }
        Ok(Running { service, address: bound.to_string(), shared, lease, _hang_up: hang_up })
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("options", &self.options).finish_non_exhaustive()
    }
}

/// What all connections share. A handler of one's own for a `Debug` endpoint comes before the framework's.
fn shared(options: Options, own: Vec<(Endpoint, Arc<dyn Handler>)>) -> Arc<Shared> {
    let stats = Arc::<Stats>::default();
    let debug = options.debug.then(|| debug::routes(&stats));
    let handlers = own.into_iter().chain(debug.into_iter().flatten());
    let router = Router::new(options.name.clone(), handlers, stats);
    let (drain, stop) = (CancellationToken::new(), CancellationToken::new());
    Arc::new(Shared { router, options, drain, stop, tasks: TaskTracker::new() })
}

/// What the registry is told of the routes, sorted by name.
fn endpoints(routes: &[(Endpoint, Arc<dyn Handler>)]) -> Result<Vec<Endpoint>> {
    let mut endpoints: Vec<_> = routes.iter().map(|(endpoint, _)| endpoint.clone()).collect();
    endpoints.sort_by(|one, other| one.name.cmp(&other.name));
    if let Some(twice) = endpoints.windows(2).find(|pair| pair[0].name == pair[1].name) {
        return Err(Error::new(ErrorKind::Invalid, format!("two handlers for {}", twice[0].name)));
    }
    endpoints.retain(|endpoint| !endpoint.name.starts_with("Debug."));
    Ok(endpoints)
}

/// The registry's entry: one version, one node (WIRE §1.1).
fn service(options: &Options, endpoints: Vec<Endpoint>, bound: SocketAddr) -> Service {
    let mut metadata = options.metadata.clone();
    let framework = [("protocol", "mucp"), ("server", "mucp"), ("transport", "http"), ("broker", "http"), MARKER];
    let registry = options.registry.iter().map(|registry| ("registry", registry.name()));
    metadata.extend(framework.into_iter().chain(registry).map(|(key, value)| (key.to_owned(), value.to_owned())));
    let id = if options.id.is_empty() { uuid::Uuid::new_v4().to_string() } else { options.id.clone() };
    let node = Node {
        id: format!("{}-{id}", options.name),
        address: advertise::advertised(&options.advertise, bound, advertise::machine),
        metadata,
    };
    Service {
        name: options.name.clone(),
        version: options.version.clone(),
        metadata: Metadata::new(),
        endpoints,
        nodes: vec![Arc::new(node)],
    }
}

/// A server that runs. Dropping it closes the port at once without deregistering.
pub struct Running {
    service: Service,
    address: String,
    shared: Arc<Shared>,
    lease: Option<Lease>,
    _hang_up: DropGuard,
}

impl Running {
    /// What the registry was told: one version, one node.
    pub fn service(&self) -> &Service {
        &self.service
    }

    /// The address it listens at, `host:port`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Deregisters first, then takes no more calls, waits for the running ones up to the drain limit, hangs up.
    ///
    /// # Cancel safety
    /// Dropping it hangs up at once.
    pub async fn stop(mut self) {
        if let Some(lease) = self.lease.take() {
            lease.release().await;
        }
        let Shared { options, drain, stop, tasks, .. } = &*self.shared;
        drain.cancel();
        tasks.close();
        if tokio::time::timeout(options.drain, tasks.wait()).await.is_err() {
            tracing::warn!(service = options.name, connections = tasks.len(), "calls outlived the drain limit");
            stop.cancel();
            // They were told to end and have no more to wait for; a handler that blocks its thread is left behind.
            let _ = tokio::time::timeout(LAST_WAIT, tasks.wait()).await;
        }
    }
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Running")
            .field("service", &self.service.name)
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}
