//! `help`: every command in a line, or one of them in full.

use crate::command::{Command, CommandError, CommandErrorKind, Field, FieldKind, Invocation, Plan, Risk, Spec, Turn};
use crate::engine::example;
use crate::message::{Args, Message};
use crate::reply::Reply;
use crate::router::{Router, Word};
use async_trait::async_trait;
use futures_util::FutureExt;
use serde::Serialize;
use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Weak};
use std::time::Duration;

/// How long a command's fields may take.
const FIELDS: Duration = Duration::from_secs(2);
/// Choices of a field that are shown.
const CHOICES: usize = 8;

/// Lists the commands.
pub(crate) struct Help {
    spec: Spec,
    router: Weak<Router>,
}

/// One command, for machines.
#[derive(Serialize)]
struct Line {
    name: String,
    usage: String,
    summary: String,
    /// Told of one command alone.
    #[serde(skip_serializing_if = "String::is_empty")]
    details: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    service: Option<String>,
}

impl Help {
    pub(crate) fn new(router: Weak<Router>) -> Self {
        let spec = Spec {
            pattern: "help(?: (?P<rest>.+))?".into(),
            name: "help".into(),
            usage: "help [command]".into(),
            summary: "Displays help for all known commands, or for one".into(),
            details: "".into(),
            examples: vec!["help".into(), "help ping".into(), "help list services".into()],
            risk: Risk::Read,
            turn: Turn::Queued,
        };
        Self { spec, router }
    }

    fn router(&self) -> Result<Arc<Router>, CommandError> {
        self.router.upgrade().ok_or_else(|| CommandError::new(CommandErrorKind::Failed, "the bot is gone"))
    }
}

#[async_trait]
impl Command for Help {
    fn spec(&self) -> &Spec {
        &self.spec
    }

    async fn plan(&self, _asked: &Message, args: &Args) -> Result<Plan, CommandError> {
        Ok(Plan::read(format!("help {}", args.rest).trim_end()))
    }

    async fn fields(&self, so_far: &Args) -> Vec<Field> {
        let Some(router) = self.router.upgrade() else { return Vec::new() };
        let choices = next_words(&router, &so_far.rest);
        vec![Field { name: "command".to_owned(), kind: FieldKind::Text, choices, required: false }]
    }

    async fn run(&self, call: Invocation) -> Result<Reply, CommandError> {
        let router = self.router()?;
        router.settle().await;
        let typed = call.args.named.get("command").unwrap_or(&call.args.rest).trim();
        if typed.is_empty() {
            return Ok(overview(&router));
        }
        match router.find(typed) {
            Some(command) => Ok(explain(&*command).await),
            None => among(&router, typed),
        }
    }
}

/// The words that may follow `so_far` in a command's name.
fn next_words(router: &Router, so_far: &str) -> Vec<String> {
    let before: Vec<String> = so_far.split_whitespace().map(str::to_lowercase).collect();
    let words = router.service_words();
    let built_ins = router.built_ins().into_iter().map(|command| command.spec().name.to_string());
    let names = built_ins.chain(words.iter().map(|word| word.word.to_string()));
    let next: BTreeSet<String> = names
        .filter_map(|name| {
            let mut words = name.split(' ');
            let begins = before.iter().all(|typed| words.next() == Some(typed));
            if begins { words.next().map(str::to_owned) } else { None }
        })
        .collect();
    next.into_iter().collect()
}

/// The commands that begin with this word, or what may have been meant.
fn among(router: &Router, typed: &str) -> Result<Reply, CommandError> {
    let lead = format!("{} ", typed.to_lowercase());
    let built_ins = router.built_ins();
    let family = built_ins.iter().map(|command| command.spec()).filter(|spec| spec.name.starts_with(&lead));
    let lines: Vec<Line> = family.map(built_in).collect();
    if lines.is_empty() {
        return Err(router.hint(typed));
    }
    Ok(Reply::text(shown(&lines)).with_data(&lines))
}

/// A line for each command: the built-ins, then the services.
fn overview(router: &Router) -> Reply {
    let mut lines: Vec<Line> = router.built_ins().into_iter().map(|command| built_in(command.spec())).collect();
    let words = router.service_words();
    let services: Vec<Line> = words.iter().map(|word| service(router, word)).collect();
    let mut text = shown(&lines);
    if !services.is_empty() {
        text.push_str("\n\n");
        text.push_str(&shown(&services));
    }
    lines.extend(services);
    Reply::text(text).with_data(&lines)
}

fn shown(lines: &[Line]) -> String {
    lines.iter().map(|line| format!("{} - {}", line.usage, line.summary)).collect::<Vec<_>>().join("\n")
}

fn built_in(spec: &Spec) -> Line {
    let usage = if spec.usage.is_empty() { &spec.name } else { &spec.usage };
    let (usage, summary) = (one_line(usage), one_line(&spec.summary));
    Line { name: spec.name.to_string(), usage, summary, details: String::new(), service: None }
}

/// A service's line. One that a built-in hides is shown by the name that reaches it.
fn service(router: &Router, word: &Word) -> Line {
    let spec = word.command.spec();
    let hidden = router.hides(&word.word);
    let name = if hidden { &word.service } else { &word.word };
    let usage = if hidden || spec.usage.trim().is_empty() { one_line(name) } else { one_line(&spec.usage) };
    let summary = one_line(&spec.summary);
    let summary = if summary.is_empty() { "no help yet".to_owned() } else { summary };
    Line { name: name.to_string(), usage, summary, details: String::new(), service: Some(word.service.to_string()) }
}

/// What a service says of itself may have several lines; a list has one for each.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// One command in full.
async fn explain(command: &dyn Command) -> Reply {
    let details = command.spec().details.to_string();
    let line = Line { details, ..built_in(command.spec()) };
    let summary = if line.summary.is_empty() { "no help yet" } else { &line.summary };
    let mut lines = vec![line.usage.clone(), summary.to_owned()];
    let nothing = Args::default();
    let fields = AssertUnwindSafe(command.fields(&nothing)).catch_unwind();
    let fields = tokio::time::timeout(FIELDS, fields).await.ok().and_then(Result::ok).unwrap_or_default();
    // What the details explain as an option needs no second line.
    let told = |field: &&Field| !line.details.contains(&format!("--{}", field.name));
    lines.extend(fields.iter().filter(told).map(field));
    lines.extend(line.details.lines().map(str::to_owned));
    let example = example(command).await;
    if let Some(example) = example.or_else(|| command.spec().examples.first().map(ToString::to_string)) {
        lines.push(format!("for example: {example}"));
    }
    Reply::text(lines.join("\n")).with_data(&line)
}

/// A field in a line: its name, what it holds, whether it must be given, what it may hold.
fn field(field: &Field) -> String {
    let kind = match field.kind {
        FieldKind::Text => "text",
        FieldKind::Integer => "whole number",
        FieldKind::Number => "number",
        FieldKind::Bool => "yes or no",
        FieldKind::List => "list",
        FieldKind::Json => "JSON",
    };
    let needed = if field.required { ", required" } else { "" };
    let more = if field.choices.len() > CHOICES { ", …" } else { "" };
    let choices = field.choices.iter().take(CHOICES).map(String::as_str).collect::<Vec<_>>().join(", ");
    let choices = if choices.is_empty() { choices } else { format!(": {choices}{more}") };
    format!("  {} ({kind}{needed}){choices}", field.name)
}
