//! Connections that are kept, and the nodes that let them be kept (DESIGN §5).
//!
//! Servers of v4.10.0 and later lose one in some 20,000 requests on kept connections, whatever is sent (WIRE §18 S11),
//! and a node does not tell its version. So a node must have shown that it is older, or be one of ours.

use crate::client::protocol::mucp::wire::Wire;
use crate::registry::service::{MARKER, Node};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What is known of the nodes that were called.
#[derive(Debug)]
pub(super) struct Pool {
    nodes: Mutex<HashMap<String, Known>>,
    size: usize,
    ttl: Duration,
}

/// A node by its id. A node of the same id at another address is another node.
#[derive(Debug)]
struct Known {
    address: String,
    manner: Manner,
    /// Most recently used last.
    idle: Vec<(Box<Wire>, Instant)>,
    used: Instant,
}

/// How connections to a node are treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    /// Kept until the first error.
    Keep,
    /// One a call.
    Once,
    /// Called once; nobody asked it yet.
    New,
}

/// What a call gets.
#[derive(Debug)]
pub(super) enum Lease {
    /// A kept connection.
    Kept(Box<Wire>),
    /// Nothing: dial, and keep it afterwards or not.
    Dial {
        /// Whether it may be given back.
        keep: bool,
    },
    /// The node must be asked first whether connections may be kept; tell [`Pool::learned`].
    Probe,
}

/// The most nodes remembered.
const MOST: usize = 4096;

impl Pool {
    pub(super) fn new(size: usize, ttl: Duration) -> Self {
        Self { nodes: Mutex::default(), size, ttl }
    }

    /// A connection for one call to the node.
    pub(super) fn take(&self, node: &Node) -> Lease {
        if self.size == 0 {
            return Lease::Dial { keep: false };
        }
        let now = Instant::now();
        let mut nodes = self.lock();
        let Some(known) = nodes.get_mut(&node.id).filter(|known| known.address == node.address) else {
            let manner = if may_keep(node) { Manner::Keep } else { Manner::New };
            make_room(&mut nodes, now, self.ttl);
            let known = Known { address: node.address.clone(), manner, idle: Vec::new(), used: now };
            nodes.insert(node.id.clone(), known);
            return Lease::Dial { keep: manner == Manner::Keep };
        };
        known.used = now;
        match known.manner {
            Manner::Keep => {
                while let Some((wire, since)) = known.idle.pop() {
                    if now.duration_since(since) < self.ttl && wire.is_quiet() {
                        return Lease::Kept(wire);
                    }
                }
                Lease::Dial { keep: true }
            }
            Manner::Once => Lease::Dial { keep: false },
            Manner::New => {
                // Until the answer is in, and for ever if it never comes, nothing is kept.
                known.manner = Manner::Once;
                Lease::Probe
            }
        }
    }

    /// The node showed that its connections may be kept.
    pub(super) fn learned(&self, node: &Node) {
        if let Some(known) = self.lock().get_mut(&node.id).filter(|known| known.address == node.address) {
            known.manner = Manner::Keep;
        }
    }

    /// Gives back a connection after a whole, good reply.
    pub(super) fn give(&self, node: &Node, wire: Box<Wire>) {
        let (now, ttl) = (Instant::now(), self.ttl);
        let mut nodes = self.lock();
        if let Some(known) = nodes.get_mut(&node.id).filter(|known| known.address == node.address) {
            let old = known.idle.iter().take_while(|(_, since)| now.duration_since(*since) >= ttl).count();
            known.idle.drain(..old);
            if known.idle.len() < self.size {
                known.idle.push((wire, now));
            }
        }
    }

    /// Closes what is kept of the node: it has closed one of them itself.
    pub(super) fn drop_idle(&self, node: &Node) {
        if let Some(known) = self.lock().get_mut(&node.id) {
            known.idle.clear();
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Known>> {
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the node's metadata alone says that it may: ours, or v1.6.0 and before (WIRE §1.1).
fn may_keep(node: &Node) -> bool {
    let has = |key: &str, value: &str| node.metadata.get(key).is_some_and(|found| found == value);
    has(MARKER.0, MARKER.1) || has("server", "rpc")
}

/// Forgets nodes that were not called for long once there are many; a forgotten node is asked again.
fn make_room(nodes: &mut HashMap<String, Known>, now: Instant, ttl: Duration) {
    if nodes.len() >= MOST {
        nodes.retain(|_, known| now.duration_since(known.used) < ttl);
    }
    if nodes.len() >= MOST {
        nodes.clear();
    }
}
