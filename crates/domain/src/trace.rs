//! The chain behind a piece of work: who made it, for whom, from which task, and how each link was checked.

use crate::{Did, Hash, Oid, ProjectName};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A chain, from the work to where it was asked for and to where it was merged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Chain {
    /// What was asked about, in words.
    pub about: String,
    /// The project.
    pub project: ProjectName,
    /// The links, in order.
    pub links: Vec<Link>,
    /// Whether every link is verified.
    pub verified: bool,
}

impl Chain {
    /// A chain of these links.
    pub fn new(about: String, project: ProjectName, links: Vec<Link>) -> Self {
        let verified = !links.is_empty() && links.iter().all(|link| link.verdict == Verdict::Verified);
        Self { about, project, links, verified }
    }
}

/// One link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Link {
    /// Which.
    pub step: Step,
    /// What it is: an id, a name.
    pub what: String,
    /// How it was checked; empty where it could not be.
    pub how: Vec<How>,
    /// What came out.
    pub verdict: Verdict,
}

/// Which link of a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// The commit, where no patch is known that brought it.
    Commit,
    /// The patch.
    Patch,
    /// The revision of the patch, and its commit.
    Revision,
    /// The run that made it, and the manifest that asked for it.
    Run,
    /// The run's key.
    Key,
    /// What lets that key act.
    Delegation,
    /// The agent.
    Agent,
    /// The member who asked.
    Member,
    /// The device that asked in their name.
    Device,
    /// The task.
    Task,
    /// The spec that it was done from.
    Spec,
    /// What the checks said about the commit.
    Checks,
    /// A review.
    Review,
    /// The merge into the default branch.
    Merge,
    /// What the checks said about the result of the merge.
    MergeChecks,
}

impl Step {
    /// In words.
    pub fn text(self) -> &'static str {
        match self {
            Self::Commit => "commit",
            Self::Patch => "patch",
            Self::Revision => "revision",
            Self::Run => "run",
            Self::Key => "key",
            Self::Delegation => "delegation",
            Self::Agent => "agent",
            Self::Member => "member",
            Self::Device => "device",
            Self::Task => "task",
            Self::Spec => "spec",
            Self::Checks => "checks",
            Self::Review => "review",
            Self::Merge => "merge",
            Self::MergeChecks => "merge checks",
        }
    }
}

/// What came of checking a link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    /// It holds.
    Verified,
    /// It does not.
    NotVerified {
        /// Why, in words.
        why: String,
    },
    /// This device has not what it takes to tell.
    Unknown {
        /// What is missing.
        why: String,
    },
}

impl Verdict {
    /// Verified, or the first of the things that speak against it.
    pub fn of(against: Option<String>) -> Self {
        against.map_or(Self::Verified, |why| Self::NotVerified { why })
    }

    /// In words.
    pub fn text(&self) -> String {
        match self {
            Self::Verified => "verified".to_owned(),
            Self::NotVerified { why } => format!("not verified: {why}"),
            Self::Unknown { why } => format!("unknown here: {why}"),
        }
    }
}

/// One way in which a link was checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "by", rename_all = "snake_case")]
pub enum How {
    /// A signature was verified.
    Signature {
        /// Of what.
        of: String,
        /// With this key.
        key: Did,
    },
    /// A hash was made anew and compared.
    Hash {
        /// Of what.
        of: String,
        /// It must be this.
        hash: Hash,
    },
    /// The org repository lists it.
    Listed {
        /// As what.
        file: String,
        /// At this commit of it.
        commit: Oid,
    },
    /// This device's journal says the same.
    Journal {
        /// The event's number.
        seq: u64,
        /// Its type.
        event: String,
    },
    /// Git says so.
    Git {
        /// What.
        says: String,
    },
}

impl How {
    /// In words.
    pub fn text(&self) -> String {
        match self {
            Self::Signature { of, key } => format!("{of} is signed by {}…", &key.as_str()[..22]),
            Self::Hash { of, hash } => format!("{of} hashes to {}…", &hash.as_str()[..12]),
            Self::Listed { file, commit } => format!("the org repository has {file} at {}", &commit.as_str()[..12]),
            Self::Journal { seq, event } => format!("journal {seq}: {event}"),
            Self::Git { says } => says.clone(),
        }
    }
}
