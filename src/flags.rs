//! Every flag that sets a config key: its old name, its variable, its key. One row a flag; the command line, the
//! environment, `--help` and the README's table are all made from it.

/// What a flag's value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    /// Text.
    Text,
    /// Yes or no: `--register`, `--register=false`.
    Bool,
    /// A whole number.
    Integer,
    /// A time: `500ms`, `5s`, `1m30s`.
    Period,
    /// Several texts: repeated, or with commas.
    List,
}

/// One flag.
#[derive(Debug)]
pub(crate) struct Flag {
    /// Its name, as go-micro had it.
    pub name: &'static str,
    /// Its variable.
    pub env: &'static str,
    /// The config key that it sets.
    pub key: &'static str,
    /// What it takes.
    pub value: Value,
    /// Where it stands: before the command, or behind `bot`.
    pub scope: Scope,
    /// One line for `--help`.
    pub help: &'static str,
}

/// Where a flag stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Before the command.
    Global,
    /// Behind `micro bot`.
    Bot,
}

const fn global(name: &'static str, env: &'static str, key: &'static str, value: Value, help: &'static str) -> Flag {
    Flag { name, env, key, value, scope: Scope::Global, help }
}

const fn bot(name: &'static str, env: &'static str, key: &'static str, value: Value, help: &'static str) -> Flag {
    Flag { name, env, key, value, scope: Scope::Bot, help }
}

/// Every flag (TOOLKIT §6.1; `--log_format`, `--max_message`, `--limit`, `--drain` are new).
pub(crate) const FLAGS: &[Flag] = &[
    global("registry", "MICRO_REGISTRY", "registry.name", Value::Text, "where services are found: mdns, file, memory"),
    global(
        "registry_address",
        "MICRO_REGISTRY_ADDRESS",
        "registry.address",
        Value::List,
        "its address: a path for file, INTERFACE-IP[:PORT] for mdns",
    ),
    global(
        "client",
        "MICRO_CLIENT",
        "client.family",
        Value::Text,
        "how to call nodes that say nothing of themselves: mucp, grpc",
    ),
    global(
        "client_request_timeout",
        "MICRO_CLIENT_REQUEST_TIMEOUT",
        "client.request_timeout",
        Value::Period,
        "one limit over all tries of a call",
    ),
    global(
        "client_retries",
        "MICRO_CLIENT_RETRIES",
        "client.retries",
        Value::Integer,
        "tries after the first, where no handler can have run",
    ),
    global(
        "client_pool_size",
        "MICRO_CLIENT_POOL_SIZE",
        "client.pool_size",
        Value::Integer,
        "idle connections kept a node",
    ),
    global(
        "client_pool_ttl",
        "MICRO_CLIENT_POOL_TTL",
        "client.pool_ttl",
        Value::Period,
        "how long an idle connection is kept",
    ),
    global("max_message", "MICRO_MAX_MESSAGE", "client.max_message", Value::Integer, "the largest answer, in bytes"),
    global("selector", "MICRO_SELECTOR", "client.selector", Value::Text, "which node gets a call: random, roundrobin"),
    global("server_name", "MICRO_SERVER_NAME", "server.name", Value::Text, "the bot's own name in the registry"),
    global(
        "server_version",
        "MICRO_SERVER_VERSION",
        "server.version",
        Value::Text,
        "the bot's own version in the registry",
    ),
    global("server_id", "MICRO_SERVER_ID", "server.id", Value::Text, "the bot's own id; empty makes one"),
    global(
        "server_address",
        "MICRO_SERVER_ADDRESS",
        "server.address",
        Value::Text,
        "where the bot's Debug.* and the demo listen",
    ),
    global(
        "server_advertise",
        "MICRO_SERVER_ADVERTISE",
        "server.advertise",
        Value::Text,
        "the address that the registry is told",
    ),
    global("server_metadata", "MICRO_SERVER_METADATA", "server.metadata", Value::List, "k=v of the bot's own node"),
    global(
        "register_ttl",
        "MICRO_REGISTER_TTL",
        "server.register_ttl",
        Value::Integer,
        "seconds that an entry lives without renewal",
    ),
    global(
        "register_interval",
        "MICRO_REGISTER_INTERVAL",
        "server.register_interval",
        Value::Integer,
        "seconds between renewals",
    ),
    global(
        "log_level",
        "MICRO_LOG_LEVEL",
        "log.level",
        Value::Text,
        "error, warn, info, debug, trace, or a filter: warn,micro=debug",
    ),
    global("log_format", "MICRO_LOG_FORMAT", "log.format", Value::Text, "human or json"),
    bot("inputs", "MICRO_BOT_INPUTS", "bot.inputs", Value::List, "the chats to live in: terminal"),
    bot("namespace", "MICRO_BOT_NAMESPACE", "bot.namespace", Value::Text, "the prefix of services that are commands"),
    bot("register", "MICRO_BOT_REGISTER", "bot.register", Value::Bool, "register the bot itself as a service"),
    bot("limit", "MICRO_BOT_LIMIT", "bot.limit", Value::Period, "how long a command may run"),
    bot("drain", "MICRO_BOT_DRAIN", "bot.drain", Value::Period, "how long running commands may take at shutdown"),
    bot("json", "MICRO_BOT_JSON", "terminal.json", Value::Bool, "on a pipe: one JSON object a reply"),
];

/// Old flags that are understood and do nothing here, with the reason that is said once.
pub(crate) const IGNORED: &[(&str, &str, &str)] = &[
    ("report_usage", "MICRO_REPORT_USAGE", "nothing is ever reported"),
    ("server", "MICRO_SERVER", "the server answers mucp and gRPC on one port"),
    ("broker", "MICRO_BROKER", "this version has no broker"),
    ("broker_address", "MICRO_BROKER_ADDRESS", "this version has no broker"),
    ("transport", "MICRO_TRANSPORT", "this version has the http transport only"),
    ("transport_address", "MICRO_TRANSPORT_ADDRESS", "this version has the http transport only"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_variables_and_keys_are_unique() {
        for pick in [|flag: &Flag| flag.name, |flag: &Flag| flag.env, |flag: &Flag| flag.key] {
            let mut all: Vec<_> = FLAGS.iter().map(pick).collect();
            all.sort_unstable();
            let before = all.len();
            all.dedup();
            assert_eq!(all.len(), before);
        }
    }

    #[test]
    fn the_readme_lists_every_flag() {
        let readme = include_str!("../README.md");
        for Flag { name, env, key, help, .. } in FLAGS {
            let row = format!("| `--{name}` | `{env}` | `{key}` | {help} |");
            assert!(readme.contains(&row), "README.md lacks: {row}");
        }
    }
}
