//! Who may do what: looks at the plan, never at text.

use crate::command::{CommandError, CommandErrorKind, Plan, Risk};
use crate::glob;
use crate::message::{Address, Sender};
use serde::Deserialize;
use std::fmt::Write as _;

/// One `[policy.NAME]` of the config: opens calls and changes. Every list holds globs; an empty list lets all pass, but a
/// rule must narrow by `rooms` or `senders`.
///
/// A rule opens nothing to a sender whose id is unproven, and nothing to one from outside the organisation unless
/// `senders` has the id itself.
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

impl Rule {
    /// Whether it says for whom it is.
    fn narrows(&self) -> bool {
        !(self.rooms.is_empty() && self.senders.is_empty())
    }

    /// Whether this person may use the rule here.
    fn is_for(&self, from: &Sender, at: &Address) -> bool {
        let Some(id) = from.id.as_deref() else { return false };
        self.narrows()
            && any(&self.adapters, Some(&at.adapter))
            && any(&self.rooms, Some(&at.room))
            && any(&self.senders, Some(id))
            && (!from.external || self.senders.iter().any(|named| named == id))
    }

    /// Whether it opens this plan.
    fn opens(&self, command: &str, plan: &Plan) -> bool {
        any(&self.commands, Some(command))
            && any(&self.services, plan.service.as_deref())
            && any(&self.endpoints, plan.endpoint.as_deref())
    }
}

/// Whether one of the globs matches. No globs let all pass; what is not there passes no glob.
fn any(globs: &[String], text: Option<&str>) -> bool {
    globs.is_empty() || text.is_some_and(|text| globs.iter().any(|glob| glob::matches(glob, text)))
}

/// The rules by name, in the config's order.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    rules: Vec<(String, Rule)>,
}

impl Policy {
    /// A policy of these rules.
    pub fn new(rules: Vec<(String, Rule)>) -> Self {
        Self { rules }
    }

    /// A line per rule that opens nothing because it does not say for whom.
    pub fn problems(&self) -> Vec<String> {
        let wide = self.rules.iter().filter(|(_, rule)| !rule.narrows());
        wide.map(|(name, _)| {
            format!("policy.{name}: would open calls to everyone in every room; add `rooms` or `senders` to the rule")
        })
        .collect()
    }

    /// The names of the rules that are for this person here.
    pub fn rules_for(&self, from: &Sender, at: &Address) -> Vec<&str> {
        self.rules.iter().filter(|(_, rule)| rule.is_for(from, at)).map(|(name, _)| name.as_str()).collect()
    }

    /// Lets a plan pass, or says what to add to the config. Reading is open to all.
    ///
    /// # Errors
    /// `Denied`.
    pub fn decide(&self, from: &Sender, at: &Address, command: &str, plan: &Plan) -> Result<(), CommandError> {
        let open = |(_, rule): &(String, Rule)| rule.is_for(from, at) && rule.opens(command, plan);
        if plan.risk == Risk::Read || self.rules.iter().any(open) {
            return Ok(());
        }
        Err(CommandError::new(CommandErrorKind::Denied, self.refusal(from, at, command, plan)))
    }

    fn refusal(&self, from: &Sender, at: &Address, command: &str, plan: &Plan) -> String {
        let target: Vec<&str> =
            [Some(command), plan.service.as_deref(), plan.endpoint.as_deref()].into_iter().flatten().collect();
        let what = target.join(" ");
        if from.id.is_none() {
            return format!("you may not `{what}`: this chat does not prove who you are, so you may only read here");
        }
        let (whose, who) = if from.external {
            ("you are from outside, so a rule must name you", ("senders", from.id.as_deref()))
        } else {
            ("no rule of the policy opens it in this room", ("rooms", Some(at.room.as_str())))
        };
        let mut text = format!(
            "you may not `{what}` here: {whose}. Whoever keeps the bot's config can add:\n\n[policy.{}]",
            self.free_name(command)
        );
        let lines = [
            ("adapters", Some(&*at.adapter)),
            who,
            ("commands", Some(command)),
            ("services", plan.service.as_deref()),
            ("endpoints", plan.endpoint.as_deref()),
        ];
        for (key, value) in lines {
            if let Some(value) = value {
                // A sender is compared as it is where it must be named; everything else is a glob.
                let value = if key == "senders" { value.to_owned() } else { glob::escape(value) };
                let _ = write!(text, "\n{key} = [{}]", quoted(&value));
            }
        }
        text
    }

    /// A name for one rule more.
    fn free_name(&self, command: &str) -> String {
        let bare: String =
            command.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' }).collect();
        let taken = |name: &str| self.rules.iter().any(|(taken, _)| taken == name);
        let mut name = bare.clone();
        let mut number = 2;
        while taken(&name) {
            name = format!("{bare}-{number}");
            number += 1;
        }
        name
    }
}

/// A TOML basic string.
fn quoted(text: &str) -> String {
    let mut toml = String::with_capacity(text.len() + 2);
    toml.push('"');
    for c in text.chars() {
        match c {
            '"' => toml.push_str("\\\""),
            '\\' => toml.push_str("\\\\"),
            c if c.is_control() => {
                let _ = write!(toml, "\\u{:04X}", c as u32);
            }
            c => toml.push(c),
        }
    }
    toml.push('"');
    toml
}

#[cfg(test)]
mod tests {
    use super::{Policy, Rule};
    use crate::command::{Plan, Risk};
    use crate::message::{Address, Sender};

    fn sender(id: Option<&str>, external: bool) -> Sender {
        Sender { id: id.map(str::to_owned), name: "bob".into(), roles: Vec::new(), external }
    }

    fn room(room: &str) -> Address {
        Address { adapter: "slack".into(), space: String::new(), room: room.into(), thread: None }
    }

    fn call(service: &str, endpoint: &str) -> Plan {
        let (service, endpoint) = (Some(service.to_owned()), Some(endpoint.to_owned()));
        Plan { risk: Risk::Call, service, endpoint, ..Plan::read("call") }
    }

    fn list(values: &[&str]) -> Vec<String> {
        values.iter().map(|value| (*value).to_owned()).collect()
    }

    fn one(rule: Rule) -> Policy {
        Policy::new(vec![("ops".into(), rule)])
    }

    #[test]
    fn reading_is_open_to_all_and_a_call_to_whom_a_rule_opens_it() {
        let rule = Rule {
            rooms: list(&["C1*"]),
            services: list(&["go.micro.srv.*"]),
            endpoints: list(&["Say.*"]),
            commands: list(&["call"]),
            ..Rule::default()
        };
        let policy = one(rule);
        let (bob, nobody, guest) = (sender(Some("U1"), false), sender(None, false), sender(Some("U9"), true));
        let hello = call("go.micro.srv.greeter", "Say.Hello");
        let table = [
            ("a rule that fits", &bob, "C12", "call", &hello, true),
            ("another room", &bob, "C2", "call", &hello, false),
            ("another command", &bob, "C12", "stream", &hello, false),
            ("another service", &bob, "C12", "call", &call("go.micro.api", "Say.Hello"), false),
            ("another endpoint", &bob, "C12", "call", &call("go.micro.srv.greeter", "Debug.Health"), false),
            ("unproven", &nobody, "C12", "call", &hello, false),
            ("from outside", &guest, "C12", "call", &hello, false),
            (
                "no service though the rule names some",
                &bob,
                "C12",
                "call",
                &Plan { risk: Risk::Change, ..Plan::read("x") },
                false,
            ),
            ("reading", &nobody, "C2", "list services", &Plan::read("list services"), true),
        ];
        for (what, from, at, command, plan, open) in table {
            assert_eq!(policy.decide(from, &room(at), command, plan).is_ok(), open, "{what}");
        }
    }

    #[test]
    fn someone_from_outside_must_be_named_by_id() {
        let guest = sender(Some("U9"), true);
        let plan = call("s", "e");
        for (senders, open) in [(["U9"], true), (["U*"], false)] {
            let policy = one(Rule { senders: list(&senders), ..Rule::default() });
            assert_eq!(policy.decide(&guest, &room("C1"), "call", &plan).is_ok(), open, "{senders:?}");
        }
    }

    #[test]
    fn a_rule_for_everyone_everywhere_opens_nothing_and_is_a_problem() {
        let policy = one(Rule { commands: list(&["call"]), ..Rule::default() });
        assert!(policy.decide(&sender(Some("U1"), false), &room("C1"), "call", &call("s", "e")).is_err());
        insta::assert_snapshot!(policy.problems().join("\n"), @"policy.ops: would open calls to everyone in every room; add `rooms` or `senders` to the rule");
    }

    #[test]
    fn a_refusal_has_the_lines_to_add() {
        let policy = Policy::new(vec![("call".into(), Rule::default())]);
        let plan = call("go.micro.srv.greeter", "Say.Hello");
        let refused =
            |from: &Sender, plan: &Plan| policy.decide(from, &room("C024BE91L"), "call", plan).unwrap_err().text;
        insta::assert_snapshot!(refused(&sender(Some("U1"), false), &plan), @r#"
        you may not `call go.micro.srv.greeter Say.Hello` here: no rule of the policy opens it in this room. Whoever keeps the bot's config can add:

        [policy.call-2]
        adapters = ["slack"]
        rooms = ["C024BE91L"]
        commands = ["call"]
        services = ["go.micro.srv.greeter"]
        endpoints = ["Say.Hello"]
        "#);
        insta::assert_snapshot!(refused(&sender(Some("U9"), true), &plan), @r#"
        you may not `call go.micro.srv.greeter Say.Hello` here: you are from outside, so a rule must name you. Whoever keeps the bot's config can add:

        [policy.call-2]
        adapters = ["slack"]
        senders = ["U9"]
        commands = ["call"]
        services = ["go.micro.srv.greeter"]
        endpoints = ["Say.Hello"]
        "#);
        insta::assert_snapshot!(refused(&sender(None, false), &plan), @"you may not `call go.micro.srv.greeter Say.Hello`: this chat does not prove who you are, so you may only read here");
        insta::assert_snapshot!(refused(&sender(Some("U1"), false), &call("*", "\"\n")), @r#"
        you may not `call * "
        ` here: no rule of the policy opens it in this room. Whoever keeps the bot's config can add:

        [policy.call-2]
        adapters = ["slack"]
        rooms = ["C024BE91L"]
        commands = ["call"]
        services = ["\\*"]
        endpoints = ["\"\u000A"]
        "#);
    }

    #[test]
    fn the_lines_of_a_refusal_open_what_was_refused_and_no_more() {
        let bob = sender(Some("U1"), false);
        let asked = call("go.*?\\", "Say.Hello");
        let refusal = Policy::default().decide(&bob, &room("C*"), "call", &asked).unwrap_err().text;
        let value = |key: &str| -> Vec<String> {
            let line = refusal.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(" = ")).unwrap();
            serde_json::from_str(line).unwrap()
        };
        let rule = Rule {
            adapters: value("adapters"),
            rooms: value("rooms"),
            commands: value("commands"),
            services: value("services"),
            endpoints: value("endpoints"),
            ..Rule::default()
        };
        let policy = one(rule);
        assert!(policy.decide(&bob, &room("C*"), "call", &asked).is_ok());
        assert!(policy.decide(&bob, &room("C1"), "call", &asked).is_err());
        assert!(policy.decide(&bob, &room("C*"), "call", &call("go.micro", "Say.Hello")).is_err());
    }
}
