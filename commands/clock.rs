//! Moments and spans in Go's words: `Sun, 22 Nov 2026 15:17:31 UTC`, `Nov 22 15:16:21`, `1h2m3s`.

use std::time::Duration;

const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const DAY: u64 = 86_400;
/// The end of the year 9999: moments beyond it are cut there, so that no number from outside overflows.
const LAST: u64 = 253_402_300_799;

/// RFC 1123 in UTC, of seconds since 1970.
pub(crate) fn rfc1123(unix: u64) -> String {
    let unix = unix.min(LAST);
    let (year, month, day) = date(unix);
    let weekday = pick(&DAYS, unix / DAY % 7);
    format!("{weekday}, {day:02} {} {year} {} UTC", pick(&MONTHS, month - 1), time_of_day(unix))
}

/// `Nov 22 15:16:21` in UTC, of seconds since 1970: `Jan 2 15:04:05` to Go.
pub(crate) fn stamp(unix: u64) -> String {
    let unix = unix.min(LAST);
    let (_, month, day) = date(unix);
    format!("{} {day} {}", pick(&MONTHS, month - 1), time_of_day(unix))
}

/// A span as Go prints a `time.Duration`: `1h2m3.5s`, `1.5ms`, `0s`.
pub(crate) fn span(span: Duration) -> String {
    let nanos = span.as_nanos();
    match nanos {
        0 => "0s".to_owned(),
        1..1_000 => format!("{nanos}ns"),
        1_000..1_000_000 => format!("{}µs", decimal(nanos, 1_000)),
        1_000_000..1_000_000_000 => format!("{}ms", decimal(nanos, 1_000_000)),
        _ => clock(nanos),
    }
}

fn clock(nanos: u128) -> String {
    let minutes = nanos / 60_000_000_000;
    let seconds = decimal(nanos % 60_000_000_000, 1_000_000_000);
    match (minutes / 60, minutes % 60) {
        (0, 0) => format!("{seconds}s"),
        (0, minutes) => format!("{minutes}m{seconds}s"),
        (hours, minutes) => format!("{hours}h{minutes}m{seconds}s"),
    }
}

/// `value / unit` without trailing zeros.
fn decimal(value: u128, unit: u128) -> String {
    let whole = value / unit;
    let digits = unit.ilog10() as usize;
    let fraction = format!("{:0digits$}", value % unit);
    match fraction.trim_end_matches('0') {
        "" => whole.to_string(),
        fraction => format!("{whole}.{fraction}"),
    }
}

fn time_of_day(unix: u64) -> String {
    format!("{:02}:{:02}:{:02}", unix / 3600 % 24, unix / 60 % 60, unix % 60)
}

/// Year, month from 1, day from 1. Counts in years that begin in March, so that the leap day comes last.
fn date(unix: u64) -> (u64, u64, u64) {
    let days = unix / DAY + 719_468; // since 0000-03-01
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

fn pick(names: &[&'static str], at: u64) -> &'static str {
    usize::try_from(at).ok().and_then(|at| names.get(at)).copied().unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_read_as_go_prints_them() {
        for (unix, text) in [
            (0, "Thu, 01 Jan 1970 00:00:00 UTC"),
            (951_782_400, "Tue, 29 Feb 2000 00:00:00 UTC"),
            (1_795_360_651, "Sun, 22 Nov 2026 15:17:31 UTC"),
            (4_107_542_399, "Sun, 28 Feb 2100 23:59:59 UTC"),
            (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 UTC"),
            (u64::MAX, "Fri, 31 Dec 9999 23:59:59 UTC"),
        ] {
            assert_eq!(rfc1123(unix), text);
        }
        assert_eq!(stamp(1_795_360_581), "Nov 22 15:16:21");
        assert_eq!(stamp(1_793_891_045), "Nov 5 15:04:05");
    }

    #[test]
    fn spans_read_as_go_prints_them() {
        for (nanos, text) in [
            (0, "0s"),
            (999, "999ns"),
            (1_100, "1.1µs"),
            (2_200_000, "2.2ms"),
            (1_000_000_000, "1s"),
            (1_000_000_001, "1.000000001s"),
            (61_000_000_000, "1m1s"),
            (3_723_500_000_000, "1h2m3.5s"),
            (360_000_000_000_000, "100h0m0s"),
        ] {
            assert_eq!(span(Duration::from_nanos(nanos)), text);
        }
        assert_eq!(span(Duration::from_secs(u64::MAX)), "5124095576030431h0m15s");
    }
}
