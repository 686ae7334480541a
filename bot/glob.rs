//! Globs of the policy: `*` is any run of characters, `?` any one, `\` takes the next as it is.

/// Whether `pattern` matches all of `text`: at most pattern × text steps, no recursion, no memory.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    loop {
        if let Some(step) = step(&pattern[p..], &text[t..]) {
            p += step.0;
            t += step.1;
        } else if pattern.get(p) == Some(&b'*') {
            star = Some((p, t));
            p += 1;
        } else if p == pattern.len() && t == text.len() {
            return true;
        } else {
            // The last star takes one byte more; earlier stars need never be revisited.
            let Some((at, taken)) = star.filter(|(_, taken)| *taken < text.len()) else { return false };
            star = Some((at, taken + 1));
            p = at + 1;
            t = taken + 1;
        }
    }
}

/// How much of pattern and text one literal or `?` takes; `None` if it does not fit or is a star.
fn step(pattern: &[u8], text: &[u8]) -> Option<(usize, usize)> {
    let first = *text.first()?;
    match pattern {
        [b'*', ..] | [] => None,
        [b'?', ..] => character(first).map(|length| (1, length)),
        [b'\\', escaped, ..] => (*escaped == first).then_some((2, 1)),
        [literal, ..] => (*literal == first).then_some((1, 1)),
    }
}

/// The length of the UTF-8 character that begins with this byte; none begins in the middle of one.
fn character(first: u8) -> Option<usize> {
    match first {
        0xF0.. => Some(4),
        0xE0.. => Some(3),
        0xC0.. => Some(2),
        0x80.. => None,
        _ => Some(1),
    }
}

/// A pattern that matches `text` and nothing else.
pub(crate) fn escape(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '*' | '?' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern
}

#[cfg(test)]
mod tests {
    use super::{escape, matches};

    #[test]
    fn stars_and_question_marks_match_what_they_should() {
        let hits = [
            ("", ""),
            ("*", ""),
            ("*", "abc"),
            ("a*c", "abbbc"),
            ("Say.*", "Say.Hello"),
            ("*.greeter", "go.micro.srv.greeter"),
            ("a?c", "aéc"),
            ("**a**", "xay"),
            ("*ab*ab", "abxabab"),
            (r"a\*", "a*"),
        ];
        for (pattern, text) in hits {
            assert!(matches(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in
            [("", "a"), ("a", ""), ("?", ""), ("Say.*", "say.Hello"), ("a*c", "abcd"), (r"a\*", "ab"), ("*??", "€")]
        {
            assert!(!matches(pattern, text), "{pattern} {text}");
        }
    }

    #[test]
    fn many_stars_do_not_explode() {
        assert!(!matches(&format!("{}c", "a*".repeat(40)), &format!("{}b", "a".repeat(20_000))));
    }

    #[test]
    fn an_escaped_text_matches_itself_alone() {
        assert!(matches(&escape(r"a*b?\"), r"a*b?\"));
        assert!(!matches(&escape("*"), "anything"));
    }
}
