//! A slow command delays nobody else.

use crate::bench::Bench;
use crate::bench::figure::{Row, median, millis, quantile};

pub(crate) fn measure(bench: &Bench) -> Result<Vec<Row>, String> {
    let measured = support::senders::measure(bench.amount(20_000))?;
    let micros = |times: &[std::time::Duration]| times.iter().map(|time| millis(*time) * 1e3).collect::<Vec<_>>();
    let (alone, beside) = (micros(&measured.alone), micros(&measured.beside));
    let (alone_p50, beside_p50) = (median(&alone), median(&beside));
    let note = format!(
        "ping of one sender: p50 {beside_p50:.1} µs while another's command runs, {alone_p50:.1} µs alone; p99 {:.1} and {:.1}",
        quantile(&beside, 0.99),
        quantile(&alone, 0.99)
    );
    Ok(vec![Row::below("a slow command beside: delay of others", beside_p50 / alone_p50, 1.3, "×", note)])
}
