//! The screen that answers and line editing share: answers stand above the line that is being edited, in their order,
//! and none is lost where editing ends.
//!
//! The editor shows what its printer hands over when it next waits for a key. So an answer goes through the printer only
//! while a line is edited, and the next one follows when the editor has shown it.

use rustyline::ExternalPrinter;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long an answer waits to be shown where it may have been shown already.
const UNSURE: Duration = Duration::from_millis(200);

/// What the editor is about, as far as answers must know.
#[derive(Debug, Default)]
pub(crate) struct Board {
    state: Mutex<State>,
    moved: Condvar,
}

#[derive(Debug, Default)]
struct State {
    phase: Phase,
    /// Whether an answer was handed over and is not shown yet.
    handed: bool,
    /// Whether a line was broken off since: the printer may have written by itself then.
    broken: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    /// Nobody edits, and nobody will.
    #[default]
    Idle,
    /// Between two lines.
    Away,
    /// A line is edited.
    Edits,
}

impl Board {
    /// The editor goes to its next line, or has accepted one.
    pub(crate) fn away(&self) {
        self.go(Phase::Away);
    }

    /// The editor has drawn a line.
    pub(crate) fn edits(&self) {
        if self.lock().phase == Phase::Away {
            self.go(Phase::Edits);
        }
    }

    /// The editor has shown what was handed over.
    pub(crate) fn shown(&self) {
        self.lock().handed = false;
        self.moved.notify_all();
    }

    /// A line was broken off.
    pub(crate) fn broken(&self) {
        self.lock().broken = true;
        self.go(Phase::Away);
    }

    /// The editor has ended.
    pub(crate) fn ended(&self) {
        self.go(Phase::Idle);
    }

    /// Whether a line is being edited.
    pub(crate) fn is_edited(&self) -> bool {
        self.lock().phase == Phase::Edits
    }

    fn go(&self, phase: Phase) {
        self.lock().phase = phase;
        self.moved.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until what was handed over is shown; false if the editor has ended before.
    fn wait(&self, mut state: MutexGuard<'_, State>) -> bool {
        loop {
            let waits = |state: &mut State| state.handed && state.phase != Phase::Idle;
            let waited = self.moved.wait_timeout_while(state, UNSURE, waits);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
            if !state.handed {
                return true;
            }
            match state.phase {
                Phase::Idle => {
                    state.handed = false;
                    return false;
                }
                // It would have been shown by now.
                Phase::Edits if state.broken => {
                    state.handed = false;
                    return true;
                }
                Phase::Edits | Phase::Away => {}
            }
        }
    }
}

/// Where answers are written.
pub(crate) struct Screen {
    /// None: this terminal cannot edit lines.
    printer: Option<Box<dyn ExternalPrinter + Send>>,
    output: File,
    board: Arc<Board>,
}

impl Screen {
    pub(crate) fn new(printer: Option<Box<dyn ExternalPrinter + Send>>, output: File, board: Arc<Board>) -> Self {
        Self { printer, output, board }
    }
}

impl Write for Screen {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut state = self.board.lock();
        let Some(printer) = self.printer.as_mut().filter(|_| state.phase == Phase::Edits) else {
            // The lock keeps the editor from drawing into it.
            return self.output.write(bytes);
        };
        printer.print(String::from_utf8_lossy(bytes).into_owned()).map_err(io::Error::other)?;
        (state.handed, state.broken) = (true, false);
        if self.board.wait(state) { Ok(bytes.len()) } else { self.output.write(bytes) }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.output.flush()
    }
}

impl AsFd for Screen {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.output.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Seek};
    use std::sync::mpsc;
    use std::thread;

    /// The editor's side: what was handed over.
    struct Printer(mpsc::SyncSender<String>);

    impl ExternalPrinter for Printer {
        fn print(&mut self, text: String) -> rustyline::Result<()> {
            self.0.send(text).unwrap();
            Ok(())
        }
    }

    fn scene() -> (Arc<Board>, Screen, mpsc::Receiver<String>, File) {
        let (sender, handed) = mpsc::sync_channel(1);
        let board = Arc::new(Board::default());
        let output = tempfile::tempfile().unwrap();
        let screen = Screen::new(Some(Box::new(Printer(sender))), output.try_clone().unwrap(), board.clone());
        (board, screen, handed, output)
    }

    fn text(mut output: File) -> String {
        let mut text = String::new();
        output.rewind().unwrap();
        output.read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn answers_go_through_the_editor_only_while_it_edits() {
        let (board, mut screen, handed, output) = scene();
        screen.write_all(b"greeting\n").unwrap();
        board.away();
        screen.write_all(b"between\n").unwrap();
        board.edits();
        let writes = thread::spawn(move || screen.write_all(b"above\n").map(|()| screen));
        assert_eq!(handed.recv().unwrap(), "above\n");
        assert!(!writes.is_finished());
        board.shown();
        let mut screen = writes.join().unwrap().unwrap();
        board.ended();
        screen.write_all(b"after\n").unwrap();
        assert_eq!(text(output), "greeting\nbetween\nafter\n");
    }

    #[test]
    fn what_an_accepted_line_left_unshown_is_waited_for() {
        let (board, mut screen, handed, output) = scene();
        board.away();
        board.edits();
        let writes = thread::spawn(move || screen.write_all(b"one\n").and_then(|()| screen.write_all(b"two\n")));
        assert_eq!(handed.recv().unwrap(), "one\n");
        board.away();
        board.edits();
        assert!(handed.try_recv().is_err(), "two waits for one");
        board.away();
        board.shown();
        writes.join().unwrap().unwrap();
        assert_eq!(text(output), "two\n");
    }

    #[test]
    fn what_the_end_left_unshown_is_written() {
        let (board, mut screen, handed, output) = scene();
        board.away();
        board.edits();
        let writes = thread::spawn(move || screen.write_all(b"late\n"));
        handed.recv().unwrap();
        board.ended();
        writes.join().unwrap().unwrap();
        assert_eq!(text(output), "late\n");
    }

    #[test]
    fn what_was_shown_unseen_by_a_broken_line_holds_nothing_up() {
        let (board, mut screen, handed, output) = scene();
        board.away();
        board.edits();
        let writes = thread::spawn(move || screen.write_all(b"one\n"));
        handed.recv().unwrap();
        board.broken();
        board.edits();
        writes.join().unwrap().unwrap();
        assert_eq!(text(output), "");
    }
}
