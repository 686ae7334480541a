//! Connections that are kept, and the nodes that let them be kept (DESIGN §5).
//!
//! Servers of v4.10.0 and later lose one in some 20,000 requests on kept connections, whatever is sent (WIRE §18 S11),
//! and a node does not tell its version. So a node must have shown that it is older, or be one of ours.

use crate::client::protocol::mucp::wire::{Size, Wire};
use crate::registry::service::{MARKER, Node};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use tokio::time::sleep;

/// What is known of the nodes that were called.
#[derive(Debug)]
pub(super) struct Pool {
    state: Arc<Mutex<State>>,
    size: usize,
    ttl: Duration,
    tasks: Mutex<JoinSet<()>>,
}

#[derive(Debug, Default)]
struct State {
    nodes: HashMap<String, Known>,
    /// Whether the task runs that closes what was idle for too long; it ends with the last idle connection.
    sweeping: bool,
}

/// A node by its id. A node of the same id at another address is another node.
#[derive(Debug)]
struct Known {
    address: String,
    manner: Manner,
    /// Most recently used last.
    idle: Vec<(Box<Wire>, Instant)>,
    used: Instant,
    /// How replies of its endpoints arrived.
    replies: Vec<(String, Size)>,
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

/// So many pieces make it worth to wait for all of them.
const MANY: u32 = 4;

/// The most endpoints of a node whose replies are remembered.
const ENDPOINTS: usize = 64;

/// The most nodes remembered.
const MOST: usize = 4096;

impl Pool {
    pub(super) fn new(size: usize, ttl: Duration) -> Self {
        let size = if ttl.is_zero() { 0 } else { size };
        Self { state: Arc::default(), size, ttl, tasks: Mutex::default() }
    }

    /// A connection for one call to the node.
    pub(super) fn take(&self, node: &Node) -> Lease {
        if self.size == 0 {
            return Lease::Dial { keep: false };
        }
        let now = Instant::now();
        let nodes = &mut self.lock().nodes;
        let Some(known) = nodes.get_mut(&node.id).filter(|known| known.address == node.address) else {
            let manner = if may_keep(node) { Manner::Keep } else { Manner::New };
            make_room(nodes, now, self.ttl);
            let known =
                Known { address: node.address.clone(), manner, idle: Vec::new(), used: now, replies: Vec::new() };
            nodes.insert(node.id.clone(), known);
            return Lease::Dial { keep: manner == Manner::Keep };
        };
        known.used = now;
        match known.manner {
            Manner::Keep => {
                while let Some((wire, since)) = known.idle.pop() {
                    if now.duration_since(since) >= self.ttl {
                        continue;
                    }
                    if wire.is_quiet() {
                        return Lease::Kept(wire);
                    }
                    known.closed(node);
                }
                Lease::Dial { keep: known.manner == Manner::Keep }
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
        if let Some(known) = self.lock().of(node) {
            known.manner = Manner::Keep;
        }
    }

    /// Gives back a connection after a whole, good reply.
    pub(super) fn give(&self, node: &Node, wire: Box<Wire>) {
        let (now, ttl) = (Instant::now(), self.ttl);
        let mut state = self.lock();
        let Some(known) = state.of(node).filter(|known| known.manner == Manner::Keep) else { return };
        known.expire(now, ttl);
        if known.idle.len() >= self.size {
            return;
        }
        known.idle.push((wire, now));
        if !std::mem::replace(&mut state.sweeping, true) {
            drop(state);
            let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
            while tasks.try_join_next().is_some() {}
            tasks.spawn(sweep(Arc::downgrade(&self.state), ttl));
        }
    }

    /// How many bytes of a reply of this endpoint to expect at once; `None` if it arrives in few pieces.
    pub(super) fn expected(&self, node: &Node, endpoint: &str) -> Option<usize> {
        let mut state = self.lock();
        let (_, size) = state.of(node)?.replies.iter().find(|(name, _)| name == endpoint)?;
        // A little less than the last: ids and times have more digits or fewer.
        (size.reads >= MANY).then(|| size.bytes - size.bytes / 8)
    }

    /// Remembers how a reply arrived. What was waited for says nothing of the pieces it would have come in.
    pub(super) fn arrived(&self, node: &Node, endpoint: &str, size: Size, waited: bool) {
        let mut state = self.lock();
        let Some(known) = state.of(node) else { return };
        let room = known.replies.len() < ENDPOINTS;
        match known.replies.iter_mut().find(|(name, _)| name == endpoint) {
            Some((_, old)) if waited => old.bytes = size.bytes,
            Some((_, old)) => *old = size,
            None if room => known.replies.push((endpoint.to_owned(), size)),
            None => {}
        }
    }

    /// Closes what is kept of the node: it has closed one of them itself.
    pub(super) fn drop_idle(&self, node: &Node) {
        if let Some(known) = self.lock().of(node) {
            known.closed(node);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

impl State {
    fn of(&mut self, node: &Node) -> Option<&mut Known> {
        self.nodes.get_mut(&node.id).filter(|known| known.address == node.address)
    }
}

impl Known {
    /// The node closed an idle connection: it was started anew, perhaps in another version, so it is asked anew.
    fn closed(&mut self, node: &Node) {
        self.idle.clear();
        if !may_keep(node) {
            self.manner = Manner::New;
        }
    }

    /// Closes what was idle for too long.
    fn expire(&mut self, now: Instant, ttl: Duration) {
        let old = self.idle.iter().take_while(|(_, since)| now.duration_since(*since) >= ttl).count();
        self.idle.drain(..old);
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Closes connections that nobody took back, within twice the time they may be idle.
async fn sweep(state: Weak<Mutex<State>>, ttl: Duration) {
    loop {
        sleep(ttl).await;
        let Some(state) = state.upgrade() else { return };
        let (now, mut state) = (Instant::now(), lock(&state));
        let mut left = false;
        for known in state.nodes.values_mut() {
            known.expire(now, ttl);
            left |= !known.idle.is_empty();
        }
        if !left {
            state.sweeping = false;
            return;
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    const TTL: Duration = Duration::from_secs(60);

    fn node() -> Node {
        Node { id: "n".into(), address: "a:1".into(), ..Node::default() }
    }

    #[test]
    fn many_pieces_are_expected_at_once_and_few_are_not() {
        let (pool, node) = (Pool::new(10, TTL), node());
        pool.take(&node);
        assert_eq!(pool.expected(&node, "A.B"), None);
        pool.arrived(&node, "A.B", Size { bytes: 400, reads: 20 }, false);
        assert_eq!(pool.expected(&node, "A.B"), Some(350));
        pool.arrived(&node, "A.B", Size { bytes: 800, reads: 1 }, true);
        assert_eq!(pool.expected(&node, "A.B"), Some(700), "what was waited for says nothing of the pieces");
        pool.arrived(&node, "C.D", Size { bytes: 800, reads: 1 }, false);
        assert_eq!(pool.expected(&node, "C.D"), None);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let (pool, node) = (Pool::new(10, TTL), node());
        for number in 0..MOST + 10 {
            pool.take(&Node { id: number.to_string(), ..node.clone() });
        }
        assert!(pool.lock().nodes.len() <= MOST);
        pool.take(&node);
        for number in 0..ENDPOINTS + 10 {
            pool.arrived(&node, &number.to_string(), Size { bytes: 1, reads: 1 }, false);
        }
        assert_eq!(pool.lock().nodes["n"].replies.len(), ENDPOINTS);
    }
}
