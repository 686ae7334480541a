//! One event per command: who, where, what, outcome, how long. Target `audit`, level info; what a request says is told at
//! level debug alone.

use crate::command::{CommandErrorKind, Plan, Spec};
use crate::message::Message;
use bytes::Bytes;
use std::fmt::Write as _;
use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;
use std::time::Instant;

/// The key of [`digest`]: nobody can guess a short request by trying.
static KEY: LazyLock<RandomState> = LazyLock::new(RandomState::new);

/// A command that is being audited, if anybody listens.
#[derive(Debug)]
pub(crate) struct Audit(Option<Instant>);

impl Audit {
    pub(crate) fn begin() -> Self {
        Self(tracing::enabled!(target: "audit", tracing::Level::INFO).then(Instant::now))
    }

    /// Tells the event: the command, the service and the endpoint, never what was typed and no value of a request, since
    /// those may be secret. `bytes` is the size of the request, `digest` is equal for equal plans of this process.
    pub(crate) fn end(self, asked: &Message, spec: &Spec, plan: Option<&Plan>, error: Option<CommandErrorKind>) {
        let Some(began) = self.0 else { return };
        let at = &asked.place.address;
        tracing::info!(
            target: "audit",
            adapter = &*at.adapter,
            space = at.space,
            room = at.room,
            thread = at.thread,
            id = asked.id,
            sender = asked.from.id.as_deref().unwrap_or("unproven"),
            name = asked.from.name,
            command = &*spec.name,
            service = plan.and_then(|plan| plan.service.as_deref()),
            endpoint = plan.and_then(|plan| plan.endpoint.as_deref()),
            bytes = plan.and_then(|plan| plan.request.as_ref()).map(Bytes::len),
            digest = plan.map(digest),
            risk = plan.map(|plan| tracing::field::debug(plan.risk)),
            outcome = error.map_or("ok", CommandErrorKind::as_str),
            ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
        );
        if let Some(plan) = plan {
            tracing::debug!(target: "audit", id = asked.id, digest = digest(plan), what = plan.canonical);
        }
    }
}

/// Tells plans apart without telling them: 16 hex digits under a key of this process.
fn digest(plan: &Plan) -> String {
    format!("{:016x}", KEY.hash_one(&plan.canonical))
}

/// An error with what caused it, in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let _ = write!(text, ": {cause}");
        source = cause.source();
    }
    text
}
