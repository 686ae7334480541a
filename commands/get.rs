//! `get service`: its versions, nodes and endpoints.

use crate::kit::Kit;
use crate::{lookup, show, spec};
use async_trait::async_trait;
use bot::command::{Command, CommandError, Field, Invocation, Plan, Spec};
use bot::message::{Args, Message};
use bot::reply::{Block, Reply};
use micro::registry::service::Service;

/// The command.
pub(crate) struct Get {
    spec: Spec,
    kit: Kit,
}

impl Get {
    pub(crate) fn new(kit: &Kit) -> Self {
        let spec = spec::read(
            "get service",
            "get service (?P<service>.+)",
            "get service [name]",
            "Returns a registered service",
            &["get service go.micro.srv.greeter"],
        );
        Self { spec, kit: kit.clone() }
    }
}

#[async_trait]
impl Command for Get {
    fn spec(&self) -> &Spec {
        &self.spec
    }

    async fn plan(&self, _asked: &Message, args: &Args) -> Result<Plan, CommandError> {
        let name = lookup::name(args, &self.spec.usage)?;
        Ok(Plan { service: Some(name.to_owned()), ..Plan::read(format!("get service {name}")) })
    }

    async fn fields(&self, so_far: &Args) -> Vec<Field> {
        lookup::fields(&*self.kit.registry, so_far).await
    }

    async fn example(&self) -> Option<String> {
        lookup::any(&self.kit).await.map(|name| format!("get service {name}"))
    }

    async fn run(&self, call: Invocation) -> Result<Reply, CommandError> {
        let name = call.plan.service.as_deref().unwrap_or_default();
        let versions = lookup::service(&*self.kit.registry, name).await?;
        let reply = Reply { blocks: blocks(&versions), text: Some(show::service(&versions)), ..Reply::default() };
        Ok(reply.with_data(&versions))
    }
}

fn blocks(versions: &[Service]) -> Vec<Block> {
    let mut blocks = Vec::new();
    for version in versions {
        let fields = [("service", &version.name), ("version", &version.version)];
        let fields = fields.into_iter().filter(|(_, value)| !value.is_empty());
        blocks.push(Block::Fields(fields.map(|(name, value)| (name.to_owned(), show::plain(value))).collect()));
        let rows = version
            .nodes
            .iter()
            .map(|node| [&node.id, &node.address, &show::pairs(&node.metadata)].map(show::plain).to_vec());
        blocks.push(Block::Table { head: show::head(&["ID", "Address", "Metadata"]), rows: rows.collect() });
    }
    let endpoints = versions.first().map(show::endpoints).unwrap_or_default();
    if !endpoints.is_empty() {
        blocks.push(Block::Code { lang: String::new(), body: endpoints });
    }
    blocks
}

#[cfg(test)]
mod tests {
    use super::Get;
    use crate::testing::{Shelf, blocks, data, fault, kit, run_for, service, text};
    use micro::registry::service::Endpoint;

    fn shelf() -> std::sync::Arc<Shelf> {
        let mut greeter = service("go.micro.srv.greeter", "1", &["10.0.0.1:80"]);
        greeter.endpoints = vec![Endpoint { name: "Say.Hello".to_owned(), ..Endpoint::default() }];
        Shelf::with([greeter, service("a b", "", &[])])
    }

    #[tokio::test]
    async fn a_service_is_shown_to_people_and_machines() {
        let reply = run_for(&Get::new(&kit(&shelf())), " go.micro.srv.greeter ").await.unwrap();
        insta::assert_snapshot!(text(&reply).replace('\t', "⇥"), @r"
        service  go.micro.srv.greeter

        version 1

        ID⇥Address⇥Metadata
        go.micro.srv.greeter-1⇥10.0.0.1:80⇥

        Endpoint: Say.Hello

        Request: {}

        Response: {}
        ");
        insta::assert_snapshot!(data(&reply), @r#"[{"name":"go.micro.srv.greeter","version":"1","metadata":{},"endpoints":[{"name":"Say.Hello","request":null,"response":null,"metadata":{}}],"nodes":[{"id":"go.micro.srv.greeter-1","address":"10.0.0.1:80","metadata":{}}]}]"#);
        insta::assert_snapshot!(blocks(&reply), @r"
        fields: service=go.micro.srv.greeter version=1
        table: ID | Address | Metadata
        go.micro.srv.greeter-1 | 10.0.0.1:80 | 
        code :
        Endpoint: Say.Hello

        Request: {}

        Response: {}
        ");
    }

    #[tokio::test]
    async fn a_name_with_a_blank_is_a_name() {
        let reply = run_for(&Get::new(&kit(&shelf())), "a b").await.unwrap();
        insta::assert_snapshot!(text(&reply).replace('\t', "⇥"), @r"
        service  a b

        ID⇥Address⇥Metadata
        ");
    }

    #[tokio::test]
    async fn nothing_named_and_nothing_found_are_told_apart() {
        insta::assert_snapshot!(fault(run_for(&Get::new(&kit(&shelf())), " ").await), @r"
        usage: require service name
        usage: get service [name]
        ");
        insta::assert_snapshot!(fault(run_for(&Get::new(&kit(&shelf())), "greeter").await), @r"
        not_found: no service greeter; did you mean `go.micro.srv.greeter`?
        `list services` shows what is there
        ");
    }
}
