//! `stop`: ends what the asker's last message started here.

use crate::command::{Command, CommandError, Invocation, Plan, Risk, Spec, Turn};
use crate::hint::quoted;
use crate::message::{Args, Body, Message};
use crate::reply::Reply;
use crate::turns::Turns;
use async_trait::async_trait;
use std::sync::Arc;

/// Stops the asker's running command in this conversation.
pub(crate) struct Stop {
    spec: Spec,
    turns: Arc<Turns>,
}

impl Stop {
    pub(crate) fn new(turns: Arc<Turns>) -> Self {
        let spec = Spec {
            pattern: "stop".into(),
            name: "stop".into(),
            usage: "stop".into(),
            summary: "Stops your running command".into(),
            details: "".into(),
            examples: vec!["stop".into()],
            risk: Risk::Read,
            turn: Turn::AtOnce,
        };
        Self { spec, turns }
    }
}

#[async_trait]
impl Command for Stop {
    fn spec(&self) -> &Spec {
        &self.spec
    }

    async fn plan(&self, _asked: &Message, _args: &Args) -> Result<Plan, CommandError> {
        Ok(Plan::read("stop"))
    }

    async fn run(&self, call: Invocation) -> Result<Reply, CommandError> {
        let Some(stopped) = self.turns.stop(self.turns.key(&call.message), &call.message) else {
            return Ok(Reply::text("nothing of yours is running here"));
        };
        let what = match &stopped.message.body {
            Body::Text { text, .. } => quoted(text),
            Body::Form { command, .. } => quoted(command),
            Body::Press { .. } => "a button".to_owned(),
        };
        Ok(Reply::text(match stopped.waiting {
            0 => format!("stopping `{what}`"),
            waiting => format!("stopping `{what}`; {waiting} more of yours come next"),
        }))
    }
}
