//! The bot's commands in the shell: one line in, the answer on stdout, an error on stderr.

use crate::cli::Line;
use crate::config::Config;
use crate::daemon;
use crate::signal::Signals;
use async_trait::async_trait;
use bot::bot::{Bot, Options, Parts};
use bot::command::{CommandError, CommandErrorKind, Sink};
use bot::message::{Address, Body, Message, Place, Sender};
use bot::policy::Policy;
use bot::reply::Reply;
use commands::Kit;
use micro::registry::Registry;
use std::io::{ErrorKind, Write};
use std::sync::Arc;
use std::time::SystemTime;

/// How a shell command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Answered.
    Done,
    /// Failed, or a node is dead and `--exit-code` asked.
    Failed,
    /// Typed wrongly.
    Usage,
}

/// Runs one line.
pub(crate) async fn run(config: &Config, registry: Arc<dyn Registry>, line: Line, signals: &mut Signals) -> Outcome {
    let kit = daemon::kit(config, Arc::clone(&registry));
    let bot = match bot(config, &kit) {
        Ok(bot) => bot,
        Err(lines) => {
            complain(&lines.join("\n"));
            return Outcome::Failed;
        }
    };
    let known = is_known(&kit, &line.word);
    let asked = bot.once(message(&line.text), Arc::new(Stdout { json: line.json }));
    let answer = tokio::select! {
        answer = asked => answer,
        () = signals.next() => Err(CommandError::new(CommandErrorKind::Cancelled, "stopped")),
    };
    match answer {
        Ok(reply) => {
            print(&reply, line.json);
            stay(&registry, &line, signals).await;
            if line.exit_code && !is_well(&reply) { Outcome::Failed } else { Outcome::Done }
        }
        Err(error) => {
            complain(&error.text);
            if error.kind == CommandErrorKind::Usage || !known { Outcome::Usage } else { Outcome::Failed }
        }
    }
}

fn bot(config: &Config, kit: &Kit) -> Result<Bot, Vec<String>> {
    let parts = Parts {
        adapters: Vec::new(),
        commands: commands::table(kit),
        words: tokio::sync::watch::channel(Arc::default()).1,
        policy: Policy::default(),
        journal: None,
    };
    Bot::new(Options { limit: config.bot.limit.0, ..Options::default() }, parts)
}

/// Whether a command begins with the word; the bot's own three are none of the table.
fn is_known(kit: &Kit, word: &str) -> bool {
    let word = word.trim_end_matches('!');
    let own = ["help", "stop", "whoami"].into_iter().map(str::to_owned);
    let table = commands::table(kit);
    let names = table.iter().filter_map(|command| command.spec().name.split(' ').next().map(str::to_owned));
    names.chain(own).any(|name| name.eq_ignore_ascii_case(word))
}

fn message(text: &str) -> Message {
    let name = "shell".to_owned();
    let address = Address { adapter: "shell".into(), space: String::new(), room: name.clone(), thread: None };
    Message {
        id: None,
        at: SystemTime::now(),
        from: Sender { id: Some(name.clone()), name, roles: Vec::new(), external: false },
        place: Place { address, only: None, under: None, via: None },
        direct: true,
        body: Body::Text { text: text.to_owned(), raw: text.to_owned() },
        files: Vec::new(),
    }
}

/// The parts of an answer, printed as they come.
struct Stdout {
    json: bool,
}

#[async_trait]
impl Sink for Stdout {
    async fn show(&self, _progress: Reply) {}

    async fn say(&self, part: Reply) -> Result<(), CommandError> {
        if print(&part, self.json) {
            Ok(())
        } else {
            Err(CommandError::new(CommandErrorKind::Cancelled, "nobody reads on"))
        }
    }
}

/// Prints an answer and its newline; false if nobody reads it any more.
fn print(reply: &Reply, json: bool) -> bool {
    if reply.is_nothing() {
        return true;
    }
    let mut text = match (&reply.data, json) {
        (Some(data), true) => data.get().to_owned(),
        _ => reply.said().into_owned(),
    };
    text.push('\n');
    let mut stdout = std::io::stdout().lock();
    let written = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
    match written {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => false,
        Err(error) => {
            complain(&format!("cannot write: {error}"));
            false
        }
        Ok(()) => true,
    }
}

/// An error, on stderr; a stderr that is gone cannot be told.
pub(crate) fn complain(text: &str) {
    _ = writeln!(std::io::stderr(), "{text}");
}

/// Where an entry dies with the process, `register` stays until a signal and takes the entry out.
async fn stay(registry: &Arc<dyn Registry>, line: &Line, signals: &mut Signals) {
    let json = line.text.strip_prefix("register service ").or_else(|| line.text.strip_prefix("register "));
    let Some(json) = json.filter(|_| line.word == "register" && !registry.outlives()) else { return };
    complain(&format!("{} forgets an entry when its process ends: staying until Ctrl-C", registry.name()));
    signals.next().await;
    let gone = match serde_json::from_str(json) {
        Ok(service) => registry.deregister(&service).await,
        Err(_) => Ok(()),
    };
    if let Err(error) = gone {
        complain(&format!("cannot deregister: {error}"));
    }
}

/// `health --json` says `"ok": false` of a service with a dead node.
fn is_well(reply: &Reply) -> bool {
    #[derive(serde::Deserialize)]
    struct Health {
        ok: bool,
    }
    let data = reply.data.as_ref().map(|data| serde_json::from_str::<Health>(data.get()));
    !matches!(data, Some(Ok(Health { ok: false })))
}
