//! The commands that are services: every `go.micro.bot.<word>` is a command while it has a node.
//!
//! One watch of all names, however many commands there are. Where it says no more than names, a look at the service itself
//! when its name appears, and at some of them once in a while, since such a registry does not say when a name loses its
//! last node but keeps its entry. Help is only text: it is asked for beside everything else, again when the nodes change, and again when it failed.

mod book;
mod command;
mod wire;
mod words;

use crate::kit::Kit;
use book::{Book, Job};
use bot::router::Word;
use bytes::Bytes;
use command::Help;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use futures_util::{FutureExt, StreamExt};
use micro::client::request::{JSON, Request};
use micro::error::{Error, ErrorKind};
use micro::registry::service::{Node, Service};
use micro::registry::{Event, Registry, Scope};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use wire::{Form, HELP, HelpRequest, HelpResponse};

/// Looks at single services at the same time.
const LOOKS: usize = 16;
/// Helps asked for at the same time; deaf services hold up nobody but those who wait for their help.
const HELPS: usize = 32;
/// The longest that a look or a help may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Calls a service once, or one node of it: the client, or a test.
type Call = Arc<dyn Fn(Request, Option<Arc<Node>>) -> BoxFuture<'static, Result<Bytes, Error>> + Send + Sync>;

/// The commands that are services, kept up to date by a task of `tasks` until `stop`. A registry that is away changes
/// nothing: what was known stays until it is back.
pub(crate) fn words(kit: &Kit, tasks: &TaskTracker, stop: CancellationToken) -> watch::Receiver<Arc<Vec<Word>>> {
    let client = kit.client.clone();
    let call: Call = Arc::new(move |request, node| {
        let client = client.clone();
        async move {
            let response = match node {
                Some(node) => client.call_node(&node, request).await,
                None => client.call(request).await,
            };
            response.map(|response| response.body)
        }
        .boxed()
    });
    start(kit, call, tasks, stop)
}

fn start(kit: &Kit, call: Call, tasks: &TaskTracker, stop: CancellationToken) -> watch::Receiver<Arc<Vec<Word>>> {
    let (words, seen) = watch::channel(Arc::default());
    let book = Book::new(&kit.namespace, call.clone(), kit.client.options().timeout);
    let watcher = Watcher {
        events: kit.registry.watch(Scope::Names),
        registry: kit.registry.clone(),
        call,
        book,
        looks: JoinSet::new(),
        helps: JoinSet::new(),
        words,
    };
    tasks.spawn(async move {
        // Dropping it ends whatever it was waiting for.
        let _ = stop.run_until_cancelled(watcher.run()).await;
    });
    seen
}

/// What keeps the book up to date: the registry's events in, jobs out and back in, words out.
struct Watcher {
    events: BoxStream<'static, Event>,
    registry: Arc<dyn Registry>,
    call: Call,
    book: Book,
    looks: JoinSet<Looked>,
    helps: JoinSet<(Arc<str>, Option<Help>)>,
    words: watch::Sender<Arc<Vec<Word>>>,
}

/// What a look at the registry brought.
enum Looked {
    One(Arc<str>, Result<Vec<Service>, Error>),
    All(Result<Vec<String>, Error>),
}

impl Watcher {
    async fn run(mut self) {
        let mut told = false;
        loop {
            self.begin();
            let due = self.book.due();
            tokio::select! {
                Some(event) = self.events.next() => {
                    let whole = matches!(event, Event::Snapshot(_));
                    self.book.event(event, Instant::now());
                    if whole && !told {
                        // Whoever waits for the first list waits no longer than that takes.
                        told = true;
                        self.book.hurry(Instant::now());
                    }
                }
                Some(Ok(looked)) = self.looks.join_next() => match looked {
                    Looked::One(service, found) => self.book.looked(&service, found, Instant::now()),
                    Looked::All(names) => self.book.listed(names, Instant::now()),
                },
                Some(Ok((service, help))) = self.helps.join_next() => self.book.helped(&service, help, Instant::now()),
                () = sleep_until(due) => {}
            }
            if let Some(words) = self.book.publish(Instant::now()) {
                self.words.send_replace(Arc::new(words));
            }
        }
    }

    /// Starts the jobs that are due, as far as there is room.
    fn begin(&mut self) {
        let now = Instant::now();
        while self.looks.len() < LOOKS
            && let Some(job) = self.book.look(now)
        {
            let registry = self.registry.clone();
            self.looks.spawn(async move {
                match job {
                    Job::One(service) => {
                        let found = bounded(registry.get(&service)).await;
                        Looked::One(service, found)
                    }
                    Job::All => Looked::All(bounded(registry.list()).await),
                }
            });
        }
        while self.helps.len() < HELPS
            && let Some((service, node)) = self.book.help(now)
        {
            self.helps.spawn(ask(self.call.clone(), service, node));
        }
    }
}

async fn bounded<T>(answer: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    timeout(PATIENCE, answer)
        .await
        .unwrap_or_else(|_| Err(Error::new(ErrorKind::Timeout, "the registry does not answer")))
}

/// Asks a node for its service's help: in protobuf and, if it answers that with anything but help, in JSON. The node is
/// asked directly, so that the client need not watch a service that nobody calls.
async fn ask(call: Call, service: Arc<str>, node: Arc<Node>) -> (Arc<str>, Option<Help>) {
    let mut help = None;
    for form in [Form::Protobuf, Form::Json] {
        let mut request = Request::protobuf(&*service, HELP, form.encode(&HelpRequest {}));
        if form == Form::Json {
            JSON.clone_into(&mut request.content_type);
        }
        request.idempotent = true;
        request.within = Some(PATIENCE);
        let answer = match timeout(PATIENCE, call(request, Some(node.clone()))).await {
            Ok(Ok(body)) => body,
            Ok(Err(error)) if matches!(error.kind(), ErrorKind::Service | ErrorKind::Malformed) => continue,
            Ok(Err(_)) | Err(_) => break,
        };
        if let Some(HelpResponse { usage, description }) = form.decode(&answer) {
            help = Some(command::help(&usage, &description, form));
            break;
        }
    }
    (service, help)
}

#[cfg(test)]
mod tests;
