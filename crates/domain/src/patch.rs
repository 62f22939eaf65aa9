//! Patches and reviews as people see them. The truth is Radicle's; these are copies for lists and decisions.

use crate::{Did, Oid, PatchId, ProjectName, RevisionId, RunId, TaskRef, Timestamp, run::CheckResult};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The state of a patch, as Radicle says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PatchState {
    /// Not yet ready.
    Draft,
    /// Waits for judgement.
    Open,
    /// Closed without merging.
    Archived,
    /// In the default branch.
    Merged,
}

/// A verdict of a review.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Fit to be merged.
    Accept,
    /// Changes are requested.
    Reject,
    /// Only remarks.
    Comment,
}

/// What travels with every patch that a run opens: who did it, for which task, from which spec, and what the checks said.
/// It lies in the patch's description as a fenced block, so that any Radicle tool carries it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Trace {
    /// The trace's format.
    pub version: u16,
    /// The run that made the revision.
    pub run: RunId,
    /// The agent.
    pub agent: crate::AgentName,
    /// The engine behind it, with its version where known.
    pub engine: String,
    /// The member it acted for.
    pub member: Did,
    /// The task.
    pub task: TaskRef,
    /// Hash of the spec that it worked from.
    pub spec_hash: crate::Hash,
    /// The commit of the canonical branch where that spec stood.
    pub definitions: Oid,
    /// The manifest's hash.
    pub manifest: crate::Hash,
    /// The signed manifest, a DSSE envelope: what was asked, for which spec, by which device.
    pub asked: serde_json::Value,
    /// The signed delegation of the run's key, a DSSE envelope.
    pub delegation: serde_json::Value,
    /// The results of the checks as their own run signed them; none where it did not come to an end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub judged: Option<Judged>,
    /// What the checks said about exactly this commit.
    pub checks: Vec<CheckResult>,
}

/// Signed results of checks, with what lets anyone verify them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Judged {
    /// The signed delegation of the `ci` run's key, a DSSE envelope.
    pub delegation: serde_json::Value,
    /// The signed results, a DSSE envelope.
    pub results: serde_json::Value,
}

/// A patch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Patch {
    /// Its id.
    pub id: PatchId,
    /// The project.
    pub project: ProjectName,
    /// Its title.
    pub title: String,
    /// The latest description, without the trace.
    pub description: String,
    /// Its state.
    pub state: PatchState,
    /// The key that opened it.
    pub author: Did,
    /// The commit that it would bring.
    pub head: Oid,
    /// The commit that it began from.
    pub base: Oid,
    /// The commit on the default branch by which it was merged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merged_as: Option<Oid>,
    /// Whose key marked it as merged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merged_by: Option<Did>,
    /// Whose newest words in it do not count, though they were said in knowledge of its latest revision: keys.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<Did>,
    /// Its revisions, oldest first.
    pub revisions: Vec<Revision>,
    /// The trace of the latest revision, where a run made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<Trace>,
}

/// One revision of a patch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Revision {
    /// Its id.
    pub id: RevisionId,
    /// The key that made it.
    pub author: Did,
    /// Its commit.
    pub head: Oid,
    /// The commit that it began from.
    pub base: Oid,
    /// When.
    pub at: Timestamp,
    /// Its description.
    pub description: String,
    /// Reviews of it.
    pub reviews: Vec<Review>,
    /// Comments on it, those on lines among them.
    pub comments: Vec<Comment>,
}

/// A review of a revision.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Review {
    /// Who.
    pub by: Did,
    /// What they say; none where they gave neither a verdict nor words.
    pub verdict: Option<Verdict>,
    /// In words.
    pub summary: String,
    /// When.
    pub at: Timestamp,
    /// Comments that were written into the review itself, with other tools: Meshwork's, on lines too, are the revision's.
    pub comments: Vec<Comment>,
}

/// A comment, perhaps on a line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Comment {
    /// Its id.
    pub id: Oid,
    /// The comment that it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<Oid>,
    /// Who.
    pub by: Did,
    /// Text.
    pub body: String,
    /// When.
    pub at: Timestamp,
    /// Where, if on a line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<LineRef>,
}

impl Comment {
    /// What it says to people: without the blocks in it that machines read, as results of checks.
    pub fn words(&self) -> String {
        let (mut words, mut rest) = (String::new(), self.body.as_str());
        while let Some((before, block)) = rest.split_once("```meshwork-") {
            let Some((_, after)) = block.split_once("\n```") else { break };
            words.push_str(before);
            rest = after;
        }
        words.push_str(rest);
        words.trim().to_owned()
    }
}

/// A line of a file in a diff.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LineRef {
    /// The file, from the repository's root.
    pub path: String,
    /// The line, from 1.
    pub line: u32,
    /// Which side of the diff.
    pub side: Side,
}

/// A side of a diff.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// The file as it was.
    Old,
    /// The file as the patch makes it.
    #[default]
    New,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_words_of_a_comment_are_without_what_machines_read() {
        let words = |body: &str| {
            let (id, by) = ("a".repeat(40).parse().unwrap(), format!("did:key:z6Mk{}", "a".repeat(44)).parse().unwrap());
            Comment { id, reply_to: None, by, body: body.to_owned(), at: Timestamp(0), line: None }.words()
        };
        assert_eq!(words("The checks passed.\n\n```meshwork-judged\n{\n  \"a\": 1\n}\n```\n"), "The checks passed.");
        assert_eq!(words("One.\n```meshwork-merge\n{}\n```\nTwo."), "One.\n\nTwo.");
        for whole in ["Use ```sh\nls\n```", "```meshwork-judged without an end"] {
            assert_eq!(words(whole), whole);
        }
    }
}
