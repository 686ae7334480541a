//! `[client]` of the config.

use crate::client::{Family, Options};
use section::{Period, Problem, Section};
use serde::Deserialize;
use std::time::Duration;

/// The section's keys and their defaults.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How to call nodes that say nothing of themselves: `mucp`, `grpc`; empty asks them.
    pub family: String,
    /// One limit over all tries of a call.
    pub request_timeout: Period,
    /// The longest a single try may take.
    pub attempt_timeout: Period,
    /// Tries after the first, where no handler can have run.
    pub retries: u32,
    /// Idle connections kept a node.
    pub pool_size: usize,
    /// How long an idle connection is kept.
    pub pool_ttl: Period,
    /// The largest answer, in bytes.
    pub max_message: usize,
    /// Which node gets a call: `random`, `roundrobin`.
    pub selector: String,
}

impl Default for Config {
    fn default() -> Self {
        let options = Options::default();
        Self {
            family: String::new(),
            request_timeout: Period(options.timeout),
            attempt_timeout: Period(options.attempt),
            retries: options.retries,
            pool_size: options.pool_size,
            pool_ttl: Period(options.pool_ttl),
            max_message: options.max_message,
            selector: options.strategy,
        }
    }
}

/// What the old tools called their cached random selector (TOOLKIT §6.1).
const RANDOM: [&str; 4] = ["random", "default", "cache", "registry"];

/// Reads the section; the caller's name is set by whoever calls.
pub fn open(section: &Section) -> (Options, Vec<Problem>) {
    let (config, mut problems) = section.read::<Config>();
    let mut wrong = |key: &str, text: String, cure: &str| {
        let place = section.place(key);
        problems.push(Problem { place, key: format!("{}.{key}", section.path()), text, cure: cure.to_owned() });
    };
    let family = match config.family.as_str() {
        "" => Family::Probe,
        "mucp" | "rpc" => Family::Mucp,
        "grpc" => Family::Grpc,
        other => {
            wrong("family", format!("client \"{other}\" not found"), "known: grpc, mucp");
            Family::Probe
        }
    };
    let strategy = match config.selector.as_str() {
        name if RANDOM.contains(&name) => "random",
        "roundrobin" => "roundrobin",
        other => {
            wrong("selector", format!("selector \"{other}\" not found"), "known: random, roundrobin");
            "random"
        }
    };
    if config.request_timeout.0 < Duration::from_millis(1) {
        wrong("request_timeout", format!("{} is too short for any call", config.request_timeout), "write 5s");
    }
    if config.max_message == 0 {
        wrong("max_message", "no answer fits into 0 bytes".to_owned(), "write 16777216");
    }
    let options = Options {
        timeout: config.request_timeout.0,
        attempt: config.attempt_timeout.0,
        dial: config.attempt_timeout.0,
        retries: config.retries,
        pool_size: config.pool_size,
        pool_ttl: config.pool_ttl.0,
        max_message: config.max_message,
        family,
        strategy: strategy.to_owned(),
        ..Options::default()
    };
    (options, problems)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_keys_are_the_options_defaults() {
        let (options, problems) = open(&Section::default());
        assert_eq!((format!("{options:?}"), problems.len()), (format!("{:?}", Options::default()), 0));
    }

    #[test]
    fn unknown_names_list_the_known_ones() {
        let section = Section::parse("c.toml", "[client]\nfamily = \"thrift\"\nselector = \"dns\"\n").unwrap();
        let (_, problems) = open(&section.sub("client"));
        let text: Vec<_> = problems.iter().map(ToString::to_string).collect();
        insta::assert_snapshot!(text.join("\n"), @r#"
        c.toml:2: client.family: client "thrift" not found; known: grpc, mucp
        c.toml:3: client.selector: selector "dns" not found; known: random, roundrobin
        "#);
    }
}
