//! `call` and `stream` against real servers over real sockets.

use crate::call::{Call, answer};
use crate::kit::Kit;
use crate::stream::Stream;
use crate::testing::{args, asked, blocks, data, fault, text};
use async_trait::async_trait;
use bot::adapter::Outbox;
use bot::command::{Command, CommandError, Invocation, Sink};
use bot::message::Args;
use bot::reply::Reply;
use bytes::Bytes;
use micro::client::{Client, Options as ClientOptions};
use micro::error::{Error, Result, Status};
use micro::registry::Registry;
use micro::registry::memory::Memory;
use micro::registry::service::{Endpoint, Metadata, Value};
use micro::server::{Context, Handler, Options, Running, Server};
use micro::transport::{Packet, Socket};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Answers what each endpoint is for.
struct Answers;

#[async_trait]
impl Handler for Answers {
    async fn call(&self, context: Context, body: Bytes) -> Result<Bytes> {
        match context.endpoint.as_str() {
            "Echo.Body" => Ok(body),
            "Echo.Caller" => {
                let mut caller: Vec<String> =
                    context.metadata.iter().map(|(name, value)| format!("{name}={value}")).collect();
                caller.retain(|line| {
                    line.to_lowercase().starts_with("micro-bot-") || line.to_lowercase().starts_with("x-mine")
                });
                caller.sort();
                Ok(serde_json::to_vec(&caller).unwrap().into())
            }
            "Say.Deep" => Ok(format!("{}{}", "[".repeat(10_000), "]".repeat(10_000)).into()),
            "Say.No" => Err(Error::service(Status {
                id: "go.micro.srv.t".to_owned(),
                code: 404,
                detail: "no such user".to_owned(),
                status: "Not Found".to_owned(),
            })),
            _ => std::future::pending().await,
        }
    }

    async fn stream(&self, context: Context, (mut out, mut asked): Socket) -> Result<()> {
        let first = asked.recv().await?;
        let said = first.map(|packet| packet.body).unwrap_or_default();
        let most = if context.endpoint == "Tick.Ever" { u32::MAX } else { 3 };
        for n in 0..most {
            let body = format!("{{\"n\": {n}, \"asked\": {}}}", String::from_utf8_lossy(&said));
            out.send(Packet { body: body.into(), ..Packet::default() }).await?;
        }
        match context.endpoint.as_str() {
            "Tick.Broken" => {
                Err(Error::service(Status { code: 500, detail: "ran dry".to_owned(), ..Status::default() }))
            }
            "Tick.Deaf" => std::future::pending().await,
            _ => Ok(()),
        }
    }
}

fn endpoint(name: &str, stream: bool) -> Endpoint {
    let field = Value { name: "name".to_owned(), r#type: "string".to_owned(), ..Value::default() };
    let labels = Value { name: "labels".to_owned(), ..Value::default() };
    let request = Value { name: "Request".to_owned(), r#type: "Request".to_owned(), values: vec![field, labels] };
    let metadata = if stream { Metadata::from([("stream".to_owned(), "true".to_owned())]) } else { Metadata::new() };
    Endpoint { name: name.to_owned(), request: Some(request), response: None, metadata }
}

/// A service in a registry of its own, and what commands work with.
struct Stage {
    kit: Kit,
    _server: Running,
}

async fn stage() -> Stage {
    let registry: Arc<dyn Registry> = Arc::new(Memory::new());
    let options = Options {
        name: "go.micro.srv.t".to_owned(),
        version: "1.2.3".to_owned(),
        id: "1".to_owned(),
        registry: Some(Arc::clone(&registry)),
        ..Options::default()
    };
    let mut server = Server::new(options);
    for name in ["Echo.Body", "Echo.Caller", "Say.Deep", "Say.No", "Say.Never"] {
        server = server.handle(endpoint(name, false), Answers);
    }
    for name in ["Tick.Three", "Tick.Ever", "Tick.Broken", "Tick.Deaf"] {
        server = server.handle(endpoint(name, true), Answers);
    }
    let server = server.start().await.unwrap();
    let client = Client::new(Arc::clone(&registry), ClientOptions::default());
    Stage { kit: Kit { registry, client, version: "0.1.0", namespace: "go.micro.bot".to_owned() }, _server: server }
}

/// Keeps what is said.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<String>>>);

#[async_trait]
impl Sink for Kept {
    async fn show(&self, _progress: Reply) {}

    async fn say(&self, part: Reply) -> std::result::Result<(), CommandError> {
        self.0.lock().unwrap().push(part.text.unwrap_or_default());
        Ok(())
    }
}

impl Stage {
    async fn run(&self, command: &dyn Command, args: Args, sink: &Kept) -> std::result::Result<Reply, CommandError> {
        let message = asked("");
        let plan = command.plan(&message, &args).await?;
        let invocation = Invocation {
            message: Arc::new(message),
            args,
            plan: Arc::new(plan),
            outbox: Outbox(Arc::new([])),
            stop: CancellationToken::new(),
            sink: Arc::new(sink.clone()),
        };
        command.run(invocation).await
    }

    async fn call(&self, rest: &str) -> std::result::Result<Reply, CommandError> {
        self.run(&Call::new(&self.kit), args(&[], &format!("go.micro.srv.t {rest}")), &Kept::default()).await
    }

    async fn said(&self, rest: &str) -> String {
        text(&self.call(rest).await.unwrap()).to_owned()
    }

    async fn stream(&self, rest: &str) -> (Vec<String>, std::result::Result<Reply, CommandError>) {
        let kept = Kept::default();
        let result = self.run(&Stream::new(&self.kit), args(&[], &format!("go.micro.srv.t {rest}")), &kept).await;
        let said = kept.0.lock().unwrap().clone();
        (said, result)
    }
}

#[tokio::test]
async fn the_request_arrives_byte_for_byte_and_the_answer_is_indented() {
    let stage = stage().await;
    let request = "{\"name\" : \"a   b “c” \u{a0}– 👩‍👩‍👧\", \"labels\":{\"n\":123456789012345678901.50e-3}}";
    assert_eq!(stage.said(&format!("Echo.Body --raw {request}")).await, request);
    let answer = stage.call("Echo.Body {“name”:“John”}").await.unwrap();
    assert_eq!(text(&answer), "{\n\t\"name\": \"John\"\n}");
    assert_eq!(data(&answer), "{\"name\":\"John\"}");
    let shown = blocks(&answer);
    assert!(shown.starts_with("code json:\n{\n\t\"name\": \"John\"\n}\ntext: go.micro.srv.t-1 · 1.2.3 · "), "{shown}");
}

#[tokio::test]
async fn ten_thousand_levels_and_a_mebibyte_come_back_as_they_went() {
    let stage = stage().await;
    let deep = format!("{{\"labels\":{}{}}}", "[".repeat(10_000), "]".repeat(10_000));
    assert_eq!(stage.said(&format!("Echo.Body {deep}")).await, deep);
    let long = format!("{{\"name\":\"{}\"}}", "é".repeat(1 << 19));
    assert_eq!(stage.said(&format!("Echo.Body --raw {long}")).await, long);
    let answer = stage.call("Say.Deep").await.unwrap();
    assert_eq!(text(&answer).len(), 20_000);
    assert_eq!(data(&answer).len(), 20_000);
}

#[tokio::test]
async fn the_caller_goes_along_and_cannot_be_forged() {
    let stage = stage().await;
    assert_eq!(
        stage.said("Echo.Caller --raw --metadata X-Mine=1").await,
        r#"["Micro-Bot-Adapter=terminal","Micro-Bot-Room=tty","Micro-Bot-User-Id=bob","Micro-Bot-User-Name=Bob","X-Mine=1"]"#
    );
    assert!(fault(stage.call("Echo.Caller --metadata micro-bot-user-id=root").await).contains("only the bot sets it"));
}

#[test]
fn an_answer_that_is_no_json_is_shown_as_it_came() {
    let answer = answer::message(&Bytes::from_static(b"\xffplain \x01 text"), false);
    assert_eq!(text(&answer), "\u{fffd}plain \u{1} text");
    assert!(answer.data.is_none());
    let answer = answer::message(&Bytes::new(), false);
    assert_eq!((text(&answer), blocks(&answer).lines().next()), ("", Some("text: an empty answer")));
}

#[tokio::test]
async fn errors_are_in_peoples_words() {
    let stage = stage().await;
    insta::assert_snapshot!(fault(stage.call("Say.No").await), @r"failed: error calling go.micro.srv.t.Say.No: no such user (404 Not Found)");
    let late = fault(stage.call("Say.Never --timeout 1s").await);
    assert!(late.starts_with("timeout: error calling go.micro.srv.t.Say.Never: 127.0.0.1:"), "{late}");
    assert!(late.contains(": no answer within ") && late.contains("s; the call may have run"), "{late}");
    insta::assert_snapshot!(fault(stage.call("Say.Nop").await), @r"
    not_found: no endpoint Say.Nop in go.micro.srv.t; did you mean `Say.No`?
    try: call go.micro.srv.t Say.No name=John
    ");
    insta::assert_snapshot!(fault(stage.call("Echo.Body nmae=John").await), @r"
    usage: no field `nmae`; did you mean `name`? (column 31)
      call go.micro.srv.t Echo.Body nmae=John
                                    ^
    Echo.Body takes: name (string), labels
    try: call go.micro.srv.t Echo.Body name=John
    call! sends it as it is
    ");
    let unknown = stage.run(&Call::new(&stage.kit), args(&[], "go.micro.srv.tt Say.No"), &Kept::default()).await;
    insta::assert_snapshot!(fault(unknown), @r"
    not_found: no service go.micro.srv.tt; did you mean `go.micro.srv.t`?
    `list services` shows what is there
    ");
    let nothing = stage.run(&Call::new(&stage.kit), args(&[], ""), &Kept::default()).await;
    insta::assert_snapshot!(fault(nothing), @r"
    usage: call what?
    usage: call [service] [endpoint] [request]
    try: call go.micro.srv.t Echo.Body name=John
    ");
}

#[tokio::test]
async fn a_field_that_the_schema_may_have_is_noted_for_people() {
    let stage = stage().await;
    let shown = blocks(&stage.call("Echo.Body {\"labels\":{\"x\":1}}").await.unwrap());
    let note = "text: sent along, though the schema of Echo.Body does not show it: `labels.x`\n";
    assert!(shown.contains(note), "{shown}");
    assert!(!blocks(&stage.call("Echo.Body name=x").await.unwrap()).contains("sent along"));
}

#[tokio::test]
async fn messages_of_a_stream_are_said_one_by_one() {
    let stage = stage().await;
    let (said, end) = stage.stream("Tick.Three name=John").await;
    let message = |n: u32| format!("{{\"n\":{n},\"asked\":{{\"name\":\"John\"}}}}");
    assert_eq!(said, [message(0), message(1), message(2)]);
    assert!(end.unwrap().is_nothing());
    let (said, end) = stage.stream("Tick.Ever --count 2 --raw").await;
    assert_eq!(said, ["{\"n\": 0, \"asked\": {}}", "{\"n\": 1, \"asked\": {}}"]);
    assert!(end.unwrap().is_nothing());
}

#[tokio::test]
async fn a_stream_is_bounded_and_what_came_stays() {
    let stage = stage().await;
    let (said, end) = stage.stream("Tick.Ever").await;
    assert_eq!(said.len(), 1_000);
    insta::assert_snapshot!(fault(end), @r"too_large: stream go.micro.srv.t.Tick.Ever: stopped after 1000 messages; --count takes more");
    let (said, end) = stage.stream("Tick.Deaf --timeout 2s").await;
    assert_eq!(said.len(), 3);
    insta::assert_snapshot!(fault(end), @r"timeout: stream go.micro.srv.t.Tick.Deaf: stopped after 2s, after 3 messages; --timeout gives it more time");
    let (said, end) = stage.stream("Tick.Broken").await;
    assert_eq!(said.len(), 3);
    insta::assert_snapshot!(fault(end), @r"failed: error calling go.micro.srv.t.Tick.Broken: ran dry (500)");
}

#[tokio::test]
async fn completion_and_the_example_know_what_is_there() {
    let stage = stage().await;
    let call = Call::new(&stage.kit);
    let choices = async |rest: &str| {
        call.fields(&args(&[], rest)).await.into_iter().flat_map(|field| field.choices).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(choices("").await, "go.micro.srv.t");
    assert_eq!(choices("go.micro.srv.t ").await, "Echo.Body Echo.Caller Say.Deep Say.Never Say.No");
    assert_eq!(choices("go.micro.srv.t Echo.Body ").await, "name= labels= --node --version --timeout --metadata --raw");
    assert_eq!(
        choices("go.micro.srv.t Echo.Body name=x --raw ").await,
        "labels= --node --version --timeout --metadata"
    );
    assert_eq!(choices("nope x ").await, "--node --version --timeout --metadata --raw");
    assert_eq!(call.example().await.as_deref(), Some("call go.micro.srv.t Echo.Body name=John"));
    let stream = Stream::new(&stage.kit);
    assert_eq!(stream.example().await.as_deref(), Some("stream go.micro.srv.t Tick.Broken name=John"));
}

#[tokio::test]
async fn a_plan_says_what_run_will_send() {
    let stage = stage().await;
    let call = Call::new(&stage.kit);
    let args = args(&[], "go.micro.srv.t Say.No");
    let plan = call.plan(&asked(""), &args).await.unwrap();
    assert_eq!((plan.canonical.as_str(), plan.request.as_deref()), ("call go.micro.srv.t Say.No {}", Some(&b"{}"[..])));
    assert_eq!(plan.within, None::<Duration>);
}
