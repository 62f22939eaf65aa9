//! Names and numbers of things. Parsed at the edge, trusted inside.

use crate::problem::{Kind, Problem};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{fmt, net::IpAddr, str::FromStr};

/// Makes a text newtype whose value has passed `check`.
macro_rules! name {
    ($(#[$doc:meta])* $type:ident, $what:literal, $check:path) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(try_from = "String", into = "String")]
        #[schemars(with = "String")]
        pub struct $type(String);

        impl $type {
            /// The text itself.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl FromStr for $type {
            type Err = Problem;
            fn from_str(text: &str) -> Result<Self, Problem> {
                $check(text).map_err(|why| {
                    Problem::new(Kind::Invalid, format!("“{}” is not {}.", shown(text), $what)).because(why).next("Give one of that form.")
                })?;
                Ok(Self(text.to_owned()))
            }
        }
        impl TryFrom<String> for $type {
            type Error = Problem;
            fn try_from(text: String) -> Result<Self, Problem> {
                text.parse()
            }
        }
        impl From<$type> for String {
            fn from(name: $type) -> String {
                name.0
            }
        }
    };
}

/// A text cut to what fits into a sentence, without control characters.
pub fn shown(text: &str) -> String {
    cut(text, 80)
}

/// The same with room for a list, as of what a parser expected.
pub fn shown_at_length(text: &str) -> String {
    cut(text, 400)
}

fn cut(text: &str, chars: usize) -> String {
    let mut clean: String = text.chars().filter(|c| !c.is_control()).take(chars).collect();
    if text.chars().count() > chars {
        clean.push('…');
    }
    clean
}

/// A text with a name in place of a key. The key stays in a path, as the name of a folder, and in quotes, as a person typed it.
pub fn with_name(text: &str, key: &str, name: &str) -> String {
    let mut parts = text.split(key);
    let mut named = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        named.push_str(if named.ends_with(['/', '“']) { key } else { name });
        named.push_str(part);
    }
    named
}

/// What a person wrote, so that a sentence can follow it.
pub fn as_sentence(text: &str) -> String {
    let text = text.trim_end();
    let ends = text.is_empty() || text.ends_with(['.', '!', '?', '…']);
    if ends { text.to_owned() } else { format!("{text}.") }
}

/// A number with its noun: `1 owner`, `3 owners`.
pub fn counted<N: std::fmt::Display + PartialEq + From<u8>>(number: N, noun: &str) -> String {
    if number == N::from(1) { format!("1 {noun}") } else { format!("{number} {}", plural(noun)) }
}

/// More than one of something.
pub fn plural(noun: &str) -> String {
    if noun.ends_with("ch") { format!("{noun}es") } else { format!("{noun}s") }
}

fn slug(text: &str) -> Result<(), &'static str> {
    let first = text.chars().next().is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    let rest = text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_' | '.'));
    match (first && rest && !text.contains(".."), text.len() <= 64, text.ends_with('.')) {
        (false, ..) => Err("Use lower-case letters, digits, “-”, “_” and “.”, beginning with a letter or digit."),
        (_, false, _) => Err("It may have 64 characters at most."),
        (.., true) => Err("It may not end with “.”: not every system has folders of such names."),
        (true, true, false) => Ok(()),
    }
}

fn task_id(text: &str) -> Result<(), &'static str> {
    let digits = text.strip_prefix('T').unwrap_or_default();
    let number = digits.trim_end_matches(|c: char| c.is_ascii_lowercase());
    let valid = (1..=8).contains(&number.len()) && number.chars().all(|c| c.is_ascii_digit()) && digits.len() <= number.len() + 2;
    if valid { Ok(()) } else { Err("A task is a “T” and digits, as T012 or T012a.") }
}

fn feature_id(text: &str) -> Result<(), &'static str> {
    let bad = text.is_empty()
        || text.len() > 200
        || text.starts_with('.')
        || text.contains(['/', '\\', '\0'])
        || text.chars().any(char::is_control);
    if bad { Err("A feature is the name of a folder in specs/, as 003-login.") } else { Ok(()) }
}

fn did(text: &str) -> Result<(), &'static str> {
    let key = text.strip_prefix("did:key:z6Mk").unwrap_or_default();
    let valid = key.len() == 44 && key.chars().all(|c| c.is_ascii_alphanumeric());
    if valid { Ok(()) } else { Err("It must be an Ed25519 key, as did:key:z6Mk…") }
}

fn rid(text: &str) -> Result<(), &'static str> {
    let id = text.strip_prefix("rad:z").unwrap_or_default();
    let valid = (20..=40).contains(&id.len()) && id.chars().all(|c| c.is_ascii_alphanumeric());
    if valid { Ok(()) } else { Err("A Radicle repository is named rad:z….") }
}

fn oid(text: &str) -> Result<(), &'static str> {
    let valid = (text.len() == 40 || text.len() == 64) && text.chars().all(|c| c.is_ascii_hexdigit() && !c.is_ascii_uppercase());
    if valid { Ok(()) } else { Err("A git object is named by 40 hexadecimal digits.") }
}

fn hash(text: &str) -> Result<(), &'static str> {
    let valid = text.len() == 64 && text.chars().all(|c| c.is_ascii_hexdigit() && !c.is_ascii_uppercase());
    if valid { Ok(()) } else { Err("A BLAKE3 hash has 64 hexadecimal digits.") }
}

impl ServerUrl {
    /// Whether what is said to it goes over a network without encryption: over plain HTTP, and not to this machine itself.
    pub fn is_in_the_clear(&self) -> bool {
        let Some(rest) = self.0.strip_prefix("http://") else { return false };
        let rest = rest.trim_end_matches('/');
        let bare = |host: &str| host.trim_matches(['[', ']']).parse::<IpAddr>();
        let host = match rest.rsplit_once(':') {
            // Those of an address without a port are the address's own.
            Some((host, _)) if bare(rest).is_err() => host,
            _ => rest,
        };
        let here = host == "localhost" || host.ends_with(".localhost");
        !here && !bare(host).is_ok_and(|ip| ip.is_loopback())
    }
}

fn server_url(text: &str) -> Result<(), &'static str> {
    let (scheme, rest) = text.split_once("://").unwrap_or_default();
    let host = rest.strip_suffix('/').unwrap_or(rest);
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '[' | ']');
    let whole = !host.is_empty() && !host.starts_with(':') && host.len() <= 255 && host.chars().all(plain);
    let port = host.rsplit_once(':').filter(|(before, _)| !before.contains(':') || before.ends_with(']')).map(|(_, port)| port);
    match (matches!(scheme, "http" | "https"), whole && port.is_none_or(|p| p.parse::<u16>().is_ok_and(|p| p > 0))) {
        (true, true) => Ok(()),
        _ => Err("It is http:// or https://, a host, and perhaps a port, as https://headscale.example."),
    }
}

fn ulid(text: &str) -> Result<(), &'static str> {
    if text.len() == 26 && ulid::Ulid::from_string(text).is_ok() { Ok(()) } else { Err("It has 26 letters and digits (a ULID).") }
}

name!(
    /// An org's name; also its folder on this machine and its host name before `.localhost`.
    OrgName, "a name for an org", slug
);
name!(
    /// A project's name within its org.
    ProjectName, "a name for a project", slug
);
name!(
    /// An agent's name within its org.
    AgentName, "a name for an agent", slug
);
name!(
    /// A credential's name in this machine's vault.
    CredentialName, "a name for a credential", slug
);
name!(
    /// A Spec-Kit task: `T012`.
    TaskId, "a task", task_id
);
name!(
    /// A Spec-Kit feature: its folder's name below `specs/`, as `003-login`.
    FeatureId, "a feature", feature_id
);
name!(
    /// A key that acts: a member, a device or a run, as `did:key:z6Mk…`.
    Did, "a did:key", did
);
name!(
    /// A Radicle repository: `rad:z…`.
    Rid, "a Radicle repository", rid
);
name!(
    /// A git object.
    Oid, "a git object", oid
);
name!(
    /// A Radicle patch (the id of its collaborative object).
    PatchId, "a patch", oid
);
name!(
    /// A revision of a Radicle patch.
    RevisionId, "a revision", oid
);
name!(
    /// A BLAKE3 hash, in hexadecimal: of a blob, a manifest, an event, a spec.
    Hash, "a hash", hash
);
name!(
    /// One attempt of an agent at a task, or one execution of another workload.
    RunId, "a run", ulid
);
name!(
    /// The address of a server: `https://headscale.example`, or with a port; nothing behind it.
    ServerUrl, "the address of a server", server_url
);
name!(
    /// The bounded right to run a workload on a device.
    LeaseId, "a lease", ulid
);

impl RunId {
    /// What lists show of it: its last eight letters, which differ first.
    pub fn short(&self) -> &str {
        self.0.get(self.0.len().saturating_sub(8)..).unwrap_or(&self.0)
    }
}

impl Hash {
    /// A hash from its 32 bytes; cannot fail.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

/// A task in its project: `demo/001-greeting/T001` in writing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct TaskRef {
    /// The project.
    pub project: ProjectName,
    /// The feature that the task belongs to; ids of tasks are unique only within it.
    pub feature: FeatureId,
    /// The task.
    pub task: TaskId,
}

impl fmt::Display for TaskRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.project, self.feature, self.task)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_person_wrote_ends_as_a_sentence_does() {
        let ended = ["It broke", "It broke. ", "Why?", "", "see T001 --device box"].map(as_sentence);
        assert_eq!(ended, ["It broke.", "It broke.", "Why?", "", "see T001 --device box."]);
    }

    #[test]
    fn names_are_checked_where_they_enter() {
        for good in ["demo", "a", "my-app.2", "x_1"] {
            assert!(good.parse::<ProjectName>().is_ok(), "{good}");
        }
        for bad in ["", "Demo", "../up", "a/b", "-x", "a..b", "con.", &"x".repeat(65)] {
            assert!(bad.parse::<ProjectName>().is_err(), "{bad}");
        }
        for (id, good) in [("T1", true), ("T001", true), ("T012a", true), ("T", false), ("X1", false), ("T001-2", false)] {
            assert_eq!(id.parse::<TaskId>().is_ok(), good, "{id}");
        }
        for bad in ["", "..", "a/b", ".hidden"] {
            assert!(bad.parse::<FeatureId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_key_is_called_by_its_name_but_in_paths_and_where_a_person_typed_it() {
        let text = "k1 wrote /data/k1/log for k1: there is no member “k1”.";
        assert_eq!(with_name(text, "k1", "ada"), "ada wrote /data/k1/log for ada: there is no member “k1”.");
        assert_eq!(with_name("nobody", "k1", "ada"), "nobody");
    }

    #[test]
    fn addresses_of_servers_have_a_scheme_and_a_host_and_nothing_else() {
        for good in ["http://10.99.0.1:8080", "https://hs.example", "https://hs.example/", "http://[fd7a::1]:8080", "https://[fd7a::1]"] {
            assert!(good.parse::<ServerUrl>().is_ok(), "{good}");
        }
        let bad = [
            "",
            "hs.example",
            "ftp://hs",
            "https://",
            "https://hs/x",
            "https://a@hs",
            "http://hs:0",
            "http://hs:x",
            "http://:80",
            "http://h s",
        ];
        for bad in bad {
            assert!(bad.parse::<ServerUrl>().is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_said_to_a_server_is_in_the_clear_over_plain_http_beyond_this_machine() {
        let table = [
            ("http://10.99.0.1:8080", true),
            ("http://hs.example/", true),
            ("http://localhost.example", true),
            ("http://[fd7a::1]:8080", true),
            ("http://[fd7a::1]", true),
            ("https://hs.example", false),
            ("http://127.0.0.1:8080/", false),
            ("http://127.9.9.9", false),
            ("http://[::1]:8080", false),
            ("http://[::1]", false),
            ("http://localhost:8080", false),
            ("http://hs.localhost", false),
        ];
        for (server, clear) in table {
            assert_eq!(server.parse().map(|url: ServerUrl| url.is_in_the_clear()).ok(), Some(clear), "{server}");
        }
    }

    #[test]
    fn a_refusal_quotes_without_control_characters() {
        let problem = "a\u{1b}[31m/b".parse::<ProjectName>().err().map(|p| p.to_string());
        assert!(problem.is_some_and(|p| !p.contains('\u{1b}')));
    }
}
