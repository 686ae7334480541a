//! The greeter that the recordings were made with, on our server (tests/wire/README.md).

use crate::codec::protojson;
use crate::error::{Error, ErrorKind, Result, Status};
use crate::registry::service::{Endpoint, Metadata};
use crate::server::handler::{decode, encode, message, stream};
use crate::server::port::{Peer, Shared};
use crate::server::{Context, Handler, Options, mucp, shared};
use crate::transport::{Packet, Socket};
use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

pub(super) const NAME: &str = "go.micro.srv.greeter";

#[derive(Clone, PartialEq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct HelloRequest {
    #[prost(string, tag = "1")]
    pub(super) name: String,
}

#[derive(Clone, PartialEq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct HelloResponse {
    #[prost(string, tag = "1")]
    pub(super) msg: String,
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
struct CountResponse {
    #[prost(int64, tag = "1")]
    num: i64,
}

#[derive(Clone, PartialEq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
struct EchoMsg {
    #[prost(string, tag = "1")]
    text: String,
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

#[derive(Clone, PartialEq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
struct HelpResponse {
    #[prost(string, tag = "1")]
    usage: String,
    #[prost(string, tag = "2")]
    description: String,
}

/// Gives back what it got.
struct Same;

#[async_trait]
impl Handler for Same {
    async fn call(&self, _context: Context, body: Bytes) -> Result<Bytes> {
        Ok(body)
    }
}

pub(super) fn unary(name: &str) -> Endpoint {
    Endpoint { name: name.to_owned(), ..Endpoint::default() }
}

pub(super) fn streamed(name: &str) -> Endpoint {
    let metadata = Metadata::from([("stream".to_owned(), "true".to_owned())]);
    Endpoint { metadata, ..unary(name) }
}

pub(super) type Routes = Vec<(Endpoint, Arc<dyn Handler>)>;

pub(super) fn greeter() -> Routes {
    let mut routes: Routes = vec![
        (unary("Say.Hello"), Arc::new(message(async |_, asked: HelloRequest| Ok(hello(&asked.name))))),
        (
            unary("Say.Fail"),
            Arc::new(message(async |_, _: HelloRequest| -> Result<HelloResponse> {
                Err(Error::service(Status::new(NAME, 400, "no name")))
            })),
        ),
        (
            unary("Say.Plain"),
            Arc::new(message(async |_, _: HelloRequest| -> Result<HelloResponse> {
                plain("plain trouble: 100% \"bad\" é")
            })),
        ),
        (
            unary("Say.Multi"),
            Arc::new(message(async |_, _: HelloRequest| -> Result<HelloResponse> {
                plain("line one\nline two\r\n\tline: three")
            })),
        ),
        (unary("Say.Panic"), Arc::new(message(async |_, _: HelloRequest| -> Result<HelloResponse> { panic!("ouch") }))),
        (
            unary("Say.Slow"),
            Arc::new(message(async |context: Context, _: HelloRequest| {
                // Ends with its caller, or when its time is up.
                context.stop.cancelled().await;
                Ok(hello("nobody"))
            })),
        ),
        (unary("Say.Rich"), Arc::new(Same)),
        (
            unary("Command.Help"),
            Arc::new(message(async |_, _: HelloRequest| {
                Ok(HelpResponse { usage: "greeter".to_owned(), description: "Says hello".to_owned() })
            })),
        ),
        (unary("Command.Exec"), Arc::new(message(async |_, asked: ExecRequest| Ok(exec(&asked.args))))),
    ];
    routes.push((streamed("Stream.Count"), Arc::new(stream(count))));
    routes.push((streamed("Stream.Burst"), Arc::new(stream(count))));
    routes.push((streamed("Stream.Echo"), Arc::new(stream(echo))));
    routes
}

/// An error that is no object: Go's `errors.New`.
fn plain(detail: &str) -> Result<HelloResponse> {
    Err(Error::service(Status { detail: detail.to_owned(), ..Status::default() }))
}

fn hello(name: &str) -> HelloResponse {
    HelloResponse { msg: format!("Hello {name}") }
}

fn exec(args: &[String]) -> ExecResponse {
    if args.get(1).is_some_and(|arg| arg == "fail") {
        ExecResponse { result: Vec::new(), error: "cannot greet".to_owned() }
    } else {
        ExecResponse { result: format!("hello {}", args.join(",")).into(), error: String::new() }
    }
}

async fn count(context: Context, (mut send, mut recv): Socket) -> Result<()> {
    let Some(packet) = recv.recv().await? else { return Ok(()) };
    let asked: CountRequest = decode(&context.content_type, &packet.body)?;
    for num in 0..asked.n {
        let body = encode(&context.content_type, &CountResponse { num })?;
        send.send(Packet { body, ..Packet::default() }).await?;
    }
    Ok(())
}

async fn echo(context: Context, (mut send, mut recv): Socket) -> Result<()> {
    while let Some(packet) = recv.recv().await? {
        let asked: EchoMsg = decode(&context.content_type, &packet.body)?;
        if asked.text == "bad" {
            return Err(Error::service(Status::new(NAME, 400, "bad text")));
        }
        let body = encode(&context.content_type, &EchoMsg { text: format!("re: {}", asked.text) })?;
        send.send(Packet { body, ..Packet::default() }).await?;
    }
    Ok(())
}

pub(super) fn options() -> Options {
    Options { name: NAME.to_owned(), patience: Duration::from_secs(5), ..Options::default() }
}

pub(super) fn served() -> Arc<Shared> {
    shared(options(), greeter())
}

/// A connection to the server without a port; at most `piece` bytes are under way at once.
pub(super) fn connect(shared: &Arc<Shared>, piece: usize) -> DuplexStream {
    let (ours, theirs) = duplex(piece);
    let peer = Peer { local: "127.0.0.1:1".to_owned(), remote: "127.0.0.1:2".to_owned() };
    shared.tasks.spawn(mucp::serve(theirs, Arc::clone(shared), peer));
    ours
}

/// Sends bytes, closes the sending side, gives back everything that came.
pub(super) async fn exchange(shared: &Arc<Shared>, bytes: &[u8], piece: usize) -> Vec<u8> {
    let (mut reading, mut writing) = tokio::io::split(connect(shared, piece));
    let send = async {
        // The server may close before it has read everything.
        let _ = writing.write_all(bytes).await;
        let _ = writing.shutdown().await;
    };
    let mut replies = Vec::new();
    let (received, ()) = tokio::join!(reading.read_to_end(&mut replies), send);
    received.map_err(|error| Error::new(ErrorKind::Unsure, error.to_string())).unwrap();
    replies
}
