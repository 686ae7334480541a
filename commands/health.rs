//! `health`: asks every node whether it is well.

use crate::debug::{self, Outcome};
use crate::kit::Kit;
use crate::{lookup, show, spec};
use async_trait::async_trait;
use bot::command::{Command, CommandError, Field, Invocation, Plan, Spec};
use bot::message::{Args, Message};
use bot::reply::{Block, Cell, Mark, Reply};
use micro::registry::service::Service;
use serde::{Deserialize, Serialize};

/// The command.
pub(crate) struct Health {
    spec: Spec,
    kit: Kit,
}

impl Health {
    pub(crate) fn new(kit: &Kit) -> Self {
        let spec = spec::read(
            "health",
            "health (?P<service>.+)",
            "health [service]",
            "Returns health of a service",
            &["health go.micro.srv.greeter"],
        );
        Self { spec, kit: kit.clone() }
    }
}

#[async_trait]
impl Command for Health {
    fn spec(&self) -> &Spec {
        &self.spec
    }

    async fn plan(&self, _asked: &Message, args: &Args) -> Result<Plan, CommandError> {
        Ok(debug::plan(&self.kit, "health", "Debug.Health", lookup::name(args, &self.spec.usage)?))
    }

    async fn fields(&self, so_far: &Args) -> Vec<Field> {
        lookup::fields(&*self.kit.registry, so_far).await
    }

    async fn example(&self) -> Option<String> {
        lookup::any(&self.kit).await.map(|name| format!("health {name}"))
    }

    async fn run(&self, call: Invocation) -> Result<Reply, CommandError> {
        let found = lookup::or_cached(&self.kit, call.plan.service.as_deref().unwrap_or_default()).await?;
        let outcomes = debug::ask(&self.kit, &found.services, "Debug.Health").await;
        let mut reply = told(&found.services, &outcomes);
        reply.blocks.extend(lookup::stale(&found));
        Ok(reply)
    }
}

/// How a node is, for machines.
#[derive(Serialize)]
struct Row<'a> {
    id: &'a str,
    address: &'a str,
    version: &'a str,
    /// False if it is dead or says that it is ill.
    ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// All of it for machines. `ok`: every node is, and there is one.
#[derive(Serialize)]
struct Sheet<'a> {
    service: &'a str,
    ok: bool,
    nodes: Vec<Row<'a>>,
}

impl Row<'_> {
    fn shown(&self) -> &str {
        self.status.as_deref().or(self.error.as_deref()).unwrap_or_default()
    }

    fn cell(&self) -> Cell {
        let mark = match self.shown() {
            debug::BARE => Mark::Unknown,
            _ if self.ok => Mark::Good,
            _ => Mark::Bad,
        };
        Cell { text: self.shown().to_owned(), mark }
    }
}

fn told(versions: &[Service], outcomes: &[Outcome]) -> Reply {
    let nodes: Vec<Row<'_>> = debug::nodes(versions)
        .zip(outcomes)
        .map(|((version, node), outcome)| {
            let (ok, status, error) = judge(outcome);
            Row { id: &node.id, address: &node.address, version: &version.version, ok, status, error }
        })
        .collect();
    let rows = nodes.iter().map(|row| format!("{}\t\t{}\t\t{}", row.id, row.address, row.shown()));
    let text = debug::sheet(versions, "node\t\taddress:port\t\tstatus", rows);
    let name = versions.first().map_or("", |version| &version.name);
    let block = if nodes.is_empty() {
        Block::Text(format!("{name} has no node"))
    } else {
        let rows = nodes.iter().map(|row| {
            let mut cells = [row.id, row.address, row.version].map(show::plain).to_vec();
            cells.push(row.cell());
            cells
        });
        Block::Table { head: show::head(&["node", "address", "version", "status"]), rows: rows.collect() }
    };
    let sheet = Sheet { service: name, ok: !nodes.is_empty() && nodes.iter().all(|row| row.ok), nodes };
    Reply { blocks: vec![block], text: Some(text), ..Reply::default() }.with_data(&sheet)
}

/// Whether the node is well, and its status or its error.
fn judge(outcome: &Outcome) -> (bool, Option<String>, Option<String>) {
    #[derive(Deserialize)]
    struct Answer {
        #[serde(default)]
        status: String,
    }
    match outcome {
        Outcome::Bare => (true, Some(debug::BARE.to_owned()), None),
        Outcome::Failed(error) => (false, None, Some(error.clone())),
        Outcome::Answered(body) => match debug::object::<Answer>(body) {
            Some(answer) if answer.status.is_empty() => (false, None, Some("answered without a status".to_owned())),
            Some(answer) => (answer.status.eq_ignore_ascii_case("ok"), Some(show::one_line(&answer.status)), None),
            None => (false, None, Some("answered something that is no health".to_owned())),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Shelf, blocks, data, fault, kit, run_for, service, text};
    use bytes::Bytes;

    fn answered(body: &'static str) -> Outcome {
        Outcome::Answered(Bytes::from_static(body.as_bytes()))
    }

    #[test]
    fn health_is_shown_in_the_bytes_of_the_original() {
        let versions = [
            service("greeter", "1.0.0", &["10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80"]),
            service("greeter", "2.0.0", &["[::1]:80", "[::2]:80", "[::3]:80"]),
        ];
        let outcomes = [
            answered(r#"{"status":"ok"}"#),
            Outcome::Failed("no answer in 5s".to_owned()),
            Outcome::Bare,
            answered(r#"{"status":"draining\nnow","more":1}"#),
            answered("<html>"),
            answered("{}"),
        ];
        let reply = told(&versions, &outcomes);
        insta::assert_snapshot!(text(&reply).replace('\t', "⇥"), @r"
        service  greeter

        version 1.0.0

        node⇥⇥address:port⇥⇥status
        greeter-1⇥⇥10.0.0.1:80⇥⇥ok
        greeter-2⇥⇥10.0.0.2:80⇥⇥no answer in 5s
        greeter-3⇥⇥10.0.0.3:80⇥⇥reachable, no Debug handler

        version 2.0.0

        node⇥⇥address:port⇥⇥status
        greeter-1⇥⇥[::1]:80⇥⇥draining now
        greeter-2⇥⇥[::2]:80⇥⇥answered something that is no health
        greeter-3⇥⇥[::3]:80⇥⇥answered without a status
        ");
        insta::assert_snapshot!(blocks(&reply), @r"
        table: node | address | version | status
        greeter-1 | 10.0.0.1:80 | 1.0.0 | ok [Good]
        greeter-2 | 10.0.0.2:80 | 1.0.0 | no answer in 5s [Bad]
        greeter-3 | 10.0.0.3:80 | 1.0.0 | reachable, no Debug handler [Unknown]
        greeter-1 | [::1]:80 | 2.0.0 | draining now [Bad]
        greeter-2 | [::2]:80 | 2.0.0 | answered something that is no health [Bad]
        greeter-3 | [::3]:80 | 2.0.0 | answered without a status [Bad]
        ");
        insta::assert_snapshot!(data(&reply), @r#"{"service":"greeter","ok":false,"nodes":[{"id":"greeter-1","address":"10.0.0.1:80","version":"1.0.0","ok":true,"status":"ok"},{"id":"greeter-2","address":"10.0.0.2:80","version":"1.0.0","ok":false,"error":"no answer in 5s"},{"id":"greeter-3","address":"10.0.0.3:80","version":"1.0.0","ok":true,"status":"reachable, no Debug handler"},{"id":"greeter-1","address":"[::1]:80","version":"2.0.0","ok":false,"status":"draining now"},{"id":"greeter-2","address":"[::2]:80","version":"2.0.0","ok":false,"error":"answered something that is no health"},{"id":"greeter-3","address":"[::3]:80","version":"2.0.0","ok":false,"error":"answered without a status"}]}"#);
    }

    #[test]
    fn a_service_is_well_if_all_its_nodes_are_and_there_is_one() {
        let ok = |versions: &[Service], outcomes: &[Outcome]| {
            serde_json::from_str::<serde_json::Value>(data(&told(versions, outcomes))).unwrap()["ok"].clone()
        };
        let one = [service("greeter", "", &["10.0.0.1:80"])];
        assert_eq!(ok(&one, &[answered(r#"{"status":"OK"}"#)]), true);
        assert_eq!(ok(&one, &[Outcome::Bare]), true);
        assert_eq!(ok(&one, &[answered(r#"{"status":"ill"}"#)]), false);
        let none = [service("greeter", "", &[])];
        assert_eq!(ok(&none, &[]), false);
        assert_eq!(text(&told(&none, &[])), "service  greeter\n\nversion \n\nnode\t\taddress:port\t\tstatus");
    }

    #[tokio::test]
    async fn nothing_named_is_a_usage_error() {
        insta::assert_snapshot!(fault(run_for(&Health::new(&kit(&Shelf::with([]))), "").await), @r"
        usage: require service name
        usage: health [service]
        ");
    }
}
