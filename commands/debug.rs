//! Asking every node of a service the same at once: `health` and `stats`.

use crate::kit::Kit;
use crate::{fault, show};
use bot::command::Plan;
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream;
use micro::client::request::Request;
use micro::error::{Error, ErrorKind};
use micro::registry::service::{Node, Service};
use serde::de::DeserializeOwned;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::time::Instant;

/// Nodes asked at the same time.
pub(crate) const AT_ONCE: usize = 256;
/// What a node without the handler is said to be: go-micro from v4.8 on and bare servers have none (WIRE §5).
pub(crate) const BARE: &str = "reachable, no Debug handler";

/// What a node answered.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The payload.
    Answered(Bytes),
    /// It is there and has no such handler.
    Bare,
    /// Nothing, in so many words.
    Failed(String),
}

/// The longest that all nodes together may take: the client's time limit.
pub(crate) fn limit(kit: &Kit) -> Duration {
    kit.client.options().timeout
}

/// What `command` is about to do: ask the registry, then every node, once.
pub(crate) fn plan(kit: &Kit, command: &str, endpoint: &str, service: &str) -> Plan {
    Plan {
        service: Some(service.to_owned()),
        endpoint: Some(endpoint.to_owned()),
        within: Some(limit(kit) * 2),
        ..Plan::read(format!("{command} {service}"))
    }
}

/// Asks every node of every version, in their order: one outcome a node.
pub(crate) async fn ask(kit: &Kit, versions: &[Service], endpoint: &str) -> Vec<Outcome> {
    let within = limit(kit);
    let deadline = Instant::now() + within;
    let name = versions.first().map(|version| version.name.clone()).unwrap_or_default();
    all(versions, within, |node| {
        let request = Request {
            within: Some(deadline.saturating_duration_since(Instant::now())),
            idempotent: true,
            ..Request::json(name.clone(), endpoint, "{}")
        };
        let client = kit.client.clone();
        async move { client.call_node(&node, request).await.map(|response| response.body) }
    })
    .await
}

/// One deadline for all: those who have not answered by then have not answered.
async fn all<F: Future<Output = Result<Bytes, Error>>>(
    versions: &[Service],
    within: Duration,
    call: impl Fn(Arc<Node>) -> F,
) -> Vec<Outcome> {
    let deadline = Instant::now() + within;
    let nodes: Vec<Arc<Node>> = versions.iter().flat_map(|version| version.nodes.iter().cloned()).collect();
    let mut outcomes: Vec<Option<Outcome>> = nodes.iter().map(|_| None).collect();
    let begun = AtomicUsize::new(0);
    let calls = nodes.into_iter().enumerate().map(|(at, node)| {
        begun.store(at + 1, Ordering::Relaxed);
        let call = call(node);
        async move { (at, outcome(call.await, deadline, within)) }
    });
    let mut answers = stream::iter(calls).buffer_unordered(AT_ONCE);
    while let Ok(Some((at, outcome))) = tokio::time::timeout_at(deadline, answers.next()).await {
        outcomes[at] = Some(outcome);
    }
    drop(answers);
    let begun = begun.load(Ordering::Relaxed);
    let silent = |at| if at < begun { late(within) } else { not_asked(within) };
    outcomes.into_iter().enumerate().map(|(at, outcome)| outcome.unwrap_or_else(|| silent(at))).collect()
}

fn outcome(answer: Result<Bytes, Error>, deadline: Instant, within: Duration) -> Outcome {
    match answer {
        Ok(body) => Outcome::Answered(body),
        Err(error) if is_bare(&error) => Outcome::Bare,
        // The call's own limit ends with ours, a moment before or after.
        Err(error) if error.kind() == ErrorKind::Timeout && Instant::now() + within / 10 >= deadline => late(within),
        Err(error) => Outcome::Failed(show::one_line(&fault::text(&error))),
    }
}

fn late(within: Duration) -> Outcome {
    Outcome::Failed(format!("no answer in {}", fault::duration(within)))
}

fn not_asked(within: Duration) -> Outcome {
    Outcome::Failed(format!("not asked: the {} were up before its turn came", fault::duration(within)))
}

/// Whether an error only says that the node has no such handler (WIRE §2.3, §4.1, §5): it answered, so it is there.
fn is_bare(error: &Error) -> bool {
    let Some(status) = error.status() else { return error.kind() == ErrorKind::NotFound };
    let said = status.detail.to_lowercase();
    matches!(status.code, 404 | 405 | 501)
        || ["can't find service", "can't find method", "unknown service", "unknown method"]
            .iter()
            .any(|words| said.contains(words))
}

/// What a node answered, if that is a JSON object with the right fields.
pub(crate) fn object<T: DeserializeOwned>(body: &[u8]) -> Option<T> {
    body.trim_ascii_start().starts_with(b"{").then(|| serde_json::from_slice(body).ok())?
}

/// The original's sheet: the service, then each version with a head and a row a node (TOOLKIT 1.6).
pub(crate) fn sheet(versions: &[Service], head: &str, rows: impl IntoIterator<Item = String>) -> String {
    let mut rows = rows.into_iter();
    let mut items = vec![format!("service  {}", versions.first().map_or("", |version| &version.name))];
    for version in versions {
        items.push(format!("\nversion {}", version.version));
        items.push(format!("\n{head}"));
        items.extend(rows.by_ref().take(version.nodes.len()));
    }
    items.join("\n")
}

/// Each node with its version, in the order of [`ask`].
pub(crate) fn nodes(versions: &[Service]) -> impl Iterator<Item = (&Service, &Node)> {
    versions.iter().flat_map(|version| version.nodes.iter().map(move |node| (version, &**node)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::service;
    use micro::error::Status;

    fn shape(outcome: &Outcome) -> String {
        match outcome {
            Outcome::Answered(body) => String::from_utf8_lossy(body).into_owned(),
            Outcome::Bare => BARE.to_owned(),
            Outcome::Failed(text) => text.clone(),
        }
    }

    fn fleet(count: usize) -> Vec<Service> {
        let addresses: Vec<String> = (0..count).map(|at| format!("10.0.0.1:{at}")).collect();
        let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
        vec![service("s", "1", &addresses)]
    }

    #[tokio::test(start_paused = true)]
    async fn a_thousand_nodes_with_three_deaf_ones_take_one_time_limit() {
        let begun = Instant::now();
        let outcomes = all(&fleet(1000), Duration::from_secs(5), |node| async move {
            if ["10.0.0.1:0", "10.0.0.1:500", "10.0.0.1:999"].contains(&node.address.as_str()) {
                std::future::pending::<()>().await;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
            Ok(Bytes::from(node.address.clone()))
        })
        .await;
        assert_eq!(begun.elapsed().as_secs(), 5);
        assert_eq!(outcomes.len(), 1000);
        assert_eq!(shape(&outcomes[1]), "10.0.0.1:1");
        let deaf: Vec<usize> = (0..1000).filter(|at| shape(&outcomes[*at]) == "no answer in 5s").collect();
        assert_eq!(deaf, [0, 500, 999]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_deaf_fleet_is_bounded_and_the_rest_is_not_called_ill() {
        let outcomes = all(&fleet(300), Duration::from_secs(2), |_| std::future::pending()).await;
        assert_eq!(shape(&outcomes[AT_ONCE - 1]), "no answer in 2s");
        assert_eq!(shape(&outcomes[AT_ONCE]), "not asked: the 2s were up before its turn came");
    }

    #[tokio::test(start_paused = true)]
    async fn a_node_without_the_handler_is_there() {
        let status =
            |code, detail: &str| Error::service(Status { code, detail: detail.to_owned(), ..Status::default() });
        for error in [
            status(0, "rpc: can't find service Debug"),
            status(0, "rpc: can't find method Debug.Health"),
            status(500, "unknown service go.micro.srv.greeter.Debug"),
            status(501, "unknown service Debug"),
            status(404, "Not Found"),
            Error::new(ErrorKind::NotFound, "no such endpoint"),
        ] {
            assert!(is_bare(&error), "{error}");
        }
        for error in [
            status(500, "database is away"),
            Error::new(ErrorKind::Unreachable, "dial 10.0.0.1:80: no route"),
            Error::new(ErrorKind::Refused, "dial 10.0.0.1:80: refused"),
        ] {
            assert!(!is_bare(&error), "{error}");
        }
    }
}
