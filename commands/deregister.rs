//! `deregister service`: takes a service's nodes out of the registry by hand.

use crate::kit::Kit;
use crate::{definition, lookup, spec};
use async_trait::async_trait;
use bot::command::{Command, CommandError, CommandErrorKind, Invocation, Plan, Spec};
use bot::message::{Args, Message};
use bot::reply::Reply;
use micro::registry::service::Service;
use serde_json::json;

/// The command. It takes out the nodes whose ids are given: of the version that is given, else of every version.
pub(crate) struct Deregister {
    spec: Spec,
    kit: Kit,
}

impl Deregister {
    pub(crate) fn new(kit: &Kit) -> Self {
        let spec = spec::change(
            "deregister service",
            r"deregister service\s(?P<rest>.+)",
            "deregister service [definition]",
            "Deregisters a service",
            &[r#"deregister service {"name":"go.micro.srv.greeter","nodes":[{"id":"greeter-1"}]}"#],
        );
        let spec = Spec { details: definition::DETAILS.into(), ..spec };
        Self { spec, kit: kit.clone() }
    }
}

#[async_trait]
impl Command for Deregister {
    fn spec(&self) -> &Spec {
        &self.spec
    }

    async fn plan(&self, _asked: &Message, args: &Args) -> Result<Plan, CommandError> {
        definition::plan("deregister service", definition::typed(args), &self.spec.usage)
    }

    async fn run(&self, call: Invocation) -> Result<Reply, CommandError> {
        let meant = definition::planned(&call.plan)?;
        let registry = &*self.kit.registry;
        let there = lookup::service(registry, &meant.name).await?;
        let found = matching(&there, &meant);
        if found.is_empty() {
            return Err(no_node(&meant));
        }
        let mut ids = Vec::new();
        for service in &found {
            registry.deregister(service).await.map_err(|error| lookup::away(registry, error))?;
            ids.extend(service.nodes.iter().map(|node| node.id.as_str()));
        }
        Ok(Reply::text("ok").with_data(&json!({ "ok": true, "service": meant.name, "nodes": ids })))
    }
}

/// The versions that are there, with the nodes that are meant.
fn matching(there: &[Service], meant: &Service) -> Vec<Service> {
    let is_meant = |id: &str| meant.nodes.iter().any(|node| node.id == id);
    there
        .iter()
        .filter(|version| meant.version.is_empty() || version.version == meant.version)
        .map(|version| version.with_nodes(version.nodes.iter().filter(|node| is_meant(&node.id)).cloned().collect()))
        .filter(|version| !version.nodes.is_empty())
        .collect()
}

fn no_node(meant: &Service) -> CommandError {
    let name = lookup::brief(&meant.name);
    let version =
        if meant.version.is_empty() { String::new() } else { format!(" version {}", lookup::brief(&meant.version)) };
    let ids: Vec<&str> = meant.nodes.iter().map(|node| node.id.as_str()).collect();
    let text = format!("{name}{version} has no node {}\nlist nodes {name} shows them", lookup::brief(&ids.join(", ")));
    CommandError::new(CommandErrorKind::NotFound, text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Shelf, data, fault, kit, run, service, text};
    use micro::registry::Registry;

    #[tokio::test]
    async fn only_the_nodes_that_are_meant_go_whatever_their_version() {
        let shelf = Shelf::with([service("x", "1", &["h:1", "h:2"]), service("x", "2", &["h:3"])]);
        let deregister = Deregister::new(&kit(&shelf));
        let reply = run(&deregister, r#"{"name":"x","version":"1","nodes":[{"id":"x-2"}]}"#).await.unwrap();
        assert_eq!(text(&reply), "ok");
        insta::assert_snapshot!(data(&reply), @r#"{"nodes":["x-2"],"ok":true,"service":"x"}"#);
        let left = shelf.get("x").await.unwrap();
        assert_eq!(left.iter().map(|version| version.nodes.len()).collect::<Vec<_>>(), [1, 1]);
        run(&deregister, r#"{"name":"x","nodes":[{"id":"x-1"}]}"#).await.unwrap();
        assert!(shelf.get("x").await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn what_is_not_there_is_told() {
        let shelf = Shelf::with([service("greeter", "1", &["h:1"])]);
        let deregister = Deregister::new(&kit(&shelf));
        for (definition, told) in [
            (r#"{"name":"greter","nodes":[{"id":"x"}]}"#, "not_found: no service greter; did you mean `greeter`?"),
            (r#"{"name":"greeter","nodes":[{"id":"x"}]}"#, "not_found: greeter has no node x"),
            (
                r#"{"name":"greeter","version":"9","nodes":[{"id":"greeter-1"}]}"#,
                "not_found: greeter version 9 has no node greeter-1",
            ),
        ] {
            assert_eq!(fault(run(&deregister, definition).await).lines().next(), Some(told));
        }
    }
}
