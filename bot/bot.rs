//! The bot: adapters' messages in, commands' replies out.

use crate::adapter::{Adapter, Outbox};
use crate::command::{Command, CommandError, CommandErrorKind, Sink, Spec};
use crate::engine::{Ask, Engine};
use crate::front::{Running, Seat, Signals};
use crate::journal::Journal;
use crate::message::Message;
use crate::own;
use crate::policy::Policy;
use crate::reply::Reply;
use crate::router::{Forms, Routed, Router, Word, exact_first};
use crate::supervisor::supervise;
use crate::turns::Turns;
use std::collections::HashSet;
use std::fmt;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long commands that were stopped at the drain limit may take to be answered so.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// How long adapters may take to hang up.
const HANG_UP: Duration = Duration::from_secs(5);

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
    /// Messages that wait in all, and conversations that are awake at once.
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
    engine: Arc<Engine>,
    turns: Arc<Turns>,
    counters: Arc<Counters>,
}

/// What happened so far.
#[derive(Debug, Default)]
pub struct Counters {
    /// Messages that were taken on.
    pub heard: AtomicU64,
    /// Messages that had been heard before, and were dropped.
    pub known: AtomicU64,
    /// Messages that were given back because too much was waiting.
    pub full: AtomicU64,
    /// Answers.
    pub answered: AtomicU64,
    /// Answers that tell of an error.
    pub failed: AtomicU64,
    /// Posts.
    pub posted: AtomicU64,
    /// Posts that were given up.
    pub unposted: AtomicU64,
}

impl Counters {
    /// Counts an answer by whether it tells of an error.
    pub(crate) fn count(&self, failed: Option<CommandErrorKind>) {
        let counter = if failed.is_some() { &self.failed } else { &self.answered };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

impl Bot {
    /// Puts a bot together; opens nothing.
    ///
    /// # Errors
    /// A line per conflict: two commands with equal leading words, a pattern that does not compile, two adapters of one
    /// name.
    pub fn new(options: Options, parts: Parts) -> Result<Self, Vec<String>> {
        let Parts { adapters, commands, words, policy, journal } = parts;
        let turns = Arc::new(Turns::new(options.waiting, options.waiting_total));
        let policy = Arc::new(policy);
        let mut problems = twins(&adapters);
        let outbox = Outbox(adapters.into());
        let with_own = |router: &Weak<Router>| {
            let mut all = own::commands(router, &turns, &policy, &outbox);
            all.extend(commands.iter().cloned());
            exact_first(&mut all);
            all
        };
        let specs: Vec<Spec> = with_own(&Weak::new()).iter().map(|command| command.spec().clone()).collect();
        let forms = match Forms::compile(&specs) {
            Ok(forms) if problems.is_empty() => forms,
            Ok(_) => return Err(problems),
            Err(more) => {
                problems.extend(more);
                return Err(problems);
            }
        };
        let router = Arc::new_cyclic(|router| Router::assemble(forms, with_own(router), words));
        let permits = Semaphore::new(options.running.clamp(1, Semaphore::MAX_PERMITS));
        let engine = Engine { options, router, policy: policy.clone(), journal, outbox: outbox.clone(), permits };
        Ok(Self { engine: Arc::new(engine), turns, counters: Arc::default() })
    }

    /// Which command a line is.
    pub fn router(&self) -> &Arc<Router> {
        &self.engine.router
    }

    /// What happened so far; goes on counting while the bot runs.
    pub fn counters(&self) -> Arc<Counters> {
        self.counters.clone()
    }

    /// Listens until `closed` fires or every input has ended for good; answers what was delivered, within the drain
    /// limit where `closed` fired; hangs up; returns. Dropping it leaves at once.
    pub async fn run(self, closed: CancellationToken) {
        let signals = Signals {
            closed: closed.clone(),
            cut: CancellationToken::new(),
            hang_up: CancellationToken::new(),
            gone: CancellationToken::new(),
        };
        let _gone = signals.gone.clone().drop_guard();
        let (catalogue, specs) = watch::channel(self.engine.router.specs());
        let running = Arc::new(Running {
            engine: self.engine.clone(),
            turns: self.turns.clone(),
            tasks: TaskTracker::new(),
            runtime: Handle::current(),
            signals: signals.clone(),
            catalogue: specs,
            counters: self.counters.clone(),
            aside: AtomicUsize::new(0),
        });
        let mut side = JoinSet::new();
        side.spawn(publish(self.engine.router.clone(), catalogue));
        let mut inputs = JoinSet::new();
        for adapter in self.engine.outbox.0.iter() {
            inputs.spawn(supervise(Seat::new(adapter.clone(), running.clone())));
        }
        tokio::select! {
            () = ended(&mut inputs) => {}
            () = closed.cancelled() => {}
        }
        self.drain(&running).await;
        signals.hang_up.cancel();
        if tokio::time::timeout(HANG_UP, ended(&mut inputs)).await.is_err() {
            tracing::warn!(limit = ?HANG_UP, "an adapter did not hang up in time");
        }
    }

    /// Waits until everything asked is answered: each within its own limit, and once `closed` fired, all within the
    /// drain limit.
    async fn drain(&self, running: &Running) {
        let Running { tasks, signals, .. } = running;
        let drain = self.engine.options.drain;
        tasks.close();
        let over = async {
            signals.closed.cancelled().await;
            tokio::time::sleep(drain).await;
        };
        tokio::select! {
            biased;
            () = tasks.wait() => return,
            () = over => {}
        }
        tracing::warn!(limit = ?drain, tasks = tasks.len(), "the drain limit is over; what runs is stopped");
        signals.cut.cancel();
        self.turns.stop_all();
        if tokio::time::timeout(LAST_WORDS, tasks.wait()).await.is_err() {
            tracing::warn!(tasks = tasks.len(), "some could not be told");
        }
    }

    /// Runs one message as the shell does: no adapter, no queue, the same router and commands. `message.place` is
    /// trusted.
    ///
    /// # Errors
    /// What the asker is told.
    ///
    /// # Cancel safety
    /// Dropping it stops the command.
    pub async fn once(&self, message: Message, sink: Arc<dyn Sink>) -> Result<Reply, CommandError> {
        let stop = CancellationToken::new();
        let _stop = stop.clone().drop_guard();
        match self.engine.settled_route(&message).await {
            Routed::Found(command, args) => {
                let ask = Ask { message: Arc::new(message), stop, sink, trusted: true, patient: true };
                self.engine.execute(&*command, args, &ask).await
            }
            Routed::Wrong(command) => Err(self.engine.usage(&*command).await),
            Routed::Unknown => Err(self.engine.unknown(&message)),
        }
    }
}

/// Keeps the catalogue up to date.
async fn publish(router: Arc<Router>, catalogue: watch::Sender<Arc<[Spec]>>) {
    let mut words = router.watch();
    words.mark_changed();
    while words.changed().await.is_ok() {
        words.mark_unchanged();
        catalogue.send_replace(router.specs());
    }
    catalogue.closed().await;
}

/// Waits until every input has ended.
async fn ended(inputs: &mut JoinSet<()>) {
    while inputs.join_next().await.is_some() {}
}

/// A line per name that several adapters have: replies could go astray.
fn twins(adapters: &[Arc<dyn Adapter>]) -> Vec<String> {
    let mut seen = HashSet::new();
    let twins = adapters.iter().filter(|adapter| !seen.insert(adapter.name()));
    twins.map(|adapter| format!("adapter `{}`: two adapters have this name", adapter.name())).collect()
}

impl fmt::Debug for Bot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bot").field("options", &self.engine.options).finish_non_exhaustive()
    }
}
