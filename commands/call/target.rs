//! Which endpoint a call means, and what it takes: decided on what the registry says.

use crate::call::Way;
use crate::call::options::Options;
use crate::call::{options, schema};
use crate::lookup;
use bot::command::{CommandError, CommandErrorKind};
use bot::suggest::nearest;
use micro::registry::service::{Endpoint, Service, Value};

/// The most names that a text lists.
const LISTED: usize = 10;

/// An endpoint that may be called.
#[derive(Clone, Debug, Default)]
pub(crate) struct Target<'a> {
    /// What it takes, newest version first; empty where nothing is known.
    pub(crate) schemas: Vec<&'a Value>,
}

impl<'a> Target<'a> {
    /// Its schema, where there is one.
    pub(crate) fn schema(&self) -> Option<&'a Value> {
        self.schemas.first().copied()
    }
}

/// Chooses the endpoint among a service's versions, sorted as the registry has them. `force` sends what the registry does
/// not know, or knows to be something else.
///
/// # Errors
/// `NotFound`: no such version, node or endpoint; `Usage`: a subscriber, or a stream and not asked for as one.
pub(crate) fn choose<'a>(
    services: &'a [Service],
    name: &str,
    way: Way,
    options: &Options,
    force: bool,
) -> Result<Target<'a>, CommandError> {
    let versions = candidates(services, options)?;
    let found: Vec<&Endpoint> =
        versions.iter().rev().flat_map(|service| &service.endpoints).filter(|endpoint| endpoint.name == name).collect();
    let target = Target { schemas: found.iter().filter_map(|endpoint| endpoint.request.as_ref()).collect() };
    if force {
        return Ok(target);
    }
    if found.is_empty() {
        let silent = is_debug(name) || versions.iter().any(|service| service.endpoints.is_empty());
        return if silent { Ok(target) } else { Err(no_endpoint(&versions, name, way)) };
    }
    let service = services.first().map_or("", |service| service.name.as_str());
    if found.iter().all(|endpoint| endpoint.is_subscriber()) {
        let topic = found
            .iter()
            .find_map(|endpoint| endpoint.metadata.get("topic"))
            .map(|topic| format!(" on the topic {topic}"))
            .unwrap_or_default();
        return Err(usage(format!(
            "{name} of {service} is a subscriber: it takes what is published{topic} and cannot be called"
        )));
    }
    let streams = found.iter().filter(|endpoint| endpoint.is_stream()).count();
    match way {
        Way::Call if streams == found.len() => Err(usage(format!(
            "{name} of {service} is a stream; type: {}",
            line("stream", service, name, target.schema())
        ))),
        Way::Stream if streams == 0 => Err(usage(format!(
            "{name} of {service} is no stream; type: {}",
            line("call", service, name, target.schema())
        ))),
        _ => Ok(target),
    }
}

/// Whether it is one of the framework's own endpoints, which only look and which no registration lists (WIRE §5).
pub(crate) fn is_debug(endpoint: &str) -> bool {
    endpoint.starts_with("Debug.")
}

/// Whether this way may go to this endpoint.
pub(crate) fn suits(endpoint: &Endpoint, way: Way) -> bool {
    !endpoint.is_subscriber() && endpoint.is_stream() == (way == Way::Stream)
}

/// The names of the endpoints that this way may go to, sorted.
pub(crate) fn names<'a>(services: impl IntoIterator<Item = &'a Service>, way: Way) -> Vec<&'a str> {
    let all = services.into_iter().flat_map(|service| &service.endpoints);
    let mut names: Vec<&str> =
        all.filter(|endpoint| suits(endpoint, way)).map(|endpoint| endpoint.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// One line to copy.
pub(crate) fn line(word: &str, service: &str, endpoint: &str, schema: Option<&Value>) -> String {
    let pairs = schema.map(schema::example).unwrap_or_default();
    let line = format!("{word} {} {} {pairs}", options::word_said(service), options::word_said(endpoint));
    line.trim_end().to_owned()
}

/// Names for a text: some of them, and that there are more.
pub(crate) fn some<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<String> = names.into_iter().take(LISTED + 1).map(lookup::brief).collect();
    let more = if names.len() > LISTED { ", …" } else { "" };
    format!("{}{more}", names[..names.len().min(LISTED)].join(", "))
}

fn candidates<'a>(services: &'a [Service], options: &Options) -> Result<Vec<&'a Service>, CommandError> {
    let name = services.first().map_or("", |service| service.name.as_str());
    let mut versions: Vec<&Service> = services.iter().collect();
    if let Some(version) = &options.version {
        versions.retain(|service| service.version == *version);
        if versions.is_empty() {
            let known = some(services.iter().map(|service| service.version.as_str()));
            return Err(not_found(format!("no version {} of {name}; there are: {known}", lookup::brief(version))));
        }
    }
    if let Some(wanted) = &options.node {
        let all: Vec<_> = versions.iter().flat_map(|service| &service.nodes).map(|node| node.id.clone()).collect();
        versions.retain(|service| service.nodes.iter().any(|node| node.id == *wanted || node.address == *wanted));
        if versions.is_empty() {
            let known = some(all.iter().map(String::as_str));
            return Err(not_found(format!("no node {} of {name}; there are: {known}", lookup::brief(wanted))));
        }
    }
    Ok(versions)
}

fn no_endpoint(versions: &[&Service], name: &str, way: Way) -> CommandError {
    let service = versions.first().map_or("", |service| service.name.as_str());
    let near = |way| nearest(name, names(versions.iter().copied(), way)).map(|near| (near, way));
    let other = if way == Way::Call { Way::Stream } else { Way::Call };
    let text = format!("no endpoint {} in {service}", lookup::brief(name));
    if let Some((near, way)) = near(way).or_else(|| near(other)) {
        let endpoint =
            versions.iter().rev().flat_map(|service| &service.endpoints).find(|endpoint| endpoint.name == near);
        let schema = endpoint.and_then(|endpoint| endpoint.request.as_ref());
        return not_found(format!("{text}; did you mean `{near}`?\ntry: {}", line(way.word(), service, near, schema)));
    }
    match names(versions.iter().copied(), way) {
        known if known.is_empty() => {
            not_found(format!("{text}; nothing there can be {}", if way == Way::Call { "called" } else { "streamed" }))
        }
        known => not_found(format!("{text}; there are: {}", some(known))),
    }
}

fn usage(text: String) -> CommandError {
    CommandError::new(CommandErrorKind::Usage, text)
}

fn not_found(text: String) -> CommandError {
    CommandError::new(CommandErrorKind::NotFound, text)
}
