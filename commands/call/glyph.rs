//! What phones and chats make of plain characters: blanks, dashes, quotes, and characters that nobody sees.

/// A character that takes no room and means nothing here: zero-width blanks and joiners, direction marks, a BOM.
pub(crate) fn is_invisible(letter: char) -> bool {
    matches!(letter, '\u{ad}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2064}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// A dash of any length, the plain one included.
pub(crate) fn is_dash(letter: char) -> bool {
    matches!(letter, '-' | '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{fe58}' | '\u{fe63}' | '\u{ff0d}')
}

/// One of “ ” „ ‟.
pub(crate) fn is_curly(letter: char) -> bool {
    matches!(letter, '“' | '”' | '„' | '‟')
}

/// One of ' ‘ ’ ‚ ‛.
pub(crate) fn is_single(letter: char) -> bool {
    matches!(letter, '\'' | '‘' | '’' | '‚' | '‛')
}

/// The character at a byte offset.
pub(crate) fn at(text: &str, at: usize) -> Option<char> {
    text.get(at..)?.chars().next()
}

/// The offset of the first thing that is neither blank nor invisible, from `at` on.
pub(crate) fn skip(text: &str, at: usize) -> usize {
    text.len() - text[at..].trim_start_matches(|letter: char| letter.is_whitespace() || is_invisible(letter)).len()
}

/// The offset of the next blank, from `at` on.
pub(crate) fn word_end(text: &str, at: usize) -> usize {
    text[at..].find(char::is_whitespace).map_or(text.len(), |length| at + length)
}

/// A bare word without what nobody sees.
pub(crate) fn seen(word: &str) -> String {
    word.chars().filter(|letter| !is_invisible(*letter)).collect()
}

/// The columns that a character takes on a terminal, near enough for a caret line.
pub(crate) fn width(letter: char) -> usize {
    match letter {
        '\u{300}'..='\u{36f}' | '\u{fe00}'..='\u{fe0f}' | '\u{1f3fb}'..='\u{1f3ff}' => 0,
        letter if is_invisible(letter) => 0,
        '\u{1100}'..='\u{115f}'
        | '\u{2e80}'..='\u{a4cf}'
        | '\u{ac00}'..='\u{d7a3}'
        | '\u{f900}'..='\u{faff}'
        | '\u{fe30}'..='\u{fe4f}'
        | '\u{ff00}'..='\u{ff60}'
        | '\u{ffe0}'..='\u{ffe6}'
        | '\u{1f300}'..='\u{1f64f}'
        | '\u{1f680}'..='\u{1f6ff}'
        | '\u{1f900}'..='\u{1f9ff}'
        | '\u{20000}'..='\u{3fffd}' => 2,
        _ => 1,
    }
}
