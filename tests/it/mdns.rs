//! Two processes that find each other over mdns, on loopback and a port of their own.

use crate::MICRO;
use nix::sys::signal::Signal;
use std::net::UdpSocket;
use std::time::Duration;
use support::process::Process;

/// A free port of loopback, as `127.0.0.1:port`.
fn address() -> String {
    UdpSocket::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).unwrap().to_string()
}

fn start(address: &str, words: &[&str]) -> Process {
    let registry = ["--registry", "mdns", "--registry_address", address];
    Process::start(MICRO, registry.iter().chain(words)).unwrap()
}

const CALL: &str = "call go.micro.srv.greeter Say.Hello --raw name=John";
const GREETED: &str = r#"{"msg":"Hello John"}"#;

#[test]
fn services_of_another_process_come_and_go() {
    let address = address();
    let mut bot = start(&address, &["bot"]);
    assert_eq!(bot.ask("ping").unwrap(), "pong");
    let demo = start(&address, &["demo"]);
    bot.until(CALL, |answer| answer == GREETED).unwrap();
    bot.until("demo", |answer| answer.starts_with("node 2 of go.micro.srv.greeter is well")).unwrap();
    demo.signal(Signal::SIGTERM).unwrap();
    bot.until(CALL, |answer| answer.starts_with("error executing cmd: ")).unwrap();
    bot.until("demo", |answer| !answer.starts_with("node 2")).unwrap();
    bot.signal(Signal::SIGTERM).unwrap();
    assert_eq!(bot.code().unwrap(), 0);
}

#[test]
fn a_process_that_is_killed_is_forgotten() {
    let address = address();
    let mut bot = start(&address, &["bot"]);
    let demo = start(&address, &["demo"]);
    bot.until("demo", |answer| answer.starts_with("node 2")).unwrap();
    demo.signal(Signal::SIGKILL).unwrap();
    bot.until("demo", |answer| answer.contains("I do not know")).unwrap();
}

#[test]
fn what_the_shell_registers_is_there_until_its_signal_however_it_was_typed() {
    let address = address();
    let mut bot = start(&address, &["bot", "--register=false"]);
    let definition = r#"'{"name":"by.hand","version":"1","nodes":[{"id":"by.hand-1","address":"127.0.0.1:9"}]}'"#;
    let mut shell = start(&address, &["REGISTER", "service", definition]);
    assert_eq!(shell.line().unwrap(), "ok");
    bot.until("list services", |answer| answer == "by.hand").unwrap();
    shell.signal(Signal::SIGTERM).unwrap();
    assert_eq!(shell.code().unwrap(), 0);
    // A name without a node goes with its farewell; a lapse would take half a minute.
    let (_, took) = bot.until("list services", str::is_empty).unwrap();
    assert!(took < Duration::from_secs(15), "{took:?}");
}

#[test]
fn the_bot_is_a_service_itself_unless_told_otherwise() {
    let address = address();
    let bot = start(&address, &["bot"]);
    let mut asker = start(&address, &["bot", "--register=false"]);
    asker.until("list services", |answer| answer == "go.micro.bot").unwrap();
    drop(bot);
}
