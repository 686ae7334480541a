//! What the commands' tests share: an asker, and a registry that does what it is told.

use crate::kit::Kit;
use async_trait::async_trait;
use bot::adapter::Outbox;
use bot::command::{Command, CommandError, Invocation, Plan, Sink};
use bot::message::{Address, Args, Body, Message, Place, Sender};
use bot::reply::{Block, Cell, Mark, Reply};
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use micro::client::{Client, Options};
use micro::error::{Error, ErrorKind, Result};
use micro::registry::service::{Node, Service};
use micro::registry::{Event, Registry, Scope};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Bob, at the terminal.
pub(crate) fn asked(text: &str) -> Message {
    let address = Address { adapter: "terminal".into(), space: String::new(), room: "tty".to_owned(), thread: None };
    Message {
        id: None,
        at: SystemTime::UNIX_EPOCH,
        from: Sender { id: Some("bob".to_owned()), name: "Bob".to_owned(), roles: Vec::new(), external: false },
        place: Place { address, only: None, under: None, via: None },
        direct: true,
        body: Body::Text { text: text.to_owned(), raw: text.to_owned() },
        files: Vec::new(),
    }
}

/// Arguments as the router gives them.
pub(crate) fn args(named: &[(&str, &str)], rest: &str) -> Args {
    let named = named.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Args { named, rest: rest.to_owned() }
}

/// Plans and runs with the rest of a line.
pub(crate) async fn run(command: &dyn Command, rest: &str) -> std::result::Result<Reply, CommandError> {
    run_with(command, args(&[], rest)).await
}

/// Plans and runs for a service.
pub(crate) async fn run_for(command: &dyn Command, service: &str) -> std::result::Result<Reply, CommandError> {
    run_with(command, args(&[("service", service)], "")).await
}

pub(crate) async fn run_with(command: &dyn Command, args: Args) -> std::result::Result<Reply, CommandError> {
    let plan = command.plan(&asked(""), &args).await?;
    command.run(invocation(args, plan)).await
}

pub(crate) fn invocation(args: Args, plan: Plan) -> Invocation {
    Invocation {
        message: Arc::new(asked("")),
        args,
        plan: Arc::new(plan),
        outbox: Outbox(Arc::new([])),
        stop: CancellationToken::new(),
        sink: Arc::new(Silence),
    }
}

struct Silence;

#[async_trait]
impl Sink for Silence {
    async fn show(&self, _progress: Reply) {}

    async fn say(&self, _part: Reply) -> std::result::Result<(), CommandError> {
        Ok(())
    }
}

/// The bytes for pipe and shell.
pub(crate) fn text(reply: &Reply) -> &str {
    reply.text.as_deref().unwrap()
}

/// The JSON for machines.
pub(crate) fn data(reply: &Reply) -> &str {
    reply.data.as_ref().unwrap().get()
}

/// The blocks for chats, a line each row, marks in brackets.
pub(crate) fn blocks(reply: &Reply) -> String {
    let cell = |cell: &Cell| match cell.mark {
        Mark::Plain => cell.text.clone(),
        mark => format!("{} [{mark:?}]", cell.text),
    };
    let block = |block: &Block| match block {
        Block::Text(text) => format!("text: {text}"),
        Block::Code { lang, body } => format!("code {lang}:\n{body}"),
        Block::Table { head, rows } => {
            let rows = rows.iter().map(|row| row.iter().map(cell).collect::<Vec<_>>().join(" | "));
            std::iter::once(format!("table: {}", head.join(" | "))).chain(rows).collect::<Vec<_>>().join("\n")
        }
        Block::Fields(fields) => {
            let fields: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={}", cell(value))).collect();
            format!("fields: {}", fields.join(" "))
        }
        other => format!("{other:?}"),
    };
    reply.blocks.iter().map(block).collect::<Vec<_>>().join("\n")
}

/// An error as `kind: text`.
pub(crate) fn fault(result: std::result::Result<Reply, CommandError>) -> String {
    let error = result.unwrap_err();
    format!("{}: {}", error.kind.as_str(), error.text)
}

/// A service with nodes `<name>-<n>` at the addresses.
pub(crate) fn service(name: &str, version: &str, addresses: &[&str]) -> Service {
    let node = |(at, address): (usize, &&str)| {
        Arc::new(Node { id: format!("{name}-{}", at + 1), address: (*address).to_owned(), ..Node::default() })
    };
    Service {
        name: name.to_owned(),
        version: version.to_owned(),
        nodes: addresses.iter().enumerate().map(node).collect(),
        ..Service::default()
    }
}

/// A kit over a registry.
pub(crate) fn kit(registry: &Arc<Shelf>) -> Kit {
    let registry: Arc<dyn Registry> = registry.clone();
    Kit {
        client: Client::new(registry.clone(), Options::default()),
        registry,
        version: "0.1.0",
        namespace: "go.micro.bot".to_owned(),
    }
}

/// A registry that lies open: services are put and taken by hand, it goes away and comes back when told. Its watch says
/// names only, as most do, or all that it knows.
#[derive(Default)]
pub(crate) struct Shelf {
    state: Mutex<State>,
    fleeting: bool,
    telling: bool,
}

#[derive(Default)]
struct State {
    services: Vec<Service>,
    down: bool,
    gets: usize,
    watchers: Vec<(Scope, mpsc::UnboundedSender<Event>)>,
}

impl Shelf {
    pub(crate) fn with(services: impl IntoIterator<Item = Service>) -> Arc<Self> {
        let shelf = Self::default();
        shelf.state().services = services.into_iter().collect();
        Arc::new(shelf)
    }

    /// An entry dies with the process.
    pub(crate) fn fleeting() -> Arc<Self> {
        Arc::new(Self { fleeting: true, ..Self::default() })
    }

    /// The watch says all that it knows.
    pub(crate) fn telling(services: impl IntoIterator<Item = Service>) -> Arc<Self> {
        let state = Mutex::new(State { services: services.into_iter().collect(), ..State::default() });
        Arc::new(Self { state, telling: true, ..Self::default() })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells those whom it concerns: the watches of the name, and those of all names where a `name` comes or goes.
    fn tell(&self, event: impl Fn(Service) -> Event, service: &Service, name: bool) {
        let all = || if self.telling { service.clone() } else { Service::named(&service.name) };
        self.state().watchers.retain(|(scope, watcher)| match scope {
            Scope::Names if name || self.telling => watcher.send(event(all())).is_ok(),
            Scope::Service(of) if *of == service.name => watcher.send(event(service.clone())).is_ok(),
            Scope::Names | Scope::Service(_) => !watcher.is_closed(),
        });
    }

    /// Says something to everyone who watches.
    pub(crate) fn say(&self, event: &Event) {
        self.state().watchers.retain(|(_, watcher)| watcher.send(event.clone()).is_ok());
    }

    fn snapshot(&self, scope: &Scope) -> Event {
        let state = self.state();
        let services = state.services.iter().filter_map(|service| match scope {
            Scope::Names if !self.telling => Some(Service::named(&service.name)),
            Scope::Service(of) if *of != service.name => None,
            Scope::Names | Scope::Service(_) => Some(service.clone()),
        });
        Event::Snapshot(services.collect())
    }

    fn has(&self, name: &str) -> bool {
        self.state().services.iter().any(|service| service.name == name)
    }

    /// Puts a version in, or replaces it.
    pub(crate) fn put(&self, service: &Service) {
        let first = !self.has(&service.name);
        {
            let mut state = self.state();
            state.services.retain(|known| known.name != service.name || known.version != service.version);
            state.services.push(service.clone());
        }
        self.tell(Event::Put, service, first);
    }

    /// Takes nodes of an id out; a version goes with its last.
    pub(crate) fn take(&self, name: &str, node: &str) {
        let mut gone = Service::named(name);
        {
            let mut state = self.state();
            for service in state.services.iter_mut().filter(|service| service.name == name) {
                gone.version.clone_from(&service.version);
                gone.nodes.extend(service.nodes.iter().filter(|known| known.id == node).cloned());
                service.nodes.retain(|known| known.id != node);
            }
            state.services.retain(|service| service.name != name || !service.nodes.is_empty());
        }
        self.tell(Event::Gone, &gone, !self.has(name));
    }

    /// The registry goes away, or comes back with a snapshot.
    pub(crate) fn set_down(&self, down: bool) {
        self.state().down = down;
        let watchers = self.state().watchers.clone();
        for (scope, watcher) in watchers {
            let event = if down {
                Event::Lost(Arc::new(Error::new(ErrorKind::Unreachable, "gone")))
            } else {
                self.snapshot(&scope)
            };
            // One that is gone hears nothing.
            let _ = watcher.send(event);
        }
    }

    /// How often `get` was asked.
    pub(crate) fn gets(&self) -> usize {
        self.state().gets
    }

    /// How many watches there are.
    pub(crate) fn watchers(&self) -> usize {
        self.state().watchers.len()
    }

    fn up(&self) -> Result<()> {
        if self.state().down { Err(Error::new(ErrorKind::Unreachable, "dial 127.0.0.1:8500: refused")) } else { Ok(()) }
    }
}

#[async_trait]
impl Registry for Shelf {
    fn name(&self) -> &'static str {
        "shelf"
    }

    async fn register(&self, service: &Service, ttl: Option<Duration>) -> Result<()> {
        assert_eq!(ttl, None, "a person's entry does not expire");
        self.up()?;
        self.put(service);
        Ok(())
    }

    async fn deregister(&self, service: &Service) -> Result<()> {
        self.up()?;
        for node in &service.nodes {
            self.take(&service.name, &node.id);
        }
        Ok(())
    }

    async fn get(&self, name: &str) -> Result<Vec<Service>> {
        self.up()?;
        let mut state = self.state();
        state.gets += 1;
        let mut found: Vec<Service> = state.services.iter().filter(|service| service.name == name).cloned().collect();
        found.sort_by(|one, other| one.version.cmp(&other.version));
        Ok(found)
    }

    async fn list(&self) -> Result<Vec<String>> {
        self.up()?;
        let mut names: Vec<String> = self.state().services.iter().map(|service| service.name.clone()).collect();
        names.sort();
        names.dedup();
        Ok(names)
    }

    fn watch(&self, scope: Scope) -> BoxStream<'static, Event> {
        let (watcher, mut events) = mpsc::unbounded_channel();
        let first = self.snapshot(&scope);
        self.state().watchers.push((scope, watcher));
        let rest = futures_util::stream::poll_fn(move |context| events.poll_recv(context));
        futures_util::stream::once(async { first }).chain(rest).chain(futures_util::stream::pending()).boxed()
    }

    fn outlives(&self) -> bool {
        !self.fleeting
    }
}
