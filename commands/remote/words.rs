//! The words of a command's line.

/// Splits on blanks; a run of them is one. `'…'` and `"…"` keep blanks: they open where a word begins or behind a `=`
/// (`title="two words"`), and close at the next of their kind; one that never closes, or stands within a word (`don't`), is
/// a letter like any other. Nothing else is an escape.
pub(super) fn split(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = line.trim_start();
    while !rest.is_empty() {
        let (word, left) = first(rest);
        words.push(word);
        rest = left.trim_start();
    }
    words
}

/// The word that a line begins with, and what follows it.
fn first(line: &str) -> (String, &str) {
    let mut word = String::new();
    let mut rest = line;
    let mut opens = true;
    while let Some(letter) = rest.chars().next().filter(|letter| !letter.is_whitespace()) {
        let after = &rest[letter.len_utf8()..];
        let closing = if opens && matches!(letter, '\'' | '"') { after.find(letter) } else { None };
        if let Some(end) = closing {
            word.push_str(&after[..end]);
            rest = &after[end + 1..];
            opens = false;
        } else {
            word.push(letter);
            rest = after;
            opens = letter == '=';
        }
    }
    (word, rest)
}

/// The words as one line that [`split`] takes apart again, where quotes can do that; equal for equal words.
pub(super) fn join(words: &[String]) -> String {
    let quoted = |word: &String| {
        let plain = !word.is_empty() && !word.contains(|letter: char| letter.is_whitespace() || "'\"".contains(letter));
        match (plain, word.contains('"')) {
            (true, _) => word.clone(),
            (false, false) => format!("\"{word}\""),
            (false, true) if !word.contains('\'') => format!("'{word}'"),
            (false, true) => format!("{word:?}"),
        }
    };
    words.iter().map(quoted).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_of_blanks_are_one_and_quotes_keep_them() {
        for (line, words) in [
            ("", &[][..]),
            (" \t\n ", &[]),
            ("a b  c", &["a", "b", "c"]),
            ("\ta\u{a0}b\nc ", &["a", "b", "c"]),
            (r#"say "two  words" 'and  more'"#, &["say", "two  words", "and  more"]),
            (r#""" ''"#, &["", ""]),
            (r#"title="two words" x='y z'"#, &["title=two words", "x=y z"]),
            ("don't stop 'em", &["don't", "stop", "'em"]),
            (r#"it's "o'clock""#, &["it's", "o'clock"]),
            (r#""never closed"#, &["\"never", "closed"]),
            (r"C:\dir \n $HOME `x`", &[r"C:\dir", r"\n", "$HOME", "`x`"]),
            (r#""a"b"#, &["ab"]),
            ("größe ✓", &["größe", "✓"]),
        ] {
            assert_eq!(split(line), words, "{line:?}");
        }
    }

    #[test]
    fn joined_words_split_again() {
        for words in [vec!["a", "b c", "", "d'e", "f\"g"], vec!["x=y z"], vec!["\n"]] {
            let words: Vec<String> = words.into_iter().map(str::to_owned).collect();
            assert_eq!(split(&join(&words)), words);
        }
        let hard = ["a'b\"c".to_owned()];
        assert_ne!(join(&hard), join(&["a".to_owned(), "b c".to_owned()]));
    }
}
