//! Streams: how they open, end, and break.

use super::fake::{Fake, Step, good, reply, say};
use super::{GREETER, NEW, OLD, node, patient, registry};
use crate::client::request::Request;
use crate::client::{Client, Stream};
use crate::error::ErrorKind;
use bytes::Bytes;
use futures_util::FutureExt;

async fn open(fake: &Fake, metadata: &str, body: &'static str) -> Stream {
    let client = Client::new(registry(&[node(&fake.address, metadata)]).await, patient());
    client.stream(Request::json(GREETER, "Stream.Echo", body)).await.unwrap()
}

fn eos() -> Vec<u8> {
    reply("application/json-rpc", "{\"id\":\"\",\"result\":null,\"error\":\"EOS\"}\n")
}

#[tokio::test]
async fn the_opening_is_swallowed_so_the_request_is_sent_again() {
    let fake = Fake::same(vec![Step::Ask, Step::Ask, say(good(r#"{"n":1}"#)), say(eos()), Step::Hold]).await;
    let mut stream = open(&fake, NEW, r#"{"n":3}"#).await;
    assert_eq!(stream.recv().await.unwrap().unwrap(), r#"{"n":1}"#);
    assert_eq!(stream.recv().await.unwrap(), None);
    let body = "{\"method\":\"Stream.Echo\",\"params\":[{\"n\":3}],\"id\":\"0\"}\n".to_owned();
    assert_eq!(fake.bodies(0), [body.clone(), body]);
    assert_eq!(fake.headers(0, "Micro-Stream"), ["0", "0"]);
    assert_eq!(fake.headers(0, "Timeout"), ["-", "-"]);
}

#[tokio::test]
async fn both_sides_talk_by_turns_and_the_client_ends() {
    let turn = |n: u32| [Step::Ask, say(good(&format!("{{\"re\":{n}}}")))];
    let steps = [vec![Step::Ask], turn(1).to_vec(), turn(2).to_vec(), vec![Step::Ask, say(eos()), Step::Hold]].concat();
    let fake = Fake::same(steps).await;
    let mut stream = open(&fake, NEW, "").await;
    for n in 1..=2 {
        stream.send(Bytes::from(format!("{{\"n\":{n}}}"))).await.unwrap();
        assert_eq!(stream.recv().await.unwrap().unwrap(), format!("{{\"re\":{n}}}"));
    }
    stream.finish().await.unwrap();
    assert_eq!(stream.recv().await.unwrap(), None);
    assert_eq!(fake.headers(0, "Micro-Error"), ["-", "-", "-", "EOS"]);
    assert_eq!(fake.bodies(0)[3], "");
}

#[tokio::test]
async fn an_old_server_hears_the_end_from_the_connection() {
    let fake = Fake::same(vec![Step::Ask, Step::Hold, say(good("{}"))]).await;
    let mut stream = open(&fake, OLD, "").await;
    stream.finish().await.unwrap();
    assert_eq!(stream.recv().await.unwrap().unwrap(), "{}");
    assert_eq!(stream.recv().await.unwrap(), None);
    assert_eq!(fake.asked(), [1]);
}

#[tokio::test]
async fn a_close_is_an_end_only_where_servers_know_no_other() {
    let steps = vec![Step::Ask, say(good("{}"))];
    let fake = Fake::same(steps).await;
    let mut old = open(&fake, OLD, "").await;
    assert!(old.recv().await.unwrap().is_some());
    assert_eq!(old.recv().await.unwrap(), None);
    let mut new = open(&fake, NEW, "").await;
    assert!(new.recv().await.unwrap().is_some());
    let error = new.recv().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsure);
    insta::assert_snapshot!(error.to_string().replace(&fake.address, "ADDRESS"), @"ADDRESS: the stream broke off: closed without its end");
}

#[tokio::test]
async fn an_overwritten_message_is_a_defect_of_the_peer_and_the_stream_goes_on() {
    let bent = "{\"id\":\"\",\"result\":null,\"error\":\"EOS\"}\num\":0},\"error\":null}\n";
    let fake = Fake::same(vec![Step::Ask, say(reply("application/json-rpc", bent)), say(eos()), Step::Hold]).await;
    let mut stream = open(&fake, NEW, "").await;
    let error = stream.recv().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Defect);
    insta::assert_snapshot!(error.to_string().replace(&fake.address, "ADDRESS"), @"ADDRESS: a message of the stream is lost: go-micro v2.6.0–v6.10.0 overwrites a message when the next is sent quickly");
    assert_eq!(stream.recv().await.unwrap(), None);
}

#[tokio::test]
async fn a_services_error_ends_the_stream() {
    let body = r#"{"id":"","result":null,"error":"{\"id\":\"g\",\"code\":400,\"detail\":\"bad text\",\"status\":\"Bad Request\"}"}"#;
    let fake = Fake::same(vec![Step::Ask, say(reply("application/json-rpc", body)), Step::Hold]).await;
    let mut stream = open(&fake, NEW, "").await;
    let error = stream.recv().await.unwrap_err();
    assert_eq!((error.kind(), error.status().unwrap().code), (ErrorKind::Service, 400));
    assert_eq!(stream.recv().await.unwrap(), None);
}

#[tokio::test]
async fn a_message_whose_sending_was_dropped_is_not_cut_in_the_middle() {
    let fake = Fake::same(vec![Step::Ask, Step::Ask, Step::Ask, say(eos()), Step::Hold]).await;
    let mut stream = open(&fake, NEW, "").await;
    // More than both socket buffers hold, and nobody reads before the next await.
    let large = Bytes::from(format!("\"{}\"", "x".repeat(16 << 20)));
    assert!(stream.send(large.clone()).now_or_never().is_none());
    stream.send(Bytes::from_static(b"2")).await.unwrap();
    assert_eq!(stream.recv().await.unwrap(), None);
    let bodies = fake.bodies(0);
    assert!(bodies[1].len() > large.len() && bodies[1].starts_with("{\"method\":"), "{}", bodies[1].len());
    assert_eq!(bodies[2], "{\"method\":\"Stream.Echo\",\"params\":[2],\"id\":\"0\"}\n");
}

#[tokio::test]
async fn nothing_is_sent_after_the_end() {
    let fake = Fake::same(vec![Step::Ask, Step::Ask, say(eos()), Step::Hold]).await;
    let mut stream = open(&fake, NEW, "").await;
    stream.finish().await.unwrap();
    assert_eq!(stream.send(Bytes::from_static(b"1")).await.unwrap_err().kind(), ErrorKind::Invalid);
    assert_eq!(stream.recv().await.unwrap(), None);
}
