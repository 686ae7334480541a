//! What is known of the command services: no I/O; events and answers in, jobs and words out.

use super::Call;
use super::command::{Help, Remote};
use bot::command::Command;
use bot::router::Word;
use micro::error::Error;
use micro::registry::Event;
use micro::registry::service::Service;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Command services that are kept; a registry with more is not ours.
const MOST: usize = 10_000;
/// The longest word, in bytes.
const LONGEST: usize = 200;
/// How often all of them are looked at.
const ROUND: Duration = Duration::from_secs(60);
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
    looks: VecDeque<Arc<str>>,
    helps: VecDeque<Arc<str>>,
    later: BTreeSet<(Instant, Kind, Arc<str>)>,
    /// When all names are asked for next.
    round: Instant,
    /// When the words are published next.
    publish: Option<Instant>,
}

struct Entry {
    word: Word,
    /// Version and id of its nodes; none, and it is no command.
    nodes: BTreeSet<(String, String)>,
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
            helps: VecDeque::new(),
            later: BTreeSet::new(),
            round: Instant::now() + ROUND,
            publish: None,
        }
    }

    /// Takes in what the watch says. Events name what changed; what it became, the registry is asked.
    pub(super) fn event(&mut self, event: Event, now: Instant) {
        match event {
            Event::Snapshot(services) => {
                let names: BTreeSet<String> = services.into_iter().map(|service| service.name).collect();
                for gone in self.absent(&names) {
                    self.remove(&gone, now);
                }
                for name in &names {
                    self.want_look(name);
                }
            }
            Event::Put(service) => self.want_look(&service.name),
            Event::Gone(service) if service.version.is_empty() && service.nodes.is_empty() => {
                self.remove(&service.name, now);
            }
            Event::Gone(service) if self.entries.contains_key(service.name.as_str()) => self.want_look(&service.name),
            Event::Gone(_) => {}
            Event::Lost(error) => tracing::debug!(%error, "registry is away; commands stay as they are"),
        }
    }

    /// Takes in what the registry says of one service.
    pub(super) fn looked(&mut self, name: &str, found: Result<Vec<Service>, Error>, now: Instant) {
        let Some(entry) = self.entries.get_mut(name) else { return };
        let good = match found {
            Ok(versions) => {
                let nodes = nodes(&versions);
                if nodes != entry.nodes {
                    if nodes.is_empty() != entry.nodes.is_empty() {
                        self.publish = Some(self.publish.unwrap_or(now + GATHER));
                    }
                    if !nodes.is_empty() && entry.help.want() {
                        self.helps.push_back(entry.word.service.clone());
                    }
                    entry.nodes = nodes;
                }
                // A registry may say the name before it knows the nodes.
                !entry.nodes.is_empty()
            }
            Err(error) => {
                tracing::debug!(%error, service = name, "command service cannot be looked at");
                false
            }
        };
        let (queue, later) = entry.look.end(good, now);
        let name = entry.word.service.clone();
        self.later.extend(later.map(|at| (at, Kind::Look, name.clone())));
        self.looks.extend(queue.then_some(name));
    }

    /// Takes in all names: whoever is new, and whoever is not there any more, is looked at.
    pub(super) fn listed(&mut self, names: Result<Vec<String>, Error>, now: Instant) {
        match names {
            Ok(names) => {
                let names: BTreeSet<String> = names.into_iter().collect();
                for absent in self.absent(&names) {
                    if self.entries.get(&absent).is_some_and(|entry| entry.nodes.is_empty()) {
                        self.remove(&absent, now);
                    } else {
                        self.want_look(&absent);
                    }
                }
                for name in &names {
                    self.want_look(name);
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
            self.publish = Some(self.publish.unwrap_or(now + GATHER));
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
            return Some(Job::All);
        }
        while let Some(name) = self.looks.pop_front() {
            if let Some(entry) = self.entries.get_mut(&name) {
                entry.look.begin();
                return Some(Job::One(name));
            }
        }
        None
    }

    /// The next service to ask for its help, if one is due.
    pub(super) fn help(&mut self, now: Instant) -> Option<Arc<str>> {
        self.wake(now);
        while let Some(name) = self.helps.pop_front() {
            if let Some(entry) = self.entries.get_mut(&name) {
                entry.help.begin();
                return Some(name);
            }
        }
        None
    }

    /// The words, when it is time to publish them.
    pub(super) fn publish(&mut self, now: Instant) -> Option<Vec<Word>> {
        self.publish.take_if(|at| *at <= now)?;
        Some(self.entries.values().filter(|entry| !entry.nodes.is_empty()).map(|entry| entry.word.clone()).collect())
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

    /// The services that are in the book and not among `names`.
    fn absent(&self, names: &BTreeSet<String>) -> Vec<Arc<str>> {
        self.entries.keys().filter(|name| !names.contains(&***name)).cloned().collect()
    }

    fn want_look(&mut self, name: &str) {
        let Some(word) = name.strip_prefix(&self.prefix).filter(|word| is_word(word)) else { return };
        if !self.entries.contains_key(name) {
            if self.entries.len() >= MOST {
                tracing::warn!(service = name, "more than {MOST} command services; this one is left out");
                return;
            }
            let entry = Entry::new(word, name, &self.call, self.limit);
            self.entries.insert(entry.word.service.clone(), entry);
        }
        if let Some(entry) = self.entries.get_mut(name)
            && entry.look.want()
        {
            self.looks.push_back(entry.word.service.clone());
        }
    }

    fn remove(&mut self, name: &str, now: Instant) {
        if self.entries.remove(name).is_some_and(|entry| !entry.nodes.is_empty()) {
            self.publish = Some(self.publish.unwrap_or(now + GATHER));
        }
    }
}

impl Entry {
    fn new(word: &str, service: &str, call: &Call, limit: Duration) -> Self {
        let (word, service): (Arc<str>, Arc<str>) = (word.into(), service.into());
        let remote = Remote::new(&word, &service, Help::default(), call.clone(), limit);
        Self {
            word: Word { word, service, command: Arc::new(remote) },
            nodes: BTreeSet::new(),
            look: Work::default(),
            help: Work::default(),
            text: Help::default(),
        }
    }
}

fn command(word: &Word, help: &Help, call: &Call, limit: Duration) -> Arc<dyn Command> {
    Arc::new(Remote::new(&word.word, &word.service, help.clone(), call.clone(), limit))
}

fn nodes(versions: &[Service]) -> BTreeSet<(String, String)> {
    let ids = |version: &Service| {
        let ids = version.nodes.iter().map(|node| (version.version.clone(), node.id.clone()));
        ids.collect::<Vec<_>>()
    };
    versions.iter().flat_map(ids).collect()
}

/// Whether it can be typed as one word.
fn is_word(word: &str) -> bool {
    (1..=LONGEST).contains(&word.len()) && !word.contains(|letter: char| letter.is_whitespace() || letter.is_control())
}
