//! `cargo xtask tidy`: the invariants that neither Cargo nor a lint holds.

use crate::run::{cargo, output, root, say};
use regex::Regex;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Which crate of the project may stand on which.
const FLOORS: &[(&str, &[&str])] = &[
    ("section", &[]),
    ("bot", &[]),
    ("micro", &["section"]),
    ("commands", &["micro", "bot"]),
    ("adapters", &["section", "bot"]),
    ("micro-bot", &["section", "micro", "bot", "commands", "adapters"]),
    ("support", &["micro", "bot"]),
    ("xtask", &["support", "micro"]),
];

/// Nouns of `micro` whose interface must not know its ways.
const NOUNS: &[&str] = &["registry", "selector", "transport", "codec", "client/protocol"];

/// Features that Cargo would unify into every crate, and that break reading in silence.
const FORBIDDEN: &[(&str, &[&str])] = &[("serde_json", &["arbitrary_precision", "preserve_order", "float_roundtrip"])];

/// The most lines of a source file.
const LONGEST: usize = 700;

pub(crate) fn run() -> Result<(), String> {
    let mut wrong = Vec::new();
    floors(&mut wrong)?;
    features(&mut wrong)?;
    for krate in ["section", "micro", "bot", "commands", "adapters", "src"] {
        let folder = root().join(krate);
        let files = sources(&folder)?;
        own_root(&folder, &files, &mut wrong)?;
        for file in &files {
            lines(krate, file, &mut wrong)?;
        }
    }
    nouns(&mut wrong)?;
    adapters(&mut wrong)?;
    if wrong.is_empty() {
        say("tidy: every invariant holds");
        return Ok(());
    }
    Err(wrong.join("\n"))
}

/// Arrows between the crates: those of the plan, no others.
fn floors(wrong: &mut Vec<String>) -> Result<(), String> {
    let metadata = metadata(true)?;
    let packages = metadata["packages"].as_array().ok_or("cargo metadata has no packages")?;
    let ours: BTreeSet<_> = packages.iter().filter_map(|package| package["name"].as_str()).collect();
    for package in packages {
        let name = package["name"].as_str().unwrap_or_default();
        let Some((_, allowed)) = FLOORS.iter().find(|(row, _)| *row == name) else {
            wrong.push(format!("Cargo.toml of {name}: the crate has no floor in xtask/src/tidy.rs"));
            continue;
        };
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            let on = dependency["name"].as_str().unwrap_or_default();
            let test = dependency["kind"].as_str() == Some("dev");
            if ours.contains(on) && !allowed.contains(&on) && !(test && on == "support") && on != name {
                wrong.push(format!("Cargo.toml of {name}: an arrow to {on} runs up or aside"));
            }
        }
    }
    Ok(())
}

fn metadata(no_deps: bool) -> Result<Value, String> {
    let mut words = vec!["metadata", "--format-version", "1", "--locked"];
    if no_deps {
        words.push("--no-deps");
    }
    serde_json::from_str(&output(&mut cargo(&words))?).map_err(|error| error.to_string())
}

fn features(wrong: &mut Vec<String>) -> Result<(), String> {
    let metadata = metadata(false)?;
    for node in metadata["resolve"]["nodes"].as_array().into_iter().flatten() {
        let id = node["id"].as_str().unwrap_or_default();
        for (name, forbidden) in FORBIDDEN {
            if !id.contains(&format!("#{name}@")) && !id.contains(&format!("/{name}#")) {
                continue;
            }
            for feature in node["features"].as_array().into_iter().flatten().filter_map(Value::as_str) {
                if forbidden.contains(&feature) {
                    wrong.push(format!("Cargo.lock: {name} is built with {feature}"));
                }
            }
        }
    }
    Ok(())
}

/// Nobody imports from its own crate's `lib.rs`: what others need lives in a module.
fn own_root(folder: &Path, files: &[PathBuf], wrong: &mut Vec<String>) -> Result<(), String> {
    let top = ["lib.rs", "main.rs"].iter().map(|name| folder.join(name)).find(|path| path.exists());
    let Some(top) = top else { return Ok(()) };
    let module = regex(r"(?m)^\s*(?:pub(?:\([a-z]+\))? )?mod ([a-z_]+)")?;
    let modules: BTreeSet<_> = module.captures_iter(&read(&top)?).map(|found| found[1].to_owned()).collect();
    let used = regex(r"\bcrate::([A-Za-z_]+)")?;
    for file in files.iter().filter(|file| **file != top) {
        for found in used.captures_iter(&read(file)?) {
            if !modules.contains(&found[1]) {
                wrong.push(format!("{}: crate::{} comes from the crate's own root", short(file), &found[1]));
            }
        }
    }
    Ok(())
}

fn lines(krate: &str, file: &Path, wrong: &mut Vec<String>) -> Result<(), String> {
    let text = read(file)?;
    let name = short(file);
    let code: usize = text.lines().take_while(|line| !line.starts_with("#[cfg(test)]")).count();
    if code > LONGEST {
        wrong.push(format!("{name}: {code} lines, more than {LONGEST}; is it one thing?"));
    }
    for (number, line) in text.lines().enumerate() {
        let at = number + 1;
        if ["TODO", "FIXME", "todo!(", "unimplemented!("].iter().any(|word| line.contains(word)) {
            wrong.push(format!("{name}:{at}: left undone"));
        }
        if line.trim_start().starts_with("#[ignore") && !line.contains("network namespace") {
            wrong.push(format!("{name}:{at}: an ignored test that `cargo xtask test` does not run elsewhere"));
        }
        let protocols = ["protocol::mucp", "protocol::grpc", "protocol::http", "server::mucp", "server::grpc"];
        let knows = ["micro/client/dialect.rs", "micro/server/port.rs"].contains(&name.as_str());
        let inside = name.starts_with("micro/client/protocol/")
            || name.starts_with("micro/server/grpc")
            || name.starts_with("micro/server/mucp");
        if krate == "micro"
            && !knows
            && !inside
            && protocols
                .iter()
                .any(|way| line.contains(&format!("crate::{way}")) || line.contains(&format!("crate::client::{way}")))
        {
            wrong.push(format!("{name}:{at}: protocols are known by client/dialect.rs and server/port.rs alone"));
        }
    }
    Ok(())
}

/// A noun's interface never imports a way to be it.
fn nouns(wrong: &mut Vec<String>) -> Result<(), String> {
    let module = regex(r"(?m)^\s*(?:pub(?:\([a-z]+\))? )?mod ([a-z_]+);")?;
    let shared = ["service", "cache", "filter", "strategy", "config"];
    for noun in NOUNS {
        let file = root().join("micro").join(noun).join("mod.rs");
        let text = read(&file)?;
        let inner = noun.replace('/', "::");
        for found in module.captures_iter(&text) {
            let way = &found[1];
            let import = format!("crate::{inner}::{way}");
            if !shared.contains(&way) && text.contains(&import) {
                wrong.push(format!("{}: the interface imports {import}", short(&file)));
            }
        }
    }
    Ok(())
}

/// Adapters know no other adapter.
fn adapters(wrong: &mut Vec<String>) -> Result<(), String> {
    let mut ways: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
    let folder = root().join("adapters");
    for file in sources(&folder)? {
        let Ok(inside) = file.strip_prefix(&folder) else { continue };
        let way = inside.components().next().map(|part| part.as_os_str().to_string_lossy().replace(".rs", ""));
        if let Some(way) = way.filter(|way| way != "lib") {
            ways.entry(way).or_default().push(file);
        }
    }
    for (way, files) in &ways {
        for file in files {
            let text = read(file)?;
            for other in ways.keys().filter(|other| *other != way) {
                if text.contains(&format!("crate::{other}")) {
                    wrong.push(format!("{}: imports the adapter {other}", short(file)));
                }
            }
        }
    }
    Ok(())
}

fn sources(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        for entry in entries.flatten() {
            let path = entry.path();
            if path.is_dir() && path.file_name().is_some_and(|name| name != "tests") {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}

fn read(file: &Path) -> Result<String, String> {
    fs::read_to_string(file).map_err(|error| format!("{}: {error}", short(file)))
}

fn short(file: &Path) -> String {
    file.strip_prefix(root()).unwrap_or(file).display().to_string()
}

fn regex(pattern: &str) -> Result<Regex, String> {
    Regex::new(pattern).map_err(|error| error.to_string())
}
