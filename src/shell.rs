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
use micro::registry::service::{Node, Service};
use std::io::{ErrorKind, Write};
use std::sync::{Arc, Mutex, PoisonError};
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
    let stdout = Arc::new(Stdout { json: line.json, lost: Mutex::default() });
    let asked = bot.once(message(&line.text), Arc::clone(&stdout) as Arc<dyn Sink>);
    let answer = tokio::select! {
        answer = asked => answer,
        () = signals.next() => Err(CommandError::new(CommandErrorKind::Cancelled, "stopped")),
    };
    if let Some(outcome) = stdout.lost() {
        return outcome;
    }
    match answer {
        Ok(reply) => {
            stdout.print(&reply);
            if let Some(outcome) = stdout.lost() {
                return outcome;
            }
            if line.word.eq_ignore_ascii_case("register") {
                stay(&registry, &reply, signals).await;
            }
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

/// Where answers go, and whether they still can.
struct Stdout {
    json: bool,
    /// Why no more can be written: nobody reads on, which is no failure, or an error, which was told.
    lost: Mutex<Option<Outcome>>,
}

#[async_trait]
impl Sink for Stdout {
    async fn show(&self, _progress: Reply) {}

    async fn say(&self, part: Reply) -> Result<(), CommandError> {
        self.print(&part);
        match self.lost() {
            None => Ok(()),
            Some(_) => Err(CommandError::new(CommandErrorKind::Cancelled, "the answer cannot be written")),
        }
    }
}

impl Stdout {
    fn lost(&self) -> Option<Outcome> {
        *self.lost.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Prints an answer and its newline.
    fn print(&self, reply: &Reply) {
        if reply.is_nothing() {
            return;
        }
        let mut text = match (&reply.data, self.json) {
            (Some(data), true) => data.get().to_owned(),
            _ => reply.said().into_owned(),
        };
        text.push('\n');
        let mut stdout = std::io::stdout().lock();
        if let Err(error) = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
            let lost = if error.kind() == ErrorKind::BrokenPipe {
                Outcome::Done
            } else {
                complain(&format!("cannot write: {error}"));
                Outcome::Failed
            };
            *self.lost.lock().unwrap_or_else(PoisonError::into_inner) = Some(lost);
        }
    }
}

/// An error, on stderr; a stderr that is gone cannot be told.
pub(crate) fn complain(text: &str) {
    _ = writeln!(std::io::stderr(), "{text}");
}

/// Where an entry dies with the process, `register` stays until a signal and takes the entry out: what the answer says
/// was registered, however that was typed.
async fn stay(registry: &Arc<dyn Registry>, reply: &Reply, signals: &mut Signals) {
    let Some(service) = reply.data.as_ref().and_then(|data| registered(data.get())) else { return };
    if registry.outlives() {
        return;
    }
    complain(&format!("{} forgets an entry when its process ends: staying until Ctrl-C", registry.name()));
    signals.next().await;
    if let Err(error) = registry.deregister(&service).await {
        complain(&format!("cannot deregister: {error}"));
    }
}

/// The service that `register` says it put there.
fn registered(data: &str) -> Option<Service> {
    #[derive(serde::Deserialize)]
    struct Registered {
        service: String,
        version: String,
        nodes: Vec<String>,
    }
    let Registered { service: name, version, nodes } = serde_json::from_str(data).ok()?;
    let nodes = nodes.into_iter().map(|id| Arc::new(Node { id, ..Node::default() })).collect();
    Some(Service { name, version, nodes, ..Service::default() })
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
