//! The demo: real services over real sockets, to try the bot on.

use crate::config::Config;
use futures_util::future::join_all;
use micro::codec::protojson;
use micro::error::{Error, ErrorKind, Result, Status};
use micro::header::Header;
use micro::registry::Registry;
use micro::registry::service::{Endpoint, Metadata, Value};
use micro::server::handler::{decode, encode, message, stream};
use micro::server::{Context, Options, Running, Server};
use micro::transport::{Packet, Socket};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// The greeter: who can be greeted.
const GREETER: &str = "go.micro.srv.greeter";
/// The counter: a stream.
const COUNTER: &str = "go.micro.srv.counter";
/// Its pace.
const TICK: Duration = Duration::from_millis(100);
/// The most that it counts.
const MOST: i64 = 1_000;

#[derive(Clone, PartialEq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
struct HelloRequest {
    #[prost(string, tag = "1")]
    name: String,
}

#[derive(Clone, PartialEq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
struct HelloResponse {
    #[prost(string, tag = "1")]
    msg: String,
}

#[derive(Clone, PartialEq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
struct CountRequest {
    #[prost(int64, tag = "1")]
    #[serde(with = "protojson::int64")]
    n: i64,
}

#[derive(Clone, PartialEq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
struct HealthRequest {}

#[derive(Clone, PartialEq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
struct HealthResponse {
    #[prost(string, tag = "1")]
    status: String,
}

#[derive(Clone, PartialEq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
struct HelpResponse {
    #[prost(string, tag = "1")]
    usage: String,
    #[prost(string, tag = "2")]
    description: String,
}

#[derive(Clone, PartialEq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
struct ExecRequest {
    #[prost(string, repeated, tag = "1")]
    args: Vec<String>,
}

#[derive(Clone, PartialEq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
struct ExecResponse {
    #[prost(bytes = "vec", tag = "1")]
    #[serde(with = "protojson::bytes")]
    result: Vec<u8>,
    #[prost(string, tag = "2")]
    error: String,
}

/// What the demo's servers have in common: loopback, unless the config says where.
pub(crate) fn options(config: &Config) -> Options {
    Options { name: String::new(), version: String::new(), id: String::new(), ..config.server.clone() }
}

/// Starts the services: a greeter in two versions with three nodes, a counter that streams, and the command `demo`.
///
/// # Errors
/// An address cannot be had.
pub(crate) async fn start(registry: &Arc<dyn Registry>, options: &Options, suffix: &str) -> Result<Vec<Running>> {
    let ill = Arc::new(AtomicBool::new(false));
    let well = || Arc::new(AtomicBool::new(false));
    let named = |name: &str, version: &str, id: &str| Options {
        name: name.to_owned(),
        version: version.to_owned(),
        id: format!("{id}{suffix}"),
        registry: Some(Arc::clone(registry)),
        ..options.clone()
    };
    let servers = [
        greeter(named(GREETER, "1.0.0", "1"), well()),
        greeter(named(GREETER, "1.0.0", "2"), Arc::clone(&ill)),
        greeter(named(GREETER, "1.1.0", "3"), well()),
        counter(named(COUNTER, "1.0.0", "1")),
        command(named("go.micro.bot.demo", "1.0.0", "1"), ill),
    ];
    join_all(servers.map(Server::start)).await.into_iter().collect()
}

fn greeter(options: Options, ill: Arc<AtomicBool>) -> Server {
    let endpoint = endpoint("Say.Hello", [("name", "string")], [("msg", "string")]);
    let also = Arc::clone(&ill);
    let hello = message(move |_, asked: HelloRequest| {
        let answer = healthy(&ill).map(|()| HelloResponse { msg: format!("Hello {}", asked.name) });
        async move { answer }
    });
    let health = message(move |_, _: HealthRequest| {
        let answer = healthy(&also).map(|()| HealthResponse { status: "ok".to_owned() });
        async move { answer }
    });
    let debug = Endpoint { name: "Debug.Health".to_owned(), ..Endpoint::default() };
    Server::new(options).handle(endpoint, hello).handle(debug, health)
}

fn healthy(ill: &AtomicBool) -> Result<()> {
    if !ill.load(Ordering::Relaxed) {
        return Ok(());
    }
    let (detail, status) = ("ill".to_owned(), "Service Unavailable".to_owned());
    Err(Error::service(Status { id: GREETER.to_owned(), code: 503, detail, status }))
}

fn counter(options: Options) -> Server {
    let mut endpoint = endpoint("Stream.Count", [("n", "int64")], [("n", "int64")]);
    endpoint.metadata = Metadata::from([("stream".to_owned(), "true".to_owned())]);
    Server::new(options).handle(endpoint, stream(count))
}

/// Counts from 1 to n, a message each tick.
async fn count(context: Context, (mut out, mut asked): Socket) -> Result<()> {
    let Some(first) = asked.recv().await? else { return Ok(()) };
    let to = decode::<CountRequest>(&context.content_type, &first.body)?.n.clamp(0, MOST);
    for n in 1..=to {
        let body = encode(&context.content_type, &CountRequest { n })?;
        out.send(Packet { header: Header::default(), body }).await?;
        tokio::select! {
            () = tokio::time::sleep(TICK) => {}
            () = context.stop.cancelled() => return Err(Error::new(ErrorKind::Cancelled, "stopped")),
        }
    }
    out.finish().await
}

fn command(options: Options, ill: Arc<AtomicBool>) -> Server {
    let help = message(async |_, _: HealthRequest| {
        Ok(HelpResponse {
            usage: "demo [ill|well]".to_owned(),
            description: "Makes a greeter node ill, or well again".to_owned(),
        })
    });
    let exec = message(move |_, asked: ExecRequest| {
        let response = exec(&asked.args, &ill);
        async move { Ok(response) }
    });
    Server::new(options)
        .handle(endpoint("Command.Help", [], [("usage", "string"), ("description", "string")]), help)
        .handle(endpoint("Command.Exec", [("args", "[]string")], [("result", "[]uint8"), ("error", "string")]), exec)
}

fn exec(args: &[String], ill: &AtomicBool) -> ExecResponse {
    let say = |text: String| ExecResponse { result: text.into_bytes(), error: String::new() };
    match args.get(1).map(|word| word.to_lowercase()).as_deref() {
        Some(word @ ("ill" | "well")) => {
            ill.store(word == "ill", Ordering::Relaxed);
            say(format!("node 2 of {GREETER} is {word} now: try `health {GREETER}`"))
        }
        None => {
            let state = if ill.load(Ordering::Relaxed) { "ill" } else { "well" };
            say(format!("node 2 of {GREETER} is {state}; `demo ill` and `demo well` change that"))
        }
        Some(word) => ExecResponse { result: Vec::new(), error: format!("\"{word}\"? say `demo ill` or `demo well`") },
    }
}

fn endpoint<const Q: usize, const A: usize>(
    name: &str,
    request: [(&str, &str); Q],
    response: [(&str, &str); A],
) -> Endpoint {
    let method = name.rsplit('.').next().unwrap_or(name);
    Endpoint {
        name: name.to_owned(),
        request: Some(schema(format!("{method}Request"), &request)),
        response: Some(schema(format!("{method}Response"), &response)),
        metadata: Metadata::new(),
    }
}

fn schema(name: String, fields: &[(&str, &str)]) -> Value {
    let field = |(name, kind): &(&str, &str)| Value {
        name: (*name).to_owned(),
        r#type: (*kind).to_owned(),
        values: Vec::new(),
    };
    Value { r#type: name.clone(), name, values: fields.iter().map(field).collect() }
}

/// `micro demo`: the services alone, in the chosen registry, until a signal.
///
/// # Errors
/// An address cannot be had.
pub(crate) async fn run(config: &Config, registry: &Arc<dyn Registry>, closed: CancellationToken) -> Result<()> {
    let services = start(registry, &options(config), &format!("-{}", std::process::id())).await?;
    for service in &services {
        let entry = service.service();
        crate::shell::complain(&format!("{} {} at {}", entry.name, entry.version, service.address()));
    }
    crate::shell::complain("the demo is running; Ctrl-C ends it");
    closed.cancelled().await;
    join_all(services.into_iter().map(Running::stop)).await;
    Ok(())
}
