//! What commands work with.

use micro::client::Client;
use micro::registry::Registry;
use std::fmt;
use std::sync::Arc;

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

impl fmt::Debug for Kit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kit").field("namespace", &self.namespace).finish_non_exhaustive()
    }
}
