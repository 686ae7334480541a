//! What every registry must do.

use crate::error::ErrorKind;
use crate::registry::service::{Endpoint, Metadata, Node, Service, Value};
use crate::registry::state::State;
use crate::registry::{Event, Registry, Scope};
use futures_util::stream::{BoxStream, StreamExt};
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

/// How long anything may take to be seen.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a registry can do beyond the rest.
#[derive(Clone, Copy, Debug, Default)]
pub struct RegistryTraits {
    /// An entry ends with its `ttl`.
    pub expires: bool,
    /// Every name can be registered; otherwise an odd one may be refused as `Invalid`, but never lost.
    pub any_name: bool,
}

/// A service for tests: one endpoint with a schema, nodes on made-up loopback ports, metadata on the nodes.
pub fn service(name: &str, version: &str, ids: &[&str]) -> Service {
    let field = Value { name: "name".into(), r#type: "string".into(), values: Vec::new() };
    let request = Value { name: "Request".into(), r#type: "Request".into(), values: vec![field] };
    let endpoint = Endpoint {
        name: "Say.Hello".into(),
        request: Some(request.clone()),
        response: Some(request),
        metadata: Metadata::from([("stream".to_owned(), "false".to_owned())]),
    };
    let node = |(at, id): (usize, &&str)| {
        let metadata = Metadata::from([("protocol".to_owned(), "mucp".to_owned())]);
        Arc::new(Node { id: (*id).to_owned(), address: format!("127.0.0.1:{}", 10_000 + at), metadata })
    };
    Service {
        name: name.to_owned(),
        version: version.to_owned(),
        metadata: Metadata::new(),
        endpoints: vec![endpoint],
        nodes: ids.iter().enumerate().map(node).collect(),
    }
}

/// Runs the suite. `writer` and `reader` are two views of one registry that is empty (they may be the same).
///
/// # Panics
/// If the registry does not do what [`Registry`] says.
pub async fn registry(writer: Arc<dyn Registry>, reader: Arc<dyn Registry>, traits: RegistryTraits) {
    let (writer, reader) = (&*writer, &*reader);
    nothing_is_there(reader).await;
    what_is_incomplete_is_refused(writer).await;
    what_is_registered_is_found_whole(writer, reader).await;
    versions_are_apart(writer, reader).await;
    one_node_of_two_goes(writer, reader).await;
    registering_again_replaces_the_node(writer, reader).await;
    two_services_may_share_a_node_id(writer, reader).await;
    a_watch_begins_with_a_snapshot_and_goes_on(writer, reader).await;
    names_come_and_go(writer, reader).await;
    odd_names_are_kept_or_refused(writer, reader, traits).await;
    if traits.expires {
        an_entry_ends_with_its_time(writer, reader).await;
    }
}

async fn nothing_is_there(reader: &dyn Registry) {
    assert_eq!(ok("get", reader.get("go.micro.srv.nobody").await), []);
    assert_eq!(ok("list", reader.list().await), Vec::<String>::new());
}

async fn what_is_incomplete_is_refused(writer: &dyn Registry) {
    for bad in [service("", "1", &["n"]), service("a", "1", &[]), service("a", "1", &[""])] {
        let refused = writer.register(&bad, None).await;
        assert!(refused.is_err_and(|error| error.kind() == ErrorKind::Invalid), "{bad:?}");
    }
}

async fn what_is_registered_is_found_whole(writer: &dyn Registry, reader: &dyn Registry) {
    let greeter = service("go.micro.srv.greeter", "1.2.3", &["greeter-b", "greeter-a"]);
    ok("register", writer.register(&greeter, None).await);
    let mut sorted = greeter.clone();
    sorted.nodes.sort_by(|a, b| a.id.cmp(&b.id));
    sees(reader, &greeter.name, &[sorted]).await;
    ok("register again", writer.register(&greeter, None).await);
    let pseudo = service("topic:go.micro.srv.greeter", "1", &["t1"]);
    ok("register", writer.register(&pseudo, None).await);
    lists(reader, &[&greeter.name, &pseudo.name]).await;
    ok("deregister", writer.deregister(&greeter).await);
    ok("deregister", writer.deregister(&pseudo).await);
    ok("deregister what is not there", writer.deregister(&greeter).await);
    sees(reader, &greeter.name, &[]).await;
    lists(reader, &[]).await;
}

async fn versions_are_apart(writer: &dyn Registry, reader: &dyn Registry) {
    let new = service("versions", "2", &["v2"]);
    let old = service("versions", "1", &["v1"]);
    ok("register", writer.register(&new, None).await);
    ok("register", writer.register(&old, None).await);
    sees(reader, "versions", &[old.clone(), new.clone()]).await;
    lists(reader, &["versions"]).await;
    ok("deregister", writer.deregister(&old).await);
    sees(reader, "versions", std::slice::from_ref(&new)).await;
    ok("deregister", writer.deregister(&new).await);
    sees(reader, "versions", &[]).await;
}

async fn one_node_of_two_goes(writer: &dyn Registry, reader: &dyn Registry) {
    let both = service("two", "1", &["n1", "n2"]);
    ok("register", writer.register(&both, None).await);
    let first = both.with_nodes(vec![Arc::clone(&both.nodes[0])]);
    let second = both.with_nodes(vec![Arc::clone(&both.nodes[1])]);
    sees(reader, "two", &[both]).await;
    ok("deregister", writer.deregister(&first).await);
    sees(reader, "two", std::slice::from_ref(&second)).await;
    ok("deregister", writer.deregister(&second).await);
    sees(reader, "two", &[]).await;
}

async fn registering_again_replaces_the_node(writer: &dyn Registry, reader: &dyn Registry) {
    let before = service("moves", "1", &["n1"]);
    let mut after = before.clone();
    let node = Node { address: "127.0.0.1:20001".into(), ..(*before.nodes[0]).clone() };
    after.nodes = vec![Arc::new(node)];
    ok("register", writer.register(&before, None).await);
    sees(reader, "moves", &[before]).await;
    ok("register", writer.register(&after, None).await);
    sees(reader, "moves", std::slice::from_ref(&after)).await;
    ok("deregister", writer.deregister(&after).await);
    sees(reader, "moves", &[]).await;
}

async fn two_services_may_share_a_node_id(writer: &dyn Registry, reader: &dyn Registry) {
    let one = service("shares.one", "1", &["same"]);
    let two = service("shares.two", "1", &["same"]);
    ok("register", writer.register(&one, None).await);
    ok("register", writer.register(&two, None).await);
    sees(reader, "shares.one", std::slice::from_ref(&one)).await;
    sees(reader, "shares.two", std::slice::from_ref(&two)).await;
    ok("deregister", writer.deregister(&one).await);
    sees(reader, "shares.one", &[]).await;
    sees(reader, "shares.two", std::slice::from_ref(&two)).await;
    ok("deregister", writer.deregister(&two).await);
    lists(reader, &[]).await;
}

async fn a_watch_begins_with_a_snapshot_and_goes_on(writer: &dyn Registry, reader: &dyn Registry) {
    let both = service("watched", "1", &["n1", "n2"]);
    let [first, second] = [0, 1].map(|at: usize| both.with_nodes(vec![Arc::clone(&both.nodes[at])]));
    ok("register", writer.register(&first, None).await);
    sees(reader, "watched", std::slice::from_ref(&first)).await;

    let mut watch = Watch::of(reader, Scope::Service("watched".into())).await;
    watch.until("the first node", |state| same(state.services(), std::slice::from_ref(&first))).await;
    ok("register", writer.register(&second, None).await);
    watch.until("both nodes", |state| same(state.services(), std::slice::from_ref(&both))).await;
    let other = service("not.watched", "1", &["n1"]);
    ok("register", writer.register(&other, None).await);
    ok("deregister", writer.deregister(&first).await);
    watch.until("the second node", |state| same(state.services(), std::slice::from_ref(&second))).await;
    assert_eq!(watch.state.names().collect::<Vec<_>>(), ["watched"], "a watch hears its own service only");
    let newer = service("watched", "2", &["n3"]);
    ok("register", writer.register(&newer, None).await);
    watch.until("two versions", |state| same(state.services(), &[second.clone(), newer.clone()])).await;
    for gone in [&second, &newer, &other] {
        ok("deregister", writer.deregister(gone).await);
    }
    watch.until("nothing", |state| state.services().next().is_none()).await;
}

async fn names_come_and_go(writer: &dyn Registry, reader: &dyn Registry) {
    let [a1, a2] = [service("name.a", "1", &["n1"]), service("name.a", "2", &["n2"])];
    let b = service("name.b", "1", &["n1"]);
    ok("register", writer.register(&a1, None).await);
    lists(reader, &["name.a"]).await;
    let mut watch = Watch::of(reader, Scope::Names).await;
    watch.until("one name", |state| state.names().eq(["name.a"])).await;
    ok("register", writer.register(&b, None).await);
    ok("register", writer.register(&a2, None).await);
    watch.until("two names", |state| state.names().eq(["name.a", "name.b"])).await;
    ok("deregister", writer.deregister(&a1).await);
    ok("deregister", writer.deregister(&b).await);
    watch.until("the name that still has a version", |state| state.names().eq(["name.a"])).await;
    ok("deregister", writer.deregister(&a2).await);
    watch.until("no name", |state| state.names().next().is_none()).await;
}

async fn odd_names_are_kept_or_refused(writer: &dyn Registry, reader: &dyn Registry, traits: RegistryTraits) {
    let long = "x".repeat(200);
    let odd = ["two words", "say \"hi\"", "it's", "a/b\\c", "🦀.crab", "ünï.cödé", "a..b", ".", "-", "\u{1}\n", &long];
    for name in odd {
        let service = service(name, "v \"1\"/β", &["id with / and 🦀"]);
        match writer.register(&service, None).await {
            Ok(()) => {
                sees(reader, name, std::slice::from_ref(&service)).await;
                lists(reader, &[name]).await;
                ok("deregister", writer.deregister(&service).await);
                sees(reader, name, &[]).await;
            }
            Err(error) => {
                assert!(!traits.any_name, "{name:?} is refused: {error}");
                assert_eq!(error.kind(), ErrorKind::Invalid, "{name:?}: {error}");
                assert_eq!(ok("get", reader.get(name).await), [], "{name:?}");
            }
        }
    }
}

async fn an_entry_ends_with_its_time(writer: &dyn Registry, reader: &dyn Registry) {
    let short = service("short", "1", &["n1"]);
    let mut watch = Watch::of(reader, Scope::Service("short".into())).await;
    ok("register", writer.register(&short, Some(Duration::from_secs(2))).await);
    watch.until("the node", |state| same(state.services(), std::slice::from_ref(&short))).await;
    watch.until("its end", |state| state.services().next().is_none()).await;
    sees(reader, "short", &[]).await;
    lists(reader, &[]).await;
}

/// A watch and what its events add up to.
struct Watch {
    events: BoxStream<'static, Event>,
    state: State,
}

impl Watch {
    async fn of(registry: &dyn Registry, scope: Scope) -> Self {
        let mut events = registry.watch(scope);
        let first = timeout(PATIENCE, events.next()).await;
        let Ok(Some(first @ Event::Snapshot(_))) = first else {
            panic!("{}: a watch begins with a snapshot, not {first:?}", registry.name())
        };
        let mut state = State::default();
        state.apply(first);
        Self { events, state }
    }

    async fn until(&mut self, what: &str, holds: impl Fn(&State) -> bool) {
        let end = Instant::now() + PATIENCE;
        while !holds(&self.state) {
            let left = end.saturating_duration_since(Instant::now());
            match timeout(left, self.events.next()).await {
                Ok(Some(event)) => _ = self.state.apply(event),
                Ok(None) => panic!("the watch ended before it showed {what}"),
                Err(late) => panic!("{late}: the watch never showed {what}, but {:#?}", self.state),
            }
        }
    }
}

fn same<'a>(have: impl IntoIterator<Item = &'a Service>, want: &[Service]) -> bool {
    have.into_iter().eq(want)
}

async fn sees(reader: &dyn Registry, name: &str, want: &[Service]) {
    eventually(name, want, async || ok("get", reader.get(name).await)).await;
}

async fn lists(reader: &dyn Registry, want: &[&str]) {
    let want: Vec<String> = want.iter().map(|name| (*name).to_owned()).collect();
    eventually("list", &want, async || ok("list", reader.list().await)).await;
}

/// Asks until the answer is `want`: registries of a network need their time.
async fn eventually<T: PartialEq + Debug>(what: &str, want: &[T], ask: impl AsyncFn() -> Vec<T>) {
    let end = Instant::now() + PATIENCE;
    loop {
        let have = ask().await;
        if have == want {
            return;
        }
        assert!(Instant::now() < end, "{what}: have {have:#?}\nwant {want:#?}");
        sleep(Duration::from_millis(20)).await;
    }
}

fn ok<T>(what: &str, result: crate::error::Result<T>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("{what}: {error:?}"),
    }
}
