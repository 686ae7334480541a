//! `--check`, and what a wrong config gets.

use crate::MICRO;
use support::process::run;

#[test]
fn a_check_says_what_would_run() {
    let output = run(MICRO, ["bot", "--check", "--config", "config.example.toml"], b"").unwrap();
    assert_eq!((output.code, output.stderr.as_str()), (0, ""));
    let names: Vec<_> = output.stdout.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(names, ["config", "registry", "inputs", "commands", "register", "policy"]);
}

#[test]
fn a_check_shows_every_problem_with_file_line_key_and_cure() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("micro.toml");
    std::fs::write(&path, "[bot]\nlimit = \"soon\"\n\n[registry]\nname = \"mdsn\"\n[terminal]\njsn = true\n").unwrap();
    let path = path.to_str().unwrap();
    let output = run(MICRO, ["bot", "--check", "--config", path], b"").unwrap();
    assert_eq!((output.code, output.stdout.as_str()), (78, ""));
    let lines: Vec<_> = output.stderr.lines().collect();
    assert_eq!(lines.len(), 3, "{}", output.stderr);
    assert!(lines[0].contains(":2: bot.limit: \"soon\" is no time"), "{}", lines[0]);
    assert!(
        lines[1].contains(":5: registry.name: registry \"mdsn\" not found; known: file, mdns, memory"),
        "{}",
        lines[1]
    );
    assert!(lines[2].contains(":7: terminal.jsn: unknown key; did you mean `json`?"), "{}", lines[2]);
}

#[test]
fn an_unknown_registry_or_input_is_refused_by_name() {
    let output = run(MICRO, ["--registry", "zookeeper", "bot", "--inputs", "telex"], b"").unwrap();
    assert_eq!(output.code, 78);
    assert!(output.stderr.contains("registry \"zookeeper\" not found"), "{}", output.stderr);
    assert!(output.stderr.contains("input \"telex\" not found"), "{}", output.stderr);
}
