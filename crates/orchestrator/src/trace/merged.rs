//! How a revision was merged; and what travels as comments, because the patch itself was written before: the results of the checks on
//! the merge, and, where a gate merged, the wish of the member who asked for it.

use super::evidence::{Gate, Merge};
use crate::{merge::reapply_ticks, org::Org, provenance, tasks};
use domain::{
    Did, Oid, OrgName, Problem, RevisionId,
    merge::{MergeWish, PAYLOAD_TYPE},
    patch::{Judged, Patch, Revision},
    project::Project,
};
use forge::{OrgState, PatchEntry};
use identity::{Envelope, envelope};

const WISH_OPEN: &str = "```meshwork-merge\n";
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

/// Writes into a patch who asked the gate to merge it, as they signed it; of several gates one writes it.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn carry_wish(org: &Org, project: &Project, patch: &Patch, revision: &RevisionId, wish: &Envelope) -> Result<(), Problem> {
    if patch.revisions.iter().filter(|one| one.id == *revision).flat_map(wishes).any(|carried| carried == *wish) {
        return Ok(());
    }
    let json = serde_json::to_string_pretty(wish).map_err(Problem::internal)?;
    let text = format!("A member asks the gate to merge this.\n\n{WISH_OPEN}{json}{CLOSE}\n");
    org.forge.comment(&project.rid, &patch.id, revision, &text, None).map(drop)
}

/// The signed wishes to merge that a revision's comments carry; nothing of them is verified.
fn wishes(revision: &Revision) -> impl Iterator<Item = Envelope> {
    revision.comments.iter().filter_map(|comment| {
        let (_, json) = comment.body.split_once(WISH_OPEN)?;
        Envelope::from_json(json.split_once(CLOSE)?.0.as_bytes()).ok()
    })
}

/// Who signed a wish, if it is for this revision.
pub(super) fn signer(wish: &Envelope, org: &OrgName, patch: &Patch, revision: &RevisionId) -> Option<Did> {
    let (wish, by) = envelope::open::<MergeWish>(wish, PAYLOAD_TYPE, |_| true).ok()?;
    let fits = wish.org == *org && wish.project == patch.project && wish.patch == patch.id && wish.revision == *revision;
    fits.then_some(by)
}

/// The member who asked a gate to merge a patch, by what they signed.
pub(crate) fn asked_by(state: &OrgState, patch: &Patch) -> Option<Did> {
    let asked = |revision: &Revision| -> Vec<Did> {
        wishes(revision).filter_map(|wish| signer(&wish, &state.org.name, patch, &revision.id)).collect()
    };
    patch.revisions.iter().rev().flat_map(asked).find(|by| state.member_of(by).is_some())
}

/// The gate that made an entry of a patch: listed as the project's at that time, or now.
fn gate(org: &Org, project: &Project, revision: &Revision, entry: &PatchEntry) -> Result<Option<Gate>, Problem> {
    let then = org.forge.org_state_then(&org.rid, entry.at).ok();
    let lists = |state: &OrgState| {
        let listed = state.projects.values().find(|p| p.rid == project.rid && p.gates.contains(&entry.by))?;
        Some((format!("projects/{}.toml", listed.name), state.commit.clone()))
    };
    let found = then.iter().chain([&org.state()?]).find_map(lists);
    Ok(found.map(|(file, commit)| Gate { file, commit, wishes: wishes(revision).collect() }))
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
    let gate = gate(org, project, revision, &entry)?;
    Ok(Some(Merge {
        brings: itself || onto.is_some(),
        same_tree: same_tree.transpose()?,
        in_branch,
        entry,
        vouchers,
        threshold,
        approvals: approvals.max(u32::from(!rules.is_empty() || gate.is_some())),
        judged,
        gate,
        commit,
    }))
}
