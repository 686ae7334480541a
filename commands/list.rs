//! `list services` and `list nodes`.

use crate::kit::Kit;
use crate::{lookup, show, spec};
use async_trait::async_trait;
use bot::command::{Command, CommandError, CommandErrorKind, Field, FieldKind, Invocation, Plan, Spec};
use bot::message::{Args, Message};
use bot::reply::{Block, Reply};
use micro::registry::service::is_pseudo;
use serde_json::json;

/// `list services`: the names, sorted, one a line. What follows is ignored, as it always was, but for `--all`, which shows
/// brokers' entries too, and other flags, which are refused.
pub(crate) struct Services {
    spec: Spec,
    kit: Kit,
}

impl Services {
    pub(crate) fn new(kit: &Kit) -> Self {
        let spec = spec::read(
            "list services",
            r"list services(?:\s(?P<rest>(?s:.*)))?",
            "list services [--all]",
            "Returns a list of registered services",
            &["list services", "list services --all"],
        );
        let details = "--all also shows entries that are no services: topics and other marks of brokers".into();
        let spec = Spec { details, ..spec };
        Self { spec, kit: kit.clone() }
    }
}

#[async_trait]
impl Command for Services {
    fn spec(&self) -> &Spec {
        &self.spec
    }

    async fn plan(&self, _asked: &Message, args: &Args) -> Result<Plan, CommandError> {
        let flag = args.rest.split_whitespace().find(|word| word.starts_with("--") && *word != "--all");
        match flag {
            Some(flag) => {
                let text = format!("list services knows no {}\nusage: {}", lookup::brief(flag), self.spec.usage);
                Err(CommandError::new(CommandErrorKind::Usage, text))
            }
            None => Ok(Plan::read(if all(args) { "list services --all" } else { "list services" })),
        }
    }

    async fn fields(&self, so_far: &Args) -> Vec<Field> {
        if all(so_far) {
            return Vec::new();
        }
        vec![Field {
            name: "all".to_owned(),
            kind: FieldKind::Bool,
            choices: vec!["--all".to_owned()],
            required: false,
        }]
    }

    async fn run(&self, call: Invocation) -> Result<Reply, CommandError> {
        let registry = &*self.kit.registry;
        let mut names = registry.list().await.map_err(|error| lookup::away(registry, error))?;
        if !all(&call.args) {
            names.retain(|name| !is_pseudo(name));
        }
        let text = names.join("\n");
        let block = if names.is_empty() {
            Block::Text("no services are registered".to_owned())
        } else {
            Block::Code { lang: String::new(), body: text.clone() }
        };
        Ok(Reply { blocks: vec![block], text: Some(text), ..Reply::default() }.with_data(&names))
    }
}

/// Whether `--all` was typed, or ticked in a form.
fn all(args: &Args) -> bool {
    let ticked = args.named.get("all").is_some_and(|value| matches!(value.as_str(), "true" | "1" | "--all"));
    ticked || args.rest.split_whitespace().any(|word| word == "--all")
}

/// `list nodes SERVICE`: `ID⇥ADDRESS`, one node a line, by version and id.
pub(crate) struct Nodes {
    spec: Spec,
    kit: Kit,
}

impl Nodes {
    pub(crate) fn new(kit: &Kit) -> Self {
        let spec = spec::read(
            "list nodes",
            "list nodes (?P<service>.+)",
            "list nodes [service]",
            "Returns the nodes of a service",
            &["list nodes go.micro.srv.greeter"],
        );
        Self { spec, kit: kit.clone() }
    }
}

#[async_trait]
impl Command for Nodes {
    fn spec(&self) -> &Spec {
        &self.spec
    }

    async fn plan(&self, _asked: &Message, args: &Args) -> Result<Plan, CommandError> {
        let name = lookup::name(args, &self.spec.usage)?;
        Ok(Plan { service: Some(name.to_owned()), ..Plan::read(format!("list nodes {name}")) })
    }

    async fn fields(&self, so_far: &Args) -> Vec<Field> {
        lookup::fields(&*self.kit.registry, so_far).await
    }

    async fn example(&self) -> Option<String> {
        lookup::any(&self.kit).await.map(|name| format!("list nodes {name}"))
    }

    async fn run(&self, call: Invocation) -> Result<Reply, CommandError> {
        let name = call.plan.service.as_deref().unwrap_or_default();
        let versions = lookup::service(&*self.kit.registry, name).await?;
        let nodes =
            || versions.iter().flat_map(|version| version.nodes.iter().map(move |node| (&version.version, node)));
        let lines: Vec<String> = nodes().map(|(_, node)| format!("{}\t{}", node.id, node.address)).collect();
        let rows = nodes().map(|(version, node)| [&node.id, &node.address, version].map(show::plain).to_vec());
        let block = if lines.is_empty() {
            Block::Text(format!("{name} has no node"))
        } else {
            Block::Table { head: show::head(&["node", "address", "version"]), rows: rows.collect() }
        };
        let data: Vec<_> = nodes()
            .map(|(version, node)| {
                json!({ "id": node.id, "address": node.address, "version": version, "metadata": node.metadata })
            })
            .collect();
        Ok(Reply { blocks: vec![block], text: Some(lines.join("\n")), ..Reply::default() }.with_data(&data))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Shelf, data, fault, kit, run, run_for, service, text};

    fn shelf() -> std::sync::Arc<Shelf> {
        Shelf::with([
            service("b", "2", &["10.0.0.3:80"]),
            service("b", "1", &["10.0.0.1:80", "10.0.0.2:80"]),
            service("a", "1", &[]),
            service("topic:news", "", &["10.0.0.9:80"]),
            service("go.micro.http.broker", "", &["10.0.0.9:80"]),
        ])
    }

    #[tokio::test]
    async fn services_are_sorted_and_brokers_entries_hidden() {
        let services = Services::new(&kit(&shelf()));
        let reply = run(&services, "").await.unwrap();
        assert_eq!((text(&reply), data(&reply)), ("a\nb", r#"["a","b"]"#));
        let reply = run(&services, "whatever --all").await.unwrap();
        assert_eq!(text(&reply), "a\nb\ngo.micro.http.broker\ntopic:news");
        insta::assert_snapshot!(fault(run(&services, "--al").await), @r"
        usage: list services knows no --al
        usage: list services [--all]
        ");
    }

    #[tokio::test]
    async fn an_empty_registry_is_an_empty_text_and_a_sentence_in_chats() {
        let reply = run(&Services::new(&kit(&Shelf::with([]))), "").await.unwrap();
        assert_eq!((text(&reply), data(&reply)), ("", "[]"));
        assert!(matches!(&reply.blocks[..], [Block::Text(text)] if text == "no services are registered"));
    }

    #[tokio::test]
    async fn nodes_are_listed_by_version_and_id() {
        let nodes = Nodes::new(&kit(&shelf()));
        let reply = run_for(&nodes, "b").await.unwrap();
        insta::assert_snapshot!(text(&reply).replace('\t', "⇥"), @r"
        b-1⇥10.0.0.1:80
        b-2⇥10.0.0.2:80
        b-1⇥10.0.0.3:80
        ");
        insta::assert_snapshot!(data(&reply), @r#"[{"address":"10.0.0.1:80","id":"b-1","metadata":{},"version":"1"},{"address":"10.0.0.2:80","id":"b-2","metadata":{},"version":"1"},{"address":"10.0.0.3:80","id":"b-1","metadata":{},"version":"2"}]"#);
        assert_eq!(text(&run_for(&nodes, "a").await.unwrap()), "");
        insta::assert_snapshot!(fault(run_for(&nodes, "c").await), @r"
        not_found: no service c; did you mean `a`?
        `list services` shows what is there
        ");
    }

    #[tokio::test]
    async fn a_registry_that_is_away_is_an_error() {
        let shelf = shelf();
        shelf.set_down(true);
        insta::assert_snapshot!(fault(run(&Services::new(&kit(&shelf)), "").await), @"unreachable: registry shelf: dial 127.0.0.1:8500: refused");
    }
}
