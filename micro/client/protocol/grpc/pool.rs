//! Connections by address: one that all calls share, another when the peer takes no more streams on it.

use super::connection::{Connection, Lease, Life, drive};
use crate::client::Options;
use crate::error::{Error, ErrorKind, Result};
use crate::transport::dial::dial;
use crate::transport::keepalive::keep_alive;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio_util::task::TaskTracker;

/// The most connections to one node. Beyond, calls wait in line for a stream.
const MOST: usize = 16;

/// What a dial brought, for all who wait for it.
type Dialled = Option<std::result::Result<Arc<Connection>, (ErrorKind, String)>>;

/// The pool. Cheap to clone.
#[derive(Clone)]
pub(super) struct Pool(Arc<Inner>);

struct Inner {
    options: Arc<Options>,
    peers: Mutex<HashMap<String, Peer>>,
    tasks: TaskTracker,
}

#[derive(Default)]
struct Peer {
    open: Vec<Arc<Connection>>,
    dialling: Option<watch::Receiver<Dialled>>,
}

impl Peer {
    fn usable(&self) -> Option<&Arc<Connection>> {
        self.open.iter().find(|connection| !connection.life().is_retired() && connection.has_room())
    }
}

/// What to do for a call.
enum Next {
    Use(Lease),
    Wait(watch::Receiver<Dialled>),
}

impl Pool {
    pub(super) fn new(options: Arc<Options>) -> Self {
        Self(Arc::new(Inner { options, peers: Mutex::default(), tasks: TaskTracker::new() }))
    }

    /// A connection to `address` for one call. Whoever comes first dials, the others wait with it.
    ///
    /// # Errors
    /// Those of the dial.
    ///
    /// # Cancel safety
    /// Safe: the dial goes on for the others, within the client's limit.
    pub(super) async fn lease(&self, address: &str) -> Result<Lease> {
        if self.0.options.pool_size == 0 {
            return Ok(Lease::new(Arc::new(self.0.open(address).await?)));
        }
        loop {
            let mut dialling = match self.next(address) {
                Next::Use(lease) => return Ok(lease),
                Next::Wait(dialling) => dialling,
            };
            match dialling.wait_for(Option::is_some).await.as_deref() {
                // One that ended at once is used too: it says why.
                Ok(Some(Ok(connection))) if connection.has_room() || connection.life().is_retired() => {
                    return Ok(Lease::new(connection.clone()));
                }
                Ok(Some(Err((kind, context)))) => return Err(Error::new(*kind, context.clone())),
                Ok(_) => {}
                Err(_) => return Err(Error::new(ErrorKind::Unreachable, format!("{address}: the dial was given up"))),
            }
        }
    }

    fn next(&self, address: &str) -> Next {
        let most = self.0.options.pool_size.min(MOST);
        let mut peers = self.0.peers();
        if let Some(connection) = peers.get(address).and_then(Peer::usable) {
            return Next::Use(Lease::new(connection.clone()));
        }
        let peer = peers.entry(address.to_owned()).or_default();
        peer.open.retain(|connection| !connection.life().is_retired());
        if peer.open.len() >= most
            && let Some(least) = peer.open.iter().min_by_key(|connection| connection.active())
        {
            return Next::Use(Lease::new(least.clone()));
        }
        Next::Wait(peer.dialling.get_or_insert_with(|| self.0.dial(address)).clone())
    }
}

impl Inner {
    fn peers(&self) -> MutexGuard<'_, HashMap<String, Peer>> {
        self.peers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Dials for all who wait.
    fn dial(self: &Arc<Self>, address: &str) -> watch::Receiver<Dialled> {
        let (done, dialled) = watch::channel(None);
        let (inner, address) = (self.clone(), address.to_owned());
        self.tasks.spawn(async move {
            let opened = inner.open(&address).await;
            let mut peers = inner.peers();
            if let Some(peer) = peers.get_mut(&address) {
                peer.dialling = None;
            }
            let result = match opened {
                Ok(connection) => {
                    let connection = Arc::new(connection);
                    peers.entry(address).or_default().open.push(connection.clone());
                    Ok(connection)
                }
                Err(error) => {
                    forget_if_empty(&mut peers, &address);
                    Err((error.kind(), error.context().to_owned()))
                }
            };
            drop(peers);
            done.send_replace(Some(result));
        });
        dialled
    }

    /// Dials, greets, and sets the driver going.
    async fn open(self: &Arc<Self>, address: &str) -> Result<Connection> {
        let stream = dial(address, Instant::now() + self.options.dial).await?;
        // Its streams may be silent for ever. A connection that takes no option is dead, and the greeting says so.
        let _ = keep_alive(&stream);
        let (connection, driver) = Connection::open(stream, address).await?;
        let (pool, place, life) = (Arc::downgrade(self), address.to_owned(), connection.life().clone());
        let ttl = self.options.pool_ttl.max(Duration::from_millis(1));
        self.tasks.spawn(drive(driver, life, ttl, move |life| retire(&pool, &place, life)));
        Ok(connection)
    }
}

/// Takes a connection out. A call that has begun on it since it was looked at goes on.
fn retire(pool: &Weak<Inner>, address: &str, life: &Arc<Life>) {
    life.retire();
    let Some(pool) = pool.upgrade() else { return };
    let mut peers = pool.peers();
    if let Some(peer) = peers.get_mut(address) {
        peer.open.retain(|connection| !Arc::ptr_eq(connection.life(), life));
        forget_if_empty(&mut peers, address);
    }
}

fn forget_if_empty(peers: &mut HashMap<String, Peer>, address: &str) {
    if peers.get(address).is_some_and(|peer| peer.open.is_empty() && peer.dialling.is_none()) {
        peers.remove(address);
    }
}
