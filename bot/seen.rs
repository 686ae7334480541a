//! Messages that were heard before: chats deliver again what they think was lost.

use std::collections::{HashSet, VecDeque};
use std::hash::{BuildHasher, Hash, RandomState};

/// The ids of the last messages of one adapter, as 64-bit hashes under a key of this process.
#[derive(Debug)]
pub(crate) struct Seen {
    bound: usize,
    hasher: RandomState,
    order: VecDeque<u64>,
    known: HashSet<u64>,
}

impl Seen {
    /// Remembers the last `bound` ids.
    pub(crate) fn new(bound: usize) -> Self {
        Self { bound, hasher: RandomState::new(), order: VecDeque::new(), known: HashSet::new() }
    }

    /// Remembers an id; whether it is new.
    pub(crate) fn insert(&mut self, id: impl Hash) -> bool {
        let hash = self.hasher.hash_one(id);
        if !self.known.insert(hash) {
            return false;
        }
        if self.order.len() == self.bound
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        self.order.push_back(hash);
        true
    }

    /// Forgets the id that was inserted last: its message was given back.
    pub(crate) fn forget_last(&mut self) {
        if let Some(last) = self.order.pop_back() {
            self.known.remove(&last);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Seen;

    #[test]
    fn an_id_is_known_until_as_many_others_came() {
        let mut seen = Seen::new(2);
        assert!(seen.insert("a"));
        assert!(!seen.insert("a"));
        assert!(seen.insert("b"));
        assert!(seen.insert("c"));
        assert!(seen.insert("a"));
        seen.forget_last();
        assert!(seen.insert("a"));
    }
}
