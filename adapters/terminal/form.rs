//! The forms that answers have on a terminal: bytes for scripts, JSON, blocks for people. Pure.

#[cfg(feature = "terminal")]
use super::blocks;
use super::frame::{Bad, LONGEST};
use bot::command::CommandErrorKind;
use bot::message::Place;
use bot::reply::Reply;
use serde::Serialize;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt::Write;

/// One form of answers. Each answer ends with a newline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// The exact bytes and one newline; nothing is trimmed, nothing is escaped.
    Bytes,
    /// `{"n":1,"ok":true,"kind":"ok","text":"…","data":…}`, on one line.
    Json,
    /// Blocks as people read them, without anything that would steer the terminal.
    #[cfg(feature = "terminal")]
    People {
        /// Whether marks are painted.
        colour: bool,
    },
}

impl Form {
    /// Adds an answer to the message of this number; none: nobody asked.
    pub(crate) fn add(self, number: Option<u64>, reply: &Reply, into: &mut Vec<u8>) {
        match self {
            Self::Bytes => into.extend_from_slice(reply.said().as_bytes()),
            Self::Json => json(number, reply, into),
            #[cfg(feature = "terminal")]
            Self::People { colour } => into.extend_from_slice(blocks::said(reply, colour).as_bytes()),
        }
        into.push(b'\n');
    }
}

/// The number that a message of a terminal was given.
pub(crate) fn number(place: &Place) -> Option<u64> {
    place.under.as_deref()?.parse().ok()
}

/// An answer of the `--json` form.
#[derive(Serialize)]
struct Object<'a> {
    /// The message's number, from 1; none for what nobody asked.
    n: Option<u64>,
    ok: bool,
    /// "ok", or the kind of the error.
    kind: &'a str,
    text: &'a str,
    data: Option<&'a RawValue>,
}

fn json(number: Option<u64>, reply: &Reply, into: &mut Vec<u8>) {
    let text = reply.said();
    let data = reply.data.as_deref().map(one_line);
    let object = Object {
        n: number,
        ok: reply.failed.is_none(),
        kind: reply.failed.map_or("ok", CommandErrorKind::as_str),
        text: &text,
        data: data.as_deref(),
    };
    let start = into.len();
    if let Err(error) = serde_json::to_writer(&mut *into, &object) {
        tracing::error!(%error, "an answer is no JSON");
        into.truncate(start);
    }
    escape(into, start);
}

/// Escapes from `start` on what JSON lets stand and a terminal would obey; it can only stand in strings.
fn escape(json: &mut Vec<u8>, start: usize) {
    let steers = |one: char| matches!(one, '\x7f'..='\u{9f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let Ok(text) = std::str::from_utf8(&json[start..]) else { return };
    if !text.contains(steers) {
        return;
    }
    let mut escaped = String::with_capacity(text.len());
    for one in text.chars() {
        if steers(one) {
            let _ = write!(escaped, "\\u{:04x}", u32::from(one));
        } else {
            escaped.push(one);
        }
    }
    json.truncate(start);
    json.extend_from_slice(escaped.as_bytes());
}

/// The same JSON without line ends. Inside strings they are escaped, so those found are blanks between tokens.
fn one_line(data: &RawValue) -> Cow<'_, RawValue> {
    if !data.get().contains(['\n', '\r']) {
        return Cow::Borrowed(data);
    }
    let line = data.get().replace(['\n', '\r'], " ");
    RawValue::from_string(line).map_or(Cow::Borrowed(data), Cow::Owned)
}

/// The answer to a line that is no message.
pub(crate) fn bad(bad: Bad) -> Reply {
    let (kind, text) = match bad {
        Bad::LongLine => (CommandErrorKind::TooLarge, format!("too large: a line may have {LONGEST} bytes")),
        Bad::LongBlock => {
            (CommandErrorKind::TooLarge, format!("too large: a block between ``` and ``` may have {LONGEST} bytes"))
        }
        Bad::OpenBlock => (
            CommandErrorKind::Malformed,
            "malformed: the input ended inside a block; a line with ``` closes what a line with ``` opened".to_owned(),
        ),
        Bad::NotText(byte) => {
            (CommandErrorKind::Malformed, format!("malformed: byte {byte} of the message is not UTF-8"))
        }
    };
    Reply { failed: Some(kind), ..Reply::text(format!("error executing cmd: {text}")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bot::reply::Block;

    fn as_text(reply: &Reply) -> String {
        let mut bytes = Vec::new();
        Form::Bytes.add(None, reply, &mut bytes);
        String::from_utf8(bytes).unwrap()
    }

    fn as_json(number: Option<u64>, reply: &Reply) -> String {
        let mut bytes = Vec::new();
        Form::Json.add(number, reply, &mut bytes);
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_pipe_adds_one_newline_and_trims_nothing() {
        assert_eq!(as_text(&Reply::text("")), "\n");
        assert_eq!(as_text(&Reply::text(" a\n\u{1b}[1m\0\n\n")), " a\n\u{1b}[1m\0\n\n\n");
        let blocks = vec![Block::Text("one".into()), Block::Text("two".into())];
        assert_eq!(as_text(&Reply { blocks, ..Reply::default() }), "one\ntwo\n");
    }

    #[test]
    fn json_is_one_object_a_line_with_five_keys() {
        insta::assert_snapshot!(as_json(Some(1), &Reply::text("pong")), @r#"{"n":1,"ok":true,"kind":"ok","text":"pong","data":null}"#);
        let data = RawValue::from_string("{\r\n \"a\\n\": [1,\n2.50]\n}".into()).unwrap();
        let reply = Reply { data: Some(data), ..Reply::text("a\nb\0") };
        insta::assert_snapshot!(as_json(Some(2), &reply), @r#"{"n":2,"ok":true,"kind":"ok","text":"a\nb\u0000","data":{   "a\n": [1, 2.50] }}"#);
        let failed = Reply { failed: Some(CommandErrorKind::NotFound), ..Reply::text("no such service") };
        insta::assert_snapshot!(as_json(None, &failed), @r#"{"n":null,"ok":false,"kind":"not_found","text":"no such service","data":null}"#);
    }

    #[test]
    fn json_escapes_what_would_steer_a_terminal() {
        let data = RawValue::from_string("[\"\u{9b}é\u{202e}\"]".into()).unwrap();
        let line = as_json(None, &Reply { data: Some(data), ..Reply::text("\x1b\x7f\u{9b}é") });
        insta::assert_snapshot!(line, @r#"{"n":null,"ok":true,"kind":"ok","text":"\u001b\u007f\u009bé","data":["\u009bé\u202e"]}"#);
        let back: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!((&back["text"], &back["data"][0]), (&"\x1b\x7f\u{9b}é".into(), &"\u{9b}é\u{202e}".into()));
    }

    #[test]
    fn a_bad_line_is_told_with_its_kind() {
        let told =
            [Bad::LongLine, Bad::LongBlock, Bad::OpenBlock, Bad::NotText(6)].map(|one| as_json(Some(9), &bad(one)));
        insta::assert_snapshot!(told.concat(), @r#"
        {"n":9,"ok":false,"kind":"too_large","text":"error executing cmd: too large: a line may have 1048576 bytes","data":null}
        {"n":9,"ok":false,"kind":"too_large","text":"error executing cmd: too large: a block between ``` and ``` may have 1048576 bytes","data":null}
        {"n":9,"ok":false,"kind":"malformed","text":"error executing cmd: malformed: the input ended inside a block; a line with ``` closes what a line with ``` opened","data":null}
        {"n":9,"ok":false,"kind":"malformed","text":"error executing cmd: malformed: byte 6 of the message is not UTF-8","data":null}
        "#);
    }
}
