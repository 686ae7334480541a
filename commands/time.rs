//! `time`: the server's time, in UTC.

use crate::{clock, spec};
use async_trait::async_trait;
use bot::command::{Command, CommandError, Invocation, Plan, Spec};
use bot::message::{Args, Message};
use bot::reply::Reply;
use serde_json::json;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The command.
pub(crate) struct Time {
    spec: Spec,
}

impl Time {
    pub(crate) fn new() -> Self {
        Self { spec: spec::read("time", "time", "time", "Returns the server time", &["time"]) }
    }
}

#[async_trait]
impl Command for Time {
    fn spec(&self) -> &Spec {
        &self.spec
    }

    async fn plan(&self, _asked: &Message, _args: &Args) -> Result<Plan, CommandError> {
        Ok(Plan::read("time"))
    }

    async fn run(&self, _call: Invocation) -> Result<Reply, CommandError> {
        Ok(told(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()))
    }
}

fn told(since_1970: Duration) -> Reply {
    let unix = since_1970.as_secs();
    let time = clock::rfc1123(unix);
    Reply::text(format!("Server time is: {time}")).with_data(&json!({ "time": time, "unix": unix }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{data, run, text};

    #[test]
    fn the_time_is_rfc_1123() {
        let reply = told(Duration::from_secs(1_795_360_651));
        assert_eq!(text(&reply), "Server time is: Sun, 22 Nov 2026 15:17:31 UTC");
        assert_eq!(data(&reply), r#"{"time":"Sun, 22 Nov 2026 15:17:31 UTC","unix":1795360651}"#);
    }

    #[tokio::test]
    async fn it_is_the_time_of_now() {
        let before = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let reply = run(&Time::new(), "").await.unwrap();
        let told: serde_json::Value = serde_json::from_str(data(&reply)).unwrap();
        assert!((before..before + 60).contains(&told["unix"].as_u64().unwrap()));
    }
}
