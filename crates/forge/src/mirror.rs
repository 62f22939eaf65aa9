//! Mirrors: an ordinary git host gets the merged default branch, and changes made there come back. Nothing is ever forced.

use crate::{
    Forge,
    convert::{self, Told},
    durable,
    git::{self, Config},
    limits,
    repository::{canonical, locked_ref, move_branch},
};
use domain::{Oid, Problem, Rid};
use radicle::crypto::SigningKey;
use radicle::storage::git::Repository;
use std::path::Path;

/// Where what was fetched stands until it is in the default branch, each fetch by itself.
const FETCHED: &str = "refs/meshwork/fetched";

/// What another git host has of the default branch.
#[derive(Debug)]
pub struct AtMirror {
    /// Where its branch is; none when it has none of that name.
    pub head: Option<Oid>,
    news: Option<Fetched>,
}

impl AtMirror {
    /// Whether its branch has commits that the project has not.
    pub fn has_news(&self) -> bool {
        self.news.is_some()
    }
}

/// A commit that came, and the ref that keeps it meanwhile.
struct Fetched {
    commit: git2::Oid,
    name: String,
    git: git2::Repository,
}

impl std::fmt::Debug for Fetched {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Fetched").field(&self.commit).finish()
    }
}

impl Drop for Fetched {
    fn drop(&mut self) {
        if let Err(error) = locked_ref(|| self.git.find_reference(&self.name)?.delete()) {
            tracing::debug!(%error, name = %self.name, "a fetched branch could not be removed");
        }
    }
}

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

    /// Looks what a mirror has, and fetches what is new there. Nobody waits for it but the caller. A repository without a
    /// common history is refused.
    pub fn mirror_fetch(&self, rid: &Rid, remote: &str) -> Result<AtMirror, Problem> {
        check(remote)?;
        let repo = self.repository(rid)?;
        let (branch, ours) = canonical(&repo)?;
        let heads = heads(&repo, remote)?;
        let own = heads.iter().find(|(name, _)| *name == branch);
        // Where only other branches are, one of them tells whether it is the same project.
        let Some((name, at)) = own.or(heads.first()) else { return Ok(AtMirror { head: None, news: None }) };
        let head = own.map(|(_, at)| convert::oid(at)).transpose()?;
        if ours == *at || repo.backend.graph_descendant_of(ours, *at).unwrap_or(false) {
            return Ok(AtMirror { head, news: None });
        }
        let news = fetch(&repo, remote, name)?;
        if repo.backend.merge_base(ours, news.commit).is_err() {
            return Err(Problem::conflict(format!("{} holds another repository.", shown(remote)))
                .because(format!("Its branch {name} has no commit in common with the project's branch {branch}."))
                .next("Give an empty repository, or one that was made from this project."));
        }
        let head = head.and(Some(convert::oid(news.commit)?));
        Ok(AtMirror { news: head.is_some().then_some(news), head })
    }

    /// Brings in what [`Forge::mirror_fetch`] found: as a fast-forward, or as a merge by the member where both sides went on
    /// and do not contradict each other. None when there is nothing new.
    pub fn mirror_bring(&self, rid: &Rid, found: &AtMirror) -> Result<Option<Oid>, Problem> {
        let Some(news) = &found.news else { return Ok(None) };
        self.as_delegate(rid, |repo, key| {
            let (branch, ours) = canonical(repo)?;
            self.bring(repo, key, &branch, ours, news.commit)
        })
    }

    fn bring(&self, repo: &Repository, key: &SigningKey, branch: &str, ours: git2::Oid, theirs: git2::Oid) -> Result<Option<Oid>, Problem> {
        if ours == theirs || repo.backend.graph_descendant_of(ours, theirs).unwrap_or(false) {
            return Ok(None);
        }
        let message = format!("Merge changes made to {branch} elsewhere\n");
        match self.combine(repo, branch, ours, theirs, &message, &|_, _, _, _| None)? {
            Ok(commit) => {
                move_branch(repo, key, branch, commit)?;
                convert::oid(commit).map(Some)
            }
            Err(paths) => Err(Problem::conflict("The changes made there contradict those made here.")
                .because(format!("Both changed {}.", paths.join(", ")))
                .next("Merge the two by hand in a working copy of that repository, commit it there, and take it in again.")),
        }
    }
}

/// The branches of another git host, and where they are.
fn heads(repo: &Repository, remote: &str) -> Result<Vec<(String, git2::Oid)>, Problem> {
    let listed = remote_git(repo.backend.path(), &["ls-remote", "--quiet", "--heads", "--", remote])?;
    if !listed.status.success() {
        return Err(unreachable(remote, &listed.stderr));
    }
    let head = |line: &str| {
        let (at, name) = line.split_once('\t')?;
        Some((name.strip_prefix("refs/heads/")?.to_owned(), git2::Oid::from_str(at).ok()?))
    };
    Ok(listed.stdout.lines().filter_map(head).collect())
}

fn fetch(repo: &Repository, remote: &str, branch: &str) -> Result<Fetched, Problem> {
    let what = "The mirror's branch could not be read.";
    let mut nonce = [0; 8];
    getrandom::fill(&mut nonce).told("The system gives no randomness.")?;
    let name = format!("{FETCHED}/{:016x}", u64::from_be_bytes(nonce));
    let spec = format!("+refs/heads/{branch}:{name}");
    let args =
        ["-c", durable::GIT, "fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules", "--", remote, &spec];
    let fetched = remote_git(repo.backend.path(), &args)?;
    if !fetched.status.success() {
        return Err(unreachable(remote, &fetched.stderr));
    }
    let git = git2::Repository::open(repo.backend.path()).told(what)?;
    let commit = git.refname_to_id(&name).told(what)?;
    Ok(Fetched { commit, name, git })
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
    Err(Problem::invalid(format!("“{}” is not the address of a git host.", shown(remote)))
        .next("Use an address as https://host/owner/project.git or git@host:owner/project.git."))
}

fn shown(remote: &str) -> String {
    domain::shown(&git::redact(remote))
}

fn unreachable(remote: &str, stderr: &str) -> Problem {
    let next = "Name a git working copy on this machine, or a git remote's address.";
    let local = Path::new(remote).is_absolute();
    if local && !Path::new(remote).exists() {
        return Problem::not_found(format!("There is no folder {}.", shown(remote))).next(next);
    }
    if local && stderr.contains("does not appear to be a git repository") {
        return Problem::invalid(format!("{} is not a git repository.", shown(remote))).next(next);
    }
    Problem::unavailable(format!("{} did not answer as it should.", shown(remote)))
        .because(git::last_words(stderr))
        .next("Check the address, the network, and that git can sign in there without asking.")
}
