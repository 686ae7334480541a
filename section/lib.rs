//! The floor of config: sections of a config file with the places of their keys, and secrets that do not print.
//!
//! Pure: no file and no environment is read here. `src/config.rs` reads both and hands sections on.

mod problem;
mod secret;
mod tree;

pub use problem::{Place, Problem};
pub use secret::Secret;
pub use tree::Section;
