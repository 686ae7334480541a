//! What is wrong with a typed line, and where: shown with a caret, at most 80 columns wide.

use crate::call::glyph;
use std::fmt::Write as _;

/// The widest snippet, in columns, without the two that it is set in by.
const WIDEST: usize = 76;
/// The longest text of what is wrong, in characters: it may repeat a name of any length.
const LONGEST: usize = 240;
/// How much of the snippet stands before the place where not all of it fits.
const BEFORE: usize = 50;

/// Something wrong at a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wrong {
    /// The byte offset in the text that was read.
    pub(crate) at: usize,
    /// What, for people, in one line.
    pub(crate) what: String,
}

impl Wrong {
    pub(crate) fn new(at: usize, what: impl Into<String>) -> Self {
        let what = what.into();
        let mut short: String = what.chars().take(LONGEST).map(printable).collect();
        if what.chars().nth(LONGEST).is_some() {
            short.push('…');
        }
        Self { at, what: short }
    }
}

/// `what (column 43)`, the line around the place, and a caret under it. `at` is a byte offset in `text`; columns count
/// characters from 1, and lines are named where there are several.
pub(crate) fn shown(text: &str, at: usize, what: &str) -> String {
    let at = (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default();
    let start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    let end = text[at..].find('\n').map_or(text.len(), |length| at + length);
    let column = text[start..at].chars().count() + 1;
    let place = match text[..start].matches('\n').count() {
        0 if !text.trim_end().contains('\n') => format!("column {column}"),
        lines => format!("line {}, column {column}", lines + 1),
    };
    let (before, indent) = tail(&text[start..at], BEFORE.max(WIDEST.saturating_sub(columns(&text[at..end]))));
    let after = head(&text[at..end], WIDEST - indent);
    let mut out = format!("{what} ({place})\n  {before}{after}\n  ");
    out.extend(std::iter::repeat_n(' ', indent));
    let _ = write!(out, "^");
    out
}

/// As much of the end of `text` as fits into `room` columns, and its columns.
fn tail(text: &str, room: usize) -> (String, usize) {
    let mut taken = 0;
    let mut letters = Vec::new();
    for letter in text.chars().rev().map(printable) {
        if taken + glyph::width(letter) >= room {
            letters.push('…');
            taken += 1;
            break;
        }
        taken += glyph::width(letter);
        letters.push(letter);
    }
    (letters.into_iter().rev().collect(), taken)
}

/// As much of the beginning of `text` as fits into `room` columns.
fn head(text: &str, room: usize) -> String {
    let mut out = String::new();
    let mut taken = 0;
    for letter in text.chars().map(printable) {
        if taken + glyph::width(letter) >= room {
            out.push('…');
            break;
        }
        taken += glyph::width(letter);
        out.push(letter);
    }
    out
}

/// The columns of a text's beginning; stops counting where it is wider than any snippet.
fn columns(text: &str) -> usize {
    text.chars().take(WIDEST + 1).map(printable).map(glyph::width).sum::<usize>() + 1
}

fn printable(letter: char) -> char {
    match letter {
        '\t' => ' ',
        letter if letter.is_control() || (glyph::is_invisible(letter) && letter != '\u{200d}') => '·',
        letter => letter,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_line_is_shown_whole() {
        insta::assert_snapshot!(shown("call a B.C {\"n\": oops}", 17, "no JSON value"), @r#"
        no JSON value (column 18)
          call a B.C {"n": oops}
                           ^
        "#);
    }

    #[test]
    fn a_long_line_is_cut_on_both_sides_to_80_columns() {
        let text = format!("call a B.C {{\"k\":\"{}\", oops, \"{}\"}}", "x".repeat(500), "y".repeat(500));
        let at = text.find("oops").unwrap();
        let said = shown(&text, at, "here");
        assert!(said.lines().all(|line| line.chars().count() <= 80), "{said}");
        insta::assert_snapshot!(said, @r#"
        here (column 521)
          …xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", oops, "yyyyyyyyyyyyyyyyyy…
                                                            ^
        "#);
    }

    #[test]
    fn the_place_is_found_in_many_lines_wide_letters_and_what_nobody_sees() {
        insta::assert_snapshot!(shown("```\ncall a B.C {\n\t\"名\u{200b}前👍\": \u{1}oops\n}", 36, "here"), @r#"
        here (line 3, column 11)
           "名·前👍": ·oops
                       ^
        "#);
        insta::assert_snapshot!(shown("call", 4, "at the end"), @r"
        at the end (column 5)
          call
              ^
        ");
        insta::assert_snapshot!(shown("é", 1, "inside a character"), @r"
        inside a character (column 1)
          é
          ^
        ");
    }
}
