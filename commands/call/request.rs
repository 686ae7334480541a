//! The request as people type it: JSON, in brackets, quotes, backticks or a fence, or pairs.

use crate::call::glyph;
use crate::call::options;
use crate::call::pairs::{self, Pair};
use crate::call::repair::{Closing, repair};
use crate::call::wrong::Wrong;
use crate::json::{self, Extent, Flaw};

/// How many wrappers may stand in one another: a fence, backticks, quotes, an angle.
const WRAPPERS: usize = 4;

/// What was typed as the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// Nothing: `{}`.
    Nothing,
    /// JSON.
    Json(Json),
    /// `key=value` pairs.
    Pairs(Vec<Pair>),
}

/// Valid JSON, and where each part of it was typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Json {
    /// The JSON: the typed bytes, unless they had to be repaired.
    pub(crate) text: String,
    origin: Vec<(usize, usize)>,
}

impl Json {
    /// The offset in the typed line of an offset in the JSON.
    pub(crate) fn origin(&self, at: usize) -> usize {
        origin(&self.origin, at)
    }
}

/// Reads the request that begins at `at`; returns it with its end.
///
/// # Errors
/// Where it cannot be understood.
pub(crate) fn read(text: &str, at: usize) -> Result<(Request, usize), Wrong> {
    wrapped(text, glyph::skip(text, at), 0)
}

/// Reads one JSON value: strictly, and only if that fails repaired.
///
/// # Errors
/// Where it stops being JSON.
pub(crate) fn value(text: &str, at: usize) -> Result<(Json, usize), Wrong> {
    match json::value(text, at) {
        Ok(extent) => Ok((as_typed(text, at, extent.end), extent.end)),
        Err(flaw) => repaired(text, at, flaw, json::value),
    }
}

fn wrapped(text: &str, at: usize, wrappers: usize) -> Result<(Request, usize), Wrong> {
    let Some(first) = glyph::at(text, at) else { return Ok((Request::Nothing, at)) };
    let (inside, closers) = match first {
        '{' | '[' => return value(text, at).map(|(json, end)| (Request::Json(json), end)),
        letter if letter == '"' || glyph::is_curly(letter) => return bare(text, at),
        '<' => (at + 1, vec![">".to_owned()]),
        '`' => match fence(text, at) {
            (end, ticks) if ticks[0].len() % 2 == 0 && !text[end..].contains('`') => {
                return Ok((Request::Nothing, end));
            }
            fence => fence,
        },
        letter if glyph::is_single(letter) => {
            (at + letter.len_utf8(), ["'", "‘", "’", "‚", "‛"].map(str::to_owned).into_iter().collect())
        }
        _ => return plain(text, at, text.len()),
    };
    if wrappers == WRAPPERS {
        return Err(Wrong::new(at, "too many quotes around the request"));
    }
    let inside = glyph::skip(text, inside);
    let closer_at = |at: usize| closers.iter().find(|closer| text[at..].starts_with(closer.as_str()));
    if let Some(closer) = closer_at(inside) {
        return Ok((Request::Nothing, inside + closer.len()));
    }
    let is_plain = glyph::at(text, inside)
        .is_some_and(|letter| !"{[\"<`".contains(letter) && !glyph::is_curly(letter) && !glyph::is_single(letter));
    let (request, end) = if is_plain {
        let end = closers.iter().filter_map(|closer| text[inside..].rfind(closer.as_str())).max();
        let end = end.ok_or_else(|| unclosed(at, &closers))? + inside;
        plain(text, inside, end)?
    } else {
        wrapped(text, inside, wrappers + 1)?
    };
    let end = glyph::skip(text, end);
    match closer_at(end) {
        Some(closer) => Ok((request, end + closer.len())),
        None if end == text.len() => Err(unclosed(at, &closers)),
        None if options::is_option(text, end) => Err(Wrong::new(end, "options stand outside the quotes")),
        None => Err(Wrong::new(end, format!("`{}` belongs here", closers[0]))),
    }
}

fn unclosed(at: usize, closers: &[String]) -> Wrong {
    Wrong::new(at, format!("what opens here is never closed: `{}` is missing", closers[0]))
}

/// Backticks: one or two around a piece of code, or a fence of three and more with or without a language's name.
fn fence(text: &str, at: usize) -> (usize, Vec<String>) {
    let ticks = text[at..].len() - text[at..].trim_start_matches('`').len();
    let inside = at + ticks;
    let name = text[inside..].find(|letter: char| !(letter.is_ascii_alphanumeric() || "+-_#.".contains(letter)));
    let named = name.filter(|length| ticks >= 3 && glyph::at(text, inside + length).is_some_and(char::is_whitespace));
    (inside + named.unwrap_or_default(), vec!["`".repeat(ticks)])
}

/// What begins with a quote: members without braces, a pair with a quoted key, or a JSON string by itself.
fn bare(text: &str, at: usize) -> Result<(Request, usize), Wrong> {
    let flaw = match json::members(text, at) {
        Ok(extent) => {
            let end = text[..extent.end].trim_end().len();
            let json = Json { text: format!("{{{}}}", &text[at..end]), origin: vec![(0, at), (1, at)] };
            return Ok((Request::Json(json), end));
        }
        Err(flaw) => flaw,
    };
    match json::string(text, at).map(|end| (end, glyph::at(text, end))) {
        Ok((_, Some('='))) => return pairs::read(text, at).map(|(pairs, end)| (Request::Pairs(pairs), end)),
        Ok((end, _)) if glyph::at(text, glyph::skip(text, end)) != Some(':') => {
            return Ok((Request::Json(as_typed(text, at, end)), end));
        }
        _ => {}
    }
    let (mut json, end) = repaired(text, at, flaw, json::members)?;
    json.text = format!("{{{}}}", json.text.trim_end());
    for (start, _) in json.origin.iter_mut().skip(1) {
        *start += 1;
    }
    json.origin.insert(1, (1, at));
    Ok((Request::Json(json), end))
}

/// What begins with a letter or a digit: pairs, or a plain JSON value by itself.
fn plain(text: &str, at: usize, end: usize) -> Result<(Request, usize), Wrong> {
    let text = &text[..end];
    let end = glyph::word_end(text, at);
    if let Ok(extent) = json::value(text, at)
        && extent.end == end
    {
        return Ok((Request::Json(as_typed(text, at, end)), end));
    }
    pairs::read(text, at).map(|(pairs, end)| (Request::Pairs(pairs), end))
}

fn as_typed(text: &str, at: usize, end: usize) -> Json {
    Json { text: text[at..end].to_owned(), origin: vec![(0, at)] }
}

/// Tries again what is not JSON as it stands; the flaw that is told is that of the repaired text, at its place.
fn repaired(
    text: &str,
    at: usize,
    flaw: Flaw,
    read: fn(&str, usize) -> Result<Extent, Flaw>,
) -> Result<(Json, usize), Wrong> {
    let mut wrong = None;
    for closing in [Closing::Same, Closing::Any] {
        let mut repaired = repair(text, at, closing);
        match read(&repaired.text, 0) {
            Ok(extent) => {
                let end = origin(&repaired.origin, extent.end);
                repaired.text.truncate(extent.end);
                return Ok((Json { text: repaired.text, origin: repaired.origin }, end));
            }
            Err(flaw) => wrong = wrong.or_else(|| Some(Wrong::new(origin(&repaired.origin, flaw.at), flaw.what))),
        }
    }
    Err(wrong.unwrap_or_else(|| Wrong::new(flaw.at, flaw.what)))
}

fn origin(runs: &[(usize, usize)], at: usize) -> usize {
    let run = runs.partition_point(|(start, _)| *start <= at).saturating_sub(1);
    runs.get(run).map_or(at, |(start, stood)| stood + (at - start))
}
