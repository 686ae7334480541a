//! A scripted chat for tests, here and in the crates above: say something as somebody, wait for the reply.
//!
//! ```
//! # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
//! # runtime.block_on(async {
//! use bot::testing::{Fake, Setup};
//!
//! let mut talk = Setup::new(vec![Fake::new("ping", "ping").says("pong").build()]).start();
//! talk.say_as("bob", "ping").await;
//! assert_eq!(talk.reply().await, "pong");
//! # });
//! ```
//!
//! With the clock paused a test waits for events only: time goes on when nothing else can.

mod chat;
mod fake;

pub use chat::{Chat, Post};
pub use fake::Fake;

use crate::adapter::{Adapter, AdapterErrorKind, Delivered, Inbox};
use crate::bot::{Bot, Counters, Options, Parts};
use crate::command::Command;
use crate::journal::Journal;
use crate::message::{Address, Body, Message, Place, Sender};
use crate::policy::Policy;
use crate::router::Word;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// How long a test waits for what should come; with the clock paused it costs nothing.
const PATIENCE: Duration = Duration::from_secs(900);

/// The room that is meant where a test names none.
pub const ROOM: &str = "den";

/// A line per example of these commands (and the bot's own) that is not its command, or some other too.
pub fn misrouted(commands: &[Arc<dyn Command>]) -> Vec<String> {
    let parts = Parts {
        adapters: Vec::new(),
        commands: commands.to_vec(),
        words: watch::channel(Arc::default()).1,
        policy: Policy::default(),
        journal: None,
    };
    let bot = match Bot::new(Options::default(), parts) {
        Ok(bot) => bot,
        Err(problems) => return problems,
    };
    let mut lines = Vec::new();
    for command in bot.router().built_ins() {
        let spec = command.spec();
        if spec.examples.is_empty() {
            lines.push(format!("`{}` has no example", spec.name));
        }
        for example in &spec.examples {
            let found = bot.router().matching(example);
            if found != [&*spec.name] {
                lines.push(format!("`{example}` should be `{}` alone and is {found:?}", spec.name));
            }
        }
    }
    lines
}

/// A message as a chat would deliver it: addressed to the bot, from a proven sender whose id is `U-<who>`.
pub fn message(adapter: &Arc<str>, who: &str, text: &str) -> Message {
    let address = Address { adapter: adapter.clone(), space: String::new(), room: ROOM.to_owned(), thread: None };
    Message {
        id: None,
        at: SystemTime::UNIX_EPOCH,
        from: Sender { id: Some(format!("U-{who}")), name: who.to_owned(), roles: Vec::new(), external: false },
        place: Place { address, only: None, under: None, via: None },
        direct: true,
        body: Body::Text { text: text.to_owned(), raw: text.to_owned() },
        files: Vec::new(),
    }
}

/// A bot to be started with one scripted chat.
#[derive(Debug)]
pub struct Setup {
    options: Options,
    parts: Parts,
    trusted: bool,
    in_turn: bool,
}

impl Setup {
    /// A bot of these commands in a chat that is trusted, with neither words nor rules.
    pub fn new(commands: Vec<Arc<dyn Command>>) -> Self {
        let parts = Parts {
            adapters: Vec::new(),
            commands,
            words: watch::channel(Arc::default()).1,
            policy: Policy::default(),
            journal: None,
        };
        Self { options: Options::default(), parts, trusted: true, in_turn: false }
    }

    /// With these options.
    #[must_use]
    pub fn options(mut self, options: Options) -> Self {
        self.options = options;
        self
    }

    /// With these service words.
    #[must_use]
    pub fn words(mut self, words: watch::Receiver<Arc<Vec<Word>>>) -> Self {
        self.parts.words = words;
        self
    }

    /// In a chat that is not trusted, under this policy.
    #[must_use]
    pub fn policy(mut self, policy: Policy) -> Self {
        self.parts.policy = policy;
        self.trusted = false;
        self
    }

    /// With a journal.
    #[must_use]
    pub fn journal(mut self, journal: Arc<dyn Journal>) -> Self {
        self.parts.journal = Some(journal);
        self
    }

    /// In a chat where everything takes its turn, as on a pipe.
    #[must_use]
    pub fn in_turn(mut self) -> Self {
        self.in_turn = true;
        self
    }

    /// With another adapter beside the scripted one.
    #[must_use]
    pub fn beside(mut self, adapter: Arc<dyn Adapter>) -> Self {
        self.parts.adapters.push(adapter);
        self
    }

    /// Starts the bot.
    ///
    /// # Panics
    /// The bot cannot be put together.
    pub fn start(mut self) -> Talk {
        let (chat, posts) = Chat::new("chat", self.trusted, self.in_turn);
        self.parts.adapters.insert(0, chat.clone());
        let bot = match Bot::new(self.options, self.parts) {
            Ok(bot) => bot,
            Err(problems) => panic!("the bot cannot be put together: {problems:?}"),
        };
        let counters = bot.counters();
        let closed = CancellationToken::new();
        let mut tasks = JoinSet::new();
        tasks.spawn(bot.run(closed.clone()));
        Talk { chat, posts, closed, tasks, counters, next: 0 }
    }
}

/// A running bot, and the one chat that the test speaks for.
#[derive(Debug)]
pub struct Talk {
    /// The chat.
    pub chat: Arc<Chat>,
    /// Fires: the bot stops listening.
    pub closed: CancellationToken,
    posts: mpsc::UnboundedReceiver<Post>,
    tasks: JoinSet<()>,
    counters: Arc<Counters>,
    next: u64,
}

impl Talk {
    /// Somebody says something to the bot; panics if too much is waiting.
    ///
    /// # Panics
    /// The bot does not listen, or too much is waiting.
    pub async fn say_as(&mut self, who: &str, text: &str) {
        let message = self.message(who, text);
        if let Delivered::Full(message) = self.deliver(message).await {
            panic!("too much is waiting for {message:?}");
        }
    }

    /// A message of the scripted chat with an id of its own, to be changed and delivered.
    pub fn message(&mut self, who: &str, text: &str) -> Message {
        self.next += 1;
        let mut message = message(self.chat.name(), who, text);
        message.id = Some(self.next.to_string());
        message.place.under = message.id.clone();
        message
    }

    /// Delivers a message as it is.
    ///
    /// # Panics
    /// The bot does not listen.
    pub async fn deliver(&self, message: Message) -> Delivered {
        self.inbox().await.deliver(message).await
    }

    /// The bot as the chat sees it, once it listens.
    ///
    /// # Panics
    /// The bot does not listen.
    pub async fn inbox(&self) -> Inbox {
        within(self.chat.inbox(), "the bot listens").await
    }

    /// The text of the next reply.
    ///
    /// # Panics
    /// None comes.
    pub async fn reply(&mut self) -> String {
        self.post().await.reply.said().into_owned()
    }

    /// The next post, whole.
    ///
    /// # Panics
    /// None comes.
    pub async fn post(&mut self) -> Post {
        match within(self.posts.recv(), "a reply").await {
            Some(post) => post,
            None => panic!("the chat is gone"),
        }
    }

    /// Says something and returns the text of the next reply.
    ///
    /// # Panics
    /// None comes.
    pub async fn ask(&mut self, text: &str) -> String {
        self.say_as("ann", text).await;
        self.reply().await
    }

    /// The posts that are there and were not looked at.
    pub fn posted(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.posts.try_recv().ok()).map(|post| post.reply.said().into_owned()).collect()
    }

    /// The connection is lost, or the chat's input ends (`None`).
    pub fn hang(&self, error: Option<AdapterErrorKind>) {
        self.chat.hang(error);
    }

    /// What happened so far.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Waits until the bot's run has returned.
    ///
    /// # Panics
    /// It does not return, or panicked.
    pub async fn ended(&mut self) {
        if let Some(Err(panic)) = within(self.tasks.join_next(), "the end of the bot").await {
            panic!("the bot did not end well: {panic}");
        }
    }

    /// Drops the running bot.
    pub async fn drop_bot(&mut self) {
        self.tasks.shutdown().await;
    }
}

async fn within<T>(event: impl Future<Output = T>, what: &str) -> T {
    match tokio::time::timeout(PATIENCE, event).await {
        Ok(value) => value,
        Err(late) => panic!("{what}: it did not come within {PATIENCE:?}: {late}"),
    }
}
