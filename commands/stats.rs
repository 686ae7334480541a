//! `stats`: asks every node for its uptime, memory and threads.

use crate::debug::{self, Outcome};
use crate::kit::Kit;
use crate::{clock, lookup, show, spec};
use async_trait::async_trait;
use bot::command::{Command, CommandError, Field, Invocation, Plan, Spec};
use bot::message::{Args, Message};
use bot::reply::{Block, Cell, Mark, Reply};
use micro::registry::service::Service;
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use std::fmt;
use std::time::Duration;

const HEAD: &str = "node\t\taddress:port\t\tstarted\tuptime\tmemory\tthreads\tgc";

/// The command.
pub(crate) struct Stats {
    spec: Spec,
    kit: Kit,
}

impl Stats {
    pub(crate) fn new(kit: &Kit) -> Self {
        let spec = spec::read(
            "stats",
            "stats (?P<service>.+)",
            "stats [service]",
            "Returns the stats of a service's nodes",
            &["stats go.micro.srv.greeter"],
        );
        Self { spec, kit: kit.clone() }
    }
}

#[async_trait]
impl Command for Stats {
    fn spec(&self) -> &Spec {
        &self.spec
    }

    async fn plan(&self, _asked: &Message, args: &Args) -> Result<Plan, CommandError> {
        Ok(debug::plan(&self.kit, "stats", "Debug.Stats", lookup::name(args, &self.spec.usage)?))
    }

    async fn fields(&self, so_far: &Args) -> Vec<Field> {
        lookup::fields(&*self.kit.registry, so_far).await
    }

    async fn example(&self) -> Option<String> {
        lookup::any(&self.kit).await.map(|name| format!("stats {name}"))
    }

    async fn run(&self, call: Invocation) -> Result<Reply, CommandError> {
        let found = lookup::or_cached(&self.kit, call.plan.service.as_deref().unwrap_or_default()).await?;
        let outcomes = debug::ask(&self.kit, &found.services, "Debug.Stats").await;
        let mut reply = told(&found.services, &outcomes);
        reply.blocks.extend(lookup::stale(&found));
        Ok(reply)
    }
}

/// What a node says of itself (WIRE §5). JSON has the names, which never moved as protobuf's numbers did; go-micro v5.14
/// and later write numbers as strings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Numbers {
    /// Unix seconds.
    #[serde(deserialize_with = "number")]
    started: u64,
    /// Seconds.
    #[serde(deserialize_with = "number")]
    uptime: u64,
    /// Bytes.
    #[serde(deserialize_with = "number")]
    memory: u64,
    #[serde(deserialize_with = "number")]
    threads: u64,
    /// Nanoseconds.
    #[serde(deserialize_with = "number")]
    gc: u64,
    #[serde(deserialize_with = "number")]
    requests: u64,
    #[serde(deserialize_with = "number")]
    errors: u64,
}

impl Numbers {
    /// The five columns as Go printed them.
    fn columns(&self) -> [String; 5] {
        [
            clock::stamp(self.started),
            clock::span(Duration::from_secs(self.uptime)),
            megabytes(self.memory),
            self.threads.to_string(),
            clock::span(Duration::from_nanos(self.gc)),
        ]
    }
}

/// `0.48mb`.
fn megabytes(bytes: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "two digits behind the point are shown")]
    let megabytes = bytes as f64 / (1024.0 * 1024.0);
    format!("{megabytes:.2}mb")
}

/// A whole number, however a node writes it; what is below zero is zero.
fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    struct Lenient;
    impl Visitor<'_> for Lenient {
        type Value = u64;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a number")
        }

        fn visit_u64<E: Error>(self, number: u64) -> Result<u64, E> {
            Ok(number)
        }

        fn visit_i64<E: Error>(self, number: i64) -> Result<u64, E> {
            Ok(u64::try_from(number).unwrap_or(0))
        }

        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "`as` saturates, which is meant")]
        fn visit_f64<E: Error>(self, number: f64) -> Result<u64, E> {
            Ok(number as u64)
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<u64, E> {
            text.parse().map_err(|_| E::custom("no number"))
        }

        fn visit_unit<E: Error>(self) -> Result<u64, E> {
            Ok(0)
        }
    }
    deserializer.deserialize_any(Lenient)
}

/// A node's row, for machines.
#[derive(Default, Serialize)]
struct Row<'a> {
    id: &'a str,
    address: &'a str,
    version: &'a str,
    /// False if it is dead.
    ok: bool,
    #[serde(flatten)]
    numbers: Option<Numbers>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// All of it for machines. `ok`: every node answered, and there is one.
#[derive(Serialize)]
struct Sheet<'a> {
    service: &'a str,
    ok: bool,
    nodes: Vec<Row<'a>>,
}

impl Row<'_> {
    /// The original's row; one that failed has empty columns and 0 threads, then a tab and its error.
    fn line(&self) -> String {
        let columns = self.numbers.map_or_else(blank, |numbers| numbers.columns()).join("\t");
        let failed = self.failed().map(|failed| format!("\t{failed}")).unwrap_or_default();
        format!("{}\t\t{}\t\t{columns}{failed}", self.id, self.address)
    }

    /// Why there are no numbers.
    fn failed(&self) -> Option<&str> {
        self.status.or(self.error.as_deref())
    }

    fn cells(&self) -> Vec<Cell> {
        let mut cells = [self.id, self.address, self.version].map(show::plain).to_vec();
        if let Some(numbers) = &self.numbers {
            cells.extend(numbers.columns().map(show::plain));
        } else {
            let mark = if self.ok { Mark::Unknown } else { Mark::Bad };
            cells.push(Cell { text: self.failed().unwrap_or_default().to_owned(), mark });
            cells.extend((0..4).map(|_| show::plain("")));
        }
        cells
    }
}

fn blank() -> [String; 5] {
    ["", "", "", "0", ""].map(str::to_owned)
}

fn told(versions: &[Service], outcomes: &[Outcome]) -> Reply {
    let nodes: Vec<Row<'_>> = debug::nodes(versions)
        .zip(outcomes)
        .map(|((version, node), outcome)| {
            let row = Row { id: &node.id, address: &node.address, version: &version.version, ..Row::default() };
            read(outcome, row)
        })
        .collect();
    let text = debug::sheet(versions, HEAD, nodes.iter().map(Row::line));
    let name = versions.first().map_or("", |version| &version.name);
    let block = if nodes.is_empty() {
        Block::Text(format!("{name} has no node"))
    } else {
        let head = show::head(&["node", "address", "version", "started", "uptime", "memory", "threads", "gc"]);
        Block::Table { head, rows: nodes.iter().map(Row::cells).collect() }
    };
    let sheet = Sheet { service: name, ok: !nodes.is_empty() && nodes.iter().all(|row| row.ok), nodes };
    Reply { blocks: vec![block], text: Some(text), ..Reply::default() }.with_data(&sheet)
}

/// A node's row with its numbers or its error.
fn read<'a>(outcome: &Outcome, row: Row<'a>) -> Row<'a> {
    match outcome {
        Outcome::Bare => Row { ok: true, status: Some(debug::BARE), ..row },
        Outcome::Failed(error) => Row { error: Some(error.clone()), ..row },
        Outcome::Answered(body) => match debug::object(body) {
            Some(numbers) => Row { ok: true, numbers: Some(numbers), ..row },
            None => Row { error: Some("answered something that is no stats".to_owned()), ..row },
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{blocks, data, service, text};
    use bytes::Bytes;

    fn answered(body: &'static str) -> Outcome {
        Outcome::Answered(Bytes::from_static(body.as_bytes()))
    }

    #[test]
    fn stats_are_shown_in_the_bytes_of_the_original_and_a_failing_row_ends_with_its_error() {
        let versions = [
            service("greeter", "1.0.0", &["10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80"]),
            service("greeter", "2.0.0", &["[::1]:80", "[::2]:80"]),
        ];
        let outcomes = [
            answered(r#"{"started":1795360581,"uptime":1,"memory":503316,"threads":8,"gc":0}"#),
            Outcome::Failed("no answer in 5s".to_owned()),
            Outcome::Bare,
            answered(
                r#"{"timestamp":"1","started":"1795360581","uptime":"3725","memory":"1073741824","threads":"8","gc":"1500","requests":"7","errors":null}"#,
            ),
            answered("[]"),
        ];
        let reply = told(&versions, &outcomes);
        insta::assert_snapshot!(text(&reply).replace('\t', "⇥"), @r"
        service  greeter

        version 1.0.0

        node⇥⇥address:port⇥⇥started⇥uptime⇥memory⇥threads⇥gc
        greeter-1⇥⇥10.0.0.1:80⇥⇥Nov 22 15:16:21⇥1s⇥0.48mb⇥8⇥0s
        greeter-2⇥⇥10.0.0.2:80⇥⇥⇥⇥⇥0⇥⇥no answer in 5s
        greeter-3⇥⇥10.0.0.3:80⇥⇥⇥⇥⇥0⇥⇥reachable, no Debug handler

        version 2.0.0

        node⇥⇥address:port⇥⇥started⇥uptime⇥memory⇥threads⇥gc
        greeter-1⇥⇥[::1]:80⇥⇥Nov 22 15:16:21⇥1h2m5s⇥1024.00mb⇥8⇥1.5µs
        greeter-2⇥⇥[::2]:80⇥⇥⇥⇥⇥0⇥⇥answered something that is no stats
        ");
        insta::assert_snapshot!(blocks(&reply), @r"
        table: node | address | version | started | uptime | memory | threads | gc
        greeter-1 | 10.0.0.1:80 | 1.0.0 | Nov 22 15:16:21 | 1s | 0.48mb | 8 | 0s
        greeter-2 | 10.0.0.2:80 | 1.0.0 | no answer in 5s [Bad] |  |  |  | 
        greeter-3 | 10.0.0.3:80 | 1.0.0 | reachable, no Debug handler [Unknown] |  |  |  | 
        greeter-1 | [::1]:80 | 2.0.0 | Nov 22 15:16:21 | 1h2m5s | 1024.00mb | 8 | 1.5µs
        greeter-2 | [::2]:80 | 2.0.0 | answered something that is no stats [Bad] |  |  |  |
        ");
        insta::assert_snapshot!(data(&reply), @r#"{"service":"greeter","ok":false,"nodes":[{"id":"greeter-1","address":"10.0.0.1:80","version":"1.0.0","ok":true,"started":1795360581,"uptime":1,"memory":503316,"threads":8,"gc":0,"requests":0,"errors":0},{"id":"greeter-2","address":"10.0.0.2:80","version":"1.0.0","ok":false,"error":"no answer in 5s"},{"id":"greeter-3","address":"10.0.0.3:80","version":"1.0.0","ok":true,"status":"reachable, no Debug handler"},{"id":"greeter-1","address":"[::1]:80","version":"2.0.0","ok":true,"started":1795360581,"uptime":3725,"memory":1073741824,"threads":8,"gc":1500,"requests":7,"errors":0},{"id":"greeter-2","address":"[::2]:80","version":"2.0.0","ok":false,"error":"answered something that is no stats"}]}"#);
    }

    #[test]
    fn numbers_from_outside_cannot_break_anything() {
        let odd =
            r#"{"started":1e300,"uptime":18446744073709551615,"memory":-5,"threads":2.9,"gc":"18446744073709551615"}"#;
        let numbers: Numbers = serde_json::from_str(odd).unwrap();
        assert_eq!(
            numbers.columns(),
            ["Dec 31 23:59:59", "5124095576030431h0m15s", "0.00mb", "2", "5124095h34m33.709551615s"]
        );
        assert!(serde_json::from_str::<Numbers>(r#"{"uptime":"soon"}"#).is_err());
    }
}
