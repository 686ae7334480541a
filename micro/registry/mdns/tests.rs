use super::*;
use crate::error::ErrorKind;
use crate::registry::service::Node;
use crate::registry::state::State;
use crate::testing::{self, RegistryTraits, service};
use std::net::UdpSocket;
use tokio::time::{Instant, timeout};

const PATIENCE: Duration = Duration::from_secs(20);

/// A group of its own for a test: a port that nobody has.
fn port() -> u16 {
    UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn on(port: u16) -> Mdns {
    Mdns::on(Ipv4Addr::LOCALHOST, port)
}

/// One whose watches ask often, so that who is killed is missed soon.
fn quick(port: u16) -> Mdns {
    let rhythm = Rhythm { every: Duration::from_millis(200), settle: Duration::from_millis(100) };
    let place = Place { interface: Some(Ipv4Addr::LOCALHOST), port };
    Mdns { inner: Arc::new(Inner { place, rhythm, engine: Mutex::default() }) }
}

async fn until(events: &mut BoxStream<'static, Event>, state: &mut State, holds: impl Fn(&State) -> bool) {
    let end = Instant::now() + PATIENCE;
    while !holds(state) {
        let event = tokio::time::timeout_at(end, events.next()).await.expect("never happened").unwrap();
        assert!(!matches!(event, Event::Lost(_)), "{event:?}");
        state.apply(event);
    }
}

#[tokio::test]
async fn it_is_a_registry() {
    let port = port();
    let traits = RegistryTraits::default();
    testing::registry(Arc::new(on(port)), Arc::new(on(port)), traits).await;
}

#[tokio::test]
async fn it_is_a_registry_for_itself_too() {
    let mdns = on(port());
    testing::registry(Arc::new(mdns.clone()), Arc::new(mdns), RegistryTraits::default()).await;
}

#[tokio::test]
async fn who_is_killed_is_missed() {
    let port = port();
    let (reader, stays, killed) = (quick(port), on(port), on(port));
    let [a, b] = [service("a", "1", &["n1"]), service("b", "1", &["n1"])];
    stays.register(&a, None).await.unwrap();
    killed.register(&b, None).await.unwrap();
    let mut names = (reader.watch(Scope::Names), State::default());
    let mut nodes = (reader.watch(Scope::Service("b".into())), State::default());
    until(&mut names.0, &mut names.1, |state| state.names().eq(["a", "b"])).await;
    until(&mut nodes.0, &mut nodes.1, |state| state.services().eq([&b])).await;
    drop(killed);
    until(&mut nodes.0, &mut nodes.1, |state| state.services().next().is_none()).await;
    until(&mut names.0, &mut names.1, |state| state.names().eq(["a"])).await;
}

#[tokio::test]
async fn hundreds_of_nodes_are_all_found() {
    let port = port();
    let (writer, reader) = (on(port), on(port));
    let ids: Vec<String> = (0..300).map(|number| format!("node-{number:03}")).collect();
    let crowd = service("crowd", "1", &ids.iter().map(String::as_str).collect::<Vec<_>>());
    let mut watch = (reader.watch(Scope::Service("crowd".into())), State::default());
    until(&mut watch.0, &mut watch.1, |_| true).await;
    writer.register(&crowd, None).await.unwrap();
    until(&mut watch.0, &mut watch.1, |state| state.services().eq([&crowd])).await;
    let end = Instant::now() + PATIENCE;
    while reader.get("crowd").await.unwrap() != [crowd.clone()] {
        assert!(Instant::now() < end);
    }
}

#[tokio::test]
async fn other_ports_are_other_worlds() {
    let (here, there) = (on(port()), on(port()));
    here.register(&service("a", "1", &["n1"]), None).await.unwrap();
    assert_eq!(there.list().await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
#[ignore = "multicasts on every interface, not on loopback only: run it in a network namespace"]
async fn every_interface_can_be_used_on_another_port() {
    let port = port();
    let everywhere = || Mdns::at(Place { interface: None, port });
    let (writer, reader) = (everywhere(), everywhere());
    writer.register(&service("a", "1", &["n1"]), None).await.unwrap();
    let mut names = (reader.watch(Scope::Names), State::default());
    until(&mut names.0, &mut names.1, |state| state.names().eq(["a"])).await;
    // Loopback is one of the interfaces.
    let mut local = (on(port).watch(Scope::Names), State::default());
    until(&mut local.0, &mut local.1, |state| state.names().eq(["a"])).await;
    writer.deregister(&service("a", "1", &["n1"])).await.unwrap();
    until(&mut names.0, &mut names.1, |state| state.names().next().is_none()).await;
}

#[tokio::test]
async fn a_port_that_is_not_shared_stops_registering_with_the_cure_but_not_looking() {
    let taken = UdpSocket::bind("0.0.0.0:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let mdns = on(port);
    let error = mdns.register(&service("a", "1", &["n1"]), None).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreachable);
    assert!(error.to_string().contains("--registry_address 127.0.0.1:"), "{error}");
    assert_eq!(mdns.list().await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn an_interface_that_is_not_there_is_told_and_a_watch_says_lost() {
    let mdns = Mdns::on(Ipv4Addr::new(192, 0, 2, 231), port());
    let error = mdns.list().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreachable);
    assert!(error.to_string().contains("127.0.0.1"), "{error}");
    let first = timeout(PATIENCE, mdns.watch(Scope::Names).next()).await.unwrap();
    assert!(matches!(first, Some(Event::Lost(_))), "{first:?}");
}

#[tokio::test]
async fn garbage_from_the_network_disturbs_nobody() {
    let port = port();
    let (writer, reader) = (on(port), on(port));
    let a = service("a", "1", &["n1"]);
    writer.register(&a, None).await.unwrap();
    let mut watch = (reader.watch(Scope::Service("a".into())), State::default());
    until(&mut watch.0, &mut watch.1, |state| state.services().eq([&a])).await;
    let noise = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::DGRAM, None).unwrap();
    noise.set_multicast_if_v4(&Ipv4Addr::LOCALHOST).unwrap();
    let group = socket2::SockAddr::from(std::net::SocketAddr::from((Ipv4Addr::new(224, 0, 0, 251), port)));
    let mut random = fastrand::Rng::with_seed(3);
    for length in 0..500 {
        let mut bytes: Vec<u8> = std::iter::repeat_with(|| random.u8(..)).take(length).collect();
        if let [_, _, flags, _, counts @ ..] = &mut bytes[..] {
            *flags = if length % 2 == 0 { 0x84 } else { 0 };
            counts.iter_mut().take(8).step_by(2).for_each(|count| *count = 0);
        }
        noise.send_to(&bytes, &group).unwrap();
    }
    let b = service("a", "2", &["n2"]);
    writer.register(&b, None).await.unwrap();
    until(&mut watch.0, &mut watch.1, |state| state.services().eq([&a, &b])).await;
}

#[tokio::test]
async fn a_host_name_is_refused() {
    let mut named = service("a", "1", &["n1"]);
    named.nodes = vec![Arc::new(Node { address: "db.example:80".into(), ..(*named.nodes[0]).clone() })];
    let error = on(port()).register(&named, None).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
}

#[test]
fn an_address_picks_interface_and_port() {
    let lo = Some(Ipv4Addr::LOCALHOST);
    assert_eq!(place("127.0.0.1"), Some(Place { interface: lo, port: 5353 }));
    assert_eq!(place(" 127.0.0.1:5454 "), Some(Place { interface: lo, port: 5454 }));
    assert_eq!(place(":5454"), Some(Place { interface: None, port: 5454 }));
    assert_eq!(place("0.0.0.0"), Some(Place { interface: None, port: 5353 }));
    for bad in ["localhost", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:99999", "[::1]:5353", "eth0"] {
        assert_eq!(place(bad), None, "{bad}");
    }
    let section = Section::default();
    assert!(open(&section, &[]).0.is_some_and(|mdns| !mdns.outlives()));
    let (mdns, problems) = open(&section, &["localhost".to_owned()]);
    assert!(mdns.is_none());
    insta::assert_snapshot!(problems[0], @r#"default: registry_address: mdns does not understand "localhost"; name one interface by its IPv4 address, with a port if it is not 5353: 127.0.0.1:5454"#);
}

#[tokio::test]
async fn the_port_is_shared_with_those_who_bind_it_as_go_does() {
    let (go, port) = {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::DGRAM, None).unwrap();
        socket.set_reuse_address(true).unwrap();
        socket.set_nonblocking(true).unwrap();
        socket.bind(&std::net::SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)).into()).unwrap();
        socket.join_multicast_v4(&Ipv4Addr::new(224, 0, 0, 251), &Ipv4Addr::LOCALHOST).unwrap();
        let socket = tokio::net::UdpSocket::from_std(socket.into()).unwrap();
        let port = socket.local_addr().unwrap().port();
        (socket, port)
    };
    let mdns = on(port);
    mdns.register(&service("a", "1", &["n1"]), None).await.unwrap();
    let mut buffer = [0; 2048];
    let (length, from) = timeout(PATIENCE, go.recv_from(&mut buffer)).await.unwrap().unwrap();
    assert_eq!(from.port(), port, "an announcement leaves from the port itself");
    assert_eq!(&buffer[..12], [0, 0, 0x80, 0, 0, 0, 0, 3, 0, 0, 0, 0]);
    let packet = packet::read(&buffer[..length]).unwrap();
    assert!(matches!(&packet::heard(&packet)[..], [packet::Heard::Node(node)] if node.name == "a"));
}
