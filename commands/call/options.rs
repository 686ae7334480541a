//! The options of a call: which node, which version, how long, what goes along.

use crate::call::glyph;
use crate::call::word::{self, Word};
use crate::call::wrong::Wrong;
use bot::suggest::nearest;
use micro::header::is_token;
use std::time::Duration;

/// The longest that a call or a stream may be given.
pub(crate) const LONGEST: Duration = Duration::from_secs(3_600);
/// The most `--metadata` of one call.
const MOST: usize = 32;
/// The longest value of one, in bytes.
const LONGEST_VALUE: usize = 4_096;
/// Headers that the framework writes itself.
const RESERVED: &[&str] = &[
    "accept",
    "accept-encoding",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "keep-alive",
    "local",
    "proxy-connection",
    "remote",
    "te",
    "timeout",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "x-content-type",
];

/// What was asked for besides the request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    /// `--node ID|ADDRESS`.
    pub(crate) node: Option<String>,
    /// `--version V`.
    pub(crate) version: Option<String>,
    /// `--timeout 1m30s`.
    pub(crate) timeout: Option<Duration>,
    /// `--metadata k=v`, each name once.
    pub(crate) metadata: Vec<(String, String)>,
    /// `--raw`.
    pub(crate) raw: bool,
    /// `--count N`, of streams.
    pub(crate) count: Option<u64>,
}

/// Whether an option begins at `at`: dashes of any length and a letter.
pub(crate) fn is_option(text: &str, at: usize) -> bool {
    let name = text[at..].trim_start_matches(glyph::is_dash);
    name.len() < text.len() - at && name.starts_with(|letter: char| letter.is_ascii_alphabetic())
}

impl Options {
    /// Reads the option that begins at `at`; returns its end. `known` are the names that this command takes.
    ///
    /// # Errors
    /// An unknown option, a missing or senseless value.
    pub(crate) fn read(&mut self, text: &str, at: usize, known: &[&str]) -> Result<usize, Wrong> {
        let start = text.len() - text[at..].trim_start_matches(glyph::is_dash).len();
        let word_end = glyph::word_end(text, start);
        let name_end = text[start..word_end].find('=').map_or(word_end, |length| start + length);
        let name = glyph::seen(&text[start..name_end]).to_ascii_lowercase();
        let name = if name == "address" { "node" } else { &name };
        if !known.contains(&name) {
            return Err(Wrong::new(at, unknown(name, known)));
        }
        if name == "raw" {
            self.raw = true;
            return Ok(name_end);
        }
        let value_at = if name_end < word_end { name_end + 1 } else { glyph::skip(text, name_end) };
        if value_at >= text.len() || is_option(text, value_at) {
            return Err(Wrong::new(at, format!("--{name} needs a value: {}", usage(name))));
        }
        if name == "metadata" {
            return self.metadata(text, value_at);
        }
        let (value, end) = word::read(text, value_at, &[])?;
        self.set(name, &value)?;
        Ok(end)
    }

    fn set(&mut self, name: &str, value: &Word) -> Result<(), Wrong> {
        let twice = || Wrong::new(value.at, format!("--{name} is given twice"));
        let plain = |slot: &mut Option<String>| match slot.replace(value.text.clone()) {
            Some(_) => Err(twice()),
            None => Ok(()),
        };
        match name {
            "node" => plain(&mut self.node),
            "version" => plain(&mut self.version),
            "count" => {
                let count = value.text.parse().ok().filter(|count| *count > 0);
                let count = count.ok_or_else(|| Wrong::new(value.at, "--count takes a whole number from 1"))?;
                self.count.replace(count).map_or(Ok(()), |_| Err(twice()))
            }
            _ => {
                let timeout = duration(&value.text).filter(|timeout| !timeout.is_zero());
                let timeout = timeout.ok_or_else(|| Wrong::new(value.at, format!("no duration; {}", usage(name))))?;
                if timeout > LONGEST {
                    return Err(Wrong::new(value.at, "--timeout is at most 1h"));
                }
                self.timeout.replace(timeout).map_or(Ok(()), |_| Err(twice()))
            }
        }
    }

    /// `k=v`, `k="v w"` or `"k=v w"`.
    fn metadata(&mut self, text: &str, at: usize) -> Result<usize, Wrong> {
        let (first, end) = word::read(text, at, &['='])?;
        let (key, value, end) = if text[end..].starts_with('=') {
            if glyph::at(text, end + 1).is_none_or(char::is_whitespace) {
                (first.text, String::new(), end + 1)
            } else {
                let (value, end) = word::read(text, end + 1, &[])?;
                (first.text, value.text, end)
            }
        } else {
            let (key, value) = first.text.split_once('=').ok_or_else(|| Wrong::new(at, "metadata is name=value"))?;
            (key.to_owned(), value.to_owned(), end)
        };
        if let Some(why) = refusal(&key, &value) {
            return Err(Wrong::new(at, why));
        }
        if self.metadata.iter().any(|(name, _)| name.eq_ignore_ascii_case(&key)) {
            return Err(Wrong::new(at, format!("metadata `{key}` is given twice")));
        }
        if self.metadata.len() == MOST {
            return Err(Wrong::new(at, format!("more than {MOST} --metadata")));
        }
        self.metadata.push((key, value));
        Ok(end)
    }

    /// The options that decide what is done, as they are typed, in one order: with a blank in front of each.
    pub(crate) fn canonical(&self) -> String {
        let mut said = String::new();
        let mut add = |name: &str, value: &str| {
            said.push_str(" --");
            said.push_str(name);
            said.push(' ');
            said.push_str(&word_said(value));
        };
        for (name, value) in [("node", &self.node), ("version", &self.version)] {
            if let Some(value) = value {
                add(name, value);
            }
        }
        let mut metadata: Vec<_> = self.metadata.iter().collect();
        metadata.sort();
        for (name, value) in metadata {
            add("metadata", &format!("{name}={value}"));
        }
        said
    }
}

/// A word as it is typed: in quotes where it needs them.
pub(crate) fn word_said(word: &str) -> String {
    let bare = !word.is_empty()
        && !word.contains(|letter: char| {
            letter.is_whitespace() || letter.is_control() || word::is_quote(letter) || "{[<`".contains(letter)
        });
    if bare && !is_option(word, 0) { word.to_owned() } else { crate::json::quoted(word) }
}

fn unknown(name: &str, known: &[&str]) -> String {
    match nearest(name, known.iter().copied()) {
        Some(near) => format!("no option --{name}; did you mean `--{near}`?"),
        None => format!("no option --{name}; there are --{}", known.join(", --")),
    }
}

fn usage(name: &str) -> &'static str {
    match name {
        "node" => "--node ID or ADDRESS",
        "version" => "--version 1.0.0",
        "timeout" => "--timeout 500ms, 5s or 1m30s",
        "metadata" => "--metadata name=value",
        _ => "--count 10",
    }
}

/// Why metadata is not sent along, if so.
fn refusal(name: &str, value: &str) -> Option<String> {
    let lower = name.to_ascii_lowercase();
    if !is_token(name) {
        return Some(format!("`{}` is no name for metadata: letters, digits and - _ . only", name.escape_debug()));
    }
    if lower.starts_with("micro-bot-") {
        return Some(format!("`{name}` says who is calling; only the bot sets it"));
    }
    if lower.starts_with("micro-")
        || lower.starts_with("x-micro-")
        || lower.starts_with("grpc-")
        || RESERVED.contains(&lower.as_str())
    {
        return Some(format!("`{name}` is a header of the framework; it cannot be set"));
    }
    if !value.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return Some("metadata holds printable ASCII; percent-encode anything else".to_owned());
    }
    (value.len() > LONGEST_VALUE).then(|| format!("metadata holds at most {LONGEST_VALUE} bytes"))
}

/// A Go duration: `500ms`, `1.5s`, `1m30s`; h, m, s, ms, us, µs, ns. `None`: it is none, or below zero.
pub(crate) fn duration(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut nanos: u128 = 0;
    while !rest.is_empty() {
        let number = rest.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(rest.len());
        let (whole, fraction) = rest[..number].split_once('.').unwrap_or((&rest[..number], ""));
        let unit_end = rest[number..].find(|letter: char| letter.is_ascii_digit() || letter == '.');
        let unit_end = unit_end.map_or(rest.len(), |length| number + length);
        let unit: u128 = match &rest[number..unit_end] {
            "h" => 3_600_000_000_000,
            "m" => 60_000_000_000,
            "s" => 1_000_000_000,
            "ms" => 1_000_000,
            "us" | "µs" | "μs" => 1_000,
            "ns" => 1,
            _ => return None,
        };
        if number > 20 || (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
            return None;
        }
        let digits = u32::try_from(fraction.len()).ok()?;
        let whole: u128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
        let fraction: u128 = if fraction.is_empty() { 0 } else { fraction.parse().ok()? };
        nanos += whole * unit + fraction * unit / 10_u128.pow(digits);
        rest = &rest[unit_end..];
    }
    let nanos = (!text.is_empty()).then_some(nanos)?;
    Some(Duration::new(u64::try_from(nanos / 1_000_000_000).ok()?, u32::try_from(nanos % 1_000_000_000).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &[&str] = &["node", "version", "timeout", "metadata", "raw"];

    fn read(text: &str) -> Result<Options, Wrong> {
        let (mut options, mut at) = (Options::default(), 0);
        while at < text.len() {
            at = glyph::skip(text, options.read(text, at, KNOWN)?);
        }
        Ok(options)
    }

    #[test]
    fn go_durations_are_read() {
        let read: Vec<_> = ["500ms", "5s", "1m30s", "1h", "1.5s", ".5s", "10µs", "1h2m3s4ms5us6ns", "0s"]
            .map(|text| duration(text).unwrap().as_nanos())
            .into();
        assert_eq!(
            read,
            [
                500_000_000,
                5_000_000_000,
                90_000_000_000,
                3_600_000_000_000,
                1_500_000_000,
                500_000_000,
                10_000,
                3_723_004_005_006,
                0
            ]
        );
        for none in ["", "5", "s", "-5s", "5 s", "1.2.3s", ".s", "5x", "99999999999999999999999s", "1s5", "é"] {
            assert_eq!(duration(none), None, "{none}");
        }
    }

    #[test]
    fn each_spelling_of_an_option_is_read() {
        for text in [
            "--node a-1 --version 2 --timeout 1s --raw --metadata k=v",
            "––node a-1 —version 2 –timeout=1s -raw --metadata=k=v",
            "--NODE=\"a-1\" --version '2' --timeout “1s” --metadata \"k=v\" --raw",
            "--address a-1 --version\u{a0}2 --\u{200b}timeout 1s --raw --metadata k=\"v\"",
        ] {
            let options = read(text).unwrap_or_else(|wrong| panic!("{text}: {wrong:?}"));
            assert_eq!(options.canonical(), " --node a-1 --version 2 --metadata k=v", "{text}");
            assert_eq!((options.timeout, options.raw), (Some(Duration::from_secs(1)), true), "{text}");
        }
        assert_eq!(read("--metadata k= --raw").unwrap().metadata, [("k".to_owned(), String::new())]);
        assert_eq!(read("--metadata k='a b'").unwrap().canonical(), " --metadata \"k=a b\"");
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_a_reason() {
        let long = format!("--metadata k={}", "x".repeat(5_000));
        let many = (0..33).map(|index| format!("--metadata k{index}=v")).collect::<Vec<_>>().join(" ");
        let said: Vec<String> = [
            "--nod x",
            "--frobnicate x",
            "--node",
            "--node --raw",
            "--timeout 5",
            "--timeout 0s",
            "--timeout 2h",
            "--node a --node b",
            "--metadata x",
            "--metadata =v",
            "--metadata Micro-Bot-User-Id=U1",
            "--metadata x-micro-endpoint=A.B",
            "--metadata TIMEOUT=1",
            "--metadata Content-Type=x",
            "--metadata \"a b=c\"",
            "--metadata k=é",
            "--metadata k=\"a\\nb\"",
            "--metadata k=1 --metadata K=2",
            "--count 3",
            "--node \"x",
            &long,
            &many,
        ]
        .into_iter()
        .map(|text| {
            let wrong = read(text).unwrap_err();
            format!("{:.34} -> {}: {}", text, wrong.at, wrong.what)
        })
        .collect();
        insta::assert_snapshot!(said.join("\n"), @r#"
        --nod x -> 0: no option --nod; did you mean `--node`?
        --frobnicate x -> 0: no option --frobnicate; there are --node, --version, --timeout, --metadata, --raw
        --node -> 0: --node needs a value: --node ID or ADDRESS
        --node --raw -> 0: --node needs a value: --node ID or ADDRESS
        --timeout 5 -> 10: no duration; --timeout 500ms, 5s or 1m30s
        --timeout 0s -> 10: no duration; --timeout 500ms, 5s or 1m30s
        --timeout 2h -> 10: --timeout is at most 1h
        --node a --node b -> 16: --node is given twice
        --metadata x -> 11: metadata is name=value
        --metadata =v -> 11: `` is no name for metadata: letters, digits and - _ . only
        --metadata Micro-Bot-User-Id=U1 -> 11: `Micro-Bot-User-Id` says who is calling; only the bot sets it
        --metadata x-micro-endpoint=A.B -> 11: `x-micro-endpoint` is a header of the framework; it cannot be set
        --metadata TIMEOUT=1 -> 11: `TIMEOUT` is a header of the framework; it cannot be set
        --metadata Content-Type=x -> 11: `Content-Type` is a header of the framework; it cannot be set
        --metadata "a b=c" -> 11: `a b` is no name for metadata: letters, digits and - _ . only
        --metadata k=é -> 11: metadata holds printable ASCII; percent-encode anything else
        --metadata k="a\nb" -> 11: metadata holds printable ASCII; percent-encode anything else
        --metadata k=1 --metadata K=2 -> 26: metadata `K` is given twice
        --count 3 -> 0: no option --count; there are --node, --version, --timeout, --metadata, --raw
        --node "x -> 7: the quote that opens here is never closed
        --metadata k=xxxxxxxxxxxxxxxxxxxxx -> 11: metadata holds at most 4096 bytes
        --metadata k0=v --metadata k1=v -- -> 545: more than 32 --metadata
        "#);
    }
}
