//! `call`: SERVICE ENDPOINT and a request, in every spelling that people really type.
//!
//! A request is nothing (`{}`), JSON, `<"name":"John">`, `<{"name":"John"}>`, JSON in single quotes, backticks or a fence
//! (which may stand around the whole command too), or pairs (`name=John address.street="Main St"`, see `pairs`). JSON is
//! read strictly first and sent byte for byte, however deep it is; only what is not JSON is repaired, outside its strings.

pub(crate) mod answer;
pub(crate) mod complete;
pub(crate) mod glyph;
pub(crate) mod line;
#[cfg(test)]
mod live;
pub(crate) mod options;
pub(crate) mod pairs;
pub(crate) mod plan;
pub(crate) mod repair;
pub(crate) mod request;
pub(crate) mod schema;
pub(crate) mod target;
#[cfg(test)]
mod tests;
pub(crate) mod word;
pub(crate) mod wrong;

use crate::call::options::Options;
use crate::call::plan::Heard;
use crate::kit::Kit;
use crate::{caller, fault};
use async_trait::async_trait;
use bot::command::{Command, CommandError, Field, Invocation, Plan, Risk, Spec, Turn};
use bot::message::{Args, Message};
use bot::reply::Reply;
use micro::client::request::{Filter, Request};
use std::time::{Duration, Instant};

/// A call of one answer, or of a stream of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Call,
    Stream,
}

/// What `help` tells of both ways: the spellings of a request, and the options.
const DETAILS: &str = "\
the request:
  name=John tags=a,b address.city=Oslo  pairs, typed by the endpoint's schema
  {\"name\":\"John\"}  JSON, also in quotes, backticks or a fenced block
  <\"name\":\"John\">  the same in the form of the first bots
options, anywhere outside of the request:
  --node ID       this node alone, by id or address
  --version V     a node of this version
  --timeout 5s    how long it may take: 500ms, 1m30s, at most 1h
  --metadata k=v  goes along with the call; may be repeated
  --raw           the answer byte for byte
";

impl Way {
    /// The command's word.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Call => "call",
            Self::Stream => "stream",
        }
    }

    /// How it is typed.
    pub(crate) fn usage(self) -> &'static str {
        match self {
            Self::Call => "call [service] [endpoint] [request]",
            Self::Stream => "stream [service] [endpoint] [request]",
        }
    }

    /// What `help` tells besides.
    fn details(self) -> String {
        let more = match self {
            Self::Call => "",
            Self::Stream => "  --count 10      ends after so many messages; else after 1000, or after 60 s\n",
        };
        format!("{DETAILS}{more}{}! sends what the schema does not know, too", self.word())
    }

    /// The options that it takes.
    pub(crate) fn options(self) -> &'static [&'static str] {
        match self {
            Self::Call => &["node", "version", "timeout", "metadata", "raw"],
            Self::Stream => &["count", "node", "version", "timeout", "metadata", "raw"],
        }
    }

    /// How long the call itself may take; `None` leaves it to the client.
    pub(crate) fn within(self, options: &Options) -> Option<Duration> {
        match self {
            Self::Call => options.timeout,
            Self::Stream => Some(options.timeout.unwrap_or(crate::stream::PATIENCE)),
        }
    }

    /// The complete form: the word, with `!` or without, and all that follows; a fence or backticks may open before it.
    pub(crate) fn pattern(self) -> String {
        let fence = r"(?P<fence>`+(?:[a-z0-9+#._-]*[ \t]*\n)?\s*)?";
        format!(r"{fence}{}(?P<force>!)?(?:\s(?P<rest>(?s:.*)))?", self.word())
    }

    pub(crate) fn spec(self, summary: &'static str, examples: &[&'static str]) -> Spec {
        Spec {
            pattern: self.pattern().into(),
            name: self.word().into(),
            usage: self.usage().into(),
            summary: summary.into(),
            details: self.details().into(),
            examples: examples.iter().map(|example| (*example).into()).collect(),
            risk: Risk::Call,
            turn: Turn::Queued,
        }
    }
}

/// `call[!] SERVICE ENDPOINT [OPTIONS] [REQUEST]`.
pub(crate) struct Call {
    spec: Spec,
    kit: Kit,
}

impl Call {
    pub(crate) fn new(kit: &Kit) -> Self {
        let examples = [
            "call go.micro.srv.greeter Say.Hello name=John",
            "call go.micro.srv.greeter Say.Hello {\"name\":\"John\"}",
            "call go.micro.srv.greeter Say.Hello <\"name\":\"John\">",
            "call! go.micro.srv.greeter Say.Hello --node 127.0.0.1:8080 --timeout 500ms",
            "```\ncall go.micro.srv.greeter Say.Hello {\n  \"name\": \"John\"\n}\n```",
        ];
        Self { spec: Way::Call.spec("Returns the response for a service call", &examples), kit: kit.clone() }
    }
}

#[async_trait]
impl Command for Call {
    fn spec(&self) -> &Spec {
        &self.spec
    }

    async fn plan(&self, asked: &Message, args: &Args) -> Result<Plan, CommandError> {
        let heard = Heard::of(asked, args, Way::Call);
        plan::sent(&self.kit, Way::Call, &heard).await.map(|sent| sent.plan(Way::Call))
    }

    async fn fields(&self, so_far: &Args) -> Vec<Field> {
        complete::fields(&self.kit, Way::Call, so_far).await
    }

    async fn example(&self) -> Option<String> {
        complete::example(&self.kit, Way::Call).await
    }

    async fn run(&self, call: Invocation) -> Result<Reply, CommandError> {
        let outgoing = Outgoing::of(&self.kit, Way::Call, &call).await?;
        let (service, endpoint) = (outgoing.request.service.clone(), outgoing.request.endpoint.clone());
        let began = Instant::now();
        let response = self.kit.client.call(outgoing.request).await;
        let response = response.map_err(|error| fault::calling(&service, &endpoint, error, began.elapsed()))?;
        Ok(answer::reply(&response, outgoing.raw, &outgoing.notes))
    }
}

/// What `run` hands to the client: the plan's request byte for byte, and what the line says besides.
pub(crate) struct Outgoing {
    pub(crate) request: Request,
    /// `--timeout`.
    pub(crate) timeout: Option<Duration>,
    pub(crate) raw: bool,
    pub(crate) count: Option<u64>,
    /// What people should know about it.
    pub(crate) notes: Vec<String>,
}

impl Outgoing {
    /// Service, endpoint and body are the plan's; the line is read again for its options only.
    ///
    /// # Errors
    /// `Usage`: the line cannot be read, which its plan has refused before.
    pub(crate) async fn of(kit: &Kit, way: Way, call: &Invocation) -> Result<Self, CommandError> {
        let heard = Heard::of(&call.message, &call.args, way);
        let options = plan::options(way, &heard)?;
        let (service, endpoint) = (call.plan.service.clone(), call.plan.endpoint.clone());
        let (service, endpoint) = (service.unwrap_or_default(), endpoint.unwrap_or_default());
        let body = call.plan.request.clone().unwrap_or_default();
        let unknown = plan::unknown(kit, way, &service, &endpoint, &body).await;
        let mut request = Request::json(service, endpoint, body);
        // A stream's limit is that of the listening; opening it takes no longer than any call.
        let opening = kit.client.options().timeout;
        request.within = options.timeout.map(|limit| if way == Way::Stream { limit.min(opening) } else { limit });
        request.idempotent = target::is_debug(&request.endpoint);
        request.metadata = options.metadata;
        request.metadata.extend(caller::metadata(&call.message));
        request.filter = Filter { version: options.version, node: options.node, ..Filter::default() };
        let notes = answer::note(&request.endpoint, &unknown).into_iter().collect();
        Ok(Self { request, timeout: options.timeout, raw: options.raw, count: options.count, notes })
    }
}
