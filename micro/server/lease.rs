//! The lease: the server's entry in the registry, renewed while it runs and taken out first when it stops.

use crate::error::{Error, ErrorKind, Result};
use crate::registry::Registry;
use crate::registry::service::Service;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long one question to the registry may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// The first pause after a failed registration; it doubles up to the interval.
const BACKOFF: Duration = Duration::from_millis(250);

/// A running lease.
#[derive(Debug)]
pub(crate) struct Lease {
    release: CancellationToken,
    tasks: TaskTracker,
    tried: watch::Receiver<bool>,
}

/// What is registered where, and how often.
pub(crate) struct Terms {
    pub(crate) registry: Arc<dyn Registry>,
    pub(crate) service: Service,
    /// Zero: for ever.
    pub(crate) ttl: Duration,
    /// Zero: once.
    pub(crate) interval: Duration,
}

impl Lease {
    /// Takes the lease in the background. When `abandon` fires it ends without deregistering.
    pub(crate) fn take(terms: Terms, abandon: CancellationToken) -> Self {
        let release = CancellationToken::new();
        let tasks = TaskTracker::new();
        let (tell, tried) = watch::channel(false);
        let released = release.clone();
        tasks.spawn(async move {
            tokio::select! {
                () = abandon.cancelled() => {}
                () = terms.keep(&released, &tell) => {}
            }
        });
        tasks.close();
        Self { release, tasks, tried }
    }

    /// Waits until the first registration has worked or failed, at most `limit`.
    pub(crate) async fn tried(&mut self, limit: Duration) {
        // Later than that, it goes on in the background.
        let _ = tokio::time::timeout(limit, self.tried.wait_for(|tried| *tried)).await;
    }

    /// Takes the entry out; done when the registry knows, or after a few seconds.
    pub(crate) async fn release(self) {
        self.release.cancel();
        self.tasks.wait().await;
    }
}

impl Terms {
    async fn keep(&self, released: &CancellationToken, tell: &watch::Sender<bool>) {
        let mut away = false;
        let mut backoff = BACKOFF;
        while !released.is_cancelled() {
            let pause = match self.register(released).await {
                Ok(()) => {
                    if away {
                        tracing::info!(
                            service = self.service.name,
                            registry = self.registry.name(),
                            "registered again"
                        );
                    }
                    (away, backoff) = (false, BACKOFF);
                    (!self.interval.is_zero()).then_some(self.interval)
                }
                Err(_) if released.is_cancelled() => break,
                Err(error) => {
                    if !away {
                        let (service, registry) = (&self.service.name, self.registry.name());
                        tracing::warn!(service, registry, %error, "registration failed, it is tried again");
                    }
                    away = true;
                    let pause = backoff;
                    backoff = (backoff * 2).min(self.interval.max(BACKOFF));
                    Some(pause)
                }
            };
            tell.send_replace(true);
            let wait = async {
                match pause {
                    Some(pause) => tokio::time::sleep(pause).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = released.cancelled() => {}
                () = wait => {}
            }
        }
        if let Err(error) = within(PATIENCE, self.registry.deregister(&self.service)).await {
            let (service, registry) = (&self.service.name, self.registry.name());
            tracing::warn!(service, registry, %error, "deregistration failed, the entry lives until its time is up");
        }
    }

    /// One registration. A release waits for it a moment, so that it cannot arrive after the deregistration.
    async fn register(&self, released: &CancellationToken) -> Result<()> {
        const MOMENT: Duration = Duration::from_secs(1);
        let ttl = (!self.ttl.is_zero()).then_some(self.ttl);
        let given_up = async {
            released.cancelled().await;
            tokio::time::sleep(MOMENT).await;
        };
        tokio::select! {
            outcome = within(PATIENCE, self.registry.register(&self.service, ttl)) => outcome,
            () = given_up => Err(Error::new(ErrorKind::Cancelled, "released")),
        }
    }
}

async fn within(limit: Duration, work: impl Future<Output = Result<()>>) -> Result<()> {
    let timeout = || Error::new(ErrorKind::Timeout, format!("no answer within {} s", limit.as_secs()));
    tokio::time::timeout(limit, work).await.unwrap_or_else(|_| Err(timeout()))
}
