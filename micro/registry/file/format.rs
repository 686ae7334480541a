//! The text of a registry file: a JSON array of services (WIRE §1.0), or a TOML table of names with their addresses.

use crate::error::{Error, ErrorKind, Result};
use crate::registry::service::{Node, Service, merge};
use serde_json::value::RawValue;
use std::path::Path;
use std::sync::Arc;

/// How a registry file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Json,
    Toml,
}

impl Format {
    /// By the file's extension, else by how its text begins.
    pub(super) fn of(path: &Path, text: &str) -> Self {
        match path.extension().and_then(|extension| extension.to_str()) {
            Some(extension) if extension.eq_ignore_ascii_case("json") => return Self::Json,
            Some(extension) if extension.eq_ignore_ascii_case("toml") => return Self::Toml,
            _ => {}
        }
        // `[` opens a JSON array and a TOML table; an array goes on with an object or ends.
        let mut begin = text.chars().filter(|c| !c.is_whitespace());
        match begin.next() {
            None | Some('{') => Self::Json,
            Some('[') if matches!(begin.next(), None | Some('{' | ']')) => Self::Json,
            Some(_) => Self::Toml,
        }
    }
}

/// The services of a file's text, one a name and version, sorted.
///
/// # Errors
/// `Malformed`, with line, column and cure.
pub(super) fn parse(path: &Path, text: &str) -> Result<Vec<Service>> {
    let services = match Format::of(path, text) {
        Format::Json => parse_json(path, text)?,
        Format::Toml => parse_toml(path, text)?,
    };
    Ok(merge(services))
}

fn parse_json(path: &Path, text: &str) -> Result<Vec<Service>> {
    if text.trim().is_empty() {
        return Err(malformed(path, "", "the file is empty; write [] for no services"));
    }
    let mut services: Vec<Service> = serde_json::from_str(text).map_err(|error| json_error(path, &error))?;
    for (at, service) in services.iter_mut().enumerate() {
        complete(path, at, service)?;
    }
    Ok(services)
}

/// Gives nodes without an id theirs, and refuses what cannot be called.
fn complete(path: &Path, at: usize, service: &mut Service) -> Result<()> {
    if service.name.is_empty() {
        return Err(malformed(path, "", &format!("service {} of the list has no name", at + 1)));
    }
    for node in &mut service.nodes {
        if node.address.is_empty() {
            let text = format!("a node of {} has no address; write \"address\": \"host:port\"", service.name);
            return Err(malformed(path, "", &text));
        }
        if node.id.is_empty() {
            Arc::make_mut(node).id = format!("{}-{}", service.name, node.address);
        }
    }
    Ok(())
}

fn parse_toml(path: &Path, text: &str) -> Result<Vec<Service>> {
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
        let place = error.span().map(|span| place(text, span.start)).unwrap_or_default();
        malformed(path, &place, &format!("{}; {TOML_CURE}", error.message().replace('\n', ", ")))
    })?;
    let mut services = Vec::new();
    flatten(path, "", &table, &mut services)?;
    Ok(services)
}

/// Dotted names without quotes are tables in tables: `go.micro.srv.greeter = [..]`.
fn flatten(path: &Path, prefix: &str, table: &toml::Table, services: &mut Vec<Service>) -> Result<()> {
    for (key, value) in table {
        let name = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        match value {
            toml::Value::Table(inner) => flatten(path, &name, inner, services)?,
            toml::Value::String(address) => services.push(addressed(&name, std::iter::once(address.as_str()))),
            toml::Value::Array(list) => {
                let addresses: Option<Vec<&str>> = list.iter().map(toml::Value::as_str).collect();
                let Some(addresses) = addresses else { return Err(no_address(path, &name)) };
                services.push(addressed(&name, addresses.into_iter()));
            }
            _ => return Err(no_address(path, &name)),
        }
    }
    Ok(())
}

fn no_address(path: &Path, name: &str) -> Error {
    malformed(path, "", &format!("{name:?} is no list of addresses; {TOML_CURE}"))
}

const TOML_CURE: &str = "write \"service.name\" = [\"host:port\", …]";

fn addressed<'a>(name: &str, addresses: impl Iterator<Item = &'a str>) -> Service {
    let node = |address: &str| {
        Arc::new(Node { id: format!("{name}-{address}"), address: address.to_owned(), ..Node::default() })
    };
    Service { nodes: addresses.map(node).collect(), ..Service::named(name) }
}

/// The text with the service's nodes in it; `None` if they are there already. What is not touched keeps its bytes.
///
/// # Errors
/// `Malformed` if the text is; `Invalid` if it is TOML, which is for reading.
pub(super) fn put(path: &Path, text: &str, service: &Service) -> Result<Option<String>> {
    let mut entries = entries(path, text)?;
    let same = entries.iter_mut().rfind(|entry| entry.is(service));
    let Some(entry) = same else {
        entries.push(Entry { text: None, service: service.clone() });
        return write(&entries).map(Some);
    };
    let mut next = entry.service.clone();
    next.absorb(service.clone());
    if next == entry.service {
        return Ok(None);
    }
    *entry = Entry { text: None, service: next };
    write(&entries).map(Some)
}

/// The text without the service's nodes; `None` if they are not there. A version goes with its last node.
///
/// # Errors
/// As [`put`].
pub(super) fn take(path: &Path, text: &str, service: &Service) -> Result<Option<String>> {
    let mut entries = entries(path, text)?;
    let mut changed = false;
    for entry in entries.iter_mut().filter(|entry| entry.is(service)) {
        let before = entry.service.nodes.len();
        entry.service.nodes.retain(|node| service.nodes.iter().all(|gone| gone.id != node.id));
        if entry.service.nodes.len() < before {
            entry.text = None;
            changed = true;
        }
    }
    entries.retain(|entry| entry.text.is_some() || !entry.service.nodes.is_empty());
    if changed { write(&entries).map(Some) } else { Ok(None) }
}

/// One element of the array; its own text until it is changed.
struct Entry<'a> {
    text: Option<&'a str>,
    service: Service,
}

impl Entry<'_> {
    fn is(&self, service: &Service) -> bool {
        self.service.name == service.name && self.service.version == service.version
    }
}

fn entries<'a>(path: &Path, text: &'a str) -> Result<Vec<Entry<'a>>> {
    if Format::of(path, text) == Format::Toml {
        let text = format!(
            "{} is TOML, which is only read; to register use a JSON file, such as services.json",
            path.display()
        );
        return Err(Error::new(ErrorKind::Invalid, text));
    }
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    let services = parse_json(path, text)?;
    let texts: Vec<&RawValue> = serde_json::from_str(text).map_err(|error| json_error(path, &error))?;
    Ok(texts.into_iter().zip(services).map(|(raw, service)| Entry { text: Some(raw.get()), service }).collect())
}

fn write(entries: &[Entry<'_>]) -> Result<String> {
    let mut text = String::from("[");
    for (at, entry) in entries.iter().enumerate() {
        text.push_str(if at == 0 { "\n  " } else { ",\n  " });
        if let Some(own) = entry.text {
            text.push_str(own);
            continue;
        }
        let pretty = serde_json::to_string_pretty(&entry.service)
            .map_err(|error| Error::new(ErrorKind::Invalid, "the service cannot be written").because(error))?;
        text.push_str(&pretty.replace('\n', "\n  "));
    }
    text.push_str(if entries.is_empty() { "]\n" } else { "\n]\n" });
    Ok(text)
}

fn json_error(path: &Path, error: &serde_json::Error) -> Error {
    let (line, column) = (error.line(), error.column());
    let text = error.to_string();
    let text = text.strip_suffix(&format!(" at line {line} column {column}")).unwrap_or(&text);
    let cure = match error.classify() {
        serde_json::error::Category::Eof => "the file ends too early, is a bracket missing?",
        serde_json::error::Category::Syntax => "correct the JSON there",
        _ => "write [{\"name\": \"service.name\", \"nodes\": [{\"address\": \"host:port\"}]}]",
    };
    malformed(path, &format!("{line}:{}", column.max(1)), &format!("{text}; {cure}"))
}

fn malformed(path: &Path, place: &str, text: &str) -> Error {
    let colon = if place.is_empty() { "" } else { ":" };
    Error::new(ErrorKind::Malformed, format!("registry file {}{colon}{place}: {text}", path.display()))
}

/// `line:column`, both from 1, of a byte offset.
fn place(text: &str, offset: usize) -> String {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
    format!("{line}:{column}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::service;

    fn json(text: &str) -> Result<Vec<Service>> {
        parse(Path::new("s.json"), text)
    }

    fn toml(text: &str) -> Result<Vec<Service>> {
        parse(Path::new("s.toml"), text)
    }

    #[test]
    fn the_form_is_known_by_extension_or_by_the_first_characters() {
        let of = |path: &str, text: &str| Format::of(Path::new(path), text);
        assert_eq!(of("a.json", "[a]"), Format::Json);
        assert_eq!(of("a.TOML", "[]"), Format::Toml);
        for text in ["", " \n[ ]", "[\n  {\"name\"", "{}", "["] {
            assert_eq!(of("services", text), Format::Json, "{text:?}");
        }
        for text in ["a = []", "[go.micro]\nsrv = []", "# services\n", "[\"go.micro\"]"] {
            assert_eq!(of("services.conf", text), Format::Toml, "{text:?}");
        }
    }

    #[test]
    fn a_table_of_addresses_is_read_with_names_quoted_or_not() {
        let services = toml(
            "\"go.micro.srv.a\" = [\"10.0.0.1:80\", \"[::1]:81\"]\ngo.micro.srv.b = \"db:5\"\n[go.micro.api]\nc = []\n",
        )
        .unwrap();
        let shape: Vec<_> = services
            .iter()
            .map(|s| format!("{} {:?}", s.name, s.nodes.iter().map(|n| n.id.as_str()).collect::<Vec<_>>()))
            .collect();
        insta::assert_snapshot!(shape.join("\n"), @r#"
        go.micro.api.c []
        go.micro.srv.a ["go.micro.srv.a-10.0.0.1:80", "go.micro.srv.a-[::1]:81"]
        go.micro.srv.b ["go.micro.srv.b-db:5"]
        "#);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place_and_its_cure() {
        let error = |result: Result<Vec<Service>>| {
            let error = result.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Malformed);
            error.to_string()
        };
        insta::assert_snapshot!(error(json("[\n  {\"name\": \"a\",}\n]")), @"registry file s.json:2:16: trailing comma; correct the JSON there");
        insta::assert_snapshot!(error(json("[\n  {\"name\": \"a\"")), @"registry file s.json:2:14: EOF while parsing an object; the file ends too early, is a bracket missing?");
        insta::assert_snapshot!(error(json("{\"name\": \"a\"}")), @r#"registry file s.json:1:1: invalid type: map, expected a sequence; write [{"name": "service.name", "nodes": [{"address": "host:port"}]}]"#);
        insta::assert_snapshot!(error(json("[{\"nodes\": []}]")), @"registry file s.json: service 1 of the list has no name");
        insta::assert_snapshot!(error(json("[{\"name\": \"a\", \"nodes\": [{\"id\": \"n\"}]}]")), @r#"registry file s.json: a node of a has no address; write "address": "host:port""#);
        insta::assert_snapshot!(error(json(" \n")), @"registry file s.json: the file is empty; write [] for no services");
        insta::assert_snapshot!(error(toml("a = [\"x\"]\nb = [\"y\"\nc = 1\n")), @r#"registry file s.toml:3:1: missing comma between array elements, expected `,`; write "service.name" = ["host:port", …]"#);
        insta::assert_snapshot!(error(toml("a = [1]")), @r#"registry file s.toml: "a" is no list of addresses; write "service.name" = ["host:port", …]"#);
        insta::assert_snapshot!(error(toml("a = true")), @r#"registry file s.toml: "a" is no list of addresses; write "service.name" = ["host:port", …]"#);
    }

    #[test]
    fn a_node_without_an_id_gets_one_from_its_address() {
        let services = json(r#"[{"name":"a","nodes":[{"address":"h:1"},{"Id":"n","address":"h","port":2}]}]"#).unwrap();
        let ids: Vec<_> = services[0].nodes.iter().map(|n| (n.id.as_str(), n.address.as_str())).collect();
        assert_eq!(ids, [("a-h:1", "h:1"), ("n", "h:2")]);
    }

    #[test]
    fn writing_leaves_the_bytes_of_the_others() {
        let path = Path::new("s.json");
        let by_hand = "[ {\"name\":   \"mine\", \"note\": \"kept\", \"nodes\": [{\"address\": \"h:1\"}]} ]";
        let with = put(path, by_hand, &service("a", "1", &["n1", "n2"])).unwrap().unwrap();
        assert!(
            with.contains("{\"name\":   \"mine\", \"note\": \"kept\", \"nodes\": [{\"address\": \"h:1\"}]}"),
            "{with}"
        );
        assert_eq!(put(path, &with, &service("a", "1", &["n1"])).unwrap(), None, "there already");
        assert_eq!(json(&with).unwrap()[0], service("a", "1", &["n1", "n2"]));
        let one = take(path, &with, &service("a", "1", &["n1"])).unwrap().unwrap();
        assert_eq!(json(&one).unwrap()[0].nodes.len(), 1);
        let none = take(path, &one, &service("a", "1", &["n2"])).unwrap().unwrap();
        insta::assert_snapshot!(none, @r#"
        [
          {"name":   "mine", "note": "kept", "nodes": [{"address": "h:1"}]}
        ]
        "#);
        assert_eq!(take(path, &none, &service("a", "1", &["n2"])).unwrap(), None);
        let empty = take(path, &none, &json(&none).unwrap()[0]).unwrap().unwrap();
        assert_eq!(empty, "[]\n");
    }

    #[test]
    fn toml_is_not_written() {
        let error = put(Path::new("s.toml"), "", &service("a", "1", &["n"])).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        insta::assert_snapshot!(error, @"s.toml is TOML, which is only read; to register use a JSON file, such as services.json");
    }
}
