//! A table of a config file that knows where each of its values was set.

use crate::problem::{Place, Problem};
use crate::read;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::sync::Arc;
use toml::de::{DeTable, DeValue};

/// A table of the config with the place of every value. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Section {
    /// The dotted path from the root; empty at the root.
    pub(crate) path: String,
    pub(crate) table: Arc<BTreeMap<String, Entry>>,
}

/// A value and where it was set.
#[derive(Clone, Debug)]
pub(crate) enum Entry {
    /// A leaf: any TOML value that is not a table.
    Leaf { place: Place, value: toml::Value },
    /// A table of its own, and where it begins.
    Table { place: Place, section: Section },
}

impl Section {
    /// Reads a config text.
    ///
    /// # Errors
    /// The text is no TOML: each defect with its line.
    pub fn parse(file: &str, text: &str) -> Result<Self, Vec<Problem>> {
        let lines = Lines::new(file, text);
        let (table, mut errors) = DeTable::parse_recoverable(text);
        if errors.is_empty() {
            return Ok(lines.section(String::new(), table.get_ref()));
        }
        errors.sort_by_key(|error| error.span().map(|span| span.start));
        Err(errors
            .iter()
            .map(|error| Problem {
                place: lines.place(error.span().map_or(0, |span| span.start)),
                key: String::new(),
                text: format!("not TOML: {}", error.message().replace('\n', ", ")),
                cure: String::new(),
            })
            .collect())
    }

    /// The sub-table `key`; empty if it is absent, so that defaults apply.
    #[must_use]
    pub fn sub(&self, key: &str) -> Self {
        match self.table.get(key) {
            Some(Entry::Table { section, .. }) => section.clone(),
            _ => Self { path: self.join(key), table: Arc::default() },
        }
    }

    /// The names of the sub-tables, sorted.
    pub fn tables(&self) -> impl Iterator<Item = &str> {
        self.table.iter().filter(|(_, entry)| matches!(entry, Entry::Table { .. })).map(|(key, _)| key.as_str())
    }

    /// Where the section's key or sub-table was set.
    pub fn place(&self, key: &str) -> Place {
        match self.table.get(key) {
            Some(Entry::Leaf { place, .. } | Entry::Table { place, .. }) => place.clone(),
            None => Place::Default,
        }
    }

    /// Sets one value, as a flag or an environment variable does. `path` is dotted, from this section; tables on the
    /// way are made.
    pub fn set(&mut self, path: &str, value: toml::Value, place: Place) {
        let Some((key, rest)) = path.split_once('.') else {
            Arc::make_mut(&mut self.table).insert(path.to_owned(), Entry::Leaf { place, value });
            return;
        };
        let mut section = self.sub(key);
        section.set(rest, value, place.clone());
        Arc::make_mut(&mut self.table).insert(key.to_owned(), Entry::Table { place, section });
    }

    /// Replaces texts, in sub-tables too, by what `resolve` makes of them; `None` keeps one. What it refuses becomes a
    /// problem, and the value is taken out.
    pub fn resolve(&mut self, resolve: &mut dyn FnMut(&str) -> Option<Result<String, String>>) -> Vec<Problem> {
        let mut problems = Vec::new();
        let path = self.path.clone();
        Arc::make_mut(&mut self.table).retain(|key, entry| match entry {
            Entry::Table { section, .. } => {
                problems.append(&mut section.resolve(resolve));
                true
            }
            Entry::Leaf { place, value } => match value.as_str().and_then(&mut *resolve) {
                None => true,
                Some(Ok(text)) => {
                    *value = toml::Value::String(text);
                    true
                }
                Some(Err(text)) => {
                    let key = join(&path, key);
                    problems.push(Problem { place: place.clone(), key, text, cure: String::new() });
                    false
                }
            },
        });
        problems
    }

    /// Reads the section's own keys (not its sub-tables) as `T`, where an absent key means its default.
    ///
    /// A key in error is reported, taken out, and the section is read again, so every problem is found at once; unknown
    /// keys are problems that name the nearest known one. After 100 problems the rest is not looked at, and the value is
    /// the default.
    pub fn read<T: DeserializeOwned + Default>(&self) -> (T, Vec<Problem>) {
        read::read(self)
    }

    /// A problem for each sub-table whose name is none of `known`.
    pub fn unknown_tables(&self, known: &[&str]) -> Vec<Problem> {
        self.tables()
            .filter(|name| !known.contains(name))
            .map(|name| Problem {
                place: self.place(name),
                key: self.join(name),
                text: "unknown section".to_owned(),
                cure: read::cure(name, known),
            })
            .collect()
    }

    /// The dotted path of this section; empty at the root.
    pub fn path(&self) -> &str {
        &self.path
    }

    pub(crate) fn join(&self, key: &str) -> String {
        join(&self.path, key)
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// Finds the line of a byte.
struct Lines {
    file: Arc<str>,
    /// Where each line ends, in bytes.
    ends: Vec<usize>,
}

impl Lines {
    fn new(file: &str, text: &str) -> Self {
        Self { file: file.into(), ends: text.match_indices('\n').map(|(at, _)| at).collect() }
    }

    fn place(&self, at: usize) -> Place {
        let line = 1 + self.ends.partition_point(|end| *end < at);
        Place::Line { file: Arc::clone(&self.file), line }
    }

    fn section(&self, path: String, table: &DeTable<'_>) -> Section {
        let entries = table.iter().map(|(key, value)| {
            let name = key.get_ref().to_string();
            let place = self.place(key.span().start);
            let entry = match value.get_ref() {
                DeValue::Table(inner) => Entry::Table { place, section: self.section(join(&path, &name), inner) },
                leaf => Entry::Leaf { place, value: plain(leaf) },
            };
            (name, entry)
        });
        let table = Arc::new(entries.collect());
        Section { path, table }
    }
}

/// The value without its spans. A number that does not fit stays text, and its type says so when it is read.
fn plain(value: &DeValue<'_>) -> toml::Value {
    match value {
        DeValue::String(text) => toml::Value::String(text.to_string()),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map_or_else(|_| toml::Value::String(number.to_string()), toml::Value::Integer),
        DeValue::Float(number) => {
            number.as_str().parse().map_or_else(|_| toml::Value::String(number.as_str().to_owned()), toml::Value::Float)
        }
        DeValue::Boolean(yes) => toml::Value::Boolean(*yes),
        DeValue::Datetime(time) => toml::Value::Datetime(*time),
        DeValue::Array(items) => toml::Value::Array(items.iter().map(|item| plain(item.get_ref())).collect()),
        DeValue::Table(table) => toml::Value::Table(
            table.iter().map(|(key, value)| (key.get_ref().to_string(), plain(value.get_ref()))).collect(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_defect_of_a_broken_file_has_its_line() {
        let problems = Section::parse("c.toml", "[bot]\nlimit = \n\n[log\nlevel = \"warn\"\n").unwrap_err();
        let lines: Vec<_> = problems.iter().map(|problem| problem.place.to_string()).collect();
        assert_eq!(lines, ["c.toml:2", "c.toml:4"], "{problems:?}");
    }

    #[test]
    fn a_flag_wins_over_the_file_and_keeps_its_place() {
        let mut section = Section::parse("c.toml", "[client]\nretries = 2\npool_size = 3\n").unwrap();
        section.set("client.retries", toml::Value::Integer(5), Place::Flag("--client_retries".into()));
        assert_eq!(section.sub("client").place("retries").to_string(), "flag --client_retries");
        assert_eq!(section.sub("client").place("pool_size").to_string(), "c.toml:3");
        assert_eq!(section.sub("nowhere").path(), "nowhere");
    }

    #[test]
    fn a_secret_that_cannot_be_had_is_a_problem_at_its_place() {
        let mut section = Section::parse("c.toml", "[slack]\ntoken = \"env:GONE\"\nname = \"plain\"\n").unwrap();
        let problems =
            section.resolve(&mut |text| text.strip_prefix("env:").map(|name| Err(format!("{name} is not set"))));
        assert_eq!(problems[0].to_string(), "c.toml:2: slack.token: GONE is not set");
        assert_eq!(section.sub("slack").table.len(), 1);
    }

    #[test]
    fn an_unknown_section_names_the_nearest() {
        let section = Section::parse("c.toml", "[registri]\nname = \"mdns\"\n").unwrap();
        let problems = section.unknown_tables(&["bot", "registry"]);
        assert_eq!(
            problems[0].to_string(),
            "c.toml:1: registri: unknown section; did you mean `registry`? known: bot, registry"
        );
    }
}
