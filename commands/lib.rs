//! What the bot can do: a file a command.

use bot::command::Command;
use bot::router::Word;
use micro::client::Client;
use micro::registry::Registry;
use std::sync::Arc;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// What commands work with.
#[derive(Clone)]
pub struct Kit {
    /// Where services are found. `list` and `get` ask it directly.
    pub registry: Arc<dyn Registry>,
    /// Calls them; `Client::find` is the cached view that `call` plans with.
    pub client: Client,
    /// The bot's version, for `version`.
    pub version: &'static str,
    /// The prefix of command services: `go.micro.bot`.
    pub namespace: String,
}

impl std::fmt::Debug for Kit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kit").field("namespace", &self.namespace).finish_non_exhaustive()
    }
}

/// Every built-in command, one row each.
pub fn table(_kit: &Kit) -> Vec<Arc<dyn Command>> {
    Vec::new()
}

/// The commands that are services, kept up to date by a task of `tasks` until `stop`.
pub fn words(_kit: &Kit, _tasks: &TaskTracker, _stop: CancellationToken) -> watch::Receiver<Arc<Vec<Word>>> {
    watch::channel(Arc::default()).1
}
