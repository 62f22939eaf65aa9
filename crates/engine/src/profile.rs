//! What differs between engines, as data: one TOML file an engine, in `profiles/`, built into the binary.

use crate::failure::FailureRules;
use domain::{Problem, agent::ModelApi};
use serde::Deserialize;
use std::{collections::BTreeMap, sync::LazyLock};

/// One engine.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Its name, as in an agent's settings.
    pub name: String,
    /// Its name for people.
    pub title: String,
    /// Whether whole turns were tried with it.
    pub tried: bool,
    /// Where it comes from.
    pub npm: Npm,
    /// The oldest major version of Node that it runs on; absent where it is a program of its own.
    #[serde(default)]
    pub node: Option<u32>,
    /// Program and arguments; `{…}` as in [`crate::launch()`].
    pub command: Vec<String>,
    /// The wire forms that it speaks, and how its settings name each (`{wire}`).
    pub api: BTreeMap<Api, Wire>,
    /// Environment.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Files in its home.
    #[serde(default)]
    pub file: Vec<HomeFile>,
    /// A list of models that it must be given, where it is to know any model.
    #[serde(default)]
    pub catalog: Option<Catalog>,
    /// Steps after the install, which save each run from doing them.
    #[serde(default)]
    pub prepare: Vec<Prepare>,
    /// The session's modes.
    #[serde(default)]
    pub mode: Modes,
    /// Whether a session can be taken up again from its files.
    #[serde(default)]
    pub resumes: bool,
    /// How failure looks.
    #[serde(default)]
    pub failure: FailureRules,
}

/// A wire form, by the name it has in profiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Api {
    /// OpenAI Responses.
    Responses,
    /// OpenAI Chat Completions.
    Chat,
    /// Anthropic Messages.
    Messages,
    /// Google's Gemini.
    Gemini,
}

impl From<ModelApi> for Api {
    fn from(api: ModelApi) -> Self {
        match api {
            ModelApi::Responses => Self::Responses,
            ModelApi::Chat => Self::Chat,
            ModelApi::Messages => Self::Messages,
            ModelApi::Gemini => Self::Gemini,
        }
    }
}

/// How an engine's settings name a wire form.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wire {
    /// What stands for `{wire}`.
    pub wire: String,
}

/// A package.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Npm {
    /// Its name.
    pub package: String,
    /// The version that was tried, and no other.
    pub version: String,
    /// Further packages whose version matters, as `name@version`.
    #[serde(default)]
    pub with: Vec<String>,
    /// What it takes on disk, in megabytes.
    pub size_mb: u32,
    /// A file that must be there after the install; `{arch}` and `{baseline}` may stand in it.
    pub proof: String,
}

/// A file in an engine's home.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HomeFile {
    /// Relative to the home.
    pub path: String,
    /// Its text. What stands for `{…}` is escaped as in a JSON or TOML string.
    pub text: String,
}

/// Settings of a list of models (Codex).
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Catalog {
    /// The engine's own list, as captured by a preparing step.
    pub captured: String,
    /// Where the list goes, relative to the home.
    pub path: String,
    /// The model whose entry an unknown model takes over.
    pub template: String,
    /// What is set in the entry of an unknown model.
    pub set: serde_json::Map<String, serde_json::Value>,
}

/// One step after an install.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prepare {
    /// Program and arguments.
    pub command: Vec<String>,
    /// Environment besides `PATH` and a private `HOME`.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// The file, in the engine's folder, that its standard output is written to.
    #[serde(default)]
    pub stdout: Option<String>,
    /// A file that must be there afterwards.
    pub proof: String,
}

/// The modes in which a session is opened.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Modes {
    /// The sandbox is the boundary: nothing is asked.
    pub sandbox: Option<String>,
    /// A person is asked.
    pub ask: Option<String>,
    /// Set only through the environment (`{mode}`), not through the protocol.
    pub by_environment: bool,
}

const SOURCES: [&str; 5] = [
    include_str!("../profiles/codex.toml"),
    include_str!("../profiles/copilot.toml"),
    include_str!("../profiles/opencode.toml"),
    include_str!("../profiles/claude.toml"),
    include_str!("../profiles/gemini.toml"),
];

static PROFILES: LazyLock<Vec<Profile>> = LazyLock::new(|| SOURCES.iter().filter_map(|source| toml::from_str(source).ok()).collect());

/// All profiles.
pub fn all() -> &'static [Profile] {
    &PROFILES
}

/// The profile of this name.
pub fn find(name: &str) -> Result<&'static Profile, Problem> {
    all().iter().find(|profile| profile.name == name).ok_or_else(|| {
        let known: Vec<_> = all().iter().map(|profile| profile.name.as_str()).collect();
        Problem::not_found(format!("There is no engine {name:?}.")).next(format!(
            "Known are {}; any other program can be used as an `acp` or a `command` engine, and `replay` plays a recording.",
            known.join(", ")
        ))
    })
}

/// What stands for the machine in a profile's paths.
pub(crate) fn machine() -> [(&'static str, String); 2] {
    let arch = if cfg!(target_arch = "aarch64") { "arm64" } else { "x64" };
    [("arch", arch.to_owned()), ("baseline", if has_avx2() { String::new() } else { "-baseline".to_owned() })]
}

#[cfg(target_arch = "x86_64")]
fn has_avx2() -> bool {
    std::arch::is_x86_feature_detected!("avx2")
}

#[cfg(not(target_arch = "x86_64"))]
fn has_avx2() -> bool {
    true
}

/// Replaces each `{name}` that is known, once; everything else in braces stays.
pub(crate) fn fill(template: &str, values: &[(&str, String)], write: impl Fn(&str) -> String) -> String {
    let mut filled = String::with_capacity(template.len());
    let mut left = template;
    while let Some(start) = left.find('{') {
        let (before, rest) = left.split_at(start);
        filled.push_str(before);
        let known = values.iter().find_map(|(name, value)| rest[1..].strip_prefix(name)?.strip_prefix('}').map(|after| (value, after)));
        left = match known {
            Some((value, after)) => {
                filled.push_str(&write(value));
                after
            }
            None => {
                filled.push('{');
                &rest[1..]
            }
        };
    }
    filled.push_str(left);
    filled
}

/// As a part of a JSON or TOML string.
pub(crate) fn escaped(value: &str) -> String {
    let quoted = serde_json::Value::from(value).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;

    #[test]
    fn every_profile_can_be_read_and_says_what_is_needed() {
        for source in SOURCES {
            let profile: Profile = toml::from_str(source).unwrap_or_else(|error| panic!("{error}"));
            assert!(!profile.command.is_empty() && !profile.api.is_empty(), "{}", profile.name);
            assert!(profile.npm.version.chars().all(|c| c.is_ascii_digit() || c == '.'), "{} is pinned", profile.name);
            assert!(profile.file.iter().all(|file| !file.path.starts_with('/') && !file.path.contains("..")));
        }
        assert_eq!(all().len(), SOURCES.len());
        assert!(find("emacs").unwrap_err().to_string().contains("codex, copilot, opencode, claude, gemini"));
    }

    #[test]
    fn braces_are_filled_once_and_escaped_where_needed() {
        let values = [("model", "a\"b{port}".to_owned()), ("port", "7".to_owned())];
        assert_eq!(fill(r#"{"m":"{model}","p":{port},"x":{other}}"#, &values, escaped), r#"{"m":"a\"b{port}","p":7,"x":{other}}"#);
        assert_eq!(fill("{port", &values, str::to_owned), "{port");
    }
}
