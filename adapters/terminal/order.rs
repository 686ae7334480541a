//! The order of answers on a pipe: lines that never reached the bot are answered in their turn too. Pure.

use super::frame::Bad;
use std::collections::VecDeque;

/// The messages that are not answered yet, oldest first, by their numbers.
#[derive(Debug)]
pub(crate) struct Order {
    /// The number of the front of `turns`, from 1; the next number if that is empty.
    first: u64,
    turns: VecDeque<Turn>,
}

#[derive(Debug)]
enum Turn {
    /// With the bot.
    Asked,
    /// The bot is done with it, but not with an earlier one.
    Done,
    /// Answered by the adapter when its turn comes.
    Bad(Bad),
}

impl Default for Order {
    fn default() -> Self {
        Self { first: 1, turns: VecDeque::new() }
    }
}

impl Order {
    /// A message goes to the bot: its number.
    pub(crate) fn asked(&mut self) -> u64 {
        self.enter(Turn::Asked)
    }

    /// A line gets no further than here; [`Order::due`] says when it is to be answered.
    pub(crate) fn bad(&mut self, bad: Bad) {
        self.enter(Turn::Bad(bad));
    }

    fn enter(&mut self, turn: Turn) -> u64 {
        self.turns.push_back(turn);
        self.first + self.turns.len() as u64 - 1
    }

    /// The bot is done with a message. A number that is not asked is ignored.
    pub(crate) fn done(&mut self, number: u64) {
        let turn = number.checked_sub(self.first).and_then(|at| self.turns.get_mut(usize::try_from(at).ok()?));
        if let Some(turn @ Turn::Asked) = turn {
            *turn = Turn::Done;
        }
    }

    /// Takes the next bad line off whose turn has come, with its number.
    pub(crate) fn due(&mut self) -> Option<(u64, Bad)> {
        loop {
            let number = self.first;
            match self.turns.front()? {
                Turn::Asked => return None,
                Turn::Done => self.pop(),
                Turn::Bad(bad) => {
                    let bad = *bad;
                    self.pop();
                    return Some((number, bad));
                }
            }
        }
    }

    fn pop(&mut self) {
        self.turns.pop_front();
        self.first += 1;
    }

    /// Nothing more will be done: bad lines need not wait for others.
    pub(crate) fn give_up(&mut self) {
        for turn in &mut self.turns {
            if matches!(turn, Turn::Asked) {
                *turn = Turn::Done;
            }
        }
    }

    /// How many are not answered.
    pub(crate) fn len(&self) -> usize {
        self.turns.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_line_is_due_when_all_before_it_are_done() {
        let mut order = Order::default();
        assert_eq!((order.asked(), order.asked()), (1, 2));
        order.bad(Bad::NotText(7));
        order.bad(Bad::LongLine);
        assert_eq!(order.asked(), 5);
        assert_eq!(order.due(), None);
        order.done(2);
        assert_eq!(order.due(), None, "the first is still asked");
        order.done(1);
        assert_eq!(order.due(), Some((3, Bad::NotText(7))));
        assert_eq!(order.due(), Some((4, Bad::LongLine)));
        assert_eq!((order.due(), order.len()), (None, 1));
        order.done(5);
        assert_eq!((order.due(), order.len()), (None, 0));
    }

    #[test]
    fn a_bad_line_with_nothing_before_it_is_due_at_once() {
        let mut order = Order::default();
        order.bad(Bad::OpenBlock);
        assert_eq!(order.due(), Some((1, Bad::OpenBlock)));
        assert_eq!(order.asked(), 2);
    }

    #[test]
    fn numbers_that_nobody_asked_change_nothing() {
        let mut order = Order::default();
        order.asked();
        order.bad(Bad::OpenBlock);
        for number in [0, 2, 3, u64::MAX] {
            order.done(number);
        }
        assert_eq!((order.due(), order.len()), (None, 2));
        order.give_up();
        assert_eq!((order.due(), order.len()), (Some((2, Bad::OpenBlock)), 0));
    }
}
