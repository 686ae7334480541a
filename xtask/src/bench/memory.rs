//! What is resident: at rest, and after many lines.

use crate::bench::Bench;
use crate::bench::bot::Bot;
use crate::bench::figure::Row;
use crate::bench::probe::Memory;
use crate::bench::start::WAYS;

/// What people type: known, unknown, with and without arguments, and nothing that waits for others (mdns takes its time
/// for `list services`). With `--json` each is answered in one line.
const TALK: &[&str] = &["ping", "echo the quick brown fox", "hello", "hep", "time", "help ping"];
/// As the issue says.
const LINES: usize = 50_000;

pub(crate) fn measure(bench: &Bench) -> Result<Vec<Row>, String> {
    let mut rows = Vec::new();
    for (name, words) in WAYS {
        let mut bot = Bot::start(&bench.binary, words.iter().chain(&["--json"]))?;
        bot.ask("ping")?;
        bot.settle()?;
        rows.push(row(format!("{name}: resident at rest"), bot.memory()?, 15.0));
        bot.flood(TALK, LINES, LINES)?;
        bot.settle()?;
        rows.push(row(format!("{name}: resident after {LINES} lines"), bot.memory()?, 20.0));
    }
    Ok(rows)
}

fn row(what: String, memory: Memory, bound: f64) -> Row {
    let note = format!("heap and stacks {:.1} MiB, the rest are pages of the binary", memory.anonymous);
    Row::below(what, memory.resident, bound, "MiB", note)
}
