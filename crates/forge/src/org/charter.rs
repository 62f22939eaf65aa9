//! Identity documents of repositories, kept in step with the org: who signs, how many must, and who may read.
//!
//! Radicle wants a majority of the present delegates for every change of one. So each delegate's device makes or accepts exactly the
//! document that follows from what is in force, and nothing else: it adds no decision of its own. While two of them propose it at
//! once, the one whose revision has the greater name takes it back.

use super::{OrgState, head::tip};
use crate::{
    Forge,
    convert::{self, Told},
    merge::{agreed, forget_agreed, go_back},
    repository::{canonical, contains, follow_delegates, follow_identity, own_branch},
    signing::{object, written},
};
use domain::{Did, Problem, Rid, project::Project};
use radicle::cob::{
    Title,
    identity::{Identity, TYPENAME},
};
use radicle::crypto::{PublicKey, Signer as _, SigningKey};
use radicle::identity::{self, Doc, Visibility};
use radicle::storage::{ReadRepository, git::Repository};
use std::collections::BTreeSet;

/// How a repository's identity document stands to what the org says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Charter {
    /// It says the same.
    InStep,
    /// It was changed now.
    Changed,
    /// It waits for the signatures of other delegates.
    Waits,
    /// No key of this device is a delegate; others will change it.
    NotOurs,
}

impl Forge {
    /// Brings the org repository's identity document in step: owners are its delegates, the threshold is theirs, devices read it.
    pub fn keep_org_charter(&self, rid: &Rid) -> Result<Charter, Problem> {
        let state = self.org_state(rid)?;
        self.keep(rid, |repo, doc| org_doc(repo, &state, doc))
    }

    /// Brings a project's identity document in step: devices of the org read it where it is private, keys that count no more neither
    /// read nor sign, and the gates of a gated project alone sign. Whom it was shared with by hand stays.
    pub fn keep_project_charter(&self, project: &Project, state: &OrgState) -> Result<Charter, Problem> {
        self.stand_by(project, state)?;
        self.keep(&project.rid, |repo, doc| project_doc(repo, project, state, doc))
    }

    /// Has those keys of this device that are to become delegates of a project sign its default branch as it is now: before that they
    /// do not count, or it would have no head. A gate among several that missed a merge follows too: what too few sign could be undone;
    /// and what gates had agreed on they keep to.
    fn stand_by(&self, project: &Project, state: &OrgState) -> Result<(), Problem> {
        let look = self.repository(&project.rid)?;
        let doc = look.identity_doc().told(format!("The identity of {} cannot be read.", project.rid))?;
        let Some(coming) = coming(&look, project, state, &doc.doc)? else { return Ok(()) };
        let change = !coming.are_in(&doc.doc);
        if change && was_behind(&look, &project.rid)? {
            // Then it may be none.
            return Ok(());
        }
        if change {
            forget_agreed(&look.backend, &canonical(&look)?.0)?;
        }
        let late = |repo: &Repository, key: &PublicKey| Ok::<_, Problem>(if change { !stands(repo, key)? } else { !follows(repo, key)? });
        for key in [&self.member, &self.device] {
            if !coming.delegates.contains(&key.public_key().into()) || !late(&look, key.public_key())? {
                continue;
            }
            self.as_key(&project.rid, key, |repo| {
                // The branch may have moved while other writers had their turn.
                if !late(repo, key.public_key())? {
                    return Ok(());
                }
                let (branch, head) = canonical(repo)?;
                go_back(repo, key, &branch, agreed(&repo.backend, &branch, head))
            })?;
        }
        Ok(())
    }

    fn keep(&self, rid: &Rid, wanted: impl Fn(&Repository, &Doc) -> Result<Doc, Problem>) -> Result<Charter, Problem> {
        let look = self.repository(rid)?;
        let read = || Ok::<_, Problem>(look.identity_doc().told(format!("The identity of {rid} cannot be read."))?.doc);
        let mut doc = read()?;
        if wanted(&look, &doc)? == doc {
            return Ok(Charter::InStep);
        }
        if was_behind(&look, rid)? {
            doc = read()?;
            if wanted(&look, &doc)? == doc {
                return Ok(Charter::Changed);
            }
        }
        let Some(key) = self.key_in(&doc) else { return Ok(Charter::NotOurs) };
        self.as_key(rid, key, |repo| written(repo, key, || amend(repo, key, rid, &wanted)))
    }
}

/// Whether the identity document in force was behind what its delegates have signed; it is that now.
fn was_behind(repo: &Repository, rid: &Rid) -> Result<bool, Problem> {
    let moved = follow_identity(repo)?;
    if moved {
        tracing::info!(%rid, "the identity document in force was behind what its delegates have signed; it is that now");
    }
    Ok(moved)
}

/// Makes or accepts the document that is wanted. The answer has the ref by which that was done.
fn amend(
    repo: &Repository,
    key: &SigningKey,
    rid: &Rid,
    wanted: impl Fn(&Repository, &Doc) -> Result<Doc, Problem>,
) -> Result<(Charter, Option<String>), Problem> {
    let what = format!("The identity of {rid} could not be changed.");
    let me = identity::Did::from(key.public_key());
    let mut identity = Identity::load_mut(repo, key).told(what.clone())?;
    let doc = wanted(repo, identity.doc())?;
    let (current, before) = (identity.current().id, identity.doc().clone());
    if doc == before {
        // What is in force may be behind still: until the key's turn its refs were set back, or what was made first was not kept.
        follow_identity(repo)?;
        return Ok((Charter::InStep, None));
    }
    let open: Vec<_> = identity.revisions().filter(|r| r.is_active() && r.parent == Some(current)).cloned().collect();
    let chosen = open.iter().filter(|r| r.doc == doc).map(|r| r.id).min();
    let mine = open.iter().find(|r| r.accepted().any(|did| did == me));
    match (chosen, mine) {
        (Some(chosen), Some(mine)) if mine.id == chosen => return Ok((Charter::Waits, None)),
        // One delegate stands behind one revision at a time.
        (_, Some(mine)) if *mine.author.id() == me => drop(identity.redact(mine.id).told(what.clone())?),
        (_, Some(mine)) => drop(identity.reject(mine.id).told(what.clone())?),
        _ => {}
    }
    match chosen {
        Some(revision) => drop(identity.accept(&revision).told(what.clone())?),
        None => {
            let title = Title::new("Follow the org").map_err(Problem::internal)?;
            identity.update(title, "", &doc).told(what.clone())?;
        }
    }
    let now = identity.doc().clone();
    follow_identity(repo)?;
    follow_delegates(repo);
    Ok((if now == doc { Charter::Changed } else { Charter::Waits }, Some(object(&*TYPENAME, identity.id))))
}

fn org_doc(repo: &Repository, state: &OrgState, doc: &Doc) -> Result<Doc, Problem> {
    let owners: BTreeSet<identity::Did> = dids(&state.owner_keys())?;
    let commit = convert::git_oid(state.commit.as_str())?;
    // A new owner counts once their key has signed what is in force: before that, nothing would have enough signatures.
    let signed = |did: &identity::Did| tip(repo, did.as_key()).is_some_and(|at| contains(&repo.backend, at, commit));
    let stay: Vec<_> = doc.delegates().iter().filter(|did| owners.contains(did)).copied().collect();
    let come = owners.iter().filter(|did| !stay.contains(did) && signed(did)).copied();
    let delegates: Vec<_> = stay.iter().copied().chain(come).collect();
    if delegates.is_empty() {
        // Those who leave stay until one who comes has signed.
        return Ok(doc.clone());
    }
    let mut raw = doc.clone().edit();
    raw.threshold = usize::try_from(state.org.threshold).unwrap_or(usize::MAX).clamp(1, delegates.len());
    raw.delegates = delegates;
    raw.visibility = Visibility::private(dids(&state.readers())?);
    raw.verified().told("The org repository's identity would not be in order.")
}

/// Who are to be a project's delegates, all at once.
struct Coming {
    delegates: Vec<identity::Did>,
    threshold: usize,
}

impl Coming {
    /// Whether they are its delegates already.
    fn are_in(&self, doc: &Doc) -> bool {
        let now: BTreeSet<_> = doc.delegates().iter().collect();
        now == self.delegates.iter().collect::<BTreeSet<_>>()
    }
}

/// The delegates that a project is to have: its gates, or those from before it was gated. None: those that it has.
fn coming(repo: &Repository, project: &Project, state: &OrgState, doc: &Doc) -> Result<Option<Coming>, Problem> {
    if !project.gates.is_empty() {
        // In one order, whichever is asked first.
        let delegates = dids(&project.gates)?.into_iter().collect();
        return Ok(Some(Coming { delegates, threshold: project.gates_needed() }));
    }
    if !is_gated(state, doc) { Ok(None) } else { before_gate(repo, state).map(Some) }
}

/// Whether devices move the default branch.
fn is_gated(state: &OrgState, doc: &Doc) -> bool {
    doc.delegates().iter().any(|did| state.device_of(&convert::did(did)).is_some())
}

/// Those members whose keys were delegates before the project was gated; an owner where none of them is left.
fn before_gate(repo: &Repository, state: &OrgState) -> Result<Coming, Problem> {
    let identity = Identity::load(repo).told("The history of the project's identity cannot be read.")?;
    let mut at = identity.current();
    while is_gated(state, &at.doc) {
        let Some(before) = at.parent.and_then(|parent| identity.revision(&parent)) else { break };
        at = before;
    }
    let member = |did: &&identity::Did| state.member_of(&convert::did(did)).is_some();
    let delegates: Vec<_> = at.doc.delegates().iter().filter(member).copied().collect();
    if !delegates.is_empty() {
        let threshold = at.doc.threshold().clamp(1, delegates.len());
        return Ok(Coming { delegates, threshold });
    }
    let owner = state.owner_keys().first().map(convert::key).transpose()?;
    Ok(Coming { delegates: owner.into_iter().map(identity::Did::from).collect(), threshold: 1 })
}

/// Whether a key's own default branch is where the canonical one is.
fn stands(repo: &Repository, key: &PublicKey) -> Result<bool, Problem> {
    let (branch, head) = canonical(repo)?;
    Ok(repo.backend.refname_to_id(&own_branch(key, &branch)).is_ok_and(|at| at == head))
}

/// Whether a key's own default branch has the canonical one, whatever it has beyond; while that is behind what gates had agreed on, whether
/// it is at that.
fn follows(repo: &Repository, key: &PublicKey) -> Result<bool, Problem> {
    let (branch, head) = canonical(repo)?;
    let agreed = agreed(&repo.backend, &branch, head);
    let own = repo.backend.refname_to_id(&own_branch(key, &branch));
    Ok(own.is_ok_and(|at| at == agreed || (agreed == head && contains(&repo.backend, at, head))))
}

fn project_doc(repo: &Repository, project: &Project, state: &OrgState, doc: &Doc) -> Result<Doc, Problem> {
    let gone = |did: &identity::Did| state.is_gone(&convert::did(did));
    let mut raw = doc.clone().edit();
    if let Visibility::Private { allow } = &mut raw.visibility {
        allow.extend(dids(&state.readers())?);
        allow.retain(|did| !gone(did));
    }
    let stay: Vec<_> = raw.delegates.iter().filter(|did| !gone(did)).copied().collect();
    if let Some(coming) = coming(repo, project, state, doc)? {
        let mut all = !coming.delegates.is_empty();
        for did in &coming.delegates {
            all = all && stands(repo, did.as_key())?;
        }
        // Until all of them have signed the branch as it is, those that there are stay: it is never without a head.
        if all {
            (raw.delegates, raw.threshold) = (coming.delegates, coming.threshold);
        }
    } else if !stay.is_empty() {
        raw.threshold = raw.threshold.clamp(1, stay.len());
        raw.delegates = stay;
    }
    raw.verified().told("The project's identity would not be in order.")
}

fn dids(list: &[Did]) -> Result<BTreeSet<identity::Did>, Problem> {
    list.iter().map(|did| convert::key(did).map(identity::Did::from)).collect()
}
