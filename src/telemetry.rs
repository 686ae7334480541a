//! Logs: to stderr, for people or as JSON. Answers never go there, and logs never to stdout.

use crate::config::LogConfig;
use std::io::IsTerminal;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// A level, or a filter such as `warn,micro=debug`.
///
/// # Errors
/// The part that is neither: a bare word that is no level is a slip, not a target.
pub(crate) fn filter(level: &str) -> Result<Targets, String> {
    for part in level.split(',') {
        let (target, level) = part.split_once('=').map_or((None, part), |(target, level)| (Some(target), level));
        if level.parse::<LevelFilter>().is_err() || target.is_some_and(|target| target.trim().is_empty()) {
            return Err(part.to_owned());
        }
    }
    level.parse().map_err(|_| level.to_owned())
}

/// Starts logging; a second call does nothing.
pub(crate) fn start(log: &LogConfig, colour: bool) {
    let Ok(filter) = filter(&log.level) else { return };
    let layer = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let registry = tracing_subscriber::registry().with(filter);
    let started = if log.format == "json" {
        registry.with(layer.json().flatten_event(true)).try_init()
    } else {
        registry.with(layer.with_ansi(colour && std::io::stderr().is_terminal()).with_target(false)).try_init()
    };
    if let Err(error) = started {
        tracing::debug!(%error, "logging was started before");
    }
}
