//! What Tab completes: the words of commands, then what the bot says may come next.

use bot::command::Spec;
use rustyline::completion::Completer;
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::hint::Hinter;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Context, Helper};
use std::borrow::Cow;
use std::cell::Cell;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;
use tokio::sync::{mpsc, watch};

use super::frame;
use super::line::Event;
use super::screen::Board;

/// How long Tab waits for the bot.
const PATIENCE: Duration = Duration::from_millis(300);

/// A question to the bot: which words may come next.
#[derive(Debug)]
pub(crate) struct Question {
    /// The command, by its leading words.
    pub(crate) command: String,
    /// What stands between them and the word under the cursor.
    pub(crate) rest: String,
    /// Takes the answer.
    pub(crate) answer: SyncSender<Vec<String>>,
}

/// The editor's knowledge of lines.
#[derive(Debug)]
pub(crate) struct Tab {
    catalogue: watch::Receiver<Arc<[Spec]>>,
    events: mpsc::Sender<Event>,
    board: Arc<Board>,
    /// Whether nothing is typed at the prompt.
    blank: Cell<bool>,
    /// Whether the line is being drawn because it changed.
    changed: Cell<bool>,
}

impl Tab {
    pub(crate) fn new(catalogue: watch::Receiver<Arc<[Spec]>>, events: mpsc::Sender<Event>, board: Arc<Board>) -> Self {
        Self { catalogue, events, board, blank: Cell::new(true), changed: Cell::new(false) }
    }

    /// Whether nothing was typed at the prompt when it was last drawn.
    pub(crate) fn blank(&self) -> bool {
        self.blank.get()
    }

    /// Asks the bot; no word where it does not answer in time.
    fn ask(&self, command: String, rest: String) -> Vec<String> {
        let (answer, words) = sync_channel(1);
        let question = Event::Asks(Question { command, rest, answer });
        if self.events.try_send(question).is_err() {
            return Vec::new();
        }
        words.recv_timeout(PATIENCE).unwrap_or_default()
    }
}

impl Helper for Tab {}

/// Paints nothing. A line is drawn either because it changed, which is told before, or below an answer that was shown.
impl Highlighter for Tab {
    fn highlight<'l>(&self, line: &'l str, _at: usize) -> Cow<'l, str> {
        if !self.changed.take() {
            self.board.shown();
        }
        Cow::Borrowed(line)
    }

    fn highlight_char(&self, _line: &str, _at: usize, _kind: CmdKind) -> bool {
        self.changed.set(true);
        // The whole line is drawn, so that each change is one drawing.
        true
    }
}

impl Hinter for Tab {
    type Hint = String;

    /// Hints nothing; it is told of every change of the line.
    fn hint(&self, line: &str, _at: usize, _context: &Context<'_>) -> Option<String> {
        self.blank.set(line.is_empty());
        self.board.edits();
        None
    }
}

impl Validator for Tab {
    fn validate(&self, context: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        if frame::is_open(context.input()) {
            return Ok(ValidationResult::Incomplete);
        }
        self.board.away();
        Ok(ValidationResult::Valid(None))
    }
}

impl Completer for Tab {
    type Candidate = String;

    fn complete(&self, line: &str, at: usize, _context: &Context<'_>) -> rustyline::Result<(usize, Vec<String>)> {
        let catalogue = self.catalogue.borrow().clone();
        let stage = stage(&line[..at], &catalogue);
        let choices = stage.ask.map(|(command, rest)| self.ask(command, rest)).unwrap_or_default();
        Ok((stage.start, candidates(stage.typed, stage.next, choices)))
    }
}

/// What may be completed at the cursor.
#[derive(Debug, PartialEq, Eq)]
struct Stage<'a> {
    /// Where the word under the cursor begins.
    start: usize,
    /// As much of it as is typed.
    typed: &'a str,
    /// Words that lead to commands.
    next: Vec<String>,
    /// The command that stands there, and what stands between it and the word.
    ask: Option<(String, String)>,
}

fn stage<'a>(before: &'a str, catalogue: &[Spec]) -> Stage<'a> {
    let start = before.char_indices().rfind(|(_, one)| one.is_whitespace()).map_or(0, |(at, one)| at + one.len_utf8());
    let (lead, typed) = before.split_at(start);
    let words: Vec<&str> = lead.split_whitespace().collect();
    let mut next = Vec::new();
    let mut command: Option<(usize, &str)> = None;
    for spec in catalogue {
        let name: Vec<&str> = spec.name.split_whitespace().collect();
        if !name.iter().zip(&words).all(|(name, typed)| same(name, typed)) {
            continue;
        }
        match name.get(words.len()) {
            Some(word) => next.push((*word).to_owned()),
            None if command.is_none_or(|(longest, _)| name.len() > longest) => {
                command = Some((name.len(), &spec.name));
            }
            None => {}
        }
    }
    let ask =
        command.filter(|(count, _)| *count > 0).map(|(count, name)| (name.to_owned(), after(lead, count).to_owned()));
    Stage { start, typed, next, ask }
}

/// What stands behind the first `count` words, without the blanks around it.
fn after(lead: &str, count: usize) -> &str {
    let mut rest = lead.trim();
    for _ in 0..count {
        rest = rest.find(char::is_whitespace).map_or("", |end| rest[end..].trim_start());
    }
    rest
}

fn same(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.to_lowercase()
}

/// Those that begin with what is typed, in any case, sorted; a single one is finished with a blank, unless a value
/// follows it at once.
fn candidates(typed: &str, next: Vec<String>, choices: Vec<String>) -> Vec<String> {
    let typed = typed.to_lowercase();
    let fits = |word: &String| word.to_lowercase().starts_with(&typed) && !word.chars().any(char::is_control);
    let words: BTreeSet<String> = next.into_iter().chain(choices).filter(fits).collect();
    let mut words: Vec<String> = words.into_iter().collect();
    if let [word] = words.as_mut_slice()
        && !word.ends_with('=')
    {
        word.push(' ');
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use bot::command::{Risk, Turn};

    fn catalogue() -> Vec<Spec> {
        let names = ["list services", "list nodes", "get service", "call", "call!", "help", "weather"];
        let spec = |name: &'static str| Spec {
            pattern: name.into(),
            name: name.into(),
            usage: name.into(),
            summary: "".into(),
            details: "".into(),
            examples: Vec::new(),
            risk: Risk::Read,
            turn: Turn::Queued,
        };
        names.map(spec).to_vec()
    }

    fn at(before: &str) -> (String, Vec<String>, Option<(String, String)>) {
        let stage = stage(before, &catalogue());
        assert_eq!(&before[stage.start..], stage.typed);
        (stage.typed.to_owned(), candidates(stage.typed, stage.next, Vec::new()), stage.ask)
    }

    fn asks(before: &str) -> Option<(String, String)> {
        at(before).2
    }

    #[test]
    fn words_of_commands_come_first() {
        assert_eq!(at("").1, ["call", "call!", "get", "help", "list", "weather"]);
        assert_eq!(at("  LI").1, ["list "]);
        assert_eq!(at("list  ").1, ["nodes", "services"]);
        assert_eq!(at("List s").1, ["services "]);
        assert_eq!(at("nothing ").1, [""; 0]);
        assert_eq!(at("nothing "), (String::new(), vec![], None));
    }

    #[test]
    fn behind_a_command_the_bot_is_asked() {
        let asked = |command: &str, rest: &str| Some((command.to_owned(), rest.to_owned()));
        assert_eq!(asks("call"), None, "its word is not finished");
        assert_eq!(asks("call "), asked("call", ""));
        assert_eq!(asks("call! x"), asked("call!", ""));
        assert_eq!(asks(" Call  go.micro.srv.greeter  Say.He"), asked("call", "go.micro.srv.greeter"));
        assert_eq!(asks("call s  Say.Hello  na"), asked("call", "s  Say.Hello"));
        assert_eq!(asks("get service "), asked("get service", ""));
        assert_eq!(asks("get "), None);
        assert_eq!(asks("call größe\u{3000}x"), asked("call", "größe"));
    }

    #[test]
    fn what_is_typed_narrows_the_choices_and_one_is_finished() {
        let choices = |typed: &str| {
            let words = ["go.micro.srv.greeter", "go.micro.srv.Stream", "name=", "evil\x1b"];
            candidates(typed, Vec::new(), words.map(str::to_owned).to_vec())
        };
        assert_eq!(choices("GO.micro"), ["go.micro.srv.Stream", "go.micro.srv.greeter"]);
        assert_eq!(choices("go.micro.srv.s"), ["go.micro.srv.Stream "]);
        assert_eq!(choices("na"), ["name="]);
        assert_eq!(choices("evil"), [""; 0]);
    }
}
