//! How a revision was merged; and the results of the checks on the merge, which travel as a comment of the member who
//! merged, because the patch itself was written before.

use super::evidence::Merge;
use crate::{merge::reapply_ticks, org::Org, provenance, tasks};
use domain::{
    Oid, Problem, RevisionId,
    patch::{Judged, Patch, Revision},
    project::Project,
};
use forge::PatchEntry;

const OPEN: &str = "```meshwork-judged\n";
const CLOSE: &str = "\n```";

/// Writes the results of the checks on a merge into the patch. Those on the work itself are there already.
pub(crate) fn carry_checks(org: &Org, project: &Project, patch: &Patch, revision: &RevisionId, commit: &Oid) {
    if patch.head == *commit {
        return;
    }
    let written = provenance::judged_commit(org, commit).and_then(|judged| {
        let Some(judged) = judged else { return Ok(()) };
        let json = serde_json::to_string_pretty(&judged).map_err(Problem::internal)?;
        let text = format!("The checks passed on the result of the merge, {commit}.\n\n{OPEN}{json}{CLOSE}\n");
        org.forge.comment(&project.rid, &patch.id, revision, &text, None).map(drop)
    });
    if let Err(problem) = written {
        tracing::warn!(patch = %patch.id, %problem, "the results of the merge's checks could not be written into the patch");
    }
}

/// The results that a comment carries.
fn read_comment(body: &str) -> Option<Judged> {
    let (_, json) = body.split_once(OPEN)?;
    serde_json::from_str(json.split_once(CLOSE)?.0).ok()
}

pub(super) fn read(
    org: &Org,
    project: &Project,
    patch: &Patch,
    revision: &Revision,
    entries: &[PatchEntry],
) -> Result<Option<Merge>, Problem> {
    let rid = &project.rid;
    let head = org.forge.head(rid)?;
    let mut said = Vec::new();
    for entry in entries.iter().filter(|entry| entry.does("merge", "revision", revision.id.as_str())) {
        let commit = entry.actions.iter().find(|a| a["type"] == "merge").and_then(|a| a["commit"].as_str()?.parse::<Oid>().ok());
        if let Some(commit) = commit.filter(|commit| org.forge.has_commit(rid, commit).unwrap_or(false)) {
            said.push((org.forge.contains(rid, &head, &commit)?, entry.fits, entry.clone(), commit));
        }
    }
    // Of several the one counts that is in the branch, and signed.
    let Some((in_branch, _, entry, commit)) = said.into_iter().max_by_key(|(there, fits, ..)| (*there, *fits)) else { return Ok(None) };
    let commit = org.forge.commit_proof(rid, &commit)?;
    let itself = commit.id == revision.head;
    let onto = commit.parents.first().filter(|_| commit.parents.len() == 2 && commit.parents[1] == revision.head);
    let same_tree = onto.map(|onto| {
        let made = org.forge.merged_tree(rid, onto, &revision.head, &reapply_ticks)?;
        Ok::<_, Problem>(made == Some(org.forge.tree(rid, &commit.id)?))
    });
    let (vouchers, threshold) = org.forge.vouchers(rid, &commit.id)?;
    let settled = org.forge.files(rid, onto.unwrap_or(&revision.base), &[".meshwork/"])?;
    let approvals = tasks::settings(&settled)?.approvals;
    let rules =
        provenance::rules_changed(org, project, &Patch { head: revision.head.clone(), base: revision.base.clone(), ..patch.clone() })?;
    let judged = match itself {
        true => vec![],
        false => {
            let told = revision.comments.iter().filter_map(|comment| read_comment(&comment.body));
            provenance::judged_commit(org, &commit.id)?.into_iter().chain(told).collect()
        }
    };
    Ok(Some(Merge {
        brings: itself || onto.is_some(),
        same_tree: same_tree.transpose()?,
        in_branch,
        entry,
        vouchers,
        threshold,
        approvals: if rules.is_empty() { approvals } else { approvals.max(1) },
        judged,
        commit,
    }))
}
