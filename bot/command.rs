//! What the bot can do, as the bot sees it: a spec, a plan, a run.

use crate::adapter::Outbox;
use crate::message::{Args, Message};
use crate::reply::Reply;
use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// The source of an error, whatever it was.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What a command is called, how it is typed, and what it may do.
#[derive(Clone, Debug)]
pub struct Spec {
    /// The complete form, a regex, anchored and made case-blind by the router. Blanks in it match runs of blanks. Named
    /// groups go to `Args::named`; `(?P<rest>…)` is `Args::rest`, byte for byte.
    pub pattern: Cow<'static, str>,
    /// The leading words, lower case: "get service". Unique.
    pub name: Cow<'static, str>,
    /// How it is typed: `get service NAME`.
    pub usage: Cow<'static, str>,
    /// What it does, one line.
    pub summary: Cow<'static, str>,
    /// What `help WORD` tells besides: options, spellings. Lines of at most 80 columns, or empty.
    pub details: Cow<'static, str>,
    /// Lines that are this command and no other: a test walks them all.
    pub examples: Vec<Cow<'static, str>>,
    /// The most it may do; a plan may say less.
    pub risk: Risk,
    /// Whether it waits for its turn.
    pub turn: Turn,
}

/// What a command may do to the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Risk {
    /// Looks.
    Read,
    /// Calls a service, which may do anything.
    Call,
    /// Changes the registry, or publishes.
    Change,
}

/// Whether a command waits for the ones that the same sender asked before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Turn {
    /// It does.
    #[default]
    Queued,
    /// It never does (`stop`); on a pipe it takes its turn all the same.
    AtOnce,
}

/// What a command is about to do, before it does it: policy, approval, audit and `why` look at this, never at text.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What it may do.
    pub risk: Risk,
    /// The service, where there is one.
    pub service: Option<String>,
    /// The endpoint, where there is one.
    pub endpoint: Option<String>,
    /// One line; equal for equal requests.
    pub canonical: String,
    /// What `run` sends, byte for byte: never parsed again.
    pub request: Option<Bytes>,
    /// How long `run` may take; `None` takes the bot's own limit.
    pub within: Option<Duration>,
}

impl Plan {
    /// A plan that only looks.
    pub fn read(canonical: impl Into<String>) -> Self {
        Self {
            risk: Risk::Read,
            service: None,
            endpoint: None,
            canonical: canonical.into(),
            request: None,
            within: None,
        }
    }
}

/// One value that a person may fill in: Tab completion, Discord autocomplete, Slack modal, XMPP form.
#[derive(Clone, Debug)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub kind: FieldKind,
    /// What it may hold, as far as is known; for completion the words that may come next.
    pub choices: Vec<String>,
    /// Whether it must be given.
    pub required: bool,
}

/// What a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldKind {
    /// Text.
    Text,
    /// A whole number.
    Integer,
    /// Any number.
    Number,
    /// Yes or no.
    Bool,
    /// Several values.
    List,
    /// Any JSON.
    Json,
}

/// A command on its way: owned, `Send + 'static`, so it can be spawned, fanned out, approved later.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// What was said.
    pub message: Arc<Message>,
    /// The arguments.
    pub args: Args,
    /// What was planned and permitted.
    pub plan: Arc<Plan>,
    /// Posts anywhere.
    pub outbox: Outbox,
    /// Fires when the asker says `stop`, presses Ctrl-C, or the bot hangs up.
    pub stop: CancellationToken,
    /// Takes the parts of an answer and its progress; the bot sets it.
    pub sink: Arc<dyn Sink>,
}

/// Where an invocation's progress and parts go.
#[async_trait]
pub trait Sink: Send + Sync + 'static {
    /// Progress: one post, edited at the pace the chat allows; a pipe shows none.
    async fn show(&self, progress: Reply);

    /// A lasting part of the answer.
    ///
    /// # Errors
    /// It cannot be posted any more.
    async fn say(&self, part: Reply) -> Result<(), CommandError>;
}

impl fmt::Debug for dyn Sink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sink")
    }
}

impl Invocation {
    /// Shows progress: one post, edited at the pace the chat allows.
    pub async fn show(&self, progress: Reply) {
        self.sink.show(progress).await;
    }

    /// A lasting part of the answer, in order (`stream`): a post of its own; pipe and shell print it at once.
    ///
    /// # Errors
    /// It cannot be posted any more.
    pub async fn say(&self, part: Reply) -> Result<(), CommandError> {
        self.sink.say(part).await
    }
}

/// One thing the bot can do.
#[async_trait]
pub trait Command: Send + Sync + 'static {
    /// What it is called and how it is typed.
    fn spec(&self) -> &Spec;

    /// What it would do. Reads the registry at most; changes nothing.
    ///
    /// # Errors
    /// `Usage` and `NotFound`, with what to type instead.
    async fn plan(&self, asked: &Message, args: &Args) -> Result<Plan, CommandError>;

    /// The values that may be filled in next.
    ///
    /// For a typed line `so_far.rest` is what stands between the command's leading words and the word under the cursor;
    /// `choices` of the fields are then the words that may come next (`go.micro.srv.greeter`, `Say.Hello`, `name=`), and
    /// the adapter keeps those that begin with what is typed. For a form `so_far.named` has what is filled in.
    async fn fields(&self, _so_far: &Args) -> Vec<Field> {
        Vec::new()
    }

    /// One line to copy, made from what is there now (`call go.micro.srv.greeter Say.Hello name=John`); `help WORD` shows it.
    async fn example(&self) -> Option<String> {
        None
    }

    /// Does it.
    ///
    /// # Errors
    /// What the asker is told.
    ///
    /// # Cancel safety
    /// Dropped when its time is up or `stop` fires.
    async fn run(&self, call: Invocation) -> Result<Reply, CommandError>;
}

/// Why a command did not answer.
#[derive(Debug)]
pub struct CommandError {
    /// Which kind.
    pub kind: CommandErrorKind,
    /// What the asker reads; may have several lines.
    pub text: String,
    /// For the log.
    pub source: Option<BoxError>,
}

impl CommandError {
    /// An error without a source.
    pub fn new(kind: CommandErrorKind, text: impl Into<String>) -> Self {
        Self { kind, text: text.into(), source: None }
    }

    /// Adds what caused it.
    #[must_use]
    pub fn because(mut self, source: impl Into<BoxError>) -> Self {
        self.source = Some(source.into());
        self
    }
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for CommandError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|source| &**source as _)
    }
}

/// Which kind of failure.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CommandErrorKind {
    /// Typed wrongly.
    Usage,
    /// No such command, service, endpoint, node.
    NotFound,
    /// The policy says no.
    Denied,
    /// Too much is waiting.
    Busy,
    /// The time was up.
    Timeout,
    /// Nobody there.
    Unreachable,
    /// The peer said no before anything ran.
    Refused,
    /// What came back, or what was typed, cannot be understood.
    Malformed,
    /// Too large.
    TooLarge,
    /// Stopped by the asker.
    Cancelled,
    /// The service answered with an error, or anything else failed.
    Failed,
    /// It may have run.
    Unsure,
}

impl CommandErrorKind {
    /// The kind in snake case, as `--json` shows it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Usage => "usage",
            Self::NotFound => "not_found",
            Self::Denied => "denied",
            Self::Busy => "busy",
            Self::Timeout => "timeout",
            Self::Unreachable => "unreachable",
            Self::Refused => "refused",
            Self::Malformed => "malformed",
            Self::TooLarge => "too_large",
            Self::Cancelled => "cancelled",
            Self::Failed => "failed",
            Self::Unsure => "unsure",
        }
    }
}
