//! The definition of a service as people type it: `register` and `deregister`.

use crate::json;
use bot::command::{CommandError, CommandErrorKind, Plan, Risk};
use bot::message::Args;
use bytes::Bytes;
use micro::registry::service::Service;

/// What `help` tells of the definition.
pub(crate) const DETAILS: &str = "\
the definition: JSON, also in quotes, backticks or a fenced block
  {\"name\":\"…\", \"version\":\"…\", \"nodes\":[{\"id\":\"…\", \"address\":\"HOST:PORT\"}]}
  metadata and endpoints may stand in it, as `get service` shows them";

/// What follows `register service`: the definition, read strictly. Code fences and single quotes around it do not count.
///
/// # Errors
/// `Usage` if there is none, or no name or no node in it; `Malformed`, with line and column.
pub(crate) fn plan(command: &str, typed: &str, usage: &str) -> Result<Plan, CommandError> {
    let definition = unwrapped(typed);
    if definition.is_empty() {
        return Err(refused(format!("require service definition\nusage: {usage}")));
    }
    let service = read(definition)?;
    if service.name.trim().is_empty() {
        return Err(refused("the service has no name"));
    }
    if service.nodes.is_empty() {
        return Err(refused("require at least one node"));
    }
    let definition = json::compact(definition);
    Ok(Plan {
        risk: Risk::Change,
        service: Some(service.name),
        endpoint: None,
        canonical: format!("{command} {definition}"),
        request: Some(Bytes::from(definition)),
        within: None,
    })
}

/// The definition as it was typed, or filled into a form.
pub(crate) fn typed(args: &Args) -> &str {
    args.named.get("definition").unwrap_or(&args.rest)
}

/// The service that was planned.
///
/// # Errors
/// `Malformed`: the plan is none of [`plan`]'s.
pub(crate) fn planned(plan: &Plan) -> Result<Service, CommandError> {
    let bytes = plan.request.as_deref().unwrap_or_default();
    serde_json::from_slice(bytes).map_err(|error| malformed(&error.to_string()))
}

fn read(definition: &str) -> Result<Service, CommandError> {
    let end = json::value(definition, 0).map_err(|flaw| flawed(definition, flaw.at, flaw.what))?.end;
    let rest = &definition[end..];
    if let Some(at) = rest.find(|letter: char| !letter.is_whitespace()) {
        return Err(flawed(definition, end + at, "nothing may follow the definition"));
    }
    serde_json::from_str(definition).map_err(|error| malformed(&error.to_string()))
}

fn flawed(definition: &str, at: usize, what: &str) -> CommandError {
    let before = &definition[..at];
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    malformed(&format!("{what} at line {line} column {column}"))
}

fn malformed(what: &str) -> CommandError {
    CommandError::new(CommandErrorKind::Malformed, format!("the definition cannot be read: {what}"))
}

fn refused(text: impl Into<String>) -> CommandError {
    CommandError::new(CommandErrorKind::Usage, text)
}

/// Takes off what people put around JSON: a code fence with or without a language, backticks, single quotes.
fn unwrapped(typed: &str) -> &str {
    let typed = typed.trim();
    if let Some(fenced) = typed.strip_prefix("```").and_then(|typed| typed.strip_suffix("```")) {
        let lang = fenced.bytes().take_while(u8::is_ascii_alphanumeric).count();
        return fenced[lang..].trim();
    }
    for quote in ['`', '\''] {
        if let Some(quoted) = typed.strip_prefix(quote).and_then(|typed| typed.strip_suffix(quote)) {
            return quoted.trim();
        }
    }
    typed
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{"Name":"x","nodes":[{"ID":"x-1","address":"10.0.0.1","port":80}]}"#;

    fn told(typed: &str) -> String {
        match plan("register service", typed, "register service [definition]") {
            Ok(plan) => plan.canonical,
            Err(error) => format!("{}: {}", error.kind.as_str(), error.text),
        }
    }

    #[test]
    fn a_definition_is_read_in_any_case_and_both_node_forms_whatever_stands_around_it() {
        for typed in [
            GOOD.to_owned(),
            format!("'{GOOD}'"),
            format!("`{GOOD}`"),
            format!("```json\n{GOOD}\n```"),
            format!("```{GOOD}```"),
            GOOD.replace(',', " ,\n\t"),
        ] {
            assert_eq!(told(&typed), format!("register service {GOOD}"));
        }
        let service = planned(&plan("register service", GOOD, "").unwrap()).unwrap();
        assert_eq!(service.nodes[0].address, "10.0.0.1:80");
    }

    #[test]
    fn a_wrong_definition_says_what_is_wrong_and_where() {
        let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
        let lines: Vec<String> = [
            "",
            "``````",
            "{\"name\":\"x\",\n \"nodes\": [}",
            "{\"name\":\"é\", nodes: []}",
            r#"{"name":"x"} and more"#,
            r#"{"name":7}"#,
            r#"{"name":"x","nodes":{}}"#,
            r#"["x"]"#,
            r#"{"nodes":[{"id":"1","address":"h:1"}]}"#,
            r#"{"name":"x"}"#,
            &format!(r#"{{"name":"x","extra":{deep}}}"#),
            &deep,
        ]
        .into_iter()
        .map(told)
        .collect();
        insta::assert_snapshot!(lines.join("\n"), @r"
        usage: require service definition
        usage: register service [definition]
        usage: require service definition
        usage: register service [definition]
        malformed: the definition cannot be read: a value is missing at line 2 column 12
        malformed: the definition cannot be read: a key in double quotes belongs here at line 1 column 14
        malformed: the definition cannot be read: nothing may follow the definition at line 1 column 14
        malformed: the definition cannot be read: invalid type: integer `7`, expected a string at line 1 column 9
        malformed: the definition cannot be read: invalid type: map, expected a sequence at line 1 column 20
        malformed: the definition cannot be read: invalid type: sequence, expected a service: an object with name, version and nodes at line 1 column 0
        usage: the service has no name
        usage: require at least one node
        usage: require at least one node
        malformed: the definition cannot be read: invalid type: sequence, expected a service: an object with name, version and nodes at line 1 column 0
        ");
    }
}
