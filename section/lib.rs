//! The floor of config: sections of a config file with the places of their keys, and secrets that do not print.
//!
//! Pure: no file and no environment is read here. `src/config.rs` reads both and hands sections on.

mod period;
mod problem;
mod read;
mod secret;
mod tree;

pub use period::Period;
pub use problem::{Place, Problem};
pub use secret::Secret;
pub use tree::Section;
