//! From a typed line to what is sent: read, found in the registry, checked.

use crate::call::line::{self, Line, Misread};
use crate::call::options::{Options, word_said};
use crate::call::request::Request;
use crate::call::target::{self, Target};
use crate::call::wrong::{self, Wrong};
use crate::call::{Way, pairs, schema};
use crate::kit::Kit;
use crate::{json, lookup};
use bot::command::{CommandError, CommandErrorKind, Plan, Risk};
use bot::message::{Args, Body, Message};
use bytes::Bytes;
use micro::registry::service::{Service, Value};
use std::borrow::Cow;
use std::fmt::Write as _;
use std::time::Duration;

/// The longest line that is read, in bytes.
const LONGEST: usize = 8 << 20;
/// What a command gets beyond the time that the call itself has, so that the call's own error comes first.
const GRACE: Duration = Duration::from_secs(1);

/// What was heard: the text behind the command's word, and what stood before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Heard<'a> {
    /// The command's word and its blanks, as typed.
    pub(crate) lead: Cow<'a, str>,
    /// The rest, without a fence around the whole.
    pub(crate) rest: Cow<'a, str>,
    /// `call!`: it is sent whatever the registry says.
    pub(crate) force: bool,
}

impl<'a> Heard<'a> {
    /// A typed line as the pattern took it apart, or a form as the line that it stands for.
    pub(crate) fn of(asked: &'a Message, args: &'a Args, way: Way) -> Self {
        let force = args.named.contains_key("force");
        let fallback = || Cow::Owned(format!("{}{} ", way.word(), if force { "!" } else { "" }));
        if args.rest.trim().is_empty() && args.named.contains_key("service") {
            return Self { lead: fallback(), rest: Cow::Owned(form(args)), force };
        }
        let lead = match &asked.body {
            Body::Text { text, .. } => {
                text.strip_suffix(args.rest.as_str()).filter(|lead| !lead.is_empty()).map(Cow::Borrowed)
            }
            _ => None,
        };
        let rest = match args.named.get("fence") {
            Some(fence) => line::unfenced(&args.rest, fence),
            None => &args.rest,
        };
        Self { lead: lead.unwrap_or_else(fallback), rest: Cow::Borrowed(rest), force }
    }
}

/// What is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sent {
    /// The service's full name.
    pub(crate) service: String,
    /// `Struct.Method`.
    pub(crate) endpoint: String,
    /// The request.
    pub(crate) body: Bytes,
    /// The options.
    pub(crate) options: Options,
}

impl Sent {
    /// The plan; equal requests have equal canonical lines, whatever they were typed like.
    pub(crate) fn plan(self, way: Way) -> Plan {
        let json = std::str::from_utf8(&self.body).map(json::compact).unwrap_or_default();
        let named = format!("{} {}{}", word_said(&self.service), word_said(&self.endpoint), self.options.canonical());
        Plan {
            risk: if target::is_debug(&self.endpoint) { Risk::Read } else { Risk::Call },
            canonical: format!("{} {named} {json}", way.word()),
            request: Some(self.body),
            within: way.within(&self.options).map(|limit| limit + GRACE),
            service: Some(self.service),
            endpoint: Some(self.endpoint),
        }
    }
}

/// Reads a line and finds what it means.
///
/// # Errors
/// `Usage` and `NotFound`: what is wrong, where, what the endpoint takes and one line to copy.
pub(crate) async fn sent(kit: &Kit, way: Way, heard: &Heard<'_>) -> Result<Sent, CommandError> {
    if heard.rest.len() > LONGEST {
        return Err(CommandError::new(
            CommandErrorKind::TooLarge,
            format!("this line is longer than {} MiB", LONGEST >> 20),
        ));
    }
    match line::read(&heard.rest, way.options()) {
        Ok(line) => {
            let Some(service) = &line.service else { return Err(what(kit, way).await) };
            let found = lookup::cached(kit, &service.text).await?;
            resolve(&found.services, way, heard, line)
        }
        Err(misread) => {
            let found = match &misread.service {
                Some(service) => lookup::cached(kit, service).await.ok(),
                None => None,
            };
            let services = found.as_ref().map_or(&[][..], |found| &found.services);
            Err(misread_error(services, way, heard, &misread))
        }
    }
}

/// What a line means for this service, one a version.
///
/// # Errors
/// As [`sent`].
pub(crate) fn resolve(services: &[Service], way: Way, heard: &Heard<'_>, line: Line) -> Result<Sent, CommandError> {
    let (Some(service), Some(endpoint)) = (line.service, line.endpoint) else { return Err(which(services, way)) };
    let target = target::choose(services, &endpoint.text, way, &line.options, heard.force)?;
    let body = body(&line.request, &target, line.options.raw, heard.force);
    let known = Some((service.text.as_str(), endpoint.text.as_str(), target.schema()));
    let body = body.map_err(|wrong| explained(way, heard, &wrong, known))?;
    Ok(Sent { service: service.text, endpoint: endpoint.text, body: body.into(), options: line.options })
}

/// The options of a line that was planned.
///
/// # Errors
/// `Usage`, where no plan can have come of it.
pub(crate) fn options(way: Way, heard: &Heard<'_>) -> Result<Options, CommandError> {
    let line = line::read(&heard.rest, way.options());
    line.map(|line| line.options).map_err(|misread| explained(way, heard, &misread.wrong, None))
}

/// The fields of a request that an incomplete schema lacks; none where the registry is away.
pub(crate) async fn unknown(kit: &Kit, way: Way, service: &str, endpoint: &str, body: &[u8]) -> Vec<String> {
    let Ok(body) = std::str::from_utf8(body) else { return Vec::new() };
    let Ok(found) = kit.client.find(service).await else { return Vec::new() };
    let target = target::choose(&found.services, endpoint, way, &Options::default(), true).unwrap_or_default();
    target.schema().and_then(|schema| schema::check(body, schema).ok()).unwrap_or_default()
}

/// The request's bytes. Of several versions the newest decides that understands it.
pub(crate) fn body(request: &Request, target: &Target<'_>, raw: bool, force: bool) -> Result<String, Wrong> {
    let Some(newest) = target.schema() else { return bytes(request, None, raw, force) };
    let mut first = None;
    for schema in std::iter::once(newest).chain(target.schemas.iter().skip(1).copied()) {
        match bytes(request, Some(schema), raw, force) {
            Ok(done) => return Ok(done),
            Err(wrong) => first = first.or(Some(wrong)),
        }
    }
    Err(first.unwrap_or_else(|| Wrong::new(0, "no request")))
}

fn bytes(request: &Request, schema: Option<&Value>, raw: bool, force: bool) -> Result<String, Wrong> {
    match request {
        Request::Nothing => Ok("{}".to_owned()),
        Request::Pairs(given) => pairs::build(given, schema, force),
        Request::Json(json) => {
            let object = json.text.trim_start().starts_with('{');
            let fits = object
                || raw
                || force
                || schema.is_some_and(|schema| schema::is_list(schema) || schema::is_scalar(schema));
            if !fits {
                return Err(Wrong::new(
                    json.origin(0),
                    "a request is an object: {\"name\":\"John\"}; --raw sends any JSON",
                ));
            }
            match schema.map(|schema| schema::check(&json.text, schema)) {
                Some(Err(unknown)) if !force => Err(Wrong::new(json.origin(unknown.at), unknown.what)),
                _ => Ok(json.text.clone()),
            }
        }
    }
}

/// What is wrong and where, what the endpoint takes, and one line to copy.
fn explained(way: Way, heard: &Heard<'_>, wrong: &Wrong, known: Option<(&str, &str, Option<&Value>)>) -> CommandError {
    let typed = format!("{}{}", heard.lead, heard.rest);
    let mut text = wrong::shown(&typed, heard.lead.len() + wrong.at, &wrong.what);
    if let Some((service, endpoint, schema)) = known {
        if let Some(fields) = schema.and_then(schema::listed) {
            let _ = write!(text, "\n{endpoint} takes: {fields}");
        }
        let request = if schema.is_some_and(|schema| !schema::example(schema).is_empty()) { "" } else { " {}" };
        let _ = write!(text, "\ntry: {}{request}", target::line(way.word(), service, endpoint, schema));
        if wrong.what.starts_with("no field") {
            let _ = write!(text, "\n{}! sends it as it is", way.word());
        }
    }
    CommandError::new(CommandErrorKind::Usage, text)
}

/// A line that cannot be read, for this service, one a version; for none if it is not known.
pub(crate) fn misread_error(services: &[Service], way: Way, heard: &Heard<'_>, misread: &Misread) -> CommandError {
    let known = match (&misread.service, &misread.endpoint) {
        (Some(service), Some(endpoint)) if !services.is_empty() => {
            let target = target::choose(services, endpoint, way, &Options::default(), heard.force).unwrap_or_default();
            Some((service.as_str(), endpoint.as_str(), target.schema()))
        }
        _ => None,
    };
    explained(way, heard, &misread.wrong, known)
}

/// No service was named.
async fn what(kit: &Kit, way: Way) -> CommandError {
    let example = super::complete::example(kit, way).await.map(|line| format!("\ntry: {line}")).unwrap_or_default();
    CommandError::new(CommandErrorKind::Usage, format!("{} what?\nusage: {}{example}", way.word(), way.usage()))
}

/// No endpoint was named.
fn which(services: &[Service], way: Way) -> CommandError {
    let names = target::names(services, way);
    let service = services.first().map_or("", |service| service.name.as_str());
    let mut text = "require service and endpoint".to_owned();
    if let Some(first) = names.first() {
        let endpoint =
            services.iter().rev().flat_map(|service| &service.endpoints).find(|endpoint| endpoint.name == *first);
        let schema = endpoint.and_then(|endpoint| endpoint.request.as_ref());
        text = format!(
            "{text}; {service} has: {}\ntry: {}",
            target::some(names.iter().copied()),
            target::line(way.word(), service, first, schema)
        );
    } else {
        text = format!("{text}\nusage: {}", way.usage());
    }
    CommandError::new(CommandErrorKind::Usage, text)
}

/// The line that a form stands for.
fn form(args: &Args) -> String {
    let field = |name: &str| args.named.get(name).map(|value| value.trim()).filter(|value| !value.is_empty());
    let mut words: Vec<String> = ["service", "endpoint"].into_iter().filter_map(field).map(word_said).collect();
    for name in ["node", "version", "timeout", "count"] {
        words.extend(field(name).map(|value| format!("--{name} {}", word_said(value))));
    }
    let metadata = field("metadata").unwrap_or_default().split_whitespace();
    words.extend(metadata.map(|pair| format!("--metadata {}", word_said(pair))));
    words.extend(field("raw").filter(|raw| matches!(*raw, "true" | "1" | "--raw")).map(|_| "--raw".to_owned()));
    words.extend(field("request").map(str::to_owned));
    words.join(" ")
}
