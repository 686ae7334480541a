//! The binary from outside.

#![expect(clippy::unwrap_used, reason = "a test")]

mod config;
mod faults;
mod mdns;
mod pipe;
mod shell;
mod signals;

/// The binary under test.
const MICRO: &str = env!("CARGO_BIN_EXE_micro");
