//! Where services are found. `list` and `watch` are one thing, so that nothing falls between them.

pub mod cache;
mod decode;
mod feed;
pub mod file;
#[cfg(feature = "mdns")]
pub mod mdns;
pub mod memory;
pub mod service;
pub mod state;

use crate::error::{Error, ErrorKind, Result};
use crate::registry::service::Service;
use async_trait::async_trait;
use futures_util::stream::BoxStream;
use std::sync::Arc;
use std::time::Duration;

/// What a watch looks at.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// All names; the services of its events may carry names only (a registry that knows more may say more).
    Names,
    /// One service by its name, whole.
    Service(String),
}

/// What a watch says.
#[derive(Clone, Debug)]
pub enum Event {
    /// All that is there: first of all, and again after every gap. Replaces what was known.
    Snapshot(Vec<Service>),
    /// Upsert: by name and version, node by node id.
    Put(Service),
    /// The nodes given are gone; without nodes, the whole version (or the whole name, if the version is empty too).
    Gone(Service),
    /// The registry is away; the stream goes on and a `Snapshot` follows when it is back.
    Lost(Arc<Error>),
}

/// A registry. One file a way to be one; none of them is known here.
#[async_trait]
pub trait Registry: Send + Sync + 'static {
    /// The registry's name as flags and node metadata have it: `mdns`.
    fn name(&self) -> &'static str;

    /// Registers the service's nodes, each for `ttl` (for ever without); again before the time is up renews it.
    ///
    /// # Errors
    /// `Invalid` if the service has no node or no name; `Unreachable` if the registry is away.
    async fn register(&self, service: &Service, ttl: Option<Duration>) -> Result<()>;

    /// Takes the service's nodes out: those given, not the whole name.
    ///
    /// # Errors
    /// `Unreachable` if the registry is away. What is not there is no error.
    async fn deregister(&self, service: &Service) -> Result<()>;

    /// The service, one a version, nodes sorted by id, versions sorted; empty if there is none.
    ///
    /// # Errors
    /// `Unreachable` if the registry is away.
    async fn get(&self, name: &str) -> Result<Vec<Service>>;

    /// All names, sorted, each once, pseudo services included.
    ///
    /// # Errors
    /// `Unreachable` if the registry is away.
    async fn list(&self) -> Result<Vec<String>>;

    /// Follows a scope. The stream never ends; dropping it ends the watch.
    fn watch(&self, scope: Scope) -> BoxStream<'static, Event>;

    /// Whether an entry outlives the process that registered it (false: mdns, memory).
    fn outlives(&self) -> bool {
        true
    }

    /// Whether people keep it by hand (a file): then nobody registers there but who was told to.
    fn curated(&self) -> bool {
        false
    }
}

/// What every registry asks of a service before it registers it.
///
/// # Errors
/// `Invalid`, with what is missing.
pub(crate) fn check(service: &Service) -> Result<()> {
    let invalid = |text: String| Err(Error::new(ErrorKind::Invalid, text));
    if service.name.is_empty() {
        return invalid("the service has no name".into());
    }
    if service.nodes.is_empty() {
        return invalid(format!("service {} has no node to register", service.name));
    }
    for node in &service.nodes {
        if node.id.is_empty() || node.address.is_empty() {
            let what = if node.id.is_empty() { "id" } else { "address" };
            return invalid(format!("a node of service {} has no {what}", service.name));
        }
    }
    Ok(())
}
