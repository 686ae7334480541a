//! Looking: once, or again and again. Asks, hears, and says what changed.

use super::Inner;
use super::engine::{Engine, News, stopped};
use super::packet::Heard;
use super::presence::Presence;
use crate::error::Result;
use crate::registry::service::{Service, merge};
use crate::registry::{Event, Scope};
use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio::time::{Duration, Instant, sleep, sleep_until, timeout_at};

/// Nobody takes longer to answer.
const WINDOW: Duration = Duration::from_millis(300);
/// All have answered when nobody new did for so long.
const QUIET: Duration = Duration::from_millis(60);
/// If nobody has answered by then, the question may have been lost: it is asked again.
const AGAIN: Duration = Duration::from_millis(100);
/// When so many answer, some answers may have been lost: they are asked for again.
const MANY: usize = 32;
/// A service has at most so many nodes, the network so many names.
const NODES: usize = 4096;
const NAMES: usize = 16_384;
/// So many names are looked up at once after a goodbye; others are gone when they miss their queries.
const LOOKUPS: usize = 64;
/// How long a registry that is away is left alone.
const RETRY: Duration = Duration::from_secs(5);

/// How often a watch asks, and how long it waits for the answers before it counts who is missing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rhythm {
    pub(super) every: Duration,
    pub(super) settle: Duration,
}

/// With three misses a node that was killed is gone after at most 25 s.
pub(super) const RHYTHM: Rhythm = Rhythm { every: Duration::from_secs(8), settle: Duration::from_secs(1) };

/// What is there of a scope: nodes by version and id, or names (with nothing for an id).
#[derive(Debug)]
struct Seen {
    scope: Scope,
    there: Presence<(String, String), Service>,
}

/// What follows from news.
#[derive(Debug)]
enum Next {
    Nothing,
    Say(Event),
    /// A node of this name is gone: is there another?
    LookUp(Service),
}

impl Seen {
    fn new(scope: Scope) -> Self {
        let limit = if scope == Scope::Names { NAMES } else { NODES };
        Self { scope, there: Presence::new(limit) }
    }

    fn take(&mut self, news: &News, now: Instant) -> Next {
        let changed = |changed: bool, service: &Service| {
            if changed { Next::Say(Event::Put(service.clone())) } else { Next::Nothing }
        };
        match (&*news.heard, &self.scope) {
            (Heard::Node(service), Scope::Service(name)) if service.name == *name => {
                let put = self.put(node_key(service), service, news.announced, now);
                changed(put, service)
            }
            (Heard::Goodbye(service), Scope::Service(name)) if service.name == *name => {
                match self.there.goodbye(&node_key(service), now) {
                    Some(gone) => Next::Say(Event::Gone(gone)),
                    None => Next::Nothing,
                }
            }
            (Heard::Name(name), Scope::Names) => {
                let named = Service::named(name);
                let put = self.put(name_key(name), &named, false, now);
                changed(put, &named)
            }
            (Heard::Node(service), Scope::Names) => {
                let named = Service::named(&service.name);
                let put = self.put(name_key(&service.name), &named, true, now);
                changed(put, &named)
            }
            (Heard::Goodbye(service), Scope::Names) if self.there.contains(&name_key(&service.name)) => {
                Next::LookUp(service.clone())
            }
            _ => Next::Nothing,
        }
    }

    fn put(&mut self, key: (String, String), service: &Service, announced: bool, now: Instant) -> bool {
        if announced {
            self.there.announced(key, service.clone())
        } else {
            self.there.answered(key, service.clone(), now)
        }
    }

    fn services(&self) -> Vec<Service> {
        merge(self.there.values().cloned())
    }
}

fn node_key(service: &Service) -> (String, String) {
    (service.version.clone(), service.nodes.first().map(|node| node.id.clone()).unwrap_or_default())
}

fn name_key(name: &str) -> (String, String) {
    (name.to_owned(), String::new())
}

/// Asks once; the services that answer.
///
/// # Errors
/// `Unreachable` if nobody can be asked.
pub(super) async fn look(engine: &Engine, scope: Scope) -> Result<Vec<Service>> {
    let mut news = engine.follow(&scope);
    let mut seen = Seen::new(scope);
    collect(engine, &mut news, &mut seen).await?;
    Ok(seen.services())
}

/// Asks, and takes in answers until it is quiet.
async fn collect(engine: &Engine, news: &mut mpsc::Receiver<News>, seen: &mut Seen) -> Result<()> {
    let _turn = engine.turn().await?;
    engine.ask(&seen.scope)?;
    let start = Instant::now();
    let end = start + WINDOW;
    let mut asked_again = false;
    // When the first, or the next new one, must have come.
    let mut until = start + AGAIN;
    loop {
        match timeout_at(until, news.recv()).await {
            Ok(Some(one)) => {
                if !matches!(seen.take(&one, Instant::now()), Next::Nothing) {
                    until = (Instant::now() + QUIET).min(end);
                }
            }
            Ok(None) => return Err(stopped()),
            Err(_) if until >= end => return Ok(()),
            Err(_) => {
                let answered = seen.there.len();
                if asked_again || (1..MANY).contains(&answered) {
                    return Ok(());
                }
                asked_again = true;
                engine.ask(&seen.scope)?;
                until = if answered == 0 { end } else { (Instant::now() + QUIET).min(end) };
            }
        }
    }
}

/// One watch.
pub(super) struct Watch {
    inner: Arc<Inner>,
    scope: Scope,
    ready: VecDeque<Event>,
    round: Option<Round>,
    lost: bool,
}

/// A watch that has begun.
struct Round {
    engine: Arc<Engine>,
    news: mpsc::Receiver<News>,
    seen: Seen,
    rhythm: Rhythm,
    ask: Instant,
    /// When those who are missing are counted.
    count: Option<Instant>,
    lookups: FuturesUnordered<BoxFuture<'static, (String, bool)>>,
    looking: HashSet<String>,
}

impl Watch {
    pub(super) fn new(inner: Arc<Inner>, scope: Scope) -> Self {
        Self { inner, scope, ready: VecDeque::new(), round: None, lost: false }
    }

    pub(super) async fn next(&mut self) -> Event {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return event;
            }
            let went = match &mut self.round {
                Some(round) => round.step(&mut self.ready).await,
                None => self.begin().await,
            };
            if let Err(error) = went {
                self.round = None;
                if !std::mem::replace(&mut self.lost, true) {
                    self.ready.push_back(Event::Lost(Arc::new(error)));
                }
            }
        }
    }

    async fn begin(&mut self) -> Result<()> {
        if self.lost {
            sleep(RETRY).await;
        }
        let engine = self.inner.engine()?;
        let mut news = engine.follow(&self.scope);
        let mut seen = Seen::new(self.scope.clone());
        collect(&engine, &mut news, &mut seen).await?;
        self.lost = false;
        self.ready.push_back(Event::Snapshot(seen.services()));
        let rhythm = self.inner.rhythm;
        // Not all at once: watches that began together part.
        let first = rhythm.every.mul_f64(0.5 + fastrand::f64() / 2.0);
        self.round = Some(Round {
            engine,
            news,
            seen,
            rhythm,
            ask: Instant::now() + first,
            count: None,
            lookups: FuturesUnordered::new(),
            looking: HashSet::new(),
        });
        Ok(())
    }
}

impl Round {
    /// Waits for one thing to happen; what it means is put into `ready`.
    async fn step(&mut self, ready: &mut VecDeque<Event>) -> Result<()> {
        let count = self.count;
        tokio::select! {
            biased;
            news = self.news.recv() => {
                let news = news.ok_or_else(stopped)?;
                match self.seen.take(&news, Instant::now()) {
                    Next::Say(event) => ready.push_back(event),
                    Next::LookUp(gone) => self.look_up(gone),
                    Next::Nothing => {}
                }
            }
            Some((name, there)) = self.lookups.next() => {
                self.looking.remove(&name);
                if !there {
                    ready.extend(self.seen.there.goodbye(&name_key(&name), Instant::now()).map(Event::Gone));
                }
            }
            () = sleep_until(count.unwrap_or_else(Instant::now)), if count.is_some() => {
                self.count = None;
                ready.extend(self.seen.there.missing().into_iter().map(Event::Gone));
            }
            () = sleep_until(self.ask) => {
                self.seen.there.asked();
                self.engine.ask(&self.seen.scope)?;
                let now = Instant::now();
                self.ask = now + self.rhythm.every;
                self.count = Some(now + self.rhythm.settle);
            }
        }
        Ok(())
    }

    /// Whether a name has another node than the one that is gone.
    fn look_up(&mut self, gone: Service) {
        if self.looking.len() >= LOOKUPS || !self.looking.insert(gone.name.clone()) {
            return;
        }
        let engine = Arc::clone(&self.engine);
        self.lookups.push(Box::pin(async move {
            let scope = Scope::Service(gone.name.clone());
            let mut news = engine.follow(&scope);
            let mut seen = Seen::new(scope);
            // It may still answer with its last breath.
            seen.there.goodbye(&node_key(&gone), Instant::now());
            let asked = collect(&engine, &mut news, &mut seen).await;
            (gone.name, asked.is_err() || seen.there.len() > 0)
        }));
    }
}
