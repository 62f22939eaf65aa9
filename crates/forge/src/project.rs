//! Projects: made from a git working copy, or cloned from another node; who may read them.

use crate::{
    Forge,
    convert::{self, Told},
    durable, git, limits,
    repository::{canonical, follow_identity, own_branch},
    signing::{object, written},
};
use domain::{Did, Oid, Problem, ProjectName, Rid};
use git2::{ErrorCode, ObjectType, RepositoryOpenFlags, StatusOptions, TreeWalkMode, TreeWalkResult};
use radicle::cob::{
    Title,
    identity::{Identity, TYPENAME},
};
use radicle::git::fmt::RefString;
use radicle::identity::{self, Doc, RepoId, project};
use radicle::node::{FetchResult, Handle as _};
use radicle::storage::{ReadRepository, SignRepository, WriteRepository, git::Repository};
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::net::SocketAddr;
use std::path::Path;
use std::str::FromStr;

/// Who may read a project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Visibility {
    /// Everybody.
    Public,
    /// Its delegates, this device, and these keys. A node reads with the key of its device.
    Private {
        /// The keys.
        allow: Vec<Did>,
    },
}

/// A project that was made from a working copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InitProject {
    /// Its repository.
    pub rid: Rid,
    /// Its default branch.
    pub branch: String,
    /// Where that is.
    pub head: Oid,
    /// Whether the repository was there already, from an earlier or interrupted attempt.
    pub existed: bool,
    /// What the person should know: sentences.
    pub notices: Vec<String>,
}

impl Forge {
    /// The Radicle repository that a git working copy is already, where its remote `rad` names one.
    pub fn known_as(&self, working_copy: &Path) -> Result<Option<Rid>, Problem> {
        rad_remote(&open_working_copy(working_copy)?)
    }

    /// Makes a project from a git working copy: its default branch (`branch`, else the one that is checked out) comes into
    /// the storage, with the member as delegate. The working copy gets a remote `rad`, and nothing else changes in it.
    pub fn init_project(
        &self,
        working_copy: &Path,
        name: &ProjectName,
        branch: Option<&str>,
        visibility: &Visibility,
    ) -> Result<InitProject, Problem> {
        let work = open_working_copy(working_copy)?;
        let (branch, head) = branch_of(&work, branch)?;
        let notices = notices(&work, head)?;
        if let Some(rid) = rad_remote(&work)? {
            return self.known(&rid, notices);
        }
        let doc = self.document(name.as_str(), "", &branch, visibility)?;
        let (rid, head, existed) = self.found(&doc, Some(head), |repo, to| fetch_branch(&work, repo, &branch, to))?;
        self.add_remote(&work, &rid, &branch, head)?;
        Ok(InitProject { head: convert::oid(head)?, rid, branch, existed, notices })
    }

    /// A working copy that has a remote `rad` already.
    fn known(&self, rid: &Rid, notices: Vec<String>) -> Result<InitProject, Problem> {
        if !self.repositories()?.contains(rid) {
            return Err(Problem::conflict(format!("This working copy is the Radicle repository {rid} already."))
                .because("It is not in this org's storage.")
                .next(format!("Add it by its id, {rid}, from a node that has it; or remove the remote with `git remote remove rad`.")));
        }
        let (branch, head) = canonical(&self.repository(rid)?)?;
        self.seed(rid)?;
        Ok(InitProject { rid: rid.clone(), branch, head: convert::oid(head)?, existed: true, notices })
    }

    /// The identity document of a new repository.
    pub(crate) fn document(&self, name: &str, description: &str, branch: &str, visibility: &Visibility) -> Result<Doc, Problem> {
        let name = project::ProjectName::from_str(name).told(format!("“{name}” cannot be a name in Radicle."))?;
        let branch_name = RefString::try_from(branch).told(format!("“{branch}” cannot be a branch in Radicle."))?;
        let project = project::Project::new(name, description.to_owned(), branch_name).map_err(|errors| {
            Problem::invalid("Radicle refuses this project.")
                .because(errors.into_iter().map(|e| e.to_string()).collect::<Vec<_>>().join(", "))
                .next("Give another name or branch: --name, --branch.")
        })?;
        let visibility = match visibility {
            Visibility::Public => identity::Visibility::Public,
            // Other nodes speak of a private repository only to node ids that it lists, and ours is the node's.
            Visibility::Private { allow } => identity::Visibility::private(dids(allow)?.into_iter().chain([self.node_key().into()])),
        };
        Ok(Doc::initial(project, self.member_key().into(), visibility))
    }

    /// Founds a repository with its identity document and first commit, which `fill` brings into the ref that it is given.
    /// An interrupted attempt is done again; a finished one is taken as it is, unless `head` does not descend from its head.
    pub(crate) fn found(
        &self,
        doc: &Doc,
        head: Option<git2::Oid>,
        fill: impl FnOnce(&Repository, &str) -> Result<git2::Oid, Problem>,
    ) -> Result<(Rid, git2::Oid, bool), Problem> {
        // The id of a repository is the hash of its first document, so that a second attempt finds the first.
        let id = RepoId::from(doc.encode().told("The identity document could not be made.")?.0);
        let rid = convert::rid(&id)?;
        let (at, existed) = self.queue.turn(id, *self.member_key(), || match self.finished(id)? {
            Some(repo) => same_project(&repo, &rid, head).map(|at| (at, true)),
            None => self.found_new(doc, fill).map(|at| (at, false)),
        })?;
        self.seed(&rid)?;
        self.announce_quietly(&rid, &[*self.member_key()]);
        Ok((rid, at, existed))
    }

    /// The repository, if founding it was finished; what is left of an unfinished attempt is removed.
    fn finished(&self, id: RepoId) -> Result<Option<Repository>, Problem> {
        let path = self.path_of(&id);
        if !path.exists() {
            return Ok(None);
        }
        match self.open_repository(id) {
            Ok(repo) if canonical(&repo).is_ok() => return Ok(Some(repo)),
            // What cannot be read may be finished all the same.
            Err(problem) if std::fs::read_dir(&path).is_err() => return Err(problem),
            _ => {}
        }
        std::fs::remove_dir_all(&path).told(format!("The unfinished repository {} could not be removed.", id.urn()))?;
        Ok(None)
    }

    fn found_new(&self, doc: &Doc, fill: impl FnOnce(&Repository, &str) -> Result<git2::Oid, Problem>) -> Result<git2::Oid, Problem> {
        let what = "The Radicle repository could not be made.";
        let (repo, identity) = Repository::init(doc, &self.storage, &self.member).told(what)?;
        let made = (|| {
            let branch = doc.project().told(what)?.default_branch().to_string();
            let head = fill(&repo, &own_branch(self.member_key(), &branch))?;
            repo.set_remote_identity_root_to(self.member_key(), identity).told(what)?;
            self.plain_identity(&repo, identity).told(what)?;
            repo.set_identity_head_to(identity).told(what)?;
            repo.set_canonical_symbolic_refs("found").told(what)?;
            repo.sign_refs(&self.member).told(what)?;
            // The canonical head comes last: a repository that has one is finished.
            repo.set_default_branch_to_canonical_head().told(what)?;
            Ok(head)
        })();
        if made.is_err()
            && let Err(error) = repo.remove()
        {
            tracing::warn!(%error, "an unfinished repository could not be removed");
        }
        made.and_then(|head| durable::sync_made(repo.path()).map(|()| head))
    }

    /// Radicle makes `rad/id` of whoever founds a repository a symbolic ref, and refuses to fetch where it finds one in a namespace that
    /// is not its node's own. The member's is none, so there it becomes a ref like those of everybody else.
    fn plain_identity(&self, repo: &Repository, identity: radicle::git::Oid) -> Result<(), git2::Error> {
        if self.member_key() == self.node_key() {
            return Ok(());
        }
        let name = radicle::git::refs::storage::id(self.member_key());
        repo.backend.reference(name.as_str(), identity.into(), true, "meshwork").map(drop)
    }

    /// Gives a working copy the remote `rad`, and a tracking ref as if it had been fetched.
    fn add_remote(&self, work: &git2::Repository, rid: &Rid, branch: &str, head: git2::Oid) -> Result<(), Problem> {
        let url = radicle::git::Url::from(convert::repo_id(rid)?);
        // The stock `rad` with this Radicle home pushes with the node's key.
        let push = url.clone().with_namespace(*self.node_key());
        radicle::git::configure_remote(work, "rad", &url, &push).told("The remote “rad” could not be added to the working copy.")?;
        if let Err(error) = work.reference(&format!("refs/remotes/rad/{branch}"), head, true, "meshwork") {
            tracing::debug!(%error, "the tracking ref of rad could not be set");
        }
        Ok(())
    }

    /// Clones a repository from a node: at this address, or one that is connected. The node must run. It waits as long as the
    /// other takes, within the limits of a connection and a fetch.
    pub fn clone_project(&self, rid: &Rid, from: &Did, address: Option<SocketAddr>, node: &crate::Node) -> Result<Oid, Problem> {
        self.seed(rid)?;
        if let Some(address) = address {
            node.connect(from, address)?;
        }
        self.fetch(rid, from)?;
        self.head(rid)
    }

    /// Fetches everything of a repository from a connected node.
    pub(crate) fn fetch(&self, rid: &Rid, from: &Did) -> Result<(), Problem> {
        let (id, key) = (convert::repo_id(rid)?, convert::key(from)?);
        let failed = format!("The repository {rid} could not be fetched from {from}.");
        match self.handle()?.fetch(id, key, limits::FETCH, None).told(failed.clone())? {
            FetchResult::Success { .. } => Ok(()),
            FetchResult::Failed { reason } => Err(Problem::unavailable(failed).because(domain::shown(&reason))),
        }
    }

    /// Of these keys those that may read a repository; none: everybody may.
    pub fn readers(&self, rid: &Rid, of: &[Did]) -> Result<Option<BTreeSet<Did>>, Problem> {
        let doc = self.repository(rid)?.identity_doc().told(format!("The identity of {rid} cannot be read."))?;
        if doc.is_public() {
            return Ok(None);
        }
        let mut readers = BTreeSet::new();
        for did in of {
            if doc.is_visible_to(&identity::Did::from(convert::key(did)?)) {
                readers.insert(did.clone());
            }
        }
        Ok(Some(readers))
    }

    /// Lets these keys read a private repository too. Nothing happens where they may already.
    pub fn allow(&self, rid: &Rid, readers: &[Did]) -> Result<(), Problem> {
        let readers = dids(readers)?;
        self.as_delegate(rid, |repo, key| {
            let what = format!("The identity of {rid} could not be changed.");
            written(repo, key, || {
                let mut identity = Identity::load_mut(repo, key).told(what.clone())?;
                if readers.iter().all(|did| identity.doc().is_visible_to(did)) {
                    return Ok(((), None));
                }
                let mut doc = identity.doc().clone().edit();
                if let identity::Visibility::Private { allow } = &mut doc.visibility {
                    allow.extend(readers.iter().copied());
                }
                let doc = doc.verified().told(what.clone())?;
                let title = Title::new("Allow more readers").map_err(Problem::internal)?;
                identity.update(title, "", &doc).told(what.clone())?;
                Ok(((), Some(object(&*TYPENAME, identity.id))))
            })?;
            follow_identity(repo).map(drop)
        })
    }
}

fn dids(list: &[Did]) -> Result<Vec<identity::Did>, Problem> {
    list.iter().map(|did| convert::key(did).map(identity::Did::from)).collect()
}

/// Whether a repository that exists is the one that is being founded; then its head.
fn same_project(repo: &Repository, rid: &Rid, head: Option<git2::Oid>) -> Result<git2::Oid, Problem> {
    let at = canonical(repo)?.1;
    let Some(head) = head else { return Ok(at) };
    if head == at
        || repo.backend.graph_descendant_of(head, at).unwrap_or(false)
        || repo.backend.graph_descendant_of(at, head).unwrap_or(false)
    {
        return Ok(at);
    }
    Err(Problem::conflict(format!("There is another project of this name already: {rid}.")).next("Choose another name."))
}

fn open_working_copy(path: &Path) -> Result<git2::Repository, Problem> {
    let shown = path.display();
    let none: [&OsStr; 0] = [];
    let work = git2::Repository::open_ext(path, RepositoryOpenFlags::NO_SEARCH, none).map_err(|error| match error.code() {
        ErrorCode::NotFound => not_a_repository(path),
        ErrorCode::Owner => Problem::invalid(format!("The working copy {shown} belongs to another user.")).next(format!(
            "Change its owner, or run as its owner; git itself asks for `git config --global --add safe.directory {shown}`."
        )),
        _ => Problem::invalid(format!("The working copy {shown} cannot be opened."))
            .because(error.message().to_owned())
            .next("See what `git status` says there, and mend that first."),
    })?;
    if work.is_bare() {
        return Err(Problem::invalid(format!("{shown} is a bare repository, without files.")).next("Clone it with git, and add the clone."));
    }
    if work.is_shallow() {
        return Err(Problem::invalid(format!("{shown} has only a part of its history (a shallow clone)."))
            .next("Fetch the rest with `git fetch --unshallow`, and try again."));
    }
    Ok(work)
}

fn not_a_repository(path: &Path) -> Problem {
    let shown = path.display();
    if !path.is_dir() {
        return Problem::not_found(format!("There is no folder {shown}."))
            .next("Check the path; a project is made of a folder with a git repository.");
    }
    let problem = Problem::invalid(format!("{shown} is not a git repository."));
    match git2::Repository::discover(path).ok().as_ref().and_then(|around| around.workdir()) {
        Some(root) => problem.because(format!("It lies within the repository {}.", root.display())).next("Add that one instead."),
        None => problem.next("Make it one with `git init` and a first commit."),
    }
}

fn branch_of(work: &git2::Repository, wanted: Option<&str>) -> Result<(String, git2::Oid), Problem> {
    let none = || Problem::invalid("The repository has no commits.").next("Make a first commit with `git add` and `git commit`.");
    if let Some(name) = wanted {
        let found = work.find_branch(name, git2::BranchType::Local).ok().and_then(|branch| branch.get().target());
        return match found {
            Some(head) => Ok((name.to_owned(), head)),
            None if work.is_empty().unwrap_or(false) => Err(none()),
            None => {
                Err(Problem::not_found(format!("There is no branch “{}”.", domain::shown(name))).next("`git branch` lists the branches."))
            }
        };
    }
    let head = work.head().map_err(|error| match error.code() {
        ErrorCode::UnbornBranch | ErrorCode::NotFound => none(),
        _ => Problem::invalid("The repository's HEAD cannot be read.")
            .because(error.message().to_owned())
            .next("See what `git status` says there, and mend that first."),
    })?;
    if work.head_detached().unwrap_or(false) {
        return Err(Problem::invalid("No branch is checked out (detached HEAD).")
            .next("Check out the branch that shall be the default, or name one with `--branch`."));
    }
    let name = head
        .shorthand()
        .map_err(|_| Problem::invalid("The branch's name is not Unicode.").next("Rename it with `git branch -m`, and try again."))?
        .to_owned();
    let at = head.target().ok_or_else(none)?;
    Ok((name, at))
}

/// What a person should know about this working copy; none of it is in the way.
fn notices(work: &git2::Repository, head: git2::Oid) -> Result<Vec<String>, Problem> {
    let mut notices = Vec::new();
    let mut options = StatusOptions::new();
    options.include_untracked(true).exclude_submodules(true);
    let changed = work.statuses(Some(&mut options)).map_or(0, |found| found.iter().filter(|s| !s.status().is_ignored()).count());
    if changed > 0 {
        let files = if changed == 1 { "1 file is".to_owned() } else { format!("{changed} files are") };
        notices.push(format!("{files} not committed and therefore not part of the project yet."));
    }
    let tree = crate::repository::tree_of(work, head)?;
    let mut modules = 0;
    let walked = tree.walk(TreeWalkMode::PreOrder, |_, entry| {
        modules += usize::from(entry.kind() == Some(ObjectType::Commit));
        TreeWalkResult::Ok
    });
    walked.told("The working copy's files cannot be read.")?;
    if modules > 0 {
        notices.push(format!("{modules} submodules stay links: their files are not there in runs."));
    }
    Ok(notices)
}

fn rad_remote(work: &git2::Repository) -> Result<Option<Rid>, Problem> {
    match work.find_remote("rad") {
        Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
        Err(error) => Err(error).told("The working copy's remotes cannot be read."),
        Ok(remote) => {
            let url = remote.url().ok().and_then(|url| radicle::git::Url::from_str(url).ok());
            let url = url.ok_or_else(|| {
                Problem::conflict("The working copy has a remote “rad” that is not Radicle's.")
                    .next("Rename it with `git remote rename rad <name>`, and try again.")
            })?;
            convert::rid(&url.repo).map(Some)
        }
    }
}

/// Brings a branch of a working copy into the storage, as this ref.
fn fetch_branch(work: &git2::Repository, repo: &Repository, branch: &str, to: &str) -> Result<git2::Oid, Problem> {
    let from = work.path().canonicalize().told("The working copy cannot be read.")?;
    let spec = format!("refs/heads/{branch}:{to}");
    let args = ["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules", "--"];
    let args = args.map(OsStr::new).into_iter().chain([from.as_os_str(), OsStr::new(&spec)]);
    git::run(repo.path(), args, "The working copy's commits could not be copied.")?;
    repo.backend.refname_to_id(to).told("The working copy's commits could not be copied.")
}
