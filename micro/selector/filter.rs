//! What a node must have.

use crate::client::request::Filter;
use crate::registry::service::Node;

pub(super) fn version(filter: &Filter, version: &str) -> bool {
    filter.version.as_ref().is_none_or(|wanted| wanted == version)
}

pub(super) fn node(filter: &Filter, node: &Node) -> bool {
    filter.node.as_ref().is_none_or(|wanted| *wanted == node.id || *wanted == node.address)
        && filter.labels.iter().all(|(key, value)| node.metadata.get(key) == Some(value))
}

/// The filter in words, for the error that nothing passes.
pub(super) fn words(filter: &Filter) -> String {
    let version = filter.version.iter().map(|version| format!("version {version}"));
    let node = filter.node.iter().map(|node| format!("id or address {node}"));
    let labels = filter.labels.iter().map(|(key, value)| format!("label {key}={value}"));
    version.chain(node).chain(labels).collect::<Vec<_>>().join(", ")
}
