//! The arrows between our crates, and other rules of docs/ARCHITECTURE.md that a compiler does not check.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};
use testkit::root;

/// Whom each crate may know of ours. A new crate gets its line here, on purpose.
const ARROWS: [(&str, &[&str]); 17] = [
    ("domain", &[]),
    ("proto", &[]),
    ("identity", &["domain"]),
    ("policy", &["domain"]),
    ("store", &["domain", "identity"]),
    ("forge", &["domain", "identity"]),
    ("spec", &["domain", "identity"]),
    ("memory", &["domain", "identity"]),
    ("engine", &["domain", "identity"]),
    ("sandbox", &["domain", "identity"]),
    ("cluster", &["domain", "identity", "proto"]),
    ("mesh", &["domain", "identity", "proto"]),
    (
        "orchestrator",
        &["domain", "identity", "proto", "policy", "store", "forge", "spec", "memory", "engine", "sandbox", "cluster", "mesh"],
    ),
    ("server", &["domain", "orchestrator"]),
    ("meshwork", &["*"]),
    ("testkit", &["domain", "identity", "proto"]),
    ("benches", &["*", "testkit"]),
];

/// Known only to tests and benches.
const DEV_ONLY: [&str; 2] = ["testkit", "benches"];

/// What `domain` may use of others: data and its forms, nothing that reads, writes, waits or knows the time.
const DOMAIN_USES: [&str; 7] = ["blake3", "jiff", "schemars", "serde", "serde_json", "thiserror", "ulid"];

/// Doors to the outside that the standard library and those crates open; `domain` goes through none.
const DOORS: [&str; 12] = [
    "std::fs",
    "std::net",
    "std::process",
    "std::env",
    "std::thread",
    "std::io",
    "SystemTime",
    "Instant::now",
    "Timestamp::now",
    "Zoned::now",
    "Ulid::new",
    "println!",
];

/// Lines of a source file, without its tests.
const FILE_LINES_MAX: usize = 500;

#[test]
fn crates_know_only_whom_the_map_lets_them() {
    let ours = ours();
    let names: BTreeSet<&str> = ours.keys().map(String::as_str).collect();
    let mut wrong = Vec::new();
    for (name, package) in &ours {
        let Some((_, may)) = ARROWS.iter().find(|(n, _)| n == name) else {
            wrong.push(format!("{name} has no line in ARROWS"));
            continue;
        };
        for dependency in package["dependencies"].as_array().unwrap() {
            let target = dependency["name"].as_str().unwrap();
            if !names.contains(target) || dependency["path"].is_null() {
                continue;
            }
            let only_for_tests = dependency["kind"] == "dev";
            let listed = may.contains(&target) || (may.contains(&"*") && !DEV_ONLY.contains(&target));
            if !(listed || only_for_tests && target == "testkit") {
                wrong.push(format!("{name} -> {target}"));
            }
        }
    }
    assert!(wrong.is_empty(), "arrows that docs/ARCHITECTURE.md does not have: {wrong:#?}");
}

#[test]
fn every_crate_takes_the_lints_of_the_workspace() {
    // What lies in `proto` is generated.
    let ours = ours().into_iter().filter(|(name, _)| name != "proto");
    let without: Vec<String> = ours.filter(|(_, p)| !manifest(p).contains("[lints]\nworkspace = true")).map(|(n, _)| n).collect();
    assert!(without.is_empty(), "crates whose Cargo.toml lacks `[lints] workspace = true`: {without:?}");
}

#[test]
fn domain_has_no_io_no_clock_and_no_randomness() {
    let ours = ours();
    let used = ours["domain"]["dependencies"].as_array().unwrap().iter().filter(|d| d["kind"] != "dev");
    let unknown: Vec<_> = used.map(|d| d["name"].as_str().unwrap()).filter(|name| !DOMAIN_USES.contains(name)).collect();
    assert!(unknown.is_empty(), "domain depends on {unknown:?}; if they do no I/O, add them to DOMAIN_USES");

    let mut doors = Vec::new();
    for file in sources(&root().join("crates/domain/src")) {
        for (number, line) in without_tests(&file).lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            doors.extend(DOORS.iter().filter(|door| code.contains(*door)).map(|door| format!("{}:{} {door}", shown(&file), number + 1)));
        }
    }
    assert!(doors.is_empty(), "domain reaches outside: {doors:#?}");
}

#[test]
fn source_files_stay_short() {
    let long: Vec<String> = our_sources()
        .iter()
        .filter(|file| !is_test(file))
        .map(|file| (shown(file), without_tests(file).lines().count()))
        .filter(|(_, lines)| *lines > FILE_LINES_MAX)
        .map(|(file, lines)| format!("{file}: {lines} lines"))
        .collect();
    assert!(long.is_empty(), "files over {FILE_LINES_MAX} lines, to be split by what they are about: {long:#?}");
}

#[test]
fn source_files_begin_with_what_they_are_for() {
    let silent: Vec<_> = our_sources().iter().filter(|f| !is_test(f) && !read(f).starts_with("//!")).map(|f| shown(f)).collect();
    assert!(silent.is_empty(), "files whose first line is not `//! what it is for`: {silent:#?}");
}

#[test]
fn nothing_is_left_to_do_and_no_test_is_switched_off() {
    // Put together here, so that this file does not find itself.
    let marks = [["to", "do!("], ["unimpl", "emented!("], ["db", "g!("], ["#[ign", "ore"], ["assert!(tr", "ue)"]].map(|p| p.concat());
    // A part of a test that must have a process of its own is started by that test, which its reason says.
    let started_by_a_test = |line: &str| line.contains("test above") || line.contains("tests above");
    let mut found = Vec::new();
    for file in our_sources() {
        for (number, line) in read(&file).lines().enumerate().filter(|(_, line)| !started_by_a_test(line)) {
            let here = marks.iter().filter(|mark| line.contains(mark.as_str()));
            found.extend(here.map(|mark| format!("{}:{} {mark}", shown(&file), number + 1)));
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn sqlite_is_linked_once_through_the_crate_that_radicle_uses() {
    let lock: toml::Table = read(&root().join("Cargo.lock")).parse().unwrap();
    let packages = lock["package"].as_array().unwrap();
    let names: Vec<&str> = packages.iter().map(|p| p["name"].as_str().unwrap()).collect();
    let others: Vec<_> = names.iter().filter(|n| ["rusqlite", "libsqlite3-sys", "sqlx", "sqlx-sqlite"].contains(n)).collect();
    assert!(others.is_empty(), "{others:?} would link SQLite a second time");
    assert_eq!(names.iter().filter(|n| **n == "sqlite3-src").count(), 1, "the source of SQLite is built in once");
}

/// The packages of the workspace by name, as cargo describes them.
fn ours() -> BTreeMap<String, Value> {
    let out = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let metadata: Value = serde_json::from_slice(&out.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap().iter();
    packages.map(|p| (p["name"].as_str().unwrap().to_owned(), p.clone())).collect()
}

fn manifest(package: &Value) -> String {
    read(Path::new(package["manifest_path"].as_str().unwrap()))
}

/// Every Rust file that we wrote.
fn our_sources() -> Vec<PathBuf> {
    let found: Vec<_> = ["crates", "proto", "benches"].iter().flat_map(|dir| sources(&root().join(dir))).collect();
    assert!(found.len() > 20, "the sources were not found");
    found
}

fn sources(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()) {
        let name = entry.file_name().unwrap().to_string_lossy().into_owned();
        if entry.is_dir() && name != "target" && name != "node_modules" && !name.starts_with('.') {
            found.extend(sources(&entry));
        } else if entry.extension().is_some_and(|e| e == "rs") {
            found.push(entry);
        }
    }
    found.sort();
    found
}

/// Whether a file is a test: it, or a folder above it within the workspace, is called so.
fn is_test(file: &Path) -> bool {
    let inside = file.strip_prefix(root()).unwrap();
    inside.components().any(|c| matches!(c.as_os_str().to_str(), Some("tests" | "tests.rs")))
}

/// A file up to its module of tests, which by custom is its last item.
fn without_tests(file: &Path) -> String {
    read(file).split("\n#[cfg(test)]").next().unwrap_or_default().to_owned()
}

fn read(file: &Path) -> String {
    fs::read_to_string(file).unwrap_or_else(|e| panic!("{}: {e}", file.display()))
}

fn shown(file: &Path) -> String {
    file.strip_prefix(root()).unwrap_or(file).display().to_string()
}
