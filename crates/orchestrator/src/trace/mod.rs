//! Traces: the chain behind a patch, a commit or a run, each link checked. What a link rests on is gathered from the
//! repositories first (`evidence`), then judged (`judge`): signatures are verified and hashes made anew, here and now.
//! Of this device's journal only what it adds is taken, so that the chain holds on any device that has the repositories.

mod evidence;
mod find;
mod judge;
mod merged;

use crate::{org::Org, provenance};
use domain::{
    Did, Problem, ProjectName,
    patch::{Patch, Revision},
    project::Project,
    trace::{Chain, How, Link, Step, Verdict},
};
use evidence::Evidence;
use find::Found;
use forge::{CommitProof, CommitSignature};

pub(crate) use merged::{asked_by, carry_checks, carry_wish};

/// The chain behind what `what` names: a patch, a revision, a commit or a run, by its id or a part of it.
///
/// # Errors
/// When nothing fits, or several things do.
pub fn show(org: &Org, project: Option<&ProjectName>, what: &str) -> Result<Chain, Problem> {
    match find::find(org, project, what)? {
        Found::Revision { project, patch, revision } => {
            let about = format!("patch {}: {}", short(patch.id.as_str()), patch.title);
            let name = project.name.clone();
            let evidence = Evidence::of_revision(org, project, patch, &revision)?.with_events(org)?;
            Ok(Chain::new(about, name, judge::links(&evidence)))
        }
        Found::Run { project, run } => {
            let about = format!("run {}, which published nothing", run.id);
            let name = project.name.clone();
            let links = match provenance::trace(org, &run) {
                Ok(claims) => judge::links(&Evidence::of_run(org, project, claims, &run)?.with_events(org)?),
                Err(problem) => vec![link(Step::Run, run.id.to_string(), Verdict::Unknown { why: problem.to_string() })],
            };
            Ok(Chain::new(about, name, links))
        }
        Found::Commit { project, commit } => {
            let proof = org.forge.commit_proof(&project.rid, &commit)?;
            let about = format!("commit {}: {}", short(commit.as_str()), proof.title);
            let links = by_a_person(org, &project, &proof)?;
            Ok(Chain::new(about, project.name, links))
        }
        Found::Unreadable { project, patch } => {
            let broken = org.forge.patch_entries(&project.rid, &patch)?.into_iter().find(|entry| !entry.fits);
            let why = broken.map_or_else(
                || "Radicle cannot read it".to_owned(),
                |entry| format!("the signature of its entry {} does not fit", short(entry.id.as_str())),
            );
            let links = vec![link(Step::Patch, patch.to_string(), Verdict::NotVerified { why })];
            Ok(Chain::new(format!("patch {}", short(patch.as_str())), project.name, links))
        }
    }
}

/// Whether a run that a device of the org asked for made the latest revision of a patch: by what was signed, and nothing that the patch
/// merely says.
///
/// # Errors
/// When the repositories cannot be read.
pub(crate) fn made_by_a_run(org: &Org, project: &Project, patch: &Patch) -> Result<bool, Problem> {
    let Some(latest) = patch.revisions.last() else { return Ok(false) };
    tracing::debug!(patch = %patch.id, "judging what was signed of a patch");
    let evidence = Evidence::of_revision(org, project.clone(), Box::new(patch.clone()), &latest.id)?;
    let links = judge::links(&evidence);
    let holds = |step: &Step| links.iter().any(|link| link.step == *step && link.verdict == Verdict::Verified);
    Ok(MADE_BY_A_RUN.iter().all(holds))
}

/// The device that signed that the key of a revision acts for it, whether the org lists it or not.
pub(crate) fn delegated_by(revision: &Revision) -> Option<Did> {
    judge::delegating(&forge::read_description(&revision.description).1?, &revision.author)
}

/// The links that show that a run made a revision, and for whom.
const MADE_BY_A_RUN: [Step; 9] =
    [Step::Patch, Step::Revision, Step::Run, Step::Key, Step::Delegation, Step::Agent, Step::Member, Step::Device, Step::Task];

/// A commit that no patch brought: who it says made it, and whose signature stands behind it.
fn by_a_person(org: &Org, project: &Project, proof: &CommitProof) -> Result<Vec<Link>, Problem> {
    let state = org.state()?;
    let name =
        |key: &domain::Did| state.member_of(key).map_or_else(|| format!("the unknown key {key}"), |m| format!("the member {}", m.name));
    let mut how = Vec::new();
    let against = match &proof.signature {
        CommitSignature::By(key) => {
            how.push(How::Signature { of: "the commit".into(), key: key.clone() });
            None
        }
        CommitSignature::Missing => Some("it carries no signature of its own".to_owned()),
        CommitSignature::Broken => Some("its signature does not fit".to_owned()),
    };
    let (vouchers, _) = org.forge.vouchers(&project.rid, &proof.id)?;
    for voucher in &vouchers {
        how.push(How::Signature { of: format!("the default branch that has it, by {},", name(&voucher.by)), key: voucher.by.clone() });
    }
    let commit =
        Link { step: Step::Commit, what: format!("{} by {}", short(proof.id.as_str()), proof.author), how, verdict: Verdict::of(against) };
    let who = match &proof.signature {
        CommitSignature::By(key) => name(key),
        _ => format!("somebody who gave the name {}", proof.author),
    };
    let why = format!("no patch of a run brought this commit; it was made by {who}");
    Ok(vec![commit, link(Step::Run, "none".into(), Verdict::NotVerified { why })])
}

fn link(step: Step, what: String, verdict: Verdict) -> Link {
    Link { step, what, how: vec![], verdict }
}

/// The beginning of an id, as people are shown it.
fn short(id: &str) -> &str {
    id.get(..12).unwrap_or(id)
}

#[cfg(test)]
mod tests;
