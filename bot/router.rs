//! Which command a line is.
//!
//! A complete built-in form comes first, then a service word, then the nearest built-in, whose usage the asker is told.

use crate::command::{Command, CommandError, Spec};
use crate::hint;
use crate::message::Args;
use crate::pattern::anchored;
use regex::{Regex, RegexSet};
use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::watch;

/// How long a first unknown word waits for the first list of service words.
const FIRST_WORDS: Duration = Duration::from_secs(1);

/// A command that is a service: `go.micro.bot.<word>`.
#[derive(Clone)]
pub struct Word {
    /// The word as registered; typed in any case.
    pub word: Arc<str>,
    /// The service's full name; always a valid word too.
    pub service: Arc<str>,
    /// What it does. The router gives it the rest of the line after the word, byte for byte, as `Args::rest`. As long as
    /// its spec has no summary, `help` says "no help yet".
    pub command: Arc<dyn Command>,
}

impl fmt::Debug for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Word({})", self.service)
    }
}

/// What a line came to.
#[derive(Clone, Debug)]
pub enum Routed {
    /// This command, with its arguments.
    Found(Arc<dyn Command>, Args),
    /// The line begins like this command and goes on unlike it: its usage is the answer.
    Wrong(Arc<dyn Command>),
    /// No command; [`Router::hint`] says what may have been meant.
    Unknown,
}

impl fmt::Debug for dyn Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Command({})", self.spec().name)
    }
}

/// The built-in commands, compiled once, and the service words, swapped whole when they change.
///
/// A message costs one pass of a `RegexSet` and one look into a map, however many words there are.
pub struct Router {
    set: RegexSet,
    rows: Vec<Row>,
    words: watch::Receiver<Arc<Vec<Word>>>,
    /// Whether the words were told once, or waited for in vain.
    settled: AtomicBool,
    map: RwLock<Arc<Words>>,
}

/// A built-in. Rows stand longest name first, so of two forms that match the more exact one wins.
struct Row {
    command: Arc<dyn Command>,
    regex: Regex,
    lead: Vec<String>,
}

/// The patterns of a set of specs, before their commands are there.
pub(crate) struct Forms {
    set: RegexSet,
    regexes: Vec<Regex>,
}

impl Forms {
    /// Compiles the specs' patterns, in order.
    pub(crate) fn compile(specs: &[Spec]) -> Result<Self, Vec<String>> {
        let mut problems = clashes(specs);
        let patterns: Vec<String> = specs.iter().map(|spec| anchored(&spec.pattern)).collect();
        let mut regexes = Vec::with_capacity(specs.len());
        for (spec, pattern) in specs.iter().zip(&patterns) {
            // The anchored form could close a group that the pattern left open, so both must compile.
            match Regex::new(&spec.pattern).and_then(|_| Regex::new(pattern)) {
                Ok(regex) => regexes.push(regex),
                Err(error) => problems.push(format!("command `{}`: its pattern does not compile: {error}", spec.name)),
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        RegexSet::new(&patterns)
            .map(|set| Self { set, regexes })
            .map_err(|error| vec![format!("the commands' patterns together do not compile: {error}")])
    }
}

/// A line per name that cannot stand.
fn clashes(specs: &[Spec]) -> Vec<String> {
    let mut problems = Vec::new();
    let mut seen: HashMap<String, usize> = HashMap::new();
    for spec in specs {
        let lead = spec.name.split_whitespace().collect::<Vec<_>>().join(" ");
        if lead.is_empty() || lead != spec.name || lead.to_lowercase() != lead {
            problems.push(format!("command `{}`: a name is lower case words, one blank between", spec.name));
        }
        *seen.entry(lead.to_lowercase()).or_default() += 1;
    }
    let mut twice: Vec<_> = seen.into_iter().filter(|(_, times)| *times > 1).collect();
    twice.sort();
    problems
        .extend(twice.into_iter().map(|(lead, times)| format!("command `{lead}`: {times} commands have this name")));
    problems
}

impl Router {
    /// A router of these built-ins and words.
    ///
    /// # Errors
    /// A line per conflict: two commands with equal leading words, a pattern that does not compile.
    pub fn new(
        mut commands: Vec<Arc<dyn Command>>,
        words: watch::Receiver<Arc<Vec<Word>>>,
    ) -> Result<Self, Vec<String>> {
        exact_first(&mut commands);
        let specs: Vec<Spec> = commands.iter().map(|command| command.spec().clone()).collect();
        let forms = Forms::compile(&specs)?;
        Ok(Self::assemble(forms, commands, words))
    }

    /// Joins compiled forms with their commands, which stand in the same order.
    pub(crate) fn assemble(
        forms: Forms,
        commands: Vec<Arc<dyn Command>>,
        words: watch::Receiver<Arc<Vec<Word>>>,
    ) -> Self {
        let rows = commands
            .into_iter()
            .zip(forms.regexes)
            .map(|(command, regex)| {
                let lead = command.spec().name.split(' ').map(str::to_owned).collect();
                Row { command, regex, lead }
            })
            .collect();
        let map = RwLock::new(Arc::new(Words::of(words.borrow().clone())));
        Self { set: forms.set, rows, words, settled: AtomicBool::new(false), map }
    }

    /// Waits until the words were told for the first time, once and for a second at most: what is asked right at the
    /// start must not be told that a command is not there only because nobody has looked yet.
    pub async fn settle(&self) {
        if self.settled.load(Ordering::Relaxed) {
            return;
        }
        // Nobody marks this receiver, so the first list is a change for it, whenever it came.
        let mut words = self.words.clone();
        let _ = tokio::time::timeout(FIRST_WORDS, words.changed()).await;
        self.settled.store(true, Ordering::Relaxed);
    }

    /// Which command `text` is.
    pub fn route(&self, text: &str) -> Routed {
        if let Some(row) = self.set.matches(text).iter().next().and_then(|index| self.rows.get(index)) {
            return Routed::Found(row.command.clone(), row.args(text));
        }
        let (first, rest) = split_first(text);
        let words = self.words();
        if let Some(word) = words.find(first) {
            return Routed::Found(word.command.clone(), Args { rest: rest.to_owned(), ..Args::default() });
        }
        self.rows
            .iter()
            .find(|row| leads(text, &row.lead))
            .map_or(Routed::Unknown, |row| Routed::Wrong(row.command.clone()))
    }

    /// What to tell the asker of a line that is no command.
    pub fn hint(&self, text: &str) -> CommandError {
        hint::unknown(text, self)
    }

    /// The command of this name: leading words, a service word or a full service name, in any case.
    pub fn find(&self, name: &str) -> Option<Arc<dyn Command>> {
        let exact = |row: &&Row| leads(name, &row.lead) && name.split_whitespace().count() == row.lead.len();
        let built_in = self.rows.iter().find(exact).map(|row| row.command.clone());
        built_in.or_else(|| self.words().find(name.trim()).map(|word| word.command.clone()))
    }

    /// The names of the built-ins whose complete form `text` is: one, if the table is sound.
    pub fn matching(&self, text: &str) -> Vec<&str> {
        self.set.matches(text).iter().filter_map(|index| self.rows.get(index)).map(Row::name).collect()
    }

    /// Whether a built-in takes what the bare `word` should reach, or its leading words are this word.
    pub(crate) fn hides(&self, word: &str) -> bool {
        self.set.is_match(word) || self.rows.iter().any(|row| row.lead.len() == 1 && leads(word, &row.lead))
    }

    /// The built-ins, sorted by name.
    pub fn built_ins(&self) -> Vec<&Arc<dyn Command>> {
        let mut commands: Vec<_> = self.rows.iter().map(|row| &row.command).collect();
        commands.sort_by(|a, b| a.spec().name.cmp(&b.spec().name));
        commands
    }

    /// The service words as they are now, sorted.
    pub fn service_words(&self) -> Vec<Word> {
        let mut words = self.words().list.as_ref().clone();
        words.sort_by(|a, b| (&a.word, &a.service).cmp(&(&b.word, &b.service)));
        words
    }

    /// Every command's spec: the built-ins, then the words.
    pub(crate) fn specs(&self) -> Arc<[Spec]> {
        let built_ins = self.built_ins().into_iter().map(|command| command.spec().clone());
        built_ins.chain(self.service_words().iter().map(|word| word.command.spec().clone())).collect()
    }

    /// Says when the words change.
    pub(crate) fn watch(&self) -> watch::Receiver<Arc<Vec<Word>>> {
        self.words.clone()
    }

    /// The words' snapshot, built anew if the list was replaced since.
    fn words(&self) -> Arc<Words> {
        let list = self.words.borrow().clone();
        let known = self.map.read().unwrap_or_else(PoisonError::into_inner).clone();
        if Arc::ptr_eq(&known.list, &list) {
            return known;
        }
        let fresh = Arc::new(Words::of(list));
        *self.map.write().unwrap_or_else(PoisonError::into_inner) = fresh.clone();
        fresh
    }
}

impl fmt::Debug for Router {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.rows.iter().map(Row::name)).finish()
    }
}

/// The order in which forms are tried: most exact name first.
pub(crate) fn exact_first(commands: &mut [Arc<dyn Command>]) {
    commands.sort_by(|a, b| {
        let (a, b) = (&a.spec().name, &b.spec().name);
        b.len().cmp(&a.len()).then_with(|| a.cmp(b))
    });
}

impl Row {
    fn name(&self) -> &str {
        &self.command.spec().name
    }

    /// The arguments of a line that the set says is this form.
    fn args(&self, text: &str) -> Args {
        let mut args = Args::default();
        if self.regex.captures_len() == 1 {
            return args;
        }
        let Some(captures) = self.regex.captures(text) else { return args };
        for name in self.regex.capture_names().flatten() {
            let Some(group) = captures.name(name) else { continue };
            if name == "rest" {
                group.as_str().clone_into(&mut args.rest);
            } else {
                args.named.insert(name.to_owned(), group.as_str().to_owned());
            }
        }
        args
    }
}

/// The service words by what is typed, lower case.
struct Words {
    list: Arc<Vec<Word>>,
    index: HashMap<String, usize>,
}

impl Words {
    fn of(list: Arc<Vec<Word>>) -> Self {
        let mut index = HashMap::with_capacity(list.len() * 2);
        for (at, word) in list.iter().enumerate() {
            index.entry(word.service.to_lowercase()).or_insert(at);
        }
        for (at, word) in list.iter().enumerate() {
            index.entry(word.word.to_lowercase()).or_insert(at);
        }
        Self { list, index }
    }

    fn find(&self, typed: &str) -> Option<&Word> {
        if self.index.is_empty() {
            return None;
        }
        self.index.get(&typed.to_lowercase()).and_then(|at| self.list.get(*at))
    }
}

/// The first word, and what follows the blanks after it.
pub(crate) fn split_first(text: &str) -> (&str, &str) {
    let text = text.trim_start();
    match text.split_once(char::is_whitespace) {
        Some((first, rest)) => (first, rest.trim_start()),
        None => (text, ""),
    }
}

/// Whether `text` begins with these words, in any case; a `!` behind the last one (`call!`) does not hide it.
pub(crate) fn leads(text: &str, lead: &[String]) -> bool {
    let mut typed = text.split_whitespace();
    let last = lead.len().saturating_sub(1);
    lead.iter().enumerate().all(|(at, word)| {
        typed.next().is_some_and(|typed| {
            let typed = if at == last { typed.strip_suffix('!').unwrap_or(typed) } else { typed };
            typed.eq_ignore_ascii_case(word) || (!typed.is_ascii() && typed.to_lowercase() == *word)
        })
    })
}
