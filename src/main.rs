//! `micro`: the ChatOps bot for go-micro platforms, and its shell commands.

fn main() {}
