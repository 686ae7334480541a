//! What is said: no markup; each chat renders it natively.

use crate::command::CommandErrorKind;
use crate::message::Body;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// An answer: blocks for people, data for machines.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Reply {
    /// What chats render.
    pub blocks: Vec<Block>,
    /// The exact bytes for pipe and shell (TOOLKIT 1.6); `None`: the blocks said as text.
    pub text: Option<String>,
    /// The same answer for machines: `--json`, navigator, diff.
    pub data: Option<Box<RawValue>>,
    /// The kind of error that this reply tells; `None` for an answer. The bot sets it.
    pub failed: Option<CommandErrorKind>,
}

impl Reply {
    /// Plain sentences: a block for chats, the same bytes for pipe and shell.
    pub fn text(text: impl Into<String>) -> Self {
        let text = text.into();
        Self { blocks: vec![Block::Text(text.clone())], text: Some(text), ..Self::default() }
    }

    /// Adds the answer's form for machines; a value that is no JSON adds none.
    #[must_use]
    pub fn with_data(mut self, data: &impl Serialize) -> Self {
        self.data = serde_json::value::to_raw_value(data).ok();
        self
    }

    /// Nothing to post: what had to be said went through [`crate::command::Invocation::say`].
    pub fn nothing() -> Self {
        Self::default()
    }

    /// Whether there is nothing to post. A text of no bytes is something: an empty line.
    pub fn is_nothing(&self) -> bool {
        self.blocks.is_empty() && self.text.is_none() && self.data.is_none()
    }
}

/// A part of an answer.
#[non_exhaustive]
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Block {
    /// Plain sentences.
    Text(String),
    /// Code, shown byte for byte.
    Code {
        /// Its language, or "".
        lang: String,
        /// The code.
        body: String,
    },
    /// A table.
    Table {
        /// The column names.
        head: Vec<String>,
        /// The rows.
        rows: Vec<Vec<Cell>>,
    },
    /// Names and values.
    Fields(Vec<(String, Cell)>),
    /// Buttons: label, and what pressing it says.
    Buttons(Vec<(String, Body)>),
    /// A file.
    File {
        /// Its name.
        name: String,
        /// Its media type.
        mime: String,
        /// Its bytes.
        body: Bytes,
    },
}

/// A value with a mark.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cell {
    /// The value.
    pub text: String,
    /// What to think of it.
    pub mark: Mark,
}

/// What to think of a value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mark {
    /// Nothing.
    #[default]
    Plain,
    /// As it should be.
    Good,
    /// Not as it should be.
    Bad,
    /// It could not be found out.
    Unknown,
    /// Unlike its neighbours.
    Odd,
}
