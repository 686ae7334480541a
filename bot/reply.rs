//! What is said: no markup; each chat renders it natively.

use crate::command::CommandErrorKind;
use crate::message::Body;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::borrow::Cow;

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

    /// The reply as plain text: its `text`, else its blocks, one after the other, tables in aligned columns. What a pipe
    /// and the shell print, without a newline at the end.
    pub fn said(&self) -> Cow<'_, str> {
        match &self.text {
            Some(text) => Cow::Borrowed(text),
            None => Cow::Owned(self.blocks.iter().map(Block::said).collect::<Vec<_>>().join("\n")),
        }
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

impl Block {
    /// The block as plain text.
    fn said(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Code { body, .. } => body.strip_suffix('\n').unwrap_or(body).to_owned(),
            Self::Table { head, rows } => {
                let head = head.iter().map(String::as_str).collect();
                let rows = rows.iter().map(|row| row.iter().map(|cell| cell.text.as_str()).collect());
                aligned(&std::iter::once(head).chain(rows).collect::<Vec<_>>())
            }
            Self::Fields(fields) => {
                let names: Vec<String> = fields.iter().map(|(name, _)| format!("{name}:")).collect();
                let rows = names.iter().zip(fields).map(|(name, (_, cell))| vec![name.as_str(), cell.text.as_str()]);
                aligned(&rows.collect::<Vec<_>>())
            }
            Self::Buttons(buttons) => {
                buttons.iter().map(|(label, _)| format!("[{label}]")).collect::<Vec<_>>().join(" ")
            }
            Self::File { name, mime, body } => format!("file {name} ({mime}, {} bytes)", body.len()),
        }
    }
}

/// Rows in columns, two blanks between; a cell's line ends become blanks, and no line ends in blanks.
fn aligned(rows: &[Vec<&str>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    let line = |row: &Vec<&str>| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{:width$}", cell.replace(['\r', '\n'], " ")));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
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

#[cfg(test)]
mod tests {
    use super::{Block, Cell, Mark, Reply};

    fn cell(text: &str) -> Cell {
        Cell { text: text.to_owned(), mark: Mark::Good }
    }

    #[test]
    fn blocks_are_said_in_aligned_columns() {
        let table = Block::Table {
            head: vec!["node".into(), "state".into()],
            rows: vec![vec![cell("grüße-1"), cell("ok")], vec![cell("b"), cell("not\nok")], vec![cell("short")]],
        };
        let fields = Block::Fields(vec![("id".into(), cell("U1")), ("name".into(), cell(""))]);
        let code = Block::Code { lang: "json".into(), body: "{\n  \"a\": 1\n}\n".into() };
        let blocks = vec![Block::Text("Nodes:".into()), table, fields, code];
        let reply = Reply { blocks, ..Reply::default() };
        insta::assert_snapshot!(reply.said(), @r#"
        Nodes:
        node     state
        grüße-1  ok
        b        not ok
        short
        id:    U1
        name:
        {
          "a": 1
        }
        "#);
    }

    #[test]
    fn a_text_is_said_byte_for_byte() {
        assert_eq!(Reply::text(" a\n\n").said(), " a\n\n");
        assert!(Reply::nothing().is_nothing() && !Reply::text("").is_nothing());
    }
}
