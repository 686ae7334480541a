//! `cargo xtask test`: every suite, with what it needs, and at the end what ran and what could not.

use crate::run::{cargo, complain, in_ci, root, say};
use regex::Regex;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Instant;

/// One run of Cargo.
struct Suite {
    name: &'static str,
    words: &'static [&'static str],
    /// Runs in a network of its own with nothing but loopback: these tests multicast on every interface. They are
    /// `#[ignore]`d elsewhere.
    alone: bool,
}

/// All of them. No suite of this version needs a server that is not part of the project; one that does gets its row
/// here, and brings, starts and stops its server itself.
const SUITES: &[Suite] = &[
    Suite { name: "unit and integration tests", words: &["test", "--workspace", "--all-targets"], alone: false },
    Suite { name: "examples in the docs", words: &["test", "--workspace", "--doc"], alone: false },
    Suite { name: "in a network of its own", words: &["test", "-p", "micro", "--lib", "--", "--ignored"], alone: true },
];

/// What a suite came to.
#[derive(Default)]
struct Count {
    passed: u64,
    failed: u64,
    ignored: u64,
    seconds: f64,
    broken: bool,
    skipped: Vec<String>,
}

pub(crate) fn run(times: u32) -> Result<(), String> {
    let mut table = Vec::new();
    for round in 1..=times {
        for suite in SUITES {
            if times > 1 {
                say(&format!("\n== round {round} of {times}: {}", suite.name));
            } else {
                say(&format!("\n== {}", suite.name));
            }
            table.push((suite.name, count(suite)?));
        }
    }
    report(&table)
}

/// Why a suite that needs a network of its own cannot have one here.
fn no_network() -> Option<&'static str> {
    let tried = Command::new("unshare").args(["--map-root-user", "--net", "ip", "link", "set", "lo", "up"]).output();
    match tried {
        Ok(output) if output.status.success() => None,
        Ok(_) => Some("this machine gives no network namespace (unshare --map-root-user --net ip link set lo up)"),
        Err(_) => Some("there is no unshare here (Debian: util-linux)"),
    }
}

/// Cargo, in a network of its own where the suite needs one. What it builds is there already, so it needs no other.
fn command(suite: &Suite) -> Command {
    let plain = cargo(suite.words);
    if !suite.alone {
        return plain;
    }
    let mut command = Command::new("unshare");
    command.current_dir(root()).args(["--map-root-user", "--net", "sh", "-c"]);
    command.arg("ip link set lo up && ip link set lo multicast on && exec \"$@\"").arg("sh");
    command.arg(plain.get_program()).arg("--offline").args(plain.get_args());
    command
}

fn count(suite: &Suite) -> Result<Count, String> {
    if let Some(why) = suite.alone.then(no_network).flatten() {
        return Ok(Count { skipped: vec![format!("{}: {why}", suite.name)], ..Count::default() });
    }
    let started = Instant::now();
    let mut child =
        command(suite).stdout(Stdio::piped()).spawn().map_err(|error| format!("cannot run cargo: {error}"))?;
    let mut count = Count::default();
    let result =
        Regex::new(r"test result: .*? (\d+) passed; (\d+) failed; (\d+) ignored").map_err(|e| e.to_string())?;
    let number = |text: Option<regex::Match<'_>>| text.and_then(|text| text.as_str().parse::<u64>().ok()).unwrap_or(0);
    for line in BufReader::new(child.stdout.take().ok_or("no stdout")?).lines() {
        let line = line.map_err(|error| error.to_string())?;
        if let Some(found) = result.captures(&line) {
            count.passed += number(found.get(1));
            count.failed += number(found.get(2));
            count.ignored += number(found.get(3));
        }
        if let Some((_, why)) = line.split_once("SKIPPED: ") {
            count.skipped.push(why.to_owned());
        }
        let noise = line.is_empty() || line.starts_with("running ") || line.ends_with(" ... ok");
        if !noise {
            say(&line);
        }
    }
    count.broken = !child.wait().map_err(|error| error.to_string())?.success();
    count.seconds = started.elapsed().as_secs_f64();
    Ok(count)
}

fn report(table: &[(&str, Count)]) -> Result<(), String> {
    say("\nWhat ran");
    for (name, count) in table {
        let state = if count.broken { "FAILED" } else { "ok" };
        say(&format!(
            "  {state:<7} {name}: {} passed, {} failed, {} ignored, {:.0} s",
            count.passed, count.failed, count.ignored, count.seconds
        ));
    }
    let skipped: Vec<_> = table.iter().flat_map(|(_, count)| &count.skipped).collect();
    let ignored: u64 = table.iter().map(|(_, count)| count.ignored).sum();
    // What is ignored in one suite has to run in the one that is for it.
    let alone = SUITES.iter().filter(|suite| suite.alone).map(|suite| suite.name);
    let caught: u64 =
        alone.flat_map(|name| table.iter().filter(move |row| row.0 == name)).map(|row| row.1.passed).sum();
    let left_out = ignored.saturating_sub(caught);
    say("What could not run");
    if skipped.is_empty() && left_out == 0 {
        say("  nothing: every test ran");
    }
    if left_out > 0 {
        complain(&format!("  {left_out} ignored tests ran nowhere"));
    }
    for why in &skipped {
        complain(&format!("  SKIPPED {why}"));
    }
    if table.iter().any(|(_, count)| count.broken) {
        return Err("a suite failed".to_owned());
    }
    if in_ci() && (left_out > 0 || !skipped.is_empty()) {
        return Err("in CI every test has to run".to_owned());
    }
    Ok(())
}
