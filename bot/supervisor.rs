//! Listens again when an adapter lost its chat: one supervisor for each adapter, the same rules for all.

use crate::adapter::{AdapterError, AdapterErrorKind, Inbox};
use crate::audit::chain;
use crate::engine::panic_text;
use crate::front::Seat;
use futures_util::FutureExt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use tracing::Instrument;

/// The first pause after a connection was lost; it doubles.
const FIRST: Duration = Duration::from_secs(1);
/// The longest pause of our own choice.
const LONGEST: Duration = Duration::from_secs(60);
/// The longest pause that a server may set.
const LONGEST_TOLD: Duration = Duration::from_secs(3_600);
/// A connection that heard something and held this long starts the pauses anew.
const HELD: Duration = Duration::from_secs(10);

/// Listens until the adapter's input has ended for good, or the bot is closed.
pub(crate) async fn supervise(seat: Arc<Seat>) {
    let span = seat.span.clone();
    listen(&seat).instrument(span).await;
}

async fn listen(seat: &Arc<Seat>) {
    let closed = &seat.shared.signals.closed;
    let mut losses = 0;
    while !closed.is_cancelled() {
        let began = Instant::now();
        seat.heard();
        let inbox = Inbox(seat.clone());
        let listened = AssertUnwindSafe(seat.adapter.listen(inbox)).catch_unwind().await;
        let error = match listened {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error,
            Err(panic) => broken(panic_text(&*panic)),
        };
        if closed.is_cancelled() {
            return;
        }
        losses = if seat.heard() && began.elapsed() >= HELD { 0 } else { losses };
        let Some(pause) = pause(&error.kind, losses) else {
            tracing::error!(error = %chain(&error), "not allowed in; this adapter is not tried again");
            return;
        };
        losses += 1;
        tracing::warn!(error = %chain(&error), ?pause, "will listen again");
        tokio::select! {
            () = closed.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// How long until it listens again after so many losses in a row; `None`: never.
fn pause(kind: &AdapterErrorKind, losses: u32) -> Option<Duration> {
    match kind {
        AdapterErrorKind::Forbidden => None,
        AdapterErrorKind::Absent => Some(jittered(FIRST, FIRST / 2)),
        AdapterErrorKind::Lost { again: Some(pause) } | AdapterErrorKind::Limited(pause) => {
            Some((*pause).clamp(FIRST, LONGEST_TOLD))
        }
        AdapterErrorKind::Lost { again: None } | AdapterErrorKind::Refused | AdapterErrorKind::Unsure => {
            let full = FIRST.saturating_mul(1 << losses.min(10)).min(LONGEST);
            // Half of it is chance, so that a hundred bots do not come back at once.
            Some(jittered(full / 2, full / 2).max(FIRST))
        }
    }
}

fn jittered(least: Duration, more: Duration) -> Duration {
    least + more.mul_f64(fastrand::f64())
}

fn broken(panic: &str) -> AdapterError {
    AdapterError {
        kind: AdapterErrorKind::Lost { again: None },
        source: format!("the adapter panicked: {panic}").into(),
    }
}

#[cfg(test)]
mod tests {
    use super::pause;
    use crate::adapter::AdapterErrorKind;
    use std::time::Duration;

    #[test]
    fn pauses_grow_to_a_minute_and_a_server_may_set_its_own() {
        let lost = AdapterErrorKind::Lost { again: None };
        for losses in 0..40 {
            let pause = pause(&lost, losses).unwrap();
            let full = Duration::from_secs(1 << losses.min(6)).min(Duration::from_secs(60));
            assert!(pause >= (full / 2).max(Duration::from_secs(1)) && pause <= full, "{losses}: {pause:?}");
        }
        let told = Duration::from_secs(7);
        assert_eq!(pause(&AdapterErrorKind::Lost { again: Some(told) }, 9), Some(told));
        for (told, taken) in [(Duration::ZERO, Duration::from_secs(1)), (Duration::MAX, Duration::from_secs(3_600))] {
            assert_eq!(pause(&AdapterErrorKind::Limited(told), 0), Some(taken));
        }
        let absent = pause(&AdapterErrorKind::Absent, 9).unwrap();
        assert!(absent >= Duration::from_secs(1) && absent <= Duration::from_millis(1500));
        assert_eq!(pause(&AdapterErrorKind::Forbidden, 0), None);
    }
}
