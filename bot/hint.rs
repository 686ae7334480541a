//! What the asker of a line that is no command is told.

use crate::command::{CommandError, CommandErrorKind, Spec};
use crate::router::{Router, split_first};
use crate::suggest::nearest;

/// The longest piece of what was typed that is quoted back, in characters.
const QUOTED: usize = 60;

/// The usage of a command whose leading words were typed, and one line to copy.
pub(crate) fn usage(spec: &Spec, example: Option<&str>) -> String {
    let usage = if spec.usage.is_empty() { &spec.name } else { &spec.usage };
    let example = example.or(spec.examples.first().map(AsRef::as_ref));
    match example {
        Some(example) if example != usage => {
            format!("`{}` is typed like this: {usage}\nfor example: {example}", spec.name)
        }
        _ => format!("`{}` is typed like this: {usage}", spec.name),
    }
}

/// What may have been meant.
pub(crate) fn unknown(text: &str, router: &Router) -> CommandError {
    let (first, rest) = split_first(text);
    if first.is_empty() {
        return usage_error("I am here; `help` lists what I can do".to_owned());
    }
    if let Some(name) = nearest_name(text, router) {
        return CommandError::new(CommandErrorKind::NotFound, format!("did you mean `{name}`?"));
    }
    let family = family(first, router);
    if family.is_empty() {
        let text = format!("I do not know `{}`; `help` lists what I can do", quoted(first));
        return CommandError::new(CommandErrorKind::NotFound, text);
    }
    let more = if rest.is_empty() { "" } else { " These are known:" };
    let lines = std::iter::once(format!("{} what?{more}", first.to_lowercase())).chain(family);
    usage_error(lines.collect::<Vec<_>>().join("\n"))
}

fn usage_error(text: String) -> CommandError {
    CommandError::new(CommandErrorKind::Usage, text)
}

/// A line for each command of several words that begins with `first`.
fn family(first: &str, router: &Router) -> Vec<String> {
    let first = first.to_lowercase();
    let of_family = |name: &str| name.split_once(' ').is_some_and(|(lead, _)| lead == first);
    let commands = router.built_ins();
    let specs = commands.iter().map(|command| command.spec());
    specs.filter(|spec| of_family(&spec.name)).map(|spec| format!("{} - {}", spec.usage, spec.summary)).collect()
}

/// The known name nearest to the line's first words: of those with most words first.
fn nearest_name(text: &str, router: &Router) -> Option<String> {
    let typed: Vec<&str> = text.split_whitespace().take(4).collect();
    let built_ins = router.built_ins();
    let names: Vec<&str> = built_ins.iter().map(|command| &*command.spec().name).collect();
    for count in (2..=typed.len()).rev() {
        let typed = cut(&typed[..count].join(" "), QUOTED).to_owned();
        let of_length = names.iter().copied().filter(|name| name.split(' ').count() == count);
        if let Some(name) = nearest(&typed, of_length) {
            return Some(name.to_owned());
        }
    }
    let typed = typed.first()?;
    let words = router.service_words();
    let single = names.iter().copied().filter(|name| !name.contains(' '));
    let services = words.iter().flat_map(|word| [&*word.word, &*word.service]);
    nearest(typed, single.chain(services)).map(str::to_owned)
}

/// Typed text that is safe to say back: short, one line, no backticks.
pub(crate) fn quoted(text: &str) -> String {
    let line = text.trim().lines().next().unwrap_or_default();
    let short = cut(line, QUOTED);
    let clean: String = short.chars().filter(|c| !c.is_control() && *c != '`').collect();
    if short.len() < text.trim().len() { format!("{clean}…") } else { clean }
}

/// At most `count` characters.
fn cut(text: &str, count: usize) -> &str {
    text.char_indices().nth(count).map_or(text, |(at, _)| &text[..at])
}
