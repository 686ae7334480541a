//! What the bot can do: a file a command.

pub mod caller;
pub mod fault;
pub mod json;
mod kit;

pub use kit::Kit;

use bot::command::Command;
use bot::router::Word;
use std::sync::Arc;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Every built-in command, one row each.
pub fn table(_kit: &Kit) -> Vec<Arc<dyn Command>> {
    Vec::new()
}

/// The commands that are services, kept up to date by a task of `tasks` until `stop`.
pub fn words(_kit: &Kit, _tasks: &TaskTracker, _stop: CancellationToken) -> watch::Receiver<Arc<Vec<Word>>> {
    watch::channel(Arc::default()).1
}
