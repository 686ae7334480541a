//! The life of a server: it registers, serves, deregisters first, drains.

use crate::error::{Error, ErrorKind, Result};
use crate::registry::memory::Memory;
use crate::registry::service::{MARKER, Metadata, Service};
use crate::registry::{Event, Registry, Scope};
use crate::server::handler::json;
use crate::server::tests::rig::{NAME, options, unary};
use crate::server::{Context, Options, Running, Server};
use async_trait::async_trait;
use futures_util::stream::BoxStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// A registry that tells what it is asked, and can be away.
#[derive(Clone)]
struct Told {
    tell: mpsc::UnboundedSender<&'static str>,
    away: Arc<AtomicBool>,
    /// Registers for ever.
    slow: bool,
}

impl Told {
    fn new() -> (Self, mpsc::UnboundedReceiver<&'static str>) {
        let (tell, told) = mpsc::unbounded_channel();
        (Self { tell, away: Arc::default(), slow: false }, told)
    }

    fn say(&self, word: &'static str) -> Result<()> {
        self.tell.send(word).unwrap();
        let away = self.away.load(Ordering::SeqCst);
        if away { Err(Error::new(ErrorKind::Unreachable, "the registry is away")) } else { Ok(()) }
    }
}

#[async_trait]
impl Registry for Told {
    fn name(&self) -> &'static str {
        "told"
    }

    async fn register(&self, _service: &Service, ttl: Option<Duration>) -> Result<()> {
        assert_eq!(ttl, Some(Duration::from_secs(60)));
        self.say("register")?;
        if self.slow { std::future::pending().await } else { Ok(()) }
    }

    async fn deregister(&self, _service: &Service) -> Result<()> {
        self.say("deregister")
    }

    async fn get(&self, _name: &str) -> Result<Vec<Service>> {
        Ok(Vec::new())
    }

    async fn list(&self) -> Result<Vec<String>> {
        Ok(Vec::new())
    }

    fn watch(&self, _scope: Scope) -> BoxStream<'static, Event> {
        Box::pin(futures_util::stream::pending())
    }
}

fn registered(registry: impl Registry) -> Options {
    Options { registry: Some(Arc::new(registry)), ..options() }
}

#[tokio::test]
async fn a_service_is_registered_as_go_registers_it() {
    let registry = Memory::new();
    let metadata = Metadata::from([("zone".to_owned(), "a".to_owned()), ("protocol".to_owned(), "mine".to_owned())]);
    let options = Options { id: "1".to_owned(), version: "1.2.3".to_owned(), metadata, ..registered(registry.clone()) };
    let server = Server::new(options)
        .handle(unary("Say.Hello"), json(async |_, name: String| Ok(name)))
        .handle(unary("Say.Bye"), json(async |_, name: String| Ok(name)));
    let running = server.start().await.unwrap();

    let found = registry.get(NAME).await.unwrap();
    assert_eq!(found, [running.service().clone()]);
    let (service, node) = (&found[0], &found[0].nodes[0]);
    let endpoints: Vec<_> = service.endpoints.iter().map(|endpoint| endpoint.name.as_str()).collect();
    assert_eq!((service.version.as_str(), &endpoints[..]), ("1.2.3", &["Say.Bye", "Say.Hello"][..]));
    assert_eq!((node.id.as_str(), node.address.as_str()), ("go.micro.srv.greeter-1", running.address()));
    let metadata: Vec<_> = node.metadata.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let marker = format!("{}={}", MARKER.0, MARKER.1);
    let expected =
        ["broker=http", &marker, "protocol=mucp", "registry=memory", "server=mucp", "transport=http", "zone=a"];
    assert_eq!(metadata, expected);

    running.stop().await;
    assert_eq!(registry.get(NAME).await.unwrap(), []);
}

#[tokio::test]
async fn a_debug_handler_of_ones_own_answers_and_is_not_listed() {
    let health = json(async |_, _: Metadata| Ok(Metadata::from([("status".to_owned(), "tired".to_owned())])));
    let running = Server::new(options()).handle(unary("Debug.Health"), health).start().await.unwrap();
    assert_eq!(running.service().endpoints, []);
    let mut client = TcpStream::connect(running.address()).await.unwrap();
    let call = "POST / HTTP/1.1\r\nContent-Type: application/json\r\nMicro-Endpoint: Debug.Health\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}";
    client.write_all(call.as_bytes()).await.unwrap();
    let mut reply = String::new();
    client.read_to_string(&mut reply).await.unwrap();
    assert!(reply.ends_with("{\"status\":\"tired\"}"), "{reply}");
    running.stop().await;
}

#[tokio::test]
async fn a_running_call_is_answered_after_the_server_is_told_to_stop() {
    let (registry, mut told) = Told::new();
    let tell = registry.tell.clone();
    let finish = CancellationToken::new();
    let finished = finish.clone();
    let server = Server::new(registered(registry)).handle(
        unary("Say.Wait"),
        json(move |_: Context, (): ()| {
            let (tell, finished) = (tell.clone(), finished.clone());
            async move {
                tell.send("called").unwrap();
                finished.cancelled().await;
                Ok("done")
            }
        }),
    );
    let running = server.start().await.unwrap();
    assert_eq!(told.recv().await, Some("register"));

    let mut client = TcpStream::connect(running.address()).await.unwrap();
    let mut idle = TcpStream::connect(running.address()).await.unwrap();
    let call = "POST / HTTP/1.1\r\nContent-Type: application/json\r\nMicro-Endpoint: Say.Wait\r\nContent-Length: 4\r\n\r\nnull";
    client.write_all(call.as_bytes()).await.unwrap();
    assert_eq!(told.recv().await, Some("called"));

    let address = running.address().to_owned();
    let mut reply = String::new();
    tokio::join!(running.stop(), async {
        assert_eq!(told.recv().await, Some("deregister"));
        assert_eq!(idle.read(&mut [0; 1]).await.unwrap(), 0, "an idle connection is closed");
        assert!(TcpStream::connect(&address).await.is_err(), "no more calls are taken");
        finish.cancel();
        client.read_to_string(&mut reply).await.unwrap();
    });
    assert!(reply.contains("Connection: close\r\n") && reply.ends_with("\"done\""), "{reply}");
}

#[tokio::test]
async fn a_call_that_outlives_the_drain_limit_is_dropped() {
    let (tell, mut told) = mpsc::unbounded_channel();
    let options = Options { drain: Duration::from_millis(50), ..options() };
    let server = Server::new(options).handle(
        unary("Say.Wait"),
        json(move |_: Context, (): ()| {
            let tell = tell.clone();
            async move {
                tell.send(()).unwrap();
                std::future::pending::<Result<()>>().await
            }
        }),
    );
    let running = server.start().await.unwrap();
    let mut client = TcpStream::connect(running.address()).await.unwrap();
    let call = "POST / HTTP/1.1\r\nContent-Type: application/json\r\nMicro-Endpoint: Say.Wait\r\nContent-Length: 4\r\n\r\nnull";
    client.write_all(call.as_bytes()).await.unwrap();
    told.recv().await.unwrap();
    running.stop().await;
    assert_eq!(client.read(&mut [0; 1]).await.unwrap(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_registry_that_is_away_is_tried_again_and_renewed() {
    let (registry, mut told) = Told::new();
    registry.away.store(true, Ordering::SeqCst);
    let running = Server::new(registered(registry.clone())).start().await.unwrap();
    for _ in 0..5 {
        assert_eq!(told.recv().await, Some("register"));
    }
    registry.away.store(false, Ordering::SeqCst);
    let mut renewed = Vec::new();
    for _ in 0..4 {
        assert_eq!(told.recv().await, Some("register"));
        renewed.push(tokio::time::Instant::now());
    }
    assert_eq!(renewed[3] - renewed[2], Duration::from_secs(30));
    running.stop().await;
    assert_eq!(told.recv().await, Some("deregister"));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_dropped_does_not_deregister() {
    let (registry, mut told) = Told::new();
    let running = Server::new(registered(registry)).start().await.unwrap();
    let address = running.address().to_owned();
    assert_eq!(told.recv().await, Some("register"));
    drop(running);
    assert_eq!(told.recv().await, None, "the lease let go of its registry");
    assert!(TcpStream::connect(&address).await.is_err());
}

#[tokio::test]
async fn a_start_that_is_dropped_leaves_nothing_running() {
    let (registry, mut told) = Told::new();
    let registry = Told { slow: true, ..registry };
    tokio::select! {
        _ = Server::new(registered(registry)).start() => panic!("the registry never answers"),
        word = told.recv() => assert_eq!(word, Some("register")),
    }
    assert_eq!(told.recv().await, None, "the lease let go of its registry");
}

#[tokio::test]
async fn a_server_that_cannot_start_says_why() {
    let running = Server::new(options()).start().await.unwrap();
    let taken = Options { address: running.address().to_owned(), ..options() };
    let error = Server::new(taken).start().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreachable);
    let expected = format!("listen at {}: Address already in use", running.address());
    assert!(error.to_string().starts_with(&expected), "{error}");

    let twice = Server::new(options())
        .handle(unary("Say.Hello"), json(async |_, (): ()| Ok(())))
        .handle(unary("Say.Hello"), json(async |_, (): ()| Ok(())));
    let error = twice.start().await.unwrap_err();
    assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::Invalid, "two handlers for Say.Hello"));
}

#[test]
fn a_running_server_can_be_moved_between_threads() {
    fn moved<T: Send + 'static>() {}
    moved::<Running>();
    moved::<Server>();
}
