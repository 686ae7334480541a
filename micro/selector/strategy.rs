//! Which of several nodes: the strategies.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

/// A way to choose.
pub trait Strategy: fmt::Debug + Send + Sync + 'static {
    /// An index below `count`; 0 if there is nothing to choose from.
    fn pick(&self, service: &str, count: usize) -> usize;
}

/// Any, each as likely.
#[derive(Clone, Copy, Debug, Default)]
pub struct Random;

impl Strategy for Random {
    fn pick(&self, _service: &str, count: usize) -> usize {
        if count > 1 { fastrand::usize(..count) } else { 0 }
    }
}

/// One after the other, from a random start; each service has a turn of its own.
#[derive(Debug, Default)]
pub struct RoundRobin(Mutex<HashMap<String, usize>>);

/// The most services whose turns are kept.
const MOST: usize = 4096;

impl Strategy for RoundRobin {
    fn pick(&self, service: &str, count: usize) -> usize {
        let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if turns.len() >= MOST && !turns.contains_key(service) {
            turns.clear();
        }
        let turn = match turns.get_mut(service) {
            Some(turn) => turn,
            None => turns.entry(service.to_owned()).or_insert_with(|| fastrand::usize(..MOST)),
        };
        *turn = turn.wrapping_add(1);
        turn.checked_rem(count).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_robin_visits_all_in_turn_whatever_else_is_called() {
        let turns = RoundRobin::default();
        let mut seen = [0; 3];
        for _ in 0..9 {
            seen[turns.pick("a", 3)] += 1;
            turns.pick("b", 3);
        }
        assert_eq!(seen, [3, 3, 3]);
    }

    #[test]
    fn nothing_to_choose_from_is_no_panic() {
        assert_eq!((Random.pick("a", 0), RoundRobin::default().pick("a", 0)), (0, 0));
    }
}
