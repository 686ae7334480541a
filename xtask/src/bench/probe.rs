//! What a process has used, as the kernel counts it.

use nix::sched::{CpuSet, sched_setaffinity};
use nix::time::ClockId;
use nix::unistd::Pid;
use std::fs;
use std::time::Duration;

/// The CPU clock of a process: all of its threads, those that have ended too.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cpu(ClockId);

impl Cpu {
    /// Of another process.
    pub(crate) fn of(pid: u32) -> Result<Self, String> {
        let pid = i32::try_from(pid).map_err(|error| error.to_string())?;
        ClockId::pid_cpu_clock_id(Pid::from_raw(pid)).map(Self).map_err(|error| format!("no CPU clock: {error}"))
    }

    /// Of this one.
    pub(crate) fn own() -> Self {
        Self(ClockId::CLOCK_PROCESS_CPUTIME_ID)
    }

    /// What it has used so far.
    pub(crate) fn read(self) -> Result<Duration, String> {
        self.0.now().map(Duration::from).map_err(|error| format!("no CPU time: {error}"))
    }
}

/// Memory of a process, in MiB.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Memory {
    /// What is resident.
    pub(crate) resident: f64,
    /// Of that, what is not a file's pages: heap and stacks.
    pub(crate) anonymous: f64,
}

/// What of a process is in memory, counted page by page: the sums of `/proc/PID/status` lag behind.
pub(crate) fn memory(pid: u32) -> Result<Memory, String> {
    let path = format!("/proc/{pid}/smaps_rollup");
    let text = fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
    let field = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
        kib.map(|kib| kib / 1024.0).ok_or_else(|| format!("{path} has no {name}"))
    };
    Ok(Memory { resident: field("Rss:")?, anonymous: field("Anonymous:")? })
}

/// Keeps this thread, and those that it starts, on one core: what is measured on the first, who answers it on the last.
/// Else the scheduler lets them take turns on one, as often as it likes. Where that is refused there is only more noise.
pub(crate) fn pin(last: bool) {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let mut set = CpuSet::new();
    if cores > 1 && set.set(if last { cores - 1 } else { 0 }).is_ok() {
        _ = sched_setaffinity(Pid::from_raw(0), &set);
    }
}
