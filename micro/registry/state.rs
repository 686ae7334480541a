//! What a watch has said so far: a pure reducer over events.

use super::Event;
use super::service::{Service, merge};
use std::collections::BTreeMap;

/// The services that the events of one watch add up to: versions by name and version, nodes sorted by id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    services: BTreeMap<String, BTreeMap<String, Service>>,
}

impl State {
    /// Takes an event in; whether anything changed. `Lost` changes nothing: what was known stays.
    ///
    /// Every event may come twice. A version goes with its last node; one that came without nodes stays until its own
    /// `Gone`.
    pub fn apply(&mut self, event: Event) -> bool {
        match event {
            Event::Snapshot(services) => self.replace(services),
            Event::Put(service) => self.put(service),
            Event::Gone(service) => self.gone(&service),
            Event::Lost(_) => false,
        }
    }

    /// All services, sorted by name and version.
    pub fn services(&self) -> impl Iterator<Item = &Service> {
        self.services.values().flat_map(BTreeMap::values)
    }

    /// The versions of one service, sorted.
    pub fn versions(&self, name: &str) -> impl Iterator<Item = &Service> {
        self.services.get(name).into_iter().flat_map(BTreeMap::values)
    }

    /// All names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.services.keys().map(String::as_str)
    }

    /// Whether a name is there.
    pub fn contains(&self, name: &str) -> bool {
        self.services.contains_key(name)
    }

    fn replace(&mut self, services: Vec<Service>) -> bool {
        let mut next = Self::default();
        for service in merge(services) {
            next.services.entry(service.name.clone()).or_default().insert(service.version.clone(), service);
        }
        let changed = next != *self;
        if changed {
            *self = next;
        }
        changed
    }

    fn put(&mut self, service: Service) -> bool {
        let versions = self.services.entry(service.name.clone()).or_default();
        let Some(have) = versions.get_mut(&service.version) else {
            versions.extend(merge([service]).into_iter().map(|service| (service.version.clone(), service)));
            return true;
        };
        let mut next = have.clone();
        next.absorb(service);
        let changed = next != *have;
        *have = next;
        changed
    }

    fn gone(&mut self, service: &Service) -> bool {
        let Some(versions) = self.services.get_mut(&service.name) else { return false };
        let changed = if service.nodes.is_empty() {
            if service.version.is_empty() {
                versions.clear();
                true
            } else {
                versions.remove(&service.version).is_some()
            }
        } else {
            take_nodes(versions, service)
        };
        if versions.is_empty() {
            self.services.remove(&service.name);
        }
        changed
    }
}

fn take_nodes(versions: &mut BTreeMap<String, Service>, gone: &Service) -> bool {
    let Some(have) = versions.get_mut(&gone.version) else { return false };
    let before = have.nodes.len();
    have.nodes.retain(|node| !gone.nodes.iter().any(|gone| gone.id == node.id));
    let changed = have.nodes.len() < before;
    if changed && have.nodes.is_empty() {
        versions.remove(&gone.version);
    }
    changed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Error, ErrorKind};
    use crate::registry::service::Node;
    use std::sync::Arc;

    fn service(version: &str, ids: &[&str]) -> Service {
        let nodes = ids.iter().map(|id| Arc::new(Node { id: (*id).into(), address: "h:1".into(), ..Node::default() }));
        Service { version: version.into(), nodes: nodes.collect(), ..Service::named("a") }
    }

    fn shape(state: &State) -> String {
        let one = |s: &Service| {
            format!("{}@{}{:?}", s.name, s.version, s.nodes.iter().map(|n| n.id.as_str()).collect::<Vec<_>>())
        };
        state.services().map(one).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn events_add_up_and_may_come_twice() {
        let mut state = State::default();
        assert!(state.apply(Event::Snapshot(vec![service("1", &["y", "x"])])));
        assert!(!state.apply(Event::Snapshot(vec![service("1", &["x", "y"])])));
        assert!(state.apply(Event::Put(service("2", &["z"]))));
        assert!(!state.apply(Event::Put(service("2", &["z"]))));
        assert!(state.apply(Event::Put(service("1", &["w"]))));
        assert_eq!(shape(&state), r#"a@1["w", "x", "y"] a@2["z"]"#);
        assert!(state.apply(Event::Gone(service("1", &["x"]))));
        assert!(!state.apply(Event::Gone(service("1", &["x"]))));
        assert!(!state.apply(Event::Gone(service("2", &["w"]))), "a node of another version");
        assert_eq!(shape(&state), r#"a@1["w", "y"] a@2["z"]"#);
        assert!(state.apply(Event::Gone(service("1", &["y", "w"]))));
        assert_eq!(shape(&state), r#"a@2["z"]"#);
    }

    #[test]
    fn gone_without_nodes_takes_the_version_and_without_a_version_the_name() {
        let both = || vec![service("1", &["x"]), service("2", &["y"])];
        let mut state = State::default();
        state.apply(Event::Snapshot(both()));
        assert!(state.apply(Event::Gone(service("1", &[]))));
        assert_eq!(shape(&state), r#"a@2["y"]"#);
        state.apply(Event::Snapshot(both()));
        assert!(state.apply(Event::Gone(Service::named("a"))));
        assert!(!state.contains("a"));
        assert!(!state.apply(Event::Gone(Service::named("a"))));
    }

    #[test]
    fn a_lost_registry_leaves_what_was_known() {
        let mut state = State::default();
        state.apply(Event::Snapshot(vec![service("1", &["x"])]));
        assert!(!state.apply(Event::Lost(Arc::new(Error::new(ErrorKind::Unreachable, "away")))));
        assert_eq!(shape(&state), r#"a@1["x"]"#);
    }

    #[test]
    fn a_version_whose_nodes_are_all_ill_stays_until_it_is_gone() {
        let mut state = State::default();
        assert!(state.apply(Event::Put(service("1", &[]))));
        assert_eq!(shape(&state), "a@1[]");
        assert!(state.apply(Event::Gone(service("1", &[]))));
        assert_eq!(shape(&state), "");
    }
}
