//! The spec of a command in one expression.

use bot::command::{Risk, Spec, Turn};

/// A spec that only looks, waits its turn and has no details. The parts are those of [`Spec`].
pub(crate) fn read(
    name: &'static str,
    pattern: &'static str,
    usage: &'static str,
    summary: &'static str,
    examples: &[&'static str],
) -> Spec {
    Spec {
        pattern: pattern.into(),
        name: name.into(),
        usage: usage.into(),
        summary: summary.into(),
        details: "".into(),
        examples: examples.iter().map(|example| (*example).into()).collect(),
        risk: Risk::Read,
        turn: Turn::Queued,
    }
}

/// The same for a command that changes the registry.
pub(crate) fn change(
    name: &'static str,
    pattern: &'static str,
    usage: &'static str,
    summary: &'static str,
    examples: &[&'static str],
) -> Spec {
    Spec { risk: Risk::Change, ..read(name, pattern, usage, summary, examples) }
}
