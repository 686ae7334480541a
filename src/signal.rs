//! SIGINT, SIGTERM, SIGHUP, SIGQUIT: the first drains, the second leaves at once.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// The signals that end the process.
#[derive(Debug)]
pub(crate) struct Signals(Vec<Signal>);

impl Signals {
    /// Takes them over.
    ///
    /// # Errors
    /// The system refuses.
    pub(crate) fn listen() -> std::io::Result<Self> {
        let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup(), SignalKind::quit()];
        kinds.into_iter().map(signal).collect::<Result<_, _>>().map(Self)
    }

    /// Waits for one.
    pub(crate) async fn next(&mut self) {
        let waits = self.0.iter_mut().map(|signal| Box::pin(signal.recv()));
        futures_util::future::select_all(waits).await;
    }

    /// Fires `closed` at the first signal and returns at the second.
    pub(crate) async fn twice(&mut self, closed: &CancellationToken) {
        self.next().await;
        tracing::info!("stopping; a second signal leaves at once");
        closed.cancel();
        self.next().await;
    }
}
