//! How the bot ends.

use crate::MICRO;
use nix::sys::signal::Signal;
use std::time::Duration;
use support::faulty::{Fault, watched};
use support::process::{PATIENCE, Process};
use support::services::{node, service, write};

#[test]
fn sigterm_ends_a_quiet_bot_with_0() {
    let mut bot = Process::start(MICRO, ["bot", "--demo"]).unwrap();
    assert_eq!(bot.ask("ping").unwrap(), "pong");
    bot.signal(Signal::SIGTERM).unwrap();
    assert_eq!(bot.code().unwrap(), 0);
}

#[test]
fn what_runs_at_sigterm_is_still_answered() {
    let folder = tempfile::tempdir().unwrap();
    let (late, requests) = watched(Fault::Late(Duration::from_secs(1))).unwrap();
    let file = write(folder.path(), &[service("late.srv", &[node("late.srv-1", &late)])]).unwrap();
    let words = ["--registry", "file", "--registry_address", file.to_str().unwrap(), "bot"];
    let mut bot = Process::start(MICRO, words).unwrap();
    assert_eq!(bot.ask("ping").unwrap(), "pong");
    bot.say("call late.srv Say.Hello {}").unwrap();
    bot.say("ping").unwrap();
    requests.recv_timeout(PATIENCE).unwrap();
    bot.signal(Signal::SIGTERM).unwrap();
    assert_eq!(bot.line().unwrap(), "{");
    assert!(bot.line().unwrap().contains("too late"));
    assert_eq!(bot.code().unwrap(), 0);
}

#[test]
fn a_second_signal_leaves_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let (deaf, requests) = watched(Fault::Deaf).unwrap();
    let file = write(folder.path(), &[service("deaf.srv", &[node("deaf.srv-1", &deaf)])]).unwrap();
    let words = ["--registry", "file", "--registry_address", file.to_str().unwrap(), "--log_level", "info", "bot"];
    let mut bot = Process::start(MICRO, words).unwrap();
    assert_eq!(bot.ask("ping").unwrap(), "pong");
    bot.say("call deaf.srv Say.Hello --timeout 1h {}").unwrap();
    requests.recv_timeout(PATIENCE).unwrap();
    // Two signals that come at once are one to the system.
    assert_eq!(bot.signal_until_gone(Signal::SIGTERM).unwrap(), 130);
}
