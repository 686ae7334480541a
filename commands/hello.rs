//! `hello`: a greeting.

use crate::spec;
use async_trait::async_trait;
use bot::command::{Command, CommandError, Invocation, Plan, Spec};
use bot::message::{Args, Message};
use bot::reply::Reply;

const GREETING: &str = "hey what's up?";

/// The command.
pub(crate) struct Hello {
    spec: Spec,
}

impl Hello {
    pub(crate) fn new() -> Self {
        Self { spec: spec::read("hello", "hello", "hello", "Returns a greeting", &["hello"]) }
    }
}

#[async_trait]
impl Command for Hello {
    fn spec(&self) -> &Spec {
        &self.spec
    }

    async fn plan(&self, _asked: &Message, _args: &Args) -> Result<Plan, CommandError> {
        Ok(Plan::read("hello"))
    }

    async fn run(&self, _call: Invocation) -> Result<Reply, CommandError> {
        Ok(Reply::text(GREETING).with_data(&GREETING))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{run, text};

    #[tokio::test]
    async fn hello_is_answered_in_the_words_of_the_original() {
        assert_eq!(text(&run(&Hello::new(), "").await.unwrap()), "hey what's up?");
    }
}
