//! File, environment and flags become a [`Config`]: flag over environment over file over default. The only reader of the
//! environment, and of the config's files.

use crate::cli::{Arguments, Verb};
use crate::flags::{FLAGS, Flag, IGNORED, Value};
use bot::policy::{Policy, Rule};
use micro::open::REGISTRIES;
use micro::{client, server};
use section::{Period, Place, Problem, Section};
use serde::Deserialize;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The sections of a config file that are not chats.
const SECTIONS: [&str; 6] = ["bot", "log", "registry", "client", "server", "policy"];

/// The largest config file or secret, in bytes.
const MAX_FILE: u64 = 1 << 20;

/// Everything that was decided before anything runs.
#[derive(Debug)]
pub(crate) struct Config {
    /// `[bot]`.
    pub bot: BotConfig,
    /// `[log]`.
    pub log: LogConfig,
    /// `[registry]`.
    pub registry: RegistryConfig,
    /// `[client]`.
    pub client: client::Options,
    /// `[server]`.
    pub server: server::Options,
    /// `[policy.NAME]`.
    pub policy: Policy,
    /// The names of the policy's rules.
    pub rules: Vec<String>,
    /// The whole tree, for the chats' sections.
    pub tree: Section,
    /// Where values came from, for `--check`.
    pub sources: Vec<String>,
    /// What is understood and does nothing, with the reason.
    pub ignored: Vec<String>,
    /// Whether the registry was chosen on the command line.
    pub registry_flag: bool,
    /// Whether people want colours.
    pub colour: bool,
}

/// `[bot]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct BotConfig {
    /// The chats to live in; none: those that have a section, else the terminal.
    pub inputs: Vec<String>,
    /// The prefix of services that are commands.
    pub namespace: String,
    /// Register the bot itself as a service.
    pub register: bool,
    /// How long a command may run.
    pub limit: Period,
    /// How long running commands may take at shutdown.
    pub drain: Period,
    /// Commands that run at once.
    pub running: usize,
    /// Messages that wait in one conversation.
    pub waiting: usize,
}

impl Default for BotConfig {
    fn default() -> Self {
        let options = bot::bot::Options::default();
        Self {
            inputs: Vec::new(),
            namespace: "go.micro.bot".to_owned(),
            register: true,
            limit: Period(options.limit),
            drain: Period(options.drain),
            running: options.running,
            waiting: options.waiting,
        }
    }
}

/// `[log]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct LogConfig {
    /// A level or a filter.
    pub level: String,
    /// `human` or `json`.
    pub format: String,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { level: "warn".to_owned(), format: "human".to_owned() }
    }
}

/// `[registry]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RegistryConfig {
    /// Which one.
    pub name: String,
    /// Where it is.
    pub address: Vec<String>,
}

impl Default for RegistryConfig {
    fn default() -> Self {
        Self { name: "mdns".to_owned(), address: Vec::new() }
    }
}

/// The process's environment.
pub(crate) fn environment(name: &str) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "this file is the environment's only reader")]
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Puts a config together. Every problem is found; the config is usable only if there is none.
pub(crate) fn load(arguments: &Arguments, environment: &dyn Fn(&str) -> Option<String>) -> (Config, Vec<Problem>) {
    let mut sources = Vec::new();
    let (mut tree, mut problems) = file(arguments, environment, &mut sources);
    variables(&mut tree, environment, &mut problems, &mut sources);
    flags(&mut tree, arguments, &mut problems, &mut sources);
    problems.append(&mut tree.resolve(&mut |text| secret(text, environment)));
    if let Verb::Bot { demo: true, .. } = arguments.verb {
        let place = || Place::Flag("--demo".into());
        tree.set("registry.name", toml::Value::String("memory".to_owned()), place());
        tree.set("registry.address", toml::Value::Array(Vec::new()), place());
        tree.set("bot.register", toml::Value::Boolean(false), place());
    }
    set_terminal(&mut tree, environment);
    let mut config = read(tree, &mut problems);
    config.sources = sources;
    config.registry_flag = arguments.set.iter().any(|(flag, _)| flag.key == "registry.name");
    config.colour = environment("NO_COLOR").is_none();
    config.ignored = ignored(arguments, environment);
    demo(arguments, &mut config, &mut problems);
    problems.sort_by_key(order);
    (config, problems)
}

/// What the environment says about the terminal: whether it is coloured, and where its history is unless that is set.
fn set_terminal(tree: &mut Section, environment: &dyn Fn(&str) -> Option<String>) {
    let place = |name: &str| Place::Environment(name.into());
    if environment("NO_COLOR").is_some() {
        tree.set("terminal.colour", toml::Value::Boolean(false), place("NO_COLOR"));
    }
    let home = || environment("HOME").map(|home| (PathBuf::from(home).join(".local/state"), "HOME"));
    let state = environment("XDG_STATE_HOME").map(|state| (PathBuf::from(state), "XDG_STATE_HOME"));
    if let Some((state, name)) = state.filter(|(state, _)| state.is_absolute()).or_else(home)
        && tree.sub("terminal").place("history") == Place::Default
        && let Ok(path) = state.join("micro/history").into_os_string().into_string()
    {
        tree.set("terminal.history", toml::Value::String(path), place(name));
    }
}

/// The order in which problems are shown: the file's by line, then variables, then flags.
pub(crate) fn order(problem: &Problem) -> (u8, usize) {
    match &problem.place {
        Place::Line { line, .. } => (0, *line),
        Place::Environment(_) => (1, 0),
        Place::Flag(_) => (2, 0),
        Place::Default => (3, 0),
    }
}

fn file(
    arguments: &Arguments,
    environment: &dyn Fn(&str) -> Option<String>,
    sources: &mut Vec<String>,
) -> (Section, Vec<Problem>) {
    let from_variable = || environment("MICRO_BOT_CONFIG").map(|path| (PathBuf::from(path), "MICRO_BOT_CONFIG"));
    let Some((path, how)) = arguments.config.clone().map(|path| (path, "--config")).or_else(from_variable) else {
        return (Section::default(), Vec::new());
    };
    let name = path.display().to_string();
    let problem = |text: String| Problem {
        place: if how == "--config" { Place::Flag(how.into()) } else { Place::Environment(how.into()) },
        key: String::new(),
        text,
        cure: "config.example.toml lists every key".to_owned(),
    };
    match text(&path) {
        Err(error) => (Section::default(), vec![problem(format!("cannot read {name}: {error}"))]),
        Ok(text) => {
            sources.push(format!("file {name}"));
            match Section::parse(&name, &text) {
                Ok(section) => (section, Vec::new()),
                Err(problems) => (Section::default(), problems),
            }
        }
    }
}

fn text(path: &Path) -> Result<String, String> {
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(|error| plain(&error))?;
    file.take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(|error| plain(&error))?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(format!("it is longer than {MAX_FILE} bytes"));
    }
    String::from_utf8(bytes).map_err(|error| format!("not UTF-8 at byte {}", error.utf8_error().valid_up_to()))
}

/// The system's words without its number.
fn plain(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_lowercase()
}

fn variables(
    tree: &mut Section,
    environment: &dyn Fn(&str) -> Option<String>,
    problems: &mut Vec<Problem>,
    sources: &mut Vec<String>,
) {
    for flag in FLAGS {
        if let Some(text) = environment(flag.env) {
            sources.push(format!("environment {}", flag.env));
            set(tree, flag, &[text], Place::Environment(flag.env.into()), problems);
        }
    }
}

fn flags(tree: &mut Section, arguments: &Arguments, problems: &mut Vec<Problem>, sources: &mut Vec<String>) {
    for (flag, values) in &arguments.set {
        let name = format!("--{}", flag.name);
        sources.push(format!("flag {name}"));
        set(tree, flag, values, Place::Flag(name.into()), problems);
    }
}

fn set(tree: &mut Section, flag: &Flag, values: &[String], place: Place, problems: &mut Vec<Problem>) {
    match value(flag.value, values) {
        Ok(value) => tree.set(flag.key, value, place),
        Err((text, cure)) => {
            problems.push(Problem { place, key: flag.key.to_owned(), text, cure: cure.to_owned() });
        }
    }
}

/// A flag's texts as the value of its key, or what is wrong and its cure.
fn value(kind: Value, values: &[String]) -> Result<toml::Value, (String, &'static str)> {
    let last = values.last().map(|value| value.trim()).unwrap_or_default();
    match kind {
        Value::Text | Value::Period => Ok(toml::Value::String(last.to_owned())),
        Value::Integer => match last.parse() {
            Ok(number) => Ok(toml::Value::Integer(number)),
            Err(_) => Err((format!("\"{last}\" is no whole number"), "write digits")),
        },
        Value::Bool => match last.to_ascii_lowercase().as_str() {
            "1" | "t" | "true" | "yes" | "on" => Ok(toml::Value::Boolean(true)),
            "0" | "f" | "false" | "no" | "off" => Ok(toml::Value::Boolean(false)),
            _ => Err((format!("\"{last}\" is neither yes nor no"), "write true or false")),
        },
        Value::List => {
            let items = values.iter().flat_map(|value| value.split(',')).map(str::trim).filter(|item| !item.is_empty());
            Ok(toml::Value::Array(items.map(|item| toml::Value::String(item.to_owned())).collect()))
        }
    }
}

/// `env:NAME` and `file:PATH`.
fn secret(text: &str, environment: &dyn Fn(&str) -> Option<String>) -> Option<Result<String, String>> {
    if let Some(name) = text.strip_prefix("env:") {
        return Some(environment(name).ok_or_else(|| format!("the environment has no {name}")));
    }
    let path = text.strip_prefix("file:")?;
    let read = self::text(Path::new(path)).map(|text| text.trim_end_matches(['\r', '\n']).to_owned());
    Some(read.map_err(|error| format!("cannot read {path}: {error}")))
}

fn read(tree: Section, problems: &mut Vec<Problem>) -> Config {
    let chats = adapters::ADAPTERS.iter().map(|kind| kind.name);
    problems.append(&mut tree.unknown_tables(&SECTIONS.iter().copied().chain(chats).collect::<Vec<_>>()));
    problems.append(&mut tree.read::<Nothing>().1);
    let (bot, mut found) = tree.sub("bot").read::<BotConfig>();
    problems.append(&mut found);
    check_bot(&tree.sub("bot"), &bot, problems);
    let (log, mut found) = tree.sub("log").read::<LogConfig>();
    problems.append(&mut found);
    check_log(&tree.sub("log"), &log, problems);
    let registry = registry(&tree.sub("registry"), problems);
    let (client, mut found) = client::config::open(&tree.sub("client"));
    problems.append(&mut found);
    let (server, mut found) = server::config::open(&tree.sub("server"));
    problems.append(&mut found);
    let (policy, rules) = policy(&tree.sub("policy"), problems);
    Config {
        bot,
        log,
        registry,
        client,
        server,
        policy,
        rules,
        tree,
        sources: Vec::new(),
        ignored: Vec::new(),
        registry_flag: false,
        colour: true,
    }
}

/// The root has no keys of its own.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Nothing {}

fn wrong(section: &Section, key: &str, text: String, cure: impl Into<String>) -> Problem {
    Problem { place: section.place(key), key: format!("{}.{key}", section.path()), text, cure: cure.into() }
}

fn check_bot(section: &Section, bot: &BotConfig, problems: &mut Vec<Problem>) {
    let known = || adapters::ADAPTERS.iter().map(|kind| kind.name).collect::<Vec<_>>().join(", ");
    for (at, input) in bot.inputs.iter().enumerate() {
        if bot.inputs[..at].contains(input) {
            problems.push(wrong(section, "inputs", format!("input \"{input}\" stands twice"), "name it once"));
        }
        let kind = input.split('.').next().unwrap_or(input);
        if kind == "hipchat" {
            problems.push(wrong(section, "inputs", "hipchat was discontinued in 2019".to_owned(), "take it out"));
        } else if !adapters::ADAPTERS.iter().any(|row| row.name == kind) {
            let cure = format!("known: {}", known());
            problems.push(wrong(section, "inputs", format!("input \"{input}\" not found"), cure));
        }
    }
    if bot.namespace.is_empty() || bot.namespace.ends_with('.') {
        let text = format!("\"{}\" is no prefix of service names", bot.namespace);
        problems.push(wrong(section, "namespace", text, "write go.micro.bot"));
    }
    for (key, number) in [("running", bot.running), ("waiting", bot.waiting)] {
        if number == 0 {
            problems.push(wrong(section, key, "0 would let no command run".to_owned(), "write at least 1"));
        }
    }
    if bot.limit.0 < Duration::from_millis(1) {
        problems.push(wrong(section, "limit", format!("{} lets no command finish", bot.limit), "write 30s"));
    }
}

fn check_log(section: &Section, log: &LogConfig, problems: &mut Vec<Problem>) {
    if !["human", "json"].contains(&log.format.as_str()) {
        problems.push(wrong(
            section,
            "format",
            format!("log format \"{}\" not found", log.format),
            "known: human, json",
        ));
    }
    if let Err(part) = crate::telemetry::filter(&log.level) {
        let text = format!("\"{part}\" is no log level");
        problems.push(wrong(section, "level", text, "write error, warn, info, debug, trace, or warn,micro=debug"));
    }
}

fn registry(section: &Section, problems: &mut Vec<Problem>) -> RegistryConfig {
    let (registry, mut found) = section.read::<RegistryConfig>();
    problems.append(&mut found);
    let known: Vec<_> = REGISTRIES.iter().map(|kind| kind.name).collect();
    problems.append(&mut section.unknown_tables(&known));
    if !known.contains(&registry.name.as_str()) {
        let mut known = known;
        known.sort_unstable();
        let text = format!("registry \"{}\" not found", registry.name);
        problems.push(wrong(section, "name", text, format!("known: {}", known.join(", "))));
    }
    registry
}

fn policy(section: &Section, problems: &mut Vec<Problem>) -> (Policy, Vec<String>) {
    problems.append(&mut section.read::<Nothing>().1);
    let mut rules = Vec::new();
    for name in section.tables() {
        let rule = section.sub(name);
        problems.append(&mut rule.unknown_tables(&[]));
        let (read, mut found) = rule.read::<Rule>();
        problems.append(&mut found);
        if read.rooms.is_empty() && read.senders.is_empty() {
            problems.push(Problem {
                place: section.place(name),
                key: rule.path().to_owned(),
                text: "a rule for everyone everywhere opens too much".to_owned(),
                cure: "narrow it by rooms or senders".to_owned(),
            });
        }
        rules.push((name.to_owned(), read));
    }
    let names = rules.iter().map(|(name, _)| name.clone()).collect();
    (Policy::new(rules), names)
}

/// The demo stays on loopback unless it is told otherwise.
fn demo(arguments: &Arguments, config: &mut Config, problems: &mut Vec<Problem>) {
    match arguments.verb {
        Verb::Demo if config.registry.name == "memory" => {
            let text = "only the process itself sees its memory".to_owned();
            problems.push(wrong(&config.tree.sub("registry"), "name", text, "use mdns or file, or micro bot --demo"));
        }
        Verb::Demo if config.registry.name == "mdns" && config.registry.address.is_empty() => {
            config.registry.address.push("127.0.0.1".to_owned());
        }
        Verb::Demo if config.registry.name == "file" && !config.registry_flag => {
            let text = "the demo writes into a file only if the command line says so".to_owned();
            problems.push(wrong(&config.tree.sub("registry"), "name", text, "write micro --registry file … demo"));
        }
        _ => {}
    }
    let loopback = matches!(arguments.verb, Verb::Demo | Verb::Bot { demo: true, .. });
    if loopback && config.tree.sub("server").place("address") == Place::Default {
        "127.0.0.1:0".clone_into(&mut config.server.address);
    }
}

fn ignored(arguments: &Arguments, environment: &dyn Fn(&str) -> Option<String>) -> Vec<String> {
    let flags = arguments.ignored.iter().map(|(name, reason)| format!("--{name}: {reason}"));
    let variables = IGNORED.iter().filter(|(_, variable, _)| environment(variable).is_some());
    flags.chain(variables.map(|(_, variable, reason)| format!("{variable}: {reason}"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use std::ffi::OsString;

    fn loaded(line: &[&str], environment: &[(&str, &str)]) -> (Config, Vec<String>) {
        let words = std::iter::once("micro").chain(line.iter().copied()).map(OsString::from);
        let environment: BTreeMap<_, _> = environment.iter().copied().collect();
        let (config, problems) =
            load(&crate::cli::parse(words).unwrap(), &|name| environment.get(name).map(ToString::to_string));
        (config, problems.iter().map(ToString::to_string).collect())
    }

    #[cfg(feature = "mdns")]
    #[test]
    fn a_flag_wins_over_the_environment_over_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c.toml");
        std::fs::write(&path, "[client]\nretries = 2\npool_size = 2\nrequest_timeout = \"2s\"\n").unwrap();
        let path = path.to_str().unwrap();
        let environment = [("MICRO_CLIENT_RETRIES", "3"), ("MICRO_CLIENT_POOL_SIZE", "3")];
        let (config, problems) = loaded(&["--client_retries", "4", "bot", "--config", path], &environment);
        assert_eq!(problems, [""; 0]);
        let client = &config.client;
        assert_eq!((client.retries, client.pool_size, client.timeout), (4, 3, Duration::from_secs(2)));
    }

    #[test]
    fn every_problem_is_shown_with_place_key_and_cure() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c.toml");
        std::fs::write(
            &path,
            "[bot]\nlimt = \"5s\"\n[log]\nformat = \"xml\"\n[policy.all]\ncommands = [\"call\"]\n[slak]\n",
        )
        .unwrap();
        let (_, problems) = loaded(
            &["--config", path.to_str().unwrap(), "bot", "--inputs", "hipchat,telex"],
            &[("MICRO_CLIENT_RETRIES", "often"), ("MICRO_LOG_LEVEL", "wran"), ("MICRO_REGISTRY", "memory")],
        );
        let text = problems.join("\n").replace(path.to_str().unwrap(), "c.toml");
        insta::assert_snapshot!(text, @r#"
        c.toml:2: bot.limt: unknown key; did you mean `limit`? known: inputs, namespace, register, limit, drain, running, waiting
        c.toml:4: log.format: log format "xml" not found; known: human, json
        c.toml:5: policy.all: a rule for everyone everywhere opens too much; narrow it by rooms or senders
        c.toml:7: slak: unknown section; known: bot, log, registry, client, server, policy, terminal
        environment MICRO_CLIENT_RETRIES: client.retries: "often" is no whole number; write digits
        environment MICRO_LOG_LEVEL: log.level: "wran" is no log level; write error, warn, info, debug, trace, or warn,micro=debug
        flag --inputs: bot.inputs: hipchat was discontinued in 2019; take it out
        flag --inputs: bot.inputs: input "telex" not found; known: terminal
        "#);
    }

    #[test]
    fn an_unknown_registry_names_the_known_ones() {
        let (_, problems) = loaded(&["--registry", "zookeeper", "bot"], &[]);
        let known = REGISTRIES.iter().map(|kind| kind.name).collect::<std::collections::BTreeSet<_>>();
        let known = known.into_iter().collect::<Vec<_>>().join(", ");
        let text = format!("flag --registry: registry.name: registry \"zookeeper\" not found; known: {known}");
        assert_eq!(problems, [text]);
    }

    #[test]
    fn a_config_without_end_and_an_input_twice_are_problems() {
        let (_, problems) = loaded(&["--config", "/dev/zero", "bot", "--inputs", "terminal,terminal"], &[]);
        insta::assert_snapshot!(problems.join("\n"), @r#"
        flag --config: cannot read /dev/zero: it is longer than 1048576 bytes; config.example.toml lists every key
        flag --inputs: bot.inputs: input "terminal" stands twice; name it once
        "#);
    }

    #[test]
    fn a_secret_may_be_in_the_environment() {
        let found = secret("env:TOKEN", &|name| (name == "TOKEN").then(|| "x".to_owned()));
        assert_eq!(found, Some(Ok("x".to_owned())));
        assert_eq!(secret("env:NONE", &|_| None), Some(Err("the environment has no NONE".to_owned())));
        assert_eq!(secret("plain", &|_| None), None);
    }

    #[test]
    fn the_environment_says_where_the_history_is_and_whether_colours_are_wanted() {
        let terminal = |text: &str, variables: &[(&str, &str)]| {
            let mut tree = Section::parse("c.toml", text).unwrap();
            let find =
                |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).into());
            set_terminal(&mut tree, &find);
            let (config, problems) = tree.sub("terminal").read::<adapters::terminal::Config>();
            assert_eq!(problems, []);
            (config.history.to_str().unwrap().to_owned(), config.colour)
        };
        assert_eq!(terminal("", &[]), (String::new(), true));
        assert_eq!(terminal("", &[("HOME", "/h"), ("NO_COLOR", "1")]), ("/h/.local/state/micro/history".into(), false));
        assert_eq!(terminal("", &[("HOME", "/h"), ("XDG_STATE_HOME", "/s")]).0, "/s/micro/history");
        assert_eq!(terminal("", &[("HOME", "/h"), ("XDG_STATE_HOME", "s")]).0, "/h/.local/state/micro/history");
        assert_eq!(terminal("[terminal]\nhistory = \"\"", &[("HOME", "/h")]).0, "");
    }

    #[cfg(feature = "mdns")]
    #[test]
    fn the_example_lists_every_key_with_its_default() {
        let text = include_str!("../config.example.toml");
        let live: String = text
            .lines()
            .map(|line| match line.strip_prefix("# ") {
                Some(rest) if rest.starts_with('[') || rest.split_once(" = ").is_some_and(|(key, _)| is_key(key)) => {
                    rest
                }
                _ => line,
            })
            .fold(String::new(), |all, line| all + line + "\n");
        let tree = Section::parse("config.example.toml", &live).unwrap_or_else(|problems| panic!("{problems:?}"));
        let mut problems = Vec::new();
        let config = read(tree, &mut problems);
        assert_eq!(problems, []);
        let mut none = Vec::new();
        let default = read(Section::default(), &mut none);
        assert_eq!(config.bot, BotConfig { inputs: vec!["terminal".to_owned()], ..default.bot });
        assert_eq!(config.log, default.log);
        assert_eq!(config.registry, default.registry);
        assert_eq!(format!("{:?}", config.client), format!("{:?}", default.client));
        assert_eq!(format!("{:?}", config.server), format!("{:?}", default.server));
        for flag in FLAGS {
            let (section, key) = flag.key.split_once('.').unwrap();
            assert_ne!(config.tree.sub(section).place(key), Place::Default, "{} is missing", flag.key);
        }
    }

    fn is_key(text: &str) -> bool {
        text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
    }
}
