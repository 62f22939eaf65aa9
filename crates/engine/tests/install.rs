//! What is said when an engine cannot be fetched or started.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use domain::{
    Kind,
    agent::{EngineChoice, ModelApi, PermissionMode},
};
use engine::{Context, install, installed, launch, profile};
use std::path::Path;

fn context(dir: &Path, api: Option<ModelApi>) -> Context<'_> {
    Context {
        engines_dir: dir,
        engine_inside: None,
        model: api.map(|api| ("m", api)),
        model_port: 1,
        context_port: 2,
        home: "/home/agent",
        work: "/work",
        meshwork: "/x",
        task: None,
        prompt: "",
        permissions: PermissionMode::Sandbox,
    }
}

fn engine(name: &str) -> EngineChoice {
    EngineChoice::Profile { name: name.into() }
}

/// Lays what an install leaves, without the engine itself.
fn pretend(dir: &Path, name: &str, version: &str) {
    let folder = dir.join(name).join(version);
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("meshwork.json"), format!(r#"{{"form":1,"version":"{version}"}}"#)).unwrap();
}

#[test]
fn an_unknown_engine_is_named_with_those_that_are_known() {
    let dir = tempfile::tempdir().unwrap();
    let problem = install("emacs", dir.path(), |_| {}).unwrap_err();
    assert_eq!(problem.kind, Kind::NotFound);
    assert!(problem.to_string().contains("copilot"), "{problem}");
    assert_eq!(launch(&engine("emacs"), &context(dir.path(), None)).unwrap_err().kind, Kind::NotFound);
}

#[test]
fn an_engine_that_is_missing_or_old_says_how_to_get_it() {
    let dir = tempfile::tempdir().unwrap();
    let problem = launch(&engine("opencode"), &context(dir.path(), Some(ModelApi::Chat))).unwrap_err();
    assert_eq!(problem.kind, Kind::Unavailable);
    assert!(problem.next.unwrap().contains("meshwork engine install opencode"));
    pretend(dir.path(), "opencode", "0.0.1");
    assert_eq!(installed("opencode", dir.path()).unwrap().version, "0.0.1");
    let problem = launch(&engine("opencode"), &context(dir.path(), Some(ModelApi::Chat))).unwrap_err();
    assert!(problem.what.contains("0.0.1"), "{problem}");
    // A folder without its record is a broken install, and is not seen.
    std::fs::remove_file(dir.path().join("opencode/0.0.1/meshwork.json")).unwrap();
    assert_eq!(installed("opencode", dir.path()), None);
}

#[test]
fn a_model_that_an_engine_cannot_speak_to_is_refused_with_what_it_can() {
    let dir = tempfile::tempdir().unwrap();
    pretend(dir.path(), "copilot", &profile::find("copilot").unwrap().npm.version);
    let problem = launch(&engine("copilot"), &context(dir.path(), Some(ModelApi::Messages))).unwrap_err();
    assert_eq!(problem.kind, Kind::Invalid);
    assert!(problem.why.unwrap().contains("responses, chat"));
    assert_eq!(launch(&engine("copilot"), &context(dir.path(), None)).unwrap_err().kind, Kind::Invalid);
}

#[test]
fn a_launch_names_only_what_is_inside_and_keeps_the_environment_small() {
    let dir = tempfile::tempdir().unwrap();
    pretend(dir.path(), "opencode", &profile::find("opencode").unwrap().npm.version);
    let mut given = context(dir.path(), Some(ModelApi::Chat));
    given.engine_inside = Some(engine::ENGINE_INSIDE);
    given.model = Some(("we\"ird{key}", ModelApi::Chat));
    let launch = launch(&engine("opencode"), &given).unwrap();
    assert!(launch.command[0].starts_with(engine::ENGINE_INSIDE));
    assert_eq!(launch.readonly[0].inside, Path::new(engine::ENGINE_INSIDE));
    let host = dir.path().to_str().unwrap();
    assert!(!launch.env.iter().any(|(_, value)| value.contains(host)) && !launch.command.iter().any(|part| part.contains(host)));
    assert!(launch.env.iter().any(|(name, value)| name == "HOME" && value == "/home/agent"));
    let (_, config) = launch.home_files.iter().find(|(path, _)| path.ends_with("opencode.json")).unwrap();
    let config: serde_json::Value = serde_json::from_slice(config).unwrap();
    assert_eq!(config["model"], "meshwork/we\"ird{key}");
    assert_eq!(config["provider"]["meshwork"]["options"]["baseURL"], "http://127.0.0.1:1/v1");
}

#[test]
fn without_npm_the_next_step_is_to_install_it() {
    let dir = tempfile::tempdir().unwrap();
    let problem = in_environment("missing", dir.path(), "/nowhere");
    assert!(problem.contains("`npm` is not installed") && problem.contains("apt install"), "{problem}");
}

#[test]
fn without_a_network_the_registry_is_named_and_nothing_is_left() {
    let dir = tempfile::tempdir().unwrap();
    let problem = in_environment("offline", dir.path(), &std::env::var("PATH").unwrap());
    assert!(problem.contains("registry cannot be reached"), "{problem}");
    let left: Vec<_> = std::fs::read_dir(dir.path().join("opencode")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, [".lock"], "{left:?}");
}

/// Installs in a process of its own, whose environment is another.
fn in_environment(case: &str, dir: &Path, path: &str) -> String {
    let me = std::env::current_exe().unwrap();
    let mut child = std::process::Command::new(me);
    child.args(["--exact", "child_that_installs", "--ignored", "--nocapture"]).env("PATH", path).env("MESHWORK_TEST_CASE", case);
    child.env("MESHWORK_TEST_DIR", dir).env("npm_config_registry", "http://127.0.0.1:1/").env("npm_config_fetch_retries", "0");
    child.env("npm_config_cache", dir.join("cache"));
    let output = child.output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
#[ignore = "started by the tests above, in an environment of its own"]
fn child_that_installs() {
    let Some(dir) = std::env::var_os("MESHWORK_TEST_DIR") else { return };
    let problem = install("opencode", Path::new(&dir), |_| {}).unwrap_err();
    println!("{problem}");
}
