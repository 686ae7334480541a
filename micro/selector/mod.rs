//! Which node gets a call: filters, then a strategy.

mod filter;
pub mod strategy;

use crate::client::request::Filter;
use crate::error::{Error, ErrorKind, Result};
use crate::registry::service::{Node, Service};
use crate::selector::strategy::Strategy;
use std::sync::Arc;

/// The next node for a call, and the version it runs: among those that pass the filter and were not tried; among all
/// that pass once each was tried.
///
/// # Errors
/// `NotFound`: no such service, it has no node, or none passes.
pub(crate) fn pick<'a>(
    name: &str,
    services: &'a [Service],
    filter: &Filter,
    strategy: &dyn Strategy,
    tried: &[Arc<Node>],
) -> Result<(&'a Arc<Node>, &'a str)> {
    let fresh = |node: &Arc<Node>| !tried.iter().any(|one| one.id == node.id && one.address == node.address);
    let passing = || {
        services
            .iter()
            .filter(|service| filter::version(filter, &service.version))
            .flat_map(|service| service.nodes.iter().map(|node| (node, service.version.as_str())))
            .filter(|(node, _)| filter::node(filter, node))
    };
    if !tried.is_empty() {
        let left = passing().filter(|(node, _)| fresh(node)).count();
        if let Some(found) = passing().filter(|(node, _)| fresh(node)).nth(strategy.pick(name, left)) {
            return Ok(found);
        }
    }
    passing().nth(strategy.pick(name, passing().count())).ok_or_else(|| nothing(name, services, filter))
}

fn nothing(name: &str, services: &[Service], filter: &Filter) -> Error {
    let text = match services.iter().map(|service| service.nodes.len()).sum::<usize>() {
        _ if services.is_empty() => format!("service {name}: not found"),
        0 => format!("service {name} has no node"),
        count => format!("none of the {count} nodes of {name} has {}", filter::words(filter)),
    };
    Error::new(ErrorKind::NotFound, text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::service::Metadata;
    use crate::selector::strategy::{Random, RoundRobin};

    fn node(id: &str, labels: &[(&str, &str)]) -> Arc<Node> {
        let metadata = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        Arc::new(Node { id: id.to_owned(), address: format!("{id}:1"), metadata })
    }

    fn two_versions() -> Vec<Service> {
        let service =
            |version: &str, nodes| Service { name: "s".into(), version: version.into(), nodes, ..Service::default() };
        vec![service("1", vec![node("a", &[("zone", "x")]), node("b", &[])]), service("2", vec![node("c", &[])])]
    }

    fn all(filter: &Filter) -> Vec<String> {
        let (services, strategy) = (two_versions(), RoundRobin::default());
        let mut ids: Vec<_> =
            (0..6).map(|_| pick("s", &services, filter, &strategy, &[]).unwrap().0.id.clone()).collect();
        ids.sort();
        ids.dedup();
        ids
    }

    #[test]
    fn a_filter_narrows_by_version_node_and_label() {
        assert_eq!(all(&Filter::default()), ["a", "b", "c"]);
        assert_eq!(all(&Filter { version: Some("1".into()), ..Filter::default() }), ["a", "b"]);
        assert_eq!(all(&Filter { node: Some("c".into()), ..Filter::default() }), ["c"]);
        assert_eq!(all(&Filter { node: Some("b:1".into()), ..Filter::default() }), ["b"]);
        let labels = Metadata::from([("zone".into(), "x".into())]);
        assert_eq!(all(&Filter { labels, ..Filter::default() }), ["a"]);
    }

    #[test]
    fn a_node_is_not_tried_twice_before_all_were() {
        let (services, mut tried) = (two_versions(), Vec::new());
        for _ in 0..3 {
            let (node, _) = pick("s", &services, &Filter::default(), &Random, &tried).unwrap();
            assert!(!tried.contains(node));
            tried.push(Arc::clone(node));
        }
        assert!(pick("s", &services, &Filter::default(), &Random, &tried).is_ok());
    }

    #[test]
    fn the_version_is_told() {
        let filter = Filter { node: Some("c".into()), ..Filter::default() };
        assert_eq!(pick("s", &two_versions(), &filter, &Random, &[]).unwrap().1, "2");
    }

    #[test]
    fn nothing_found_says_what_is_missing() {
        let text =
            |services: &[Service], filter: &Filter| pick("s", services, filter, &Random, &[]).unwrap_err().to_string();
        assert_eq!(text(&[], &Filter::default()), "service s: not found");
        assert_eq!(text(&[Service::default()], &Filter::default()), "service s has no node");
        let filter = Filter {
            version: Some("9".into()),
            node: Some("z".into()),
            labels: Metadata::from([("k".into(), "v".into())]),
        };
        assert_eq!(
            text(&two_versions(), &filter),
            "none of the 3 nodes of s has version 9, id or address z, label k=v"
        );
    }
}
