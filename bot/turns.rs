//! Whose turn it is: messages of one conversation keep their order, nobody else waits.

use crate::message::Message;
use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// A message on its way, and what stops it.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    pub(crate) message: Arc<Message>,
    pub(crate) stop: CancellationToken,
}

/// A conversation: one sender at one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key(u64);

/// What became of a job.
#[derive(Debug)]
pub(crate) enum Admitted {
    /// Nothing of its conversation runs: a worker is to be started with it.
    Start(Job),
    /// It waits; the conversation's worker will take it.
    Waits,
    /// Too much is waiting.
    Full(Job),
}

/// What was stopped.
#[derive(Debug)]
pub(crate) struct Stopped {
    pub(crate) message: Arc<Message>,
    pub(crate) waiting: usize,
}

/// Every conversation that something runs in.
#[derive(Debug)]
pub(crate) struct Turns {
    each: usize,
    total: usize,
    hasher: RandomState,
    state: Mutex<State>,
    room: Notify,
}

#[derive(Debug, Default)]
struct State {
    talks: HashMap<Key, Talk>,
    waiting: usize,
    /// Somebody waits for room.
    starved: bool,
}

#[derive(Debug)]
struct Talk {
    now: Job,
    queue: VecDeque<Job>,
}

impl Turns {
    /// At most `each` messages wait in one conversation and `total` in all; at most `total` conversations are awake.
    pub(crate) fn new(each: usize, total: usize) -> Self {
        Self {
            each: each.max(1),
            total: total.max(1),
            hasher: RandomState::new(),
            state: Mutex::default(),
            room: Notify::new(),
        }
    }

    /// The conversation of a message: (adapter, space, room, thread, sender). A hash under a key of this process, so
    /// that a message costs no copies of names; two conversations that met in 64 bits would but wait for each other.
    pub(crate) fn key(&self, message: &Message) -> Key {
        let at = &message.place.address;
        let sender = message.from.id.as_deref().unwrap_or(&message.from.name);
        Key(self.hasher.hash_one((&*at.adapter, &at.space, &at.room, &at.thread, message.from.id.is_some(), sender)))
    }

    /// Whether something of this conversation runs.
    pub(crate) fn busy(&self, key: Key) -> bool {
        self.lock().talks.contains_key(&key)
    }

    /// Lets a job in.
    pub(crate) fn admit(&self, key: Key, job: Job) -> Admitted {
        let mut state = self.lock();
        let State { talks, waiting, .. } = &mut *state;
        let awake = talks.len();
        let Some(talk) = talks.get_mut(&key) else {
            if awake >= self.total {
                return Admitted::Full(job);
            }
            talks.insert(key, Talk { now: job.clone(), queue: VecDeque::new() });
            return Admitted::Start(job);
        };
        if talk.queue.len() >= self.each || *waiting >= self.total {
            return Admitted::Full(job);
        }
        talk.queue.push_back(job);
        *waiting += 1;
        Admitted::Waits
    }

    /// The conversation's next job; `None` ends it, and its worker with it.
    pub(crate) fn next(&self, key: Key) -> Option<Job> {
        let mut state = self.lock();
        let State { talks, waiting, starved } = &mut *state;
        let talk = talks.get_mut(&key)?;
        let next = talk.queue.pop_front();
        // Half empty, not one place: a reader that is woken for every message costs a task switch for each.
        let roomy = talk.queue.len() <= self.each / 2;
        if let Some(job) = &next {
            talk.now = job.clone();
            *waiting -= 1;
        } else {
            talks.remove(&key);
        }
        if roomy && *starved {
            *starved = false;
            drop(state);
            self.room.notify_waiters();
        }
        next
    }

    /// Waits until a message of this conversation (of any, without a key) would be let in.
    pub(crate) async fn room(&self, key: Option<Key>) {
        loop {
            let mut woken = std::pin::pin!(self.room.notified());
            woken.as_mut().enable();
            if self.roomy(key) {
                return;
            }
            woken.await;
        }
    }

    fn roomy(&self, key: Option<Key>) -> bool {
        let mut state = self.lock();
        let roomy = match key.and_then(|key| state.talks.get(&key)) {
            Some(talk) => state.waiting < self.total && talk.queue.len() <= self.each / 2,
            None => state.talks.len() < self.total,
        };
        state.starved |= !roomy;
        roomy
    }

    /// Stops what runs in this conversation.
    pub(crate) fn stop(&self, key: Key, asking: &Message) -> Option<Stopped> {
        let state = self.lock();
        let talk = state.talks.get(&key)?;
        if std::ptr::eq(&raw const *talk.now.message, asking) {
            return None;
        }
        talk.now.stop.cancel();
        Some(Stopped { message: talk.now.message.clone(), waiting: talk.queue.len() })
    }

    /// Stops all that runs.
    pub(crate) fn stop_all(&self) {
        self.lock().talks.values().for_each(|talk| talk.now.stop.cancel());
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
