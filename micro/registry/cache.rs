//! What a registry said, kept: no round trip while a watch is alive, stale entries while the registry is away.

use super::state::State;
use super::{Event, Registry, Scope};
use crate::error::{Error, Result};
use crate::registry::service::Service;
use futures_util::StreamExt;
use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};
use std::time::{Duration, SystemTime};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, MissedTickBehavior, interval};

/// A watch that nobody asked for so long is dropped; one of a service that is not there after a fifth of it.
const IDLE: Duration = Duration::from_secs(300);
/// How often a watch looks whether it is idle.
const LOOK: Duration = Duration::from_secs(30);
/// So many services are watched at once; beyond, the one that was not asked for the longest makes place.
const LIMIT: usize = 4096;

/// One service as the registry last had it.
#[derive(Clone, Debug)]
pub struct Found {
    /// One a version, sorted; nodes sorted by id. Empty: no such service.
    pub services: Vec<Service>,
    /// When the registry last said something of it.
    pub as_of: SystemTime,
    /// The registry is away; this is what it said before.
    pub stale: bool,
    /// Grows with each change of `services`: what is derived from them can be kept beside it.
    pub revision: u64,
}

/// A cache over a registry: a pure reducer over [`Registry::watch`], a watch a service that was asked for. Cheap to
/// clone; all clones share it. Its watches end with the last clone.
#[derive(Clone)]
pub struct Cache {
    inner: Arc<Inner>,
}

struct Inner {
    registry: Arc<dyn Registry>,
    entries: RwLock<HashMap<String, Entry>>,
    tasks: Mutex<JoinSet<()>>,
    revisions: Arc<AtomicU64>,
    start: Instant,
}

struct Entry {
    slot: Arc<Slot>,
    task: AbortHandle,
}

/// What is known of one service, shared by those who ask and the task that watches.
struct Slot {
    known: watch::Sender<Known>,
    /// Milliseconds since the cache's start.
    asked: AtomicU64,
}

/// What a registry said of one service.
#[derive(Clone, Debug)]
enum Known {
    /// Nothing yet.
    Waiting,
    Found(Arc<Found>),
    /// The registry is away and never said anything.
    Lost(Arc<Error>),
}

impl Cache {
    /// A cache over a registry; watches nothing yet.
    pub fn new(registry: Arc<dyn Registry>) -> Self {
        let inner = Inner {
            registry,
            entries: RwLock::default(),
            tasks: Mutex::default(),
            revisions: Arc::default(),
            start: Instant::now(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// The service. The first question waits for the registry; later ones wait for nothing and allocate nothing.
    ///
    /// # Errors
    /// `Unreachable`, or whatever the registry failed with: it is away and never said anything of this name.
    ///
    /// # Cancel safety
    /// Safe: the watch goes on.
    pub async fn get(&self, name: &str) -> Result<Arc<Found>> {
        if let Some(known) = self.inner.known(name)
            && let Some(answer) = known.answer()
        {
            return answer;
        }
        loop {
            let mut known = self.inner.subscribe(name);
            // An error means that the watch ended before it said anything: it made place, so begin again.
            if let Ok(known) = known.wait_for(|known| known.answer().is_some()).await
                && let Some(answer) = known.answer()
            {
                return answer;
            }
        }
    }
}

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache").field("registry", &self.inner.registry.name()).finish_non_exhaustive()
    }
}

impl Known {
    fn answer(&self) -> Option<Result<Arc<Found>>> {
        match self {
            Self::Waiting => None,
            Self::Found(found) => Some(Ok(Arc::clone(found))),
            Self::Lost(error) => Some(Err(Error::new(error.kind(), error.context()))),
        }
    }
}

impl Inner {
    /// The hot path: two short locks, no allocation.
    fn known(&self, name: &str) -> Option<Known> {
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        let slot = &entries.get(name)?.slot;
        slot.asked.store(self.now(), Ordering::Relaxed);
        Some(slot.known.borrow().clone())
    }

    /// Follows what is known of a service, and begins to watch it if nobody does.
    fn subscribe(self: &Arc<Self>, name: &str) -> watch::Receiver<Known> {
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = entries.get(name) {
            entry.slot.asked.store(self.now(), Ordering::Relaxed);
            return entry.slot.known.subscribe();
        }
        if entries.len() >= LIMIT {
            make_place(&mut entries);
        }
        let slot = Arc::new(Slot { known: watch::Sender::new(Known::Waiting), asked: AtomicU64::new(self.now()) });
        let receiver = slot.known.subscribe();
        let events = self.registry.watch(Scope::Service(name.to_owned()));
        let reducer = Reducer::new(Arc::clone(&self.revisions));
        let follow = follow(events, reducer, Arc::clone(&slot), Arc::downgrade(self), name.to_owned());
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        while tasks.try_join_next().is_some() {}
        let task = tasks.spawn(follow);
        entries.insert(name.to_owned(), Entry { slot, task });
        receiver
    }

    /// Takes a watch out that nobody asked for long enough; whether it is out.
    fn retire(&self, name: &str, slot: &Arc<Slot>) -> bool {
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        if !entries.get(name).is_some_and(|entry| Arc::ptr_eq(&entry.slot, slot)) {
            return true;
        }
        let idle = self.now().saturating_sub(slot.asked.load(Ordering::Relaxed));
        let idle = Duration::from_millis(idle);
        let limit = if slot.is_empty() { IDLE / 5 } else { IDLE };
        if idle < limit || slot.known.receiver_count() > 0 {
            return false;
        }
        entries.remove(name);
        true
    }

    fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

impl Slot {
    fn is_empty(&self) -> bool {
        match &*self.known.borrow() {
            Known::Found(found) => found.services.is_empty(),
            Known::Waiting | Known::Lost(_) => true,
        }
    }
}

/// Drops the watch that was not asked for the longest.
fn make_place(entries: &mut HashMap<String, Entry>) {
    let oldest = entries
        .iter()
        .min_by_key(|(_, entry)| (entry.slot.known.receiver_count() > 0, entry.slot.asked.load(Ordering::Relaxed)))
        .map(|(name, _)| name.clone());
    if let Some(entry) = oldest.and_then(|name| entries.remove(&name)) {
        entry.task.abort();
    }
}

/// Reduces the events of one watch into its slot until it is idle or the cache is gone.
async fn follow(
    mut events: futures_util::stream::BoxStream<'static, Event>,
    mut reducer: Reducer,
    slot: Arc<Slot>,
    cache: Weak<Inner>,
    name: String,
) {
    let mut look = interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            event = events.next() => {
                let Some(event) = event else { return };
                if let Some(known) = reducer.apply(event, SystemTime::now()) {
                    slot.known.send_replace(known);
                }
            }
            _ = look.tick() => {
                let Some(cache) = cache.upgrade() else { return };
                if cache.retire(&name, &slot) {
                    return;
                }
            }
        }
    }
}

/// Events in, what is known out. No I/O, no clock.
#[derive(Debug)]
struct Reducer {
    state: State,
    revisions: Arc<AtomicU64>,
    revision: u64,
    /// A snapshot came.
    begun: bool,
    stale: bool,
    as_of: SystemTime,
}

impl Reducer {
    fn new(revisions: Arc<AtomicU64>) -> Self {
        let revision = revisions.fetch_add(1, Ordering::Relaxed) + 1;
        Self { state: State::default(), revisions, revision, begun: false, stale: false, as_of: SystemTime::UNIX_EPOCH }
    }

    /// What is known after an event; `None`: the same as before.
    fn apply(&mut self, event: Event, now: SystemTime) -> Option<Known> {
        match event {
            Event::Lost(error) if !self.begun => return Some(Known::Lost(error)),
            Event::Lost(_) if self.stale => return None,
            Event::Lost(_) => self.stale = true,
            event => {
                if matches!(event, Event::Snapshot(_)) {
                    self.begun = true;
                    self.stale = false;
                } else if !self.begun {
                    return None;
                }
                self.as_of = now;
                if self.state.apply(event) {
                    // One counter for the whole cache: a service that is watched anew goes on, not back.
                    self.revision = self.revisions.fetch_add(1, Ordering::Relaxed) + 1;
                }
            }
        }
        Some(Known::Found(Arc::new(Found {
            services: self.state.services().cloned().collect(),
            as_of: self.as_of,
            stale: self.stale,
            revision: self.revision,
        })))
    }
}

#[cfg(test)]
#[path = "cache_tests.rs"]
mod tests;
