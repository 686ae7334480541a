//! `cargo xtask bench`.

pub(crate) fn run(_quick: bool, _only: &[String]) -> Result<(), String> {
    Err("not built".to_owned())
}
