//! The product at the end of a pipe, with nothing in between that costs time.

use crate::bench::probe::{self, Cpu, Memory};
use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// How long CPU use has to be low before a bot counts as settled, and how low.
const QUIET: (Duration, Duration) = (Duration::from_millis(300), Duration::from_millis(2));
/// How long it may take to settle.
const SETTLES: Duration = Duration::from_secs(60);

/// A running bot. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Bot {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    cpu: Cpu,
}

impl Bot {
    /// Starts it; its environment is empty, its log is not read.
    pub(crate) fn start<I: AsRef<OsStr>>(binary: &Path, words: impl IntoIterator<Item = I>) -> Result<Self, String> {
        let mut command = Command::new(binary);
        command.args(words).env_clear().stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().map_err(|error| format!("{}: {error}", binary.display()))?;
        let cpu = Cpu::of(child.id())?;
        let input = child.stdin.take().ok_or("no stdin")?;
        let output = BufReader::with_capacity(1 << 16, child.stdout.take().ok_or("no stdout")?);
        Ok(Self { child, input, output, cpu })
    }

    /// Says a line and reads the first line of the answer.
    pub(crate) fn ask(&mut self, line: &str) -> Result<String, String> {
        writeln!(self.input, "{line}").map_err(|error| format!("the bot does not listen: {error}"))?;
        let mut answer = String::new();
        match self.output.read_line(&mut answer) {
            Ok(0) => Err(format!("{line}: the bot has gone")),
            Ok(_) => Ok(answer.trim_end().to_owned()),
            Err(error) => Err(format!("{line}: {error}")),
        }
    }

    /// Says a line and reads `lines` lines of answer.
    pub(crate) fn ask_many(&mut self, line: &str, lines: usize) -> Result<Vec<String>, String> {
        let mut answer = vec![self.ask(line)?];
        while answer.len() < lines {
            let mut next = String::new();
            match self.output.read_line(&mut next) {
                Ok(read) if read > 0 => answer.push(next.trim_end().to_owned()),
                Ok(_) => return Err(format!("{line}: the bot has gone")),
                Err(error) => return Err(error.to_string()),
            }
        }
        Ok(answer)
    }

    /// Says `lines` in turn until it has said `count`, as fast as they are taken, and reads answers of `newlines` lines
    /// together. The CPU that this cost the bot.
    pub(crate) fn flood(&mut self, lines: &[&str], count: usize, newlines: usize) -> Result<Duration, String> {
        let text: Vec<u8> = lines.iter().cycle().take(count).flat_map(|line| line.bytes().chain([b'\n'])).collect();
        let before = self.cpu.read()?;
        let Self { input, output, .. } = self;
        thread::scope(|scope| {
            let writes = scope.spawn(move || input.write_all(&text));
            let mut missing = newlines;
            let mut chunk = vec![0; 1 << 16];
            while missing > 0 {
                let read = output.read(&mut chunk).map_err(|error| error.to_string())?;
                let found = chunk[..read].split(|byte| *byte == b'\n').count() - 1;
                if read == 0 || found > missing {
                    return Err(format!("{missing} lines of answer are missing or too many"));
                }
                missing -= found;
            }
            match writes.join() {
                Ok(written) => written.map_err(|error| error.to_string()),
                Err(_) => Err("the writer panicked".to_owned()),
            }
        })?;
        Ok(self.cpu.read()?.saturating_sub(before))
    }

    /// Waits until it does nothing any more.
    pub(crate) fn settle(&self) -> Result<(), String> {
        let started = Instant::now();
        let mut last = self.cpu.read()?;
        while started.elapsed() < SETTLES {
            thread::sleep(QUIET.0);
            let now = self.cpu.read()?;
            if now.saturating_sub(last) < QUIET.1 {
                return Ok(());
            }
            last = now;
        }
        Err(format!("the bot is still at work after {SETTLES:?}"))
    }

    /// What it has in memory.
    pub(crate) fn memory(&self) -> Result<Memory, String> {
        probe::memory(self.child.id())
    }

    /// The CPU that it has used.
    pub(crate) fn cpu(&self) -> Result<Duration, String> {
        self.cpu.read()
    }
}

impl Drop for Bot {
    fn drop(&mut self) {
        // It may have ended by itself.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}
