//! Time limits: go-micro's `timeout` in nanoseconds and gRPC's `grpc-timeout` (WIRE §4.2, §15.20).

use std::time::Duration;

/// Both headers for a limit: `timeout` and `grpc-timeout`.
///
/// Whole milliseconds, rounded up: a limit is never 0, which old servers take for "expired", and calls with one limit
/// mostly send one value, which HPACK then keeps.
pub(crate) fn encode(limit: Duration) -> (u64, String) {
    let whole = u64::try_from(limit.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX).clamp(1, u64::MAX / 1_000_000);
    let text = if whole < 100_000_000 { format!("{whole}m") } else { format!("{}S", (whole / 1000).min(99_999_999)) };
    (whole * 1_000_000, text)
}

/// The limit that the two headers set: the shorter one. What cannot be read, and 0, sets none.
pub(crate) fn decode(timeout: Option<&str>, grpc_timeout: Option<&str>) -> Option<Duration> {
    let micro = timeout.and_then(|text| text.parse().ok()).filter(|nanos| *nanos > 0).map(Duration::from_nanos);
    match (micro, grpc_timeout.and_then(units)) {
        (Some(micro), Some(grpc)) => Some(micro.min(grpc)),
        (micro, grpc) => micro.or(grpc),
    }
}

fn units(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.len() > 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let count: u64 = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(count * 3600),
        "M" => Duration::from_secs(count * 60),
        "S" => Duration::from_secs(count),
        "m" => Duration::from_millis(count),
        "u" => Duration::from_micros(count),
        "n" => Duration::from_nanos(count),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_written_in_whole_milliseconds_and_never_as_nothing() {
        assert_eq!(encode(Duration::from_secs(5)), (5_000_000_000, "5000m".to_owned()));
        assert_eq!(encode(Duration::from_nanos(1)), (1_000_000, "1m".to_owned()));
        assert_eq!(encode(Duration::ZERO), (1_000_000, "1m".to_owned()));
        assert_eq!(encode(Duration::from_secs(200_000)).1, "200000S");
        assert_eq!(encode(Duration::MAX).1, "99999999S");
    }

    #[test]
    fn the_shorter_limit_holds_and_nonsense_sets_none() {
        assert_eq!(decode(Some("3000000000"), Some("2998637u")), Some(Duration::from_micros(2_998_637)));
        assert_eq!(decode(Some("3000000000"), None), Some(Duration::from_secs(3)));
        assert_eq!(decode(None, Some("1H")), Some(Duration::from_secs(3600)));
        for (timeout, grpc) in [("0", ""), ("-5", "m"), ("soon", "5x"), ("", "123456789S"), ("", "é"), ("", "+5S")] {
            assert_eq!(decode(Some(timeout), Some(grpc)), None, "{timeout} {grpc}");
        }
    }
}
