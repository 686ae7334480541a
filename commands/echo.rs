//! `echo`: says it again, byte for byte.

use crate::spec;
use async_trait::async_trait;
use bot::command::{Command, CommandError, Invocation, Plan, Spec};
use bot::message::{Args, Message};
use bot::reply::Reply;

/// The command.
pub(crate) struct Echo {
    spec: Spec,
}

impl Echo {
    /// One blank ends the word; all that follows is the text (a blank in a pattern would swallow a run of them).
    pub(crate) fn new() -> Self {
        let pattern = r"echo\s(?P<rest>(?s:.*))";
        Self { spec: spec::read("echo", pattern, "echo [text]", "Returns the [text]", &["echo hi  there", "echo "]) }
    }
}

#[async_trait]
impl Command for Echo {
    fn spec(&self) -> &Spec {
        &self.spec
    }

    async fn plan(&self, _asked: &Message, args: &Args) -> Result<Plan, CommandError> {
        Ok(Plan::read(format!("echo {}", args.rest)))
    }

    async fn run(&self, call: Invocation) -> Result<Reply, CommandError> {
        let text = call.args.rest;
        let data = Reply::default().with_data(&text).data;
        Ok(Reply { data, ..Reply::text(text) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{run, text};

    #[tokio::test]
    async fn the_text_comes_back_byte_for_byte() {
        for said in ["hi  there", "", "  <@U1> \t\u{a0}“x”\nsecond line "] {
            let reply = run(&Echo::new(), said).await.unwrap();
            assert_eq!(text(&reply), said);
            assert!(!reply.is_nothing());
        }
    }
}
