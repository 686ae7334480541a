//! What an endpoint takes, as its registration says it: looked at, never trusted to be whole.
//!
//! Go's schemas are cut at depth 3 and know nothing of maps and interfaces (WIRE §6), so that a field they lack may well
//! be there; only where a level is complete is one refused.

use crate::json;
use bot::suggest::nearest;
use micro::registry::service::Value;
use std::ops::RangeInclusive;

/// How deep a schema is followed; Go's end at 3.
const DEEPEST: usize = 16;
/// The most fields that a text lists.
const LISTED: usize = 24;

/// What a level says of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look<'a> {
    /// It has the field.
    Field(&'a Value),
    /// It may have it.
    Open,
    /// It does not have it.
    Unknown,
}

/// A field that the schema lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unknown {
    /// Where its key stands in the JSON.
    pub(crate) at: usize,
    /// What to say.
    pub(crate) what: String,
}

/// Looks for a field: by its JSON name, or that in snake case or camel case, in any case as Go does.
pub(crate) fn look<'a>(level: &'a Value, name: &str) -> Look<'a> {
    let found = fields(level)
        .find(|field| field.name == name)
        .or_else(|| fields(level).find(|field| is_same(&field.name, name)));
    match found {
        Some(field) => Look::Field(field),
        None if is_open(level) => Look::Open,
        None => Look::Unknown,
    }
}

/// Checks the fields of a valid JSON value; returns the names of those that an incomplete level lacks.
///
/// # Errors
/// The first field that a complete level lacks.
pub(crate) fn check(json: &str, schema: &Value) -> Result<Vec<String>, Unknown> {
    let mut open = Vec::new();
    walk(json, 0, schema, "", 0, &mut open)?;
    Ok(open)
}

fn walk(
    json: &str,
    base: usize,
    level: &Value,
    path: &str,
    depth: usize,
    open: &mut Vec<String>,
) -> Result<(), Unknown> {
    if depth == DEEPEST {
        return Ok(());
    }
    let skipped = json.len() - json.trim_start().len();
    if json[skipped..].starts_with('[') {
        let Some(element_level) = element(&level.r#type).and_then(|_| level.values.first()) else { return Ok(()) };
        return json::elements(json)
            .try_for_each(|(at, element)| walk(element, base + at, element_level, path, depth + 1, open));
    }
    if !json[skipped..].starts_with('{') || is_list(level) || is_scalar(level) {
        return Ok(());
    }
    for entry in json::entries(json) {
        let name: String = serde_json::from_str(entry.key).unwrap_or_else(|_| entry.key.to_owned());
        let full = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        match look(level, &name) {
            Look::Field(field) => walk(entry.value, base + entry.value_at, field, &full, depth + 1, open)?,
            Look::Open if open.len() < LISTED && !open.contains(&full) => open.push(full),
            Look::Open => {}
            Look::Unknown => return Err(Unknown { at: base + entry.at, what: unknown(level, &full, &name) }),
        }
    }
    Ok(())
}

/// `no field …`, with the nearest that there is. `full` is its path, `name` the last part of it.
pub(crate) fn unknown(level: &Value, full: &str, name: &str) -> String {
    let parent = full.strip_suffix(name).unwrap_or_default();
    match nearest(name, fields(level).map(|field| field.name.as_str())) {
        Some(near) => format!("no field `{full}`; did you mean `{parent}{near}`?"),
        None => format!("no field `{full}`"),
    }
}

/// The fields in one line: `name (string), age (int64), address.street (string)`; `None` if none is known.
pub(crate) fn listed(schema: &Value) -> Option<String> {
    let mut all = Vec::new();
    list(schema, "", 0, &mut all);
    let more = all.len() > LISTED;
    all.truncate(LISTED);
    let said: Vec<String> = all
        .iter()
        .map(|(path, kind)| if kind.is_empty() { path.clone() } else { format!("{path} ({kind})") })
        .collect();
    (!said.is_empty()).then(|| format!("{}{}", said.join(", "), if more { ", …" } else { "" }))
}

/// The paths of the plain fields: `name`, `address.street`.
pub(crate) fn paths(schema: &Value) -> Vec<(String, &str)> {
    let mut all = Vec::new();
    list(schema, "", 0, &mut all);
    all.truncate(LISTED);
    all
}

/// Pairs to copy, at most three, with a plausible value each.
pub(crate) fn example(schema: &Value) -> String {
    let mut said = Vec::new();
    for (path, kind) in paths(schema) {
        if let Some(value) = plausible(&path, kind).filter(|_| said.len() < 3 && !path.contains(char::is_whitespace)) {
            said.push(format!("{path}={value}"));
        }
    }
    said.join(" ")
}

fn plausible(path: &str, kind: &str) -> Option<&'static str> {
    let name = path.rsplit('.').next().unwrap_or(path).to_ascii_lowercase();
    match kind {
        "string" if name.contains("name") => Some("John"),
        "string" if name.contains("mail") => Some("john@example.com"),
        "string" if name == "id" || name.ends_with("_id") => Some("42"),
        "string" => Some("text"),
        "bool" => Some("true"),
        "float32" | "float64" => Some("1.5"),
        "[]string" => Some("a,b"),
        kind if range(kind).is_some() => Some("1"),
        kind => element(kind).filter(|element| range(element).is_some()).map(|_| "1,2"),
    }
}

fn list<'a>(level: &'a Value, path: &str, depth: usize, all: &mut Vec<(String, &'a str)>) {
    for field in fields(level) {
        if all.len() > LISTED {
            return;
        }
        let full = if path.is_empty() { field.name.clone() } else { format!("{path}.{}", field.name) };
        if field.values.is_empty() || is_list(field) || depth == DEEPEST {
            all.push((full, &field.r#type));
        } else {
            list(field, &full, depth + 1, all);
        }
    }
}

/// The type of a list's elements; bytes are text (base64), no list.
pub(crate) fn element(r#type: &str) -> Option<&str> {
    r#type.strip_prefix("[]").filter(|element| !matches!(*element, "uint8" | "byte"))
}

/// Whether it is a list.
pub(crate) fn is_list(value: &Value) -> bool {
    element(&value.r#type).is_some()
}

/// Whether it is a plain value, without fields.
pub(crate) fn is_scalar(value: &Value) -> bool {
    is_plain(&value.r#type)
}

/// Whether Go's type is a plain one.
pub(crate) fn is_plain(r#type: &str) -> bool {
    matches!(r#type, "string" | "bool" | "float32" | "float64" | "[]uint8" | "[]byte") || range(r#type).is_some()
}

/// What fits into one of Go's whole numbers.
pub(crate) fn range(r#type: &str) -> Option<RangeInclusive<i128>> {
    let (signed, bits) = match r#type {
        "int8" => (true, 8),
        "int16" => (true, 16),
        "int32" | "rune" => (true, 32),
        "int" | "int64" => (true, 64),
        "uint8" | "byte" => (false, 8),
        "uint16" => (false, 16),
        "uint32" => (false, 32),
        "uint" | "uint64" | "uintptr" => (false, 64),
        _ => return None,
    };
    Some(if signed { -(1 << (bits - 1))..=(1 << (bits - 1)) - 1 } else { 0..=(1 << bits) - 1 })
}

/// The fields that JSON has at this level, those of embedded structs among them (Go lists such a struct as a field with
/// its type's name, JSON flattens it). Protobuf's own are left out: registrations of v2.x to v4.6 show them (WIRE §6).
fn fields(level: &Value) -> impl Iterator<Item = &Value> {
    let own = level.values.iter().filter(|field| !is_junk(field));
    let embedded = level
        .values
        .iter()
        .filter(|field| is_embedded(field))
        .flat_map(|field| &field.values)
        .filter(|field| !is_junk(field));
    own.chain(embedded)
}

/// Whether JSON may have fields at this level that the schema does not show.
fn is_open(level: &Value) -> bool {
    let own = || level.values.iter().filter(|field| !is_junk(field));
    level.r#type.is_empty() && level.values.is_empty()
        || own().next().is_none()
        || own().any(|field| is_oneof(field) || (is_embedded(field) && field.values.is_empty()))
}

fn is_junk(field: &Value) -> bool {
    field.name == "-"
        || field.name.starts_with("XXX_")
        || matches!(
            (field.name.as_str(), field.r#type.as_str()),
            ("state", "MessageState") | ("sizeCache", "int32") | ("unknownFields", "[]uint8")
        )
}

fn is_embedded(field: &Value) -> bool {
    field.name == field.r#type && field.name.starts_with(char::is_uppercase)
}

/// A protobuf oneof: an interface without a JSON name, whose members stand beside it in JSON.
fn is_oneof(field: &Value) -> bool {
    field.name.starts_with(char::is_uppercase)
        && field.values.is_empty()
        && (field.r#type.is_empty() || field.r#type.starts_with("is"))
}

fn is_same(known: &str, name: &str) -> bool {
    known.eq_ignore_ascii_case(name)
        || snake(known).eq_ignore_ascii_case(name)
        || camel(known).eq_ignore_ascii_case(name)
}

fn snake(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 4);
    let mut was_upper = true;
    for letter in name.chars() {
        if letter.is_uppercase() && !was_upper {
            out.push('_');
        }
        was_upper = letter.is_uppercase() || letter == '_';
        out.extend(letter.to_lowercase());
    }
    out
}

fn camel(name: &str) -> String {
    name.replace('_', "")
}
