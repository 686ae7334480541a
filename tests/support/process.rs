//! The binary at the end of a pipe.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::ffi::OsStr;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

/// How long anything may take before a test gives up. Far more than it needs: machines are busy.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// What a program that has ended left behind.
#[derive(Debug)]
pub struct Output {
    /// Its exit code; 128 + n for signal n.
    pub code: i32,
    /// Its answers.
    pub stdout: String,
    /// Its errors and logs.
    pub stderr: String,
}

/// Runs the binary with this on stdin until it ends. The environment has no `MICRO_*`.
///
/// # Errors
/// It cannot be started, or does not end.
pub fn run<I: AsRef<OsStr>>(binary: &str, words: impl IntoIterator<Item = I>, stdin: &[u8]) -> io::Result<Output> {
    let mut process = Process::start(binary, words)?;
    let input = process.stdin.take();
    let bytes = stdin.to_vec();
    let writer = thread::spawn(move || {
        // A program that does not read its input to the end is no error here.
        _ = input.map(|mut input| input.write_all(&bytes));
    });
    let mut stdout = Vec::new();
    loop {
        match process.lines.recv_timeout(PATIENCE) {
            Ok(line) => stdout.extend_from_slice(&line),
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => return Err(io::Error::other("it says nothing and does not end")),
        }
    }
    let status = process.wait()?;
    let stderr = process.errors();
    writer.join().map_err(|_| io::Error::other("the writer panicked"))?;
    Ok(Output { code: code(status), stdout: String::from_utf8_lossy(&stdout).into_owned(), stderr })
}

fn code(status: ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(-1)
}

/// A running binary. Dropping it kills it.
#[derive(Debug)]
pub struct Process {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<Vec<u8>>,
    stderr: Option<thread::JoinHandle<String>>,
}

impl Process {
    /// Starts it.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start<I: AsRef<OsStr>>(binary: &str, words: impl IntoIterator<Item = I>) -> io::Result<Self> {
        let mut command = Command::new(binary);
        command.args(words).env_clear().env("HOME", "/nonexistent").env("NO_COLOR", "1");
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let stdin = child.stdin.take();
        let (sender, lines) = channel();
        let stdout = child.stdout.take().ok_or_else(|| io::Error::other("no stdout"))?;
        thread::spawn(move || {
            let mut stdout = BufReader::new(stdout);
            loop {
                let mut line = Vec::new();
                match stdout.read_until(b'\n', &mut line) {
                    Ok(read) if read > 0 && sender.send(line).is_ok() => {}
                    _ => return,
                }
            }
        });
        let mut errors = child.stderr.take().ok_or_else(|| io::Error::other("no stderr"))?;
        let stderr = thread::spawn(move || {
            let mut text = Vec::new();
            _ = errors.read_to_end(&mut text);
            String::from_utf8_lossy(&text).into_owned()
        });
        Ok(Self { child, stdin, lines, stderr: Some(stderr) })
    }

    /// Types a line.
    ///
    /// # Errors
    /// The process has gone.
    pub fn say(&mut self, line: &str) -> io::Result<()> {
        let stdin = self.stdin.as_mut().ok_or_else(|| io::Error::other("stdin is closed"))?;
        writeln!(stdin, "{line}")?;
        stdin.flush()
    }

    /// Reads no more of its stdout, so that the pipe breaks at its next lines.
    pub fn hush(&mut self) {
        self.lines = channel().1;
    }

    /// Ends its input.
    pub fn end(&mut self) {
        self.stdin = None;
    }

    /// The next line of stdout, without its newline.
    ///
    /// # Errors
    /// There is none within [`PATIENCE`], or no more at all.
    pub fn line(&self) -> io::Result<String> {
        let line = self.lines.recv_timeout(PATIENCE).map_err(io::Error::other)?;
        Ok(String::from_utf8_lossy(&line).trim_end_matches('\n').to_owned())
    }

    /// Asks a one-line question.
    ///
    /// # Errors
    /// As [`Process::line`].
    pub fn ask(&mut self, line: &str) -> io::Result<String> {
        self.say(line)?;
        self.line()
    }

    /// Asks until the one-line answer is as wanted; gives the answer and how long it took.
    ///
    /// # Errors
    /// It is not within [`PATIENCE`]: with the last answer.
    pub fn until(&mut self, line: &str, wanted: impl Fn(&str) -> bool) -> io::Result<(String, Duration)> {
        let started = Instant::now();
        loop {
            let answer = self.ask(line)?;
            if wanted(&answer) {
                return Ok((answer, started.elapsed()));
            }
            if started.elapsed() > PATIENCE {
                return Err(io::Error::other(format!("{line}: still {answer}")));
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Sends it a signal.
    ///
    /// # Errors
    /// It has gone.
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        let pid = i32::try_from(self.child.id()).map_err(io::Error::other)?;
        kill(Pid::from_raw(pid), signal).map_err(io::Error::from)
    }

    /// Sends a signal again and again until the process has ended; its exit code.
    ///
    /// # Errors
    /// It does not end within [`PATIENCE`].
    pub fn signal_until_gone(&mut self, signal: Signal) -> io::Result<i32> {
        let started = Instant::now();
        while started.elapsed() < PATIENCE {
            if let Some(status) = self.child.try_wait()? {
                return Ok(code(status));
            }
            self.signal(signal)?;
            thread::sleep(Duration::from_millis(20));
        }
        Err(io::Error::other("it does not end"))
    }

    /// Waits until it ends.
    ///
    /// # Errors
    /// It does not within [`PATIENCE`]; it is killed then.
    pub fn wait(&mut self) -> io::Result<ExitStatus> {
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            if started.elapsed() > PATIENCE {
                self.child.kill()?;
                return Err(io::Error::other("it does not end"));
            }
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// Waits until it ends; its exit code, 128 + n for signal n.
    ///
    /// # Errors
    /// As [`Process::wait`].
    pub fn code(&mut self) -> io::Result<i32> {
        self.wait().map(code)
    }

    /// All of stderr; waits for its end.
    pub fn errors(&mut self) -> String {
        self.stderr.take().and_then(|thread| thread.join().ok()).unwrap_or_default()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended long ago.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}
