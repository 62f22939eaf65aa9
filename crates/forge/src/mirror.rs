//! Mirrors: an ordinary git host gets the merged default branch, and changes made there come back. Nothing is ever forced.

use crate::{
    Forge,
    convert::{self, Told},
    git::{self, Config},
    limits,
    repository::{canonical, locked_ref},
};
use domain::{Oid, Problem, Rid};
use radicle::storage::git::Repository;
use std::path::Path;

/// Where what was fetched stands until it is in the default branch.
const FETCHED: &str = "refs/meshwork/mirror";

impl Forge {
    /// Pushes the canonical head to the branch of the same name at another git host, with the person's own credentials
    /// (their git configuration and SSH agent). The answer is the commit.
    pub fn mirror_push(&self, rid: &Rid, remote: &str) -> Result<Oid, Problem> {
        check(remote)?;
        let repo = self.repository(rid)?;
        let (branch, head) = canonical(&repo)?;
        let spec = format!("{head}:refs/heads/{branch}");
        let pushed = remote_git(repo.backend.path(), &["push", "--quiet", "--porcelain", "--no-verify", "--", remote, &spec])?;
        if pushed.status.success() {
            return convert::oid(head);
        }
        if pushed.stdout.contains("[rejected]") || pushed.stderr.contains("[rejected]") || pushed.stderr.contains("non-fast-forward") {
            return Err(Problem::conflict(format!("The mirror has changes on {branch} that are not here."))
                .next("Bring them in first, then push again."));
        }
        Err(unreachable(remote, &pushed.stderr))
    }

    /// Brings changes of the mirror's default branch in: as a fast-forward, or as a merge by the member where both sides
    /// went on and do not contradict each other. None when there is nothing new.
    pub fn mirror_fetch(&self, rid: &Rid, remote: &str) -> Result<Option<Oid>, Problem> {
        check(remote)?;
        self.as_member(rid, |repo| {
            self.check_delegate(repo)?;
            let (branch, ours) = canonical(repo)?;
            let Some(theirs) = fetch(repo, remote, &branch)? else { return Ok(None) };
            let brought = self.bring(repo, &branch, ours, theirs);
            locked_ref(|| repo.backend.find_reference(FETCHED)?.delete()).told("The fetched branch could not be removed.")?;
            brought
        })
    }

    fn bring(&self, repo: &Repository, branch: &str, ours: git2::Oid, theirs: git2::Oid) -> Result<Option<Oid>, Problem> {
        if ours == theirs || repo.backend.graph_descendant_of(ours, theirs).unwrap_or(false) {
            return Ok(None);
        }
        let message = format!("Merge changes of the mirror's {branch}\n");
        match self.combine(repo, branch, ours, theirs, &message, &|_, _, _, _| None)? {
            Ok(commit) => {
                self.move_branch(repo, branch, commit)?;
                convert::oid(commit).map(Some)
            }
            Err(paths) => Err(Problem::conflict("The mirror's changes contradict those made here.")
                .because(format!("Both changed {}.", paths.join(", ")))
                .next("Merge them by hand in a clone of the mirror, push it there, and fetch again.")),
        }
    }
}

/// The mirror's branch, fetched; none when it has no such branch yet.
fn fetch(repo: &Repository, remote: &str, branch: &str) -> Result<Option<git2::Oid>, Problem> {
    let spec = format!("+refs/heads/{branch}:{FETCHED}");
    let args = ["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules", "--", remote, &spec];
    let fetched = remote_git(repo.backend.path(), &args)?;
    if fetched.status.success() {
        return repo.backend.refname_to_id(FETCHED).told("The mirror's branch could not be read.").map(Some);
    }
    if fetched.stderr.contains("couldn't find remote ref") {
        return Ok(None);
    }
    Err(unreachable(remote, &fetched.stderr))
}

fn remote_git(dir: &Path, args: &[&str]) -> Result<git::Output, Problem> {
    let mut command = git::command(dir, Config::Person);
    git::output(command.args(args), limits::GIT_REMOTE)
}

/// Takes addresses of ordinary git hosts only: `ext::` and its like run commands.
fn check(remote: &str) -> Result<(), Problem> {
    let plain = !remote.is_empty() && !remote.starts_with('-') && !remote.contains("::") && !remote.chars().any(char::is_control);
    if plain {
        return Ok(());
    }
    Err(Problem::invalid(format!("“{}” is not the address of a git host.", domain::shown(&git::redact(remote))))
        .next("Use an address as https://host/owner/project.git or git@host:owner/project.git."))
}

fn unreachable(remote: &str, stderr: &str) -> Problem {
    Problem::unavailable(format!("The mirror {} did not answer as it should.", domain::shown(&git::redact(remote))))
        .because(git::last_words(stderr))
        .next("Check the address, the network, and that git can sign in there without asking.")
}
