//! A service as people see it: the bytes of the original (TOOLKIT 1.6), and cells for chats.

use bot::reply::{Cell, Mark};
use micro::registry::service::{Endpoint, Metadata, Service, Value};
use std::fmt::Write as _;

/// The deepest type that is shown. go-micro's schemas end at 3; one from outside could be any.
const DEEPEST: usize = 16;
/// The longest line of what others wrote, in characters.
const LINE: usize = 300;

/// The whole service, byte for byte as the original's last form: every version with its nodes, the endpoints of the first.
pub(crate) fn service(versions: &[Service]) -> String {
    let Some(first) = versions.first() else { return String::new() };
    let mut items = vec![format!("service  {}", first.name)];
    for version in versions {
        if !version.version.is_empty() {
            items.push(format!("\nversion {}", version.version));
        }
        items.push("\nID\tAddress\tMetadata".to_owned());
        items.extend(
            version.nodes.iter().map(|node| format!("{}\t{}\t{}", node.id, node.address, pairs(&node.metadata))),
        );
    }
    items.extend(first.endpoints.iter().map(endpoint));
    items.join("\n")
}

/// An endpoint with its types; begins with an empty line and ends with one.
fn endpoint(endpoint: &Endpoint) -> String {
    let mut text = format!("\nEndpoint: {}\n\n", endpoint.name);
    if !endpoint.metadata.is_empty() {
        let _ = write!(text, "Metadata: {}\n\n", pairs(&endpoint.metadata));
    }
    let _ = write!(text, "Request: {}\n\n", message(endpoint.request.as_ref()));
    let _ = writeln!(text, "Response: {}", message(endpoint.response.as_ref()));
    text
}

/// The endpoints of a version, for a chat's code block.
pub(crate) fn endpoints(version: &Service) -> String {
    let all: Vec<String> = version.endpoints.iter().map(endpoint).collect();
    all.join("\n").trim_matches('\n').to_owned()
}

fn message(value: Option<&Value>) -> String {
    match value {
        Some(value) if !value.values.is_empty() => {
            let mut text = "{\n".to_owned();
            fields(&mut text, &value.values, 1);
            text.push('}');
            text
        }
        _ => "{}".to_owned(),
    }
}

fn fields(text: &mut String, values: &[Value], depth: usize) {
    for value in values {
        let tabs = "\t".repeat(depth);
        let _ = write!(text, "{tabs}{} {}", snake(&value.name), value.r#type);
        if !value.values.is_empty() && depth < DEEPEST {
            text.push_str(" {\n");
            fields(text, &value.values, depth + 1);
            let _ = write!(text, "{tabs}}}");
        }
        text.push('\n');
    }
}

/// `k=v` sorted, with commas.
pub(crate) fn pairs(metadata: &Metadata) -> String {
    let pairs: Vec<String> = metadata.iter().map(|(key, value)| format!("{key}={value}")).collect();
    pairs.join(",")
}

/// Words that the original keeps together when it turns `UserID` into `user_id`.
const INITIALISMS: [&str; 31] = [
    "API", "ASCII", "CPU", "CSS", "DNS", "EOF", "GUID", "HTML", "HTTP", "HTTPS", "ID", "IP", "JSON", "LHS", "QPS",
    "RAM", "RHS", "RPC", "SLA", "SMTP", "SSH", "TLS", "TTL", "UI", "UID", "UUID", "URI", "URL", "UTF8", "VM", "XML",
];

/// `CamelCase` as `snake_case`, cut where the original cuts: before every capital, but never inside an initialism.
fn snake(name: &str) -> String {
    let mut words: Vec<&str> = Vec::new();
    let mut rest = name;
    while let Some(first) = rest.chars().next() {
        let whole = INITIALISMS.into_iter().filter(|word| rest.starts_with(word)).map(str::len).max();
        let cut = whole.unwrap_or_else(|| {
            let after = first.len_utf8();
            rest[after..].find(char::is_uppercase).map_or(rest.len(), |at| after + at)
        });
        let (word, left) = rest.split_at(cut);
        words.push(word);
        rest = left;
    }
    words.join("_").to_lowercase()
}

/// What others wrote as one line: a cell, a list's entry. Bounded, without control characters.
pub(crate) fn one_line(text: &str) -> String {
    let mut line = String::new();
    for word in text.split(|letter: char| letter.is_whitespace() || letter.is_control()).filter(|word| !word.is_empty())
    {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    match line.char_indices().nth(LINE) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

/// A cell without a mark.
pub(crate) fn plain(text: impl Into<String>) -> Cell {
    Cell { text: text.into(), mark: Mark::Plain }
}

/// Column names.
pub(crate) fn head(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn names_become_snake_case_as_the_original_made_them() {
        for (camel, text) in [
            ("name", "name"),
            ("user_id", "user_id"),
            ("UserID", "user_id"),
            ("HTTPSPort", "https_port"),
            ("firstName", "first_name"),
            ("ABTest", "a_b_test"),
            ("ÄpfelUndBirnen", "äpfel_und_birnen"),
            ("", ""),
        ] {
            assert_eq!(snake(camel), text, "{camel}");
        }
    }

    fn value(name: &str, r#type: &str, values: Vec<Value>) -> Value {
        Value { name: name.to_owned(), r#type: r#type.to_owned(), values }
    }

    #[test]
    fn a_service_is_shown_in_the_bytes_of_the_original() {
        let mut first = testing::service("go.micro.srv.greeter", "1.0.0", &["127.0.0.1:38701"]);
        let metadata = |pairs: &[(&str, &str)]| -> Metadata {
            pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
        };
        std::sync::Arc::make_mut(&mut first.nodes[0]).metadata =
            metadata(&[("server", "rpc"), ("broker", "http"), ("transport", "http")]);
        let street = value("Street", "string", vec![]);
        let request = value(
            "Request",
            "Request",
            vec![value("name", "string", vec![]), value("HomeAddress", "Address", vec![street])],
        );
        first.endpoints = vec![
            Endpoint {
                name: "Say.Hello".to_owned(),
                request: Some(request),
                response: Some(value("Response", "Response", vec![value("msg", "string", vec![])])),
                metadata: metadata(&[("stream", "false"), ("api", "true")]),
            },
            Endpoint { name: "Say.Nothing".to_owned(), ..Endpoint::default() },
        ];
        let second = testing::service("go.micro.srv.greeter", "", &["[::1]:80"]);
        let shown = service(&[first, second]);
        assert!(shown.ends_with("Response: {}\n"));
        insta::assert_snapshot!(shown.replace('\t', "⇥"), @r"
        service  go.micro.srv.greeter

        version 1.0.0

        ID⇥Address⇥Metadata
        go.micro.srv.greeter-1⇥127.0.0.1:38701⇥broker=http,server=rpc,transport=http

        ID⇥Address⇥Metadata
        go.micro.srv.greeter-1⇥[::1]:80⇥

        Endpoint: Say.Hello

        Metadata: api=true,stream=false

        Request: {
        ⇥name string
        ⇥home_address Address {
        ⇥⇥street string
        ⇥}
        }

        Response: {
        ⇥msg string
        }


        Endpoint: Say.Nothing

        Request: {}

        Response: {}
        ");
    }

    #[test]
    fn a_bottomless_type_is_cut() {
        let mut bottomless = value("x", "X", vec![]);
        for _ in 0..1000 {
            bottomless = value("x", "X", vec![bottomless]);
        }
        let mut text = String::new();
        fields(&mut text, &bottomless.values, 1);
        assert_eq!(text.matches("x X").count(), DEEPEST);
    }

    #[test]
    fn what_others_wrote_is_one_bounded_line() {
        assert_eq!(one_line("bad\n\tthing \u{1b}[2J"), "bad thing [2J");
        assert_eq!(one_line(&"x".repeat(10_000)).chars().count(), LINE + 1);
    }
}
