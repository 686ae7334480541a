//! The bot's side of one adapter: messages in, a worker for each conversation that is awake, replies out.

use crate::adapter::{Adapter, Delivered, Front, State};
use crate::asked::Asked;
use crate::bot::Counters;
use crate::command::{Command, CommandError, CommandErrorKind, Field, Spec, Turn};
use crate::engine::{Ask, Engine, panic_text};
use crate::message::{Address, Args, Body, Message, Sender};
use crate::reply::Reply;
use crate::router::Routed;
use crate::seen::Seen;
use crate::turns::{Admitted, Job, Key, Turns};
use async_trait::async_trait;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{Instrument, Span};

/// Message ids that are remembered per adapter.
const SEEN: usize = 4096;
/// How long completion may think.
const FIELDS: Duration = Duration::from_secs(2);
/// How long an adapter may take to show what happens to a message.
const NOTICE: Duration = Duration::from_secs(5);

/// The states of a running bot.
#[derive(Clone, Debug)]
pub(crate) struct Signals {
    /// Stop listening.
    pub(crate) closed: CancellationToken,
    /// The drain limit is over: what runs is stopped, what waits is refused.
    pub(crate) cut: CancellationToken,
    /// The last reply is posted.
    pub(crate) hang_up: CancellationToken,
    /// Nothing goes on: the bot was dropped, or its last wait was over.
    pub(crate) gone: CancellationToken,
}

/// What the adapters of a running bot share.
pub(crate) struct Running {
    pub(crate) engine: Arc<Engine>,
    pub(crate) turns: Arc<Turns>,
    pub(crate) tasks: TaskTracker,
    pub(crate) runtime: Handle,
    pub(crate) signals: Signals,
    pub(crate) catalogue: watch::Receiver<Arc<[Spec]>>,
    pub(crate) counters: Arc<Counters>,
    /// Commands that run beside their conversation's turn.
    pub(crate) aside: AtomicUsize,
}

/// One adapter's place in the bot.
pub(crate) struct Seat {
    pub(crate) adapter: Arc<dyn Adapter>,
    pub(crate) shared: Arc<Running>,
    pub(crate) span: Span,
    seen: Mutex<Seen>,
    /// The conversation that was full last: `room` waits for it.
    full: Mutex<Option<Key>>,
    heard: AtomicBool,
    /// This seat, for the workers that it starts.
    this: std::sync::Weak<Self>,
}

impl Seat {
    pub(crate) fn new(adapter: Arc<dyn Adapter>, shared: Arc<Running>) -> Arc<Self> {
        let span = tracing::info_span!("adapter", name = &**adapter.name());
        Arc::new_cyclic(|this| Self {
            adapter,
            shared,
            span,
            seen: Mutex::new(Seen::new(SEEN)),
            full: Mutex::default(),
            heard: AtomicBool::new(false),
            this: this.clone(),
        })
    }

    /// Whether anything was heard since this was asked last.
    pub(crate) fn heard(&self) -> bool {
        self.heard.swap(false, Ordering::Relaxed)
    }

    /// Lets a message in.
    fn admit(&self, message: Message) -> Delivered {
        let shared = &*self.shared;
        let key = shared.turns.key(&message);
        if shared.turns.busy(key) && !self.adapter.in_turn() && self.is_at_once(&message) {
            return self.admit_aside(message);
        }
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if !is_new(&mut seen, &message) {
            return self.known();
        }
        let identified = message.id.is_some();
        let job = Job { message: Arc::new(message), stop: CancellationToken::new() };
        match shared.turns.admit(key, job) {
            Admitted::Start(job) => {
                drop(seen);
                self.spawn(|seat| seat.work(key, job));
            }
            Admitted::Waits => {}
            Admitted::Full(job) => {
                if identified {
                    seen.forget_last();
                }
                *self.full.lock().unwrap_or_else(PoisonError::into_inner) = Some(key);
                return self.full(Arc::unwrap_or_clone(job.message));
            }
        }
        shared.counters.heard.fetch_add(1, Ordering::Relaxed);
        Delivered::Queued
    }

    /// Lets a message in that waits for no turn.
    fn admit_aside(&self, message: Message) -> Delivered {
        let shared = &*self.shared;
        if shared.aside.fetch_add(1, Ordering::Relaxed) >= shared.engine.options.running {
            shared.aside.fetch_sub(1, Ordering::Relaxed);
            return self.full(message);
        }
        if !is_new(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner), &message) {
            shared.aside.fetch_sub(1, Ordering::Relaxed);
            return self.known();
        }
        shared.counters.heard.fetch_add(1, Ordering::Relaxed);
        let job = Job { message: Arc::new(message), stop: shared.signals.cut.child_token() };
        self.spawn(|seat| async move {
            seat.serve(&job).await;
            seat.shared.aside.fetch_sub(1, Ordering::Relaxed);
        });
        Delivered::Queued
    }

    fn known(&self) -> Delivered {
        self.shared.counters.known.fetch_add(1, Ordering::Relaxed);
        Delivered::Queued
    }

    fn full(&self, message: Message) -> Delivered {
        self.shared.counters.full.fetch_add(1, Ordering::Relaxed);
        Delivered::Full(Box::new(message))
    }

    fn is_at_once(&self, message: &Message) -> bool {
        matches!(message.body, Body::Press { .. })
            || matches!(self.shared.engine.route(message), Routed::Found(command, _) if command.spec().turn == Turn::AtOnce)
    }

    /// Runs a task of the bot: the bot waits for it, and it ends when the bot is gone.
    fn spawn<F: Future<Output = ()> + Send + 'static>(&self, task: impl FnOnce(Arc<Self>) -> F) {
        let Some(seat) = self.this.upgrade() else { return };
        let gone = self.shared.signals.gone.clone();
        let task = task(seat);
        let task = async move {
            let _ = gone.run_until_cancelled_owned(task).await;
        };
        self.shared.tasks.spawn_on(task, &self.shared.runtime);
    }

    /// Answers a conversation's messages one after the other until none waits.
    async fn work(self: Arc<Self>, key: Key, first: Job) {
        let mut job = first;
        loop {
            self.serve(&job).await;
            match self.shared.turns.next(key) {
                Some(next) => job = next,
                None => return,
            }
            // Commands that answer at once never yield, and others want this thread too.
            tokio::task::consume_budget().await;
        }
    }

    /// Answers one message, whatever happens.
    async fn serve(&self, job: &Job) {
        let span = tracing::info_span!(parent: &self.span, "message", id = job.message.id);
        let answer = AssertUnwindSafe(self.answer(job)).catch_unwind().instrument(span);
        if let Err(panic) = answer.await {
            tracing::error!(panic = panic_text(&*panic), "an adapter panicked while it posted");
            // An adapter may count on hearing the end of each message.
            let end = AssertUnwindSafe(notice(self.adapter.working(&job.message, State::Failed)));
            let _ = end.catch_unwind().await;
        }
    }

    async fn answer(&self, job: &Job) {
        let shared = &*self.shared;
        let message = &job.message;
        let routed = shared.engine.settled_route(message).await;
        // What only might be for the bot and is no command is none of its business.
        if !matches!(routed, Routed::Found(..)) && !message.direct {
            return;
        }
        let mut shown = None;
        let asked = Arc::new(Asked::new(self.adapter.clone(), message.clone(), shared.counters.clone()));
        let reply = if shared.signals.cut.is_cancelled() {
            told(&CommandError::new(CommandErrorKind::Cancelled, "I am shutting down; this was not run"))
        } else {
            match routed {
                Routed::Found(command, args) => match self.run(&*command, args, job, asked.clone(), &mut shown).await {
                    Ok(reply) => reply,
                    Err(error) => told(&error),
                },
                Routed::Wrong(command) => refused(&shared.engine.usage(&*command).await),
                Routed::Unknown => refused(&shared.engine.unknown(message)),
            }
        };
        let state = if reply.failed.is_some() { State::Failed } else { State::Done };
        shared.counters.count(reply.failed);
        asked.finish(reply).await;
        if let Some(shown) = shown {
            notice(shown).await;
        }
        notice(self.adapter.working(message, state)).await;
    }

    /// Runs a command, and shows beside it that it runs; a notice that is still on its way then is left in `shown`, so
    /// that a slow chat does not hold up the answer.
    async fn run<'a>(
        &'a self,
        command: &dyn Command,
        args: Args,
        job: &'a Job,
        sink: Arc<Asked>,
        shown: &mut Option<BoxFuture<'a, ()>>,
    ) -> Result<Reply, CommandError> {
        let ask = Ask {
            message: job.message.clone(),
            stop: job.stop.clone(),
            sink,
            trusted: self.adapter.trusted(),
            patient: self.adapter.in_turn(),
        };
        let mut notice = self.adapter.working(&job.message, State::Working);
        let pending = futures_util::poll!(notice.as_mut()).is_pending();
        let mut run = std::pin::pin!(self.shared.engine.execute(command, args, &ask));
        let mut result = if pending {
            tokio::select! {
                biased;
                result = &mut run => {
                    *shown = Some(notice);
                    result
                }
                () = &mut notice => run.await,
            }
        } else {
            run.await
        };
        if let Err(error) = &mut result
            && error.kind == CommandErrorKind::Cancelled
            && self.shared.signals.cut.is_cancelled()
        {
            error.text = error.text.replacen("stopped", "stopped, I am shutting down", 1);
        }
        result
    }
}

/// Lets an adapter show a state, for a bounded time.
async fn notice(shown: impl Future<Output = ()>) {
    let mut shown = std::pin::pin!(shown);
    if futures_util::poll!(shown.as_mut()).is_pending() {
        let _ = tokio::time::timeout(NOTICE, shown).await;
    }
}

/// Whether a message was not heard before. One without an id always is new.
fn is_new(seen: &mut Seen, message: &Message) -> bool {
    let at = &message.place.address;
    message.id.as_ref().is_none_or(|id| seen.insert((&at.space, &at.room, id)))
}

/// A command's error as a reply.
fn told(error: &CommandError) -> Reply {
    let text = format!("error executing cmd: {}", error.text);
    Reply { failed: Some(error.kind), ..Reply::text(text) }
}

/// A line that is no command: nothing was executed, so nothing failed to be.
fn refused(error: &CommandError) -> Reply {
    Reply { failed: Some(error.kind), ..Reply::text(error.text.clone()) }
}

#[async_trait]
impl Front for Seat {
    async fn deliver(&self, message: Message) -> Delivered {
        self.heard.store(true, Ordering::Relaxed);
        self.admit(message)
    }

    async fn fields(&self, command: &str, so_far: &Args, _who: &Sender, _at: &Address) -> Vec<Field> {
        let Some(command) = self.shared.engine.router.find(command) else { return Vec::new() };
        let fields = AssertUnwindSafe(command.fields(so_far)).catch_unwind();
        tokio::time::timeout(FIELDS, fields).await.ok().and_then(Result::ok).unwrap_or_default()
    }

    fn catalogue(&self) -> watch::Receiver<Arc<[Spec]>> {
        self.shared.catalogue.clone()
    }

    fn alive(&self) {
        self.heard.store(true, Ordering::Relaxed);
    }

    async fn room(&self) {
        let key = *self.full.lock().unwrap_or_else(PoisonError::into_inner);
        self.shared.turns.room(key).await;
    }

    async fn closed(&self) {
        self.shared.signals.closed.cancelled().await;
    }

    async fn hang_up(&self) {
        self.shared.signals.hang_up.cancelled().await;
    }
}

impl fmt::Debug for Seat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Seat({})", self.adapter.name())
    }
}
