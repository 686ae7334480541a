//! What is known of the command services: no I/O; events and answers in, jobs and words out.

use super::Call;
use super::command::{Help, Remote};
use bot::command::Command;
use bot::router::Word;
use micro::error::Error;
use micro::registry::Event;
use micro::registry::service::{Node, Service};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Command services that are kept; a registry with more is not ours.
const MOST: usize = 10_000;
/// The longest word, in bytes.
const LONGEST: usize = 200;
/// How often all names are asked for, and some of the services that the watch says no more of than the name are looked at.
const ROUND: Duration = Duration::from_secs(60);
/// How many of them.
const SOME: usize = 32;
/// How long words gather before they are published: a thousand that appear together are one list, not a thousand.
const GATHER: Duration = Duration::from_millis(10);
/// The wait after a first failure, of a look and of a help; each further one doubles it, up to a round.
const AGAIN: Duration = Duration::from_secs(1);

/// What to ask the registry.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Job {
    /// One service, by its full name.
    One(Arc<str>),
    /// All names.
    All,
}

/// What is tried again later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Look,
    Help,
}

/// The command services by their full names.
pub(super) struct Book {
    prefix: String,
    call: Call,
    limit: Duration,
    entries: BTreeMap<Arc<str>, Entry>,
    /// To be looked at now: what is new, and what changed.
    looks: VecDeque<Arc<str>>,
    /// To be looked at as the rounds go, and how many more in this one.
    rounds: (VecDeque<Arc<str>>, usize),
    helps: VecDeque<Arc<str>>,
    later: BTreeSet<(Instant, Kind, Arc<str>)>,
    /// When all names are asked for next.
    round: Instant,
    /// When the words are published next.
    publish: Option<Instant>,
}

/// By version and id.
type Nodes = BTreeMap<(String, String), Arc<Node>>;

struct Entry {
    word: Word,
    /// None, and it is no command; not known, and it is one, since a name is said to have a node.
    nodes: Option<Nodes>,
    /// The watch tells its nodes, so that it need not be looked at.
    told: bool,
    look: Work,
    help: Work,
    text: Help,
}

/// Something to be asked: at most once at a time.
#[derive(Default)]
struct Work {
    running: bool,
    queued: bool,
    /// Wanted again while it ran.
    stale: bool,
    failures: u32,
}

impl Work {
    /// Whether it must be queued now.
    fn want(&mut self) -> bool {
        self.stale = self.running;
        !self.running && !std::mem::replace(&mut self.queued, true)
    }

    fn begin(&mut self) {
        (self.running, self.queued) = (true, false);
    }

    /// Whether it must be queued at once, or when it is tried again.
    fn end(&mut self, good: bool, now: Instant) -> (bool, Option<Instant>) {
        self.running = false;
        self.failures = if good { 0 } else { self.failures.saturating_add(1) };
        if std::mem::take(&mut self.stale) {
            return (self.want(), None);
        }
        let wait = AGAIN.saturating_mul(1 << self.failures.saturating_sub(1).min(6)).min(ROUND);
        (false, (!good).then(|| now + wait))
    }
}

impl Book {
    /// An empty book of the services below `namespace`.
    pub(super) fn new(namespace: &str, call: Call, limit: Duration) -> Self {
        Self {
            prefix: format!("{namespace}."),
            call,
            limit,
            entries: BTreeMap::new(),
            looks: VecDeque::new(),
            rounds: (VecDeque::new(), SOME),
            helps: VecDeque::new(),
            later: BTreeSet::new(),
            round: Instant::now() + ROUND,
            publish: None,
        }
    }

    /// Takes in what the watch says. Where it says names only, the registry is asked what became of them.
    pub(super) fn event(&mut self, event: Event, now: Instant) {
        match event {
            Event::Snapshot(services) => self.replace(services, now),
            Event::Put(service) if service.nodes.is_empty() => {
                if let Some(entry) = self.open(&service.name, now) {
                    entry.told = false;
                    self.want_look(&service.name);
                }
            }
            Event::Put(service) => {
                if let Some(entry) = self.open(&service.name, now) {
                    let mut all = entry.nodes.clone().unwrap_or_default();
                    all.extend(nodes(&service));
                    self.tell(&service.name, all, now);
                }
            }
            Event::Gone(service) if service.version.is_empty() && service.nodes.is_empty() => {
                self.remove(&service.name, now);
            }
            Event::Gone(service) => self.gone(&service, now),
            Event::Lost(error) => tracing::debug!(%error, "registry is away; commands stay as they are"),
        }
    }

    /// All that is there now.
    fn replace(&mut self, services: Vec<Service>, now: Instant) {
        let mut all: BTreeMap<String, Nodes> = BTreeMap::new();
        for service in services {
            let found = nodes(&service);
            all.entry(service.name).or_default().extend(found);
        }
        for gone in self.absent(|name| all.contains_key(name)) {
            self.remove(&gone, now);
        }
        for (name, found) in all {
            let Some(entry) = self.open(&name, now) else { continue };
            if !found.is_empty() {
                self.tell(&name, found, now);
            } else if entry.nodes.is_none() {
                self.want_look(&name);
            } else {
                entry.told = false;
                self.want_round(&name);
            }
        }
    }

    /// Some of a service is gone.
    fn gone(&mut self, gone: &Service, now: Instant) {
        let Some(entry) = self.entries.get_mut(gone.name.as_str()) else { return };
        let Some(mut left) = entry.nodes.clone().filter(|_| entry.told) else { return self.want_look(&gone.name) };
        let is_gone = |id: &String| gone.nodes.is_empty() || gone.nodes.iter().any(|node| node.id == *id);
        left.retain(|(version, id), _| *version != gone.version || !is_gone(id));
        if left.is_empty() {
            self.remove(&gone.name, now);
        } else {
            self.tell(&gone.name, left, now);
        }
    }

    /// The watch said which nodes a service has.
    fn tell(&mut self, name: &str, nodes: Nodes, now: Instant) {
        if let Some(entry) = self.entries.get_mut(name) {
            entry.told = true;
            self.settle(name, nodes, now);
        }
    }

    /// Takes in what the registry says of one service.
    pub(super) fn looked(&mut self, name: &str, found: Result<Vec<Service>, Error>, now: Instant) {
        let Some(entry) = self.entries.get(name) else { return };
        let good = match found {
            // What the watch tells is newer.
            Ok(_) if entry.told => true,
            Ok(versions) => {
                let nodes: Nodes = versions.iter().flat_map(nodes).collect();
                // A registry may say the name before it knows the nodes: such a one is looked at again.
                let good = !nodes.is_empty();
                self.settle(name, nodes, now);
                good
            }
            Err(error) => {
                tracing::debug!(%error, service = name, "command service cannot be looked at");
                false
            }
        };
        let Some(entry) = self.entries.get_mut(name) else { return };
        let (queue, later) = entry.look.end(good, now);
        let name = entry.word.service.clone();
        self.later.extend(later.map(|at| (at, Kind::Look, name.clone())));
        self.looks.extend(queue.then_some(name));
    }

    /// The service has these nodes.
    fn settle(&mut self, name: &str, nodes: Nodes, now: Instant) {
        let Some(entry) = self.entries.get_mut(name) else { return };
        let was_there = entry.is_there();
        let changed = entry.nodes.as_ref().is_none_or(|known| !known.keys().eq(nodes.keys()));
        entry.nodes = Some(nodes);
        if entry.is_there() && changed && entry.help.want() {
            self.helps.push_back(entry.word.service.clone());
        }
        if entry.is_there() != was_there {
            self.gather(now);
        }
    }

    /// Takes in all names: whoever is new, and whoever is not there any more, is looked at.
    pub(super) fn listed(&mut self, names: Result<Vec<String>, Error>, now: Instant) {
        match names {
            Ok(names) => {
                let names: BTreeSet<String> = names.into_iter().collect();
                for absent in self.absent(|name| names.contains(name)) {
                    match self.entries.get(&absent) {
                        Some(entry) if entry.told => {}
                        Some(entry) if !entry.is_there() => self.remove(&absent, now),
                        _ => self.want_look(&absent),
                    }
                }
                for name in &names {
                    match self.open(name, now) {
                        Some(entry) if entry.told => {}
                        Some(entry) if entry.nodes.is_none() => self.want_look(name),
                        _ => self.want_round(name),
                    }
                }
            }
            Err(error) => tracing::debug!(%error, "registry cannot be listed; commands stay as they are"),
        }
    }

    /// Takes in a service's help; `None`: it did not answer, and what it said before stays.
    pub(super) fn helped(&mut self, name: &str, help: Option<Help>, now: Instant) {
        let Some(entry) = self.entries.get_mut(name) else { return };
        let (queue, later) = entry.help.end(help.is_some(), now);
        if let Some(help) = help.filter(|help| *help != entry.text) {
            entry.text = help;
            entry.word.command = command(&entry.word, &entry.text, &self.call, self.limit);
            self.publish.get_or_insert(now + GATHER);
        }
        let name = entry.word.service.clone();
        self.later.extend(later.map(|at| (at, Kind::Help, name.clone())));
        self.helps.extend(queue.then_some(name));
    }

    /// The next thing to ask the registry, if one is due.
    pub(super) fn look(&mut self, now: Instant) -> Option<Job> {
        self.wake(now);
        if self.round <= now {
            self.round = now + ROUND;
            self.rounds.1 = SOME;
            return Some(Job::All);
        }
        loop {
            let name = self.looks.pop_front().or_else(|| {
                let left = self.rounds.1.checked_sub(1)?;
                let name = self.rounds.0.pop_front()?;
                self.rounds.1 = left;
                Some(name)
            })?;
            if let Some(entry) = self.entries.get_mut(&name).filter(|entry| entry.look.queued) {
                entry.look.begin();
                return Some(Job::One(name));
            }
        }
    }

    /// The next service to ask for its help, if one is due, and the node to ask: another one after each failure.
    pub(super) fn help(&mut self, now: Instant) -> Option<(Arc<str>, Arc<Node>)> {
        self.wake(now);
        while let Some(name) = self.helps.pop_front() {
            let Some(entry) = self.entries.get_mut(&name) else { continue };
            let nodes = entry.nodes.as_ref().filter(|nodes| !nodes.is_empty());
            let turn = |count: usize| usize::try_from(entry.help.failures).unwrap_or(0) % count;
            let Some(node) = nodes.and_then(|nodes| nodes.values().nth(turn(nodes.len()))).cloned() else {
                entry.help.queued = false;
                continue;
            };
            entry.help.begin();
            return Some((name, node));
        }
        None
    }

    /// The words, when it is time to publish them.
    pub(super) fn publish(&mut self, now: Instant) -> Option<Vec<Word>> {
        self.publish.take_if(|at| *at <= now)?;
        Some(self.entries.values().filter(|entry| entry.is_there()).map(|entry| entry.word.clone()).collect())
    }

    /// The words are to be published at once, also if there are none.
    pub(super) fn hurry(&mut self, now: Instant) {
        self.publish = Some(now);
    }

    /// When there is something to do again, if nothing comes in before.
    pub(super) fn due(&self) -> Instant {
        let later = self.later.first().map(|(at, ..)| *at);
        [self.publish, later].into_iter().flatten().fold(self.round, Instant::min)
    }

    /// Queues what was to be tried again by now.
    fn wake(&mut self, now: Instant) {
        while self.later.first().is_some_and(|(at, ..)| *at <= now)
            && let Some((_, kind, name)) = self.later.pop_first()
        {
            let Some(entry) = self.entries.get_mut(&name) else { continue };
            match kind {
                Kind::Look if entry.look.want() => self.looks.push_back(name),
                Kind::Help if entry.help.want() => self.helps.push_back(name),
                Kind::Look | Kind::Help => {}
            }
        }
    }

    /// The services in the book that are not there any more.
    fn absent(&self, is_there: impl Fn(&str) -> bool) -> Vec<Arc<str>> {
        self.entries.keys().filter(|name| !is_there(name)).cloned().collect()
    }

    /// The entry of a name that can be a command's; a new one is a command from now on.
    fn open(&mut self, name: &str, now: Instant) -> Option<&mut Entry> {
        let word = name.strip_prefix(&self.prefix).filter(|word| is_word(word))?;
        if !self.entries.contains_key(name) {
            if self.entries.len() >= MOST {
                tracing::warn!(service = name, "more than {MOST} command services; this one is left out");
                return None;
            }
            let entry = Entry::new(word, name, &self.call, self.limit);
            self.entries.insert(entry.word.service.clone(), entry);
            self.gather(now);
        }
        self.entries.get_mut(name)
    }

    /// Looks at it now.
    fn want_look(&mut self, name: &str) {
        if let Some(entry) = self.entries.get_mut(name) {
            // One that waits for its round goes first.
            if entry.look.want() || entry.look.queued {
                self.looks.push_back(entry.word.service.clone());
            }
        }
    }

    /// Looks at it when its turn comes.
    fn want_round(&mut self, name: &str) {
        if let Some(entry) = self.entries.get_mut(name)
            && !entry.look.running
            && entry.look.want()
        {
            self.rounds.0.push_back(entry.word.service.clone());
        }
    }

    fn remove(&mut self, name: &str, now: Instant) {
        if self.entries.remove(name).is_some_and(|entry| entry.is_there()) {
            self.gather(now);
        }
    }

    /// The words changed.
    fn gather(&mut self, now: Instant) {
        self.publish.get_or_insert(now + GATHER);
    }
}

impl Entry {
    fn new(word: &str, service: &str, call: &Call, limit: Duration) -> Self {
        let (word, service): (Arc<str>, Arc<str>) = (word.into(), service.into());
        let remote = Remote::new(&word, &service, Help::default(), call.clone(), limit);
        Self {
            word: Word { word, service, command: Arc::new(remote) },
            nodes: None,
            told: false,
            look: Work::default(),
            help: Work::default(),
            text: Help::default(),
        }
    }

    fn is_there(&self) -> bool {
        self.nodes.as_ref().is_none_or(|nodes| !nodes.is_empty())
    }
}

fn command(word: &Word, help: &Help, call: &Call, limit: Duration) -> Arc<dyn Command> {
    Arc::new(Remote::new(&word.word, &word.service, help.clone(), call.clone(), limit))
}

fn nodes(service: &Service) -> Nodes {
    service.nodes.iter().map(|node| ((service.version.clone(), node.id.clone()), node.clone())).collect()
}

/// Whether it can be typed as one word.
fn is_word(word: &str) -> bool {
    (1..=LONGEST).contains(&word.len()) && !word.contains(|letter: char| letter.is_whitespace() || letter.is_control())
}
