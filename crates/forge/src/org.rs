//! The org repository: a private Radicle repository whose files say who and what belongs to the org.

mod charter;
mod decided;
mod files;
mod head;
mod history;
mod kept;
mod proposal;
pub(crate) mod revoked;
mod settle;

pub use charter::Charter;
pub(crate) use head::Agreed;
pub use proposal::{Approved, Changed, Proposal, Standing};

use crate::{
    Forge, Visibility,
    convert::{self, Told},
    limits,
    queue::lock,
};
use domain::{
    Did, Kind, Oid, Problem, Rid, agent,
    org::{Device, Member, Org, Revocation},
    project::Project,
    quota::Quotas,
    role::Role,
};
use files::{POLICY, READ, validate, write};
pub(crate) use files::{line_of, parse};
use std::collections::{BTreeMap, BTreeSet};

/// The branch of the org repository.
const BRANCH: &str = "main";

/// What the org repository says at a commit.
#[derive(Clone, Debug, PartialEq)]
pub struct OrgState {
    /// `org.toml`.
    pub org: Org,
    /// `members/`, by name.
    pub members: BTreeMap<String, Member>,
    /// `devices/`, by name.
    pub devices: BTreeMap<String, Device>,
    /// `agents/`, by name.
    pub agents: BTreeMap<String, agent::Agent>,
    /// `projects/`, by name.
    pub projects: BTreeMap<String, Project>,
    /// `quotas.toml`.
    pub quotas: Quotas,
    /// `revoked.toml`: keys of which nothing is taken any more. None of them is listed as a member's or a device's.
    pub revoked: Vec<Revocation>,
    /// `revoked.toml`: keys that merely ended, none of them listed either.
    pub ended: Vec<Revocation>,
    /// The commit that says so.
    pub commit: Oid,
    /// What was signed after that commit and does not count, because it has mistakes.
    pub refused: Option<Refused>,
}

/// A commit that the owners signed, and that does not count.
#[derive(Clone, Debug, PartialEq)]
pub struct Refused {
    /// The commit.
    pub commit: Oid,
    /// What is wrong with it.
    pub problem: Problem,
    /// The keys that it revokes, and that the state in force does not.
    pub revoked: BTreeSet<Did>,
}

impl OrgState {
    /// The member to whom a key belongs.
    pub fn member_of(&self, key: &Did) -> Option<&Member> {
        self.members.values().find(|member| member.keys.iter().any(|k| k.did == *key))
    }

    /// The device with this key.
    pub fn device_of(&self, key: &Did) -> Option<&Device> {
        self.devices.values().find(|device| device.did == *key)
    }

    /// The member to whom the device with this key belongs.
    pub fn owner_of(&self, device: &Did) -> Option<&Member> {
        self.device_of(device).and_then(|device| self.members.get(&device.owner))
    }

    /// Whether a key was lost or stolen.
    pub fn is_lost(&self, key: &Did) -> bool {
        self.revoked.iter().any(|gone| gone.did == *key)
    }

    /// Whether a key counts no more: revoked, or ended.
    pub fn is_gone(&self, key: &Did) -> bool {
        self.gone(key).is_some()
    }

    /// When and why a key counts no more, of a device when and why it was removed; none: it does, or is not known yet. Nothing lists such
    /// a key any more. That it was lost goes before that it ended.
    pub fn gone(&self, key: &Did) -> Option<&Revocation> {
        self.revoked.iter().chain(&self.ended).find(|gone| gone.did == *key)
    }

    /// What people call the device or the member with this key, also once it was removed; none: no name of it is known.
    pub fn called(&self, key: &Did) -> Option<String> {
        let listed = self.device_of(key).map(|device| &device.name).or_else(|| self.member_of(key).map(|member| &member.name));
        let gone = || Some(format!("{} (removed)", self.gone(key)?.name.as_ref()?));
        listed.cloned().or_else(gone)
    }

    /// The revoked keys without those that only a refused commit revokes: that may be a mistake too, and be taken back. For what cannot
    /// be undone.
    pub fn revoked_for_good(&self) -> impl Iterator<Item = &Did> {
        let keys = self.revoked.iter().map(|gone| &gone.did);
        keys.filter(move |key| !self.refused.as_ref().is_some_and(|refused| refused.revoked.contains(*key)))
    }

    /// The keys with which owners sign changes of the org: the first of each, so that the threshold counts persons.
    pub fn owner_keys(&self) -> Vec<Did> {
        let owners = self.members.values().filter(|member| member.roles.contains(&Role::Owner));
        owners.filter_map(|owner| owner.keys.first()).map(|key| key.did.clone()).collect()
    }

    /// Who may read what is the org's alone: its devices, and its members' keys, which are nodes where a person's Radicle profile is used.
    pub fn readers(&self) -> Vec<Did> {
        let members = self.members.values().flat_map(|member| member.keys.iter().map(|key| &key.did));
        self.devices.values().map(|device| &device.did).chain(members).cloned().collect()
    }
}

/// What was read last, by what it was read from.
pub(crate) type Read = Option<(Rid, Oid, OrgState)>;

impl Forge {
    /// Makes the org repository: private, with the member as its delegate, and with the founder's member and device files.
    pub fn create_org(&self, org: &Org, founder: &Member, device: &Device) -> Result<Rid, Problem> {
        let files = BTreeMap::from([
            ("org.toml".to_owned(), write(org)?),
            (format!("members/{}.toml", founder.name), write(founder)?),
            (format!("devices/{}.toml", device.name), write(device)?),
        ]);
        validate(&files, None)?;
        // The description keeps it apart from a project of the same name, which would otherwise be the same document.
        let doc = self.document(
            org.name.as_str(),
            "The org: who belongs to it, and what is agreed.",
            BRANCH,
            &Visibility::Private { allow: vec![] },
        )?;
        let (rid, ..) = self.found(&doc, None, |repo, to| {
            let git = &repo.backend;
            let mut tree = git2::build::TreeUpdateBuilder::new();
            for (path, content) in &files {
                tree.upsert(path.as_str(), git.blob(content).told("The org's files could not be written.")?, git2::FileMode::Blob);
            }
            let empty = git.treebuilder(None).and_then(|builder| builder.write()).and_then(|oid| git.find_tree(oid));
            let empty = empty.told("The org's files could not be written.")?;
            let tree = tree.create_updated(git, &empty).and_then(|oid| git.find_tree(oid)).told("The org's files could not be written.")?;
            let author = self.author(self.member_key())?;
            git.commit(Some(to), &author, &author, "Found the org", &tree, &[]).told("The org's first commit could not be written.")
        })?;
        Ok(rid)
    }

    /// What the org repository says at its head, checked. What has mistakes there does not count: then the last state
    /// before it without any is in force, and says what was refused. Only the keys that count no more are those of the head, where that
    /// file can be read: nobody goes on trusting a stolen key because of a mistake elsewhere.
    pub fn org_state(&self, rid: &Rid) -> Result<OrgState, Problem> {
        let head = self.org_head(rid)?;
        if let Some((of, at, state)) = &*lock(&self.org_read)
            && (of, at) == (rid, &head)
        {
            return Ok(state.clone());
        }
        let state = self.last_valid(rid, &head)?;
        *lock(&self.org_read) = Some((rid.clone(), head, state.clone()));
        Ok(state)
    }

    fn last_valid(&self, rid: &Rid, head: &Oid) -> Result<OrgState, Problem> {
        let problem = match self.org_state_at(rid, head.clone()) {
            Err(problem) if problem.kind == Kind::Invalid => problem,
            // Of a newer version: an older state of it must not be acted upon.
            other => return other,
        };
        let repo = self.repository(rid)?;
        let mut at = repo.backend.find_commit(convert::git_oid(head.as_str())?).told("The org repository cannot be read.")?;
        for _ in 0..limits::ORG_REFUSED_MAX {
            let Ok(before) = at.parent(0) else { break };
            if let Ok(state) = self.org_state_at(rid, convert::oid(before.id())?) {
                let parted = revoked::read(&self.files(rid, head, &[revoked::FILE])?);
                return Ok(state.refusing(head.clone(), problem, parted));
            }
            at = before;
        }
        Err(problem)
    }

    /// What the org repository says at a commit, checked. Mistakes of its policy do not keep it from counting: what it says of
    /// members and devices must be heard also by who cannot read a rule of it, and whoever asks such a policy is refused.
    pub fn org_state_at(&self, rid: &Rid, head: Oid) -> Result<OrgState, Problem> {
        let files = self.files(rid, &head, &READ)?;
        validate(&files, Some(head))
    }

    /// As [`Forge::org_state_at`], for a change that is to come into force upon `head`: its policy must be in order too.
    fn org_whole_at(&self, rid: &Rid, head: git2::Oid, commit: Oid) -> Result<OrgState, Problem> {
        let files = self.files(rid, &commit, &[READ.as_slice(), &[POLICY]].concat())?;
        self.org_whole(rid, head, &files, commit)
    }

    /// Reads and checks the org's files together. Policies that are in force already are not judged again: who takes a lost device
    /// out need not mend them first.
    fn org_whole(&self, rid: &Rid, head: git2::Oid, files: &BTreeMap<String, Vec<u8>>, commit: Oid) -> Result<OrgState, Problem> {
        let state = validate(files, Some(commit))?;
        let before = self.files(rid, &convert::oid(head)?, &[POLICY])?;
        let same = files.iter().filter(|(path, _)| path.starts_with(POLICY)).eq(&before);
        if let (false, Some(check)) = (same, self.org_check.get()) {
            check(files)?;
        }
        Ok(state)
    }
}
