//! Commands against real servers over real sockets, each way a node may ask to be spoken to.

use crate::health::Health;
use crate::kit::Kit;
use crate::stats::Stats;
use crate::testing::{Shelf, blocks, fault, run, run_for, text};
use bot::router::Word;
use bytes::Bytes;
use futures_util::future::join_all;
use micro::client::{Client, Options};
use micro::error::{Error, Result, Status};
use micro::registry::Registry;
use micro::registry::memory::Memory;
use micro::registry::service::{Endpoint, Metadata, Node, Service};
use micro::server::{Context, Handler, Running, Server};
use serde_json::json;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Long enough for every healthy node on a busy machine.
const LIMIT: Duration = Duration::from_secs(3);

/// Node metadata of the generations (WIRE §1.1): before v0.22, mucp since, gRPC before v1.17, gRPC since.
const WAYS: [&[(&str, &str)]; 4] = [
    &[("server", "rpc"), ("transport", "http")],
    &[("server", "mucp"), ("transport", "http"), ("protocol", "mucp")],
    &[("server", "grpc"), ("transport", "grpc")],
    &[("server", "grpc"), ("transport", "grpc"), ("protocol", "grpc")],
];

/// Answers bytes, whatever is asked, and remembers what it heard.
struct Fixed {
    answer: std::result::Result<&'static [u8], Status>,
    heard: Arc<Mutex<Vec<(Context, Bytes)>>>,
}

#[async_trait::async_trait]
impl Handler for Fixed {
    async fn call(&self, context: Context, body: Bytes) -> Result<Bytes> {
        self.heard.lock().unwrap().push((context, body));
        self.answer.clone().map(Bytes::from_static).map_err(Error::service)
    }
}

fn fixed(answer: std::result::Result<&'static [u8], Status>) -> Fixed {
    Fixed { answer, heard: Arc::default() }
}

async fn serve(name: &str, debug: bool, handlers: Vec<(&str, Fixed)>) -> Running {
    let options = micro::server::Options { name: name.to_owned(), debug, ..micro::server::Options::default() };
    let mut server = Server::new(options);
    for (endpoint, handler) in handlers {
        server = server.handle(Endpoint { name: endpoint.to_owned(), ..Endpoint::default() }, handler);
    }
    server.start().await.unwrap()
}

fn node(id: &str, address: &str, way: &[(&str, &str)]) -> Arc<Node> {
    let metadata: Metadata = way.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    Arc::new(Node { id: id.to_owned(), address: address.to_owned(), metadata })
}

async fn kit(name: &str, nodes: Vec<Arc<Node>>) -> Kit {
    let registry: Arc<dyn Registry> = Arc::new(Memory::new());
    let service = Service { nodes, version: "1".to_owned(), ..Service::named(name) };
    registry.register(&service, None).await.unwrap();
    let options = Options { timeout: LIMIT, attempt: LIMIT, ..Options::default() };
    let client = Client::new(registry.clone(), options);
    Kit { registry, client, version: "0.1.0", namespace: "go.micro.bot".to_owned() }
}

/// The rows below the head, ids and statuses.
fn rows(sheet: &str) -> Vec<String> {
    let lines = sheet.lines().skip_while(|line| !line.starts_with("node\t")).skip(1);
    lines
        .map(|line| {
            line.split("\t\t")
                .enumerate()
                .filter(|(at, _)| *at != 1)
                .map(|(_, cell)| cell)
                .collect::<Vec<_>>()
                .join(" ")
        })
        .collect()
}

#[tokio::test]
async fn every_kind_of_node_is_told_apart_on_every_wire() {
    join_all(WAYS.map(told_apart)).await;
}

async fn told_apart(way: &[(&str, &str)]) {
    let well = serve("s", true, vec![]).await;
    let bare = serve("s", false, vec![]).await;
    let sick = Status {
        code: 503,
        detail: "database is away".to_owned(),
        status: "Service Unavailable".to_owned(),
        ..Status::default()
    };
    let ill =
        serve("s", false, vec![("Debug.Health", fixed(Err(sick.clone()))), ("Debug.Stats", fixed(Err(sick)))]).await;
    // Bound and never listening: it refuses, and nobody else is given its port.
    let bound = tokio::net::TcpSocket::new_v4().unwrap();
    bound.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let closed = bound.local_addr().unwrap().to_string();
    let deaf = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nodes = vec![
        node("a-well", well.address(), way),
        node("b-bare", bare.address(), way),
        node("c-ill", ill.address(), way),
        node("d-closed", &closed, way),
        node("e-deaf", &deaf.local_addr().unwrap().to_string(), way),
    ];
    let kit = kit("s", nodes).await;
    let (health, stats) = (Health::new(&kit), Stats::new(&kit));
    let (health, stats) = tokio::join!(run_for(&health, "s"), run_for(&stats, "s"));
    let health = rows(text(&health.unwrap())).join("\n").replace(&closed, "ADDRESS");
    insta::allow_duplicates! {
        insta::assert_snapshot!(health, @r"
            a-well ok
            b-bare reachable, no Debug handler
            c-ill database is away (503 Service Unavailable)
            d-closed after 2 tries: ADDRESS: connection refused
            e-deaf no answer in 3s
            ");
    }
    let stats = rows(text(&stats.unwrap()));
    assert!(stats[0].ends_with("\t0s") && stats[0].contains("mb\t"), "{way:?}: {}", stats[0]);
    assert!(stats[1].ends_with("reachable, no Debug handler"), "{way:?}: {}", stats[1]);
    assert!(stats[2].contains("database is away"), "{way:?}: {}", stats[2]);
    assert!(stats[4].ends_with("no answer in 3s"), "{way:?}: {}", stats[4]);
}

/// Waits for the word and its help.
async fn word(kit: &Kit, tasks: &TaskTracker, stop: &CancellationToken) -> Word {
    let mut words = crate::remote::words(kit, tasks, stop.clone());
    let wait = words.wait_for(|words| words.iter().any(|word| !word.command.spec().summary.is_empty()));
    let words = tokio::time::timeout(Duration::from_secs(60), wait).await.unwrap().unwrap();
    words[0].clone()
}

#[tokio::test]
async fn a_command_service_is_reached_on_every_wire() {
    for way in WAYS {
        // HelpResponse and ExecResponse in protobuf, as every Go service writes them.
        let help = fixed(Ok(b"\x0a\x0ddeploy [what]\x12\x07Deploys"));
        let exec = fixed(Ok(b"\x0a\x04done"));
        let heard = exec.heard.clone();
        let service = "go.micro.bot.deploy";
        let server = serve(service, true, vec![("Command.Help", help), ("Command.Exec", exec)]).await;
        let kit = kit(service, vec![node("deploy-1", server.address(), way)]).await;
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let word = word(&kit, &tasks, &stop).await;
        assert_eq!((&*word.word, &*word.command.spec().usage), ("deploy", "deploy [what]"));
        assert_eq!(text(&run(&*word.command, "app 'to  prod'").await.unwrap()), "done");
        let (context, body) = heard.lock().unwrap().pop().unwrap();
        assert_eq!(&body[..], b"\x0a\x06deploy\x0a\x03app\x0a\x08to  prod", "{way:?}");
        for (name, value) in
            [("micro-bot-adapter", "terminal"), ("micro-bot-user-id", "bob"), ("micro-bot-user-name", "Bob")]
        {
            let found = context.metadata.iter().any(|(key, found)| key.eq_ignore_ascii_case(name) && found == value);
            assert!(found, "{way:?}: {name} is missing in {:?}", context.metadata);
        }
        stop.cancel();
        tasks.close();
        tasks.wait().await;
    }
}

#[tokio::test]
async fn a_command_service_of_plain_structs_is_reached_on_every_wire() {
    let help = || {
        micro::server::handler::json(async |_, _: serde_json::Value| {
            Ok(json!({ "usage": "plain", "description": "JSON" }))
        })
    };
    let exec = || {
        micro::server::handler::json(async |_, asked: serde_json::Value| {
            assert_eq!(asked, json!({ "args": ["plain", "x"] }));
            Ok(json!({ "result": "aGk=" }))
        })
    };
    for way in WAYS {
        let name = "go.micro.bot.plain";
        let options = micro::server::Options { name: name.to_owned(), ..micro::server::Options::default() };
        let endpoint = |name: &str| Endpoint { name: name.to_owned(), ..Endpoint::default() };
        let server =
            Server::new(options).handle(endpoint("Command.Help"), help()).handle(endpoint("Command.Exec"), exec());
        let server = server.start().await.unwrap();
        let kit = kit(name, vec![node("plain-1", server.address(), way)]).await;
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let word = word(&kit, &tasks, &stop).await;
        assert_eq!(text(&run(&*word.command, "x").await.unwrap()), "hi", "{way:?}");
        stop.cancel();
    }
}

#[tokio::test]
async fn a_registry_that_goes_away_leaves_health_with_what_was_known() {
    let well = serve("s", true, vec![]).await;
    let kit = kit("s", vec![node("a", well.address(), WAYS[1])]).await;
    let shelf = Shelf::with(kit.registry.get("s").await.unwrap());
    let client = Client::new(shelf.clone(), kit.client.options().clone());
    let kit = Kit { registry: shelf.clone(), client, ..kit };
    kit.client.find("s").await.unwrap();
    shelf.set_down(true);
    while !kit.client.find("s").await.unwrap().stale {
        tokio::task::yield_now().await;
    }
    let reply = run_for(&Health::new(&kit), "s").await.unwrap();
    assert_eq!(rows(text(&reply)), ["a ok"]);
    assert!(blocks(&reply).contains("text: The registry is away: nodes as of "));
    assert_eq!(
        fault(run_for(&Health::new(&kit), "t").await),
        "unreachable: registry shelf: dial 127.0.0.1:8500: refused"
    );
}
