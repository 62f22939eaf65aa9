//! The merge of a chain: who signed it, that it brings just the work, and what its checks said.

use super::super::{
    evidence::{Evidence, Gate, Merge, Published},
    merged::signer,
};
use super::{Case, judge, outcome, short, signed};
use domain::trace::{How, Link, Step, Verdict};

pub(super) fn merged(e: &Evidence, published: &Published, merge: &Merge) -> Vec<Link> {
    let mut case = Case::default();
    signed(&mut case, Some(&merge.entry), "the merge");
    let name = match &merge.gate {
        Some(gate) => by_gate(e, &mut case, published, gate),
        None => case.listed(e.member(&merge.entry.by, "patch.merge", &published.about())).unwrap_or_else(|| merge.entry.by.to_string()),
    };
    let id = short(merge.commit.id.as_str());
    case.check(merge.in_branch, "the default branch does not have it");
    case.check(merge.brings, "it is neither the work itself nor a merge of just this work with the branch before");
    match merge.same_tree {
        Some(same) => {
            case.check(same, "merging gives other files: something was changed in the merge itself");
            case.by(same.then(|| How::Git { says: "the merge made anew, ticks too, gives the same files".into() }));
        }
        None => case.by([How::Git { says: "it is the revision's commit itself".into() }]),
    }
    let count = merge.vouchers.len();
    case.check(count >= merge.threshold, format!("{count} of {} delegates' signed branches have it", merge.threshold));
    case.by(merge.vouchers.iter().map(|v| How::Signature { of: "a branch that has it".into(), key: v.by.clone() }));
    case.by(e.journal("patch_merged"));
    let mut links = vec![case.link(Step::Merge, format!("{id} by {name}"))];
    if merge.commit.id != published.revision.head {
        links.push(merge_checks(e, merge));
    }
    links
}

/// A gate merges for a member who may, and signed that they want it; says who.
fn by_gate(e: &Evidence, case: &mut Case, published: &Published, gate: &Gate) -> String {
    case.by([How::Listed { file: gate.file.clone(), commit: gate.commit.clone() }]);
    let signers = gate.wishes.iter().filter_map(|wish| signer(wish, &e.org, &published.patch, &published.revision.id));
    let mut asked: Vec<_> = signers.map(|by| (e.member(&by, "patch.merge", &published.about()), by)).collect();
    asked.sort_by_key(|(member, _)| member.is_err());
    let Some((member, by)) = asked.into_iter().next() else {
        case.check(false, "no member signed that they want it merged");
        return "nobody who is known".to_owned();
    };
    case.by([How::Signature { of: "the wish to merge".into(), key: by.clone() }]);
    case.listed(member).unwrap_or_else(|| by.to_string())
}

/// Several devices may have checked the same commit, each for itself, as gates do. Whoever found a check red did not sign by that. So one
/// result counts, on whichever device one looks: the first that is green and holds, else the first.
fn merge_checks(e: &Evidence, merge: &Merge) -> Link {
    let (mut against, mut failed) = (None, None);
    for judged in &merge.judged {
        let mut case = Case::default();
        match judge(e, &mut case, judged, &merge.commit.id) {
            Ok(results) => {
                case.check(results.iter().all(|r| r.passed), "it was merged although a check failed");
                if case.against.is_none() {
                    return case.link(Step::MergeChecks, outcome(&results));
                }
                against = against.or(Some((case, results)));
            }
            Err(why) => failed = failed.or(Some(why)),
        }
    }
    if let Some((case, results)) = against {
        return case.link(Step::MergeChecks, outcome(&results));
    }
    let verdict = match failed {
        Some(why) => Verdict::NotVerified { why },
        None => Verdict::Unknown { why: "their results are neither in the patch nor in this device's journal".into() },
    };
    Link { step: Step::MergeChecks, what: "none".into(), how: vec![], verdict }
}
