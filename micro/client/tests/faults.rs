//! Servers that misbehave: each gets a reply that names its kind and where it was.

use super::fake::{Fake, Step, good, reply, say};
use super::{NEW, node, patient};
use crate::client::request::Request;
use crate::client::{Client, Options};
use crate::error::{Error, ErrorKind};
use std::time::Duration;
use tokio::net::TcpListener;

fn hello() -> Request {
    Request::json("go.micro.srv.greeter", "Say.Hello", r#"{"name":"John"}"#)
}

/// The error of a call to a server that does this, its address written `ADDRESS`.
async fn failure(steps: Vec<Step>, options: Options) -> (ErrorKind, String) {
    let fake = Fake::same(steps).await;
    let client = Client::at_with("127.0.0.1:1", options);
    let error = client.call_node(&node(&fake.address, NEW), hello()).await.unwrap_err();
    (error.kind(), shown(&error, &fake.address))
}

fn shown(error: &Error, address: &str) -> String {
    error.to_string().replace(address, "ADDRESS")
}

fn quick() -> Options {
    let short = Duration::from_millis(50);
    Options { timeout: short, attempt: short, ..patient() }
}

#[tokio::test]
async fn nobody_there() {
    let dead = { TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().to_string() };
    let error = super::client().call_node(&node(&dead, NEW), hello()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    insta::assert_snapshot!(shown(&error, &dead), @"after 2 tries: ADDRESS: connection refused");
}

#[tokio::test]
async fn deaf() {
    let (kind, text) = failure(vec![Step::Ask, Step::Hold], quick()).await;
    assert_eq!(kind, ErrorKind::Timeout);
    insta::assert_snapshot!(text, @"ADDRESS: no answer within 50ms; the call may have run");
}

#[tokio::test]
async fn a_call_that_names_its_own_time_has_it_for_one_try() {
    let fake = Fake::same(vec![Step::Ask, Step::Hold]).await;
    let client = Client::at_with("127.0.0.1:1", quick());
    let request = Request { within: Some(Duration::from_millis(80)), ..hello() };
    let error = client.call_node(&node(&fake.address, NEW), request).await.unwrap_err();
    insta::assert_snapshot!(shown(&error, &fake.address), @"ADDRESS: no answer within 80ms; the call may have run");
}

#[tokio::test]
async fn late() {
    let fake = Fake::start(|number| match number {
        0 => vec![Step::Ask, Step::Hold, say(good(r#"{"late":1}"#))],
        _ => vec![Step::Ask, say(good(r#"{"late":2}"#)), Step::Hold],
    })
    .await;
    let (node, client) = (node(&fake.address, super::OLD), Client::at_with("127.0.0.1:1", quick()));
    assert_eq!(client.call_node(&node, hello()).await.unwrap_err().kind(), ErrorKind::Timeout);
    let request = Request { within: Some(Duration::from_secs(30)), ..hello() };
    let client = Client::at_with("127.0.0.1:1", patient());
    assert_eq!(client.call_node(&node, request).await.unwrap().body, r#"{"late":2}"#);
}

#[tokio::test]
async fn garbage() {
    let (kind, text) = failure(vec![Step::Ask, say("\0\u{1}garbage"), Step::Hold], patient()).await;
    assert_eq!(kind, ErrorKind::Malformed);
    insta::assert_snapshot!(text, @r#"ADDRESS: this is no HTTP/1: it begins with "\x00\x01garbage""#);
    let (kind, text) =
        failure(vec![Step::Ask, say(reply("application/json-rpc", "garbage")), Step::Hold], patient()).await;
    assert_eq!(kind, ErrorKind::Malformed);
    insta::assert_snapshot!(text, @"ADDRESS: no JSON-RPC envelope (expected value at line 1 column 1)");
}

#[tokio::test]
async fn half_an_answer() {
    let whole = good(r#"{"msg":"Hello John"}"#);
    let half = whole[..whole.len() - 5].to_vec();
    let (kind, text) = failure(vec![Step::Ask, say(half.clone())], patient()).await;
    assert_eq!(kind, ErrorKind::Unsure);
    insta::assert_snapshot!(text, @"ADDRESS: half an answer, then the connection was closed; the call may have run");
    assert_eq!(failure(vec![Step::Ask, say(half), Step::Hold], quick()).await.0, ErrorKind::Timeout);
}

#[tokio::test]
async fn an_endless_answer() {
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let chunk = format!("1000\r\n{}\r\n", "x".repeat(0x1000)).into_bytes();
    let (kind, text) = failure(vec![Step::Ask, say(head), Step::Endless(chunk)], patient()).await;
    assert_eq!(kind, ErrorKind::TooLarge);
    insta::assert_snapshot!(text, @"ADDRESS: the message is larger than max_message = 16777216 bytes");
    let (kind, _) =
        failure(vec![Step::Ask, say("HTTP/1.1 200 OK\r\n"), Step::Endless(b"A: b\r\n".to_vec())], patient()).await;
    assert_eq!(kind, ErrorKind::TooLarge);
}

#[tokio::test]
async fn a_hundred_megabytes() {
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 104857600\r\n\r\n";
    let (kind, text) = failure(vec![Step::Ask, say(head), Step::Endless(vec![b'x'; 1 << 16])], patient()).await;
    assert_eq!(kind, ErrorKind::TooLarge);
    insta::assert_snapshot!(text, @"ADDRESS: a message of 104857600 bytes is larger than max_message = 16777216");
}

#[tokio::test]
async fn closed_without_an_answer() {
    let (kind, text) = failure(vec![Step::Ask], patient()).await;
    assert_eq!(kind, ErrorKind::Unsure);
    insta::assert_snapshot!(text, @"ADDRESS: the connection was closed without an answer; the call may have run");
    let (kind, text) = failure(vec![Step::Ask, Step::Reset], patient()).await;
    assert_eq!(kind, ErrorKind::Unsure);
    insta::assert_snapshot!(text, @"ADDRESS: the connection broke before the answer; the call may have run");
}

#[tokio::test]
async fn an_answer_said_twice_is_heard_once_and_its_connection_not_kept() {
    let twice = [good(r#"{"n":1}"#), good(r#"{"n":2}"#)].concat();
    let fake = Fake::same(vec![Step::Ask, say(twice), Step::Hold]).await;
    let (node, client) = (node(&fake.address, super::OLD), super::client());
    for _ in 0..2 {
        assert_eq!(client.call_node(&node, hello()).await.unwrap().body, r#"{"n":1}"#);
    }
    assert_eq!(fake.asked(), [1, 1]);
}

#[tokio::test]
async fn a_content_type_that_the_server_refuses() {
    let text = reply("text/plain", "Unsupported Content-Type: application/json-rpc");
    let (kind, text) = failure(vec![Step::Ask, say(text)], patient()).await;
    assert_eq!(kind, ErrorKind::Refused);
    insta::assert_snapshot!(text, @"after 2 tries: ADDRESS: the server does not take application/json-rpc");
}

#[tokio::test]
async fn what_cannot_be_sent_is_refused_before_it_is() {
    let fake = Fake::same(vec![Step::Ask, Step::Hold]).await;
    let (node, client) = (node(&fake.address, NEW), super::client());
    let error = client.call_node(&node, Request::json("s", "Say.Hello", "{no json")).await.unwrap_err();
    insta::assert_snapshot!(shown(&error, &fake.address), @"ADDRESS: the request of Say.Hello is no application/json");
    let error = client.call_node(&node, Request::json("s", "Say\r\nHello", "{}")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(fake.asked().iter().all(|count| *count == 0));
}

#[tokio::test]
async fn a_queue_address_is_no_host() {
    let error = super::client().call_node(&node("some-queue", NEW), hello()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    insta::assert_snapshot!(error.to_string(), @"some-queue: an address is host:port");
}

#[tokio::test]
async fn limits_beyond_all_clocks_are_long_ones() {
    let fake = Fake::same(vec![Step::Ask, say(good("{}"))]).await;
    let ever = Options { timeout: Duration::MAX, attempt: Duration::MAX, dial: Duration::MAX, ..Options::default() };
    let (node, client) = (node(&fake.address, NEW), Client::at_with("127.0.0.1:1", ever));
    client.call_node(&node, hello()).await.unwrap();
    client.call_node(&node, Request { within: Some(Duration::MAX), ..hello() }).await.unwrap();
}

#[tokio::test]
async fn a_node_that_does_not_even_say_what_it_speaks_was_not_called() {
    let fake = Fake::same(vec![Step::Ask, Step::Hold]).await;
    let error = Client::at_with(&fake.address, quick()).call(hello()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    insta::assert_snapshot!(shown(&error, &fake.address), @"ADDRESS: no answer to Debug.Health in time; the call was not sent");
    assert_eq!(fake.headers(0, "Micro-Endpoint"), ["Debug.Health"]);
}
