//! Two lines of one key are joined again: a device that was restored signed on from where its disk stood, while others know later
//! signatures of its key. Radicle takes neither for the other, on any device.
//!
//! The joined line stands on the other one, since a signature follows one other only; and it names what both have. A branch that both
//! moved apart stays where the other line has it, and this line's is kept aside. An object (a patch, the identity) is read over all keys,
//! so this line's entries of one that both changed are put under a key that is made for this alone. And the key names the newest signature
//! of this line, so that others who hold it go back to where the two part, and take the joined one.
//!
//! Each step may be done again, and what is written before a crash makes the next one come to the same.

use crate::{
    Forge,
    convert::{self, Told},
    line::{OURS, REJOINED, SIGREFS, THEIRS, has_joined, history, hold, let_go, line_tip, pinned, unpin},
    merge::forget_agreed,
    patch::{patch_of, takes_all},
    proof::{PatchEntry, entries},
    repository::{canonical, contains, document, follow_delegates, locked_ref},
    signing::{Refs, forward, set, sign, signed, signed_at, whole},
};
use domain::{Did, Kind, Oid, PatchId, Problem, Rid};
use git2::{ErrorClass, ErrorCode, Repository as Git};
use radicle::crypto::{PublicKey, Seed, Signature, Signer as _, SigningKey, signature::Signer as _};
use radicle::storage::{WriteRepository, git::Repository};
use std::collections::BTreeSet;

/// What became of a line that waited to be joined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rejoined {
    /// The other line only went on from this one: this device's was set forward.
    Forward,
    /// Both had gone on.
    Joined(Joined),
}

/// Two lines that had both gone on, and are one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Joined {
    /// The newest signature of this device's line before.
    pub ours: Oid,
    /// That of the other, on which the joined one stands.
    pub theirs: Oid,
    /// The key under which this line's entries of objects are kept that both lines changed; it was made for this alone.
    pub kept_under: Option<Did>,
    /// Branches that both lines moved apart: where this line's are now.
    pub aside: Vec<String>,
    /// Patches of which not all that was said counts, as where both lines reviewed the same revision: to be reviewed again.
    pub review_again: Vec<PatchId>,
}

/// Two lines of a key, by their newest signatures.
#[derive(Clone, Copy)]
struct Lines {
    theirs: git2::Oid,
    ours: git2::Oid,
}

/// What a key's refs are to be after its lines were joined.
#[derive(Default)]
struct Union {
    refs: Refs,
    /// Refs that one line removed, and the other left as they were.
    gone: Vec<String>,
    /// This line's refs of objects that both changed: not the key's any more.
    kept: Refs,
    /// Where this line's branches are that both moved apart.
    aside: Vec<String>,
}

impl Forge {
    /// Joins a line that was pinned by [`Forge::take_line`] with what this device signed with the key. After a crash it is to be called
    /// again, and comes to the same; and so it does until [`Forge::joined_told`]. None where nothing waits to be joined.
    ///
    /// # Errors
    /// When the key is not one of this device's, or the disk does not take it; what waits goes on waiting.
    pub fn rejoin(&self, rid: &Rid, key: &Did) -> Result<Option<Rejoined>, Problem> {
        let own = self.own_key(key)?;
        if pinned(&self.repository(rid)?.backend, own.public_key(), THEIRS).is_none() {
            return Ok(None);
        }
        self.as_key(rid, own, |repo| self.rejoin_in_turn(repo, own))
    }

    /// That two lines were joined is written down: [`Forge::rejoin`] does not say it any more.
    ///
    /// # Errors
    /// When the key is not one of this device's, or the disk does not take it; then that says it again.
    pub fn joined_told(&self, rid: &Rid, key: &Did) -> Result<(), Problem> {
        let (repo, public) = (self.repository(rid)?, *self.own_key(key)?.public_key());
        self.queue.turn(repo.id, public, || unpin(&repo.backend, &public))
    }

    /// Where another member's or device's key has joined its lines, and this device holds the one that it left: sets that back to where
    /// they part, so that the next fetch brings the joined one, of which `tip` is the newest signature. Says whether it did; never where
    /// the objects of `tip` are not here yet.
    ///
    /// # Errors
    /// When the key's line here cannot be read or set.
    pub fn follow_joined(&self, rid: &Rid, key: &Did, tip: &Oid) -> Result<bool, Problem> {
        if self.own_key(key).is_ok() {
            return Ok(false);
        }
        let (id, public, tip) = (convert::repo_id(rid)?, convert::key(key)?, convert::git_oid(tip.as_str())?);
        self.queue.turn(id, public, || {
            let repo = self.open_repository(id)?;
            let git = &repo.backend;
            let Some(now) = line_tip(&repo, &public)? else { return Ok(false) };
            if contains(git, now, tip) || contains(git, tip, now) {
                return Ok(false);
            }
            // Only the key itself can say this, whoever brings it.
            let says_so = signed_at(&repo, &public, tip).is_ok_and(|refs| has_joined(git, &refs, now));
            match part_at(git, now, tip) {
                Ok(base) if says_so => set_back(git, &whole(&public, SIGREFS), now, base).map(|()| true),
                _ => Ok(false),
            }
        })
    }

    /// The key of this device of this name.
    pub(crate) fn own_key(&self, key: &Did) -> Result<&SigningKey, Problem> {
        let public = convert::key(key)?;
        let own = [&self.member, &self.device].into_iter().find(|own| *own.public_key() == public);
        own.ok_or_else(|| {
            Problem::new(Kind::Forbidden, format!("{key} is not a key of this device.")).next("Join its lines on its own device.")
        })
    }

    fn rejoin_in_turn(&self, repo: &Repository, key: &SigningKey) -> Result<Option<Rejoined>, Problem> {
        let (git, public) = (&repo.backend, key.public_key());
        let Some(theirs) = pinned(git, public, THEIRS) else { return Ok(None) };
        let now = line_tip(repo, public)?;
        // What stands on the other line already was begun before, perhaps by a call that crashed.
        let stands = now.filter(|now| contains(git, *now, theirs));
        let ours = if stands.is_some() { pinned(git, public, OURS) } else { now };
        if let Some(ours) = ours {
            hold(git, public, OURS, ours)?;
        }
        // Who still holds a line that was left offers it again.
        let left = stands.is_none() && has_joined(git, &signed(repo, public)?, theirs);
        let rejoined = match ours {
            Some(ours) if left || contains(git, ours, theirs) => None,
            Some(ours) if !contains(git, theirs, ours) => {
                let onto = stands.unwrap_or(theirs);
                let lines = Lines { theirs: onto, ours };
                Some(Rejoined::Joined(Joined { theirs: convert::oid(theirs)?, ..self.join(repo, key, lines, stands.is_none())? }))
            }
            _ => {
                self.set_forward(repo, key, ours, theirs, stands)?;
                Some(Rejoined::Forward)
            }
        };
        // Where both had gone on, the pins stay until that is told.
        if !matches!(rejoined, Some(Rejoined::Joined(_))) {
            unpin(git, public)?;
        }
        Ok(rejoined)
    }

    /// Sets a line forward that only lacks what the other has.
    fn set_forward(
        &self,
        repo: &Repository,
        key: &SigningKey,
        ours: Option<git2::Oid>,
        theirs: git2::Oid,
        stands: Option<git2::Oid>,
    ) -> Result<(), Problem> {
        let public = key.public_key();
        let before = ours.map(|ours| signed_at(repo, public, ours)).transpose()?.unwrap_or_default();
        let union = unite(&repo.backend, &before, &signed_at(repo, public, stands.unwrap_or(theirs))?, &before, "");
        lay(repo, public, &union, stands.is_none().then_some(theirs))?;
        // A fetch may have set some back before the line was set.
        forward(repo, public)?;
        self.settle_joined(repo, key, &union, &before)
    }

    /// Joins two lines; `lay_line`, where the key's does not stand on the other yet.
    fn join(&self, repo: &Repository, key: &SigningKey, lines: Lines, lay_line: bool) -> Result<Joined, Problem> {
        let (public, before) = (key.public_key(), signed_at(repo, key.public_key(), lines.ours)?);
        let union = joined_refs(repo, public, lines)?;
        let kept_under = keep(repo, key, &union.kept, lines.ours)?;
        lay(repo, public, &union, lay_line.then_some(lines.theirs))?;
        // Those of Radicle's own follow by themselves, and one may be symbolic, which this would change.
        let wanted = union.refs.iter().filter(|(name, _)| !name.starts_with("refs/rad/"));
        sign(repo, key, wanted.map(|(name, at)| (name.clone(), *at)).collect())?;
        self.settle_joined(repo, key, &union, &before)?;
        let review_again = review_again(repo, &convert::did(public), &union);
        Ok(Joined { ours: convert::oid(lines.ours)?, theirs: convert::oid(lines.theirs)?, kept_under, aside: union.aside, review_again })
    }

    /// Lets what depends on a key's refs follow: the identity, the canonical head, and the cache of patches.
    fn settle_joined(&self, repo: &Repository, key: &SigningKey, union: &Union, before: &Refs) -> Result<(), Problem> {
        let what = "The identity could not follow the joined line.";
        locked_ref(|| repo.set_identity_head().map_err(|e| git2::Error::from_str(&e.to_string()))).told(what)?;
        if document(repo)?.is_delegate(&key.public_key().into()) {
            let moved = |branch: &String| union.refs.get(&format!("refs/heads/{branch}")) != before.get(&format!("refs/heads/{branch}"));
            if let Some(branch) = canonical(repo).ok().map(|(branch, _)| branch).filter(moved) {
                forget_agreed(&repo.backend, &branch)?;
            }
            follow_delegates(repo);
        }
        let changed = union.refs.iter().filter(|(name, at)| before.get(*name) != Some(*at)).chain(&union.kept);
        for id in changed.filter_map(|(name, _)| patch_of(name)).collect::<BTreeSet<_>>() {
            self.cache_patch(repo, key, &convert::object_id(&id)?);
        }
        Ok(())
    }
}

/// Where two lines part; none where they have nothing in common.
///
/// # Errors
/// Where a part of one is not here, too.
fn part_at(git: &Git, one: git2::Oid, other: git2::Oid) -> Result<Option<git2::Oid>, Problem> {
    match git.merge_base(one, other) {
        Ok(base) => Ok(Some(base)),
        Err(error) if error.code() == ErrorCode::NotFound && error.class() == ErrorClass::Merge => Ok(None),
        Err(error) => Err(error).told("Where two lines of a key part cannot be read."),
    }
}

/// Sets a line back that nobody set meanwhile, or removes it where the two have nothing in common.
fn set_back(git: &Git, name: &str, now: git2::Oid, base: Option<git2::Oid>) -> Result<(), Problem> {
    let Some(base) = base else { return let_go(git, name) };
    locked_ref(|| git.reference_matching(name, base, true, now, "meshwork").map(drop)).told("A key's line could not be set back.")
}

/// What the key's refs are to be, with the name of this line's newest signature, by which others leave it.
fn joined_refs(repo: &Repository, key: &PublicKey, lines: Lines) -> Result<Union, Problem> {
    let (theirs, ours) = (signed_at(repo, key, lines.theirs)?, signed_at(repo, key, lines.ours)?);
    let joined = ours.iter().filter(|(name, _)| name.starts_with(REJOINED)).map(|(_, at)| *at);
    let base = last_same(&repo.backend, lines.theirs, joined.chain([lines.ours]))?;
    let base = base.map(|base| signed_at(repo, key, base)).transpose()?.unwrap_or_default();
    let short = &lines.ours.to_string()[..SHORT];
    let mut union = unite(&repo.backend, &base, &theirs, &ours, short);
    union.refs.insert(format!("{REJOINED}{short}"), lines.ours);
    union.make_way(&theirs, short);
    Ok(union)
}

/// The last of a line that was signed alike in one of these: where it parts from that, or what was signed next, if it is the same. Only
/// refs are signed, not the commit that they are in: so anybody can bring an old signature anew, and it is to take nothing back.
fn last_same(git: &Git, line: git2::Oid, others: impl Iterator<Item = git2::Oid>) -> Result<Option<git2::Oid>, Problem> {
    let what = "Where two lines of a key part cannot be read.";
    let line = history(git, line).told(what)?;
    let tree = |at: git2::Oid| git.find_commit(at).map(|commit| commit.tree_id());
    let mut last = line.len();
    for other in others {
        let base = line.first().map(|tip| part_at(git, other, *tip)).transpose()?.flatten();
        let parts = line.iter().position(|at| Some(*at) == base).unwrap_or(line.len());
        let next = history(git, other).told(what)?.into_iter().take_while(|at| Some(*at) != base).last();
        let same = match (next, parts.checked_sub(1)) {
            (Some(next), Some(at)) => tree(next).told(what)? == tree(line[at]).told(what)?,
            _ => false,
        };
        last = last.min(parts - usize::from(same));
    }
    Ok(line.get(last).copied())
}

/// How many digits of a signature are in the names of refs.
const SHORT: usize = 12;

/// What each of two lines did with its refs since they parted, together. `short` says in names which line is this one.
fn unite(git: &Git, base: &Refs, theirs: &Refs, ours: &Refs, short: &str) -> Union {
    let mut union = Union::default();
    for name in base.keys().chain(theirs.keys()).chain(ours.keys()).collect::<BTreeSet<_>>() {
        let (was, there, here) = (base.get(name).copied(), theirs.get(name).copied(), ours.get(name).copied());
        let at = match (there, here) {
            _ if here == was || here == there => there,
            _ if there == was => here,
            // One removed what the other changed.
            (None, _) | (_, None) => there.or(here),
            (Some(there), Some(here)) if contains(git, here, there) => Some(here),
            (Some(there), Some(here)) => {
                if !contains(git, there, here) {
                    union.apart(name, here, short);
                }
                Some(there)
            }
        };
        match at {
            Some(at) => {
                union.refs.insert(name.clone(), at);
            }
            None => union.gone.push(name.clone()),
        }
    }
    union
}

impl Union {
    /// Puts aside what cannot be beside the other line's refs, since git keeps names as files and folders: where that has `a/b`, there can
    /// be no `a`. So it is with a branch that is named as the folder of what is put aside, whoever has it.
    fn make_way(&mut self, theirs: &Refs, short: &str) {
        while let Some(name) = self.in_the_way(theirs) {
            if let Some(at) = self.refs.remove(&name) {
                self.apart(&name, at, short);
                self.gone.push(name);
            }
        }
        // In the same order when it is done again.
        self.aside.sort_unstable();
    }

    fn in_the_way(&self, theirs: &Refs) -> Option<String> {
        let moves = |name: &str| match name.splitn(3, '/').nth(2) {
            Some("aside" | "rejoined") => true,
            Some(rest) if rest.starts_with("aside/") || rest.starts_with("rejoined/") => false,
            _ => !theirs.contains_key(name),
        };
        self.refs.keys().find(|name| moves(name) && clashes(&self.refs, name)).cloned()
    }

    /// Both lines moved a ref apart; this is where this line has it.
    fn apart(&mut self, name: &str, here: git2::Oid, short: &str) {
        if name.starts_with("refs/cobs/") {
            self.kept.insert(name.to_owned(), here);
        } else if let Some((kind, rest)) = name.strip_prefix("refs/").and_then(|name| name.split_once('/'))
            && kind != "rad"
        {
            let aside = format!("refs/{kind}/aside/{short}/{rest}");
            self.aside.push(aside.strip_prefix("refs/heads/").unwrap_or(&aside).to_owned());
            self.refs.insert(aside, here);
        }
    }
}

/// Whether another name is in a folder that is called so, or this one in a folder that is called as another.
fn clashes(refs: &Refs, name: &str) -> bool {
    let within = format!("{name}/");
    let has_within = refs.range(within.clone()..).next().is_some_and(|(other, _)| other.starts_with(&within));
    has_within || name.match_indices('/').any(|(at, _)| refs.contains_key(&name[..at]))
}

/// Puts this line's entries of objects that both lines changed under a key that signs nothing else, so that they count everywhere.
fn keep(repo: &Repository, key: &SigningKey, kept: &Refs, ours: git2::Oid) -> Result<Option<Did>, Problem> {
    if kept.is_empty() {
        return Ok(None);
    }
    // It is made from a signature, which nobody else can make and which is the same after a crash; so nothing of it is kept.
    let signature: Signature = key.sign(format!("meshwork: the key for what a joined line said\n{}\n{ours}\n", repo.id.urn()).as_bytes());
    let made = SigningKey::from_seed(Seed::new(*signature.r_bytes()));
    sign(repo, &made, kept.clone())?;
    Ok(Some(convert::did(made.public_key())))
}

/// Sets the key's refs; and at last, where it is given, its line: from then on whatever the key signs follows the other line, and names all
/// of this.
fn lay(repo: &Repository, key: &PublicKey, union: &Union, line: Option<git2::Oid>) -> Result<(), Problem> {
    let now = |name: &str| repo.backend.refname_to_id(&whole(key, name)).ok();
    for name in &union.gone {
        // It may be put aside next.
        if let Some(at) = now(name) {
            hold(&repo.backend, key, &format!("named/{at}"), at)?;
        }
        let_go(&repo.backend, &whole(key, name))?;
    }
    // New ones first: after a crash nothing but what is kept aside says where a branch was that this moves.
    let (new, others): (Vec<_>, Vec<_>) = union.refs.iter().partition(|(name, _)| now(name.as_str()).is_none());
    for (name, at) in new.into_iter().chain(others) {
        if now(name.as_str()) != Some(*at) {
            set(repo, key, name, *at)?;
        }
    }
    line.map_or(Ok(()), |at| set(repo, key, SIGREFS, at))
}

/// The patches among those that both lines changed of which not all that the key said counts, or that cannot be read.
fn review_again(repo: &Repository, by: &Did, union: &Union) -> Vec<PatchId> {
    let both = union.kept.iter().filter_map(|(name, ours)| Some((patch_of(name)?, *union.refs.get(name)?, *ours)));
    let counts = |(patch, theirs, ours): &(PatchId, git2::Oid, git2::Oid)| all_counts(repo, patch, by, *theirs, *ours).unwrap_or(false);
    both.filter(|patch| !counts(patch)).map(|(patch, ..)| patch).collect()
}

/// Whether all that a key said of a patch in either of two lines counts, where only one of them said it.
fn all_counts(repo: &Repository, patch: &PatchId, by: &Did, theirs: git2::Oid, ours: git2::Oid) -> Result<bool, Problem> {
    let (there, here) = (entries(repo, patch, vec![theirs])?, entries(repo, patch, vec![ours])?);
    let (only_there, only_here) = (without(&there, &here, by), without(&here, &there, by));
    // Of two reviews of one revision by one key Radicle takes one alone, by its order of entries.
    if !reviewed(&only_there).is_disjoint(&reviewed(&only_here)) {
        return Ok(false);
    }
    let only: Vec<_> = only_there.iter().chain(&only_here).map(|entry| convert::rad_oid(&entry.id)).collect::<Result<_, _>>()?;
    Ok(takes_all(repo, patch, &only).unwrap_or(false))
}

/// A key's entries of a patch that are not among others.
fn without<'e>(entries: &'e [PatchEntry], others: &[PatchEntry], by: &Did) -> Vec<&'e PatchEntry> {
    let others: BTreeSet<&Oid> = others.iter().map(|entry| &entry.id).collect();
    entries.iter().filter(|entry| entry.by == *by && !others.contains(&entry.id)).collect()
}

/// The revisions that these entries review.
fn reviewed<'e>(entries: &[&'e PatchEntry]) -> BTreeSet<&'e str> {
    let actions = entries.iter().flat_map(|entry| &entry.actions).filter(|action| action["type"] == "review");
    actions.filter_map(|action| action["revision"].as_str()).collect()
}

#[cfg(test)]
pub(crate) mod tests;
