//! Files of policies, read and checked: each mistake with its file and line.

use crate::{
    ask::Answered,
    defaults::{self, BUILT_IN, FOLDER},
    limits,
    schema::Scheme,
};
use cedar_policy::{Policy, PolicyId, PolicySet, ValidationMode, Validator};
use domain::{Kind, Problem};
use miette::Diagnostic;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, HashSet},
    fmt,
    sync::Arc,
};

/// A mistake in a file of policies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Mistake {
    /// The file's path in the org repository.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, line {}: {}.", self.file, self.line, self.message.trim_end_matches('.'))
    }
}

/// The rules of an org, ready to be asked.
#[derive(Debug)]
pub struct Rules {
    pub(crate) scheme: Arc<Scheme>,
    pub(crate) built_in: Set,
    pub(crate) own: Set,
    pub(crate) answered: Answered,
    /// What stands between two quotes in them, and so every name that they speak of; none: there are escapes in them, with which a name
    /// may look like anything.
    quoted: Option<HashSet<String>>,
    /// What they were made of.
    files: BTreeMap<String, Vec<u8>>,
    /// What is wrong with the org's files. While there is something, only the built-in rules count: nothing is opened by a
    /// rule that was cut out of its whole, and owners can mend it.
    pub mistakes: Vec<Mistake>,
}

/// Policies, and where each stands.
#[derive(Debug, Default)]
pub(crate) struct Set {
    pub(crate) policies: PolicySet,
    pub(crate) told: BTreeMap<PolicyId, (String, String, Option<String>)>,
}

impl Rules {
    /// The rules that these files make; the defaults where there are none below `policy/`.
    ///
    /// # Errors
    /// When the built-in rules do not fit the table of actions.
    pub fn new(scheme: Arc<Scheme>, files: &BTreeMap<String, Vec<u8>>) -> Result<Self, Problem> {
        let broken = |found: Vec<Mistake>| Problem::internal(found.iter().map(Mistake::to_string).collect::<Vec<_>>().join(" "));
        let built_in = read(&scheme, [("built in", BUILT_IN.as_bytes())]).map_err(broken)?;
        let given: Vec<_> = of(files).collect();
        let (own, mistakes) = if given.is_empty() {
            let usual = defaults::files();
            let named: Vec<_> = usual.iter().map(|(path, text)| (format!("built in ({path})"), text.as_bytes())).collect();
            (read(&scheme, named.iter().map(|(path, text)| (path.as_str(), *text))).map_err(broken)?, vec![])
        } else {
            match read(&scheme, given) {
                Ok(own) => (own, vec![]),
                Err(mistakes) => (Set::default(), mistakes),
            }
        };
        let quoted = quoted(built_in.policies.policies().chain(own.policies.policies()));
        Ok(Self { scheme, built_in, own, answered: Answered::default(), quoted, files: files.clone(), mistakes })
    }

    /// Whether these files would make the same rules. Making them takes long beside comparing files.
    #[must_use]
    pub fn are_of(&self, files: &BTreeMap<String, Vec<u8>>) -> bool {
        self.files == *files
    }

    /// Whether a rule may speak of somebody or something by this name. What no rule names, rules tell apart by roles, owner, place and
    /// kind alone.
    #[must_use]
    pub fn names(&self, name: &str) -> bool {
        self.quoted.as_ref().is_none_or(|quoted| quoted.contains(name))
    }

    /// What is wrong with these files, each mistake with file and line; empty when all is in order.
    #[must_use]
    pub fn check(scheme: &Scheme, files: &BTreeMap<String, Vec<u8>>) -> Vec<Mistake> {
        read(scheme, of(files)).err().unwrap_or_default()
    }

    /// Refuses files that have mistakes.
    ///
    /// # Errors
    /// When there are any: with file and line.
    pub fn refuse(mistakes: &[Mistake]) -> Result<(), Problem> {
        if mistakes.is_empty() {
            return Ok(());
        }
        let words: Vec<_> = mistakes.iter().map(Mistake::to_string).collect();
        Err(Problem::new(Kind::Invalid, "The org's policy has mistakes.")
            .because(words.join(" "))
            .next("Mend these files, look with `meshwork policy check`, and try again."))
    }
}

/// See [`Rules::quoted`]. Cedar shows a policy as it was written, with its comments: a quote in these only adds what no rule names.
fn quoted<'a>(policies: impl Iterator<Item = &'a Policy>) -> Option<HashSet<String>> {
    let mut found = HashSet::new();
    for text in policies.map(Policy::to_string) {
        if text.contains('\\') {
            return None;
        }
        found.extend(text.split('"').map(str::to_owned));
    }
    Some(found)
}

/// The files of policies among others.
fn of(files: &BTreeMap<String, Vec<u8>>) -> impl Iterator<Item = (&str, &[u8])> {
    let ours = |path: &str| path.starts_with(FOLDER) && path.ends_with(".cedar");
    files.iter().filter(move |(path, _)| ours(path)).map(|(path, content)| (path.as_str(), content.as_slice()))
}

fn read<'a>(scheme: &Scheme, files: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Result<Set, Vec<Mistake>> {
    let (mut set, mut wrong) = (Set::default(), Vec::new());
    for (count, (file, content)) in files.into_iter().enumerate() {
        if count >= limits::FILES_MAX {
            wrong.push(mistake(file, 1, format!("an org has at most {} files of policies", limits::FILES_MAX)));
            break;
        }
        match one(scheme, file, content) {
            Ok(policies) => wrong.extend(policies.into_iter().filter_map(|policy| add(&mut set, file, content, policy).err())),
            Err(found) => wrong.extend(found),
        }
    }
    wrong.truncate(limits::MISTAKES_MAX);
    if wrong.is_empty() { Ok(set) } else { Err(wrong) }
}

/// The policies of one file, checked against the schema.
fn one(scheme: &Scheme, file: &str, content: &[u8]) -> Result<Vec<Policy>, Vec<Mistake>> {
    if content.len() > limits::FILE_BYTES_MAX {
        return Err(vec![mistake(file, 1, format!("it is larger than {} KiB", limits::FILE_BYTES_MAX >> 10))]);
    }
    let text = std::str::from_utf8(content)
        .map_err(|error| vec![mistake(file, line_at(content, error.valid_up_to()), "it is not Unicode".to_owned())])?;
    let set: PolicySet =
        text.parse().map_err(|errors: cedar_policy::ParseErrors| errors.iter().map(|e| placed(file, content, e)).collect::<Vec<_>>())?;
    if set.templates().next().is_some() {
        return Err(vec![mistake(file, 1, "it has a template (?principal or ?resource), which nothing fills in".to_owned())]);
    }
    let checked = Validator::new(scheme.schema.clone()).validate(&set, ValidationMode::Strict);
    let wrong: Vec<_> = checked.validation_errors().map(|error| placed(file, content, error)).collect();
    if wrong.is_empty() { Ok(set.policies().cloned().collect()) } else { Err(wrong) }
}

/// Takes a policy in under its file and its `@id`.
fn add(set: &mut Set, file: &str, content: &[u8], policy: Policy) -> Result<(), Mistake> {
    let id = policy.annotation("id").map_or_else(|| policy.id().to_string(), str::to_owned);
    let says = policy.annotation("says").map(str::to_owned);
    let unique = PolicyId::new(format!("{file}#{id}"));
    let twice = format!("there are two policies with the id “{}”", domain::shown(&id));
    let line = policy.annotation("id").and_then(|_| std::str::from_utf8(content).ok()?.rfind(&format!("\"{id}\"")));
    set.policies.add(policy.new_id(unique.clone())).map_err(|_| mistake(file, line.map_or(1, |at| line_at(content, at)), twice))?;
    set.told.insert(unique, (file.to_owned(), id, says));
    Ok(())
}

fn placed(file: &str, content: &[u8], error: &(impl Diagnostic + fmt::Display)) -> Mistake {
    let at = error.labels().and_then(|mut labels| labels.next()).map_or(0, |label| label.offset());
    let help = error.help().map(|help| format!(" ({help})")).unwrap_or_default();
    mistake(file, line_at(content, at), format!("{error}{help}"))
}

fn mistake(file: &str, line: usize, message: String) -> Mistake {
    Mistake { file: file.to_owned(), line, message: domain::shown(&message) }
}

fn line_at(content: &[u8], at: usize) -> usize {
    content.iter().take(at).filter(|byte| **byte == b'\n').count() + 1
}
