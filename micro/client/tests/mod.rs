//! The client against servers that are recorded, broken, or of one generation or another.

mod fake;
mod faults;
mod own;
mod replay;
mod reuse;
mod streams;

use crate::client::{Client, Options};
use crate::registry::Registry;
use crate::registry::memory::Memory;
use crate::registry::service::{Node, Service};
use std::sync::Arc;
use std::time::Duration;

/// A node whose metadata is written `key=value` with blanks between.
fn node(address: &str, metadata: &str) -> Arc<Node> {
    let pairs = metadata.split_whitespace().filter_map(|pair| pair.split_once('='));
    let metadata = pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
    Arc::new(Node { id: format!("node-{address}"), address: address.to_owned(), metadata })
}

/// What nodes of v1.7.0 and later say of themselves, and those of v0.21.0 and before.
const NEW: &str = "protocol=mucp server=mucp transport=http";
const OLD: &str = "server=rpc transport=http";

/// Patient enough for a machine under load: a test that waits for a limit sets its own.
fn patient() -> Options {
    let long = Duration::from_secs(30);
    Options { timeout: long, attempt: long, dial: long, ..Options::default() }
}

fn client() -> Client {
    Client::at_with("127.0.0.1:1", patient())
}

/// A registry in which the greeter runs on these nodes, in version 1.
async fn registry(nodes: &[Arc<Node>]) -> Arc<dyn Registry> {
    let memory = Memory::new();
    for node in nodes {
        let nodes = vec![Arc::clone(node)];
        let greeter = Service { name: GREETER.into(), version: "1".into(), nodes, ..Service::default() };
        memory.register(&greeter, None).await.unwrap();
    }
    Arc::new(memory)
}

const GREETER: &str = "go.micro.srv.greeter";
