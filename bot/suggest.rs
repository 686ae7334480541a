//! The nearest known word to one that means nothing.

/// The longest word that is compared, in characters: comparing costs the product of two lengths.
const LONGEST: usize = 240;

/// The candidate nearest to `typed`, case ignored: by edits with transpositions, at most a third of its letters (and at
/// least one); `None` if nothing is near, or the word is longer than 240. Of equally near ones the first in sorted order.
pub fn nearest<'a>(typed: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let typed = typed.to_lowercase();
    let length = typed.chars().count();
    if length > LONGEST {
        return None;
    }
    let limit = (length / 3).max(1);
    candidates
        .into_iter()
        // Lengths first, so that a thousand words cost little.
        .filter(|candidate| candidate.chars().count().abs_diff(length) <= limit)
        .map(|candidate| (strsim::damerau_levenshtein(&typed, &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_slip_finds_its_word_and_noise_finds_none() {
        assert_eq!(nearest("hep", ["help", "health", "hello"]), Some("help"));
        assert_eq!(nearest("say.helo", ["Say.Hello", "Say.Bye"]), Some("Say.Hello"));
        assert_eq!(nearest("nmae", ["name", "age"]), Some("name"));
        assert_eq!(nearest("weather", ["help", "health"]), None);
        assert_eq!(nearest(&"x".repeat(1 << 20), ["help", &"x".repeat((1 << 20) - 1)]), None);
    }
}
