//! What may be typed next, and one line to copy.

use crate::call::schema;
use crate::call::target::{self, suits};
use crate::call::word;
use crate::call::{Way, glyph};
use crate::kit::Kit;
use crate::lookup;
use bot::command::{Field, FieldKind};
use bot::message::Args;
use micro::registry::cache::Found;
use micro::registry::service::{Endpoint, Service, is_pseudo};
use std::sync::Arc;
use std::time::Duration;

/// How long a look into the registry may take: completion is asked at every key.
const PATIENCE: Duration = Duration::from_secs(1);
/// The services that are looked into for an example.
const TRIED: usize = 20;

/// The fields that may be filled in after what is there.
pub(crate) async fn fields(kit: &Kit, way: Way, so_far: &Args) -> Vec<Field> {
    let mut at = glyph::skip(&so_far.rest, 0);
    let mut next = || {
        let text = so_far.rest.as_str();
        let (word, end) = word::read(text, at, &[]).ok().filter(|_| at < text.len())?;
        at = glyph::skip(text, end);
        Some(word.text)
    };
    let service = next().or_else(|| so_far.named.get("service").cloned());
    let endpoint = next().or_else(|| so_far.named.get("endpoint").cloned());
    let typed = &so_far.rest[at..];
    let mut fields = blank(way);
    fields[0].choices = match (&service, &endpoint) {
        (None, _) => {
            lookup::fields(&*kit.registry, &Args::default()).await.into_iter().flat_map(|field| field.choices).collect()
        }
        _ => Vec::new(),
    };
    if let Some(service) = service {
        let found = found(kit, &service).await;
        let services = services(found.as_ref());
        match endpoint {
            None => fields[1].choices = target::names(services, way).into_iter().map(str::to_owned).collect(),
            Some(endpoint) => fields[2].choices = request(services, &endpoint, way, typed),
        }
    }
    fields
}

/// Every field that the command has, nothing filled in.
fn blank(way: Way) -> Vec<Field> {
    let field = |name: &str, kind, required| Field { name: name.to_owned(), kind, choices: Vec::new(), required };
    let first = [
        field("service", FieldKind::Text, true),
        field("endpoint", FieldKind::Text, true),
        field("request", FieldKind::Json, false),
    ];
    let kind = |option: &str| match option {
        "count" => FieldKind::Integer,
        "raw" => FieldKind::Bool,
        "metadata" => FieldKind::List,
        _ => FieldKind::Text,
    };
    first.into_iter().chain(way.options().iter().map(|option| field(option, kind(option), false))).collect()
}

/// The words that may come next: the request's fields and the options that are not there yet.
fn request(services: &[Service], endpoint: &str, way: Way, typed: &str) -> Vec<String> {
    let known = services.iter().rev().flat_map(|service| &service.endpoints).find(|known| known.name == endpoint);
    let schema = known.and_then(|known| known.request.as_ref());
    let pairs = schema.map(schema::paths).unwrap_or_default();
    let is_json = typed.contains(['{', '<', '`']);
    let is_typed = |word: &str| typed.split_whitespace().any(|known| known.starts_with(word));
    let pairs = pairs.into_iter().map(|(path, _)| format!("{path}=")).filter(|pair| !is_json && !is_typed(pair));
    let options = way.options().iter().map(|option| format!("--{option}"));
    pairs.chain(options.filter(|option| option == "--metadata" || !is_typed(option))).collect()
}

/// A line to copy, of a service that is there: of people's rather than of the bot's own.
pub(crate) async fn example(kit: &Kit, way: Way) -> Option<String> {
    let names = tokio::time::timeout(PATIENCE, kit.registry.list()).await.ok()?.ok()?;
    let is_own = |name: &str| lookup::is_bot(&kit.namespace, name);
    let mut names: Vec<String> = names.into_iter().filter(|name| !is_pseudo(name)).collect();
    names.sort_by_key(|name| is_own(name));
    for name in names.iter().take(TRIED) {
        let found = found(kit, name).await;
        if let Some(endpoint) = fit(services(found.as_ref()), way) {
            return Some(target::line(way.word(), name, &endpoint.name, endpoint.request.as_ref()));
        }
    }
    None
}

/// The first endpoint that suits, one with fields rather than one without.
fn fit(services: &[Service], way: Way) -> Option<&Endpoint> {
    let suiting =
        || services.iter().rev().flat_map(|service| &service.endpoints).filter(|endpoint| suits(endpoint, way));
    let has_fields =
        |endpoint: &&Endpoint| endpoint.request.as_ref().is_some_and(|schema| !schema::example(schema).is_empty());
    suiting().find(has_fields).or_else(|| suiting().next())
}

/// The service from the cache; `None` if that takes too long.
async fn found(kit: &Kit, service: &str) -> Option<Arc<Found>> {
    tokio::time::timeout(PATIENCE, kit.client.find(service)).await.ok()?.ok()
}

fn services(found: Option<&Arc<Found>>) -> &[Service] {
    found.map_or(&[], |found| &found.services)
}
