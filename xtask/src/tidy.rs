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
    let module = regex(r"(?m)^\s*(?:pub(?:\([a-z]+\))? )?mod ([a-z0-9_]+)")?;
    let modules: BTreeSet<_> = module.captures_iter(&read(&top)?).map(|found| found[1].to_owned()).collect();
    for file in files.iter().filter(|file| **file != top) {
        for path in paths(&read(file)?)? {
            let first = path.strip_prefix("crate::").and_then(|path| path.split("::").next());
            if let Some(first) = first.filter(|first| !modules.contains(*first)) {
                wrong.push(format!("{}: crate::{first} comes from the crate's own root", short(file)));
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
    }
    if krate == "micro" { protocols(&name, &text, wrong) } else { Ok(()) }
}

/// Protocols are known by two files, and by themselves.
fn protocols(name: &str, text: &str, wrong: &mut Vec<String>) -> Result<(), String> {
    let knows = ["micro/client/dialect.rs", "micro/server/port.rs"].contains(&name);
    let inside = ["micro/client/protocol/", "micro/server/grpc", "micro/server/mucp"];
    if knows || inside.iter().any(|folder| name.starts_with(folder)) {
        return Ok(());
    }
    let ways = ["protocol::mucp", "protocol::grpc", "protocol::http", "server::mucp", "server::grpc"];
    for path in paths(text)?.iter().filter(|path| ways.iter().any(|way| path.contains(way))) {
        wrong.push(format!("{name}: {path}: protocols are known by client/dialect.rs and server/port.rs alone"));
    }
    Ok(())
}

/// Every path that a text names: those of its `use`s with their braces undone, and those that stand in the code.
fn paths(text: &str) -> Result<Vec<String>, String> {
    let code: String = text.lines().filter(|line| !line.trim_start().starts_with("//")).fold(String::new(), joined);
    let mut paths = Vec::new();
    for found in regex(r"\buse\s+([^;]+);")?.captures_iter(&code) {
        unfold("", &found[1], &mut paths);
    }
    let plain = regex(r"(?:::)?\b[A-Za-z0-9_]+(?:::[A-Za-z0-9_]+)+")?;
    paths.extend(plain.find_iter(&code).map(|found| found.as_str().to_owned()));
    paths.sort();
    paths.dedup();
    Ok(paths)
}

fn joined(all: String, line: &str) -> String {
    all + line + "\n"
}

/// Undoes the braces of a `use`: `a::{b, c::{d}}` is `a::b` and `a::c::d`.
fn unfold(before: &str, tree: &str, paths: &mut Vec<String>) {
    let Some((lead, rest)) = tree.split_once('{') else {
        let path = tree.split(" as ").next().unwrap_or(tree);
        paths.push(format!("{before}{}", path.trim()));
        return;
    };
    let before = format!("{before}{}", lead.trim());
    let inner = rest.rsplit_once('}').map_or(rest, |(inner, _)| inner);
    let (mut depth, mut start) = (0_usize, 0);
    for (at, letter) in inner.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                unfold(&before, &inner[start..at], paths);
                start = at + 1;
            }
            _ => {}
        }
    }
    if !inner[start..].trim().is_empty() {
        unfold(&before, &inner[start..], paths);
    }
}

/// A noun's interface never imports a way to be it.
fn nouns(wrong: &mut Vec<String>) -> Result<(), String> {
    let module = regex(r"(?m)^\s*(?:pub(?:\([a-z]+\))? )?mod ([a-z_]+);")?;
    let shared = ["service", "cache", "filter", "strategy", "config"];
    for noun in NOUNS {
        let file = root().join("micro").join(noun).join("mod.rs");
        let text = read(&file)?;
        let paths = paths(&text)?;
        let inner = noun.replace('/', "::");
        for found in module.captures_iter(&text) {
            let way = &found[1];
            let whole = [format!("crate::{inner}::{way}"), format!("self::{way}"), way.to_owned()];
            let of_way = |path: &&String| {
                whole
                    .iter()
                    .any(|way| path.strip_prefix(way).is_some_and(|rest| rest.is_empty() || rest.starts_with("::")))
            };
            for path in paths.iter().filter(of_way).filter(|_| !shared.contains(&way)) {
                wrong.push(format!("{}: the interface imports {path}", short(&file)));
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

#[cfg(test)]
mod tests {
    use super::paths;

    #[test]
    fn a_path_is_found_however_it_is_written() {
        let text = "// crate::not\nuse crate::{a::{B, c as d},\n    e};\nuse f;\nfn g() { crate::h::i() }\n";
        let paths = paths(text).unwrap();
        let ours: Vec<_> = paths.iter().filter(|path| path.starts_with("crate::") || *path == "f").collect();
        assert_eq!(ours, ["crate::a::B", "crate::a::c", "crate::e", "crate::h::i", "f"]);
    }
}
