//! What was on a default branch as a line had it that this device joined with what others had of it (`rejoin.rs`): that is kept aside, and
//! does not count.

use crate::{
    Forge, OrgState,
    convert::{self, Told},
    line::ASIDE,
    org::revoked,
    repository::{canonical, own_branch},
};
use domain::{
    Did, Problem, Rid,
    org::{KeyKind, Revoked},
};
use git2::{ErrorCode, Oid, Repository as Git, Sort};
use std::collections::BTreeMap;

const UNREADABLE: &str = "What was kept aside cannot be read.";
/// Where the org's members are.
const MEMBERS: &str = "members/";

/// Who was removed from the org in what was kept aside, and belongs to it all the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undone {
    /// The device's name, or the member's, as the org has it now.
    pub name: String,
    /// Which of the two it is. A member goes with their devices, a device with the keys on it.
    pub of: KeyKind,
    /// Whether they were removed as lost or stolen.
    pub lost: bool,
}

impl Forge {
    /// The first lines of the commits that a key had on a repository's default branch, and that are not on the one that counts: the newest
    /// first, and no more than `most`. `aside` are the branches of the key that were kept aside. None where the default branch is not
    /// among them, or was removed since.
    ///
    /// # Errors
    /// When the repository cannot be read.
    pub fn left_aside(&self, rid: &Rid, key: &Did, aside: &[String], most: usize) -> Result<Vec<String>, Problem> {
        let repo = self.repository(rid)?;
        let (branch, head) = canonical(&repo)?;
        let Some(tip) = tip(&repo.backend, &branch, key, aside)? else { return Ok(vec![]) };
        ahead(&repo.backend, tip, head, most).told(UNREADABLE)
    }

    /// Who was removed in what was kept aside of the org's default branch, as in [`Forge::left_aside`], and belongs to the org by this state
    /// of it: all of them.
    ///
    /// # Errors
    /// When the repository cannot be read.
    pub fn undone_removals(&self, rid: &Rid, key: &Did, aside: &[String], now: &OrgState) -> Result<Vec<Undone>, Problem> {
        let repo = self.repository(rid)?;
        let (branch, _) = canonical(&repo)?;
        let Some(tip) = tip(&repo.backend, &branch, key, aside)? else { return Ok(vec![]) };
        let there = self.files(rid, &convert::oid(tip)?, &[revoked::FILE, MEMBERS])?;
        Ok(undone(&there, now))
    }
}

/// Where the default branch was kept aside; none where it was not, or that was removed since.
fn tip(git: &Git, branch: &str, key: &Did, aside: &[String]) -> Result<Option<Oid>, Problem> {
    let Some(name) = aside.iter().find(|name| is_of(name, branch)) else { return Ok(None) };
    match git.refname_to_id(&own_branch(&convert::key(key)?, name)) {
        Ok(tip) => Ok(Some(tip)),
        Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
        Err(error) => Err(error).told(UNREADABLE),
    }
}

/// Who is listed now though these files, the keys that count no more and the members among them, say that they were removed.
fn undone(there: &BTreeMap<String, Vec<u8>>, now: &OrgState) -> Vec<Undone> {
    let Revoked { revoked, ended } = revoked::read(there);
    let lost = |did: &&Did| revoked.iter().any(|gone| gone.did == **did);
    let is_gone = |did: &&Did| lost(did) || ended.iter().any(|gone| gone.did == **did);
    let named = |did: &Did| {
        let mut members = there.iter().filter(|(path, _)| path.starts_with(MEMBERS));
        members.any(|(_, content)| String::from_utf8_lossy(content).contains(did.as_str()))
    };
    let mut all = vec![];
    for (name, member) in &now.members {
        let keys = || member.keys.iter().map(|key| &key.did);
        // One whose file is not there, with none of the keys in another, was not renamed.
        if keys().any(|did| is_gone(&did)) && !there.contains_key(&format!("{MEMBERS}{name}.toml")) && !keys().any(named) {
            all.push(Undone { name: name.clone(), of: KeyKind::Member, lost: keys().any(|did| lost(&did)) });
        }
    }
    let with_owner = |owner: &str| all.iter().any(|undone| undone.name == owner);
    let mut devices = vec![];
    for (name, device) in now.devices.iter().filter(|(_, device)| !with_owner(&device.owner)) {
        let on_it = now.members.values().flat_map(|member| &member.keys).filter(|key| key.device == device.did).map(|key| &key.did);
        let gone: Vec<&Did> = std::iter::once(&device.did).chain(on_it).filter(is_gone).collect();
        if !gone.is_empty() {
            devices.push(Undone { name: name.clone(), of: KeyKind::Device, lost: gone.iter().any(lost) });
        }
    }
    all.extend(devices);
    all
}

/// Whether a branch is where another was kept aside: under [`ASIDE`], with a signature before its name.
fn is_of(name: &str, branch: &str) -> bool {
    format!("refs/heads/{name}").strip_prefix(ASIDE).and_then(|rest| rest.split_once('/')).is_some_and(|(_, of)| of == branch)
}

/// The first lines of what is in the history of one commit and not in that of another, along the first parents.
fn ahead(git: &Git, tip: Oid, head: Oid, most: usize) -> Result<Vec<String>, git2::Error> {
    let mut walk = git.revwalk()?;
    walk.set_sorting(Sort::TOPOLOGICAL)?;
    walk.simplify_first_parent()?;
    walk.push(tip)?;
    walk.hide(head)?;
    let title = |at: Oid| -> Result<String, git2::Error> {
        let commit = git.find_commit(at)?;
        Ok(commit.summary().ok().flatten().map(domain::shown).unwrap_or_default())
    };
    walk.take(most).map(|at| title(at?)).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::review::tests::with_patch;
    use domain::{
        Timestamp,
        org::{Device, Member, MemberKey, Org, Revocation},
    };

    #[test]
    fn what_was_on_the_default_branch_aside_is_named_unless_it_counts_or_was_removed() {
        let dir = tempfile::tempdir().unwrap();
        let (forge, rid, _) = with_patch(dir.path());
        let (repo, key) = (forge.repository(&rid).unwrap(), forge.member());
        let (git, head) = (&repo.backend, convert::git_oid(forge.head(&rid).unwrap().as_str()).unwrap());
        let who = git2::Signature::now("person", "person@example.org").unwrap();
        let commit = |words: &str, parents: &[Oid]| {
            let parents: Vec<_> = parents.iter().map(|at| git.find_commit(*at).unwrap()).collect();
            let tree = git.find_commit(head).unwrap().tree().unwrap();
            git.commit(None, &who, &who, words, &tree, &parents.iter().collect::<Vec<_>>()).unwrap()
        };
        let one = commit("one\n\nMore of it.", &[head]);
        let beside = commit("beside", &[head]);
        let two = commit("two", &[one, beside]);
        let name = own_branch(&convert::key(&key).unwrap(), "aside/0123456789ab/main");
        git.reference(&name, two, false, "test").unwrap();
        let left = |aside: &str, most: usize| forge.left_aside(&rid, &key, &[aside.to_owned()], most).unwrap();

        assert_eq!(left("aside/0123456789ab/main", 9), ["two", "one"]);
        assert_eq!(left("aside/0123456789ab/main", 1), ["two"]);
        assert!(left("aside/0123456789ab/other", 9).is_empty(), "another branch");
        assert!(left("aside/ba9876543210/main", 9).is_empty(), "it was removed");
        assert!(ahead(git, two, commit("again", &[beside, two]), 9).unwrap().is_empty(), "it counts again");
    }

    fn did(letter: &str) -> Did {
        format!("did:key:z6Mk{}", letter.repeat(44)).parse().unwrap()
    }

    /// A member with a device of each of these keys, and another key on it.
    fn listed(state: &mut OrgState, name: &str, devices: &[(&str, &str)]) {
        let mut member = Member { name: name.into(), roles: vec![], standby: None, keys: vec![] };
        for (device, key) in devices {
            let at = format!("{name}-{device}");
            state.devices.insert(at.clone(), Device::new(at, did(device), name));
            member.keys.push(MemberKey { did: did(key), device: did(device) });
        }
        state.members.insert(name.into(), member);
    }

    fn org() -> OrgState {
        let (members, devices, agents, projects, quotas) = Default::default();
        let (org, commit) = (Org { version: 1, name: "crew".parse().unwrap(), threshold: 1 }, "c".repeat(40).parse().unwrap());
        OrgState { org, members, devices, agents, projects, quotas, revoked: vec![], ended: vec![], commit, refused: None }
    }

    fn parted(keys: &[&str]) -> Vec<Revocation> {
        keys.iter()
            .map(|key| Revocation { did: did(key), kind: KeyKind::Device, at: Timestamp(0), why: String::new(), name: None })
            .collect()
    }

    #[test]
    fn who_was_removed_aside_and_is_listed_is_named_by_what_is_to_be_removed_again() {
        let mut now = org();
        listed(&mut now, "ada", &[("a", "b"), ("c", "d")]);
        listed(&mut now, "bob", &[("e", "f")]);
        listed(&mut now, "cara", &[("g", "h")]);
        listed(&mut now, "dora", &[("i", "j")]);
        let gone = Revoked { revoked: parted(&["c", "d", "z"]), ended: parted(&["e", "f", "h"]) };
        let file = |keys: &[&str]| keys.iter().map(|key| did(key).to_string()).collect::<Vec<_>>().join("\n").into_bytes();
        let there = BTreeMap::from([
            (revoked::FILE.to_owned(), toml::to_string(&gone).unwrap().into_bytes()),
            ("members/ada.toml".to_owned(), file(&["b"])),
            ("members/cara.toml".to_owned(), file(&[])),
            ("members/dolores.toml".to_owned(), file(&["j"])),
        ]);
        let named = |name: &str, of, lost| Undone { name: name.into(), of, lost };
        let expected = [
            named("bob", KeyKind::Member, false),
            named("ada-c", KeyKind::Device, true),
            // Of this one only the member's key on it.
            named("cara-g", KeyKind::Device, false),
        ];
        assert_eq!(undone(&there, &now), expected);
        assert!(undone(&there, &org()).is_empty(), "they were removed again");
        assert!(undone(&BTreeMap::new(), &now).is_empty());
    }

    #[test]
    fn removals_are_read_from_where_the_default_branch_was_kept_aside() {
        let dir = tempfile::tempdir().unwrap();
        let (forge, rid, _) = with_patch(dir.path());
        let (repo, key) = (forge.repository(&rid).unwrap(), forge.member());
        let head = convert::git_oid(forge.head(&rid).unwrap().as_str()).unwrap();
        let gone = toml::to_string(&Revoked { revoked: parted(&["a"]), ended: vec![] }).unwrap().into_bytes();
        let files = [(revoked::FILE.to_owned(), Some(gone))];
        let removed = forge.as_member(&rid, |repo| forge.member_commit(repo, head, "Remove it", &files)).unwrap();
        let name = own_branch(&convert::key(&key).unwrap(), "aside/0123456789ab/main");
        repo.backend.reference(&name, removed, false, "test").unwrap();
        let mut now = org();
        listed(&mut now, "ada", &[("a", "b")]);
        let undone = |aside: &str| forge.undone_removals(&rid, &key, &[aside.to_owned()], &now).unwrap();
        assert_eq!(undone("aside/0123456789ab/main"), [Undone { name: "ada-a".into(), of: KeyKind::Device, lost: true }]);
        assert!(undone("aside/0123456789ab/other").is_empty(), "another branch");
    }
}
