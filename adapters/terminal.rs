//! The terminal: a pipe for scripts, line editing for people.

use bot::adapter::Adapter;
use section::{Problem, Section};
use serde::Deserialize;
use std::path::PathBuf;
use std::sync::Arc;

/// `[terminal]` of the config.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Replies as JSON, one object a line (`--json`).
    pub json: bool,
    /// Where typed lines are kept; empty: nowhere.
    pub history: PathBuf,
}

/// Makes the terminal adapter.
pub fn open(section: &Section) -> (Option<Arc<dyn Adapter>>, Vec<Problem>) {
    let (_config, problems) = section.read::<Config>();
    (None, problems)
}
