//! `[server]` of the config: the program's own service.

use crate::registry::service::Metadata;
use crate::server::Options;
use section::{Problem, Section};
use serde::Deserialize;
use std::net::SocketAddr;
use std::time::Duration;

/// The section's keys and their defaults.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Its name in the registry.
    pub name: String,
    /// Its version in the registry.
    pub version: String,
    /// Its id; empty makes one.
    pub id: String,
    /// Where it listens: `:0` is a free port of every interface.
    pub address: String,
    /// The address that the registry is told; empty is the one it listens at.
    pub advertise: String,
    /// `k=v` of its node.
    pub metadata: Vec<String>,
    /// Seconds that an entry lives without renewal.
    pub register_ttl: u64,
    /// Seconds between renewals.
    pub register_interval: u64,
    /// The largest request, in bytes.
    pub max_message: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            name: String::new(),
            version: String::new(),
            id: String::new(),
            address: ":0".to_owned(),
            advertise: String::new(),
            metadata: Vec::new(),
            register_ttl: 60,
            register_interval: 30,
            max_message: Options::default().max_message,
        }
    }
}

/// Reads the section. An empty name or version is left to the program.
pub fn open(section: &Section) -> (Options, Vec<Problem>) {
    let (config, mut problems) = section.read::<Config>();
    let mut metadata = Metadata::new();
    for pair in &config.metadata {
        match pair.split_once('=') {
            Some((key, value)) if !key.is_empty() => _ = metadata.insert(key.to_owned(), value.to_owned()),
            _ => problems.push(Problem {
                place: section.place("metadata"),
                key: format!("{}.metadata", section.path()),
                text: format!("\"{pair}\" is no pair"),
                cure: "write key=value".to_owned(),
            }),
        }
    }
    if config.register_ttl > 0 && config.register_interval >= config.register_ttl {
        problems.push(Problem {
            place: section.place("register_interval"),
            key: format!("{}.register_interval", section.path()),
            text: format!(
                "renewing every {} s lets an entry of {} s expire",
                config.register_interval, config.register_ttl
            ),
            cure: "write at most half of register_ttl".to_owned(),
        });
    }
    if !is_address(&config.address) {
        problems.push(Problem {
            place: section.place("address"),
            key: format!("{}.address", section.path()),
            text: format!("nobody can listen at \"{}\"", config.address),
            cure: "write IP:PORT, or :PORT for every interface; port 0 is a free one".to_owned(),
        });
    }
    if config.max_message == 0 {
        problems.push(Problem {
            place: section.place("max_message"),
            key: format!("{}.max_message", section.path()),
            text: "no request fits into 0 bytes".to_owned(),
            cure: "write 16777216".to_owned(),
        });
    }
    let options = Options {
        name: config.name,
        version: config.version,
        id: config.id,
        address: everywhere(config.address),
        advertise: config.advertise,
        metadata,
        ttl: Duration::from_secs(config.register_ttl),
        interval: Duration::from_secs(config.register_interval),
        max_message: config.max_message,
        ..Options::default()
    };
    (options, problems)
}

/// Whether something can listen there: an IP and a port, or a port of every interface.
fn is_address(text: &str) -> bool {
    text.strip_prefix(':').map_or_else(
        || text.parse::<SocketAddr>().is_ok() || text.strip_prefix("localhost:").is_some_and(is_port),
        is_port,
    )
}

fn is_port(text: &str) -> bool {
    text.parse::<u16>().is_ok()
}

/// Go's `:8080` is every interface.
fn everywhere(address: String) -> String {
    if address.starts_with(':') { format!("0.0.0.0{address}") } else { address }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_and_times_are_checked() {
        for (address, fine) in
            [(":0", true), ("[::1]:80", true), ("localhost:1", true), ("8080", false), (":abc", false)]
        {
            assert_eq!(is_address(address), fine, "{address}");
        }
        let text = "[server]\nmetadata = [\"zone=a\", \"=b\"]\nregister_ttl = 10\nregister_interval = 10\n";
        let (options, problems) = open(&Section::parse("c.toml", text).unwrap().sub("server"));
        assert_eq!(options.metadata.get("zone").map(String::as_str), Some("a"));
        let text: Vec<_> = problems.iter().map(ToString::to_string).collect();
        insta::assert_snapshot!(text.join("\n"), @r#"
        c.toml:2: server.metadata: "=b" is no pair; write key=value
        c.toml:4: server.register_interval: renewing every 10 s lets an entry of 10 s expire; write at most half of register_ttl
        "#);
    }
}
