//! `micro`: the ChatOps bot for go-micro platforms, and its shell commands.

mod cli;
mod config;
mod daemon;
mod demo;
mod flags;
mod shell;
mod signal;
mod telemetry;

use cli::{Arguments, Verb};
use config::Config;
use daemon::Daemon;
use section::Problem;
use shell::{Outcome, complain};
use signal::Signals;
use std::io::Write;
use std::process::ExitCode;
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
    if !problems.is_empty() {
        return refuse(&problems);
    }
    telemetry::start(&config.log, config.colour);
    for ignored in &config.ignored {
        tracing::info!("{ignored}");
    }
    raise_file_limit();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            complain(&format!("cannot start: {error}"));
            return ExitCode::FAILURE;
        }
    };
    let code = runtime.block_on(run(arguments, config));
    runtime.shutdown_timeout(Duration::ZERO);
    code
}

async fn run(arguments: Arguments, config: Config) -> ExitCode {
    let mut signals = match Signals::listen() {
        Ok(signals) => signals,
        Err(error) => {
            complain(&format!("cannot take signals: {error}"));
            return ExitCode::FAILURE;
        }
    };
    match arguments.verb {
        Verb::Bot { demo, check } => bot(config, demo, check, &mut signals).await,
        Verb::Demo => {
            let closed = CancellationToken::new();
            until_second(demo::run(&config, closed.clone()), &closed, &mut signals).await
        }
        Verb::Line(line) => {
            let mut problems = Vec::new();
            let Some(registry) = daemon::registry(&config, &mut problems) else { return refuse(&problems) };
            match shell::run(&config, registry, line, &mut signals).await {
                Outcome::Done => ExitCode::SUCCESS,
                Outcome::Failed => ExitCode::FAILURE,
                Outcome::Usage => ExitCode::from(USAGE),
            }
        }
    }
}

async fn bot(config: Config, demo: bool, check: bool, signals: &mut Signals) -> ExitCode {
    let daemon = match Daemon::build(config) {
        Ok(daemon) => daemon,
        Err(problems) => return refuse(&problems),
    };
    if check {
        return say(&daemon.describe());
    }
    let closed = CancellationToken::new();
    until_second(daemon.run(demo, closed.clone()), &closed, signals).await
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
