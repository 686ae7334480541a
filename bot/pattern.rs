//! A spec's pattern as a regex: anchored, case-blind, and generous with blanks.

/// The regex of a complete form. A blank matches a run of blanks (tabs, line ends and no-break spaces too; in a class: one
/// of them), `.` matches line ends, and blanks around the form do not count unless a group takes them.
pub(crate) fn anchored(pattern: &str) -> String {
    let mut regex = String::with_capacity(pattern.len() + 48);
    regex.push_str(r"(?is)^\s*(?:");
    let mut depth = 0_usize;
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => {
                regex.push(c);
                regex.extend(chars.next());
            }
            '[' => {
                depth += 1;
                regex.push(c);
            }
            ']' => {
                depth = depth.saturating_sub(1);
                regex.push(c);
            }
            ' ' if depth > 0 => regex.push_str(r"\s"),
            ' ' => regex.push_str(r"(?:\s+)"),
            _ => regex.push(c),
        }
    }
    regex.push_str(r")\s*$");
    regex
}

#[cfg(test)]
mod tests {
    use super::anchored;
    use regex::Regex;

    #[test]
    fn a_blank_takes_a_run_of_blanks_and_a_class_one_of_them() {
        let form = Regex::new(&anchored("who ?am ?i[ .]x")).unwrap();
        for line in ["whoami x", "Who \t am\ni.X", " who am i x\n"] {
            assert!(form.is_match(line), "{line:?}");
        }
        assert!(!form.is_match("whoami  x"));
        assert!(!form.is_match("not whoami x"));
    }

    #[test]
    fn an_escaped_blank_is_one_blank() {
        let form = Regex::new(&anchored(r"a\ b")).unwrap();
        assert!(form.is_match("a b"));
        assert!(!form.is_match("a  b"));
    }
}
