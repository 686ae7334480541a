//! One event per command: who, where, what, outcome, how long. Target `audit`, level info.

use crate::command::{CommandErrorKind, Plan, Spec};
use crate::message::Message;
use std::fmt::Write as _;
use std::time::Instant;

/// A command that is being audited, if anybody listens.
#[derive(Debug)]
pub(crate) struct Audit(Option<Instant>);

impl Audit {
    pub(crate) fn begin() -> Self {
        Self(tracing::enabled!(target: "audit", tracing::Level::INFO).then(Instant::now))
    }

    /// Tells the event. `what` is the plan's canonical line, never what was typed: that may hold secrets.
    pub(crate) fn end(self, asked: &Message, spec: &Spec, plan: Option<&Plan>, error: Option<CommandErrorKind>) {
        let Some(began) = self.0 else { return };
        let at = &asked.place.address;
        tracing::info!(
            target: "audit",
            adapter = &*at.adapter,
            space = at.space,
            room = at.room,
            thread = at.thread,
            message = asked.id,
            sender = asked.from.id.as_deref().unwrap_or("unproven"),
            name = asked.from.name,
            command = &*spec.name,
            what = plan.map(|plan| plan.canonical.as_str()),
            risk = plan.map(|plan| tracing::field::debug(plan.risk)),
            outcome = error.map_or("ok", CommandErrorKind::as_str),
            ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
        );
    }
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
