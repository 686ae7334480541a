//! Conformance suites, one a noun, that every way of it runs.

mod registry;

pub use registry::{RegistryTraits, registry, service};
