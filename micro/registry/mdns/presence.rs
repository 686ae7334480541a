//! Who is there, by what is heard: mDNS has no one to ask, and who is killed says nothing. No I/O.

use std::collections::BTreeMap;
use tokio::time::{Duration, Instant};

/// Who did not answer so many queries is gone.
const MISSES: u8 = 3;
/// For so long after a goodbye an answer is one that was on its way, or the last breath of a responder.
const BURIED: Duration = Duration::from_secs(1);

/// Those who are there, by key.
#[derive(Debug)]
pub(super) struct Presence<K, V> {
    there: BTreeMap<K, Seen<V>>,
    buried: BTreeMap<K, Instant>,
    limit: usize,
}

#[derive(Debug)]
struct Seen<V> {
    value: V,
    /// Since the last query.
    heard: bool,
    misses: u8,
}

impl<K: Ord + Clone, V: PartialEq + Clone> Presence<K, V> {
    /// Nobody yet, and never more than `limit`.
    pub(super) fn new(limit: usize) -> Self {
        Self { there: BTreeMap::new(), buried: BTreeMap::new(), limit }
    }

    /// Someone answered; whether it is new or not what it was.
    pub(super) fn answered(&mut self, key: K, value: V, now: Instant) -> bool {
        match self.buried.get(&key) {
            Some(until) if *until > now => false,
            _ => self.announced(key, value),
        }
    }

    /// Someone announced itself, which no goodbye outlasts; whether it is new or not what it was.
    pub(super) fn announced(&mut self, key: K, value: V) -> bool {
        self.buried.remove(&key);
        if let Some(seen) = self.there.get_mut(&key) {
            let changed = seen.value != value;
            *seen = Seen { value, heard: true, misses: 0 };
            return changed;
        }
        if self.there.len() >= self.limit {
            return false;
        }
        self.there.insert(key, Seen { value, heard: true, misses: 0 });
        true
    }

    /// Someone said goodbye; what it was, if it was there.
    pub(super) fn goodbye(&mut self, key: &K, now: Instant) -> Option<V> {
        self.buried.retain(|_, until| *until > now);
        if self.buried.len() < self.limit {
            self.buried.insert(key.clone(), now + BURIED);
        }
        self.there.remove(key).map(|seen| seen.value)
    }

    /// A query goes out.
    pub(super) fn asked(&mut self) {
        for seen in self.there.values_mut() {
            seen.heard = false;
        }
    }

    /// The time for its answers is up; those who are gone.
    pub(super) fn missing(&mut self) -> Vec<V> {
        for seen in self.there.values_mut().filter(|seen| !seen.heard) {
            seen.misses += 1;
        }
        let mut gone = Vec::new();
        self.there.retain(|_, seen| {
            let stays = seen.misses < MISSES;
            if !stays {
                gone.push(seen.value.clone());
            }
            stays
        });
        gone
    }

    /// Whether someone is there.
    pub(super) fn contains(&self, key: &K) -> bool {
        self.there.contains_key(key)
    }

    /// All who are there.
    pub(super) fn values(&self) -> impl Iterator<Item = &V> {
        self.there.values().map(|seen| &seen.value)
    }

    /// How many are there.
    pub(super) fn len(&self) -> usize {
        self.there.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(presence: &mut Presence<u8, &'static str>, answers: &[(u8, &'static str)]) -> Vec<&'static str> {
        presence.asked();
        for (key, value) in answers {
            presence.answered(*key, value, Instant::now());
        }
        presence.missing()
    }

    #[test]
    fn who_misses_three_queries_in_a_row_is_gone() {
        let mut presence = Presence::new(10);
        let both = [(1, "a"), (2, "b")];
        assert!(round(&mut presence, &both).is_empty());
        assert!(round(&mut presence, &both[..1]).is_empty());
        assert!(round(&mut presence, &both[..1]).is_empty());
        assert!(round(&mut presence, &both).is_empty(), "it answered in time");
        assert!(round(&mut presence, &both[..1]).is_empty());
        assert!(round(&mut presence, &both[..1]).is_empty());
        assert_eq!(round(&mut presence, &both[..1]), ["b"]);
        assert_eq!(presence.values().collect::<Vec<_>>(), [&"a"]);
    }

    #[test]
    fn an_answer_that_was_on_its_way_does_not_bring_back_who_said_goodbye() {
        let mut presence = Presence::new(10);
        let now = Instant::now();
        assert!(presence.announced(1, "a"));
        assert!(!presence.answered(1, "a", now), "nothing new");
        assert_eq!(presence.goodbye(&1, now), Some("a"));
        assert!(!presence.answered(1, "a", now));
        assert_eq!(presence.len(), 0);
        assert!(presence.answered(1, "a", now + BURIED), "it may well come back");
        presence.goodbye(&1, now);
        assert!(presence.announced(1, "a"), "by announcing itself at once");
        assert!(presence.answered(1, "b", now), "and is no longer buried");
    }

    #[test]
    fn the_number_is_bounded() {
        let mut presence = Presence::new(2);
        for key in 0..5 {
            presence.announced(key, "a");
            presence.goodbye(&(key + 10), Instant::now());
        }
        assert_eq!((presence.len(), presence.buried.len()), (2, 2));
        assert!(presence.announced(0, "b"), "who is there may change");
    }
}
