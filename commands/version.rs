//! `version`: which bot this is.

use crate::spec;
use async_trait::async_trait;
use bot::command::{Command, CommandError, Invocation, Plan, Spec};
use bot::message::{Args, Message};
use bot::reply::Reply;
use serde_json::json;

/// The command.
pub(crate) struct Version {
    spec: Spec,
    version: &'static str,
}

impl Version {
    pub(crate) fn new(version: &'static str) -> Self {
        let spec = spec::read("version", "version", "version", "Returns the version of the bot", &["version"]);
        Self { spec, version }
    }
}

#[async_trait]
impl Command for Version {
    fn spec(&self) -> &Spec {
        &self.spec
    }

    async fn plan(&self, _asked: &Message, _args: &Args) -> Result<Plan, CommandError> {
        Ok(Plan::read("version"))
    }

    async fn run(&self, _call: Invocation) -> Result<Reply, CommandError> {
        Ok(Reply::text(format!("micro version {}", self.version)).with_data(&json!({ "version": self.version })))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{data, run, text};

    #[tokio::test]
    async fn the_version_is_told_to_people_and_machines() {
        let reply = run(&Version::new("0.1.0"), "").await.unwrap();
        assert_eq!(text(&reply), "micro version 0.1.0");
        assert_eq!(data(&reply), r#"{"version":"0.1.0"}"#);
    }
}
