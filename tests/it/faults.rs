//! Services that misbehave: each gets a reply that names its kind, and none holds the bot up.

use crate::MICRO;
use serde_json::Value;
use std::time::Duration;
use support::faulty::{Fault, start};
use support::process::run;
use support::services::{node, service, write};

/// What a call of a service with this fault is answered, by kind.
const KINDS: [(&str, Fault, &[&str]); 10] = [
    ("refuses", Fault::Refuses, &["refused", "unreachable"]),
    ("deaf", Fault::Deaf, &["timeout"]),
    ("garbage", Fault::Garbage, &["malformed"]),
    ("half", Fault::Half, &["unsure", "malformed"]),
    ("endless", Fault::Endless, &["too_large"]),
    ("huge", Fault::Huge, &["too_large"]),
    ("late", Fault::Late(Duration::from_secs(30)), &["timeout"]),
    ("closes", Fault::Closes, &["unsure"]),
    ("nojson", Fault::NoJson, &["malformed"]),
    ("web", Fault::Web, &["malformed", "failed"]),
];

#[test]
fn each_fault_is_answered_with_its_kind() {
    let folder = tempfile::tempdir().unwrap();
    let services = KINDS.map(|(name, fault, _)| {
        let name = format!("{name}.srv");
        service(&name, &[node(&format!("{name}-1"), &start(fault).unwrap())])
    });
    let file = write(folder.path(), &services).unwrap();
    let words = ["--registry", "file", "--registry_address", file.to_str().unwrap(), "--client_request_timeout", "1s"];
    let calls = KINDS.map(|(name, _, _)| format!("call {name}.srv Say.Hello {{\"name\":\"x\"}}\n"));
    let input = calls.concat();
    let output = run(MICRO, words.into_iter().chain(["bot", "--json"]), (input + "ping\n").as_bytes()).unwrap();
    let replies: Vec<Value> = output.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((output.code, replies.len()), (0, KINDS.len() + 1), "{}", output.stdout);
    for (reply, (name, _, kinds)) in replies.iter().zip(KINDS) {
        let kind = reply["kind"].as_str().unwrap();
        let text = reply["text"].as_str().unwrap();
        assert!(kinds.contains(&kind), "{name}: {kind}: {text}");
        assert!(text.starts_with("error executing cmd: "), "{name}: {text}");
    }
    assert_eq!(replies[KINDS.len()]["text"], "pong");
}

#[test]
fn deaf_nodes_of_one_service_cost_one_timeout() {
    let folder = tempfile::tempdir().unwrap();
    let nodes: Vec<_> =
        (1..=40).map(|number| node(&format!("deaf.srv-{number:02}"), &start(Fault::Deaf).unwrap())).collect();
    let file = write(folder.path(), &[service("deaf.srv", &nodes)]).unwrap();
    let words = ["--registry", "file", "--registry_address", file.to_str().unwrap(), "health", "deaf.srv", "--json"];
    let started = std::time::Instant::now();
    let output = run(MICRO, words, b"").unwrap();
    // Forty in turn would be 200 s; the bound is not a measurement.
    assert!(started.elapsed() < Duration::from_secs(50), "{:?}", started.elapsed());
    let data: Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!(data["ok"], Value::Bool(false), "{data}");
}

#[test]
fn two_services_may_have_one_node_id() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (start(Fault::Web).unwrap(), start(Fault::Web).unwrap());
    let file =
        write(folder.path(), &[service("one.srv", &[node("same", &one)]), service("two.srv", &[node("same", &two)])]);
    let words = ["--registry", "file", "--registry_address"];
    let path = file.unwrap();
    let input = b"list nodes one.srv\nlist nodes two.srv\n";
    let output = run(MICRO, words.into_iter().chain([path.to_str().unwrap(), "bot"]), input).unwrap();
    assert!(output.stdout.contains(&one) && output.stdout.contains(&two), "{}", output.stdout);
}
