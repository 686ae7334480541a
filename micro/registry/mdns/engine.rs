//! The running registry: what comes in goes to those who follow it, what is asked for is answered, what is ours is told.

use super::net::{From, Net, Place};
use super::packet::{self, DOMAINS, Heard, SERVICES, TTL};
use super::zone::{Entry, Zone};
use crate::error::{Error, ErrorKind, Result};
use crate::registry::Scope;
use crate::registry::service::Service;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::sync::{Semaphore, SemaphorePermit, mpsc};
use tokio::task::{JoinSet, yield_now};
use tokio::time::{MissedTickBehavior, interval, sleep};

/// Announcements repeat after these pauses, as Go's do: at 0, 1 and 3 s.
const PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(2)];
/// How often interfaces are looked for, and the port, if it was taken.
const RESCAN: Duration = Duration::from_secs(10);
/// So many answers leave in a row before others get their turn; who asked may be one of them.
const BURST: usize = 16;
/// So much may wait for one who follows; more is lost, as on any network, and asked for again.
const BACKLOG: usize = 8192;
/// So many look at once. More would flood sockets, here and elsewhere, and lose what they ask for; they wait.
const LOOKERS: usize = 128;
/// The largest UDP packet.
const DATAGRAM: usize = 65_536;

/// A running registry; its tasks end when it is dropped.
#[derive(Debug)]
pub(super) struct Engine {
    shared: Arc<Shared>,
    tasks: Mutex<JoinSet<()>>,
    lookers: Semaphore,
}

#[derive(Debug)]
struct Shared {
    net: Net,
    zone: Mutex<Zone>,
    followers: Mutex<HashMap<Scope, Vec<mpsc::Sender<News>>>>,
}

/// Something heard, and how.
#[derive(Clone, Debug)]
pub(super) struct News {
    pub(super) heard: Arc<Heard>,
    /// Told without being asked.
    pub(super) announced: bool,
}

impl Engine {
    /// Opens the sockets and begins to listen.
    ///
    /// # Errors
    /// `Unreachable` if not even questions can be asked. A port that is taken is no error before anyone registers.
    pub(super) fn start(place: Place) -> Result<Self> {
        let net = Net::open(place)?;
        let shared = Arc::new(Shared { net, zone: Mutex::default(), followers: Mutex::default() });
        let mut tasks = JoinSet::new();
        tasks.spawn(hear(Arc::clone(&shared), Arc::clone(&shared.net.asks_v4), From::Asks));
        if let Some(socket) = &shared.net.asks_v6 {
            tasks.spawn(hear(Arc::clone(&shared), Arc::clone(socket), From::Asks));
        }
        let engine = Self { shared, tasks: Mutex::new(tasks), lookers: Semaphore::new(LOOKERS) };
        if let Err(error) = engine.listen() {
            tracing::warn!("{error}; services are found, but none is registered");
        }
        engine.tasks().spawn(rescan(Arc::clone(&engine.shared)));
        Ok(engine)
    }

    /// Follows what is heard of a scope.
    pub(super) fn follow(&self, scope: &Scope) -> mpsc::Receiver<News> {
        let (sender, receiver) = mpsc::channel(BACKLOG);
        let mut followers = self.shared.followers();
        followers.retain(|_, senders| {
            senders.retain(|sender| !sender.is_closed());
            !senders.is_empty()
        });
        followers.entry(scope.clone()).or_default().push(sender);
        receiver
    }

    /// Waits for a turn to look.
    pub(super) async fn turn(&self) -> Result<SemaphorePermit<'_>> {
        self.lookers.acquire().await.map_err(|_| stopped())
    }

    /// Asks for a scope; our own nodes answer at once, whatever the network does.
    ///
    /// # Errors
    /// `Unreachable` if no interface can send.
    pub(super) fn ask(&self, scope: &Scope) -> Result<()> {
        self.shared.ask(scope)
    }

    /// Tells of nodes from now on.
    ///
    /// # Errors
    /// `Unreachable` if the port is taken.
    pub(super) fn tell(&self, entries: Vec<Entry>) -> Result<()> {
        self.listen()?;
        let mut new = Vec::new();
        for entry in entries.into_iter().map(Arc::new) {
            if self.shared.zone().put(&entry) {
                new.push(entry);
            }
        }
        if new.is_empty() {
            return Ok(());
        }
        for entry in &new {
            self.shared.publish(Heard::Node(entry.service.clone()), true);
        }
        let mut tasks = self.tasks();
        while tasks.try_join_next().is_some() {}
        tasks.spawn(announce(Arc::clone(&self.shared), new));
        Ok(())
    }

    /// Says goodbye for nodes.
    pub(super) fn forget(&self, service: &Service) {
        for node in &service.nodes {
            let gone = self.shared.zone().take(&service.name, &service.version, &node.id);
            let Some(gone) = gone else { continue };
            // Twice, since nobody confirms it.
            for _ in 0..2 {
                self.shared.multicast(&gone, 0);
            }
            self.shared.publish(Heard::Goodbye(gone.service.clone()), true);
        }
    }

    fn listen(&self) -> Result<()> {
        let new = self.shared.net.listen()?;
        let mut tasks = self.tasks();
        for socket in new {
            tasks.spawn(hear(Arc::clone(&self.shared), socket, From::Hears));
        }
        Ok(())
    }

    fn tasks(&self) -> MutexGuard<'_, JoinSet<()>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    fn ask(&self, scope: &Scope) -> Result<()> {
        let asked = match scope {
            Scope::Names => SERVICES,
            Scope::Service(name) => name,
        };
        let mut sent = Ok(());
        for domain in DOMAINS {
            let Some(query) = packet::name(&format!("{asked}.{domain}")).ok().and_then(|name| packet::query(&name))
            else {
                continue;
            };
            sent = self.net.multicast(&query, From::Asks);
        }
        self.own(scope);
        sent
    }

    /// Our own answers, without the network.
    fn own(&self, scope: &Scope) {
        let own: Vec<Heard> = match scope {
            Scope::Names => self.zone().names().cloned().map(Heard::Name).collect(),
            Scope::Service(name) => self.zone().entries(name).map(|entry| Heard::Node(entry.service.clone())).collect(),
        };
        for heard in own {
            self.publish(heard, false);
        }
    }

    /// Hands on what was heard: to those who follow the service, and, what was announced, to those who follow names.
    fn publish(&self, heard: Heard, announced: bool) {
        let scope = match &heard {
            Heard::Node(service) | Heard::Goodbye(service) => Some(Scope::Service(service.name.clone())),
            Heard::Name(_) => None,
        };
        let names = announced || scope.is_none();
        let news = News { heard: Arc::new(heard), announced };
        let followers = self.followers();
        for scope in scope.into_iter().chain(names.then_some(Scope::Names)) {
            for follower in followers.get(&scope).into_iter().flatten() {
                // One who is too far behind misses it and asks again.
                let _ = follower.try_send(news.clone());
            }
        }
    }

    fn multicast(&self, entry: &Entry, ttl: u32) {
        for domain in DOMAINS {
            if let Some(packet) = entry.announcement(domain, ttl)
                && let Err(error) = self.net.multicast(&packet, From::Hears)
            {
                tracing::debug!("{error}");
            }
        }
    }

    /// Takes in one packet; the answers it wants.
    fn take(&self, bytes: &[u8], socket: From) -> Vec<Vec<u8>> {
        let Some(packet) = packet::read(bytes) else { return Vec::new() };
        if !packet.has_flags(simple_dns::PacketFlag::RESPONSE) {
            return if socket == From::Hears { self.zone().answers(&packet) } else { Vec::new() };
        }
        if !self.followers().is_empty() {
            for heard in packet::heard(&packet) {
                self.publish(heard, socket == From::Hears);
            }
        }
        Vec::new()
    }

    fn zone(&self) -> MutexGuard<'_, Zone> {
        self.zone.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn followers(&self) -> MutexGuard<'_, HashMap<Scope, Vec<mpsc::Sender<News>>>> {
        self.followers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes in what a socket hears, for as long as the registry runs.
async fn hear(shared: Arc<Shared>, socket: Arc<UdpSocket>, kind: From) {
    let mut buffer = vec![0; DATAGRAM];
    loop {
        match socket.recv_from(&mut buffer).await {
            Ok((_, from)) if kind == From::Hears && !is_near(from) => {}
            Ok((length, from)) => answer(&shared, shared.take(&buffer[..length], kind), from).await,
            Err(error) => {
                // Such as an ICMP error for an earlier packet: the socket goes on.
                tracing::debug!(%error, "an mdns packet was not received");
                sleep(Duration::from_millis(10)).await;
            }
        }
    }
}

/// Whether a packet to the listening socket can be the group's. The one for IPv4 gets nothing else; the one for IPv6 is
/// open to the whole net.
fn is_near(from: SocketAddr) -> bool {
    match from {
        SocketAddr::V4(_) => true,
        SocketAddr::V6(from) => from.ip().is_unicast_link_local() || from.ip().is_loopback(),
    }
}

async fn answer(shared: &Shared, answers: Vec<Vec<u8>>, to: SocketAddr) {
    for (at, answer) in answers.iter().enumerate() {
        if at % BURST == BURST - 1 {
            yield_now().await;
        }
        shared.net.answer(answer, to);
    }
}

/// Announces what is still told, at once and twice more.
async fn announce(shared: Arc<Shared>, mut entries: Vec<Arc<Entry>>) {
    let mut pauses = PAUSES.iter();
    loop {
        for (at, entry) in entries.iter().enumerate() {
            if at % BURST == BURST - 1 {
                yield_now().await;
            }
            // The zone is held, so that no goodbye goes out between the look and the announcement.
            let zone = shared.zone();
            if zone.has(entry) {
                shared.multicast(entry, TTL);
            }
        }
        let Some(pause) = pauses.next() else { return };
        sleep(*pause).await;
        entries.retain(|entry| shared.zone().has(entry));
    }
}

/// Takes in interfaces that come, and the port when it is free.
async fn rescan(shared: Arc<Shared>) {
    let mut heard = JoinSet::new();
    let mut look = interval(RESCAN);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        look.tick().await;
        shared.net.rescan();
        for socket in shared.net.listen().unwrap_or_default() {
            tracing::info!("the mdns port can be shared now");
            heard.spawn(hear(Arc::clone(&shared), socket, From::Hears));
        }
    }
}

/// The error of a registry that is gone with its runtime.
pub(super) fn stopped() -> Error {
    Error::new(ErrorKind::Cancelled, "mdns: the registry has stopped")
}
