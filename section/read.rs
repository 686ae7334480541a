//! Reading a section as a type, all problems at once.

use crate::problem::{Place, Problem};
use crate::tree::{Entry, Section};
use serde::de::value::StrDeserializer;
use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, Error as _, IntoDeserializer, MapAccess, Visitor};
use std::cell::RefCell;
use std::collections::BTreeSet;
use toml::de::Error;

/// The most problems of one section that are told: each costs another reading.
const MOST: usize = 100;

pub(crate) fn read<T: DeserializeOwned + Default>(section: &Section) -> (T, Vec<Problem>) {
    let mut problems = Vec::new();
    let mut out = BTreeSet::new();
    loop {
        let at = RefCell::new(None);
        let table = Table { section, out: &out, at: &at };
        match T::deserialize(table) {
            Ok(value) => return (value, problems),
            Err(error) => {
                let Some(key) = at.into_inner() else {
                    problems.push(Problem {
                        place: Place::Default,
                        key: section.path().to_owned(),
                        text: tidy(error.message()),
                        cure: String::new(),
                    });
                    return (T::default(), problems);
                };
                problems.push(problem(section, key, error.message()));
                out.insert(key);
                if problems.len() == MOST {
                    return (T::default(), problems);
                }
            }
        }
    }
}

fn problem(section: &Section, key: &str, message: &str) -> Problem {
    let (text, cure) = match unknown(message) {
        Some(known) => ("unknown key".to_owned(), cure(key, &known)),
        None => (tidy(message), String::new()),
    };
    Problem { place: section.place(key), key: section.join(key), text, cure }
}

/// The known keys, if the message is serde's about an unknown one.
fn unknown(message: &str) -> Option<Vec<&str>> {
    let rest = message.strip_prefix("unknown field ")?;
    Some(rest.split('`').skip(3).step_by(2).collect())
}

/// Which known name was meant, and what the known ones are.
pub(crate) fn cure(name: &str, known: &[&str]) -> String {
    let list = known.join(", ");
    let limit = (name.chars().count() / 3).max(1);
    let near = known.iter().map(|known| (strsim::damerau_levenshtein(name, known), known)).min();
    match near {
        Some((distance, known)) if distance <= limit => format!("did you mean `{known}`? known: {list}"),
        _ if known.is_empty() => "it has no keys".to_owned(),
        _ => format!("known: {list}"),
    }
}

/// serde's words for types, and what people call them.
const TYPES: [(&str, &str); 9] = [
    ("a sequence", "a list: [\"…\"]"),
    ("a string", "a text in quotes"),
    ("a boolean", "true or false"),
    ("usize", "a whole number from 0"),
    ("u64", "a whole number from 0"),
    ("u32", "a whole number from 0"),
    ("u16", "a whole number from 0"),
    ("i64", "a whole number"),
    ("f64", "a number"),
];

/// serde's message in people's words.
fn tidy(message: &str) -> String {
    let message = message.trim().replace('\n', ", ");
    let Some((found, expected)) = message.split_once(", expected ") else { return message };
    let Some(found) = found.strip_prefix("invalid type: ").or_else(|| found.strip_prefix("invalid value: ")) else {
        return message;
    };
    let wanted = TYPES.iter().find(|(name, _)| *name == expected).map_or(expected, |(_, wanted)| wanted);
    format!("{found} stands here, write {wanted}").replace("string \"", "the text \"")
}

/// The section's own leaves as a map, with the key at hand noted.
struct Table<'a, 'c> {
    section: &'a Section,
    out: &'c BTreeSet<&'a str>,
    at: &'c RefCell<Option<&'a str>>,
}

impl<'de> Deserializer<'de> for Table<'_, '_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let leaves = self.section.table.iter().filter_map(|(key, entry)| match entry {
            Entry::Leaf { value, .. } if !self.out.contains(key.as_str()) => Some((key.as_str(), value)),
            _ => None,
        });
        visitor.visit_map(Leaves { rest: leaves, value: None, at: self.at })
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit unit_struct newtype_struct
        seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

struct Leaves<'a, 'c, I> {
    rest: I,
    value: Option<&'a toml::Value>,
    at: &'c RefCell<Option<&'a str>>,
}

impl<'de, 'a, I: Iterator<Item = (&'a str, &'a toml::Value)>> MapAccess<'de> for Leaves<'a, '_, I> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        let Some((key, value)) = self.rest.next() else {
            self.at.replace(None);
            return Ok(None);
        };
        self.at.replace(Some(key));
        self.value = Some(value);
        let key: StrDeserializer<'_, Error> = key.into_deserializer();
        seed.deserialize(key).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        let value = self.value.take().ok_or_else(|| Error::custom("a value without its key"))?;
        seed.deserialize(value.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::period::Period;
    use serde::Deserialize;
    use std::time::Duration;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Config {
        retries: u32,
        names: Vec<String>,
        limit: Period,
    }

    impl Default for Config {
        fn default() -> Self {
            Self { retries: 1, names: Vec::new(), limit: Period(Duration::from_secs(30)) }
        }
    }

    #[test]
    fn all_problems_are_found_at_once_and_the_rest_is_read() {
        let text = "retries = \"many\"\nnames = [\"a\"]\nlimt = \"5s\"\nlimit = \"5 parsecs\"\n[sub]\nx = 1\n";
        let section = Section::parse("c.toml", text).unwrap();
        let (config, problems) = section.read::<Config>();
        assert_eq!(config, Config { names: vec!["a".to_owned()], ..Config::default() });
        let problems: Vec<_> = problems.iter().map(ToString::to_string).collect();
        insta::assert_snapshot!(problems.join("\n"), @r#"
        c.toml:4: limit: "5 parsecs" is no time; write 500ms, 5s, 1m30s
        c.toml:3: limt: unknown key; did you mean `limit`? known: retries, names, limit
        c.toml:1: retries: the text "many" stands here, write a whole number from 0
        "#);
    }

    #[test]
    fn a_section_of_nothing_but_problems_is_given_up_after_a_hundred() {
        let text = (0..50_000).map(|number| format!("key{number} = 1\n")).collect::<Vec<_>>().concat();
        let (_, problems) = Section::parse("c.toml", &text).unwrap().read::<Config>();
        assert_eq!(problems.len(), MOST);
    }

    #[test]
    fn what_is_absent_has_its_default() {
        let (config, problems) = Section::default().read::<Config>();
        assert_eq!((config, problems.len()), (Config::default(), 0));
    }
}
