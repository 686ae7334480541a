//! The command line: words in, [`Arguments`] out. Pure.

use crate::flags::{FLAGS, Flag, IGNORED, Scope, Value};
use clap::{Arg, ArgAction, ArgMatches, Command};
use std::ffi::OsString;
use std::path::PathBuf;

/// What was asked for.
#[derive(Debug)]
pub(crate) struct Arguments {
    /// What to do.
    pub verb: Verb,
    /// Flags that set config keys, in their order.
    pub set: Vec<(&'static Flag, Vec<String>)>,
    /// Old flags that do nothing here, with the reason.
    pub ignored: Vec<(&'static str, &'static str)>,
    /// `--config`.
    pub config: Option<PathBuf>,
}

/// What to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    /// `micro bot`.
    Bot {
        /// In-process registry and services.
        demo: bool,
        /// Explain the config and leave.
        check: bool,
    },
    /// `micro demo`.
    Demo,
    /// A command of the bot, from the shell.
    Line(Line),
}

/// A command of the bot as the shell gave it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// The line as a chat would have it.
    pub text: String,
    /// Its first word.
    pub word: String,
    /// The answer's data as JSON.
    pub json: bool,
    /// A dead node makes exit code 1.
    pub exit_code: bool,
}

/// Reads the command line.
///
/// # Errors
/// clap's: a usage error, or the text of `--help` and `--version`.
pub(crate) fn parse(words: impl IntoIterator<Item = OsString>) -> Result<Arguments, clap::Error> {
    let mut words = two_dashes(words);
    match words.get(1).and_then(|word| word.to_str()) {
        None => words.push("--help".into()),
        Some("-v") => words[1] = "--version".into(),
        Some("h") => words[1] = "help".into(),
        Some(_) => {}
    }
    let matches = command().try_get_matches_from(words)?;
    let ignored = IGNORED
        .iter()
        .filter(|(name, _, _)| matches.value_source(name).is_some())
        .map(|(name, _, reason)| (*name, *reason))
        .collect();
    let mut arguments =
        Arguments { verb: Verb::Demo, set: Vec::new(), ignored, config: matches.get_one::<PathBuf>("config").cloned() };
    collect(&matches, Scope::Global, &mut arguments.set);
    arguments.verb = match matches.subcommand() {
        Some(("bot", bot)) => {
            collect(bot, Scope::Bot, &mut arguments.set);
            arguments.config = bot.get_one::<PathBuf>("config").cloned().or(arguments.config);
            Verb::Bot { demo: bot.get_flag("demo"), check: bot.get_flag("check") }
        }
        Some(("demo", _)) => Verb::Demo,
        Some((word, rest)) => {
            let rest = rest.get_many::<OsString>("").unwrap_or_default();
            Verb::Line(line(word, rest.map(|word| word.to_string_lossy().into_owned()))?)
        }
        None => {
            return Err(
                command().error(clap::error::ErrorKind::MissingSubcommand, "no command; micro --help lists them")
            );
        }
    };
    Ok(arguments)
}

/// go-micro took one dash or two: `-registry=mdns`. What follows a command of the bot is the command's own.
fn two_dashes(words: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut all: Vec<OsString> = Vec::new();
    let (mut value_follows, mut ours) = (true, true);
    for word in words {
        let word = if ours { with_two_dashes(word) } else { word };
        let text = word.to_string_lossy();
        if !text.starts_with('-') && !value_follows && text != "bot" && text != "demo" {
            ours = false;
        }
        value_follows = text.starts_with('-') && !text.contains('=');
        drop(text);
        all.push(word);
    }
    all
}

fn with_two_dashes(word: OsString) -> OsString {
    let Some(text) = word.to_str() else { return word };
    let Some(rest) = text.strip_prefix('-').filter(|rest| !rest.starts_with('-')) else { return word };
    let name = rest.split('=').next().unwrap_or(rest);
    let known = FLAGS.iter().any(|flag| flag.name == name) || IGNORED.iter().any(|(known, _, _)| *known == name);
    if known { format!("--{rest}").into() } else { word }
}

fn collect(matches: &ArgMatches, scope: Scope, set: &mut Vec<(&'static Flag, Vec<String>)>) {
    for flag in FLAGS.iter().filter(|flag| flag.scope == scope) {
        if let Some(values) = matches.get_many::<String>(flag.name) {
            set.push((flag, values.cloned().collect()));
        }
    }
}

/// The words behind the first one, as one line of chat. The shell took the quotes off, so a word with blanks is put in
/// quotes again where it is no JSON.
fn line(word: &str, rest: impl Iterator<Item = String>) -> Result<Line, clap::Error> {
    let mut line = Line { text: word.to_owned(), word: word.to_owned(), json: false, exit_code: false };
    if line.word == "query" {
        "call".clone_into(&mut line.word);
        "call".clone_into(&mut line.text);
    }
    let mut names_service = ["call", "call!", "stream"].iter().any(|name| line.word.eq_ignore_ascii_case(name));
    let rest: Vec<String> = rest.collect();
    if let Some(at) = rest.iter().take(2).position(|word| word == "--help" || word == "-h") {
        let asked = rest[..at].iter().fold(line.text, |all, word| all + " " + word);
        return Ok(Line { text: format!("help {asked}"), word: "help".to_owned(), json: false, exit_code: false });
    }
    for word in rest {
        match word.as_str() {
            "--json" => line.json = true,
            "--exit-code" => line.exit_code = true,
            _ => {
                misplaced(&word)?;
                line.text.push(' ');
                if names_service && !word.starts_with('-') {
                    names_service = false;
                    line.text.push_str(&as_one_word(word));
                } else {
                    line.text.push_str(&quoted(word));
                }
            }
        }
    }
    Ok(line)
}

/// A service's name may have blanks.
fn as_one_word(word: String) -> String {
    if word.contains(char::is_whitespace) { commands::json::quoted(&word) } else { word }
}

fn quoted(word: String) -> String {
    match word.split_once('=') {
        Some((key, value)) if value.contains(char::is_whitespace) && !key.contains(['{', '"', '\'', '<', ' ']) => {
            if value.contains('\'') {
                format!("{key}={}", commands::json::quoted(value))
            } else {
                format!("{key}='{value}'")
            }
        }
        _ => word,
    }
}

/// Flags of the program stand before the command.
fn misplaced(word: &str) -> Result<(), clap::Error> {
    let name = word.trim_start_matches('-');
    let name = name.split('=').next().unwrap_or(name);
    if word.starts_with("--") && FLAGS.iter().any(|flag| flag.name == name && flag.scope == Scope::Global) {
        let text = format!("{word} stands before the command: micro {word} …");
        return Err(command().error(clap::error::ErrorKind::ArgumentConflict, text));
    }
    Ok(())
}

fn command() -> Command {
    let config = || {
        Arg::new("config")
            .long("config")
            .value_name("FILE")
            .value_parser(clap::value_parser!(PathBuf))
            .help("the config file, TOML; config.example.toml lists every key")
    };
    let bot = Command::new("bot")
        .about("Answer in chats and in this terminal")
        .next_line_help(true)
        .arg(config())
        .arg(switch("demo", "real services to try things on, in this process, on loopback only"))
        .arg(switch("check", "say all that is wrong with the config, or what would run, and leave"))
        .args(arguments(Scope::Bot));
    Command::new("micro")
        .version(concat!("version ", env!("CARGO_PKG_VERSION")))
        .about("The ChatOps bot for go-micro platforms, and its commands in the shell")
        .after_help(AFTER)
        .disable_help_subcommand(true)
        .allow_external_subcommands(true)
        .external_subcommand_value_parser(clap::value_parser!(OsString))
        .next_line_help(true)
        .arg(config())
        .args(arguments(Scope::Global))
        .args(
            IGNORED
                .iter()
                .map(|(name, _, _)| Arg::new(*name).long(*name).hide(true).num_args(0..=1).require_equals(false)),
        )
        .subcommand(bot)
        .subcommand(Command::new("demo").about("Run the demo's services in the chosen registry until a signal"))
}

fn switch(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).action(ArgAction::SetTrue).help(help)
}

fn arguments(scope: Scope) -> impl Iterator<Item = Arg> {
    FLAGS.iter().filter(move |flag| flag.scope == scope).map(|flag| {
        let arg = Arg::new(flag.name).long(flag.name).help(help(flag)).global(flag.scope == Scope::Global);
        match flag.value {
            Value::Bool => arg.num_args(0..=1).require_equals(true).default_missing_value("true").value_name("BOOL"),
            Value::List => arg.action(ArgAction::Append).value_name("LIST"),
            Value::Integer => arg.value_name("N"),
            Value::Period => arg.value_name("TIME"),
            Value::Text => arg.value_name(flag.name.rsplit('_').next().unwrap_or(flag.name).to_uppercase()),
        }
    })
}

/// Its line and its variable, within 80 columns.
fn help(flag: &Flag) -> String {
    let blank = if flag.help.len() + flag.env.len() > 66 { '\n' } else { ' ' };
    format!("{}{blank}[{}]", flag.help, flag.env)
}

const AFTER: &str = "\
Commands of the bot, in the shell:
  micro list services                    micro health SERVICE
  micro list nodes SERVICE               micro stats SERVICE
  micro get service SERVICE              micro call SERVICE ENDPOINT [REQUEST]
  micro register service JSON            micro stream SERVICE ENDPOINT [REQUEST]
  micro deregister service JSON          micro help [WORD]
  --json prints the answer's data; health --exit-code fails on a dead node

Exit codes: 0 done, 1 failed, 2 wrong usage, 78 wrong config, 130 left at a
second signal";

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &[&str]) -> Arguments {
        parse(std::iter::once("micro").chain(line.iter().copied()).map(OsString::from)).unwrap()
    }

    fn text(line: &[&str]) -> String {
        match parsed(line).verb {
            Verb::Line(line) => line.text,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn old_flags_take_one_dash_or_two_and_stand_before_the_command() {
        let arguments = parsed(&["-registry=file", "--registry_address", "a,b", "--registry_address", "c", "bot"]);
        let set: Vec<_> = arguments.set.iter().map(|(flag, values)| (flag.key, values.join("|"))).collect();
        assert_eq!(set, [("registry.name", "file".to_owned()), ("registry.address", "a,b|c".to_owned())]);
        assert_eq!(parsed(&["bot", "--registry", "file"]).set[0].1, ["file"]);
        let error = parse(["micro", "list", "services", "--registry=file"].map(OsString::from)).unwrap_err();
        assert!(error.to_string().contains("stands before the command"), "{error}");
    }

    #[test]
    fn a_shell_line_is_the_chat_line() {
        assert_eq!(text(&["call", "s", "Say.Hello", r#"{"name": "a  b"}"#]), r#"call s Say.Hello {"name": "a  b"}"#);
        assert_eq!(text(&["call", "s", "M.M", "name=John Smith", "n=1"]), "call s M.M name='John Smith' n=1");
        assert_eq!(text(&["call", "s", "M.M", "name=it's me"]), "call s M.M name=\"it's me\"");
        assert_eq!(text(&["call", "s", "M.M", r#"q=it's "\" x"#]), r#"call s M.M q="it's \"\\\" x""#);
        assert_eq!(text(&["query", "s", "M.M"]), "call s M.M");
        assert_eq!(text(&["call", "--help"]), "help call");
        assert_eq!(text(&["list", "services", "-h"]), "help list services");
        assert_eq!(text(&["call", "a b", "M.M", "{ }"]), "call \"a b\" M.M { }");
        assert_eq!(text(&["-registry", "file", "echo", "-server", "x"]), "echo -server x");
        assert_eq!(text(&["health", "s", "--exit-code", "--json"]), "health s");
    }

    #[test]
    fn flags_of_the_bot_stand_behind_it() {
        let arguments = parsed(&["bot", "--demo", "--register=false", "--inputs", "terminal", "--json"]);
        assert_eq!(arguments.verb, Verb::Bot { demo: true, check: false });
        let set: Vec<_> = arguments.set.iter().map(|(flag, values)| (flag.name, values.join("|"))).collect();
        assert_eq!(
            set,
            [("inputs", "terminal".to_owned()), ("register", "false".to_owned()), ("json", "true".to_owned())]
        );
    }

    #[test]
    fn help_fits_into_80_columns() {
        for words in [&["micro"][..], &["micro", "bot", "--help"]] {
            let help = parse(words.iter().map(OsString::from)).unwrap_err();
            assert_eq!(help.exit_code(), 0);
            let wide: Vec<_> = help.to_string().lines().filter(|line| line.len() > 80).map(str::to_owned).collect();
            assert_eq!(wide, [""; 0]);
        }
    }

    #[test]
    fn what_is_not_known_is_a_usage_error() {
        let error = parse(["micro", "--registri", "mdns", "bot"].map(OsString::from)).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().contains("--registry"), "{error}");
    }
}
