//! Undoes what phones and chats do to JSON, outside its strings only: curly quotes as delimiters, odd blanks, long dashes,
//! invisible characters. What stands inside a string arrives byte for byte.

use crate::call::glyph;

/// Which quotes may close a string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Closing {
    /// A straight one closes a straight one, a curly one a curly one.
    Same,
    /// A curly one may close a straight one and the other way round, where something follows that follows a string.
    Any,
}

/// Repaired text, and where each part of it stood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Repaired {
    /// The text.
    pub(crate) text: String,
    /// Pairs of an offset in `text` and the offset where it stood, for the beginning of every run of equal bytes and for the end.
    pub(crate) origin: Vec<(usize, usize)>,
}

/// Repairs `text` from `from` to its end.
pub(crate) fn repair(text: &str, from: usize, closing: Closing) -> Repaired {
    let mut out = Out { text: String::with_capacity(text.len() - from), origin: Vec::new(), next: usize::MAX };
    let mut at = from;
    while let Some(letter) = glyph::at(text, at) {
        let end = at + letter.len_utf8();
        match letter {
            letter if letter == '"' || glyph::is_curly(letter) => {
                at = string(text, at, letter, closing, &mut out);
                continue;
            }
            letter if glyph::is_invisible(letter) => {}
            letter if glyph::is_dash(letter) => out.put('-', at, end),
            ' ' | '\t' | '\n' | '\r' => out.put(letter, at, end),
            letter if letter.is_whitespace() => out.put(' ', at, end),
            letter => out.put(letter, at, end),
        }
        at = end;
    }
    out.origin.push((out.text.len(), at));
    Repaired { text: out.text, origin: out.origin }
}

/// Copies the string that opens at `at`; returns where it ends.
fn string(text: &str, at: usize, open: char, closing: Closing, out: &mut Out) -> usize {
    let mut end = at + open.len_utf8();
    out.put('"', at, end);
    let mut at = end;
    let mut escaped = false;
    while let Some(letter) = glyph::at(text, at) {
        end = at + letter.len_utf8();
        if !escaped && closes(text, end, open, letter, closing) {
            out.put('"', at, end);
            return end;
        }
        if letter == '"' && !escaped {
            out.put('\\', at, at);
        }
        out.put(letter, at, end);
        escaped = letter == '\\' && !escaped;
        at = end;
    }
    at
}

fn closes(text: &str, behind: usize, open: char, letter: char, closing: Closing) -> bool {
    if open == '"' && letter == '"' {
        return true;
    }
    let curly = glyph::is_curly(letter);
    let family = match closing {
        Closing::Same => curly && open != '"',
        Closing::Any => curly || letter == '"',
    };
    family && ends_string(text, behind)
}

/// Whether what follows can follow a string: so a quote in the middle of a sentence closes nothing.
fn ends_string(text: &str, behind: usize) -> bool {
    let at = glyph::skip(text, behind);
    match glyph::at(text, at) {
        None | Some(',' | ':' | '}' | ']' | '>' | '`') => true,
        Some(letter) if letter == '"' || glyph::is_curly(letter) => at > behind,
        Some(letter) => glyph::is_single(letter),
    }
}

struct Out {
    text: String,
    origin: Vec<(usize, usize)>,
    next: usize,
}

impl Out {
    /// Adds a letter that stood at `at..end`.
    fn put(&mut self, letter: char, at: usize, end: usize) {
        if self.next != at {
            self.origin.push((self.text.len(), at));
        }
        self.text.push(letter);
        self.next = if end - at == letter.len_utf8() { end } else { usize::MAX };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(text: &str) -> String {
        repair(text, 0, Closing::Same).text
    }

    fn any(text: &str) -> String {
        repair(text, 0, Closing::Any).text
    }

    #[test]
    fn only_what_stands_outside_strings_is_repaired() {
        assert_eq!(same("{“a”:–1,\u{a0}\u{200b}„b‟:\u{feff}[—2]}"), r#"{"a":-1, "b":[-2]}"#);
        let inside = "{\"a\u{a0}\":\"“x” – \u{200b}\u{feff}y\\\"„\"}";
        assert_eq!(same(inside), inside);
        assert_eq!(any("{\"a\":\"“x” y – \u{200b}\"}"), "{\"a\":\"“x” y – \u{200b}\"}");
        assert_eq!(same("{“a”:“\u{a0}–\u{200b}é👩‍👩‍👧”}"), "{\"a\":\"\u{a0}–\u{200b}é👩‍👩‍👧\"}");
    }

    #[test]
    fn a_straight_quote_inside_curly_ones_is_escaped_once() {
        assert_eq!(same("{“a”:“say \"hi\", \\\"you\\\"”}"), r#"{"a":"say \"hi\", \"you\""}"#);
        assert_eq!(same("{“a”:“C:\\\\”}"), r#"{"a":"C:\\"}"#);
    }

    #[test]
    fn a_curly_quote_in_a_sentence_closes_nothing() {
        assert_eq!(same("{“a”:“he said “hi” to me”}"), "{\"a\":\"he said “hi” to me\"}");
        assert_eq!(same("{“a”:“he said “hi””}"), "{\"a\":\"he said “hi”\"}");
        assert_eq!(same("[“a” “b”]"), r#"["a" "b"]"#, "a missing comma stays missing");
    }

    #[test]
    fn mixed_delimiters_are_met_in_the_second_try() {
        assert_eq!(any("{“a\":\"b”, \"c”:“d\"}"), r#"{"a":"b", "c":"d"}"#);
        assert_eq!(any("{\"a\":\"x\" \"b\"}"), "{\"a\":\"x\" \"b\"}", "straight strings end where they end");
    }

    #[test]
    fn each_place_is_known() {
        let text = "xx{\u{a0}“a”:–1}";
        let repaired = repair(text, 2, Closing::Same);
        for (index, letter) in repaired.text.char_indices() {
            let (start, stood) = repaired.origin[repaired.origin.partition_point(|(start, _)| *start <= index) - 1];
            let stood = glyph::at(text, stood + index - start).unwrap();
            assert!(letter == stood || !stood.is_ascii(), "{letter} stood at {stood}");
        }
    }
}
