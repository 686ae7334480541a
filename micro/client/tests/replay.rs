//! Recorded servers of six generations: what they mean to us is what they meant to the Go client that was recorded
//! (`tests/wire/README.md`).

use super::fake::{Fake, Step};
use super::{NEW, OLD, client, node};
use crate::client::request::Request;
use crate::client::{Client, Options};
use crate::error::{Error, ErrorKind, Result};
use crate::registry::service::Node;
use crate::transport::http::{Reader, Side};
use bytes::{Bytes, BytesMut};
use std::path::Path;
use std::sync::Arc;

const TAGS: [&str; 6] = ["v0.16.0", "v0.20.0", "v1.18.0", "v2.9.1", "v4.11.0", "v6.10.0"];

/// How the bytes of a reply are cut: Go's are cut into about twenty pieces, a bad network may do worse.
const PIECES: [usize; 3] = [usize::MAX, 17, 1];

/// What the recorded server sent.
fn recorded(tag: &str, case: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../tests/wire/{tag}/{case}.s2c.bin"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The recorded bytes by message.
fn messages(bytes: &[u8]) -> Vec<Vec<u8>> {
    let (mut reader, mut input) = (Reader::new(Side::Response, 1 << 20), BytesMut::from(bytes));
    let mut cut = Vec::new();
    let mut from = 0;
    while reader.next(&mut input, false).unwrap().is_some() {
        let to = bytes.len() - input.len();
        cut.push(bytes[from..to].to_vec());
        from = to;
    }
    assert_eq!(from, bytes.len(), "a recording of whole messages");
    cut
}

fn metadata(tag: &str) -> &'static str {
    if tag.starts_with("v0") { OLD } else { NEW }
}

/// A server that answers one request with everything that was recorded.
async fn server(tag: &str, case: &str, piece: usize) -> (Fake, Arc<Node>) {
    let fake = Fake::same(vec![Step::Ask, Step::Say(recorded(tag, case), piece), Step::Hold]).await;
    let node = node(&fake.address, metadata(tag));
    (fake, node)
}

async fn call(tag: &str, case: &str, piece: usize, request: Request) -> Result<Bytes> {
    let (_fake, node) = server(tag, case, piece).await;
    client().call_node(&node, request).await.map(|response| response.body)
}

fn hello() -> Request {
    Request::json("go.micro.srv.greeter", "Say.Hello", r#"{"name":"John"}"#)
}

fn hello_proto() -> Request {
    Request::protobuf("go.micro.srv.greeter", "Say.Hello", &b"\x0a\x04John"[..])
}

#[tokio::test]
async fn a_good_call_is_answered_by_every_generation() {
    for (tag, piece) in TAGS.into_iter().flat_map(|tag| PIECES.map(|piece| (tag, piece))) {
        let json = call(tag, "hello_jsonrpc", piece, hello()).await.unwrap();
        assert_eq!(json, r#"{"msg":"Hello John"}"#, "{tag}");
        let proto = call(tag, "hello_protorpc", piece, hello_proto()).await.unwrap();
        assert_eq!(proto, &b"\x0a\x0aHello John"[..], "{tag}");
    }
}

#[tokio::test]
async fn numbers_beyond_a_double_pass_through() {
    for tag in TAGS {
        let rich = call(tag, "rich_jsonrpc", 17, hello()).await.unwrap();
        assert!(rich.starts_with(br#"{"user_name":"Ann","big_num":9007199254740993,"#), "{tag}: {rich:?}");
    }
}

#[tokio::test]
async fn a_services_error_keeps_its_code_and_text() {
    for (tag, piece) in TAGS.into_iter().flat_map(|tag| PIECES.map(|piece| (tag, piece))) {
        for (case, request) in [("fail_jsonrpc", hello()), ("fail_protorpc", hello_proto())] {
            let error = call(tag, case, piece, request).await.unwrap_err();
            assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::Service, "no name"), "{tag} {case}");
            let status = error.status().unwrap();
            assert_eq!(
                (status.id.as_str(), status.code, status.status.as_str()),
                ("go.micro.srv.greeter", 400, "Bad Request")
            );
        }
    }
}

#[tokio::test]
async fn an_unknown_method_is_the_services_own_text() {
    for tag in TAGS {
        let error: Error = call(tag, "nomethod_jsonrpc", 17, hello()).await.unwrap_err();
        let method = if tag == "v0.16.0" { "Say.Nope" } else { "Nope" };
        assert_eq!(error.to_string(), format!("rpc: can't find method {method}"), "{tag}");
        assert_eq!((error.kind(), error.status().unwrap().code), (ErrorKind::Service, 0));
    }
}

#[tokio::test]
async fn two_calls_share_a_connection_where_the_node_lets_them() {
    for tag in TAGS {
        let both = messages(&recorded(tag, "two_calls_jsonrpc"));
        assert_eq!(both.len(), 2);
        let [one, two] = [0, 1].map(|which: usize| Step::Say(both[which].clone(), 17));
        let fake = Fake::same(vec![Step::Ask, one, Step::Ask, two, Step::Hold]).await;
        let (node, client) = (node(&fake.address, OLD), client());
        for _ in 0..2 {
            let response = client.call_node(&node, hello()).await.unwrap();
            assert_eq!(response.body, r#"{"msg":"Hello John"}"#, "{tag}");
        }
        assert_eq!(fake.asked(), [2], "{tag}");
        assert_eq!(fake.headers(0, "Micro-Id"), ["0", "1"]);
    }
}

#[tokio::test]
async fn a_server_stream_ends_at_its_end_in_every_generation() {
    let (json, proto) = (
        [r"{}", r#"{"num":1}"#, r#"{"num":2}"#].map(Bytes::from),
        [&b""[..], b"\x08\x01", b"\x08\x02"].map(Bytes::from),
    );
    for (tag, piece) in TAGS.into_iter().flat_map(|tag| PIECES.map(|piece| (tag, piece))) {
        let count = Request::json("go.micro.srv.greeter", "Stream.Count", r#"{"n":3}"#);
        assert_eq!(stream(tag, "serverstream_jsonrpc", piece, count).await.unwrap(), json, "{tag}");
        let count = Request::protobuf("go.micro.srv.greeter", "Stream.Count", &b"\x08\x03"[..]);
        assert_eq!(stream(tag, "serverstream_protorpc", piece, count).await.unwrap(), proto, "{tag}");
    }
}

/// All messages of a recorded stream, which began when the opening and the request had come.
async fn stream(tag: &str, case: &str, piece: usize, request: Request) -> Result<Vec<Bytes>> {
    let fake = Fake::same(vec![Step::Ask, Step::Ask, Step::Say(recorded(tag, case), piece), Step::Hold]).await;
    let registry = super::registry(&[node(&fake.address, metadata(tag))]).await;
    let client = Client::new(registry, Options { name: "me".into(), ..super::patient() });
    let mut stream = client.stream(request).await?;
    let mut all = Vec::new();
    while let Some(message) = stream.recv().await? {
        all.push(message);
    }
    assert_eq!(stream.recv().await?, None, "an end is an end");
    Ok(all)
}
