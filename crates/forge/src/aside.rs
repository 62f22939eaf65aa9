//! What was on a default branch as a line had it that this device joined with what others had of it (`rejoin.rs`): that is kept aside, and
//! does not count.

use crate::{
    Forge,
    convert::{self, Told},
    line::ASIDE,
    repository::{canonical, own_branch},
};
use domain::{Did, Problem, Rid};
use git2::{ErrorCode, Oid, Repository as Git, Sort};

impl Forge {
    /// The first lines of the commits that a key had on a repository's default branch, and that are not on the one that counts: the newest
    /// first, and no more than `most`. `aside` are the branches of the key that were kept aside. None where the default branch is not
    /// among them, or was removed since.
    ///
    /// # Errors
    /// When the repository cannot be read.
    pub fn left_aside(&self, rid: &Rid, key: &Did, aside: &[String], most: usize) -> Result<Vec<String>, Problem> {
        let what = "What was kept aside cannot be read.";
        let (repo, public) = (self.repository(rid)?, convert::key(key)?);
        let (branch, head) = canonical(&repo)?;
        let Some(name) = aside.iter().find(|name| is_of(name, &branch)) else { return Ok(vec![]) };
        match repo.backend.refname_to_id(&own_branch(&public, name)) {
            Ok(tip) => ahead(&repo.backend, tip, head, most).told(what),
            Err(error) if error.code() == ErrorCode::NotFound => Ok(vec![]),
            Err(error) => Err(error).told(what),
        }
    }
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
}
