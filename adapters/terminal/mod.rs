//! The terminal: a pipe for scripts, line editing for people.

#[cfg(feature = "terminal")]
mod blocks;
#[cfg(test)]
mod fake;
mod form;
mod frame;
#[cfg(feature = "terminal")]
mod greet;
#[cfg(feature = "terminal")]
mod line;
#[cfg(feature = "terminal")]
mod mode;
mod order;
mod out;
mod pipe;
#[cfg(test)]
mod pty;
#[cfg(feature = "terminal")]
mod screen;
#[cfg(feature = "terminal")]
mod tab;

use bot::adapter::{Adapter, AdapterError, AdapterErrorKind};
use bot::message::{Address, Body, Message, Place, Sender};
use form::Form;
use section::{Problem, Section};
use serde::Deserialize;
use std::fs::File;
use std::io;
#[cfg(feature = "terminal")]
use std::io::IsTerminal;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

/// `[terminal]` of the config.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Replies as JSON, one object a line (`--json`).
    pub json: bool,
    /// Where typed lines are kept; empty: nowhere.
    pub history: PathBuf,
    /// Whether replies on a terminal are coloured; `NO_COLOR` sets it to false.
    pub colour: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self { json: false, history: PathBuf::new(), colour: true }
    }
}

/// Makes the terminal adapter of stdin and stdout: line editing if both are terminals, else a pipe. Nothing is read
/// before it listens.
pub fn open(section: &Section) -> (Option<Arc<dyn Adapter>>, Vec<Problem>) {
    let (config, mut problems) = section.read::<Config>();
    let name = if section.path().is_empty() { "terminal" } else { section.path() };
    match start(name, &config) {
        Ok(adapter) => (Some(adapter), problems),
        Err(error) => {
            problems.push(Problem {
                place: section::Place::Default,
                key: name.to_owned(),
                text: format!("stdin and stdout cannot be used: {error}"),
                cure: "choose other inputs with --inputs".to_owned(),
            });
            (None, problems)
        }
    }
}

fn start(name: &str, config: &Config) -> io::Result<Arc<dyn Adapter>> {
    let us = Us::new(name);
    let input = File::from(io::stdin().as_fd().try_clone_to_owned()?);
    let output = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    #[cfg(feature = "terminal")]
    if input.is_terminal() && output.is_terminal() {
        return Ok(Arc::new(line::Line::new(us, config, input, output)?));
    }
    let form = if config.json { Form::Json } else { Form::Bytes };
    Ok(Arc::new(pipe::Pipe::new(us, form, input, output)?))
}

/// Who talks on a terminal, and where: the same for every line.
#[derive(Clone, Debug)]
pub(crate) struct Us {
    /// The adapter's name.
    pub(crate) name: Arc<str>,
    /// The name of the operating system's user.
    pub(crate) user: Arc<str>,
}

impl Us {
    fn new(name: &str) -> Self {
        let user = nix::unistd::User::from_uid(nix::unistd::getuid()).ok().flatten();
        Self { name: name.into(), user: user.map_or_else(|| "local".into(), |user| user.name.into()) }
    }

    /// Who says it all.
    pub(crate) fn sender(&self) -> Sender {
        Sender { id: Some((*self.user).to_owned()), name: (*self.user).to_owned(), roles: Vec::new(), external: false }
    }

    /// Where it is said.
    pub(crate) fn address(&self) -> Address {
        Address { adapter: self.name.clone(), space: String::new(), room: "terminal".to_owned(), thread: None }
    }

    /// A line as a message; its answers carry its number.
    pub(crate) fn message(&self, number: u64, text: String) -> Message {
        Message {
            id: None,
            at: SystemTime::now(),
            from: self.sender(),
            place: Place { address: self.address(), only: None, under: Some(number.to_string()), via: None },
            direct: true,
            body: Body::Text { raw: text.clone(), text },
            files: Vec::new(),
        }
    }
}

/// The operating system gives no thread.
fn no_thread(error: io::Error) -> AdapterError {
    AdapterError { kind: AdapterErrorKind::Forbidden, source: Box::new(error) }
}
