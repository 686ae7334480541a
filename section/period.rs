//! A time as Go writes it.

use serde::{Deserialize, Deserializer};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A length of time in Go's form: `500ms`, `5s`, `1m30s`, `0` (TOOLKIT §6.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Period(pub Duration);

/// The units, in nanoseconds.
const UNITS: [(&str, f64); 8] =
    [("ns", 1.0), ("us", 1e3), ("µs", 1e3), ("μs", 1e3), ("ms", 1e6), ("s", 1e9), ("m", 60e9), ("h", 3600e9)];

impl FromStr for Period {
    type Err = String;

    /// # Errors
    /// A text that names what it should look like.
    fn from_str(text: &str) -> Result<Self, String> {
        parse(text).map(Self).ok_or_else(|| format!("\"{text}\" is no time; write 500ms, 5s, 1m30s"))
    }
}

fn parse(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let mut rest = text;
    let mut total = 0.0_f64;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let end = rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len());
        let (_, unit) = UNITS.iter().find(|(name, _)| *name == &rest[..end])?;
        total += number * unit;
        rest = &rest[end..];
    }
    if text.is_empty() {
        return None;
    }
    Duration::try_from_secs_f64(total / 1e9).ok()
}

impl fmt::Display for Period {
    /// Go's form, with the units that are needed: `1m30s`, `500ms`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.0.as_nanos();
        if nanos == 0 || nanos >= 1_000_000_000 {
            let (secs, part) = (self.0.as_secs(), self.0.subsec_nanos());
            let (hours, minutes) = (secs / 3600, secs / 60 % 60);
            if hours > 0 {
                write!(f, "{hours}h")?;
            }
            if minutes > 0 {
                write!(f, "{minutes}m")?;
            }
            if part > 0 {
                return write!(f, "{}s", Duration::new(secs % 60, part).as_secs_f64());
            }
            if secs % 60 > 0 || secs == 0 { write!(f, "{}s", secs % 60) } else { Ok(()) }
        } else if nanos >= 1_000_000 {
            write!(f, "{}ms", self.0.as_secs_f64() * 1e3)
        } else if nanos >= 1_000 {
            write!(f, "{}µs", self.0.as_secs_f64() * 1e6)
        } else {
            write!(f, "{nanos}ns")
        }
    }
}

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn go_times_are_read_and_written_back() {
        for (text, millis) in [("500ms", 500), ("5s", 5_000), ("1m30s", 90_000), ("1h", 3_600_000), ("1.5s", 1_500)] {
            let period: Period = text.parse().unwrap();
            assert_eq!((period.0, period.to_string().as_str()), (Duration::from_millis(millis), text));
        }
        assert_eq!("0".parse::<Period>().unwrap().to_string(), "0s");
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in ["", "5", "s", "5x", "-5s", "5s5", "1e400s", "NaNs", "99999999999999999999h"] {
            assert!(text.parse::<Period>().is_err(), "{text}");
        }
    }
}
