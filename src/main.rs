//! `micro`: the ChatOps bot for go-micro platforms, and its shell commands.

mod cli;
mod config;
mod daemon;
mod demo;
mod flags;
mod shell;
mod signal;
mod telemetry;

use cli::{Line, Verb};
use config::Config;
use daemon::Daemon;
use micro::registry::Registry;
use section::Problem;
use shell::{Outcome, complain};
use signal::Signals;
use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Wrong usage.
const USAGE: u8 = 2;
/// Wrong config: `EX_CONFIG` of sysexits.h.
const CONFIG: u8 = 78;
/// Left at a second signal: 128 + SIGINT.
const LEFT: u8 = 130;

fn main() -> ExitCode {
    let arguments = match cli::parse(std::env::args_os()) {
        Ok(arguments) => arguments,
        Err(error) => return explain(&error),
    };
    let (config, problems) = config::load(&arguments, &config::environment);
    telemetry::start(&config.log, config.colour);
    let work = match prepare(arguments.verb, config, problems) {
        Ok(Work::Check(text)) => return say(&text),
        Ok(work) => work,
        Err(problems) => return refuse(&problems),
    };
    raise_file_limit();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            complain(&format!("cannot start: {error}"));
            return ExitCode::FAILURE;
        }
    };
    let code = runtime.block_on(run(work));
    runtime.shutdown_timeout(Duration::ZERO);
    code
}

/// What was asked for, put together and not yet begun.
enum Work {
    /// `micro bot`.
    Bot(Daemon),
    /// `micro bot --check`: what would run.
    Check(String),
    /// `micro demo`.
    Demo(Config, Arc<dyn Registry>),
    /// A command in the shell.
    Line(Config, Arc<dyn Registry>, Line),
}

/// Opens nothing.
fn prepare(verb: Verb, config: Config, mut problems: Vec<Problem>) -> Result<Work, Vec<Problem>> {
    for ignored in &config.ignored {
        tracing::warn!("{ignored}");
    }
    if let Verb::Bot { demo, check } = verb {
        let daemon = Daemon::build(config, demo, problems)?;
        return Ok(if check { Work::Check(daemon.describe()) } else { Work::Bot(daemon) });
    }
    let registry = daemon::registry(&config, &mut problems);
    let Some(registry) = registry.filter(|_| problems.is_empty()) else { return Err(problems) };
    Ok(match verb {
        Verb::Line(line) => Work::Line(config, registry, line),
        _ => Work::Demo(config, registry),
    })
}

async fn run(work: Work) -> ExitCode {
    let mut signals = match Signals::listen() {
        Ok(signals) => signals,
        Err(error) => {
            complain(&format!("cannot take signals: {error}"));
            return ExitCode::FAILURE;
        }
    };
    let closed = CancellationToken::new();
    match work {
        Work::Bot(daemon) => until_second(daemon.run(closed.clone()), &closed, &mut signals).await,
        Work::Demo(config, registry) => {
            until_second(demo::run(&config, &registry, closed.clone()), &closed, &mut signals).await
        }
        Work::Line(config, registry, line) => match shell::run(&config, registry, line, &mut signals).await {
            Outcome::Done => ExitCode::SUCCESS,
            Outcome::Failed => ExitCode::FAILURE,
            Outcome::Usage => ExitCode::from(USAGE),
        },
        Work::Check(text) => say(&text),
    }
}

/// Runs until it is done; the first signal asks it to stop, the second does not wait.
async fn until_second(
    work: impl Future<Output = micro::error::Result<()>>,
    closed: &CancellationToken,
    signals: &mut Signals,
) -> ExitCode {
    tokio::select! {
        done = work => match done {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                complain(&error.to_string());
                ExitCode::FAILURE
            }
        },
        () = signals.twice(closed) => ExitCode::from(LEFT),
    }
}

fn explain(error: &clap::Error) -> ExitCode {
    _ = error.print();
    if error.exit_code() == 0 { ExitCode::SUCCESS } else { ExitCode::from(USAGE) }
}

fn refuse(problems: &[Problem]) -> ExitCode {
    for problem in problems {
        complain(&problem.to_string());
    }
    ExitCode::from(CONFIG)
}

/// Writes to stdout; a reader that has gone is no failure.
fn say(text: &str) -> ExitCode {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => ExitCode::FAILURE,
        _ => ExitCode::SUCCESS,
    }
}

/// A call a node needs a descriptor a call: as many as the system lets us have.
fn raise_file_limit() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
        && soft < hard
        && let Err(error) = setrlimit(Resource::RLIMIT_NOFILE, hard, hard)
    {
        tracing::warn!(%error, soft, hard, "the limit of open files stays low");
    }
}
