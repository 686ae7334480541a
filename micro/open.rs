//! All ways by name: the one place that knows them. One row a way.

use crate::registry::Registry;
use section::{Problem, Section};
use std::fmt;
use std::sync::Arc;

/// A kind of registry: one row of [`REGISTRIES`].
pub struct RegistryKind {
    /// The name that `--registry`, node metadata and the config's section have.
    pub name: &'static str,
    /// Makes it from its section `[registry.<name>]` and the addresses of `--registry_address`; opens nothing.
    pub open: OpenRegistry,
}

/// Makes a registry; what is wrong with its config comes back as problems.
pub type OpenRegistry = fn(&Section, &[String]) -> (Option<Arc<dyn Registry>>, Vec<Problem>);

impl fmt::Debug for RegistryKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RegistryKind({})", self.name)
    }
}

/// Every registry this build knows.
pub const REGISTRIES: &[RegistryKind] = &[];
