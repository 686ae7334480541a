//! What is wrong with a config, where, and what cures it.

use std::fmt;
use std::sync::Arc;

/// Where a value was set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A line of a file, counted from 1.
    Line {
        /// The file's name as it was given.
        file: Arc<str>,
        /// The line, from 1.
        line: usize,
    },
    /// A command line flag, with its dashes.
    Flag(Arc<str>),
    /// An environment variable.
    Environment(Arc<str>),
    /// Nowhere: a default, or a value that is missing.
    Default,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line { file, line } => write!(f, "{file}:{line}"),
            Self::Flag(name) => write!(f, "flag {name}"),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::Default => f.write_str("default"),
        }
    }
}

/// One thing that is wrong with a config. All of them are shown, not the first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where the value was set.
    pub place: Place,
    /// The whole key, dotted: `registry.mdns.domain`.
    pub key: String,
    /// What is wrong, lower case, without place and key.
    pub text: String,
    /// What to write instead; empty if the text says it.
    pub cure: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.place)?;
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.text)?;
        if !self.cure.is_empty() {
            write!(f, "; {}", self.cure)?;
        }
        Ok(())
    }
}
