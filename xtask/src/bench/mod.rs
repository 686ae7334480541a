//! `cargo xtask bench`: the release build against its bounds. Wall-clock times of a shared machine say little, so the
//! figures are CPU per operation, and ratios of runs that take turns within one measurement.

mod bot;
mod calls;
mod figure;
mod memory;
pub(crate) mod peer;
mod pipe;
mod probe;
mod senders;
mod start;

use crate::run::{cargo, complain, output, root, say};
use figure::Row;
use peer::Peer;
use serde_json::Value;
use std::path::PathBuf;
use std::process::Command;

/// What the figures measure with.
struct Bench {
    /// Fewer rounds.
    quick: bool,
    /// The release build of the product.
    binary: PathBuf,
    /// Who answers.
    peer: Peer,
}

impl Bench {
    /// How often, where `full` is right for a figure that is to be written down.
    fn rounds(&self, full: usize) -> usize {
        if self.quick { full.div_ceil(3) } else { full }
    }

    /// How much in one round.
    fn amount(&self, full: usize) -> usize {
        if self.quick { full.div_ceil(4) } else { full }
    }
}

/// A figure, or a family of them that is measured together.
struct Figure {
    /// What `cargo xtask bench NAME` calls it.
    name: &'static str,
    measure: fn(&Bench) -> Result<Vec<Row>, String>,
}

const FIGURES: &[Figure] = &[
    Figure { name: "start", measure: start::measure },
    Figure { name: "memory", measure: memory::measure },
    Figure { name: "ping", measure: pipe::ping },
    Figure { name: "list", measure: pipe::list },
    Figure { name: "senders", measure: senders::measure },
    Figure { name: "health", measure: pipe::health },
    Figure { name: "dial", measure: calls::dial },
    Figure { name: "grpc", measure: calls::grpc },
    Figure { name: "kept", measure: calls::kept },
];

pub(crate) fn run(quick: bool, only: &[String]) -> Result<(), String> {
    let known: Vec<_> = FIGURES.iter().map(|figure| figure.name).collect();
    if let Some(unknown) = only.iter().find(|name| !known.contains(&name.as_str())) {
        return Err(format!("no figure is called {unknown}; known: {}", known.join(", ")));
    }
    if cfg!(debug_assertions) {
        return in_release(quick, only);
    }
    let binary = target()?.join("release/micro");
    let bench = Bench { quick, binary, peer: Peer::start(false)? };
    let mut missed = Vec::new();
    say(&Row::heading());
    for figure in FIGURES.iter().filter(|figure| only.is_empty() || only.iter().any(|name| name == figure.name)) {
        match (figure.measure)(&bench) {
            Ok(rows) => {
                for row in rows {
                    say(&row.line());
                    missed.extend(row.missed());
                }
            }
            Err(why) => {
                complain(&format!("  FAILED {}: {why}", figure.name));
                missed.push(format!("{} (not measured)", figure.name));
            }
        }
    }
    if missed.is_empty() {
        say("every bound is met");
    } else {
        say(&format!("NOT MET: {}", missed.join("; ")));
    }
    Ok(())
}

/// Builds what is measured and what measures it, both in release, and goes on there.
fn in_release(quick: bool, only: &[String]) -> Result<(), String> {
    let built = cargo(&["build", "--release", "--package", "micro-bot", "--package", "xtask"])
        .status()
        .map_err(|error| format!("cannot run cargo: {error}"))?;
    if !built.success() {
        return Err("the release build failed".to_owned());
    }
    let mut again = Command::new(target()?.join("release/xtask"));
    again.arg("bench").args(quick.then_some("--quick")).args(only);
    // The environment of the product under test is empty; this one only tells where Cargo is.
    let done = again.env("CARGO", env!("CARGO")).status().map_err(|error| format!("cannot run xtask: {error}"))?;
    if done.success() { Ok(()) } else { Err("the benchmark failed".to_owned()) }
}

/// Where Cargo puts what it builds.
fn target() -> Result<PathBuf, String> {
    let text = output(&mut cargo(&["metadata", "--format-version", "1", "--no-deps", "--locked"]))?;
    let metadata: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    Ok(metadata["target_directory"].as_str().map_or_else(|| root().join("target"), PathBuf::from))
}
