//! Proposals that wait no more: in force, or closed. Who wants to decide one is told what became of it.

use super::{
    head::agreed,
    proposal::{NAME, approvals, short},
};
use crate::{
    Forge,
    convert::{self, Told},
    repository::contains,
};
use domain::{Did, Problem, Rid, Timestamp, patch};
use radicle::identity::Doc;
use radicle::storage::ReadRepository;

/// What became of a proposal.
struct Decided {
    patch: patch::Patch,
    /// It is in force; else it was closed.
    in_force: bool,
    /// The keys that approved it, or closed it.
    by: Vec<Did>,
    /// When they did.
    at: Option<Timestamp>,
}

impl Forge {
    /// What is to be told to who wants to approve or reject a proposal whose id begins so, and that is decided. None where no
    /// such one is.
    ///
    /// # Errors
    /// When the proposals cannot be read.
    pub fn decided(&self, rid: &Rid, beginning: &str) -> Result<Option<Problem>, Problem> {
        let repo = self.repository(rid)?;
        let doc = repo.identity_doc().told("The identity of the org repository cannot be read.")?;
        let head = agreed(&repo)?;
        let meant = self.patches(rid, &NAME.parse()?)?.into_iter().filter(|p| p.id.as_str().starts_with(beginning));
        let mut found = Vec::new();
        for patch in meant {
            let Some(last) = patch.revisions.last() else { continue };
            let in_force = patch.state == patch::PatchState::Merged
                || convert::git_oid(last.head.as_str()).is_ok_and(|commit| contains(&repo.backend, head, commit));
            match patch.state {
                _ if in_force => found.push(brought(&doc, patch)),
                patch::PatchState::Archived => found.push(self.closed(rid, &doc, patch)?),
                _ => {}
            }
        }
        match &found[..] {
            [] => Ok(None),
            [one] => self.told_of(rid, one).map(Some),
            _ => {
                Ok(Some(Problem::invalid(format!("“{}” names several proposals.", domain::shown(beginning))).next("Give more of the id.")))
            }
        }
    }

    /// Who closed a proposal, and when.
    fn closed(&self, rid: &Rid, doc: &Doc, patch: patch::Patch) -> Result<Decided, Problem> {
        let may = |by: &Did| *by == patch.author || convert::key(by).is_ok_and(|key| doc.is_delegate(&key.into()));
        let closes = |action: &serde_json::Value| action["type"] == "lifecycle" && action["state"]["status"] == "archived";
        let entries = self.patch_entries(rid, &patch.id)?;
        let last = entries.into_iter().rev().find(|entry| entry.fits && may(&entry.by) && entry.actions.iter().any(closes));
        let (by, at) = last.map(|entry| (entry.by, entry.at)).unzip();
        Ok(Decided { in_force: false, by: by.into_iter().collect(), at, patch })
    }

    fn told_of(&self, rid: &Rid, decided: &Decided) -> Result<Problem, Problem> {
        let state = self.org_state(rid)?;
        let name = |did: &Did| state.member_of(did).map_or_else(|| did.to_string(), |member| member.name.clone());
        let mut names: Vec<String> = decided.by.iter().map(name).collect();
        names.dedup();
        let by = if names.is_empty() { String::new() } else { format!(" by {}", names.join(", ")) };
        let at = decided.at.map(|at| format!(" on {}", at.minute())).unwrap_or_default();
        let what = format!("The proposal {} (“{}”)", short(&decided.patch.id), domain::shown(&decided.patch.title));
        Ok(if decided.in_force {
            Problem::conflict(format!("{what} is in force already."))
                .because(format!("It was approved{by}{at}."))
                .next("Nothing is left to decide: meshwork org proposals lists what waits. Another change can take it back.")
        } else {
            Problem::conflict(format!("{what} is closed."))
                .because(format!("It was closed{by}{at}."))
                .next("Make the change anew, if it is still wanted: meshwork org proposals lists what waits.")
        })
    }
}

/// Who approved a proposal that is in force, and when the last of them did.
fn brought(doc: &Doc, patch: patch::Patch) -> Decided {
    let last = patch.revisions.last();
    let by = last.map(|last| approvals(doc, last)).unwrap_or_default();
    let reviews = last.map(|last| &last.reviews[..]).unwrap_or_default();
    let accepted = reviews.iter().filter(|review| review.verdict == Some(patch::Verdict::Accept)).map(|review| review.at);
    let at = accepted.chain(last.map(|last| last.at)).max();
    Decided { in_force: true, by, at, patch }
}
