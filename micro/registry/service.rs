//! A service as registries know it (WIRE §1.0, §6).

use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Strings by strings, sorted.
pub type Metadata = BTreeMap<String, String>;

/// Key and value in the metadata of every node that this framework serves: its connections may be kept (DESIGN §5).
pub const MARKER: (&str, &str) = ("framework", "micro-bot");

/// One version of a service, with its nodes.
///
/// JSON as in WIRE §1.0, read by `decode.rs`: `null`, `[]`/`{}` and absence mean the same; keys of any case, unknown ones
/// are ignored; a bare `address` with a `port` (until go-micro v1.7.0) is joined. Written: `host:port`, never a `port`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Service {
    /// The full name: `go.micro.srv.greeter`.
    pub name: String,
    /// The version; may be empty.
    pub version: String,
    /// The service's own metadata; most registries lose it.
    pub metadata: Metadata,
    /// What can be called.
    pub endpoints: Vec<Endpoint>,
    /// Where it runs.
    pub nodes: Vec<Arc<Node>>,
}

/// One running instance.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize)]
pub struct Node {
    /// Unique: `<service name>-<server id>`.
    pub id: String,
    /// `host:port`, IPv6 as `[..]:port`; a queue's name for queue transports.
    pub address: String,
    /// `protocol`, `server`, `transport`, … (WIRE §1.1) and the user's own.
    pub metadata: Metadata,
}

/// One method, or a subscriber (metadata `subscriber=true`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Endpoint {
    /// `Struct.Method`; for http nodes a path.
    pub name: String,
    /// The request's schema.
    pub request: Option<Value>,
    /// The response's schema.
    pub response: Option<Value>,
    /// `stream=true` for streams, `topic` and `subscriber` for subscribers.
    pub metadata: Metadata,
}

/// A type in go-micro's schema: Go cuts it at depth 3; maps and interfaces have type "". Read to [`MAX_DEPTH`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Value {
    /// The field's name (JSON tag, else Go's); at the top the type's name.
    pub name: String,
    /// Go's type: `string`, `int64`, `[]string`, `Address`.
    pub r#type: String,
    /// The fields.
    pub values: Vec<Value>,
}

/// How deep a schema is read; what lies deeper is left out.
pub const MAX_DEPTH: usize = 32;

/// The names of the pseudo services that brokers keep in the registry (WIRE §1.0).
const BROKERS: [&str; 3] = ["go.micro.http.broker", "micro.http.broker", "go.micro.nats.broker"];

/// Whether a name is a broker's pseudo service: `topic:…` (go-micro ≤ v1.12) and the brokers' own names.
///
/// The topics of v1.13 to v1.17.1 are named like any service; only their nodes tell, see [`Service::is_pseudo`].
pub fn is_pseudo(name: &str) -> bool {
    name.starts_with("topic:") || BROKERS.contains(&name)
}

/// Services as registries answer: one a name and version, sorted; the nodes of one are sorted by id, each id once (the
/// last wins).
pub fn merge(services: impl IntoIterator<Item = Service>) -> Vec<Service> {
    let mut merged: BTreeMap<(String, String), Service> = BTreeMap::new();
    for service in services {
        match merged.entry((service.name.clone(), service.version.clone())) {
            std::collections::btree_map::Entry::Vacant(vacant) => {
                let mut service = service;
                let nodes = std::mem::take(&mut service.nodes);
                vacant.insert(service).put_nodes(&nodes);
            }
            std::collections::btree_map::Entry::Occupied(mut occupied) => occupied.get_mut().absorb(service),
        }
    }
    merged.into_values().collect()
}

impl Service {
    /// A service that is only its name, as lists of names have it.
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    /// The service with these nodes and no others.
    #[must_use]
    pub fn with_nodes(&self, nodes: Vec<Arc<Node>>) -> Self {
        Self {
            name: self.name.clone(),
            version: self.version.clone(),
            metadata: self.metadata.clone(),
            endpoints: self.endpoints.clone(),
            nodes,
        }
    }

    /// Whether it is no service but a topic or a broker's own entry (WIRE §1.0): hidden from lists.
    pub fn is_pseudo(&self) -> bool {
        is_pseudo(&self.name) || (!self.nodes.is_empty() && self.nodes.iter().all(|node| node.is_topic()))
    }

    /// Takes in what another entry of the same name and version says: its description replaces this one, its nodes are
    /// added.
    pub(crate) fn absorb(&mut self, other: Self) {
        self.metadata = other.metadata;
        self.endpoints = other.endpoints;
        self.put_nodes(&other.nodes);
    }

    /// Adds nodes, kept sorted by id; a node whose id is there replaces it.
    fn put_nodes(&mut self, nodes: &[Arc<Node>]) {
        for node in nodes {
            match self.nodes.binary_search_by(|have| have.id.cmp(&node.id)) {
                Ok(at) => self.nodes[at] = Arc::clone(node),
                Err(at) => self.nodes.insert(at, Arc::clone(node)),
            }
        }
    }
}

impl Node {
    /// Whether it subscribes a topic for the http broker of go-micro v1.13 to v1.17.1, under a service named like the
    /// topic (WIRE §1.0).
    pub fn is_topic(&self) -> bool {
        self.metadata.get("broker").is_some_and(|broker| broker == "http") && self.metadata.contains_key("topic")
    }
}

impl Endpoint {
    /// Whether it is a stream.
    pub fn is_stream(&self) -> bool {
        self.metadata.get("stream").is_some_and(|value| value == "true")
    }

    /// Whether it is a subscriber: listed, never called.
    pub fn is_subscriber(&self) -> bool {
        self.metadata.get("subscriber").is_some_and(|value| value == "true")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(id: &str, address: &str) -> Arc<Node> {
        Arc::new(Node { id: id.into(), address: address.into(), metadata: Metadata::new() })
    }

    #[test]
    fn entries_of_one_version_become_one_service_with_sorted_nodes() {
        let a = Service::named("a");
        let merged = merge([
            Service { version: "2".into(), nodes: vec![node("n", "h:1")], ..a.clone() },
            Service {
                version: "1".into(),
                nodes: vec![node("z", "h:2"), node("b", "h:3"), node("z", "h:4")],
                ..a.clone()
            },
            Service { version: "1".into(), nodes: vec![node("b", "h:5"), node("a", "h:6")], ..a.clone() },
        ]);
        let shape: Vec<_> = merged
            .iter()
            .map(|s| {
                (s.version.as_str(), s.nodes.iter().map(|n| format!("{}={}", n.id, n.address)).collect::<Vec<_>>())
            })
            .collect();
        assert_eq!(
            shape,
            [("1", vec!["a=h:6".into(), "b=h:5".into(), "z=h:4".into()]), ("2", vec!["n=h:1".to_owned()])]
        );
    }

    #[test]
    fn brokers_and_topics_are_no_services() {
        for name in ["topic:go.micro.srv.greeter", "go.micro.http.broker", "micro.http.broker", "go.micro.nats.broker"]
        {
            assert!(is_pseudo(name), "{name}");
        }
        assert!(!is_pseudo("go.micro.srv.topic:x"));
        let mut topic = Node { id: "n".into(), ..Node::default() };
        topic.metadata.insert("broker".into(), "http".into());
        let service = |nodes| Service { nodes, ..Service::named("events.signup") };
        assert!(!service(vec![Arc::new(topic.clone())]).is_pseudo(), "every mucp node names its broker");
        topic.metadata.insert("topic".into(), "events.signup".into());
        assert!(service(vec![Arc::new(topic.clone())]).is_pseudo());
        assert!(!service(vec![Arc::new(topic), node("real", "h:1")]).is_pseudo(), "a real service of that name stays");
        assert!(!service(Vec::new()).is_pseudo());
    }
}
