//! A patch's revisions: named by people, compared, and expected by who judged one.

use super::find;
use crate::{merge::reapply_ticks, org::Org, table::Context};
use domain::{
    Kind, Problem, ProjectName, RevisionId,
    patch::{Patch, Revision},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// From this many letters on a text is the beginning of an id; shorter ones are numbers.
const PART_MIN: usize = 4;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DiffInput {
    #[serde(default)]
    project: Option<ProjectName>,
    /// The patch; the beginning of its id, or its task's id, will do where only one fits.
    patch: String,
    /// Which revision: its number from 1, its id, or the beginning of it; the latest where nothing is said.
    #[serde(default)]
    revision: Option<String>,
    /// What changed since this earlier revision; since the commit that it began from where nothing is said.
    #[serde(default)]
    since: Option<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Diff {
    /// Unified.
    diff: String,
    /// The revision that is shown.
    revision: RevisionId,
    /// The revision that it is compared with.
    since: Option<RevisionId>,
    /// What is to be known about the comparison, where the two begin from different commits.
    note: Option<String>,
}

pub(super) async fn diff(context: Context, input: DiffInput) -> Result<Diff, Problem> {
    let diff = move |org: &Arc<Org>| {
        let (project, patch) = find(org, input.project.as_ref(), &input.patch)?;
        let shown = match &input.revision {
            Some(text) => named(&patch, text)?,
            None => patch.revisions.last().ok_or_else(none)?,
        };
        let Some(text) = &input.since else {
            let diff = org.forge.diff(&project.rid, &shown.base, &shown.head)?;
            return Ok(Diff { diff, revision: shown.id.clone(), since: None, note: None });
        };
        let since = named(&patch, text)?;
        let (diff, note) = compare(org, &project.rid, since, shown)?;
        Ok(Diff { diff, revision: shown.id.clone(), since: Some(since.id.clone()), note })
    };
    context.org()?.blocking(diff).await
}

/// What changed from one revision to another. Where the later one was made anew on a later state of the branch, the earlier is laid
/// on that state first, so that the branch's own changes are not among them.
fn compare(org: &Org, rid: &domain::Rid, since: &Revision, shown: &Revision) -> Result<(String, Option<String>), Problem> {
    if since.base == shown.base {
        return Ok((org.forge.diff(rid, &since.head, &shown.head)?, None));
    }
    if let Some(diff) = org.forge.diff_rebased(rid, (&since.base, &since.head), (&shown.base, &shown.head), &reapply_ticks)? {
        let note = "They begin from different commits: the earlier one is shown as it would be where the later one begins.";
        return Ok((diff, Some(note.into())));
    }
    let note = "They begin from different commits, and the earlier one conflicts where the later one begins: what changed on the branch in between is among this.";
    Ok((org.forge.diff(rid, &since.head, &shown.head)?, Some(note.into())))
}

/// The latest revision, if it is the one that is expected where somebody expects one.
///
/// # Errors
/// When a newer one has come.
pub(crate) fn newest<'p>(patch: &'p Patch, expected: Option<&str>) -> Result<&'p RevisionId, Problem> {
    let latest = &patch.revisions.last().ok_or_else(none)?.id;
    let Some(expected) = expected else { return Ok(latest) };
    let expected = named(patch, expected)?;
    if expected.id == *latest {
        return Ok(latest);
    }
    let (seen, now) = (number(patch, &expected.id), patch.revisions.len());
    Err(Problem::conflict(format!("Revision {now} has come since you looked at revision {seen}. Nothing was done."))
        .because("A verdict and a merge count for the latest revision.")
        .next(format!("Look at revision {now}, and say it again for that one.")))
}

fn number(patch: &Patch, id: &RevisionId) -> usize {
    patch.revisions.iter().position(|r| r.id == *id).map_or(0, |at| at + 1)
}

/// A revision by its number, its id, or the beginning of it.
fn named<'p>(patch: &'p Patch, text: &str) -> Result<&'p Revision, Problem> {
    let found: Vec<_> = match text.parse::<usize>() {
        Ok(number) if text.len() < PART_MIN => number.checked_sub(1).and_then(|at| patch.revisions.get(at)).into_iter().collect(),
        _ => patch.revisions.iter().filter(|r| text.len() >= PART_MIN && r.id.as_str().starts_with(text)).collect(),
    };
    match found.as_slice() {
        [one] => Ok(one),
        [] => Err(Problem::new(Kind::NotFound, format!("The patch {} has no revision “{}”.", patch.id, domain::shown(text)))
            .next(format!("It has {}: say a number from 1, or its id.", patch.revisions.len()))),
        _ => Err(Problem::invalid(format!("Several revisions fit “{}”.", domain::shown(text))).next("Give more of its id.")),
    }
}

fn none() -> Problem {
    Problem::internal("a patch without a revision")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use domain::patch::PatchState;

    fn patch(revisions: usize) -> Patch {
        let oid = |n: usize| format!("{n:040x}");
        let did: domain::Did = "did:key:z6MknSLrJoTcukLrE435hVNQT4JUhbvWLX4kUzqkEStBU8Vi".parse().unwrap();
        let revision = |n: usize| Revision {
            id: format!("{}{:036x}", ["aaaa", "bbbb", "bbcc"][n], n).parse().unwrap(),
            author: did.clone(),
            head: oid(n + 10).parse().unwrap(),
            base: oid(1).parse().unwrap(),
            at: domain::Timestamp(0),
            description: String::new(),
            reviews: vec![],
            comments: vec![],
        };
        Patch {
            id: oid(7).parse().unwrap(),
            project: "app".parse().unwrap(),
            title: "T001".into(),
            description: String::new(),
            state: PatchState::Open,
            author: did.clone(),
            head: oid(revisions + 9).parse().unwrap(),
            base: oid(1).parse().unwrap(),
            merged_as: None,
            merged_by: None,
            left_out: vec![],
            revisions: (0..revisions).map(revision).collect(),
            trace: None,
        }
    }

    #[test]
    fn a_revision_is_named_by_number_or_by_the_beginning_of_its_id() {
        let patch = patch(3);
        assert_eq!(named(&patch, "1").unwrap().id, patch.revisions[0].id);
        assert_eq!(named(&patch, "bbcc").unwrap().id, patch.revisions[2].id);
        assert_eq!(named(&patch, patch.revisions[1].id.as_str()).unwrap().id, patch.revisions[1].id);
        for unknown in ["0", "4", "bb", "", "cccc", "-1"] {
            assert_eq!(named(&patch, unknown).unwrap_err().kind, Kind::NotFound, "{unknown}");
        }
    }

    #[test]
    fn who_judged_an_earlier_revision_is_told_that_a_newer_one_has_come() {
        let patch = patch(2);
        assert_eq!(newest(&patch, None).unwrap(), &patch.revisions[1].id);
        assert_eq!(newest(&patch, Some("2")).unwrap(), &patch.revisions[1].id);
        let refused = newest(&patch, Some(patch.revisions[0].id.as_str())).unwrap_err();
        assert_eq!(refused.kind, Kind::Conflict);
        assert!(refused.what.contains("Revision 2 has come since you looked at revision 1"), "{refused}");
    }
}
