//! What a line costs on a pipe.

use crate::bench::Bench;
use crate::bench::bot::Bot;
use crate::bench::figure::{Row, median, micros_each};
use serde_json::{Value, json};
use std::path::Path;
use std::time::Instant;
use support::services;
use tempfile::TempDir;

/// A folder with a registry file.
fn registry(services: &[Value]) -> Result<(TempDir, String), String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let path = services::write(folder.path(), services).map_err(|error| error.to_string())?;
    Ok((folder, path.display().to_string()))
}

fn start(binary: &Path, path: &str) -> Result<Bot, String> {
    Bot::start(binary, ["--registry", "file", "--registry_address", path, "bot"])
}

/// CPU per `ping`, with ten command services and with a thousand.
pub(crate) fn ping(bench: &Bench) -> Result<Vec<Row>, String> {
    let lines = bench.amount(100_000);
    let bots = |count: usize| {
        let node = |at: usize| node(&format!("c{at}"), &bench.peer.mucp);
        let commands: Vec<_> =
            (0..count).map(|at| services::service(&format!("go.micro.bot.word{at}"), &[node(at)])).collect();
        let (folder, path) = registry(&commands)?;
        let mut bot = start(&bench.binary, &path)?;
        bot.ask("ping")?;
        bot.settle()?;
        let answer = bot.ask(&format!("word{}", count - 1))?;
        if answer != "done" {
            return Err(format!("the last of {count} commands answered {answer:?}"));
        }
        Ok((folder, bot))
    };
    let (_few, mut few) = bots(10)?;
    let (_many, mut many) = bots(1_000)?;
    let (mut with_few, mut with_many) = (Vec::new(), Vec::new());
    for _ in 0..bench.rounds(5) {
        with_few.push(micros_each(few.flood(&["ping"], lines, lines)?, lines));
        with_many.push(micros_each(many.flood(&["ping"], lines, lines)?, lines));
    }
    let (few, many) = (median(&with_few), median(&with_many));
    let note = format!("median of {} rounds of {lines}, 10 command services", with_few.len());
    Ok(vec![
        Row::below("CPU per ping", few, 10.0, "µs", note),
        Row::below("CPU per ping, 1,000 commands / 10", many / few, 1.3, "×", format!("{many:.1} / {few:.1} µs")),
    ])
}

/// A node that says that it may keep connections.
fn node(id: &str, address: &str) -> Value {
    json!({"id": id, "address": address, "metadata": {"protocol": "mucp", "server": "rpc", "transport": "http"}})
}

/// `list services`, 20,000 times: the last quarter against the first.
pub(crate) fn list(bench: &Bench) -> Result<Vec<Row>, String> {
    const SERVICES: usize = 100;
    let each = bench.amount(20_000) / 4;
    let names: Vec<_> = (0..SERVICES)
        .map(|at| services::service(&format!("go.micro.srv.s{at:03}"), &[node("n", "127.0.0.1:9")]))
        .collect();
    let (_folder, path) = registry(&names)?;
    let mut bot = start(&bench.binary, &path)?;
    bot.ask_many("list services", SERVICES)?;
    let mut quarters = Vec::new();
    for _ in 0..4 {
        let cpu = bot.flood(&["list services"], each, each * SERVICES)?;
        bot.settle()?;
        quarters.push((micros_each(cpu, each), bot.memory()?.resident));
    }
    let ((first, small), (last, large)) = (quarters[0], quarters[3]);
    let note = format!("CPU per call, last quarter {last:.0} / first {first:.0} µs, {SERVICES} services");
    let sizes: Vec<_> = quarters.iter().map(|(_, size)| format!("{size:.1}")).collect();
    let grown = format!("{} MiB after the quarters of {each} calls", sizes.join(", "));
    Ok(vec![
        Row::below(format!("list services {} times, slower", 4 * each), last / first, 1.2, "×", note),
        Row::below(format!("list services {} times, grown", 4 * each), large - small, 1.0, "MiB", grown),
    ])
}

/// `health` of a thousand nodes, three of which never answer.
pub(crate) fn health(bench: &Bench) -> Result<Vec<Row>, String> {
    const NODES: usize = 1_000;
    const TIMEOUT: f64 = 5.0;
    let deaf = [100, 500, 900];
    let nodes: Vec<_> = (0..NODES)
        .map(|at| {
            let address = if deaf.contains(&at) { &bench.peer.deaf } else { &bench.peer.mucp };
            node(&format!("n{at:04}"), address)
        })
        .collect();
    let (_folder, path) = registry(&[services::service("go.micro.srv.big", &nodes)])?;
    let mut bot = Bot::start(&bench.binary, ["--registry", "file", "--registry_address", &path, "bot", "--json"])?;
    bot.ask("ping")?;
    let started = Instant::now();
    let answer = bot.ask("health go.micro.srv.big")?;
    let took = started.elapsed().as_secs_f64();
    let answer: Value = serde_json::from_str(&answer).map_err(|error| error.to_string())?;
    let text = answer["text"].as_str().unwrap_or_default();
    let well = text.lines().filter(|line| line.contains(&bench.peer.mucp) && line.ends_with("ok")).count();
    if well != NODES - deaf.len() {
        return Err(format!(
            "{well} of {NODES} nodes are well:\n{}",
            text.lines().take(8).collect::<Vec<_>>().join("\n")
        ));
    }
    let note = format!("{took:.2} s with 3 deaf nodes and a limit of 5 s; {well} nodes answered");
    Ok(vec![Row::below(format!("health of {NODES} nodes / one timeout"), took / TIMEOUT, 1.5, "×", note)])
}
