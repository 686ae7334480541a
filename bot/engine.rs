//! From a message to its answer: route, plan, policy, permit, claim, run. Knows no adapter and no queue; the shell and
//! the chats share it.

use crate::adapter::Outbox;
use crate::audit::{Audit, chain};
use crate::bot::Options;
use crate::command::{Command, CommandError, CommandErrorKind, Invocation, Plan, Risk, Sink};
use crate::hint;
use crate::journal::{Claim, Journal};
use crate::message::{Args, Body, Message};
use crate::policy::Policy;
use crate::reply::Reply;
use crate::router::{Routed, Router};
use futures_util::FutureExt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

/// How long a command's own example may take to be made.
pub(crate) const EXAMPLE: Duration = Duration::from_secs(2);

/// How long the journal may take to record an end.
const RECORD: Duration = Duration::from_secs(5);

/// What every message goes through.
pub(crate) struct Engine {
    pub(crate) options: Options,
    pub(crate) router: Arc<Router>,
    pub(crate) policy: Arc<Policy>,
    pub(crate) journal: Option<Arc<dyn Journal>>,
    pub(crate) outbox: Outbox,
    pub(crate) permits: Semaphore,
}

/// One message that wants its answer.
pub(crate) struct Ask {
    pub(crate) message: Arc<Message>,
    pub(crate) stop: CancellationToken,
    pub(crate) sink: Arc<dyn Sink>,
    /// May do everything.
    pub(crate) trusted: bool,
    /// Waits for a permit; others are told that the bot is busy.
    pub(crate) patient: bool,
}

impl Engine {
    /// Which command a message is.
    pub(crate) fn route(&self, message: &Message) -> Routed {
        match &message.body {
            Body::Text { text, .. } => self.router.route(text),
            Body::Form { command, args } => {
                self.router.find(command).map_or(Routed::Unknown, |found| Routed::Found(found, args.clone()))
            }
            Body::Press { .. } => Routed::Unknown,
        }
    }

    /// As [`Engine::route`]; where no command was found, only after the words were told once.
    pub(crate) async fn settled_route(&self, message: &Message) -> Routed {
        match self.route(message) {
            Routed::Found(command, args) => Routed::Found(command, args),
            Routed::Wrong(_) | Routed::Unknown => {
                self.router.settle().await;
                self.route(message)
            }
        }
    }

    /// What to tell the asker of a message that is no command.
    pub(crate) fn unknown(&self, message: &Message) -> CommandError {
        match &message.body {
            Body::Text { text, .. } => self.router.hint(text),
            Body::Form { command, .. } => self.router.hint(command),
            Body::Press { .. } => {
                CommandError::new(CommandErrorKind::NotFound, "this button is no longer known; ask again")
            }
        }
    }

    /// What to tell the asker of a line that begins like this command: its usage, and a line to copy.
    pub(crate) async fn usage(&self, command: &dyn Command) -> CommandError {
        let example = example(command).await;
        CommandError::new(CommandErrorKind::Usage, hint::usage(command.spec(), example.as_deref()))
    }

    /// Does what was asked. A command that panics has failed.
    pub(crate) async fn execute(&self, command: &dyn Command, args: Args, ask: &Ask) -> Result<Reply, CommandError> {
        let audit = Audit::begin();
        let span = tracing::info_span!("command", name = &*command.spec().name);
        let (plan, result) = self.attempt(command, args, ask).instrument(span).await;
        if let Err(error) = &result
            && error.source.is_some()
        {
            tracing::info!(command = &*command.spec().name, error = %chain(error), "command failed");
        }
        audit.end(&ask.message, command.spec(), plan.as_deref(), result.as_ref().err().map(|error| error.kind));
        result
    }

    async fn attempt(
        &self,
        command: &dyn Command,
        args: Args,
        ask: &Ask,
    ) -> (Option<Arc<Plan>>, Result<Reply, CommandError>) {
        let planned = self.bounded(self.options.limit, ask, command.plan(&ask.message, &args)).await;
        let plan = match planned {
            Ok(plan) => Arc::new(plan),
            Err(error) => return (None, Err(error)),
        };
        let result = self.permitted(command, args, plan.clone(), ask).await;
        (Some(plan), result)
    }

    async fn permitted(
        &self,
        command: &dyn Command,
        args: Args,
        plan: Arc<Plan>,
        ask: &Ask,
    ) -> Result<Reply, CommandError> {
        let looks = plan.risk == Risk::Read;
        if !looks && !ask.trusted {
            let message = &ask.message;
            self.policy.decide(&message.from, &message.place.address, &command.spec().name, &plan)?;
        }
        let _permit = self.permit(ask).await?;
        let claimed = if looks { None } else { self.claim(ask).await? };
        let limit = plan.within.unwrap_or(self.options.limit);
        let invocation = Invocation {
            message: ask.message.clone(),
            args,
            plan,
            outbox: self.outbox.clone(),
            stop: ask.stop.clone(),
            sink: ask.sink.clone(),
        };
        let result = self.bounded(limit, ask, command.run(invocation)).await;
        let result = result.map_err(|error| if looks { error } else { may_have_run(error) });
        if let (Some(key), Some(journal)) = (claimed, &self.journal)
            && tokio::time::timeout(RECORD, journal.done(&key)).await.is_err()
        {
            tracing::warn!(key, "the journal did not take that a command is done");
        }
        result
    }

    /// One of the commands that run at once.
    async fn permit(&self, ask: &Ask) -> Result<SemaphorePermit<'_>, CommandError> {
        let busy = || CommandError::new(CommandErrorKind::Busy, "I am busy; ask again in a moment");
        match self.permits.try_acquire() {
            Ok(permit) => Ok(permit),
            Err(_) if ask.patient => {
                self.bounded(self.options.limit, ask, self.permits.acquire().map(|permit| permit.map_err(|_| busy())))
                    .await
            }
            Err(_) => Err(busy()),
        }
    }

    /// Claims what must not run twice.
    async fn claim(&self, ask: &Ask) -> Result<Option<String>, CommandError> {
        let message = &ask.message;
        let (Some(journal), Some(id)) = (&self.journal, &message.id) else { return Ok(None) };
        let at = &message.place.address;
        let key = format!("{}/{}/{}/{id}", at.adapter, at.space, at.room);
        let claim = journal.claim(&key, message).map(Ok);
        match self.bounded(self.options.limit, ask, claim).await? {
            Claim::Mine => Ok(Some(key)),
            Claim::Done => Err(CommandError::new(CommandErrorKind::Refused, "this was asked and done before")),
            Claim::Unsure => Err(CommandError::new(
                CommandErrorKind::Unsure,
                "this was begun before I was restarted and may have run; look, then ask again",
            )),
        }
    }

    /// A future's result within `limit`, unless it is stopped; a panic is an error.
    async fn bounded<T>(
        &self,
        limit: Duration,
        ask: &Ask,
        work: impl Future<Output = Result<T, CommandError>>,
    ) -> Result<T, CommandError> {
        let stopped = || CommandError::new(CommandErrorKind::Cancelled, "stopped");
        if ask.stop.is_cancelled() {
            return Err(stopped());
        }
        let mut work = std::pin::pin!(AssertUnwindSafe(work).catch_unwind());
        // Most commands answer at once: they need neither timer nor place in the token's list.
        let done = match futures_util::poll!(work.as_mut()) {
            std::task::Poll::Ready(done) => done,
            std::task::Poll::Pending => tokio::select! {
                biased;
                done = work => done,
                () = ask.stop.cancelled() => return Err(stopped()),
                () = tokio::time::sleep(limit) => return Err(late(limit)),
            },
        };
        done.unwrap_or_else(|panic| Err(panicked(&*panic)))
    }
}

/// A command's own line to copy, if it has one soon.
pub(crate) async fn example(command: &dyn Command) -> Option<String> {
    let made = AssertUnwindSafe(command.example()).catch_unwind();
    tokio::time::timeout(EXAMPLE, made).await.ok()?.ok()?
}

/// What a caught panic says.
pub(crate) fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no text")
}

fn panicked(panic: &(dyn std::any::Any + Send)) -> CommandError {
    let text = panic_text(panic);
    tracing::error!(panic = text, "a command panicked");
    CommandError::new(CommandErrorKind::Failed, "the command broke; this is a defect of the bot, its log says more")
        .because(format!("panic: {text}"))
}

fn late(limit: Duration) -> CommandError {
    CommandError::new(CommandErrorKind::Timeout, format!("no answer within {limit:?}"))
}

/// Adds to an error that left open whether a call ran what the asker should know.
fn may_have_run(mut error: CommandError) -> CommandError {
    let cut_short = matches!(error.kind, CommandErrorKind::Timeout | CommandErrorKind::Cancelled);
    if cut_short && error.source.is_none() && !error.text.contains("may have run") {
        error.text.push_str("; it may have run");
    }
    error
}
