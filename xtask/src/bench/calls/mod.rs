//! A call, side by side with a bare loop that sends the same bytes to the same peer.

mod bare;
mod ours;

use crate::bench::Bench;
use crate::bench::figure::{Row, median, micros_each, quantile};
use crate::bench::peer::Peer;
use crate::bench::probe::{Cpu, pin};
use futures_util::future::BoxFuture;
use std::sync::Arc;
use std::time::Instant;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

/// Calls that run at once.
const IN_FLIGHT: [usize; 2] = [1, 64];

/// One way to call, by one of those who call at once.
trait Caller: Send + 'static {
    /// One call, its answer read and checked.
    fn call(&mut self) -> BoxFuture<'_, Result<(), String>>;
}

/// Makes a caller.
type Make = Arc<dyn Fn() -> BoxFuture<'static, Result<Box<dyn Caller>, String>> + Send + Sync>;

/// A side of a comparison, with those of its callers that wait between the rounds: connections stay open.
struct Side {
    callers: Vec<Box<dyn Caller>>,
    micros: Vec<f64>,
    waits: Vec<f64>,
}

impl Side {
    async fn new(make: &Make, callers: usize) -> Result<Self, String> {
        let mut side = Self { callers: Vec::new(), micros: Vec::new(), waits: Vec::new() };
        for _ in 0..callers {
            side.callers.push(make().await?);
        }
        Ok(side)
    }

    /// `count` calls, shared by the callers.
    async fn round(&mut self, count: usize, counts: bool) -> Result<(), String> {
        let each = count / self.callers.len();
        let before = Cpu::own().read()?;
        let mut running = JoinSet::new();
        for mut caller in self.callers.drain(..) {
            running.spawn(async move {
                let mut waits = Vec::with_capacity(each);
                for _ in 0..each {
                    let started = Instant::now();
                    caller.call().await?;
                    waits.push(micros_each(started.elapsed(), 1));
                }
                Ok::<_, String>((caller, waits))
            });
        }
        while let Some(done) = running.join_next().await {
            let (caller, waits) = done.map_err(|error| error.to_string())??;
            self.callers.push(caller);
            self.waits.extend(waits);
        }
        if counts {
            self.micros.push(micros_each(Cpu::own().read()?.saturating_sub(before), each * self.callers.len()));
        } else {
            self.waits.clear();
        }
        Ok(())
    }
}

/// Both sides by turns.
fn compare(
    bench: &Bench,
    name: &str,
    bound: f64,
    calls: usize,
    (bare, ours): (&Make, &Make),
    runtime: &Runtime,
) -> Result<Vec<Row>, String> {
    let (rounds, calls) = (bench.rounds(9), bench.amount(calls));
    IN_FLIGHT
        .into_iter()
        .map(|callers| {
            let (bare, ours) = runtime.block_on(async {
                let mut bare = Side::new(bare, callers).await?;
                let mut ours = Side::new(ours, callers).await?;
                for round in 0..=rounds {
                    // The first one warms up.
                    bare.round(calls, round > 0).await?;
                    ours.round(calls, round > 0).await?;
                }
                Ok::<_, String>((bare, ours))
            })?;
            let (least, cost) = (median(&bare.micros), median(&ours.micros));
            let note = format!(
                "CPU {cost:.1} / {least:.1} µs a call; p50 {:.0} / {:.0} µs, p99 {:.0} / {:.0}",
                median(&ours.waits),
                median(&bare.waits),
                quantile(&ours.waits, 0.99),
                quantile(&bare.waits, 0.99)
            );
            Ok(Row::below(format!("{name}, {callers} in flight"), cost / least, bound, "×", note))
        })
        .collect()
}

/// One worker: with two, chance decides whether a reply wakes the one that waits for it or both, and that costs more
/// than what is measured.
fn runtime() -> Result<Runtime, String> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .on_thread_start(|| pin(false))
        .enable_all()
        .build()
        .map_err(|error| error.to_string())
}

/// A connection a call.
pub(crate) fn dial(bench: &Bench) -> Result<Vec<Row>, String> {
    let (runtime, peer) = (runtime()?, Peer::start(true)?);
    let ours = runtime.block_on(ours::make(&peer.mucp, "rpc", 0))?;
    let bytes = runtime.block_on(ours::bytes(0))?;
    let bare = bare::dialling(&peer.mucp, bytes);
    compare(bench, "call / bare loop that dials", 1.15, 8_000, (&bare, &ours), &runtime)
}

/// Kept connections.
pub(crate) fn kept(bench: &Bench) -> Result<Vec<Row>, String> {
    let (runtime, peer) = (runtime()?, Peer::start(true)?);
    let ours = runtime.block_on(ours::make(&peer.mucp, "rpc", 100))?;
    let bytes = runtime.block_on(ours::bytes(100))?;
    let bare = bare::keeping(&peer.mucp, &bytes)?;
    compare(bench, "call / loop with headers and a deadline, kept", 1.3, 32_000, (&bare, &ours), &runtime)
}

/// gRPC.
pub(crate) fn grpc(bench: &Bench) -> Result<Vec<Row>, String> {
    let (runtime, peer) = (runtime()?, Peer::start(true)?);
    let ours = runtime.block_on(ours::make(&peer.grpc, "grpc", 100))?;
    let tasks = Arc::default();
    let bare = bare::h2(&peer.grpc, &tasks);
    compare(bench, "gRPC call / bare h2 loop", 1.15, 16_000, (&bare, &ours), &runtime)
}
