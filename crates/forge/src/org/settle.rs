//! An owner's branch of the org repository follows what is agreed. Nothing is decided here that a person did not sign: it moves to
//! what is in force, to a proposal that enough owners approved, this one among them, or makes a change that lost against another
//! anew on top of it. It may run at any time, and twice.

use super::{
    BRANCH,
    head::{agreed, tip},
    proposal::{NAME, approvals},
};
use crate::{
    Forge,
    convert::{self, Told},
    repository::{contains, follow_delegates, set_own_branch},
    signing::forward,
};
use domain::{PatchId, Problem, Rid, patch};
use radicle::identity::Doc;
use radicle::storage::{ReadRepository, git::Repository};

impl Forge {
    /// Lets this member's branch of the org repository follow, if they are an owner. Says whether something was signed.
    pub fn settle_org(&self, rid: &Rid) -> Result<bool, Problem> {
        let repo = self.repository(rid)?;
        let doc = repo.identity_doc().told("The identity of the org repository cannot be read.")?;
        let owner = self.org_state(rid)?.owner_keys().contains(&self.member());
        if !owner && !doc.is_delegate(&self.member_key().into()) {
            return Ok(false);
        }
        let before = self.signed_refs(rid, &self.member())?;
        let id = convert::repo_id(rid)?;
        self.queue.turn(id, *self.member_key(), || {
            forward(&repo, self.member_key())?;
            self.settle_in_turn(&repo, rid)
        })?;
        let changed = self.signed_refs(rid, &self.member())? != before;
        if changed {
            self.announce_quietly(rid, &[*self.member_key()]);
        }
        Ok(changed)
    }

    /// As [`Forge::settle_org`], in the member's turn.
    pub(super) fn settle_in_turn(&self, repo: &Repository, rid: &Rid) -> Result<(), Problem> {
        let doc = repo.identity_doc().told("The identity of the org repository cannot be read.")?;
        let delegate = doc.is_delegate(&self.member_key().into());
        let head = agreed(repo)?;
        let mine = tip(repo, self.member_key());
        let behind = mine.is_none_or(|mine| mine != head && contains(&repo.backend, head, mine));
        // One who becomes an owner has the branch before they count: else nothing would have enough signatures.
        let becomes = || Ok::<_, Problem>(self.org_state(rid)?.owner_keys().contains(&self.member()));
        let votes = behind && (delegate || becomes()?);
        match mine {
            _ if votes => self.vote(repo, head)?,
            _ if behind => {}
            Some(mine) if delegate && !contains(&repo.backend, mine, head) => self.give_way(repo, rid, &doc, head, mine)?,
            _ => {}
        }
        if !delegate {
            return Ok(());
        }
        let open = self.patches(rid, &NAME.parse()?)?;
        let open: Vec<_> = open.into_iter().filter(|p| p.state == patch::PatchState::Open).collect();
        let ready = open.iter().filter(|p| self.is_ready(repo, rid, &doc, head, p)).min_by(|a, b| a.id.cmp(&b.id));
        if let Some(commit) = ready.and_then(|p| p.revisions.last()) {
            let commit = convert::git_oid(commit.head.as_str())?;
            if tip(repo, self.member_key()) != Some(commit) {
                self.vote(repo, commit)?;
            }
        }
        for patch in &open {
            self.mark(repo, patch)?;
        }
        Ok(())
    }

    /// This owner's branch excludes what is in force.
    fn give_way(&self, repo: &Repository, rid: &Rid, doc: &Doc, head: git2::Oid, mine: git2::Oid) -> Result<(), Problem> {
        if doc.threshold() > 1 {
            // It was only a vote for a proposal, which stays.
            return self.vote(repo, head);
        }
        let about = repo.backend.find_commit(mine).ok().and_then(|c| c.summary().ok().flatten().map(str::to_owned)).unwrap_or_default();
        let made =
            self.combine(repo, BRANCH, head, mine, &format!("{about}\n\nMade at the same time as another change.\n"), &|_, _, _, _| None)?;
        match made {
            Ok(commit) if self.org_whole_at(rid, head, convert::oid(commit)?).is_ok() => self.vote(repo, commit),
            _ => {
                // Nothing is lost: it waits as a proposal for somebody who looks at both.
                self.propose(repo, &about, head, mine)?;
                self.vote(repo, head)
            }
        }
    }

    /// Whether a proposal may come into force now, and this owner approved it.
    fn is_ready(&self, repo: &Repository, rid: &Rid, doc: &Doc, head: git2::Oid, patch: &patch::Patch) -> bool {
        let Some(last) = patch.revisions.last() else { return false };
        let approved = approvals(doc, last);
        approved.len() >= doc.threshold()
            && approved.contains(&self.member())
            // Who made it approves of it; but alone nobody signs what they only proposed.
            && (doc.threshold() > 1 || last.reviews.iter().any(|r| r.by == self.member() && r.verdict == Some(patch::Verdict::Accept)))
            && convert::git_oid(last.head.as_str()).is_ok_and(|c| c != head && contains(&repo.backend, c, head))
            && self.org_whole_at(rid, head, last.head.clone()).is_ok()
    }

    /// Notes in a proposal that it is in force, as Radicle wants it.
    fn mark(&self, repo: &Repository, patch: &patch::Patch) -> Result<(), Problem> {
        let (Some(last), Some(mine)) = (patch.revisions.last(), tip(repo, self.member_key())) else { return Ok(()) };
        let commit = convert::git_oid(last.head.as_str())?;
        if !contains(&repo.backend, mine, commit) || !contains(&repo.backend, agreed(repo)?, commit) {
            return Ok(());
        }
        let id: PatchId = patch.id.clone();
        let revision = convert::rad_oid(&last.id.as_str().parse()?)?;
        self.change_patch(repo, &self.member, &id, |own| {
            if own.merges().any(|(by, _)| by == self.member_key()) {
                return Ok(());
            }
            own.merge(revision.into(), commit.into()).map(drop).told("The proposal could not be marked as in force.")
        })
    }

    /// Moves this member's branch, and signs. The canonical head of Radicle follows where Radicle finds one.
    pub(super) fn vote(&self, repo: &Repository, to: git2::Oid) -> Result<(), Problem> {
        set_own_branch(repo, &self.member, BRANCH, to)?;
        follow_delegates(repo);
        Ok(())
    }
}
