//! One command that is a service.

use super::wire::{EXEC, ExecRequest, ExecResponse, Form};
use super::{Call, words};
use crate::{caller, fault, json, show};
use async_trait::async_trait;
use bot::command::{Command, CommandError, CommandErrorKind, Invocation, Plan, Risk, Spec, Turn};
use bot::message::{Args, Message};
use bot::reply::{Block, Reply};
use bytes::Bytes;
use micro::client::request::{JSON, Request};
use micro::error::ErrorKind;
use serde_json::value::RawValue;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// The largest result that is passed on, in bytes.
const LARGEST: usize = 1 << 20;

/// What a service says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Help {
    /// How it is typed; empty if it does not say.
    pub(super) usage: String,
    /// What it does; empty until it answers.
    pub(super) summary: String,
    /// What it understands.
    pub(super) form: Form,
}

/// `go.micro.bot.<word>`. Immutable: when its help arrives another one takes its place.
pub(super) struct Remote {
    spec: Spec,
    word: Arc<str>,
    service: Arc<str>,
    form: Form,
    call: Call,
    limit: Duration,
}

impl Remote {
    /// A command; `limit` is the client's time limit for a call.
    pub(super) fn new(word: &Arc<str>, service: &Arc<str>, help: Help, call: Call, limit: Duration) -> Self {
        let usage = if help.usage.is_empty() { word.to_string() } else { help.usage };
        let spec = Spec {
            pattern: format!("{}(?: (?P<rest>.*))?", literally(word)).into(),
            name: word.to_lowercase().into(),
            usage: usage.into(),
            summary: help.summary.into(),
            details: "".into(),
            examples: vec![word.to_string().into()],
            risk: Risk::Call,
            turn: Turn::Queued,
        };
        Self { spec, word: word.clone(), service: service.clone(), form: help.form, call, limit }
    }
}

/// A word as a regex that matches it.
fn literally(word: &str) -> String {
    let mut pattern = String::with_capacity(word.len() + 8);
    for letter in word.chars() {
        if letter.is_ascii_punctuation() {
            pattern.push('\\');
        }
        pattern.push(letter);
    }
    pattern
}

#[async_trait]
impl Command for Remote {
    fn spec(&self) -> &Spec {
        &self.spec
    }

    async fn plan(&self, _asked: &Message, args: &Args) -> Result<Plan, CommandError> {
        let mut words = vec![self.word.to_string()];
        words.extend(words::split(&args.rest));
        let canonical = words::join(&words);
        Ok(Plan {
            risk: Risk::Call,
            service: Some(self.service.to_string()),
            endpoint: Some(EXEC.to_owned()),
            canonical,
            request: Some(Bytes::from(self.form.encode(&ExecRequest { args: words }))),
            within: Some(self.limit + Duration::from_secs(1)),
        })
    }

    async fn example(&self) -> Option<String> {
        Some(self.word.to_string())
    }

    async fn run(&self, call: Invocation) -> Result<Reply, CommandError> {
        let body = call.plan.request.clone().unwrap_or_default();
        let mut request = Request::protobuf(&*self.service, EXEC, body);
        if self.form == Form::Json {
            JSON.clone_into(&mut request.content_type);
        }
        request.metadata = caller::metadata(&call.message);
        let begun = Instant::now();
        let answer = (self.call)(request, None).await.map_err(|error| match error.kind() {
            ErrorKind::Service => fault::plain(error),
            _ => fault::calling(&self.service, EXEC, error, begun.elapsed()),
        })?;
        match self.form.decode::<ExecResponse>(&answer) {
            Some(response) if !response.error.is_empty() => {
                Err(CommandError::new(CommandErrorKind::Failed, bounded(response.error.as_bytes())))
            }
            Some(response) => Ok(told(&response.result)),
            None => {
                let text = format!("{} answered something that is no result", self.service);
                Err(CommandError::new(CommandErrorKind::Malformed, text))
            }
        }
    }
}

/// A result as it came; one that is JSON is that for machines too.
fn told(result: &[u8]) -> Reply {
    let text = bounded(result);
    if result.len() > LARGEST || !json::is_valid(&text) {
        let reply = Reply::default().with_data(&text);
        return Reply { data: reply.data, ..Reply::text(text) };
    }
    let data = RawValue::from_string(json::compact(&text)).ok();
    let block = if text.trim_start().starts_with(['{', '[']) {
        Block::Code { lang: "json".to_owned(), body: text.clone() }
    } else {
        Block::Text(text.clone())
    };
    Reply { blocks: vec![block], text: Some(text), data, ..Reply::default() }
}

/// Bytes as text, cut at the largest size.
fn bounded(bytes: &[u8]) -> String {
    if bytes.len() <= LARGEST {
        return String::from_utf8_lossy(bytes).into_owned();
    }
    let text = String::from_utf8_lossy(&bytes[..LARGEST]);
    let whole = text.trim_end_matches(char::REPLACEMENT_CHARACTER);
    format!("{whole}\n… cut: the result has {} bytes, {LARGEST} are shown", bytes.len())
}

/// What came back for Help, as lines of a list.
pub(super) fn help(usage: &str, description: &str, form: Form) -> Help {
    let summary = match show::one_line(description) {
        empty if empty.is_empty() => "no description".to_owned(),
        summary => summary,
    };
    Help { usage: show::one_line(usage), summary, form }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{args, blocks, data, fault, invocation, run, text};
    use micro::error::{Error, Status};
    use std::sync::Mutex;

    fn remote(form: Form, call: impl Fn(Request) -> Result<Bytes, Error> + Send + Sync + 'static) -> Remote {
        let call: Call = Arc::new(move |request, _| {
            let answer = call(request);
            Box::pin(async move { answer })
        });
        let help = Help { form, ..Help::default() };
        Remote::new(&"Deploy".into(), &"go.micro.bot.Deploy".into(), help, call, Duration::from_secs(5))
    }

    fn answering(form: Form, result: &[u8], error: &str) -> Remote {
        let answer = form.encode(&ExecResponse { result: result.to_vec(), error: error.to_owned() });
        remote(form, move |_| Ok(Bytes::from(answer.clone())))
    }

    #[tokio::test]
    async fn the_word_goes_first_as_registered_and_the_caller_goes_along() {
        for form in [Form::Protobuf, Form::Json] {
            let heard: Arc<Mutex<Option<Request>>> = Arc::default();
            let ear = heard.clone();
            let remote = remote(form, move |request| {
                *ear.lock().unwrap() = Some(request);
                Ok(Bytes::new())
            });
            let plan = remote.plan(&crate::testing::asked(""), &args(&[], "a  'b c' ")).await.unwrap();
            assert_eq!(plan.canonical, r#"Deploy a "b c""#);
            assert_eq!((plan.service.as_deref(), plan.endpoint.as_deref()), (Some("go.micro.bot.Deploy"), Some(EXEC)));
            assert_eq!(plan.risk, Risk::Call);
            let reply = remote.run(invocation(args(&[], ""), plan)).await.unwrap();
            assert_eq!(text(&reply), "");
            let request = heard.lock().unwrap().take().unwrap();
            assert_eq!(form.decode::<ExecRequest>(&request.body).unwrap().args, ["Deploy", "a", "b c"]);
            assert!(request.metadata.contains(&("Micro-Bot-User-Id".to_owned(), "bob".to_owned())));
            assert!(!request.idempotent);
        }
    }

    #[tokio::test]
    async fn a_result_is_passed_on_as_it_came() {
        for form in [Form::Protobuf, Form::Json] {
            let reply = run(&answering(form, b"line 1\n  line 2\n", ""), "").await.unwrap();
            assert_eq!((text(&reply), data(&reply)), ("line 1\n  line 2\n", r#""line 1\n  line 2\n""#));
            let reply = run(&answering(form, b"{\"b\": 1,\n \"a\": 2.50}", ""), "").await.unwrap();
            assert_eq!((text(&reply), data(&reply)), ("{\"b\": 1,\n \"a\": 2.50}", r#"{"b":1,"a":2.50}"#));
            insta::allow_duplicates! {
                insta::assert_snapshot!(blocks(&reply), @r#"
                code json:
                {"b": 1,
                 "a": 2.50}
                "#);
            }
        }
        let reply = run(&answering(Form::Protobuf, b"caf\xe9", ""), "").await.unwrap();
        assert_eq!(text(&reply), "caf\u{fffd}");
    }

    #[tokio::test]
    async fn a_huge_result_is_cut_and_says_so() {
        let huge = "é".repeat(LARGEST);
        let reply = run(&answering(Form::Protobuf, format!("x{huge}").as_bytes(), ""), "").await.unwrap();
        let (shown, note) = text(&reply).rsplit_once('\n').unwrap();
        assert_eq!(shown.len(), LARGEST - 1);
        insta::assert_snapshot!(note, @"… cut: the result has 2097153 bytes, 1048576 are shown");
    }

    #[tokio::test]
    async fn errors_are_told_in_the_services_own_words() {
        let failing = |error: fn() -> Error| remote(Form::Protobuf, move |_| Err(error()));
        let lines = [
            fault(run(&answering(Form::Protobuf, b"ignored", "app said no"), "").await),
            fault(
                run(
                    &failing(|| Error::service(Status { detail: "plain go error".to_owned(), ..Status::default() })),
                    "",
                )
                .await,
            ),
            fault(run(&failing(|| Error::new(ErrorKind::Timeout, "10.0.0.1:80: no answer in time")), "").await),
            fault(run(&failing(|| Error::new(ErrorKind::NotFound, "no such service")), "").await),
            fault(run(&remote(Form::Protobuf, |_| Ok(Bytes::from_static(b"<html>"))), "").await),
        ];
        insta::assert_snapshot!(lines.join("\n"), @r"
        failed: app said no
        failed: plain go error
        timeout: error calling go.micro.bot.Deploy.Command.Exec: 10.0.0.1:80: no answer in time (after <1ms)
        not_found: error calling go.micro.bot.Deploy.Command.Exec: no such service
        malformed: go.micro.bot.Deploy answered something that is no result
        ");
    }

    #[test]
    fn a_command_without_help_has_no_summary() {
        let remote = answering(Form::Protobuf, b"", "");
        assert_eq!((&*remote.spec.usage, &*remote.spec.summary), ("Deploy", ""));
        assert_eq!(literally("a.b-ü"), r"a\.b\-ü");
    }
}
