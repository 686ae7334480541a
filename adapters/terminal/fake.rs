//! The bot's side of an inbox for tests: what is delivered comes out at the other end.

use async_trait::async_trait;
use bot::adapter::{Delivered, Front, Inbox};
use bot::command::{Field, Spec};
use bot::message::{Address, Args, Message, Sender};
use std::sync::{Arc, Mutex};
use tokio::sync::{Notify, mpsc, watch};
use tokio_util::sync::CancellationToken;

/// A bot that answers nothing by itself.
pub(crate) struct Fake {
    messages: mpsc::Sender<Message>,
    /// Fires when somebody waits for room.
    pub(crate) waits: Notify,
    pub(crate) closed: CancellationToken,
    pub(crate) hang_up: CancellationToken,
    pub(crate) catalogue: watch::Sender<Arc<[Spec]>>,
    /// The choices for a command and what stands behind its words.
    pub(crate) choices: Mutex<Vec<(&'static str, &'static str, Vec<&'static str>)>>,
}

impl Fake {
    /// A bot in which `room` messages may wait, its messages, and its inbox.
    pub(crate) fn new(room: usize) -> (Arc<Self>, mpsc::Receiver<Message>, Inbox) {
        let (messages, heard) = mpsc::channel(room);
        let fake = Arc::new(Self {
            messages,
            waits: Notify::new(),
            closed: CancellationToken::new(),
            hang_up: CancellationToken::new(),
            catalogue: watch::Sender::new(Arc::from([])),
            choices: Mutex::default(),
        });
        let inbox = Inbox(fake.clone());
        (fake, heard, inbox)
    }
}

#[async_trait]
impl Front for Fake {
    async fn deliver(&self, message: Message) -> Delivered {
        match self.messages.try_send(message) {
            Ok(()) => Delivered::Queued,
            Err(error) => Delivered::Full(Box::new(error.into_inner())),
        }
    }

    async fn fields(&self, command: &str, so_far: &Args, _who: &Sender, _at: &Address) -> Vec<Field> {
        let choices = self.choices.lock().unwrap();
        let found = choices.iter().filter(|(name, rest, _)| *name == command && *rest == so_far.rest);
        let field = |words: &Vec<&str>| Field {
            name: "next".to_owned(),
            kind: bot::command::FieldKind::Text,
            choices: words.iter().map(|word| (*word).to_owned()).collect(),
            required: true,
        };
        found.map(|(_, _, words)| field(words)).collect()
    }

    fn catalogue(&self) -> watch::Receiver<Arc<[Spec]>> {
        self.catalogue.subscribe()
    }

    fn alive(&self) {}

    async fn room(&self) {
        self.waits.notify_one();
        drop(self.messages.reserve().await);
    }

    async fn closed(&self) {
        self.closed.cancelled().await;
    }

    async fn hang_up(&self) {
        self.hang_up.cancelled().await;
    }
}
