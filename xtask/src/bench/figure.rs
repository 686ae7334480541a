//! One line of the result, and what several runs come to. Pure.

use std::time::Duration;

/// A figure and its bound.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    what: String,
    ours: String,
    bound: String,
    met: bool,
    note: String,
}

impl Row {
    /// A figure that has to stay below its bound; `unit` stands behind both.
    pub(crate) fn below(what: impl Into<String>, ours: f64, bound: f64, unit: &str, note: impl Into<String>) -> Self {
        let digits = if unit == "×" { 2 } else { 1 };
        let text = |value: f64| format!("{value:.digits$} {unit}").trim_end().to_owned();
        Self {
            what: what.into(),
            ours: text(ours),
            bound: format!("< {}", text(bound)),
            met: ours < bound,
            note: note.into(),
        }
    }

    /// The line above all rows.
    pub(crate) fn heading() -> String {
        line("figure", "ours", "bound", "met", "how")
    }

    /// As a line.
    pub(crate) fn line(&self) -> String {
        line(&self.what, &self.ours, &self.bound, if self.met { "yes" } else { "NO" }, &self.note)
    }

    /// What it is, if its bound is missed.
    pub(crate) fn missed(&self) -> Option<String> {
        (!self.met).then(|| format!("{} ({}, {})", self.what, self.ours, self.bound))
    }
}

fn line(what: &str, ours: &str, bound: &str, met: &str, note: &str) -> String {
    format!("{what:<46} {ours:>10} {bound:>11}  {met:<3}  {note}").trim_end().to_owned()
}

/// The value in the middle; 0 of none.
pub(crate) fn median(values: &[f64]) -> f64 {
    quantile(values, 0.5)
}

/// The value below which this share of all lies; 0 of none.
pub(crate) fn quantile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an index"
    )]
    let at = ((sorted.len().saturating_sub(1)) as f64 * share).round() as usize;
    sorted.get(at).copied().unwrap_or_default()
}

/// Microseconds of each of `count` operations that took `time` together.
pub(crate) fn micros_each(time: Duration, count: usize) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    let count = count.max(1) as f64;
    time.as_secs_f64() * 1e6 / count
}

/// Milliseconds.
pub(crate) fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_one_of_the_values() {
        let values = [5.0, 1.0, 4.0, 2.0, 3.0];
        assert!((median(&values) - 3.0).abs() < f64::EPSILON);
        assert!((quantile(&values, 1.0) - 5.0).abs() < f64::EPSILON);
        assert!((quantile(&values, 0.0) - 1.0).abs() < f64::EPSILON);
        assert!(median(&[]).abs() < f64::EPSILON);
    }

    #[test]
    fn a_bound_is_met_below_it_only() {
        assert_eq!(Row::below("a", 7.9, 8.0, "ms", "").missed(), None);
        let missed = Row::below("start", 8.0, 8.0, "ms", "").missed();
        assert_eq!(missed.as_deref(), Some("start (8.0 ms, < 8.0 ms)"));
    }
}
