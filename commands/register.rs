//! `register service`: puts a service into the registry by hand.

use crate::kit::Kit;
use crate::{definition, lookup, spec};
use async_trait::async_trait;
use bot::command::{Command, CommandError, Invocation, Plan, Spec};
use bot::message::{Args, Message};
use bot::reply::{Block, Reply};
use serde_json::json;

/// The command. An entry has no time to live: nobody would renew it.
pub(crate) struct Register {
    spec: Spec,
    kit: Kit,
}

impl Register {
    pub(crate) fn new(kit: &Kit) -> Self {
        let spec = spec::change(
            "register service",
            r"register service\s(?P<rest>.+)",
            "register service [definition]",
            "Registers a service",
            &[
                r#"register service {"name":"go.micro.srv.greeter","version":"1.0.0","nodes":[{"id":"greeter-1","address":"10.0.0.5:8080"}]}"#,
            ],
        );
        let spec = Spec { details: definition::DETAILS.into(), ..spec };
        Self { spec, kit: kit.clone() }
    }
}

#[async_trait]
impl Command for Register {
    fn spec(&self) -> &Spec {
        &self.spec
    }

    async fn plan(&self, _asked: &Message, args: &Args) -> Result<Plan, CommandError> {
        definition::plan("register service", definition::typed(args), &self.spec.usage)
    }

    async fn run(&self, call: Invocation) -> Result<Reply, CommandError> {
        let service = definition::planned(&call.plan)?;
        let registry = &*self.kit.registry;
        registry.register(&service, None).await.map_err(|error| lookup::away(registry, error))?;
        let stays = if registry.outlives() {
            format!("It does not expire: it stays in {} until someone deregisters it.", registry.name())
        } else {
            format!("It lives as long as this process: {} forgets it then.", registry.name())
        };
        let ids: Vec<&str> = service.nodes.iter().map(|node| node.id.as_str()).collect();
        let data = json!({ "ok": true, "service": service.name, "version": service.version, "nodes": ids });
        let blocks = vec![Block::Text("ok".to_owned()), Block::Text(stays)];
        Ok(Reply { blocks, ..Reply::text("ok") }.with_data(&data))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Shelf, blocks, data, fault, kit, run, text};
    use micro::registry::Registry;

    const GOOD: &str = r#"{"name":"x","version":"1","nodes":[{"id":"x-1","address":"10.0.0.1:80"}]}"#;

    #[tokio::test]
    async fn what_is_registered_is_there_and_people_are_told_that_it_stays() {
        let shelf = Shelf::with([]);
        let reply = run(&Register::new(&kit(&shelf)), GOOD).await.unwrap();
        assert_eq!(text(&reply), "ok");
        insta::assert_snapshot!(data(&reply), @r#"{"nodes":["x-1"],"ok":true,"service":"x","version":"1"}"#);
        insta::assert_snapshot!(blocks(&reply), @r"
        text: ok
        text: It does not expire: it stays in shelf until someone deregisters it.
        ");
        assert_eq!(shelf.get("x").await.unwrap()[0].nodes[0].address, "10.0.0.1:80");
    }

    #[tokio::test]
    async fn people_are_told_when_an_entry_dies_with_the_process() {
        let shelf = Shelf::fleeting();
        insta::assert_snapshot!(blocks(&run(&Register::new(&kit(&shelf)), GOOD).await.unwrap()), @r"
        text: ok
        text: It lives as long as this process: shelf forgets it then.
        ");
    }

    #[tokio::test]
    async fn a_registry_that_is_away_registers_nothing() {
        let shelf = Shelf::with([]);
        shelf.set_down(true);
        insta::assert_snapshot!(fault(run(&Register::new(&kit(&shelf)), GOOD).await), @"unreachable: registry shelf: dial 127.0.0.1:8500: refused");
    }
}
