//! Services that one process holds, and those who watch them: what the memory and the file registry have in common.

use super::service::Service;
use super::state::State;
use super::{Event, Scope};
use crate::error::Error;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::broadcast::{self, error::RecvError};

/// So many changes may wait for a watcher; one that falls further behind gets a new snapshot.
const BACKLOG: usize = 256;

/// The state, changed only through here, so that nobody who watches misses a change.
#[derive(Debug)]
pub(crate) struct Feed {
    held: Mutex<Held>,
    changes: broadcast::Sender<Arc<Change>>,
}

#[derive(Debug, Default)]
struct Held {
    state: State,
    known: bool,
    lost: Option<Arc<Error>>,
}

#[derive(Debug)]
enum Change {
    Put(Service),
    Gone(Service),
    Lost(Arc<Error>),
    /// Known, or known again: all of it anew.
    Back,
}

impl Feed {
    /// Nothing held. Not `known`: watchers hear nothing until [`Feed::replace`] or [`Feed::lost`].
    pub(crate) fn new(known: bool) -> Arc<Self> {
        let held = Mutex::new(Held { known, ..Held::default() });
        Arc::new(Self { held, changes: broadcast::Sender::new(BACKLOG) })
    }

    /// Looks at the state.
    pub(crate) fn read<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.held().state)
    }

    /// Upserts.
    pub(crate) fn put(&self, service: Service) {
        self.put_held(&mut self.held(), service);
    }

    /// Takes nodes out.
    pub(crate) fn gone(&self, service: Service) {
        self.gone_held(&mut self.held(), service);
    }

    /// All that is there now; watchers hear what is different, or a snapshot if the registry was away.
    pub(crate) fn replace(&self, services: Vec<Service>) {
        let held = &mut *self.held();
        if held.lost.take().is_some() || !held.known {
            held.known = true;
            held.state.apply(Event::Snapshot(services));
            self.send(Change::Back);
            return;
        }
        let mut next = State::default();
        next.apply(Event::Snapshot(services));
        for gone in vanished(&held.state, &next) {
            self.gone_held(held, gone);
        }
        for service in next.services() {
            self.put_held(held, service.clone());
        }
    }

    /// The registry is away. What was known stays.
    pub(crate) fn lost(&self, error: Arc<Error>) {
        self.held().lost = Some(Arc::clone(&error));
        self.send(Change::Lost(error));
    }

    /// Nothing is known any more: who watches from now on waits for news.
    pub(crate) fn forget(&self) {
        *self.held() = Held::default();
    }

    /// Whether anyone watches.
    pub(crate) fn is_watched(&self) -> bool {
        self.changes.receiver_count() > 0
    }

    /// Follows a scope from now on.
    pub(crate) fn watch(self: &Arc<Self>, scope: Scope) -> Watcher {
        Watcher {
            changes: self.changes.subscribe(),
            feed: Arc::clone(self),
            scope,
            ready: VecDeque::new(),
            fresh: true,
        }
    }

    fn put_held(&self, held: &mut Held, service: Service) {
        if held.state.apply(Event::Put(service.clone())) {
            self.send(Change::Put(service));
        }
    }

    fn gone_held(&self, held: &mut Held, service: Service) {
        if held.state.apply(Event::Gone(service.clone())) {
            self.send(Change::Gone(service));
        }
    }

    fn send(&self, change: Change) {
        // Nobody there is no error.
        let _ = self.changes.send(Arc::new(change));
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is in `old` and not in `new`: nodes of a version, or a whole version.
fn vanished(old: &State, new: &State) -> Vec<Service> {
    let mut gone = Vec::new();
    for service in old.services() {
        let next = new.versions(&service.name).find(|next| next.version == service.version);
        let nodes: Vec<_> = service
            .nodes
            .iter()
            .filter(|node| next.is_none_or(|next| next.nodes.iter().all(|kept| kept.id != node.id)))
            .cloned()
            .collect();
        if next.is_none() || !nodes.is_empty() {
            gone.push(service.with_nodes(nodes));
        }
    }
    gone
}

/// What those who follow all names hear: the nodes too, which cost nothing and spare them from asking, and no schemas.
fn brief(service: &Service) -> Service {
    let (version, nodes) = (service.version.clone(), service.nodes.clone());
    Service { version, nodes, ..Service::named(&service.name) }
}

/// One who watches a [`Feed`].
#[derive(Debug)]
pub(crate) struct Watcher {
    feed: Arc<Feed>,
    changes: broadcast::Receiver<Arc<Change>>,
    scope: Scope,
    ready: VecDeque<Event>,
    /// A snapshot is due.
    fresh: bool,
}

impl Watcher {
    /// The next event.
    ///
    /// # Cancel safety
    /// Safe: no event is lost.
    pub(crate) async fn next(&mut self) -> Event {
        loop {
            if self.fresh {
                self.begin();
            }
            if let Some(event) = self.ready.pop_front() {
                return event;
            }
            match self.changes.recv().await {
                Ok(change) => self.take(&change),
                // The feed is held, so the channel cannot be closed; a gap means all of it anew.
                Err(RecvError::Lagged(_) | RecvError::Closed) => self.fresh = true,
            }
        }
    }

    /// What is known now, and no change before it.
    fn begin(&mut self) {
        let held = self.feed.held();
        self.changes = self.changes.resubscribe();
        self.fresh = false;
        self.ready.clear();
        if held.known {
            let services = match &self.scope {
                Scope::Names => held.state.services().map(brief).collect(),
                Scope::Service(name) => held.state.versions(name).cloned().collect(),
            };
            self.ready.push_back(Event::Snapshot(services));
        }
        self.ready.extend(held.lost.clone().map(Event::Lost));
    }

    fn take(&mut self, change: &Change) {
        let event = match (change, &self.scope) {
            (Change::Back, _) => {
                self.fresh = true;
                return;
            }
            (Change::Lost(error), _) => Event::Lost(Arc::clone(error)),
            (Change::Put(service), Scope::Names) => Event::Put(brief(service)),
            (Change::Gone(service), Scope::Names) => Event::Gone(brief(service)),
            (Change::Put(service), Scope::Service(name)) if service.name == *name => Event::Put(service.clone()),
            (Change::Gone(service), Scope::Service(name)) if service.name == *name => Event::Gone(service.clone()),
            _ => return,
        };
        self.ready.push_back(event);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use crate::registry::service::Node;

    fn service(name: &str, ids: &[&str]) -> Service {
        let nodes = ids.iter().map(|id| Arc::new(Node { id: (*id).into(), address: "h:1".into(), ..Node::default() }));
        Service { nodes: nodes.collect(), ..Service::named(name) }
    }

    fn shape(event: &Event) -> String {
        let one = |s: &Service| format!("{}{:?}", s.name, s.nodes.iter().map(|n| n.id.as_str()).collect::<Vec<_>>());
        match event {
            Event::Snapshot(all) => format!("snapshot {}", all.iter().map(one).collect::<Vec<_>>().join(" ")),
            Event::Put(s) => format!("put {}", one(s)),
            Event::Gone(s) => format!("gone {}", one(s)),
            Event::Lost(error) => format!("lost {error}"),
        }
    }

    #[tokio::test]
    async fn a_replacement_is_told_as_what_is_different() {
        let feed = Feed::new(true);
        feed.replace(vec![service("a", &["x", "y"]), service("b", &["z"])]);
        let mut a = feed.watch(Scope::Service("a".into()));
        let mut names = feed.watch(Scope::Names);
        assert_eq!(shape(&a.next().await), r#"snapshot a["x", "y"]"#);
        assert_eq!(shape(&names.next().await), r#"snapshot a["x", "y"] b["z"]"#);
        feed.replace(vec![service("a", &["y", "w"]), service("c", &["z"])]);
        assert_eq!(shape(&a.next().await), r#"gone a["x"]"#);
        assert_eq!(shape(&a.next().await), r#"put a["w", "y"]"#);
        let mut heard = Vec::new();
        for _ in 0..4 {
            heard.push(shape(&names.next().await));
        }
        assert_eq!(heard, [r#"gone a["x"]"#, r#"gone b["z"]"#, r#"put a["w", "y"]"#, r#"put c["z"]"#]);
    }

    #[tokio::test]
    async fn after_lost_comes_a_snapshot_and_a_new_watcher_hears_both() {
        let feed = Feed::new(false);
        let mut first = feed.watch(Scope::Names);
        feed.lost(Arc::new(Error::new(ErrorKind::Unreachable, "away")));
        assert_eq!(shape(&first.next().await), "lost away");
        feed.replace(vec![service("a", &["x"])]);
        assert_eq!(shape(&first.next().await), r#"snapshot a["x"]"#);
        feed.lost(Arc::new(Error::new(ErrorKind::Unreachable, "away again")));
        assert_eq!(shape(&first.next().await), "lost away again");
        let mut second = feed.watch(Scope::Names);
        assert_eq!(shape(&second.next().await), r#"snapshot a["x"]"#);
        assert_eq!(shape(&second.next().await), "lost away again");
        feed.replace(vec![service("a", &["x"])]);
        assert_eq!(shape(&first.next().await), r#"snapshot a["x"]"#);
    }

    #[tokio::test]
    async fn a_watcher_that_falls_behind_gets_a_snapshot() {
        let feed = Feed::new(true);
        let mut watcher = feed.watch(Scope::Names);
        watcher.next().await;
        for number in 0..=BACKLOG {
            feed.put(service(&format!("s{number}"), &["x"]));
        }
        let Event::Snapshot(all) = watcher.next().await else { panic!("no snapshot") };
        assert_eq!(all.len(), BACKLOG + 1);
    }
}
