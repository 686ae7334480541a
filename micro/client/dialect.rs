//! How to speak to a node: by its metadata (WIRE §14), and where that says nothing, by asking.

use crate::client::protocol::Protocol;
use crate::client::protocol::grpc::Grpc;
use crate::client::protocol::mucp::{Mucp, NotMicro};
use crate::client::{Family, Options};
use crate::error::{Error, ErrorKind, Result};
use crate::registry::service::Node;
use crate::transport::http::Fault;
use std::collections::HashMap;
use std::error::Error as _;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// What a node speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Speaks {
    /// mucp over HTTP/1.1.
    Mucp,
    /// gRPC over h2c.
    Grpc,
}

/// The protocols, and what was learned of nodes that say nothing of themselves.
pub(crate) struct Dialect {
    family: Family,
    mucp: Mucp,
    grpc: Grpc,
    /// By node id; a node at another address is another node.
    learned: Mutex<HashMap<String, (String, Speaks)>>,
}

/// The most nodes remembered.
const MOST: usize = 4096;

impl Dialect {
    pub(crate) fn new(options: &Arc<Options>) -> Self {
        Self {
            family: options.family,
            mucp: Mucp::new(Arc::clone(options)),
            grpc: Grpc::new(Arc::clone(options)),
            learned: Mutex::default(),
        }
    }

    /// The protocol for a call to the node.
    ///
    /// # Errors
    /// `Invalid`: this build does not speak what the node speaks. For a node that says nothing, also what the question
    /// met: `Refused`, `Unreachable`, …
    pub(crate) async fn of(&self, node: &Arc<Node>, service: &str, until: Instant) -> Result<&dyn Protocol> {
        let speaks = match read(node)? {
            Some(speaks) => speaks,
            None => self.ask(node, service, until).await?,
        };
        match speaks {
            Speaks::Mucp => Ok(&self.mucp),
            Speaks::Grpc => Ok(&self.grpc),
        }
    }

    /// For a node that says nothing: what was set, what was learned, or what `Debug.Health` tells. Never the caller's
    /// own request, which could run twice.
    async fn ask(&self, node: &Arc<Node>, service: &str, until: Instant) -> Result<Speaks> {
        match self.family {
            Family::Mucp => return Ok(Speaks::Mucp),
            Family::Grpc => return Ok(Speaks::Grpc),
            Family::Probe => {}
        }
        if let Some((address, speaks)) = self.lock().get(&node.id)
            && *address == node.address
        {
            return Ok(*speaks);
        }
        let speaks = match self.mucp.health(node, service, until).await {
            Ok(_) => Speaks::Mucp,
            // Reset or closed without an answer is what some gRPC servers do to HTTP/1, and what a crash looks like: a
            // guess for this call, nothing to remember.
            Err(error) if error.kind() == ErrorKind::Unsure => return Ok(Speaks::Grpc),
            Err(error) if error.kind() == ErrorKind::Timeout => {
                let text = format!("{}: no answer to Debug.Health in time; the call was not sent", node.address);
                return Err(Error::new(ErrorKind::Timeout, text).because(error));
            }
            Err(error) => heard(node, error)?,
        };
        let mut learned = self.lock();
        if learned.len() >= MOST {
            learned.clear();
        }
        learned.insert(node.id.clone(), (node.address.clone(), speaks));
        Ok(speaks)
    }

    /// Forgets what was learned of a node whose answer does not fit it: another server may have taken its address.
    pub(crate) fn doubt(&self, node: &Node, failed: &Error) {
        if matches!(failed.kind(), ErrorKind::Malformed | ErrorKind::Unsure) || failed.is_retryable() {
            self.lock().remove(&node.id);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, (String, Speaks)>> {
        self.learned.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dialect").field("family", &self.family).finish_non_exhaustive()
    }
}

/// What the node's metadata says (WIRE §14 rows 1–6); `None`: nothing (row 7).
fn read(node: &Node) -> Result<Option<Speaks>> {
    let value = |key: &str| node.metadata.get(key).map_or("", String::as_str);
    let (protocol, server, transport) = (value("protocol"), value("server"), value("transport"));
    match (protocol, server) {
        ("grpc", _) | ("", "grpc") => Ok(Some(Speaks::Grpc)),
        ("http", _) | (_, "http") => Err(unsupported(node, "plain HTTP")),
        _ if matches!(transport, "nats" | "rabbitmq" | "grpc" | "memory") => {
            Err(unsupported(node, &format!("mucp over the {transport} transport")))
        }
        ("mucp", _) | (_, "rpc" | "mucp") => Ok(Some(Speaks::Mucp)),
        _ => Ok(None),
    }
}

/// What a node speaks that did not answer the question in mucp (WIRE §14 row 7).
fn heard(node: &Node, error: Error) -> Result<Speaks> {
    if error.kind() == ErrorKind::Service {
        return Ok(Speaks::Mucp);
    }
    let source = error.source();
    if let Some(Fault::NotHttp(bytes)) = source.and_then(|source| source.downcast_ref::<Fault>()) {
        match bytes[..] {
            // An HTTP/2 SETTINGS frame: three bytes of length, type 4.
            [0, 0, _, 4, ..] | [0, 0, _] | [0, 0] | [0] => return Ok(Speaks::Grpc),
            // A TLS record: an alert.
            [0x15, ..] => return Err(unsupported(node, "TLS")),
            _ => {}
        }
    }
    if source.is_some_and(<dyn std::error::Error>::is::<NotMicro>) {
        return Err(unsupported(node, "plain HTTP").because(error));
    }
    Err(error)
}

fn unsupported(node: &Node, what: &str) -> Error {
    let Node { id, address, .. } = node;
    let name = if id == address { String::new() } else { format!("node {id} at ") };
    Error::new(ErrorKind::Invalid, format!("{name}{address} speaks {what}, which this build does not support yet"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(metadata: &[(&str, &str)]) -> std::result::Result<Option<Speaks>, String> {
        let metadata = metadata.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        read(&Node { id: "n".into(), address: "h:1".into(), metadata }).map_err(|error| error.to_string())
    }

    #[test]
    fn metadata_of_every_generation_is_understood() {
        let (mucp, grpc) = (Ok(Some(Speaks::Mucp)), Ok(Some(Speaks::Grpc)));
        assert_eq!(said(&[("server", "rpc"), ("transport", "http")]), mucp);
        assert_eq!(said(&[("server", "rpc"), ("transport", "http"), ("protocol", "mucp")]), mucp);
        assert_eq!(said(&[("server", "mucp"), ("transport", "http"), ("protocol", "mucp")]), mucp);
        assert_eq!(said(&[("server", "grpc"), ("transport", "grpc")]), grpc);
        assert_eq!(said(&[("server", "grpc"), ("transport", "grpc"), ("protocol", "grpc")]), grpc);
        assert_eq!(said(&[("zone", "a")]), Ok(None));
    }

    #[test]
    fn what_this_build_does_not_speak_is_said_plainly() {
        insta::assert_snapshot!(said(&[("protocol", "http")]).unwrap_err(), @"node n at h:1 speaks plain HTTP, which this build does not support yet");
        insta::assert_snapshot!(said(&[("server", "rpc"), ("transport", "nats")]).unwrap_err(), @"node n at h:1 speaks mucp over the nats transport, which this build does not support yet");
        assert!(said(&[("server", "mucp"), ("transport", "grpc")]).is_err());
    }
}
