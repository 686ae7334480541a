//! JSON as bytes: checked, walked, re-indented and compacted without being parsed, so that numbers keep their digits,
//! keys their order and strings their escapes. Nothing here recurses.

use std::borrow::Cow;
use std::fmt::Write as _;

/// The deepest answer that is re-indented; a deeper one would be mostly tabs and is shown as it came.
const DEEPEST: usize = 128;

/// Where text stops being JSON, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flaw {
    /// The byte offset.
    pub at: usize,
    /// What is wrong there, for people.
    pub what: &'static str,
}

/// A value's extent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// The offset behind its last byte.
    pub end: usize,
    /// How many brackets are open at its deepest place; 0 for a plain value.
    pub depth: usize,
}

/// The extent of the JSON value (RFC 8259) that begins at `at`, blanks before it passed over. What follows the value is
/// not looked at.
///
/// # Errors
/// Where it stops being JSON.
pub fn value(text: &str, at: usize) -> Result<Extent, Flaw> {
    scan(text.as_bytes(), at, Vec::new(), Want::Value)
}

/// The extent of an object's members without its braces: `"name":"John","age":7`. They end before the first thing that is
/// no comma.
///
/// # Errors
/// Where they stop being members.
pub fn members(text: &str, at: usize) -> Result<Extent, Flaw> {
    scan(text.as_bytes(), at, vec![Open::Bare], Want::Key)
}

/// The end of the JSON string that begins at `at` with its quote.
///
/// # Errors
/// Where it stops being a JSON string.
pub fn string(text: &str, at: usize) -> Result<usize, Flaw> {
    string_end(text.as_bytes(), at)
}

/// Whether the text is one JSON value and blanks.
pub fn is_valid(text: &str) -> bool {
    value(text, 0).is_ok_and(|extent| text[extent.end..].bytes().all(is_blank))
}

/// Valid JSON without blanks outside its strings: one line.
pub fn compact(valid: &str) -> String {
    let bytes = valid.as_bytes();
    let mut out = String::with_capacity(valid.len());
    let mut at = 0;
    while at < bytes.len() {
        let end = token_end(bytes, at);
        if !is_blank(bytes[at]) {
            out.push_str(&valid[at..end]);
        }
        at = end;
    }
    out
}

/// An answer for people: valid JSON re-indented as Go's `json.Indent` does with one tab a level, without what stands
/// around it. What is no JSON, or deeper than 128 levels, is as it came; bytes that are no UTF-8 become U+FFFD.
pub fn pretty(answer: &[u8]) -> Cow<'_, str> {
    let text = String::from_utf8_lossy(answer);
    match value(&text, 0) {
        Ok(extent) if extent.depth <= DEEPEST && text[extent.end..].bytes().all(is_blank) => Cow::Owned(indent(&text)),
        _ => text,
    }
}

/// The members of a valid object, in their order: the key with its quotes and the value, as they stand.
pub fn entries(object: &str) -> Entries<'_> {
    let at = object.find('{').map_or(object.len(), |brace| brace + 1);
    Entries { text: object, at }
}

/// The elements of a valid array, in their order.
pub fn elements(array: &str) -> Elements<'_> {
    let at = array.find('[').map_or(array.len(), |bracket| bracket + 1);
    Elements { text: array, at }
}

/// A text as a JSON string with its quotes; only what must be escaped is.
pub fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            letter if u32::from(letter) < 0x20 => {
                let _ = write!(out, "\\u{:04x}", u32::from(letter));
            }
            letter => out.push(letter),
        }
    }
    out.push('"');
    out
}

/// See [`entries`].
#[derive(Clone, Debug)]
pub struct Entries<'a> {
    text: &'a str,
    at: usize,
}

/// One member of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// The key with its quotes, as it stands.
    pub key: &'a str,
    /// The key's offset in the object.
    pub at: usize,
    /// The value.
    pub value: &'a str,
    /// The value's offset in the object.
    pub value_at: usize,
}

impl<'a> Iterator for Entries<'a> {
    type Item = Entry<'a>;

    fn next(&mut self) -> Option<Entry<'a>> {
        let bytes = self.text.as_bytes();
        let at = skip(bytes, self.at, b",");
        if bytes.get(at) != Some(&b'"') {
            return None;
        }
        let key_end = token_end(bytes, at);
        let value_at = skip(bytes, key_end, b":");
        let end = value_end(bytes, value_at);
        self.at = end;
        Some(Entry { key: &self.text[at..key_end], at, value: &self.text[value_at..end], value_at })
    }
}

/// See [`elements`]: an element and its offset in the array.
#[derive(Clone, Debug)]
pub struct Elements<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Iterator for Elements<'a> {
    type Item = (usize, &'a str);

    fn next(&mut self) -> Option<(usize, &'a str)> {
        let bytes = self.text.as_bytes();
        let at = skip(bytes, self.at, b",");
        if at >= bytes.len() || bytes[at] == b']' {
            return None;
        }
        self.at = value_end(bytes, at);
        Some((at, &self.text[at..self.at]))
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Open {
    Object,
    Array,
    Bare,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Want {
    Value,
    ValueOrEnd,
    Key,
    KeyOrEnd,
    Colon,
    CommaOrEnd,
}

fn scan(bytes: &[u8], at: usize, mut open: Vec<Open>, mut want: Want) -> Result<Extent, Flaw> {
    let mut at = at;
    let mut depth = open.len();
    loop {
        at = skip(bytes, at, b"");
        let found = bytes.get(at).copied();
        match (want, found) {
            (Want::Colon, Some(b':')) => (at, want) = (at + 1, Want::Value),
            (Want::Key | Want::KeyOrEnd, Some(b'"')) => (at, want) = (string_end(bytes, at)?, Want::Colon),
            (Want::KeyOrEnd, Some(b'}')) | (Want::ValueOrEnd, Some(b']')) => {
                open.pop();
                (at, want) = (at + 1, Want::CommaOrEnd);
            }
            (Want::CommaOrEnd, Some(b',')) => {
                want = if open.last() == Some(&Open::Array) { Want::Value } else { Want::Key };
                at += 1;
            }
            (Want::CommaOrEnd, Some(b'}')) if open.last() == Some(&Open::Object) => {
                open.pop();
                at += 1;
            }
            (Want::CommaOrEnd, Some(b']')) if open.last() == Some(&Open::Array) => {
                open.pop();
                at += 1;
            }
            (Want::CommaOrEnd, _) if open.last() == Some(&Open::Bare) => return Ok(Extent { end: at, depth }),
            (Want::Value | Want::ValueOrEnd, Some(bracket @ (b'{' | b'['))) => {
                let object = bracket == b'{';
                open.push(if object { Open::Object } else { Open::Array });
                depth = depth.max(open.len());
                (at, want) = (at + 1, if object { Want::KeyOrEnd } else { Want::ValueOrEnd });
            }
            (Want::Value | Want::ValueOrEnd, Some(_)) => (at, want) = (plain_end(bytes, at)?, Want::CommaOrEnd),
            (want, found) => return Err(Flaw { at, what: missing(want, found, open.last().copied()) }),
        }
        if open.is_empty() {
            return Ok(Extent { end: at, depth });
        }
    }
}

fn missing(want: Want, found: Option<u8>, open: Option<Open>) -> &'static str {
    match (want, found) {
        (Want::Value, None) => "a value is missing",
        (Want::CommaOrEnd | Want::ValueOrEnd, None) if open == Some(Open::Array) => "`]` is missing",
        (Want::CommaOrEnd | Want::KeyOrEnd, None) => "`}` is missing",
        (Want::Key, Some(b'}')) => "nothing follows the comma",
        (Want::Key | Want::KeyOrEnd, Some(b'\'')) => "keys stand in double quotes, not in single ones",
        (Want::Key | Want::KeyOrEnd, _) => "a key in double quotes belongs here",
        (Want::Colon, Some(b'=')) => "`:` belongs here, not `=`",
        (Want::Colon, _) => "`:` is missing",
        (_, Some(b'}')) if open == Some(Open::Array) => "`]` belongs here, not `}`",
        (_, Some(b']')) if open == Some(Open::Object) => "`}` belongs here, not `]`",
        (_, _) if open == Some(Open::Array) => "`,` or `]` is missing",
        (_, _) => "`,` or `}` is missing",
    }
}

fn plain_end(bytes: &[u8], at: usize) -> Result<usize, Flaw> {
    match bytes[at] {
        b'"' => string_end(bytes, at),
        b'-' | b'0'..=b'9' => number_end(bytes, at),
        _ => {
            let word = ["true", "false", "null"].into_iter().find(|word| bytes[at..].starts_with(word.as_bytes()));
            word.map(|word| at + word.len()).ok_or(Flaw { at, what: no_value(bytes[at]) })
        }
    }
}

fn no_value(found: u8) -> &'static str {
    match found {
        b'\'' => "text stands in double quotes, not in single ones",
        b',' | b'}' | b']' | b':' => "a value is missing",
        b'.' | b'+' => "a number begins with a digit or `-`",
        _ => "no JSON value; text stands in double quotes",
    }
}

fn number_end(bytes: &[u8], start: usize) -> Result<usize, Flaw> {
    let digits = |from: usize| from + bytes[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let whole = start + usize::from(bytes[start] == b'-');
    let mut at = digits(whole);
    if at == whole {
        return Err(Flaw { at, what: "a digit is missing" });
    }
    if at - whole > 1 && bytes[whole] == b'0' {
        return Err(Flaw { at: whole, what: "a number does not begin with 0; text stands in double quotes" });
    }
    if bytes.get(at) == Some(&b'.') {
        let fraction = at + 1;
        at = digits(fraction);
        if at == fraction {
            return Err(Flaw { at, what: "a digit is missing" });
        }
    }
    if matches!(bytes.get(at), Some(b'e' | b'E')) {
        let exponent = at + 1 + usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
        at = digits(exponent.min(bytes.len()));
        if at == exponent {
            return Err(Flaw { at, what: "a digit is missing" });
        }
    }
    Ok(at)
}

fn string_end(bytes: &[u8], start: usize) -> Result<usize, Flaw> {
    let mut at = start + 1;
    loop {
        at += bytes[at..].iter().take_while(|byte| !matches!(byte, b'"' | b'\\' | 0..0x20)).count();
        match bytes.get(at) {
            Some(b'"') => return Ok(at + 1),
            Some(b'\\') => at = escape_end(bytes, at)?,
            Some(b'\n') => return Err(Flaw { at, what: "a line break in a string is written \\n" }),
            Some(b'\t') => return Err(Flaw { at, what: "a tab in a string is written \\t" }),
            Some(_) => return Err(Flaw { at, what: "a control character in a string is written \\u00.." }),
            None => return Err(Flaw { at: start, what: "the quote that opens here is never closed" }),
        }
    }
}

fn escape_end(bytes: &[u8], at: usize) -> Result<usize, Flaw> {
    match bytes.get(at + 1) {
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(at + 2),
        Some(b'u') if bytes.len() >= at + 6 && bytes[at + 2..at + 6].iter().all(u8::is_ascii_hexdigit) => Ok(at + 6),
        Some(b'u') => Err(Flaw { at, what: "\\u takes four hex digits" }),
        _ => Err(Flaw { at, what: "no such escape; a backslash in a string is written \\\\" }),
    }
}

fn indent(valid: &str) -> String {
    let bytes = valid.as_bytes();
    let mut out = String::with_capacity(valid.len() * 2);
    let (mut at, mut level) = (0, 0);
    while at < bytes.len() {
        let end = token_end(bytes, at);
        match bytes[at] {
            blank if is_blank(blank) => {}
            bracket @ (b'{' | b'[') => {
                out.push(char::from(bracket));
                let next = skip(bytes, end, b"");
                if matches!(bytes.get(next), Some(b'}' | b']')) {
                    out.push(char::from(bytes[next]));
                    at = next + 1;
                    continue;
                }
                level += 1;
                line(&mut out, level);
            }
            bracket @ (b'}' | b']') => {
                level -= 1;
                line(&mut out, level);
                out.push(char::from(bracket));
            }
            b',' => {
                out.push(',');
                line(&mut out, level);
            }
            b':' => out.push_str(": "),
            _ => out.push_str(&valid[at..end]),
        }
        at = end;
    }
    out
}

fn line(out: &mut String, level: usize) {
    out.push('\n');
    out.extend(std::iter::repeat_n('\t', level));
}

/// The end of the token of valid JSON that begins at `at`: a string whole, a plain value whole, anything else one byte.
fn token_end(bytes: &[u8], at: usize) -> usize {
    match bytes[at] {
        b'"' => {
            let mut end = at + 1;
            while end < bytes.len() && bytes[end] != b'"' {
                end += if bytes[end] == b'\\' { 2 } else { 1 };
            }
            (end + 1).min(bytes.len())
        }
        byte if is_blank(byte) || b"{}[],:".contains(&byte) => at + 1,
        _ => at + bytes[at..].iter().take_while(|byte| !is_blank(**byte) && !b"{}[],:\"".contains(byte)).count(),
    }
}

/// The end of the valid value that begins at `at`.
fn value_end(bytes: &[u8], at: usize) -> usize {
    let (mut at, mut open) = (at, 0_usize);
    while at < bytes.len() {
        match bytes[at] {
            b'{' | b'[' => open += 1,
            b'}' | b']' => open = open.saturating_sub(1),
            _ => {}
        }
        at = token_end(bytes, at);
        if open == 0 {
            break;
        }
    }
    at
}

fn skip(bytes: &[u8], at: usize, also: &[u8]) -> usize {
    let rest = bytes.get(at..).unwrap_or_default();
    at + rest.iter().take_while(|byte| is_blank(**byte) || also.contains(byte)).count()
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::borrow::Borrow;

    fn flaw(text: &str) -> String {
        let flaw = value(text, 0).unwrap_err();
        format!("{}: {}", flaw.at, flaw.what)
    }

    #[test]
    fn go_s_indent_is_met_byte_for_byte() {
        let answer =
            br#" {"b" : [1, 2.50,{ } , []],"a":{"x\"}":null , "y" :1e400},"z":123456789012345678901234567890}  "#;
        assert_eq!(
            pretty(answer),
            "{\n\t\"b\": [\n\t\t1,\n\t\t2.50,\n\t\t{},\n\t\t[]\n\t],\n\t\"a\": {\n\t\t\"x\\\"}\": null,\n\t\t\"y\": 1e400\n\t},\n\t\"z\": 123456789012345678901234567890\n}"
        );
        assert_eq!(pretty(b"{}"), "{}");
        assert_eq!(pretty(b" [ \n ] "), "[]");
        assert_eq!(pretty(b"\"x\""), "\"x\"");
    }

    #[test]
    fn what_is_no_json_is_shown_as_it_came() {
        assert_eq!(pretty(b"pong "), "pong ");
        assert_eq!(pretty(b""), "");
        assert_eq!(pretty(b"{\"a\":1} x"), "{\"a\":1} x");
        assert_eq!(pretty(b"\xff{}"), "\u{fffd}{}");
    }

    #[test]
    fn a_deep_answer_is_shown_as_it_came() {
        let deep = |levels: usize| format!("{}{}", "[ ".repeat(levels), "]".repeat(levels));
        assert_eq!(pretty(deep(10_000).as_bytes()), deep(10_000));
        assert_eq!(pretty(deep(129).as_bytes()), deep(129));
        assert!(pretty(deep(128).as_bytes()).starts_with("[\n\t[\n\t\t["));
    }

    #[test]
    fn ten_thousand_and_a_million_levels_are_checked_without_recursion() {
        for levels in [10_000, 1_000_000] {
            let text = format!("{}{}", "[".repeat(levels), "]".repeat(levels));
            assert_eq!(value(&text, 0), Ok(Extent { end: text.len(), depth: levels }));
            assert_eq!(flaw(&text[..text.len() - 1]), format!("{}: `]` is missing", text.len() - 1));
        }
    }

    #[test]
    fn a_flaw_says_where_and_what() {
        let said: Vec<String> = [
            "",
            "{",
            "{\"a\"",
            "{\"a\":",
            "{\"a\":1",
            "{\"a\":1,",
            "{\"a\":1,}",
            "{a:1}",
            "{'a':1}",
            "{\"a\"=1}",
            "{\"a\" 1}",
            "{\"a\":1 \"b\":2}",
            "{\"a\":'x'}",
            "{\"a\":John}",
            "{\"a\":True}",
            "[1 2]",
            "[1,]",
            "[1}",
            "{\"a\":1]",
            "{\"a\":[}",
            "{\"a\":01}",
            "{\"a\":-}",
            "{\"a\":1.}",
            "{\"a\":1e}",
            "{\"a\":.5}",
            "{\"a\":\"x}",
            "{\"a\":\"x\ny\"}",
            "{\"a\":\"x\ty\"}",
            "{\"a\":\"\u{1}\"}",
            "{\"a\":\"\\x\"}",
            "{\"a\":\"\\u12g4\"}",
            "{\"a\":\"\\",
        ]
        .into_iter()
        .map(|text| format!("{:16} {}", text.escape_debug().to_string().replace("\\\"", "\""), flaw(text)))
        .collect();
        insta::assert_snapshot!(said.join("\n"), @r#"
                         0: a value is missing
        {                1: `}` is missing
        {"a"             4: `:` is missing
        {"a":            5: a value is missing
        {"a":1           6: `}` is missing
        {"a":1,          7: a key in double quotes belongs here
        {"a":1,}         7: nothing follows the comma
        {a:1}            1: a key in double quotes belongs here
        {\'a\':1}        1: keys stand in double quotes, not in single ones
        {"a"=1}          4: `:` belongs here, not `=`
        {"a" 1}          5: `:` is missing
        {"a":1 "b":2}    7: `,` or `}` is missing
        {"a":\'x\'}      5: text stands in double quotes, not in single ones
        {"a":John}       5: no JSON value; text stands in double quotes
        {"a":True}       5: no JSON value; text stands in double quotes
        [1 2]            3: `,` or `]` is missing
        [1,]             3: a value is missing
        [1}              2: `]` belongs here, not `}`
        {"a":1]          6: `}` belongs here, not `]`
        {"a":[}          6: a value is missing
        {"a":01}         5: a number does not begin with 0; text stands in double quotes
        {"a":-}          6: a digit is missing
        {"a":1.}         7: a digit is missing
        {"a":1e}         7: a digit is missing
        {"a":.5}         5: a number begins with a digit or `-`
        {"a":"x}         5: the quote that opens here is never closed
        {"a":"x\ny"}     7: a line break in a string is written \n
        {"a":"x\ty"}     7: a tab in a string is written \t
        {"a":"\u{1}"}    6: a control character in a string is written \u00..
        {"a":"\\x"}      6: no such escape; a backslash in a string is written \\
        {"a":"\\u12g4"}  6: \u takes four hex digits
        {"a":"\\         6: no such escape; a backslash in a string is written \\
        "#);
    }

    #[test]
    fn members_stand_without_braces_and_end_at_what_is_no_comma() {
        assert_eq!(members(r#""a":1,"b":{"c":[2]}> --node x"#, 0), Ok(Extent { end: 19, depth: 3 }));
        assert_eq!(members(r#""a""#, 0).unwrap_err().what, "`:` is missing");
        assert_eq!(members(r#""a":1,"#, 0).unwrap_err().what, "a key in double quotes belongs here");
    }

    #[test]
    fn objects_and_arrays_are_walked_as_they_stand() {
        let object = r#" { "a" : [1, {"b":","}] , "c\"d":-0.10 } "#;
        let walked: Vec<_> = entries(object).map(|entry| (entry.key, entry.value)).collect();
        assert_eq!(walked, [("\"a\"", r#"[1, {"b":","}]"#), (r#""c\"d""#, "-0.10")]);
        assert!(entries(object).all(
            |entry| object[entry.at..].starts_with(entry.key) && object[entry.value_at..].starts_with(entry.value)
        ));
        let walked: Vec<_> = elements(r#"[ 1, "a,b" ,[[]],{"x":1}]"#).map(|(_, element)| element).collect();
        assert_eq!(walked, ["1", "\"a,b\"", "[[]]", "{\"x\":1}"]);
        assert_eq!(entries("{}").count() + elements("[ ]").count(), 0);
    }

    /// Random JSON with all that a scanner can trip over.
    fn random(rng: &mut fastrand::Rng, depth: usize, out: &mut String) {
        let blank =
            |rng: &mut fastrand::Rng, out: &mut String| out.push_str(["", "", " ", "\t", "\r\n"][rng.usize(..5)]);
        blank(rng, out);
        match rng.usize(..if depth == 0 { 4 } else { 6 }) {
            0 => out.push_str(["0", "-0", "1e9", "-12.340E-2", "123456789012345678901", "0.0"][rng.usize(..6)]),
            1 => out.push_str(["true", "false", "null"][rng.usize(..3)]),
            2 | 3 => {
                out.push('"');
                for _ in 0..rng.usize(..6) {
                    out.push_str(
                        [
                            "a",
                            " ",
                            "\\\"",
                            "\\\\",
                            "{",
                            "]",
                            ",",
                            ":",
                            "é",
                            "👩‍👩‍👧",
                            "“",
                            "”",
                            "\u{a0}",
                            "–",
                            "\u{200b}",
                            "\\u00e9",
                            "\\n",
                            "<",
                            ">",
                            "'",
                            "`",
                        ][rng.usize(..21)],
                    );
                }
                out.push('"');
            }
            4 => {
                out.push('[');
                for index in 0..rng.usize(..4) {
                    out.push_str(if index > 0 { "," } else { "" });
                    random(rng, depth - 1, out);
                }
                blank(rng, out);
                out.push(']');
            }
            _ => {
                out.push('{');
                for index in 0..rng.usize(..4) {
                    let _ = write!(out, "{}\"k{index}\"", if index > 0 { "," } else { "" });
                    blank(rng, out);
                    out.push(':');
                    random(rng, depth - 1, out);
                }
                blank(rng, out);
                out.push('}');
            }
        }
        blank(rng, out);
    }

    #[test]
    fn random_json_agrees_with_serde_json() {
        let mut rng = fastrand::Rng::with_seed(7);
        for _ in 0..3_000 {
            let mut text = String::new();
            random(&mut rng, 5, &mut text);
            assert!(is_valid(&text), "{text}");
            let parsed: serde_json::Value = serde_json::from_str(&text).unwrap();
            for shown in [compact(&text), pretty(text.as_bytes()).into_owned()] {
                assert_eq!(serde_json::from_str::<serde_json::Value>(shown.borrow()).unwrap(), parsed, "{text}");
                assert_eq!(compact(&shown), compact(&text));
            }
        }
    }

    #[test]
    fn damaged_json_agrees_with_serde_json_and_never_panics() {
        let mut rng = fastrand::Rng::with_seed(8);
        for _ in 0..10_000 {
            let mut text = String::new();
            random(&mut rng, 4, &mut text);
            let mut letters: Vec<char> = text.chars().collect();
            for _ in 0..rng.usize(1..3) {
                if letters.is_empty() {
                    break;
                }
                let at = rng.usize(..letters.len());
                match rng.usize(..3) {
                    0 => drop(letters.remove(at)),
                    1 => letters[at] = ['"', '\\', '{', '}', ',', '1', '\u{1}', 'e'][rng.usize(..8)],
                    _ => letters.truncate(at),
                }
            }
            let text: String = letters.into_iter().collect();
            let theirs = serde_json::from_str::<&serde_json::value::RawValue>(&text).is_ok();
            assert_eq!(is_valid(&text), theirs, "{text:?}");
            pretty(text.as_bytes());
        }
    }

    #[test]
    fn quoting_escapes_only_what_must_be() {
        assert_eq!(quoted("a\"b\\c\n\u{1}é👍"), "\"a\\\"b\\\\c\\n\\u0001é👍\"");
    }
}
