//! Which command a line is.

use crate::command::Command;
use std::sync::Arc;

/// A command that is a service: `go.micro.bot.<word>`.
#[derive(Clone)]
pub struct Word {
    /// The word as registered; typed in any case.
    pub word: Arc<str>,
    /// The service's full name; always a valid word too.
    pub service: Arc<str>,
    /// What it does. The router gives it the rest of the line after the word, byte for byte, as `Args::rest`.
    pub command: Arc<dyn Command>,
}

impl std::fmt::Debug for Word {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Word({})", self.service)
    }
}
