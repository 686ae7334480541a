//! The client against the server of this crate: the whole way, over both envelopes and on both protocols.

use super::{GREETER, patient};
use crate::client::request::Request;
use crate::client::{Client, Family, Options};
use crate::error::{Error, ErrorKind, Result, Status};
use crate::registry::Registry;
use crate::registry::memory::Memory;
use crate::registry::service::{Endpoint, Metadata};
use crate::server::handler::stream;
use crate::server::{Context, Handler, Options as Setup, Running, Server};
use crate::transport::{Packet, Socket};
use async_trait::async_trait;
use bytes::Bytes;
use std::sync::Arc;

/// Says what it was sent, and who called; fails when asked to.
struct Echo;

#[async_trait]
impl Handler for Echo {
    async fn call(&self, context: Context, body: Bytes) -> Result<Bytes> {
        let from = context.metadata.iter().find(|(name, _)| name.eq_ignore_ascii_case("micro-from-service"));
        assert_eq!(from.map(|(_, value)| value.as_str()), Some("me"));
        assert!(context.deadline.is_some());
        if body.starts_with(b"{\"fail") {
            return Err(Error::service(Status {
                id: "g".into(),
                code: 400,
                detail: "one\ntwo".into(),
                status: String::new(),
            }));
        }
        Ok(body)
    }
}

/// Sends back every message until the caller ends.
async fn echo(_context: Context, (mut send, mut receive): Socket) -> Result<()> {
    while let Some(Packet { header, body }) = receive.recv().await? {
        if body == "\"fail\"" {
            return Err(Error::service(Status { code: 400, detail: "bad text".into(), ..Status::default() }));
        }
        send.send(Packet { header, body }).await?;
    }
    Ok(())
}

async fn serve() -> (Running, Client) {
    let registry = Arc::new(Memory::new());
    let endpoint = |name: &str| Endpoint { name: name.into(), ..Endpoint::default() };
    let metadata = Metadata::from([("stream".into(), "true".into())]);
    let options =
        Setup { name: GREETER.into(), version: "7".into(), registry: Some(registry.clone()), ..Setup::default() };
    let server = Server::new(options)
        .handle(endpoint("Say.Echo"), Echo)
        .handle(Endpoint { metadata, ..endpoint("Stream.Echo") }, stream(echo));
    let running = server.start().await.unwrap();
    while registry.get(GREETER).await.unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    (running, Client::new(registry, Options { name: "me".into(), ..patient() }))
}

#[tokio::test]
async fn calls_of_both_encodings_come_back() {
    let (running, client) = serve().await;
    for n in 0..20 {
        let body = format!("{{\"n\":{n},\"big\":9007199254740993}}");
        let response = client.call(Request::json(GREETER, "Say.Echo", body.clone())).await.unwrap();
        assert_eq!((response.body, response.version.as_str(), response.tries), (Bytes::from(body), "7", 1));
        let response = client.call(Request::protobuf(GREETER, "Say.Echo", &b"\x08\x01"[..])).await.unwrap();
        assert_eq!(response.body, &b"\x08\x01"[..]);
        let response = client.call(Request::protobuf(GREETER, "Say.Echo", "")).await.unwrap();
        assert_eq!(response.body, "");
    }
    running.stop().await;
}

#[tokio::test]
async fn errors_come_back_whole() {
    let (running, client) = serve().await;
    let error = client.call(Request::json(GREETER, "Say.Echo", r#"{"fail":1}"#)).await.unwrap_err();
    assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::Service, "one\ntwo"));
    let error = client.call(Request::json(GREETER, "Say.Nope", "{}")).await.unwrap_err();
    assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::Service, "rpc: can't find method Nope"));
    running.stop().await;
}

#[tokio::test]
async fn a_stream_goes_both_ways() {
    let (running, client) = serve().await;
    let mut stream = client.stream(Request::json(GREETER, "Stream.Echo", r#"{"n":0}"#)).await.unwrap();
    assert_eq!(stream.recv().await.unwrap().unwrap(), r#"{"n":0}"#);
    for n in 1..100 {
        let body = Bytes::from(format!("{{\"n\":{n}}}"));
        stream.send(body.clone()).await.unwrap();
        assert_eq!(stream.recv().await.unwrap(), Some(body));
    }
    stream.finish().await.unwrap();
    assert_eq!(stream.recv().await.unwrap(), None);
    let mut stream = client.stream(Request::json(GREETER, "Stream.Echo", "\"fail\"")).await.unwrap();
    assert_eq!(stream.recv().await.unwrap_err().to_string(), "bad text");
    running.stop().await;
}

#[tokio::test]
async fn an_address_alone_reaches_it_on_either_protocol() {
    let (running, _) = serve().await;
    for family in [Family::Probe, Family::Mucp, Family::Grpc] {
        let client = Client::at_with(running.address(), Options { name: "me".into(), family, ..patient() });
        for _ in 0..3 {
            let response = client.call(Request::json(GREETER, "Say.Echo", r#"{"a":1}"#)).await;
            assert_eq!(response.unwrap().body, r#"{"a":1}"#, "{family:?}");
        }
    }
    running.stop().await;
}

#[tokio::test]
async fn a_large_message_goes_through_and_a_larger_one_is_named() {
    let (running, client) = serve().await;
    let body = format!("\"{}\"", "x".repeat(8 << 20));
    let response = client.call(Request::json(GREETER, "Say.Echo", body.clone())).await.unwrap();
    assert_eq!(response.body.len(), body.len());
    let small = Client::at_with(running.address(), Options { name: "me".into(), max_message: 1000, ..patient() });
    let error = small.call(Request::json(GREETER, "Say.Echo", format!("\"{}\"", "x".repeat(2000)))).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert!(error.to_string().contains("max_message = 1000"), "{error}");
    running.stop().await;
}

#[tokio::test]
async fn many_calls_at_once_each_get_their_own_answer() {
    let (running, client) = serve().await;
    let calls = (0..200).map(|n| {
        let client = client.clone();
        async move {
            let body = format!("{{\"n\":{n}}}");
            assert_eq!(client.call(Request::json(GREETER, "Say.Echo", body.clone())).await.unwrap().body, body);
        }
    });
    futures_util::future::join_all(calls).await;
    running.stop().await;
}
