//! A word of a typed line, bare or in quotes of any kind.

use crate::call::glyph;
use crate::call::wrong::Wrong;

/// A word and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Word {
    /// Without its quotes.
    pub(crate) text: String,
    /// Its byte offset.
    pub(crate) at: usize,
}

/// Whether a quoted word may begin with this.
pub(crate) fn is_quote(letter: char) -> bool {
    letter == '"' || glyph::is_curly(letter) || glyph::is_single(letter)
}

/// Reads the word at `at`, which is no blank: quoted, or bare up to the next blank or the next of `stops`.
///
/// # Errors
/// A quote that is never closed.
pub(crate) fn read(text: &str, at: usize, stops: &[char]) -> Result<(Word, usize), Wrong> {
    if glyph::at(text, at).is_some_and(is_quote) {
        let (inside, end) = quoted(text, at)?;
        return Ok((Word { text: inside, at }, end));
    }
    let end = glyph::word_end(text, at);
    let end = text[at..end].find(stops).filter(|length| *length > 0).map_or(end, |length| at + length);
    Ok((Word { text: glyph::seen(&text[at..end]), at }, end))
}

/// Reads a text in quotes, which ends at a closing quote before a blank, `=`, or the end. In `"…"` JSON's escapes hold
/// (where they are valid ones); in all others nothing is an escape.
///
/// # Errors
/// It is never closed.
pub(crate) fn quoted(text: &str, at: usize) -> Result<(String, usize), Wrong> {
    let open = glyph::at(text, at).unwrap_or('"');
    let start = at + open.len_utf8();
    let mut escaped = false;
    for (offset, letter) in text[start..].char_indices() {
        let end = start + offset + letter.len_utf8();
        let closes = !escaped && same_family(open, letter);
        escaped = open == '"' && letter == '\\' && !escaped;
        if closes && (open == '"' || ends_word(text, end)) {
            let inside = &text[start..start + offset];
            let plain = if open == '"' { serde_json::from_str(&text[at..end]).ok() } else { None };
            return Ok((plain.unwrap_or_else(|| inside.to_owned()), end));
        }
    }
    Err(Wrong::new(at, "the quote that opens here is never closed"))
}

fn ends_word(text: &str, at: usize) -> bool {
    glyph::at(text, at).is_none_or(|letter| letter.is_whitespace() || letter == '=' || glyph::is_invisible(letter))
}

fn same_family(open: char, letter: char) -> bool {
    match open {
        '"' | '\'' => letter == open,
        open if glyph::is_curly(open) => glyph::is_curly(letter),
        _ => glyph::is_single(letter),
    }
}
