use super::*;
use crate::registry::mdns::packet::{Heard, heard, name, query, read};
use crate::registry::service::{Endpoint, Metadata};
use crate::testing::service;
use simple_dns::rdata::RData;
use simple_dns::{CLASS, PacketFlag};

fn zone(services: &[Service]) -> Zone {
    let mut zone = Zone::default();
    for service in services {
        for node in &service.nodes {
            zone.put(&Arc::new(Entry::new(service, node).unwrap()));
        }
    }
    zone
}

fn ask(zone: &Zone, dotted: &str) -> Vec<Vec<u8>> {
    zone.answers(&read(&query(&name(dotted).unwrap()).unwrap()).unwrap())
}

fn shape(bytes: &[u8]) -> String {
    let packet = read(bytes).unwrap();
    let record = |record: &ResourceRecord<'_>| {
        let data = match &record.rdata {
            RData::PTR(ptr) => format!("PTR {}", ptr.0),
            RData::SRV(srv) => format!("SRV {} {} {} {}", srv.priority, srv.weight, srv.port, srv.target),
            RData::A(a) => format!("A {}", Ipv4Addr::from(a.address)),
            RData::TXT(_) => "TXT …".to_owned(),
            other => format!("{other:?}"),
        };
        format!("{} {}{} {data}", record.name, record.ttl, if record.cache_flush { " flush" } else { "" })
    };
    let questions = packet.questions.iter().map(|q| format!("? {}", q.qname));
    questions.chain(packet.answers.iter().map(record)).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_service_is_answered_a_packet_a_node_with_its_question_in_both_domains() {
    let zone = zone(&[service("go.micro.srv.a", "1", &["a-1", "a-2"])]);
    let answers = ask(&zone, "go.micro.srv.a.micro");
    assert_eq!(answers.len(), 2);
    assert_eq!(&answers[0][..4], [0, 0, 0x84, 0], "no id, an answer with authority");
    insta::assert_snapshot!(shape(&answers[0]), @"
    ? go.micro.srv.a.micro
    go.micro.srv.a.micro 120 PTR a-1.go.micro.srv.a.micro
    a-1.go.micro.srv.a.micro 120 SRV 10 1 10000 a-1.go.micro.srv.a.micro
    a-1.go.micro.srv.a.micro 120 A 127.0.0.1
    a-1.go.micro.srv.a.micro 120 TXT …
    ");
    let Heard::Node(node) = &heard(&read(&answers[1]).unwrap())[0] else { panic!() };
    assert_eq!(*node, service("go.micro.srv.a", "1", &["a-1", "a-2"]).with_nodes(node.nodes.clone()));
    let local = ask(&zone, "go.micro.srv.a.local");
    assert!(shape(&local[0]).ends_with("a-1.go.micro.srv.a.local 120 TXT …"));
}

#[test]
fn names_are_listed_with_an_entry_that_is_nowhere() {
    let zone = zone(&[service("a", "1", &["n"]), service("b.c", "1", &["n"])]);
    let answers = ask(&zone, "_services.micro");
    insta::assert_snapshot!(shape(&answers[1]), @"
    ? _services.micro
    _services.micro 120 PTR b.c._services.micro
    b.c._services.micro 120 SRV 10 1 9999 b.c._services.micro
    b.c._services.micro 120 A 0.0.0.0
    b.c._services.micro 120 Empty(TXT)
    ");
    let names: Vec<Heard> = answers.iter().flat_map(|answer| heard(&read(answer).unwrap())).collect();
    assert_eq!(names, [Heard::Name("a".into()), Heard::Name("b.c".into())]);
    let kinds = ask(&zone, "_services._dns-sd._udp.micro");
    insta::assert_snapshot!(shape(&kinds[1]), @"
    ? _services._dns-sd._udp.micro
    _services._dns-sd._udp.micro 120 PTR b.c.micro
    _services._dns-sd._udp.micro 120 PTR _services.micro
    ");
}

#[test]
fn an_instance_is_answered_by_its_own_name_and_what_is_not_ours_is_not() {
    let zone = zone(&[service("go.micro.srv.a", "1", &["a-1", "a-2"])]);
    assert_eq!(ask(&zone, "a-2.go.micro.srv.a.micro").len(), 1);
    for other in ["go.micro.srv.b.micro", "micro", "go.micro.srv.a", "GO.micro.srv.a.micro", "a-3.go.micro.srv.a.micro"]
    {
        assert!(ask(&zone, other).is_empty(), "{other}");
    }
}

#[test]
fn one_who_wants_unicast_gets_its_id_back() {
    let zone = zone(&[service("a", "1", &["n"])]);
    let mut packet = Packet::new_query(77);
    packet.questions.push(Question::new(name("a.micro").unwrap(), QTYPE::ANY, CLASS::IN.into(), true));
    let answers = zone.answers(&packet);
    let answer = read(&answers[0]).unwrap();
    assert_eq!(answer.id(), 77);
    assert!(answer.has_flags(PacketFlag::AUTHORITATIVE_ANSWER));
}

#[test]
fn what_mdns_cannot_carry_is_refused_with_the_reason() {
    let with = |name: &str, id: &str, address: &str| {
        let node = Arc::new(Node { id: id.into(), address: address.into(), ..Node::default() });
        let error = Entry::new(&Service::named(name), &node).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        error.to_string()
    };
    insta::assert_snapshot!(with("a", "n", "db.example:80"), @r#"node n has the address "db.example:80", mdns carries an IP address with a port only; advertise one"#);
    insta::assert_snapshot!(with("a", "n", "0.0.0.0:80"), @"node n: nobody can call 0.0.0.0:80; advertise an address");
    insta::assert_snapshot!(with("a..b", "n", "127.0.0.1:80"), @r#"mdns cannot carry service "a..b": it has an empty part between its dots; choose another"#);
    insta::assert_snapshot!(with("a", &"n".repeat(70), "127.0.0.1:80"), @r#"mdns cannot carry node "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn.a": it has a part of 70 bytes between its dots, 63 are possible: "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"; choose another"#);
}

/// Endpoints that do not pack well.
fn wide(endpoints: usize) -> Service {
    let mut random = fastrand::Rng::with_seed(1);
    let mut wide = service("wide", "1", &["n"]);
    wide.endpoints = (0..endpoints)
        .map(|_| Endpoint {
            name: std::iter::repeat_with(|| random.alphanumeric()).take(30).collect(),
            metadata: Metadata::new(),
            ..wide.endpoints[0].clone()
        })
        .collect();
    wide
}

#[test]
fn hundreds_of_endpoints_are_one_packet_and_what_no_packet_holds_is_refused() {
    let service = wide(200);
    let zone = zone(std::slice::from_ref(&service));
    let answers = ask(&zone, "wide.micro");
    assert!(answers[0].len() > 1500);
    assert_eq!(heard(&read(&answers[0]).unwrap()), [Heard::Node(service)]);
    let service = wide(3000);
    let error = Entry::new(&service, &service.nodes[0]).unwrap_err();
    assert!(error.to_string().starts_with("wide is too large for mdns"), "{error}");
}

#[test]
fn an_entry_changes_goes_and_is_known() {
    let service = service("a", "1", &["n"]);
    let entry = |service: &Service| Arc::new(Entry::new(service, &service.nodes[0]).unwrap());
    let mut zone = Zone::default();
    let first = entry(&service);
    assert!(zone.put(&first));
    assert!(zone.has(&first));
    assert!(!zone.put(&entry(&service)), "the same again");
    let moved = Service { version: "1".into(), endpoints: Vec::new(), ..service.clone() };
    assert!(zone.put(&entry(&moved)));
    assert!(!zone.has(&first));
    assert!(zone.take("a", "2", "n").is_none());
    assert!(zone.take("a", "1", "n").is_some());
    assert_eq!(zone.names().count(), 0);
}

#[test]
fn a_packet_full_of_questions_gets_few_answers() {
    let zone = zone(&[service("a", "1", &["n1", "n2"])]);
    let bytes = query(&name("a.micro").unwrap()).unwrap();
    let mut many = read(&bytes).unwrap();
    many.questions = vec![many.questions[0].clone(); 200];
    assert_eq!(zone.answers(&many).len(), 2 * QUESTIONS);
}
