//! A command in one line.

use crate::command::{Command, CommandError, Invocation, Plan, Risk, Spec, Turn};
use crate::message::{Args, Message};
use crate::reply::Reply;
use async_trait::async_trait;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

type Run = dyn Fn(Invocation) -> BoxFuture<'static, Result<Reply, CommandError>> + Send + Sync;

/// A command that does what its test says: by default it answers with its arguments' rest.
pub struct Fake {
    /// What it is called; to be changed freely.
    pub spec: Spec,
    /// The service that its plan names.
    pub service: Option<String>,
    /// The endpoint that its plan names.
    pub endpoint: Option<String>,
    /// The time that its plan asks for.
    pub within: Option<Duration>,
    run: Box<Run>,
}

impl Fake {
    /// A command of this pattern and name that reads.
    pub fn new(name: &'static str, pattern: &'static str) -> Self {
        let spec = Spec {
            pattern: pattern.into(),
            name: name.into(),
            usage: name.into(),
            summary: format!("Does {name}").into(),
            details: "".into(),
            examples: vec![name.into()],
            risk: Risk::Read,
            turn: Turn::Queued,
        };
        let run = Box::new(|call: Invocation| async move { Ok(Reply::text(call.args.rest)) }.boxed());
        Self { spec, service: None, endpoint: None, within: None, run }
    }

    /// Typed like this.
    #[must_use]
    pub fn usage(mut self, usage: &'static str, example: &'static str) -> Self {
        self.spec.usage = usage.into();
        self.spec.examples = vec![example.into()];
        self
    }

    /// With these details in `help`.
    #[must_use]
    pub fn details(mut self, details: &'static str) -> Self {
        self.spec.details = details.into();
        self
    }

    /// Of this risk, at this service and endpoint.
    #[must_use]
    pub fn risk(mut self, risk: Risk, service: &str, endpoint: &str) -> Self {
        self.spec.risk = risk;
        self.service = Some(service.to_owned());
        self.endpoint = Some(endpoint.to_owned());
        self
    }

    /// Does this.
    #[must_use]
    pub fn runs<F>(mut self, run: impl Fn(Invocation) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<Reply, CommandError>> + Send + 'static,
    {
        self.run = Box::new(move |call| run(call).boxed());
        self
    }

    /// Answers with this.
    #[must_use]
    pub fn says(self, text: &'static str) -> Self {
        self.runs(move |_| async move { Ok(Reply::text(text)) })
    }

    /// Takes a turn or not.
    #[must_use]
    pub fn turn(mut self, turn: Turn) -> Self {
        self.spec.turn = turn;
        self
    }

    /// May take this long.
    #[must_use]
    pub fn within(mut self, limit: Duration) -> Self {
        self.within = Some(limit);
        self
    }

    /// As a command.
    pub fn build(self) -> Arc<dyn Command> {
        Arc::new(self)
    }
}

impl fmt::Debug for Fake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fake({})", self.spec.name)
    }
}

#[async_trait]
impl Command for Fake {
    fn spec(&self) -> &Spec {
        &self.spec
    }

    async fn plan(&self, _asked: &Message, args: &Args) -> Result<Plan, CommandError> {
        let canonical = format!("{} {}", self.spec.name, args.rest).trim_end().to_owned();
        let plan = Plan::read(canonical);
        let (service, endpoint) = (self.service.clone(), self.endpoint.clone());
        Ok(Plan { risk: self.spec.risk, service, endpoint, within: self.within, ..plan })
    }

    async fn run(&self, call: Invocation) -> Result<Reply, CommandError> {
        (self.run)(call).await
    }
}
