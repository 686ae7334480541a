//! mDNS packets as go-micro sends them (WIRE §1.2): bytes in, what they say out, and back. No I/O.

use super::txt;
use crate::registry::service::{Node, Service};
use simple_dns::rdata::{A, AAAA, PTR, RData, SRV, TXT};
use simple_dns::{CLASS, CharacterString, Label, Name, Packet, PacketFlag, Question, ResourceRecord, TYPE};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

/// Where services are looked for and answered: of go-micro since v1.10.0, and of those before.
pub(super) const DOMAINS: [&str; 2] = ["micro", "local"];
/// The name under which services list themselves.
pub(super) const SERVICES: &str = "_services";
/// How long a record holds, in seconds; the same for all.
pub(super) const TTL: u32 = 120;
/// A label has at most so many bytes, a name so many with their lengths.
pub(super) const LABEL: usize = 63;
pub(super) const NAME: usize = 253;

/// A packet with more questions or records is nobody's.
const RECORDS: usize = 256;
/// A packet tells of at most so many nodes, of which go-micro's has one: each has a text to be inflated.
const NODES: usize = 8;
/// The bytes of a header.
const HEADER: usize = 12;

/// One thing that a packet tells of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// A service with one node that is there.
    Node(Service),
    /// A service with one node that says goodbye.
    Goodbye(Service),
    /// A name of the list of services.
    Name(String),
}

/// Reads a packet, unless it is none or of a size that nobody sends.
pub(super) fn read(bytes: &[u8]) -> Option<Packet<'_>> {
    let counts = bytes.get(4..HEADER)?;
    let records: usize = counts.as_chunks::<2>().0.iter().map(|count| usize::from(u16::from_be_bytes(*count))).sum();
    if records > RECORDS {
        return None;
    }
    Packet::parse(bytes).ok()
}

/// What the records of a response tell.
pub(super) fn heard(packet: &Packet<'_>) -> Vec<Heard> {
    let records = || packet.answers.iter().chain(&packet.additional_records);
    let (mut heard, mut nodes) = (Vec::new(), 0);
    for record in records() {
        match &record.rdata {
            RData::PTR(PTR(target)) if record.ttl > 0 => {
                let list = dotted(&record.name).is_some_and(|owner| within(&owner) == Some(SERVICES));
                if list && let Some(name) = listed(target) {
                    heard.push(Heard::Name(name));
                }
            }
            RData::SRV(srv) if nodes < NODES => {
                nodes += 1;
                heard.extend(node(record, srv, records));
            }
            _ => {}
        }
    }
    heard
}

/// The node of an SRV record, with its text and its address from the same packet.
fn node<'a, 'b: 'a, I>(record: &ResourceRecord<'_>, srv: &SRV<'_>, records: impl Fn() -> I) -> Option<Heard>
where
    I: Iterator<Item = &'a ResourceRecord<'b>>,
{
    let owner = dotted(&record.name)?;
    let instance = within(&owner)?;
    let text = records().find_map(|other| match &other.rdata {
        RData::TXT(text) if same(&other.name, &record.name) => String::try_from(text.clone()).ok(),
        _ => None,
    })?;
    let text = txt::decode(text.as_bytes())?;
    let id = instance.strip_suffix(text.service.as_str())?.strip_suffix('.')?;
    let address = address(&srv.target, records)?;
    if id.is_empty() || text.service.is_empty() || srv.port == 0 {
        return None;
    }
    let address = SocketAddr::new(address, srv.port).to_string();
    let node = Node { id: id.to_owned(), address, metadata: text.metadata };
    let service = Service {
        name: text.service,
        version: text.version,
        endpoints: text.endpoints,
        nodes: vec![Arc::new(node)],
        ..Service::default()
    };
    Some(if record.ttl == 0 { Heard::Goodbye(service) } else { Heard::Node(service) })
}

/// A host's address: IPv4 before IPv6.
fn address<'a, 'b: 'a, I>(host: &Name<'_>, records: impl Fn() -> I) -> Option<IpAddr>
where
    I: Iterator<Item = &'a ResourceRecord<'b>>,
{
    let of_host = || records().filter(|record| same(&record.name, host));
    let v4 = of_host().find_map(|record| match &record.rdata {
        RData::A(a) => Some(IpAddr::V4(Ipv4Addr::from(a.address))),
        _ => None,
    });
    let v6 = || {
        of_host().find_map(|record| match &record.rdata {
            RData::AAAA(aaaa) => Some(IpAddr::V6(Ipv6Addr::from(aaaa.address))),
            _ => None,
        })
    };
    v4.or_else(v6).filter(|address| !address.is_unspecified() && !address.is_multicast())
}

/// The service of an instance in the list of services.
fn listed(target: &Name<'_>) -> Option<String> {
    let target = dotted(target)?;
    let name = within(&target)?.strip_suffix(SERVICES)?.strip_suffix('.')?;
    (!name.is_empty()).then(|| name.to_owned())
}

/// The part of a dotted name before one of our domains.
pub(super) fn within(dotted: &str) -> Option<&str> {
    DOMAINS.iter().find_map(|domain| dotted.strip_suffix(domain)?.strip_suffix('.'))
}

/// A name with dots and without escapes, as services are named; `None` if it is no UTF-8.
pub(super) fn dotted(name: &Name<'_>) -> Option<String> {
    let mut text = String::new();
    for label in name.as_bytes() {
        if !text.is_empty() {
            text.push('.');
        }
        text.push_str(std::str::from_utf8(label).ok()?);
    }
    Some(text)
}

/// Names match byte for byte, as with Go.
fn same(one: &Name<'_>, other: &Name<'_>) -> bool {
    one.as_bytes().eq(other.as_bytes())
}

/// A dotted name as labels; what is wrong with it otherwise.
pub(super) fn name(dotted: &str) -> Result<Name<'static>, String> {
    let mut labels = Vec::new();
    for label in dotted.split('.') {
        if label.is_empty() {
            return Err("has an empty part between its dots".to_owned());
        }
        if label.len() > LABEL {
            return Err(format!(
                "has a part of {} bytes between its dots, {LABEL} are possible: {label:?}",
                label.len()
            ));
        }
        labels.push(Label::new_unchecked(label.as_bytes().to_vec()));
    }
    if dotted.len() > NAME {
        return Err(format!("has {} bytes, {NAME} are possible", dotted.len()));
    }
    Ok(Name::new_with_labels(&labels))
}

/// A query for everything under a name.
pub(super) fn query(name: &Name<'_>) -> Option<Vec<u8>> {
    let mut packet = Packet::new_query(fastrand::u16(..));
    packet.questions.push(Question::new(name.clone(), TYPE::PTR.into(), CLASS::IN.into(), false));
    packet.build_bytes_vec_compressed().ok()
}

/// An answer to a question, which is repeated: Go since v2.9.1 drops answers without it.
///
/// The id is 0 unless the question asked for a unicast answer (WIRE §1.2).
pub(super) fn answer(id: u16, question: &Question<'_>, answers: Vec<ResourceRecord<'_>>) -> Option<Vec<u8>> {
    let mut packet = Packet::new_reply(if question.unicast_response { id } else { 0 });
    packet.set_flags(PacketFlag::AUTHORITATIVE_ANSWER);
    packet.questions.push(question.clone().into_owned());
    packet.answers = answers.into_iter().map(ResourceRecord::into_owned).collect();
    packet.build_bytes_vec_compressed().ok()
}

/// What is told to the group without a question.
pub(super) fn announcement(answers: Vec<ResourceRecord<'static>>) -> Option<Vec<u8>> {
    let mut packet = Packet::new_reply(0);
    packet.answers = answers;
    packet.build_bytes_vec_compressed().ok()
}

/// A pointer from a name to an instance.
pub(super) fn pointer(owner: Name<'static>, instance: Name<'static>) -> ResourceRecord<'static> {
    ResourceRecord::new(owner, CLASS::IN, TTL, RData::PTR(PTR(instance)))
}

/// Where an instance is and what it says: SRV, A or AAAA, TXT, in this order, which Go needs.
///
/// The host has the instance's own name, so that no two nodes share one.
pub(super) fn instance(
    name: &Name<'static>,
    address: SocketAddr,
    text: &str,
    ttl: u32,
) -> [ResourceRecord<'static>; 3] {
    let srv = SRV { priority: 10, weight: 1, port: address.port(), target: name.clone() };
    let host = match address.ip() {
        IpAddr::V4(v4) => RData::A(A { address: v4.into() }),
        IpAddr::V6(v6) => RData::AAAA(AAAA { address: v6.into() }),
    };
    [RData::SRV(srv), host, strings(text)].map(|data| ResourceRecord::new(name.clone(), CLASS::IN, ttl, data))
}

/// A text in strings of 255 bytes; an empty one has no string at all, as in Go's list of services.
fn strings(text: &str) -> RData<'static> {
    if text.is_empty() {
        return RData::Empty(TYPE::TXT);
    }
    let mut record = TXT::new();
    for chunk in text.as_bytes().chunks(255) {
        if let Ok(string) = CharacterString::new(chunk) {
            record.add_char_string(string.into_owned());
        }
    }
    RData::TXT(record)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::service;

    fn announced(address: &str, ttl: u32) -> Vec<u8> {
        let service = service("go.micro.srv.greeter", "1", &["greeter-1.x"]);
        let text = txt::encode(&service, &service.nodes[0]).unwrap();
        let instance_name = name("greeter-1.x.go.micro.srv.greeter.micro").unwrap();
        announcement(instance(&instance_name, address.parse().unwrap(), &text, ttl).into()).unwrap()
    }

    #[test]
    fn a_node_is_heard_and_its_goodbye() {
        let Heard::Node(node) = heard(&read(&announced("10.0.0.5:8080", TTL)).unwrap()).remove(0) else { panic!() };
        assert_eq!((node.nodes[0].id.as_str(), node.nodes[0].address.as_str()), ("greeter-1.x", "10.0.0.5:8080"));
        assert_eq!(node.endpoints, service("", "", &[]).endpoints);
        let v6 = heard(&read(&announced("[fd00::5]:8080", TTL)).unwrap()).remove(0);
        assert!(matches!(v6, Heard::Node(node) if node.nodes[0].address == "[fd00::5]:8080"));
        let gone = heard(&read(&announced("10.0.0.5:8080", 0)).unwrap()).remove(0);
        assert!(matches!(gone, Heard::Goodbye(node) if node.nodes[0].id == "greeter-1.x"));
    }

    #[test]
    fn a_packet_tells_of_a_few_nodes() {
        let bytes = announced("10.0.0.5:8080", TTL);
        let good = read(&bytes).unwrap();
        let [srv, rest @ ..] = &good.answers[..] else { panic!() };
        let answers = std::iter::repeat_n(srv, 100).chain(rest).cloned().map(ResourceRecord::into_owned);
        assert_eq!(heard(&read(&announcement(answers.collect()).unwrap()).unwrap()).len(), NODES);
    }

    #[test]
    fn what_cannot_be_called_is_not_heard() {
        assert_eq!(heard(&read(&announced("0.0.0.0:8080", TTL)).unwrap()), []);
        assert_eq!(heard(&read(&announced("10.0.0.5:0", TTL)).unwrap()), []);
    }

    #[test]
    fn a_text_of_another_service_is_not_heard() {
        let other = service("go.micro.srv.other", "1", &["n"]);
        let text = txt::encode(&other, &other.nodes[0]).unwrap();
        let owner = name("n.go.micro.srv.greeter.micro").unwrap();
        let bytes = announcement(instance(&owner, "10.0.0.5:1".parse().unwrap(), &text, TTL).into()).unwrap();
        assert_eq!(heard(&read(&bytes).unwrap()), []);
    }

    #[test]
    fn names_that_dns_cannot_carry_are_refused() {
        assert!(name("a b.\"c\".d/e.🦀.micro").is_ok());
        for bad in ["", "a..b", ".a", "a.", &"x".repeat(64), &["x".repeat(60).as_str(); 5].join(".")] {
            assert!(name(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_query_of_go_is_what_ours_is() {
        let bytes = query(&name("go.micro.srv.greeter.micro").unwrap()).unwrap();
        assert_eq!(&bytes[2..12], [0, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
        assert_eq!(&bytes[12..], b"\x02go\x05micro\x03srv\x07greeter\x05micro\0\0\x0c\0\x01");
    }

    #[test]
    fn garbage_is_nothing_and_never_a_panic() {
        let good = announced("10.0.0.5:8080", TTL);
        let mut random = fastrand::Rng::with_seed(7);
        for round in 0..30_000 {
            let mut bytes = good.clone();
            for _ in 0..=random.usize(..6) {
                let at = random.usize(..bytes.len().min(if round % 2 == 0 { 90 } else { bytes.len() }));
                bytes[at] = random.u8(..);
            }
            bytes.truncate(random.usize(..=bytes.len()));
            if let Some(packet) = read(&bytes) {
                heard(&packet);
            }
        }
        let mut many = good;
        many[4..12].copy_from_slice(&[255; 8]);
        assert!(read(&many).is_none());
    }
}
