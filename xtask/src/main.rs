//! The project's own chores: `cargo xtask test | bench | tidy`.

mod bench;
mod run;
mod test;
mod tidy;

use clap::{Arg, ArgAction, Command};
use std::process::ExitCode;

fn main() -> ExitCode {
    let flag = |name: &'static str, help: &'static str| Arg::new(name).long(name).action(ArgAction::SetTrue).help(help);
    let matches = Command::new("xtask")
        .about("The project's own chores")
        .subcommand_required(true)
        .subcommand(
            Command::new("test").about("Every test, with what it needs; says what ran and what could not").arg(
                Arg::new("times")
                    .long("times")
                    .value_name("N")
                    .value_parser(clap::value_parser!(u32).range(1..))
                    .default_value("1")
                    .help("run the suites N times in a row"),
            ),
        )
        .subcommand(
            Command::new("bench")
                .about("Measure the release build, side by side with bare loops; prints ratios")
                .arg(flag("quick", "fewer rounds"))
                .arg(Arg::new("only").value_name("NAME").num_args(0..).help("only these figures")),
        )
        .subcommand(Command::new("peer").about("Answers what `bench` asks").hide(true).arg(Arg::new("awake")))
        .subcommand(Command::new("tidy").about("The invariants of ARCHITECTURE.md that neither Cargo nor a lint holds"))
        .get_matches();
    let done = match matches.subcommand() {
        Some(("test", test)) => test::run(test.get_one("times").copied().unwrap_or(1)),
        Some(("bench", bench)) => {
            let only: Vec<_> = bench.get_many::<String>("only").unwrap_or_default().cloned().collect();
            bench::run(bench.get_flag("quick"), &only)
        }
        Some(("peer", peer)) => bench::peer::serve(peer.contains_id("awake")),
        _ => tidy::run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(text) => {
            run::complain(&text);
            ExitCode::FAILURE
        }
    }
}
