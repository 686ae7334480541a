//! The service that go-micro's recordings were made of, and what a test needs to call it.

use async_trait::async_trait;
use bytes::Bytes;
use micro::client::Options as ClientOptions;
use micro::client::protocol::Protocol;
use micro::client::protocol::grpc::Grpc;
use micro::client::request::{Answer, JSON, Request};
use micro::error::{Error, Result, Status};
use micro::registry::service::{Endpoint, Node};
use micro::server::{Context, Handler, Options, Running, Server};
use micro::transport::{Packet, Socket};
use prost::Message;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{Barrier, Notify};
use tokio_util::sync::CancellationToken;

pub(crate) const SERVICE: &str = "go.micro.srv.greeter";

#[derive(Clone, PartialEq, Message, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Name {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
}

#[derive(Clone, PartialEq, Message, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Msg {
    #[prost(string, tag = "1")]
    pub(crate) msg: String,
}

#[derive(Clone, PartialEq, Message, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Text {
    #[prost(string, tag = "1")]
    pub(crate) text: String,
}

/// JSON's 64-bit numbers come as strings (WIRE §18 S9).
#[derive(Clone, PartialEq, Message, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Number {
    #[prost(int64, tag = "1")]
    #[serde(alias = "n", with = "text", skip_serializing_if = "is_zero")]
    pub(crate) num: i64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_zero(number: &i64) -> bool {
    *number == 0
}

mod text {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
    pub(super) fn serialize<S: Serializer>(number: &i64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&number.to_string())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[derive(Clone, PartialEq, Message, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Args {
    #[prost(string, repeated, tag = "1")]
    pub(crate) args: Vec<String>,
}

/// What handlers and tests tell each other.
#[derive(Default)]
pub(crate) struct Signals {
    pub(crate) started: Notify,
    pub(crate) release: Notify,
    pub(crate) dropped: Notify,
    pub(crate) stopped: Notify,
}

pub(crate) struct Greeter {
    pub(crate) signals: Arc<Signals>,
    pub(crate) together: Barrier,
}

/// Tells that a handler was dropped.
struct Dropped(Arc<Signals>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.dropped.notify_one();
    }
}

impl Greeter {
    async fn wait(&self, context: &Context) {
        let _dropped = Dropped(self.signals.clone());
        watch(&self.signals, context.stop.clone());
        self.signals.started.notify_one();
        self.signals.release.notified().await;
    }
}

/// Tells of a fired token from a task that outlives the handler.
#[expect(clippy::disallowed_methods, reason = "it must outlive the handler that starts it")]
fn watch(signals: &Arc<Signals>, stop: CancellationToken) {
    let signals = signals.clone();
    tokio::spawn(async move {
        stop.cancelled().await;
        signals.stopped.notify_one();
    });
}

fn read<Q: Message + Default + for<'de> Deserialize<'de>>(context: &Context, body: &Bytes) -> Result<Q> {
    micro::server::handler::decode(&context.content_type, body)
}

fn write<A: Message + Serialize>(context: &Context, answer: &A) -> Result<Bytes> {
    micro::server::handler::encode(&context.content_type, answer)
}

fn plain(text: &str) -> Error {
    Error::service(Status { detail: text.to_owned(), ..Status::default() })
}

pub(crate) fn bad_request(detail: &str) -> Status {
    Status { id: SERVICE.to_owned(), code: 400, detail: detail.to_owned(), status: "Bad Request".to_owned() }
}

#[async_trait]
impl Handler for Greeter {
    async fn call(&self, context: Context, body: Bytes) -> Result<Bytes> {
        match context.endpoint.as_str() {
            "Say.Hello" => {
                let Name { name } = read(&context, &body)?;
                write(&context, &Msg { msg: format!("Hello {name}") })
            }
            "Say.Fail" => Err(Error::service(bad_request("no name"))),
            "Say.Plain" => Err(plain("plain trouble: 100% \"bad\" é")),
            "Say.Multi" => Err(plain("line one\nline two\r\n\tline: three")),
            "Say.Panic" => panic!("at the disco"),
            "Say.Meta" => {
                let mut pairs: Vec<_> =
                    context.metadata.iter().map(|(name, value)| format!("{name}={value}")).collect();
                pairs.sort();
                write(&context, &Msg { msg: pairs.join("\n") })
            }
            "Say.Same" => Ok(body),
            "Say.Big" => Ok(vec![b'x'; 5 << 20].into()),
            "Say.Together" => {
                self.together.wait().await;
                Ok(body)
            }
            "Say.Slow" => {
                self.wait(&context).await;
                Ok(body)
            }
            "Command.Exec" => {
                let Args { args } = read(&context, &body)?;
                let result = format!("hello {}", args.join(","));
                if context.content_type == JSON {
                    return Ok(format!("{{\"result\":\"{result}\"}}").into());
                }
                write(&context, &Msg { msg: result })
            }
            other => Err(plain(other)),
        }
    }

    async fn stream(&self, context: Context, (mut send, mut recv): Socket) -> Result<()> {
        let packet = |body| Packet { body, ..Packet::default() };
        match context.endpoint.as_str() {
            "Stream.Count" => {
                let Some(asked) = recv.recv().await? else { return Err(plain("nothing asked")) };
                let count: Number = read(&context, &asked.body)?;
                for num in 0..count.num {
                    send.send(packet(write(&context, &Number { num })?)).await?;
                }
                Ok(())
            }
            "Stream.Echo" => {
                while let Some(got) = recv.recv().await? {
                    let Text { text } = read(&context, &got.body)?;
                    if text == "bad" {
                        return Err(Error::service(bad_request("bad text")));
                    }
                    send.send(packet(write(&context, &Text { text: format!("re: {text}") })?)).await?;
                }
                Ok(())
            }
            "Stream.Endless" => {
                self.signals.started.notify_one();
                loop {
                    send.send(packet(vec![b'x'; 64 << 10].into())).await?;
                }
            }
            "Stream.Wait" => {
                self.wait(&context).await;
                Ok(())
            }
            other => Err(plain(other)),
        }
    }
}

fn endpoints() -> impl Iterator<Item = Endpoint> {
    let unary = ["Hello", "Fail", "Plain", "Multi", "Panic", "Meta", "Same", "Big", "Together", "Slow"];
    let unary = unary.map(|method| Endpoint { name: format!("Say.{method}"), ..Endpoint::default() });
    let exec = Endpoint { name: "Command.Exec".to_owned(), ..Endpoint::default() };
    let streams = ["Count", "Echo", "Endless", "Wait"].map(|method| Endpoint {
        name: format!("Stream.{method}"),
        metadata: [("stream".to_owned(), "true".to_owned())].into(),
        ..Endpoint::default()
    });
    unary.into_iter().chain([exec]).chain(streams)
}

struct Shared(Arc<Greeter>);

#[async_trait]
impl Handler for Shared {
    async fn call(&self, context: Context, body: Bytes) -> Result<Bytes> {
        self.0.call(context, body).await
    }

    async fn stream(&self, context: Context, socket: Socket) -> Result<()> {
        self.0.stream(context, socket).await
    }
}

/// A server with the greeter, and how to talk to its handlers.
pub(crate) async fn serve(options: Options) -> (Running, Arc<Signals>) {
    let greeter = Arc::new(Greeter { signals: Arc::default(), together: Barrier::new(64) });
    let signals = greeter.signals.clone();
    let mut server = Server::new(Options { name: SERVICE.to_owned(), debug: false, ..options });
    for endpoint in endpoints() {
        server = server.handle(endpoint, Shared(greeter.clone()));
    }
    (server.start().await.unwrap(), signals)
}

pub(crate) fn client() -> Arc<Grpc> {
    with(ClientOptions::default())
}

pub(crate) fn with(options: ClientOptions) -> Arc<Grpc> {
    Arc::new(Grpc::new(Arc::new(options)))
}

pub(crate) fn node(address: &str) -> Arc<Node> {
    let metadata = [("protocol".to_owned(), "grpc".to_owned()), ("server".to_owned(), "grpc".to_owned())].into();
    Arc::new(Node { id: "node-1".to_owned(), address: address.to_owned(), metadata })
}

pub(crate) fn json(endpoint: &str, body: impl Into<Bytes>) -> Request {
    Request::json(SERVICE, endpoint, body)
}

pub(crate) fn proto(endpoint: &str, body: &impl Message) -> Request {
    Request::protobuf(SERVICE, endpoint, body.encode_to_vec())
}

/// Far away: tests end by events.
pub(crate) fn later() -> Instant {
    Instant::now() + Duration::from_secs(60)
}

pub(crate) async fn call(client: &Grpc, address: &str, request: Request) -> Result<Answer> {
    client.call(&node(address), &request, later()).await
}

pub(crate) async fn hello(client: &Grpc, address: &str) -> Result<String> {
    let answer = call(client, address, json("Say.Hello", r#"{"name":"John"}"#)).await?;
    Ok(String::from_utf8(answer.body.into()).unwrap())
}
