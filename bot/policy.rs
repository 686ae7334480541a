//! Who may do what: looks at the plan, never at text.

use serde::Deserialize;

/// One `[policy.NAME]` of the config: opens calls and changes. Every list holds globs; an empty list lets all pass, but a
/// rule must narrow by `rooms` or `senders`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rule {
    /// Adapter instances: `slack`, `slack.eu`.
    pub adapters: Vec<String>,
    /// Rooms, by the chat's own id.
    pub rooms: Vec<String>,
    /// Senders, by the chat's immutable id.
    pub senders: Vec<String>,
    /// Commands, by their leading words: `call`, `register service`.
    pub commands: Vec<String>,
    /// Services, by their full name.
    pub services: Vec<String>,
    /// Endpoints: `Say.*`.
    pub endpoints: Vec<String>,
}

/// The rules by name, in the config's order.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    #[expect(dead_code, reason = "the decision lands with the router")]
    rules: Vec<(String, Rule)>,
}

impl Policy {
    /// A policy of these rules.
    pub fn new(rules: Vec<(String, Rule)>) -> Self {
        Self { rules }
    }
}
