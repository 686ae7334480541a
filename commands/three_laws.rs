//! `three laws`: the three laws of robotics.

use crate::spec;
use async_trait::async_trait;
use bot::command::{Command, CommandError, Invocation, Plan, Spec};
use bot::message::{Args, Message};
use bot::reply::{Block, Reply};

/// The bytes of the original: an empty line first (TOOLKIT 1.5).
const LAWS: &str = "\n\
1. A robot may not injure a human being or, through inaction, allow a human being to come to harm.\n\
2. A robot must obey the orders given it by human beings except where such orders would conflict with the First Law.\n\
3. A robot must protect its own existence as long as such protection does not conflict with the First or Second Laws.";

/// The command.
pub(crate) struct ThreeLaws {
    spec: Spec,
}

impl ThreeLaws {
    pub(crate) fn new() -> Self {
        Self {
            spec: spec::read(
                "three laws",
                "(?:the )?three laws(?: of robotics)?",
                "the three laws",
                "Returns the three laws of robotics",
                &["three laws", "the three laws", "The Three Laws of Robotics"],
            ),
        }
    }
}

#[async_trait]
impl Command for ThreeLaws {
    fn spec(&self) -> &Spec {
        &self.spec
    }

    async fn plan(&self, _asked: &Message, _args: &Args) -> Result<Plan, CommandError> {
        Ok(Plan::read("three laws"))
    }

    async fn run(&self, _call: Invocation) -> Result<Reply, CommandError> {
        Ok(Reply {
            blocks: vec![Block::Text(LAWS.trim_start().to_owned())],
            ..Reply::text(LAWS).with_data(&LAWS.trim_start())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{run, text};

    #[tokio::test]
    async fn the_laws_are_three_and_begin_with_an_empty_line() {
        insta::assert_snapshot!(format!("{:?}", text(&run(&ThreeLaws::new(), "").await.unwrap())), @r#""\n1. A robot may not injure a human being or, through inaction, allow a human being to come to harm.\n2. A robot must obey the orders given it by human beings except where such orders would conflict with the First Law.\n3. A robot must protect its own existence as long as such protection does not conflict with the First or Second Laws.""#);
    }
}
