//! What this process tells the others: its own nodes, and the answers to questions of them. No I/O.

use super::packet::{self, DOMAINS, SERVICES, TTL, dotted, within};
use super::txt;
use crate::error::{Error, ErrorKind, Result};
use crate::registry::service::{Node, Service};
use simple_dns::{Packet, QTYPE, Question, ResourceRecord, TYPE};
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

/// A UDP packet carries at most so much.
const PACKET: usize = 65_000;
/// Beyond, a packet is more than mDNS is made for (RFC 6762 §17), and some network may lose it.
const LARGE: usize = 9_000;
/// So many questions of a packet are answered. go-micro asks one; a packet full of them, sent in somebody else's name, would
/// flood him.
const QUESTIONS: usize = 4;
/// The port of an entry of the list of services; nobody calls it.
const LIST_PORT: u16 = 9999;

/// The nodes of this process.
#[derive(Debug, Default)]
pub(super) struct Zone {
    services: BTreeMap<String, BTreeMap<Key, Arc<Entry>>>,
}

/// Version and node id.
type Key = (String, String);

/// One node, ready to be told.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// The service with this one node.
    pub(super) service: Service,
    instance: String,
    address: SocketAddr,
    text: String,
}

impl Entry {
    /// A node of a service.
    ///
    /// # Errors
    /// `Invalid`: a name that DNS cannot carry, an address that is no IP, more than a packet holds.
    pub(super) fn new(service: &Service, node: &Arc<Node>) -> Result<Self> {
        let invalid = |text: String| Error::new(ErrorKind::Invalid, text);
        let address: SocketAddr = node.address.parse().map_err(|_| {
            invalid(format!(
                "node {} has the address {:?}, mdns carries an IP address with a port only; advertise one",
                node.id, node.address
            ))
        })?;
        if address.port() == 0 || address.ip().is_unspecified() {
            return Err(invalid(format!("node {}: nobody can call {address}; advertise an address", node.id)));
        }
        if service.name.split('.').any(|label| label == SERVICES) {
            return Err(invalid(format!("mdns cannot carry service {:?}: {SERVICES} is its own", service.name)));
        }
        let instance = format!("{}.{}", node.id, service.name);
        for (what, name) in [("service", &service.name), ("node", &instance)] {
            // The list of services and the longest domain need their room too.
            packet::name(&format!("{name}.{SERVICES}.{}", DOMAINS[0]))
                .map_err(|text| invalid(format!("mdns cannot carry {what} {name:?}: it {text}; choose another")))?;
        }
        let large = |text: String| invalid(format!("{} is too large for mdns: {text}", service.name));
        let text = txt::encode(service, node).map_err(|error| large(error.to_string()))?;
        let service = Service { metadata: BTreeMap::new(), ..service.with_nodes(vec![Arc::clone(node)]) };
        let entry = Self { service, instance, address, text };
        // The answer has the pointer and the question beside this.
        let size = entry.announcement(DOMAINS[0], TTL).map_or(usize::MAX, |bytes| bytes.len() + 2 * packet::NAME);
        if size > PACKET {
            return Err(large(format!("its endpoints and metadata fill {size} bytes, a packet holds {PACKET}")));
        }
        if size > LARGE {
            tracing::warn!(
                service = entry.service.name,
                size,
                "an mdns packet this large may get lost; use another registry"
            );
        }
        Ok(entry)
    }

    /// The packet that tells everyone; with a TTL of 0 the goodbye.
    pub(super) fn announcement(&self, domain: &str, ttl: u32) -> Option<Vec<u8>> {
        packet::announcement(self.records(domain, ttl)?.into())
    }

    fn records(&self, domain: &str, ttl: u32) -> Option<[ResourceRecord<'static>; 3]> {
        let name = packet::name(&format!("{}.{domain}", self.instance)).ok()?;
        Some(packet::instance(&name, self.address, &self.text, ttl))
    }

    fn key(&self) -> Key {
        (self.service.version.clone(), self.service.nodes[0].id.clone())
    }
}

impl Zone {
    /// Takes a node in; whether it is new or not what it was.
    pub(super) fn put(&mut self, entry: &Arc<Entry>) -> bool {
        let nodes = self.services.entry(entry.service.name.clone()).or_default();
        let before = nodes.insert(entry.key(), Arc::clone(entry));
        before.is_none_or(|before| before != *entry)
    }

    /// Takes a node out.
    pub(super) fn take(&mut self, name: &str, version: &str, id: &str) -> Option<Arc<Entry>> {
        let nodes = self.services.get_mut(name)?;
        let gone = nodes.remove(&(version.to_owned(), id.to_owned()));
        if nodes.is_empty() {
            self.services.remove(name);
        }
        gone
    }

    /// Whether exactly this entry is still told.
    pub(super) fn has(&self, entry: &Arc<Entry>) -> bool {
        self.entries(&entry.service.name).any(|have| Arc::ptr_eq(have, entry))
    }

    /// The nodes of a service.
    pub(super) fn entries(&self, name: &str) -> impl Iterator<Item = &Arc<Entry>> {
        self.services.get(name).into_iter().flat_map(BTreeMap::values)
    }

    /// The names of the services.
    pub(super) fn names(&self) -> impl Iterator<Item = &String> {
        self.services.keys()
    }

    /// The answers to a query, a packet a node or a name, since Go takes in one a packet.
    pub(super) fn answers(&self, query: &Packet<'_>) -> Vec<Vec<u8>> {
        query.questions.iter().take(QUESTIONS).flat_map(|question| self.answer(query.id(), question)).collect()
    }

    fn answer(&self, id: u16, question: &Question<'_>) -> Vec<Vec<u8>> {
        let Some(asked) = dotted(&question.qname) else { return Vec::new() };
        let Some(name) = within(&asked) else { return Vec::new() };
        let domain = &asked[name.len() + 1..];
        let owner = question.qname.clone().into_owned();
        let records: Vec<Vec<ResourceRecord<'_>>> = match question.qtype {
            QTYPE::ANY | QTYPE::TYPE(TYPE::PTR) if name == SERVICES => {
                self.names().filter_map(|name| list(&owner, name, domain)).collect()
            }
            QTYPE::ANY | QTYPE::TYPE(TYPE::PTR) if name == "_services._dns-sd._udp" => {
                self.names().filter_map(|name| kinds(&owner, name, domain)).collect()
            }
            QTYPE::ANY | QTYPE::TYPE(TYPE::PTR) if self.services.contains_key(name) => {
                self.entries(name).filter_map(|entry| pointed(&owner, entry, domain)).collect()
            }
            QTYPE::ANY | QTYPE::TYPE(TYPE::SRV | TYPE::TXT | TYPE::A | TYPE::AAAA | TYPE::PTR) => {
                self.instances(name).filter_map(|entry| Some(entry.records(domain, TTL)?.into())).collect()
            }
            _ => Vec::new(),
        };
        records.into_iter().filter_map(|records| packet::answer(id, question, records)).collect()
    }

    fn instances(&self, instance: &str) -> impl Iterator<Item = &Arc<Entry>> {
        let of_service = |(name, nodes): (&String, _)| instance.ends_with(name.as_str()).then_some(nodes);
        let nodes: Vec<&BTreeMap<Key, Arc<Entry>>> = self.services.iter().filter_map(of_service).collect();
        nodes.into_iter().flat_map(BTreeMap::values).filter(move |entry| entry.instance == instance)
    }
}

type Records = Vec<ResourceRecord<'static>>;

/// A node's answer: the pointer to it and all that it is.
fn pointed(owner: &simple_dns::Name<'static>, entry: &Entry, domain: &str) -> Option<Records> {
    let instance = packet::name(&format!("{}.{domain}", entry.instance)).ok()?;
    let mut records = vec![packet::pointer(owner.clone(), instance)];
    records.extend(entry.records(domain, TTL)?);
    Some(records)
}

/// A name's answer to the list of services: an instance that is nowhere and says nothing.
fn list(owner: &simple_dns::Name<'static>, service: &str, domain: &str) -> Option<Records> {
    let instance = packet::name(&format!("{service}.{SERVICES}.{domain}")).ok()?;
    let nowhere = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), LIST_PORT);
    let mut records = vec![packet::pointer(owner.clone(), instance.clone())];
    records.extend(packet::instance(&instance, nowhere, "", TTL));
    Some(records)
}

/// A name's answer to those who browse for kinds of services (RFC 6763 §9).
fn kinds(owner: &simple_dns::Name<'static>, service: &str, domain: &str) -> Option<Records> {
    let of = |name: &str| packet::name(&format!("{name}.{domain}")).ok();
    Some(vec![packet::pointer(owner.clone(), of(service)?), packet::pointer(owner.clone(), of(SERVICES)?)])
}

#[cfg(test)]
#[path = "zone_tests.rs"]
mod tests;
