//! A message that is being answered: where its parts, its progress and its reply are posted.

use crate::adapter::{Adapter, AdapterError, AdapterErrorKind, Posted};
use crate::audit::chain;
use crate::bot::Counters;
use crate::command::{CommandError, CommandErrorKind, Sink};
use crate::message::Message;
use crate::reply::Reply;
use async_trait::async_trait;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// How long one post may take, except on a pipe, whose reader sets the pace.
const POST: Duration = Duration::from_secs(30);
/// How often a post is tried.
const TRIES: u32 = 5;
/// The longest "slow down" that is waited out.
const SLOWEST: Duration = Duration::from_secs(120);
/// How long a post to nobody waits for its next try.
const ABSENT: Duration = Duration::from_secs(1);
/// Progress is shown at most this often.
const PACE: Duration = Duration::from_secs(1);

/// The [`Sink`] of one message.
#[derive(Debug)]
pub(crate) struct Asked {
    adapter: Arc<dyn Adapter>,
    message: Arc<Message>,
    counters: Arc<Counters>,
    /// Parts that were said.
    said: AtomicUsize,
    /// Somebody shows progress just now; who comes meanwhile leaves it out.
    showing: AtomicBool,
    progress: Mutex<Option<(Posted, Instant)>>,
}

impl Asked {
    pub(crate) fn new(adapter: Arc<dyn Adapter>, message: Arc<Message>, counters: Arc<Counters>) -> Self {
        Self {
            adapter,
            message,
            counters,
            said: AtomicUsize::new(0),
            showing: AtomicBool::new(false),
            progress: Mutex::default(),
        }
    }

    /// Posts the answer. Nothing is posted where parts were said and nothing is left; an empty answer is an answer.
    pub(crate) async fn finish(&self, reply: Reply) {
        let said = self.said.load(Ordering::Relaxed);
        let reply = match reply.is_nothing() {
            true if said > 0 => return,
            true => Reply::text(""),
            false => reply,
        };
        let progress = self.progress().take();
        // The progress becomes the answer, if it is still the last thing that was said.
        let _ = self.post(&reply, progress.filter(|_| said == 0).map(|(posted, _)| posted).as_ref()).await;
    }

    /// Posts a reply, or puts it in the place of `instead`; again where that is safe.
    async fn post(&self, reply: &Reply, instead: Option<&Posted>) -> Result<Posted, AdapterError> {
        let mut tries = 0;
        loop {
            tries += 1;
            let error = match self.once(reply, instead).await {
                Ok(posted) => {
                    self.counters.posted.fetch_add(1, Ordering::Relaxed);
                    return Ok(posted);
                }
                Err(error) => error,
            };
            let Some(pause) = pause(&error.kind).filter(|_| tries < TRIES) else {
                self.counters.unposted.fetch_add(1, Ordering::Relaxed);
                tracing::warn!(adapter = &**self.adapter.name(), tries, error = %chain(&error), "a reply was not posted");
                return Err(error);
            };
            tracing::debug!(adapter = &**self.adapter.name(), tries, error = %chain(&error), "posting again");
            tokio::time::sleep(pause).await;
        }
    }

    async fn once(&self, reply: &Reply, instead: Option<&Posted>) -> Result<Posted, AdapterError> {
        let mut post = match instead {
            Some(posted) => self.adapter.edit(posted, reply),
            None => self.adapter.post(&self.message.place, reply),
        };
        if self.adapter.in_turn() {
            return post.await;
        }
        if let std::task::Poll::Ready(done) = futures_util::poll!(post.as_mut()) {
            return done;
        }
        tokio::time::timeout(POST, post)
            .await
            .unwrap_or_else(|late| Err(AdapterError { kind: AdapterErrorKind::Unsure, source: Box::new(late) }))
    }

    fn progress(&self) -> std::sync::MutexGuard<'_, Option<(Posted, Instant)>> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long to wait before the same post may be tried again; `None` where it could then stand there twice, or never.
fn pause(kind: &AdapterErrorKind) -> Option<Duration> {
    match kind {
        AdapterErrorKind::Limited(pause) => Some(*pause).filter(|pause| *pause <= SLOWEST),
        AdapterErrorKind::Absent => Some(ABSENT),
        _ => None,
    }
}

#[async_trait]
impl Sink for Asked {
    async fn show(&self, progress: Reply) {
        if self.adapter.in_turn() || self.showing.swap(true, Ordering::Acquire) {
            return;
        }
        let before = self.progress().clone();
        let due = before.as_ref().is_none_or(|(_, at)| at.elapsed() >= PACE);
        if due {
            let posted = self.once(&progress, before.as_ref().map(|(posted, _)| posted)).await;
            match posted {
                Ok(posted) => *self.progress() = Some((posted, Instant::now())),
                Err(error) => tracing::debug!(error = %chain(&error), "progress was not shown"),
            }
        }
        self.showing.store(false, Ordering::Release);
    }

    async fn say(&self, part: Reply) -> Result<(), CommandError> {
        self.said.fetch_add(1, Ordering::Relaxed);
        match self.post(&part, None).await {
            Ok(_) => Ok(()),
            Err(error) => {
                Err(CommandError::new(CommandErrorKind::Failed, "the answer cannot be posted any more").because(error))
            }
        }
    }
}
