//! Recorded Go clients of six generations against our server: what it answers must mean what the Go server's answer meant.

use crate::codec::jsonrpc::JsonRpc;
use crate::codec::protorpc::ProtoRpc;
use crate::codec::{Codec, Kind};
use crate::server::tests::rig::{exchange, served};
use crate::transport::http::{self, Reader, Side};
use bytes::{Bytes, BytesMut};
use prost::Message;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::PathBuf;

const TAGS: [&str; 6] = ["v0.16.0", "v0.20.0", "v1.18.0", "v2.9.1", "v4.11.0", "v6.10.0"];

fn folder(tag: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/wire").join(tag)
}

/// Every recorded connection of a client to a server over HTTP: name, what the client sent, what the Go server answered.
fn recordings(tag: &str) -> Vec<(String, Vec<u8>, Vec<u8>)> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder(tag)).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        // gRPC connections begin with another preface; what the client never sent cannot be replayed.
        let Some(case) = name.strip_suffix(".c2s.bin").filter(|case| !case.starts_with("grpc_")) else { continue };
        let sent = std::fs::read(&path).unwrap();
        if sent.is_empty() || OTHER.iter().any(|other| case.starts_with(other)) {
            continue;
        }
        let answered = std::fs::read(path.with_file_name(format!("{case}.s2c.bin"))).unwrap();
        all.push((case.to_owned(), sent, answered));
    }
    all.sort();
    all
}

/// Recordings of something else: `meta` lists headers, `timeout` is a matter of clocks, `publish` goes to a broker, and
/// `stats` differs from run to run.
const OTHER: [&str; 4] = ["meta_", "timeout_", "publish_", "stats_"];

/// What a client learns: each reply's content type, error, payload.
fn meaning(replies: &[u8]) -> Vec<String> {
    let (mut reader, mut input) = (Reader::new(Side::Response, 1 << 20), BytesMut::from(replies));
    let mut all = Vec::new();
    loop {
        match reader.next(&mut input, true) {
            Ok(Some(message)) => all.push(said(&message)),
            Ok(None) => return all,
            Err(fault) => {
                all.push(format!("FAULT {fault}"));
                return all;
            }
        }
    }
}

fn said(message: &http::Message) -> String {
    let content_type = message.header.get("Content-Type").unwrap_or("none");
    let header_error = message.header.get("Micro-Error").or_else(|| message.header.get("X-Micro-Error"));
    let (error, payload) = unwrapped(content_type, &message.body);
    if let Some(error) = error.or(header_error.map(str::to_owned)) {
        return format!("{content_type} ERR {error:?}");
    }
    format!("{content_type} {}", shown(&payload))
}

/// Takes an envelope off, whatever the content type says: before v0.17.0 all of them have one.
fn unwrapped(content_type: &str, body: &Bytes) -> (Option<String>, Bytes) {
    let envelope: Option<&dyn Codec> = match content_type {
        "application/json" | "application/json-rpc" if body.starts_with(b"{\"id\":") => Some(&JsonRpc),
        "application/proto-rpc" => Some(&ProtoRpc),
        "application/protobuf" | "application/octet-stream" if body.starts_with(b"\0\0\0") => Some(&ProtoRpc),
        _ => None,
    };
    let Some(codec) = envelope else { return (None, body.clone()) };
    let Ok((envelope, payload)) = codec.decode(Kind::Response, body) else { return (None, body.clone()) };
    (envelope.error.map(std::borrow::Cow::into_owned), payload)
}

/// JSON in one spelling, names and numbers alike.
fn shown(payload: &[u8]) -> String {
    let framed = payload.strip_prefix(b"\0\0\0\0").and_then(|rest| rest.get(1..)).unwrap_or(payload);
    match serde_json::from_slice(framed) {
        Ok(value) => alike(value).to_string(),
        Err(_) => payload.escape_ascii().to_string(),
    }
}

fn alike(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let fields = fields.into_iter().map(|(name, value)| (snake(&name), alike(value)));
            fields.filter(|(_, value)| !is_zero(value)).collect()
        }
        Value::Array(items) => items.into_iter().map(alike).collect(),
        Value::String(text) => match text.as_str() {
            "BIG" => Value::from(1),
            "SMALL" => Value::from(2),
            _ => text.parse::<i64>().map_or(Value::String(text), Value::from),
        },
        other => other,
    }
}

fn snake(name: &str) -> String {
    name.chars()
        .flat_map(|letter| [letter.is_uppercase().then_some('_'), Some(letter.to_ascii_lowercase())])
        .flatten()
        .collect()
}

fn is_zero(value: &Value) -> bool {
    matches!(value, Value::Null) || *value == 0 || *value == "" || *value == false
}

/// The differences, each with the recordings that show it.
async fn differences(piece: usize) -> (usize, String) {
    let mut found: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    let mut count = 0;
    for tag in TAGS {
        for (case, sent, answered) in recordings(tag) {
            count += 1;
            let ours = meaning(&exchange(&served(), &sent, piece).await);
            let theirs = meaning(&answered);
            if ours != theirs {
                let key = (theirs.join("\n      "), ours.join("\n      "));
                found.entry(key).or_default().push(format!("{tag}/{case}"));
            }
        }
    }
    let mut text = String::new();
    for ((theirs, ours), cases) in found {
        writeln!(text, "{}\n  go: {theirs}\n  us: {ours}", cases.join(" ")).unwrap();
    }
    (count, text)
}

// Why they differ:
// - v2.9.1 leaves errors and ends of streams under plain protobuf unanswered (WIRE §18 S1); we answer.
// - v0.20.0 answers the router's errors twice (§2.3), and the texts of v0.16.0 have full names; we have the later texts, once.
// - v0.20.0 writes protobuf under application/grpc+json (§18 S10): both refuse it, in their own words.
// - Since v4.8.0 no server has a Debug handler by default (§5); ours has.
// - v2.9.1 and later lose data of streams that are sent in a burst (§18 S7); we do not.
// - A Go client that closes a stream reads no more: what stands at the end, Go leaves to chance; we end it as any other.
#[expect(clippy::too_many_lines, reason = "most of it is the snapshot")]
#[tokio::test(start_paused = true)]
async fn every_recorded_go_client_gets_what_go_would_have_answered() {
    let (count, differences) = differences(64 << 10).await;
    assert!(count >= 270, "only {count} recordings");
    insta::assert_snapshot!(differences, @r#"
        v2.9.1/plainerror_proto
          go: 
          us: application/protobuf ERR "plain trouble: 100% \"bad\" é"
        v2.9.1/nomethod_proto
          go: 
          us: application/protobuf ERR "rpc: can't find method Nope"
        v2.9.1/fail_proto v2.9.1/fail_then_ok_proto
          go: 
          us: application/protobuf ERR "{\"id\":\"go.micro.srv.greeter\",\"code\":400,\"detail\":\"no name\",\"status\":\"Bad Request\"}"
        v0.20.0/hello_grpcjson
          go: application/grpc+json ERR "invalid character '\\x04' looking for beginning of value"
              application/grpc+json ERR "invalid character '\\x04' looking for beginning of value"
          us: application/grpc+json ERR "{\"id\":\"go.micro.srv.greeter\",\"code\":400,\"detail\":\"the request cannot be read: expected value at line 2 column 1\",\"status\":\"Bad Request\"}"
        v0.20.0/nomethod_json
          go: application/json ERR "rpc: can't find method Nope"
              application/json ERR "rpc: can't find method Nope"
          us: application/json ERR "rpc: can't find method Nope"
        v0.16.0/nomethod_json
          go: application/json ERR "rpc: can't find method Say.Nope"
          us: application/json ERR "rpc: can't find method Nope"
        v4.11.0/health_json v6.10.0/health_json
          go: application/json ERR "rpc: can't find service Debug"
          us: application/json {"status":"ok"}
        v0.20.0/nohandler_json
          go: application/json ERR "rpc: can't find service Nope"
              application/json ERR "rpc: can't find service Nope"
          us: application/json ERR "rpc: can't find service Nope"
        v0.16.0/nohandler_json
          go: application/json ERR "rpc: can't find service Nope.Hello"
          us: application/json ERR "rpc: can't find service Nope"
        v0.20.0/illformed_json
          go: application/json ERR "rpc: service/endpoint request ill-formed: Hello"
              application/json ERR "rpc: service/endpoint request ill-formed: Hello"
          us: application/json ERR "rpc: service/endpoint request ill-formed: Hello"
        v0.16.0/illformed_json
          go: application/json ERR "rpc: service/method request ill-formed: Hello"
          us: application/json ERR "rpc: service/endpoint request ill-formed: Hello"
        v1.18.0/bidistream_json
          go: application/json {"text":"re: one"}
              application/json {"text":"re: two"}
          us: application/json {"text":"re: one"}
              application/json {"text":"re: two"}
              application/json ERR "EOS"
        v2.9.1/bidistream_json
          go: application/json {"text":"re: one"}
              application/json {"text":"re: two"}
              FAULT the connection closed in the middle of a message
          us: application/json {"text":"re: one"}
              application/json {"text":"re: two"}
              application/json ERR "EOS"
        v0.16.0/bidistream_json v0.20.0/bidistream_json v4.11.0/bidistream_json v6.10.0/bidistream_json
          go: application/json {"text":"re: one"}
              application/json {"text":"re: two"}
              application/json ERR "EOF"
          us: application/json {"text":"re: one"}
              application/json {"text":"re: two"}
              application/json ERR "EOS"
        v2.9.1/serverstream_burst_json v4.11.0/serverstream_burst_json v6.10.0/serverstream_burst_json
          go: application/json {}
              application/json {"num":2}
              application/json {"num":2}
              application/json ERR "EOS"
          us: application/json {}
              application/json {"num":1}
              application/json {"num":2}
              application/json ERR "EOS"
        v0.20.0/nomethod_jsonrpc
          go: application/json-rpc ERR "rpc: can't find method Nope"
              application/json-rpc ERR "rpc: can't find method Nope"
          us: application/json-rpc ERR "rpc: can't find method Nope"
        v0.16.0/nomethod_jsonrpc
          go: application/json-rpc ERR "rpc: can't find method Say.Nope"
          us: application/json-rpc ERR "rpc: can't find method Nope"
        v2.9.1/serverstream_proto
          go: application/protobuf 
              application/protobuf \x08\x01
              application/protobuf \x08\x02
          us: application/protobuf 
              application/protobuf \x08\x01
              application/protobuf \x08\x02
              application/protobuf ERR "EOS"
        v0.20.0/nomethod_proto
          go: application/protobuf ERR "rpc: can't find method Nope"
              application/protobuf ERR "rpc: can't find method Nope"
          us: application/protobuf ERR "rpc: can't find method Nope"
        v0.16.0/nomethod_proto
          go: application/protobuf ERR "rpc: can't find method Say.Nope"
          us: application/protobuf ERR "rpc: can't find method Nope"
        v4.11.0/health_proto v6.10.0/health_proto
          go: application/protobuf ERR "rpc: can't find service Debug"
          us: application/protobuf \n\x02ok
        v1.18.0/bidistream_proto v2.9.1/bidistream_proto
          go: application/protobuf \n\x07re: one
              application/protobuf \n\x07re: two
          us: application/protobuf \n\x07re: one
              application/protobuf \n\x07re: two
              application/protobuf ERR "EOS"
        v0.16.0/bidistream_proto v0.20.0/bidistream_proto v4.11.0/bidistream_proto v6.10.0/bidistream_proto
          go: application/protobuf \n\x07re: one
              application/protobuf \n\x07re: two
              application/protobuf ERR "EOF"
          us: application/protobuf \n\x07re: one
              application/protobuf \n\x07re: two
              application/protobuf ERR "EOS"
        "#);
}

#[tokio::test(start_paused = true)]
async fn bytes_may_come_one_by_one() {
    for tag in TAGS {
        for (case, sent, _) in recordings(tag) {
            let whole = exchange(&served(), &sent, 64 << 10).await;
            let by_byte = exchange(&served(), &sent, 1).await;
            assert_eq!(meaning(&whole), meaning(&by_byte), "{tag}/{case}");
        }
    }
}

/// As clients of v2.0.0 and later have it.
#[derive(Clone, PartialEq, Message)]
struct Stats {
    #[prost(uint64, tag = "1")]
    timestamp: u64,
    #[prost(uint64, tag = "2")]
    started: u64,
    #[prost(uint64, tag = "7")]
    requests: u64,
}

#[tokio::test(start_paused = true)]
async fn the_stats_are_read_by_clients_of_v1_18_and_later() {
    for tag in &TAGS[2..] {
        let ask = async |case: &str| {
            let sent = std::fs::read(folder(tag).join(format!("{case}.c2s.bin"))).unwrap();
            let replies = exchange(&served(), &sent, 64 << 10).await;
            let mut input = BytesMut::from(&replies[..]);
            Reader::new(Side::Response, 1 << 20).next(&mut input, true).unwrap().unwrap().body
        };
        let stats: Value = serde_json::from_slice(&ask("stats_json").await).unwrap();
        assert!(
            stats["started"].as_u64() > Some(1_600_000_000) && stats["timestamp"].as_u64() >= stats["started"].as_u64()
        );
        assert_eq!((&stats["requests"], &stats["errors"], &stats["gc"]), (&1.into(), &0.into(), &0.into()));
        let stats = Stats::decode(ask("stats_proto").await).unwrap();
        assert!(stats.started > 1_600_000_000 && stats.timestamp >= stats.started, "{tag}");
        assert_eq!(stats.requests, 1, "{tag}");
    }
}
