//! The shell forms: answers on stdout, errors on stderr, exit codes.

use crate::MICRO;
use serde_json::{Value, json};
use std::path::Path;
use std::process::{Command, Stdio};
use support::faulty::{Fault, start};
use support::process::{Output, Process, run};
use support::services::{node, service, write};

fn micro(registry: &Path, words: &[&str]) -> Output {
    let file = ["--registry", "file", "--registry_address", registry.to_str().unwrap()];
    run(MICRO, file.into_iter().chain(words.iter().copied()), b"").unwrap()
}

#[test]
fn reading_prints_bytes_or_json_and_ends_with_0() {
    let folder = tempfile::tempdir().unwrap();
    let file =
        write(folder.path(), &[service("b.srv", &[node("b.srv-1", "127.0.0.1:9")]), service("a.srv", &[])]).unwrap();
    let output = micro(&file, &["list", "services"]);
    assert_eq!((output.code, output.stdout.as_str(), output.stderr.as_str()), (0, "a.srv\nb.srv\n", ""));
    let output = micro(&file, &["list", "services", "--json"]);
    assert_eq!(output.stdout, "[\"a.srv\",\"b.srv\"]\n");
    let output = micro(&file, &["get", "service", "b.srv"]);
    assert!(
        output.stdout.starts_with("service  b.srv\n\nversion 1.0.0\n\nID\tAddress\tMetadata\nb.srv-1\t127.0.0.1:9\t")
    );
    let output = micro(&file, &["get", "service", "b.srv", "--json"]);
    let data: Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!(data[0]["nodes"][0]["id"], json!("b.srv-1"));
}

#[test]
fn errors_go_to_stderr_with_their_exit_codes() {
    let folder = tempfile::tempdir().unwrap();
    let file = write(folder.path(), &[service("a.srv", &[])]).unwrap();
    for (words, code, text) in [
        (&["get", "service", "nope"][..], 1, "nope"),
        (&["get", "service"], 2, "get service"),
        (&["lst", "services"], 2, "did you mean `list services`"),
        (&["call", "a.srv", "Say.Hello", "{bad"], 2, "bad"),
        (&["--registri", "x", "bot"], 2, "--registry"),
        (&["list", "services", "--registry=file"], 2, "stands before the command"),
    ] {
        let output = micro(&file, words);
        assert_eq!((output.code, output.stdout.as_str()), (code, ""), "{words:?}: {}", output.stderr);
        assert!(output.stderr.contains(text), "{words:?}: {}", output.stderr);
    }
}

#[test]
fn a_dead_node_is_a_failure_only_when_asked() {
    let folder = tempfile::tempdir().unwrap();
    let dead = start(Fault::Refuses).unwrap();
    let file = write(folder.path(), &[service("a.srv", &[node("a.srv-1", &dead)])]).unwrap();
    assert_eq!(micro(&file, &["health", "a.srv"]).code, 0);
    let output = micro(&file, &["health", "a.srv", "--exit-code"]);
    assert_eq!(output.code, 1);
    assert!(output.stdout.contains("refused"), "{}", output.stdout);
}

#[test]
fn registering_in_a_file_outlives_the_command() {
    let folder = tempfile::tempdir().unwrap();
    let file = write(folder.path(), &[]).unwrap();
    let definition = service("new.srv", &[node("new.srv-1", "127.0.0.1:7")]).to_string();
    let output = micro(&file, &["register", "service", &definition]);
    assert_eq!((output.code, output.stdout.as_str()), (0, "ok\n"), "{}", output.stderr);
    assert_eq!(micro(&file, &["list", "services"]).stdout, "new.srv\n");
    let output = micro(&file, &["deregister", "service", &definition]);
    assert_eq!((output.code, output.stdout.as_str()), (0, "ok\n"), "{}", output.stderr);
    assert_eq!(micro(&file, &["list", "services"]).stdout, "\n");
}

#[test]
fn the_environment_sets_what_flags_set() {
    let folder = tempfile::tempdir().unwrap();
    let file = write(folder.path(), &[service("a.srv", &[])]).unwrap();
    let mut command = Command::new(MICRO);
    command.args(["list", "services"]).env_clear().env("MICRO_REGISTRY", "file").env("MICRO_REGISTRY_ADDRESS", &file);
    let output = command.output().unwrap();
    assert_eq!(output.stdout, b"a.srv\n");
}

#[test]
fn a_reader_that_has_gone_is_no_failure() {
    let mut command = Command::new(MICRO);
    let mut child = command.arg("--help").stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert!(child.wait().unwrap().success());

    let mut process = Process::start(MICRO, ["bot", "--demo"]).unwrap();
    process.ask("ping").unwrap();
    process.hush();
    for _ in 0..3 {
        // The bot may have left already.
        _ = process.say("ping");
    }
    process.end();
    assert_eq!(process.code().unwrap(), 0);
}
