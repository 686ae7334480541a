//! The terminal's mode: as it was found, and as it is while the bot has it.

use super::screen::Board;
use nix::sys::termios::{LocalFlags, SetArg, SpecialCharacterIndices, Termios, tcgetattr, tcsetattr};
use std::fs::File;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

/// No more pastes in brackets.
const PASTE_OFF: &[u8] = b"\x1b[?2004l";

/// A terminal that the bot has taken over.
#[derive(Debug)]
pub(crate) struct Tty {
    /// As it was found; none: it cannot be told.
    found: Mutex<Option<Termios>>,
    input: File,
    output: File,
    board: Arc<Board>,
}

impl Tty {
    /// Remembers the mode of `input`. If line editing `edits` it, keys typed between two lines wait for the next one:
    /// nothing echoes them, and Ctrl-C and Ctrl-D are keys there too.
    pub(crate) fn take(input: File, output: File, board: Arc<Board>, edits: bool) -> Arc<Self> {
        let found = tcgetattr(&input).ok();
        if edits && let Some(found) = &found {
            let mut ours = found.clone();
            ours.local_flags &= !(LocalFlags::ICANON | LocalFlags::ECHO | LocalFlags::ISIG);
            ours.control_chars[SpecialCharacterIndices::VMIN as usize] = 1;
            ours.control_chars[SpecialCharacterIndices::VTIME as usize] = 0;
            let _ = tcsetattr(&input, SetArg::TCSANOW, &ours);
        }
        Arc::new(Self { found: Mutex::new(found), input, output, board })
    }

    /// Puts the mode back.
    pub(crate) fn put_back(&self) {
        if let Some(found) = &*self.found.lock().unwrap_or_else(PoisonError::into_inner) {
            let _ = tcsetattr(&self.input, SetArg::TCSANOW, found);
        }
    }
}

/// Puts the mode back when it is dropped: line editing may still wait for a key then, and would never do it itself.
#[derive(Debug)]
pub(crate) struct PutBack(pub(crate) Arc<Tty>);

impl Drop for PutBack {
    fn drop(&mut self) {
        self.0.put_back();
        if self.0.board.is_edited() {
            // What the shell writes next begins a line.
            let mut output = &self.0.output;
            let _ = output.write_all(PASTE_OFF).and_then(|()| output.write_all(b"\n"));
        }
    }
}
