//! The bot: adapters' messages in, commands' replies out.

use crate::adapter::Adapter;
use crate::command::{Command, CommandError, CommandErrorKind, Sink};
use crate::journal::Journal;
use crate::message::Message;
use crate::policy::Policy;
use crate::reply::Reply;
use crate::router::Word;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// How a bot behaves.
#[derive(Clone, Debug)]
pub struct Options {
    /// How long a command may run whose plan does not say.
    pub limit: Duration,
    /// How long running commands may take after the bot stopped listening.
    pub drain: Duration,
    /// Commands that run at once.
    pub running: usize,
    /// Messages that wait in one conversation.
    pub waiting: usize,
    /// Messages that wait in all.
    pub waiting_total: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            limit: Duration::from_secs(30),
            drain: Duration::from_secs(10),
            running: 256,
            waiting: 64,
            waiting_total: 4096,
        }
    }
}

/// What a bot is made of.
pub struct Parts {
    /// Where it lives.
    pub adapters: Vec<Arc<dyn Adapter>>,
    /// What it can do, without `help`, `stop` and `whoami`, which are the bot's own.
    pub commands: Vec<Arc<dyn Command>>,
    /// Commands that are services, as they come and go.
    pub words: watch::Receiver<Arc<Vec<Word>>>,
    /// Who may do what.
    pub policy: Policy,
    /// At most once, where it is kept.
    pub journal: Option<Arc<dyn Journal>>,
}

impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parts").field("adapters", &self.adapters).finish_non_exhaustive()
    }
}

/// A bot that is put together and not yet listening.
pub struct Bot {
    options: Options,
}

impl Bot {
    /// Puts a bot together; opens nothing.
    ///
    /// # Errors
    /// A line per conflict: two commands with equal leading words, a pattern that does not compile.
    pub fn new(options: Options, _parts: Parts) -> Result<Self, Vec<String>> {
        Ok(Self { options })
    }

    /// Listens until `closed` fires or every input has ended for good; answers what was delivered, within the drain
    /// limit where `closed` fired; hangs up; returns. Dropping it leaves at once.
    pub async fn run(self, closed: CancellationToken) {
        closed.cancelled().await;
    }

    /// Runs one message as the shell does: no adapter, no queue, the same router and commands. `message.place` is
    /// trusted.
    ///
    /// # Errors
    /// What the asker is told.
    pub async fn once(&self, _message: Message, _sink: Arc<dyn Sink>) -> Result<Reply, CommandError> {
        Err(CommandError::new(CommandErrorKind::Failed, "not built"))
    }
}

impl fmt::Debug for Bot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bot").field("options", &self.options).finish_non_exhaustive()
    }
}
