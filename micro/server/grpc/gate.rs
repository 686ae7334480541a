//! A waker for a task that wakes itself.
//!
//! A handler that queues its answer wakes the connection, which lives in the same task and runs just now. Passed on, such a
//! wake costs a trip through the scheduler, often another thread, for every call (measured: 52 µs a call instead of 19).

use futures_util::task::AtomicWaker;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::task::{Context, Poll, Wake, Waker};

/// How often the work is run again at once; then the task lets others run.
const TURNS: usize = 4;

/// Runs work under a waker that passes wakes on only while the work does not run.
pub(super) struct Gate {
    state: Arc<State>,
    waker: Waker,
}

#[derive(Default)]
struct State {
    task: AtomicWaker,
    running: AtomicBool,
    again: AtomicBool,
}

impl Gate {
    pub(super) fn new() -> Self {
        let state = Arc::<State>::default();
        Self { waker: Waker::from(state.clone()), state }
    }

    /// Runs the work, and again while it woke itself.
    pub(super) fn poll<T>(&self, cx: &Context<'_>, mut work: impl FnMut(&mut Context<'_>) -> Poll<T>) -> Poll<T> {
        let State { task, running, again } = &*self.state;
        task.register(cx.waker());
        running.store(true, SeqCst);
        let mut result = Poll::Pending;
        for _ in 0..TURNS {
            again.store(false, SeqCst);
            result = work(&mut Context::from_waker(&self.waker));
            if result.is_ready() || !again.load(SeqCst) {
                break;
            }
        }
        running.store(false, SeqCst);
        if again.swap(false, SeqCst) {
            task.wake();
        }
        result
    }
}

impl Wake for State {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.again.store(true, SeqCst);
        if !self.running.load(SeqCst) {
            self.task.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, SeqCst);
        }
    }

    #[test]
    fn a_wake_from_within_is_another_turn_and_no_wake() {
        let (count, gate) = (Arc::<Count>::default(), Gate::new());
        let waker = Waker::from(count.clone());
        let cx = Context::from_waker(&waker);
        let mut turns = 0;
        let result = gate.poll(&cx, |inner| {
            turns += 1;
            if turns < 3 {
                inner.waker().wake_by_ref();
            }
            Poll::<()>::Pending
        });
        assert_eq!((result, turns, count.0.load(SeqCst)), (Poll::Pending, 3, 0));
    }

    #[test]
    fn a_wake_from_outside_reaches_the_task() {
        let (count, gate) = (Arc::<Count>::default(), Gate::new());
        let waker = Waker::from(count.clone());
        let mut kept = None;
        let _ = gate.poll(&Context::from_waker(&waker), |inner| {
            kept = Some(inner.waker().clone());
            Poll::<()>::Pending
        });
        kept.unwrap().wake();
        assert_eq!(count.0.load(SeqCst), 1);
    }

    #[test]
    fn work_that_always_wakes_itself_lets_others_run() {
        let (count, gate) = (Arc::<Count>::default(), Gate::new());
        let waker = Waker::from(count.clone());
        let mut turns = 0;
        let result = gate.poll(&Context::from_waker(&waker), |inner| {
            turns += 1;
            inner.waker().wake_by_ref();
            Poll::<()>::Pending
        });
        assert_eq!((result, turns, count.0.load(SeqCst)), (Poll::Pending, TURNS, 1));
    }
}
