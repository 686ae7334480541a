//! `ping`: whether the bot is there.

use crate::spec;
use async_trait::async_trait;
use bot::command::{Command, CommandError, Invocation, Plan, Spec};
use bot::message::{Args, Message};
use bot::reply::Reply;

/// The command.
pub(crate) struct Ping {
    spec: Spec,
}

impl Ping {
    pub(crate) fn new() -> Self {
        Self { spec: spec::read("ping", "ping", "ping", "Returns pong", &["ping"]) }
    }
}

#[async_trait]
impl Command for Ping {
    fn spec(&self) -> &Spec {
        &self.spec
    }

    async fn plan(&self, _asked: &Message, _args: &Args) -> Result<Plan, CommandError> {
        Ok(Plan::read("ping"))
    }

    async fn run(&self, _call: Invocation) -> Result<Reply, CommandError> {
        Ok(Reply::text("pong").with_data(&"pong"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{run, text};

    #[tokio::test]
    async fn ping_is_answered_with_pong() {
        assert_eq!(text(&run(&Ping::new(), "").await.unwrap()), "pong");
    }
}
