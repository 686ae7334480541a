//! The terminal for people: line editing in a thread of its own, answers above the line that is being edited.

use super::form::{Form, number};
use super::frame::{Framer, Heard};
use super::mode::{PutBack, Tty};
use super::out::{Out, Poster};
use super::screen::{Board, Screen};
use super::tab::{Question, Tab};
use super::{Config, Us, greet, no_thread};
use async_trait::async_trait;
use bot::adapter::{Adapter, AdapterError, Delivered, Inbox, Posted, State};
use bot::message::{Message, Place};
use bot::reply::Reply;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use rustyline::error::ReadlineError;
use rustyline::history::DefaultHistory;
use rustyline::{ColorMode, CompletionType, Editor};
use std::fmt;
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

const PROMPT: &str = "micro> ";

/// Within this time a second Ctrl-C leaves.
const TWICE: Duration = Duration::from_secs(2);

/// Lines that may be typed ahead of a bot that has no room.
const AHEAD: usize = 4096;

/// Lines that are kept.
const KEPT: usize = 1000;

/// What the thread that edits lines tells.
#[derive(Debug)]
pub(crate) enum Event {
    /// Something was typed: usually a line, more where lines were pasted or stand in a block.
    Typed(String),
    /// Tab was pressed.
    Asks(Question),
    /// What runs is to be stopped.
    Stop,
    /// Something is to be said that answers no message.
    Says(&'static str),
}

/// The terminal for people.
pub(crate) struct Line {
    us: Us,
    out: Poster,
    history: PathBuf,
    editor: Mutex<Option<Editor<Tab, DefaultHistory>>>,
    input: File,
    output: File,
    /// Whether this terminal can do it.
    edits: bool,
    board: Arc<Board>,
    /// Lines that were typed and are not yet delivered: Ctrl-C stops them too.
    typed: Arc<AtomicUsize>,
}

impl Line {
    /// Prepares the editor of stdin and stdout, which are `input` and `output`; neither is touched yet.
    ///
    /// # Errors
    /// No thread can be started, or the terminal cannot be used.
    pub(crate) fn new(us: Us, config: &Config, input: File, output: File) -> io::Result<Self> {
        let form = if config.json { Form::Json } else { Form::People { colour: config.colour } };
        let mut editor = editor().map_err(io::Error::other)?;
        // A terminal that cannot do it (TERM=dumb) gets its answers as they come.
        let printer = editor.create_external_printer().ok().map(|printer| Box::new(printer) as Box<_>);
        let edits = printer.is_some();
        let board = Arc::new(Board::default());
        let screen = Screen::new(printer, output.try_clone()?, board.clone());
        let out = Out::start(screen, form)?;
        Ok(Self {
            us,
            out,
            history: config.history.clone(),
            editor: Mutex::new(Some(editor)),
            input,
            output,
            edits,
            board,
            typed: Arc::default(),
        })
    }

    /// Takes what is typed until the end of input, or until the bot closes: then false.
    async fn hear(&self, inbox: &Inbox, mut events: mpsc::Receiver<Event>) -> bool {
        let mut answers = FuturesUnordered::new();
        loop {
            let event = tokio::select! {
                biased;
                () = inbox.closed() => return false,
                () = self.out.gone() => return false,
                Some(()) = answers.next() => continue,
                event = events.recv() => event,
            };
            match event {
                None => return true,
                Some(Event::Typed(text)) => {
                    let open = self.say(inbox, &text).await;
                    self.typed.fetch_sub(1, Ordering::SeqCst);
                    if !open {
                        return false;
                    }
                }
                Some(Event::Stop) => {
                    self.deliver(inbox, "stop".to_owned()).await;
                }
                Some(Event::Says(text)) => self.out.add(|into| into.extend_from_slice(text.as_bytes())).await,
                Some(Event::Asks(question)) => answers.push(async move {
                    let words = greet::words(inbox, &self.us, &question.command, &question.rest).await;
                    let _ = question.answer.try_send(words);
                }),
            }
        }
    }

    /// Delivers each message of what was typed; false if the bot closes before.
    async fn say(&self, inbox: &Inbox, text: &str) -> bool {
        let mut framer = Framer::default();
        let mut rest = text.as_bytes();
        while let Some(heard) = framer.take(&mut rest).or_else(|| framer.finish()) {
            let open = match heard {
                Heard::Said(text) => self.deliver(inbox, text).await,
                Heard::Bad(bad) => {
                    self.out.bad(bad).await;
                    true
                }
            };
            if !open {
                return false;
            }
        }
        true
    }

    /// Delivers one message, when there is room for it; false if the bot closes before.
    async fn deliver(&self, inbox: &Inbox, text: String) -> bool {
        let mut message = Box::new(self.us.message(self.out.asked(), text));
        loop {
            message = match inbox.deliver(*message).await {
                Delivered::Queued => return true,
                Delivered::Full(message) => message,
            };
            tokio::select! {
                biased;
                () = inbox.closed() => return false,
                () = inbox.room() => {}
            }
        }
    }

    /// Starts the thread that edits lines. It ends at the end of input, or at the first line after nobody listens.
    fn edit(
        &self,
        inbox: &Inbox,
        mut editor: Editor<Tab, DefaultHistory>,
        tty: Arc<Tty>,
    ) -> Result<mpsc::Receiver<Event>, AdapterError> {
        let (events, heard) = mpsc::channel(AHEAD);
        editor.set_helper(Some(Tab::new(inbox.catalogue(), events.clone(), self.board.clone())));
        let history = self.history.clone();
        let desk = Desk {
            editor,
            events,
            history,
            out: self.out.share(),
            board: self.board.clone(),
            typed: self.typed.clone(),
        };
        let edit = move || {
            desk.run();
            tty.put_back();
        };
        thread::Builder::new().name("terminal-in".into()).spawn(edit).map_err(no_thread)?;
        Ok(heard)
    }
}

/// Said where Ctrl-C had nothing to do.
const HINT: &str = "Ctrl-C again leaves, and so does Ctrl-D.\n";

/// Said where keys came that are no text.
const GARBLED: &str = "malformed: what was typed is not UTF-8\n";

#[async_trait]
impl Adapter for Line {
    fn name(&self) -> &Arc<str> {
        &self.us.name
    }

    async fn listen(&self, inbox: Inbox) -> Result<(), AdapterError> {
        let editor = self.editor.lock().unwrap_or_else(PoisonError::into_inner).take();
        // It fails only where no thread can be had, so it is asked once only.
        let Some(editor) = editor else { return Ok(()) };
        let (input, output) = (self.input.try_clone(), self.output.try_clone());
        let (input, output) = (input.map_err(no_thread)?, output.map_err(no_thread)?);
        let tty = Tty::take(input, output, self.board.clone(), self.edits);
        let taken = PutBack(tty.clone());
        let greeting = greet::greeting(&inbox, &self.us).await;
        self.out.add(|into| into.extend_from_slice(greeting.as_bytes())).await;
        self.out.flushed().await;
        if self.hear(&inbox, self.edit(&inbox, editor, tty)?).await {
            // From here on Ctrl-C is a signal to the process again.
            drop(taken);
            tokio::select! {
                () = self.out.answered(0) => {}
                () = inbox.hang_up() => {}
            }
        } else {
            tokio::select! {
                () = self.out.gone() => {}
                () = inbox.hang_up() => {}
            }
        }
        self.out.flushed().await;
        Ok(())
    }

    async fn post(&self, to: &Place, reply: &Reply) -> Result<Posted, AdapterError> {
        self.out.post(number(to), reply).await;
        Ok(Posted { place: to.clone(), ids: Vec::new() })
    }

    async fn working(&self, on: &Message, state: State) {
        if matches!(state, State::Done | State::Failed)
            && let Some(number) = number(&on.place)
        {
            self.out.done(number);
        }
    }

    fn trusted(&self) -> bool {
        true
    }
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Line").field("out", &*self.out).finish_non_exhaustive()
    }
}

fn editor() -> rustyline::Result<Editor<Tab, DefaultHistory>> {
    let config = rustyline::Config::builder()
        .max_history_size(KEPT)?
        .history_ignore_space(true)
        .completion_type(CompletionType::List)
        // It paints nothing by itself, and the board must be told of each line that is drawn.
        .color_mode(ColorMode::Forced)
        .build();
    Editor::with_config(config)
}

/// The thread that edits lines.
struct Desk {
    editor: Editor<Tab, DefaultHistory>,
    events: mpsc::Sender<Event>,
    /// Empty: nowhere.
    history: PathBuf,
    out: Arc<Out>,
    board: Arc<Board>,
    typed: Arc<AtomicUsize>,
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.board.ended();
    }
}

impl Desk {
    fn run(mut self) {
        self.load();
        let mut pressed = None;
        loop {
            if self.events.is_closed() {
                return;
            }
            self.board.away();
            let read = self.editor.readline(PROMPT);
            if read.is_err() {
                self.board.broken();
            }
            let event = match read {
                Ok(text) => {
                    pressed = None;
                    self.keep(&text);
                    self.typed.fetch_add(1, Ordering::SeqCst);
                    Event::Typed(text)
                }
                Err(ReadlineError::Interrupted) => {
                    let blank = self.editor.helper().is_none_or(Tab::blank);
                    let runs = self.typed.load(Ordering::SeqCst) > 0 || self.out.unanswered() > 0;
                    let press = press(blank, runs, pressed.map(|at: Instant| at.elapsed()));
                    pressed = blank.then(Instant::now);
                    match press {
                        Press::Leaves => return,
                        Press::Clears => continue,
                        Press::Stops => Event::Stop,
                        Press::Hints => Event::Says(HINT),
                    }
                }
                Err(ReadlineError::Io(error)) if error.kind() == io::ErrorKind::InvalidData => Event::Says(GARBLED),
                Err(ReadlineError::Eof) => return,
                Err(error) => {
                    tracing::error!(%error, "cannot read the terminal");
                    return;
                }
            };
            if self.events.blocking_send(event).is_err() {
                return;
            }
        }
    }

    fn load(&mut self) {
        if self.history.as_os_str().is_empty() {
            return;
        }
        let made = self.history.parent().map_or(Ok(()), private_folder);
        let loaded = match self.editor.load_history(&self.history) {
            Err(ReadlineError::Io(error)) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            loaded => loaded,
        };
        if let Err(error) = made.map_err(ReadlineError::from).and(loaded) {
            tracing::warn!(path = %self.history.display(), %error, "the history is not kept");
            // What could not be read must not be overwritten.
            self.history.clear();
        }
    }

    /// Remembers what was typed, in a file that the editor makes for its owner alone.
    fn keep(&mut self, text: &str) {
        let _ = self.editor.add_history_entry(text);
        if self.history.as_os_str().is_empty() {
            return;
        }
        if let Err(error) = self.editor.append_history(&self.history) {
            tracing::warn!(path = %self.history.display(), %error, "the history is not kept");
            self.history.clear();
        }
    }
}

/// Makes a folder for its owner alone, if it is not there.
fn private_folder(path: &Path) -> io::Result<()> {
    if path.as_os_str().is_empty() || fs::exists(path)? {
        return Ok(());
    }
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// What a Ctrl-C does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Press {
    /// It clears the line, and nothing else.
    Clears,
    /// It stops what runs.
    Stops,
    /// It says what it may do.
    Hints,
    /// It leaves.
    Leaves,
}

/// A Ctrl-C at a blank prompt or in a line, while something runs or not, so long after one at a blank prompt.
fn press(blank: bool, runs: bool, since: Option<Duration>) -> Press {
    match (blank, runs) {
        (true, _) if since.is_some_and(|since| since <= TWICE) => Press::Leaves,
        (_, true) => Press::Stops,
        (true, false) => Press::Hints,
        (false, false) => Press::Clears,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ctrl_c_stops_what_runs_and_twice_leaves() {
        let soon = Some(Duration::from_millis(500));
        let late = Some(Duration::from_secs(3));
        assert_eq!(press(true, true, None), Press::Stops);
        assert_eq!(press(true, true, soon), Press::Leaves);
        assert_eq!(press(true, true, late), Press::Stops);
        assert_eq!(press(true, false, None), Press::Hints);
        assert_eq!(press(true, false, soon), Press::Leaves);
        assert_eq!(press(true, false, late), Press::Hints);
        assert_eq!(press(false, true, soon), Press::Stops);
        assert_eq!(press(false, false, soon), Press::Clears);
    }
}
