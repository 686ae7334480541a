//! `key=value` and `a.b=c`: pairs as they are typed, and the JSON object that they make.
//!
//! With a schema a value has its field's type: text stays text (`zip=0123`), numbers are checked and keep their digits, a
//! list is repeated (`tag=a tag=b`), separated by commas (`tag=a,b`) or JSON (`tag=["a"]`). Without one, a bare value that
//! is a JSON number, `true`, `false`, `null`, object or array is that, and anything else is text; a quoted value is always
//! text; a key given again makes a list.

use crate::call::glyph;
use crate::call::options::is_option;
use crate::call::request::{self, Json};
use crate::call::schema::{self, Look};
use crate::call::word;
use crate::call::wrong::Wrong;
use crate::json;
use micro::registry::service::Value;

/// The most pairs of one request.
const MOST: usize = 1_000;
/// The most parts of one key.
const DEEPEST: usize = 32;

/// One pair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pair {
    /// The key, split at its dots; a quoted key is one part.
    pub(crate) path: Vec<String>,
    /// Where the key stands.
    pub(crate) at: usize,
    /// The value.
    pub(crate) value: Given,
    /// Where the value stands.
    pub(crate) value_at: usize,
}

/// A value as it was typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Given {
    /// Without quotes.
    Bare(String),
    /// In quotes, which are off.
    Quoted(String),
    /// An object or a list.
    Json(Json),
}

/// Reads pairs from `at` up to an option or the end; returns where that is.
///
/// # Errors
/// Something that is no pair.
pub(crate) fn read(text: &str, at: usize) -> Result<(Vec<Pair>, usize), Wrong> {
    let mut pairs = Vec::new();
    let mut at = glyph::skip(text, at);
    while at < text.len() && !is_option(text, at) {
        let (pair, end) = pair(text, at)?;
        pairs.push(pair);
        at = glyph::skip(text, end);
    }
    Ok((pairs, at))
}

fn pair(text: &str, at: usize) -> Result<(Pair, usize), Wrong> {
    let quoted = glyph::at(text, at).is_some_and(word::is_quote);
    let (key, key_end) = word::read(text, at, &['='])?;
    if !text[key_end..].starts_with('=') {
        return Err(Wrong::new(at, no_pair(text, at, key_end)));
    }
    let path: Vec<String> = if quoted { vec![key.text] } else { key.text.split('.').map(str::to_owned).collect() };
    if path.iter().any(|part| part.is_empty() || part.contains(['{', '}', '[', ']', ':', ',', '<', '>']) && !quoted)
        || path.len() > DEEPEST
    {
        return Err(Wrong::new(at, "no field's name; a key is like name or address.street"));
    }
    let value_at = key_end + 1;
    let (value, end) = match glyph::at(text, value_at) {
        Some('{' | '[') => request::value(text, value_at).map(|(json, end)| (Given::Json(json), end))?,
        Some(letter) if word::is_quote(letter) => {
            word::quoted(text, value_at).map(|(text, end)| (Given::Quoted(text), end))?
        }
        _ => {
            let end = glyph::word_end(text, value_at);
            (Given::Bare(text[value_at..end].trim_matches(glyph::is_invisible).to_owned()), end)
        }
    };
    if glyph::at(text, end).is_some_and(|letter| !letter.is_whitespace() && !glyph::is_invisible(letter)) {
        return Err(Wrong::new(end, "a blank belongs behind this value"));
    }
    Ok((Pair { path, at, value, value_at }, end))
}

fn no_pair(text: &str, at: usize, end: usize) -> String {
    let word = &text[at..end];
    if word.contains(':') {
        "neither JSON nor pairs; a pair is name=value, and JSON begins with `{`".to_owned()
    } else if glyph::at(text, glyph::skip(text, end)) == Some('=') {
        "no blanks stand around the `=` of a pair".to_owned()
    } else {
        "no pair; a pair is name=value, and a value with blanks stands in quotes".to_owned()
    }
}

/// The JSON object that the pairs make.
///
/// # Errors
/// A field that a complete schema lacks, a value of the wrong type, a key given twice; not the first two if `force`.
pub(crate) fn build(pairs: &[Pair], schema: Option<&Value>, force: bool) -> Result<String, Wrong> {
    if let Some(pair) = pairs.get(MOST) {
        return Err(Wrong::new(pair.at, format!("more than {MOST} pairs; give JSON")));
    }
    let mut root = Tree::Object(Vec::new());
    for pair in pairs {
        let found = resolve(pair, schema, force)?;
        let leaf = typed(pair, found.field, force)?;
        root.insert(&found.names, leaf).map_err(|what| Wrong::new(pair.at, what))?;
    }
    let mut out = String::new();
    root.write(&mut out);
    Ok(out)
}

struct Found<'a> {
    names: Vec<String>,
    field: Option<&'a Value>,
}

/// The names as the schema spells them, and the field that the key ends at.
fn resolve<'a>(pair: &Pair, schema: Option<&'a Value>, force: bool) -> Result<Found<'a>, Wrong> {
    let mut found = Found { names: Vec::new(), field: schema };
    for (depth, part) in pair.path.iter().enumerate() {
        let Some(level) = found.field else {
            found.names.push(part.clone());
            continue;
        };
        if depth > 0 && schema::is_list(level) && !force {
            return Err(Wrong::new(pair.at, format!("`{}` is a list; give it as JSON", pair.path[..depth].join("."))));
        }
        if depth > 0 && schema::is_scalar(level) && !force {
            return Err(Wrong::new(
                pair.at,
                format!("`{}` is {} and has no fields", pair.path[..depth].join("."), level.r#type),
            ));
        }
        match schema::look(level, part) {
            Look::Field(field) => {
                found.names.push(field.name.clone());
                found.field = Some(field);
            }
            Look::Unknown if !force => {
                return Err(Wrong::new(pair.at, schema::unknown(level, &pair.path[..=depth].join("."), part)));
            }
            Look::Open | Look::Unknown => {
                found.names.push(part.clone());
                found.field = None;
            }
        }
    }
    Ok(found)
}

/// What a pair puts at its place.
enum Leaf {
    One(String),
    Several(Vec<String>),
    /// Its type is not known: given again, it becomes a list.
    Loose(String),
}

fn typed(pair: &Pair, field: Option<&Value>, force: bool) -> Result<Leaf, Wrong> {
    let Some(field) = field.filter(|field| !field.r#type.is_empty()) else {
        return Ok(Leaf::Loose(inferred(&pair.value)));
    };
    let wrong = |what: String| Wrong::new(pair.value_at, format!("`{}` is {what}", pair.path.join(".")));
    let Some(element) = schema::element(&field.r#type) else {
        return match scalar(&field.r#type, &pair.value) {
            Ok(text) => Ok(Leaf::One(text)),
            Err(_) if force => Ok(Leaf::Loose(inferred(&pair.value))),
            Err(what) => Err(wrong(what)),
        };
    };
    let several = match &pair.value {
        Given::Json(json) if json.text.starts_with('[') => {
            Ok(json::elements(&json.text).map(|(_, element)| element.to_owned()).collect())
        }
        Given::Bare(text) if text.is_empty() => Ok(Vec::new()),
        Given::Bare(text) => text.split(',').map(|part| scalar(element, &Given::Bare(part.to_owned()))).collect(),
        Given::Json(_) if schema::is_plain(element) => Err("give a,b or [\"a\",\"b\"]".to_owned()),
        one => scalar(element, one).map(|text| vec![text]),
    };
    match several {
        Ok(several) => Ok(Leaf::Several(several)),
        Err(_) if force => Ok(Leaf::Loose(inferred(&pair.value))),
        Err(what) => Err(wrong(format!("{}; {what}", field.r#type))),
    }
}

/// A value of one of Go's types as JSON; else what belongs there.
fn scalar(r#type: &str, given: &Given) -> Result<String, String> {
    match (r#type, given) {
        ("string" | "[]uint8" | "[]byte", Given::Bare(text) | Given::Quoted(text)) => Ok(json::quoted(text)),
        ("string", Given::Json(json)) => Ok(json::quoted(&json.text)),
        ("bool", Given::Bare(text) | Given::Quoted(text)) => match text.to_ascii_lowercase().as_str() {
            "true" => Ok("true".to_owned()),
            "false" => Ok("false".to_owned()),
            _ => Err("bool: true or false".to_owned()),
        },
        ("float32" | "float64", Given::Bare(text) | Given::Quoted(text)) => {
            let text = dashes(text);
            let number = is_number(&text);
            number.then_some(text).ok_or_else(|| format!("{type}: a number like 1.5"))
        }
        (whole, Given::Bare(text) | Given::Quoted(text)) if schema::range(whole).is_some() => {
            let text = dashes(text);
            let fits = is_number(&text)
                && schema::range(whole)
                    .is_some_and(|range| text.parse().is_ok_and(|number: i128| range.contains(&number)));
            let is_whole = is_number(&text) && !text.contains(['.', 'e', 'E']);
            if fits {
                return Ok(text);
            }
            Err(match schema::range(whole).filter(|_| is_whole) {
                Some(range) => format!("{whole}: from {} to {}", range.start(), range.end()),
                None => format!("{whole}: a whole number"),
            })
        }
        (scalar, Given::Json(_)) if schema::is_plain(scalar) => Err(format!("{scalar}, no object or list")),
        (_, given) => Ok(inferred(given)),
    }
}

/// A number with the minus that a phone made a long dash.
fn dashes(text: &str) -> String {
    match text.strip_prefix(glyph::is_dash) {
        Some(rest) => format!("-{rest}"),
        None => text.to_owned(),
    }
}

fn is_number(text: &str) -> bool {
    text.starts_with(|letter: char| letter == '-' || letter.is_ascii_digit())
        && json::is_valid(text)
        && !text.ends_with(char::is_whitespace)
}

fn inferred(given: &Given) -> String {
    match given {
        Given::Json(json) => json.text.clone(),
        Given::Bare(text) if matches!(text.as_str(), "true" | "false" | "null") || is_number(text) => text.clone(),
        Given::Bare(text) | Given::Quoted(text) => json::quoted(text),
    }
}

/// JSON that grows.
enum Tree {
    Object(Vec<(String, Tree)>),
    List { items: Vec<String>, loose: bool },
    Leaf { text: String, loose: bool },
}

impl Tree {
    fn insert(&mut self, names: &[String], leaf: Leaf) -> Result<(), String> {
        let Some((name, deeper)) = names.split_first() else { return self.again(leaf) };
        let Tree::Object(members) = self else {
            return Err(format!("`{name}` cannot stand inside a plain value that is given too"));
        };
        let position = members.iter().position(|(known, _)| known == name);
        match position {
            Some(position) => {
                let (name, member) = &mut members[position];
                member.insert(deeper, leaf).map_err(|what| what.replace("{}", name))
            }
            None if deeper.is_empty() => {
                members.push((name.clone(), Tree::from(leaf)));
                Ok(())
            }
            None => {
                let mut member = Tree::Object(Vec::new());
                member.insert(deeper, leaf)?;
                members.push((name.clone(), member));
                Ok(())
            }
        }
    }

    /// A key that is given again.
    fn again(&mut self, leaf: Leaf) -> Result<(), String> {
        match (&mut *self, leaf) {
            (Tree::List { items, loose: false }, Leaf::Several(more)) => items.extend(more),
            (Tree::List { items, loose: true }, Leaf::Loose(one)) => items.push(one),
            (Tree::Leaf { text, loose: true }, Leaf::Loose(one)) => {
                *self = Tree::List { items: vec![std::mem::take(text), one], loose: true };
            }
            _ => return Err("`{}` is given twice".to_owned()),
        }
        Ok(())
    }

    /// At most as deep as the longest key.
    fn write(&self, out: &mut String) {
        match self {
            Tree::Leaf { text, .. } => out.push_str(text),
            Tree::List { items, .. } => {
                out.push('[');
                out.push_str(&items.join(","));
                out.push(']');
            }
            Tree::Object(members) => {
                out.push('{');
                for (index, (name, member)) in members.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    out.push_str(&json::quoted(name));
                    out.push(':');
                    member.write(out);
                }
                out.push('}');
            }
        }
    }
}

impl From<Leaf> for Tree {
    fn from(leaf: Leaf) -> Self {
        match leaf {
            Leaf::One(text) => Tree::Leaf { text, loose: false },
            Leaf::Several(items) => Tree::List { items, loose: false },
            Leaf::Loose(text) => Tree::Leaf { text, loose: true },
        }
    }
}
