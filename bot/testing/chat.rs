//! The scripted chat itself.

use crate::adapter::{Adapter, AdapterError, AdapterErrorKind, Inbox, Posted, State};
use crate::message::{Message, Place};
use crate::reply::Reply;
use async_trait::async_trait;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{Notify, mpsc, watch};

/// Something that the bot posted.
#[derive(Clone, Debug)]
pub struct Post {
    /// Where.
    pub place: Place,
    /// What.
    pub reply: Reply,
    /// The id of the post whose place it took.
    pub instead: Option<String>,
}

/// A chat that does what its test says.
#[derive(Debug)]
pub struct Chat {
    name: Arc<str>,
    trusted: bool,
    in_turn: bool,
    inbox: watch::Sender<Option<Inbox>>,
    posts: mpsc::UnboundedSender<Post>,
    count: AtomicUsize,
    listened: AtomicUsize,
    failures: Mutex<VecDeque<AdapterErrorKind>>,
    states: Mutex<Vec<State>>,
    ends: Mutex<VecDeque<Option<AdapterErrorKind>>>,
    ended: Notify,
}

impl Chat {
    /// A chat and what is posted into it.
    pub fn new(name: &str, trusted: bool, in_turn: bool) -> (Arc<Self>, mpsc::UnboundedReceiver<Post>) {
        let (posts, posted) = mpsc::unbounded_channel();
        let chat = Self {
            name: name.into(),
            trusted,
            in_turn,
            inbox: watch::channel(None).0,
            posts,
            count: AtomicUsize::new(0),
            listened: AtomicUsize::new(0),
            failures: Mutex::default(),
            states: Mutex::default(),
            ends: Mutex::default(),
            ended: Notify::new(),
        };
        (Arc::new(chat), posted)
    }

    /// Lets the next posts fail, one for each kind.
    pub fn refuse(&self, kinds: impl IntoIterator<Item = AdapterErrorKind>) {
        lock(&self.failures).extend(kinds);
    }

    /// The connection is lost with this error; `None`: the input has ended for good.
    pub fn hang(&self, error: Option<AdapterErrorKind>) {
        self.inbox.send_replace(None);
        lock(&self.ends).push_back(error);
        self.ended.notify_one();
    }

    /// How often the bot began to listen.
    pub fn listened(&self) -> usize {
        self.listened.load(Ordering::SeqCst)
    }

    /// The states that were shown, in order.
    pub fn states(&self) -> Vec<State> {
        lock(&self.states).clone()
    }

    /// The bot, as soon as it listens.
    pub(crate) async fn inbox(&self) -> Inbox {
        let mut inbox = self.inbox.subscribe();
        let there = inbox.wait_for(Option::is_some).await;
        match there.ok().and_then(|inbox| inbox.clone()) {
            Some(inbox) => inbox,
            None => std::future::pending().await,
        }
    }

    fn put(&self, place: &Place, reply: &Reply, instead: Option<String>) -> Result<Posted, AdapterError> {
        if let Some(kind) = lock(&self.failures).pop_front() {
            return Err(AdapterError { kind, source: "the script says so".into() });
        }
        let id = self.count.fetch_add(1, Ordering::SeqCst).to_string();
        // A test that no longer looks has let go of the other end.
        let _ = self.posts.send(Post { place: place.clone(), reply: reply.clone(), instead });
        Ok(Posted { place: place.clone(), ids: vec![id] })
    }
}

#[async_trait]
impl Adapter for Chat {
    fn name(&self) -> &Arc<str> {
        &self.name
    }

    async fn listen(&self, inbox: Inbox) -> Result<(), AdapterError> {
        self.listened.fetch_add(1, Ordering::SeqCst);
        self.inbox.send_replace(Some(inbox.clone()));
        loop {
            let end = lock(&self.ends).pop_front();
            match end {
                Some(Some(kind)) => return Err(AdapterError { kind, source: "the script says so".into() }),
                Some(None) => return Ok(()),
                None => {}
            }
            tokio::select! {
                () = inbox.hang_up() => return Ok(()),
                () = self.ended.notified() => {}
            }
        }
    }

    async fn post(&self, to: &Place, reply: &Reply) -> Result<Posted, AdapterError> {
        self.put(to, reply, None)
    }

    async fn edit(&self, posted: &Posted, reply: &Reply) -> Result<Posted, AdapterError> {
        self.put(&posted.place, reply, posted.ids.first().cloned())
    }

    async fn working(&self, _on: &Message, state: State) {
        lock(&self.states).push(state);
    }

    fn trusted(&self) -> bool {
        self.trusted
    }

    fn in_turn(&self) -> bool {
        self.in_turn
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
