//! Running programs, and talking to whoever runs this one.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A line on stdout; a reader that has gone ends nothing.
pub(crate) fn say(text: &str) {
    _ = writeln!(std::io::stdout(), "{text}");
}

/// A line on stderr.
pub(crate) fn complain(text: &str) {
    _ = writeln!(std::io::stderr(), "{text}");
}

/// The workspace's root.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

/// `cargo` in the root, with colours kept away from what is parsed.
pub(crate) fn cargo(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO"));
    command.current_dir(root()).args(words);
    command
}

/// A program's stdout as text.
///
/// # Errors
/// It cannot be started, or fails: with its stderr.
pub(crate) fn output(command: &mut Command) -> Result<String, String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|error| format!("cannot run {name}: {error}"))?;
    if !output.status.success() {
        return Err(format!("{name}: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr)));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Whether this runs in CI, where nothing may be left out.
pub(crate) fn in_ci() -> bool {
    #[expect(clippy::disallowed_methods, reason = "a chore, not the product: src/config.rs is not there")]
    let ci = std::env::var("CI");
    ci.is_ok_and(|value| !value.is_empty() && value != "false" && value != "0")
}
