//! The merge gate: whether a patch may be merged, and what is missing.
//!
//! An approval is a signed accept of the latest revision by a member who may review and did not make that revision. A run
//! signs its work with a key of its own, so the member for whom it worked may approve it, and so may the one who merges: in
//! an org of one person nobody else could. Each member counts once, whatever keys they sign with; so a project that wants
//! a second person says `approvals = 2`.

use crate::{
    Did, PatchId, RevisionId, RunId, TaskRef,
    patch::{Patch, PatchState, Verdict},
    run::CheckResult,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What is missing before a patch may be merged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum Missing {
    /// It is not open.
    NotOpen {
        /// Its state.
        state: PatchState,
    },
    /// It stands on work that is not in the default branch yet, and would bring it along.
    Unmerged,
    /// Approvals are missing.
    Approvals {
        /// How many there are.
        have: u32,
        /// How many are needed.
        need: u32,
    },
    /// Somebody asked for changes.
    ChangesRequested {
        /// Who.
        by: Did,
    },
    /// Somebody's newest words do not count: they may have asked for changes.
    LeftOut {
        /// Who: a member's key, or a device's.
        by: Did,
    },
    /// The counting checks did not run on the merge's result.
    ChecksMissing,
    /// A check failed.
    CheckFailed {
        /// Which.
        name: String,
        /// The run whose log has its output, where that is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        run: Option<RunId>,
    },
    /// Another patch of its task was accepted.
    Accepted {
        /// The task.
        task: TaskRef,
        /// The patch that was accepted.
        patch: PatchId,
    },
    /// Its task is ticked on the default branch, which it did not do.
    Ticked {
        /// The task.
        task: TaskRef,
    },
    /// Another device took its task over: patches of the task are accepted for that one's claim.
    TakenOver {
        /// The task.
        task: TaskRef,
        /// The device.
        by: Did,
    },
    /// Nobody whose work is taken made its latest revision.
    MadeBy {
        /// By whom it was made, to go on after “Its latest revision”.
        whom: String,
    },
}

/// What is to be done with a patch that nobody made whose work is taken.
pub const PROPOSE_ANEW: &str = "Have a member look at it and propose it in their own name; or close it, and run its task again.";

impl Missing {
    /// Where its task is another's by now, so that nothing that is done to the patch opens its gate: what happened, and the way out. That
    /// calls the patch `<patch>`.
    pub fn settled(&self) -> Option<(String, String)> {
        let close = "Close this one: meshwork patch close <patch>. What is still to be done is a task of its own: meshwork task add.";
        match self {
            Self::Accepted { task, patch } => Some((
                format!("{} is done already: its patch {patch} was accepted, and one is all that a task gets.", task.task),
                close.into(),
            )),
            Self::Ticked { task } => {
                Some((format!("{} is ticked on the default branch already, and not by this patch.", task.task), close.into()))
            }
            Self::TakenOver { task, by } => Some((
                format!(
                    "{} was taken over by {by}: a patch of it is accepted for that device's claim, and this one is a rival.",
                    task.task
                ),
                format!(
                    "Judge that device's patch (meshwork task show {0}), or take the task back on the device that made this one: meshwork task takeover {0}.",
                    task.task
                ),
            )),
            _ => None,
        }
    }

    /// In words for a person, with what to do.
    pub fn text(&self) -> String {
        match self {
            Self::NotOpen { state } => format!("The patch is {state:?}, not open."),
            Self::Unmerged => {
                "The patch stands on work that is not merged yet: merge that first, or close this one and run its task again.".into()
            }
            Self::Approvals { have, need } => {
                format!("It has {have} of {need} approvals: `meshwork patch review <patch> --accept` gives one.")
            }
            Self::ChangesRequested { by } => {
                format!("{by} asked for changes: run the task again for a new revision, or have the review changed.")
            }
            Self::LeftOut { by } => format!(
                "{by} said something that does not count any more since two lines of a key were joined: they have to say it again, or \
                 comment, on the device where they said it (what a device itself said: close the patch there, and open it again). If that \
                 device is gone, an owner removes it; a new revision of the patch opens the gate too."
            ),
            Self::ChecksMissing => "The checks have not run on the result of the merge.".into(),
            Self::CheckFailed { name, run } => {
                let log = match run {
                    Some(run) => format!("`meshwork run logs {}` has its output.", run.short()),
                    None => "`meshwork run list --all` names the run that checked it, and `meshwork run logs <run>` has its output.".into(),
                };
                format!(
                    "The check “{name}” failed: {log} Where a tool or a package is missing: the sandbox has no network; the guide's part on toolchains and packages says how they get in."
                )
            }
            Self::MadeBy { whom } => format!("Its latest revision {whom} {PROPOSE_ANEW}"),
            Self::Accepted { .. } | Self::Ticked { .. } | Self::TakenOver { .. } => {
                self.settled().map(|(what, next)| format!("{what} {next}")).unwrap_or_default()
            }
        }
    }
}

/// Everything that is missing; empty when the patch may be merged. Only reviews of the latest revision count, each
/// person's last one, and never the author's own.
pub fn missing(patch: &Patch, approvals_needed: u32, checks: Option<&[CheckResult]>) -> Vec<Missing> {
    let mut found = Vec::new();
    if patch.state != PatchState::Open {
        found.push(Missing::NotOpen { state: patch.state });
    }
    let verdicts = verdicts(patch);
    found.extend(verdicts.iter().filter(|(_, v)| **v == Verdict::Reject).map(|(by, _)| Missing::ChangesRequested { by: (*by).clone() }));
    found.extend(patch.left_out.iter().map(|by| Missing::LeftOut { by: by.clone() }));
    let accepts = verdicts.values().filter(|v| **v == Verdict::Accept).count();
    let have = u32::try_from(accepts).unwrap_or(u32::MAX);
    if have < approvals_needed {
        found.push(Missing::Approvals { have, need: approvals_needed });
    }
    match checks {
        None => found.push(Missing::ChecksMissing),
        Some(results) => {
            found.extend(results.iter().filter(|c| !c.passed).map(|c| Missing::CheckFailed { name: c.name.clone(), run: None }))
        }
    }
    found
}

/// Where a patch stands: one word for it, wherever patches are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PatchStanding {
    /// Not yet ready.
    Draft,
    /// Approvals are missing.
    ToReview,
    /// Somebody asked for changes.
    ChangesRequested,
    /// It needs no further review to be judged by its checks, and one failed.
    ChecksFailed,
    /// It has the approvals that it needs, and something else shuts its gate.
    GateShut,
    /// Nothing is missing.
    ToMerge,
    /// In the default branch.
    Merged,
    /// Closed without merging.
    Closed,
}

impl PatchStanding {
    /// The word.
    pub fn label(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::ToReview => "to review",
            Self::ChangesRequested => "changes requested",
            Self::ChecksFailed => "checks failed",
            Self::GateShut => "gate shut",
            Self::ToMerge => "to merge",
            Self::Merged => "merged",
            Self::Closed => "closed",
        }
    }

    /// What an open patch waits for, to go on after “a patch”.
    pub fn waits(self) -> &'static str {
        match self {
            Self::ToMerge => "can be merged",
            Self::ChecksFailed => "cannot be merged, since its checks failed",
            Self::GateShut => "cannot be merged, since its gate is shut",
            _ => "waits for a review",
        }
    }
}

/// Where a patch stands, by the reviews that count and what is missing. Where it needs approvals, it is to be reviewed until somebody
/// accepts it, whatever else is missing.
pub fn standing(patch: &Patch, missing: &[Missing]) -> PatchStanding {
    match patch.state {
        PatchState::Draft => return PatchStanding::Draft,
        PatchState::Archived => return PatchStanding::Closed,
        PatchState::Merged => return PatchStanding::Merged,
        PatchState::Open => {}
    }
    let verdicts = verdicts(patch);
    let said = |verdict| verdicts.values().any(|one| *one == verdict);
    let lacks = |of: fn(&Missing) -> bool| missing.iter().any(of);
    let unapproved = lacks(|one| matches!(one, Missing::Approvals { .. }));
    if said(Verdict::Reject) {
        PatchStanding::ChangesRequested
    } else if unapproved && !said(Verdict::Accept) {
        PatchStanding::ToReview
    } else if lacks(|one| matches!(one, Missing::CheckFailed { .. })) {
        PatchStanding::ChecksFailed
    } else if unapproved {
        PatchStanding::ToReview
    } else if missing.is_empty() {
        PatchStanding::ToMerge
    } else {
        PatchStanding::GateShut
    }
}

/// Why a gate is open, in words: who approved, and which checks passed; none: what they say is not known here.
pub fn met(patch: &Patch, approvals_needed: u32, checks: Option<&[CheckResult]>) -> String {
    let by: Vec<_> = approved_by(patch).map(Did::as_str).collect();
    let approved = match (by.as_slice(), approvals_needed) {
        ([], _) => "no approval is needed".to_owned(),
        (_, 0) => format!("approved by {} (none needed)", by.join(", ")),
        (_, need) => format!("approved by {} ({} of {need} needed)", by.join(", "), by.len()),
    };
    let checked = match checks {
        None => "its checks run when it is merged, and what they said before is not known here".to_owned(),
        Some([]) => "the project has no checks".to_owned(),
        Some(all) => format!("{} passed", all.iter().map(|c| format!("“{}”", c.name)).collect::<Vec<_>>().join(", ")),
    };
    format!("{approved}; {checked}")
}

/// Who accepted the latest revision.
pub fn approved_by(patch: &Patch) -> impl Iterator<Item = &Did> {
    verdicts(patch).into_iter().filter(|(_, verdict)| *verdict == Verdict::Accept).map(|(by, _)| by)
}

/// The verdict of each reviewer of the latest revision.
pub fn verdicts(patch: &Patch) -> BTreeMap<&Did, Verdict> {
    let Some(latest) = patch.revisions.last() else { return BTreeMap::new() };
    let given = latest.reviews.iter().filter(|r| r.by != latest.author);
    given.filter_map(|r| r.verdict.map(|v| (&r.by, v))).collect()
}

/// The latest revision's id.
pub fn latest(patch: &Patch) -> Option<&RevisionId> {
    patch.revisions.last().map(|r| &r.id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::patch::{Review, Revision};
    use crate::{Timestamp, placement::tests::did};

    fn patch(reviews: Vec<(u8, Verdict)>) -> Patch {
        let oid = |c: &str| c.repeat(40).parse::<crate::Oid>().unwrap_or_else(|p| unreachable!("{p}"));
        let review =
            |(by, verdict)| Review { by: did(by), verdict: Some(verdict), summary: String::new(), at: Timestamp(0), comments: vec![] };
        let revision = Revision {
            id: "b".repeat(40).parse().unwrap_or_else(|p: crate::Problem| unreachable!("{p}")),
            author: did(9),
            head: oid("c"),
            base: oid("d"),
            at: Timestamp(0),
            description: String::new(),
            reviews: reviews.into_iter().map(review).collect(),
            comments: vec![],
        };
        Patch {
            id: "b".repeat(40).parse().unwrap_or_else(|p: crate::Problem| unreachable!("{p}")),
            project: "demo".parse().unwrap_or_else(|p: crate::Problem| unreachable!("{p}")),
            title: String::new(),
            description: String::new(),
            state: PatchState::Open,
            author: did(9),
            head: oid("c"),
            base: oid("d"),
            merged_as: None,
            merged_by: None,
            left_out: vec![],
            revisions: vec![revision],
            trace: None,
        }
    }

    #[test]
    fn a_patch_is_merged_when_people_approved_and_checks_are_green() {
        let green = [CheckResult { name: "t".into(), passed: true, exit_code: Some(0), duration_ms: 1, tail: String::new() }];
        let red = [CheckResult { passed: false, ..green[0].clone() }];
        assert_eq!(missing(&patch(vec![(1, Verdict::Accept)]), 1, Some(&green)), []);
        assert_eq!(missing(&patch(vec![]), 0, Some(&[])), []);
        assert!(matches!(
            missing(&patch(vec![(9, Verdict::Accept)]), 1, Some(&green)).as_slice(),
            [Missing::Approvals { have: 0, need: 1 }]
        ));
        assert!(matches!(missing(&patch(vec![(1, Verdict::Reject), (1, Verdict::Accept)]), 1, Some(&green)).as_slice(), []));
        assert!(matches!(missing(&patch(vec![(1, Verdict::Reject)]), 0, Some(&green)).as_slice(), [Missing::ChangesRequested { .. }]));
        assert!(matches!(missing(&patch(vec![]), 0, Some(&red)).as_slice(), [Missing::CheckFailed { .. }]));
        let failed = Missing::CheckFailed { name: "tests".into(), run: "01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().ok() };
        assert!(failed.text().contains("`meshwork run logs Q69G5FAV` has its output"), "{}", failed.text());
        assert!(matches!(missing(&patch(vec![]), 0, None).as_slice(), [Missing::ChecksMissing]));
    }

    #[test]
    fn an_accepted_patch_is_to_be_merged_only_where_nothing_is_missing() {
        let accepted = patch(vec![(1, Verdict::Accept)]);
        let failed = Missing::CheckFailed { name: "t".into(), run: None };
        let second = Missing::Approvals { have: 1, need: 2 };
        let first = Missing::Approvals { have: 0, need: 1 };
        assert_eq!(standing(&patch(vec![]), &[first.clone(), failed.clone()]), PatchStanding::ToReview);
        assert_eq!(standing(&patch(vec![(9, Verdict::Accept)]), &[first]), PatchStanding::ToReview, "its author's own word");
        assert_eq!(standing(&accepted, &[]), PatchStanding::ToMerge);
        assert_eq!(standing(&accepted, &[second.clone(), failed]), PatchStanding::ChecksFailed);
        assert_eq!(standing(&accepted, &[second]), PatchStanding::ToReview);
        let by_nobody = Missing::MadeBy { whom: "was made by a key of nobody.".into() };
        for shuts in [Missing::Unmerged, by_nobody] {
            assert_eq!(standing(&accepted, &[shuts]), PatchStanding::GateShut);
        }
        let refused = patch(vec![(1, Verdict::Accept), (2, Verdict::Reject)]);
        assert_eq!(standing(&refused, &[]), PatchStanding::ChangesRequested);
        assert_eq!(standing(&Patch { state: PatchState::Archived, ..refused }, &[]), PatchStanding::Closed);
    }

    #[test]
    fn a_gate_is_shut_while_what_somebody_said_does_not_count() {
        let accepted = patch(vec![(1, Verdict::Accept)]);
        let silenced = Patch { left_out: vec![did(3)], ..accepted.clone() };
        let missing = |patch: &Patch| missing(patch, 1, Some(&[]));
        assert_eq!(missing(&silenced), [Missing::LeftOut { by: did(3) }]);
        assert_eq!(standing(&silenced, &missing(&silenced)), PatchStanding::GateShut);
        let words = missing(&silenced)[0].text();
        assert!(words.starts_with(did(3).as_str()) && words.contains("say it again") && words.contains("removes it"), "{words}");
        assert_eq!(standing(&accepted, &missing(&accepted)), PatchStanding::ToMerge);
    }

    #[test]
    fn where_no_approval_is_needed_nothing_waits_for_a_review() {
        let stands = |missing: &[Missing]| standing(&patch(vec![]), missing);
        assert_eq!(stands(&missing(&patch(vec![]), 0, Some(&[]))), PatchStanding::ToMerge);
        assert_eq!(stands(&[Missing::CheckFailed { name: "t".into(), run: None }]), PatchStanding::ChecksFailed);
        assert_eq!(stands(&[Missing::Unmerged]), PatchStanding::GateShut);
        assert_eq!(stands(&missing(&patch(vec![]), 1, Some(&[]))), PatchStanding::ToReview);
        for standing in [PatchStanding::ToMerge, PatchStanding::ChecksFailed, PatchStanding::GateShut] {
            assert!(!standing.waits().contains("review") && !standing.waits().contains("accepted"), "{}", standing.waits());
        }
    }

    #[test]
    fn an_open_gate_tells_checks_that_are_not_known_from_none() {
        let green = [CheckResult { name: "t".into(), passed: true, exit_code: Some(0), duration_ms: 1, tail: String::new() }];
        assert_eq!(met(&patch(vec![]), 0, Some(&green)), "no approval is needed; “t” passed");
        assert_eq!(met(&patch(vec![]), 0, Some(&[])), "no approval is needed; the project has no checks");
        let unknown = met(&patch(vec![]), 0, None);
        assert!(unknown.contains("its checks run when it is merged") && !unknown.contains("has no checks"), "{unknown}");
    }
}
