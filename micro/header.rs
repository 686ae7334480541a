//! The header of a message: names and values as they came, parsed when asked.

use bytes::Bytes;
use std::fmt;

/// A header block in HTTP's form (`Name: value\r\n`…), kept as it came.
///
/// Most messages are asked for one or two names, so nothing is parsed before that. Case is kept on the wire and ignored
/// by [`Header::get`]. An iterator gives the pairs in their order, repeated names included.
#[derive(Clone, Default)]
pub struct Header(Bytes);

impl Header {
    /// Wraps lines `Name: value\r\n`; what is no such line is passed over when asked.
    pub fn from_lines(lines: Bytes) -> Self {
        Self(lines)
    }

    /// Writes pairs as lines. Names that are no HTTP token and values with CR, LF or NUL are dropped (WIRE §15.24).
    pub fn from_pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut lines = Vec::with_capacity(256);
        for (name, value) in pairs {
            if is_token(name) && !value.bytes().any(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
                lines.extend_from_slice(name.as_bytes());
                lines.extend_from_slice(b": ");
                lines.extend_from_slice(value.as_bytes());
                lines.extend_from_slice(b"\r\n");
            }
        }
        Self(lines.into())
    }

    /// The first value of `name`, any case; trimmed of blanks. `None` also for a value that is not UTF-8.
    pub fn get(&self, name: &str) -> Option<&str> {
        // Most lines are of another name: only the one that is meant is looked at as text.
        let named = |line: &&[u8]| {
            let line = line.trim_ascii_start();
            line.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name.as_bytes()))
                && line[name.len()..].trim_ascii_start().first() == Some(&b':')
        };
        let line = self.0.split(|byte| *byte == b'\n').find(named)?;
        pair(line).map(|(_, value)| value)
    }

    /// All pairs in their order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.split(|byte| *byte == b'\n').filter_map(pair)
    }

    /// The lines as they came.
    pub fn as_lines(&self) -> &Bytes {
        &self.0
    }
}

impl fmt::Debug for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

/// The name and the value of a line, if it is one and UTF-8.
fn pair(line: &[u8]) -> Option<(&str, &str)> {
    let line = std::str::from_utf8(line.strip_suffix(b"\r").unwrap_or(line)).ok()?;
    let (name, value) = line.split_once(':')?;
    Some((name.trim(), value.trim_matches([' ', '\t'])))
}

/// Whether `name` may be a header's name (RFC 9110 token).
pub fn is_token(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_is_kept_and_ignored() {
        let header = Header::from_pairs([("Micro-Id", "7"), ("X-Empty", "")]);
        assert_eq!(header.as_lines().as_ref(), b"Micro-Id: 7\r\nX-Empty: \r\n");
        assert_eq!(header.get("micro-ID"), Some("7"));
        assert_eq!(header.get("x-empty"), Some(""));
        assert_eq!(header.get("absent"), None);
    }

    #[test]
    fn what_would_break_a_line_is_dropped() {
        let header = Header::from_pairs([(":path", "/"), ("a b", "c"), ("ok", "one\r\ntwo"), ("fine", "yes")]);
        assert_eq!(header.iter().collect::<Vec<_>>(), [("fine", "yes")]);
    }
}
