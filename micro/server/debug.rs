//! `Debug.Health` and `Debug.Stats`, as go-micro v2.0.0 and later have them (WIRE §5). Never listed among the endpoints.

use crate::registry::service::Endpoint;
use crate::server::Handler;
use crate::server::handler::message;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// What a server counts. Shared by its router and its debug endpoints.
#[derive(Debug)]
pub(crate) struct Stats {
    started: u64,
    requests: AtomicU64,
    errors: AtomicU64,
}

impl Default for Stats {
    fn default() -> Self {
        Self { started: now(), requests: AtomicU64::new(0), errors: AtomicU64::new(0) }
    }
}

impl Stats {
    /// A call or a stream came in.
    pub(crate) fn asked(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    /// One was answered with an error.
    pub(crate) fn failed(&self) {
        self.errors.fetch_add(1, Ordering::Relaxed);
    }
}

/// Both endpoints with their handlers.
pub(crate) fn routes(stats: &Arc<Stats>) -> [(Endpoint, Arc<dyn Handler>); 2] {
    let stats = Arc::clone(stats);
    let health = message(async |_, _: HealthRequest| Ok(HealthResponse { status: "ok".to_owned() }));
    let stats = message(move |_, _: StatsRequest| {
        let response = snapshot(&stats);
        async move { Ok(response) }
    });
    [(endpoint("Debug.Health"), Arc::new(health)), (endpoint("Debug.Stats"), Arc::new(stats))]
}

fn endpoint(name: &str) -> Endpoint {
    Endpoint { name: name.to_owned(), ..Endpoint::default() }
}

#[derive(Clone, PartialEq, prost::Message, Deserialize)]
#[serde(default)]
struct HealthRequest {
    #[prost(string, tag = "1")]
    service: String,
}

#[derive(Clone, PartialEq, prost::Message, Serialize)]
struct HealthResponse {
    #[prost(string, tag = "1")]
    status: String,
}

#[derive(Clone, PartialEq, prost::Message, Deserialize)]
#[serde(default)]
struct StatsRequest {
    #[prost(string, tag = "1")]
    service: String,
}

/// The numbers of v1.18.0 and later; before, they began with `started` (WIRE §5).
#[derive(Clone, PartialEq, prost::Message, Serialize)]
struct StatsResponse {
    /// Unix seconds.
    #[prost(uint64, tag = "1")]
    timestamp: u64,
    /// Unix seconds.
    #[prost(uint64, tag = "2")]
    started: u64,
    /// Seconds.
    #[prost(uint64, tag = "3")]
    uptime: u64,
    /// Resident bytes; 0 where the system does not tell.
    #[prost(uint64, tag = "4")]
    memory: u64,
    /// Threads of the process; 0 where the system does not tell.
    #[prost(uint64, tag = "5")]
    threads: u64,
    /// Nanoseconds of garbage collection: always 0.
    #[prost(uint64, tag = "6")]
    gc: u64,
    #[prost(uint64, tag = "7")]
    requests: u64,
    #[prost(uint64, tag = "8")]
    errors: u64,
}

fn snapshot(stats: &Stats) -> StatsResponse {
    let (memory, threads) =
        std::fs::read_to_string("/proc/self/status").map_or((0, 0), |text| memory_and_threads(&text));
    let timestamp = now();
    StatsResponse {
        timestamp,
        started: stats.started,
        uptime: timestamp.saturating_sub(stats.started),
        memory,
        threads,
        gc: 0,
        requests: stats.requests.load(Ordering::Relaxed),
        errors: stats.errors.load(Ordering::Relaxed),
    }
}

/// Resident bytes and the number of threads out of Linux's `/proc/self/status`.
fn memory_and_threads(status: &str) -> (u64, u64) {
    let number = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().next()?.parse::<u64>().ok()
    };
    (number("VmRSS:").unwrap_or(0).saturating_mul(1024), number("Threads:").unwrap_or(0))
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_and_threads_come_from_the_status_file() {
        assert_eq!(memory_and_threads("Name:\tmicro\nVmRSS:\t    2048 kB\nThreads:\t7\n"), (2 << 20, 7));
        assert_eq!(memory_and_threads("VmRSS:\tmuch\n"), (0, 0));
    }

    #[test]
    fn the_stats_have_the_names_of_go() {
        let stats =
            StatsResponse { timestamp: 1, started: 2, uptime: 3, memory: 4, threads: 5, gc: 0, requests: 7, errors: 8 };
        insta::assert_snapshot!(serde_json::to_string(&stats).unwrap(), @r#"{"timestamp":1,"started":2,"uptime":3,"memory":4,"threads":5,"gc":0,"requests":7,"errors":8}"#);
        assert_eq!(prost::Message::encode_to_vec(&stats), [8, 1, 16, 2, 24, 3, 32, 4, 40, 5, 56, 7, 64, 8]);
    }
}
