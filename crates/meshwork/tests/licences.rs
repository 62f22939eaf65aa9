//! Licences and sources of everything that is built in, from the lists in deny.toml: in every test run, offline too.
//! Known vulnerabilities need a database from outside; `./dev check` looks them up where it can be reached.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use serde_json::Value;
use spdx::{Expression, ParseMode};
use std::process::Command;
use toml::Table;

#[test]
fn every_licence_is_one_that_we_allow() {
    let rules = rules();
    let wrong: Vec<String> = others()
        .iter()
        .filter(|package| !allowed(package, &rules))
        .map(|package| format!("{}: {}", name(package), package["license"].as_str().unwrap_or("none given")))
        .collect();
    assert!(wrong.is_empty(), "crates whose licence deny.toml does not allow; replace them, or add it there with a reason: {wrong:#?}");
}

#[test]
fn everything_comes_from_the_registry_that_we_allow() {
    let rules = rules();
    let registries = words(&rules["sources"]["allow-registry"]);
    let allowed = |source: &str| registries.iter().any(|registry| source == format!("registry+{registry}"));
    let wrong: Vec<String> =
        others().iter().filter(|p| !allowed(p["source"].as_str().unwrap())).map(|p| format!("{} from {}", name(p), p["source"])).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn nothing_is_built_in_that_we_banned() {
    let rules = rules();
    let banned: Vec<&str> = rules["bans"]["deny"].as_array().unwrap().iter().map(|ban| ban["crate"].as_str().unwrap()).collect();
    let wrong: Vec<String> = others().iter().map(name).filter(|name| banned.contains(&name.as_str())).collect();
    assert!(!banned.is_empty() && wrong.is_empty(), "{wrong:?}");
}

#[test]
fn licences_are_read_as_they_are_meant() {
    let mut rules: Table = "[licenses]\nallow = ['MIT', 'ISC']\nexceptions = [{ crate = 'odd', allow = ['MPL-2.0'] }]".parse().unwrap();
    let package = |name: &str, license: &str| serde_json::json!({ "name": name, "license": license });
    for (name, license, expected) in [
        ("a", "MIT", true),
        ("a", "MIT OR GPL-3.0-only", true),
        ("a", "Apache-2.0/MIT", true),
        ("a", "MIT AND ISC", true),
        ("a", "MIT AND GPL-3.0-only", false),
        ("a", "(MIT OR Zlib) AND Zlib", false),
        ("a", "MPL-2.0", false),
        ("odd", "MPL-2.0", true),
        ("a", "no such licence", false),
    ] {
        assert_eq!(allowed(&package(name, license), &rules), expected, "{name}: {license}");
    }
    rules["licenses"]["allow"] = toml::Value::Array(vec![]);
    assert!(!allowed(&package("a", "MIT"), &rules), "the list is what decides");
}

fn allowed(package: &Value, rules: &Table) -> bool {
    let licenses = &rules["licenses"];
    let mut allow = words(&licenses["allow"]);
    let exceptions = licenses["exceptions"].as_array().unwrap().iter();
    allow.extend(exceptions.filter(|e| e["crate"].as_str() == package["name"].as_str()).flat_map(|e| words(&e["allow"])));
    let expression = Expression::parse_mode(package["license"].as_str().unwrap_or_default(), ParseMode::LAX);
    expression.is_ok_and(|expression| expression.evaluate(|required| allow.contains(&required.to_string())))
}

/// The packages of others that are built for this machine.
fn others() -> Vec<Value> {
    let host = Command::new("rustc").arg("-vV").output().expect("rustc runs");
    let host = String::from_utf8(host.stdout).unwrap();
    let host = host.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    let out = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--locked", "--filter-platform", host])
        .current_dir(testkit::root())
        .output()
        .expect("cargo runs");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let metadata: Value = serde_json::from_slice(&out.stdout).unwrap();
    let packages: Vec<Value> = metadata["packages"].as_array().unwrap().iter().filter(|p| !p["source"].is_null()).cloned().collect();
    assert!(packages.len() > 100, "cargo lists only {} packages", packages.len());
    packages
}

fn rules() -> Table {
    std::fs::read_to_string(testkit::root().join("deny.toml")).unwrap().parse().unwrap()
}

fn words(list: &toml::Value) -> Vec<String> {
    list.as_array().unwrap().iter().map(|word| word.as_str().unwrap().to_owned()).collect()
}

fn name(package: &Value) -> String {
    package["name"].as_str().unwrap().to_owned()
}
