//! Where the bot lives: a file or a folder a chat.

pub mod terminal;

use bot::adapter::Adapter;
use section::{Problem, Section};
use std::fmt;
use std::sync::Arc;

/// Makes an adapter of its section: the adapter, and everything that is wrong with the section.
pub type Open = fn(&Section) -> (Option<Arc<dyn Adapter>>, Vec<Problem>);

/// A kind of chat: one row of [`ADAPTERS`].
pub struct Kind {
    /// The name that `--inputs` and the config's section have.
    pub name: &'static str,
    /// Makes an instance from its section; connects nothing. The instance's name is the section's path: `slack`,
    /// `slack.eu`.
    pub open: Open,
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Kind({})", self.name)
    }
}

/// Every chat this build knows.
pub const ADAPTERS: &[Kind] = &[Kind { name: "terminal", open: terminal::open }];
