//! From the start of the process to the first reply.

use crate::bench::Bench;
use crate::bench::bot::Bot;
use crate::bench::figure::{Row, median, millis, quantile};
use std::process::{Command, Stdio};
use std::time::Instant;

/// The ways to start it that people use. mdns is kept on loopback, away from whatever else is in the network.
pub(crate) const WAYS: &[(&str, &[&str])] =
    &[("bot", &["--registry_address", "127.0.0.1:25353", "bot"]), ("bot --demo", &["bot", "--demo"])];

pub(crate) fn measure(bench: &Bench) -> Result<Vec<Row>, String> {
    let mut bare = Vec::new();
    let mut ours = vec![(Vec::new(), Vec::new()); WAYS.len()];
    for _ in 0..bench.rounds(31) {
        bare.push(nothing()?);
        for ((_, words), (times, cpus)) in WAYS.iter().zip(&mut ours) {
            let started = Instant::now();
            let mut bot = Bot::start(&bench.binary, *words)?;
            let answer = bot.ask("ping")?;
            times.push(millis(started.elapsed()));
            cpus.push(millis(bot.cpu()?));
            if answer != "pong" {
                return Err(format!("ping was answered with {answer:?}"));
            }
        }
    }
    let row = |((name, _), (times, cpus)): (&(&str, _), &(Vec<f64>, Vec<f64>))| {
        let note = format!(
            "median of {}; fastest {:.1} ms; CPU {:.1} ms; `true` takes {:.1} ms",
            times.len(),
            quantile(times, 0.0),
            median(cpus),
            median(&bare)
        );
        Row::below(format!("{name}: start to first reply"), median(times), 8.0, "ms", note)
    };
    Ok(WAYS.iter().zip(&ours).map(row).collect())
}

/// What the start of any process takes here.
fn nothing() -> Result<f64, String> {
    let started = Instant::now();
    let done = Command::new("true").env_clear().stdin(Stdio::null()).stdout(Stdio::null()).status();
    done.map_err(|error| format!("cannot run true: {error}"))?;
    Ok(millis(started.elapsed()))
}
