//! `whoami`: how the bot sees the asker, and what the policy lets them do.

use crate::adapter::Outbox;
use crate::command::{Command, CommandError, Invocation, Plan, Risk, Spec, Turn};
use crate::message::{Args, Message};
use crate::policy::Policy;
use crate::reply::{Block, Cell, Mark, Reply};
use async_trait::async_trait;
use std::sync::Arc;

/// Says who asks: the ids are what a rule of the policy wants.
pub(crate) struct Whoami {
    spec: Spec,
    policy: Arc<Policy>,
    outbox: Outbox,
}

impl Whoami {
    pub(crate) fn new(policy: Arc<Policy>, outbox: Outbox) -> Self {
        let spec = Spec {
            pattern: "whoami".into(),
            name: "whoami".into(),
            usage: "whoami".into(),
            summary: "Returns who you are to the bot, and what you may do".into(),
            details: "".into(),
            examples: vec!["whoami".into()],
            risk: Risk::Read,
            turn: Turn::Queued,
        };
        Self { spec, policy, outbox }
    }

    fn may(&self, asked: &Message) -> String {
        let at = &asked.place.address;
        // The shell has no adapter: whoever starts the program may do what the program may.
        if self.outbox.adapter(&at.adapter).is_none_or(|adapter| adapter.trusted()) {
            return "read, call and change everything".to_owned();
        }
        match (&asked.from.id, self.policy.rules_for(&asked.from, at)) {
            (None, _) => "read; this chat does not prove who you are".to_owned(),
            (_, rules) if rules.is_empty() => "read; no rule of the policy is for you here".to_owned(),
            (_, rules) => format!("read, and call and change what these rules open: {}", rules.join(", ")),
        }
    }
}

#[async_trait]
impl Command for Whoami {
    fn spec(&self) -> &Spec {
        &self.spec
    }

    async fn plan(&self, _asked: &Message, _args: &Args) -> Result<Plan, CommandError> {
        Ok(Plan::read("whoami"))
    }

    async fn run(&self, call: Invocation) -> Result<Reply, CommandError> {
        let asked = &*call.message;
        let at = &asked.place.address;
        let mut known = vec![
            ("adapter", at.adapter.to_string()),
            ("space", at.space.clone()),
            ("room", at.room.clone()),
            ("id", asked.from.id.clone().unwrap_or_else(|| "unproven".to_owned())),
            ("name", asked.from.name.clone()),
            ("roles", asked.from.roles.join(", ")),
            ("may", self.may(asked)),
        ];
        known.retain(|(_, value)| !value.is_empty());
        if asked.from.external {
            known.push(("external", "yes".to_owned()));
        }
        let data: std::collections::BTreeMap<_, _> = known.iter().map(|(name, value)| (*name, value)).collect();
        let plain = |text: String| Cell { text, mark: Mark::Plain };
        let reply = Reply::default().with_data(&data);
        let fields = known.iter().map(|(name, value)| ((*name).to_owned(), plain(value.clone()))).collect();
        Ok(Reply { blocks: vec![Block::Fields(fields)], ..reply })
    }
}
