//! A service as registries know it (WIRE §1.0, §6).

use serde::{Deserialize, Deserializer, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Strings by strings, sorted.
pub type Metadata = BTreeMap<String, String>;

/// Key and value in the metadata of every node that this framework serves: its connections may be kept (DESIGN §5).
pub const MARKER: (&str, &str) = ("framework", "micro-bot");

/// One version of a service, with its nodes.
///
/// JSON as in WIRE §1.0: `null`, `[]`/`{}` and absence mean the same when read; keys of any case; a bare `address` with a
/// `port` (until go-micro v1.7.0) is joined. Written: `host:port`, never a `port`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// The full name: `go.micro.srv.greeter`.
    pub name: String,
    /// The version; may be empty.
    #[serde(default, deserialize_with = "or_default")]
    pub version: String,
    /// The service's own metadata; most registries lose it.
    #[serde(default, deserialize_with = "or_default")]
    pub metadata: Metadata,
    /// What can be called.
    #[serde(default, deserialize_with = "or_default")]
    pub endpoints: Vec<Endpoint>,
    /// Where it runs.
    #[serde(default, deserialize_with = "or_default")]
    pub nodes: Vec<Arc<Node>>,
}

/// One running instance.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Node {
    /// Unique: `<service name>-<server id>`.
    pub id: String,
    /// `host:port`, IPv6 as `[..]:port`; a queue's name for queue transports.
    pub address: String,
    /// `protocol`, `server`, `transport`, … (WIRE §1.1) and the user's own.
    #[serde(default, deserialize_with = "or_default")]
    pub metadata: Metadata,
}

/// One method, or a subscriber (metadata `subscriber=true`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// `Struct.Method`; for http nodes a path.
    pub name: String,
    /// The request's schema.
    #[serde(default)]
    pub request: Option<Value>,
    /// The response's schema.
    #[serde(default)]
    pub response: Option<Value>,
    /// `stream=true` for streams, `topic` and `subscriber` for subscribers.
    #[serde(default, deserialize_with = "or_default")]
    pub metadata: Metadata,
}

/// A type in go-micro's schema: cut at depth 3; maps and interfaces have type "".
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Value {
    /// The field's name (JSON tag, else Go's); at the top the type's name.
    #[serde(default, deserialize_with = "or_default")]
    pub name: String,
    /// Go's type: `string`, `int64`, `[]string`, `Address`.
    #[serde(default, deserialize_with = "or_default")]
    pub r#type: String,
    /// The fields.
    #[serde(default, deserialize_with = "or_default")]
    pub values: Vec<Value>,
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

fn or_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(deserializer: D) -> Result<T, D::Error> {
    Option::<T>::deserialize(deserializer).map(Option::unwrap_or_default)
}
