//! Signing: the runner signs within its delegation only; a commit only when it made the same tree of the files itself, and
//! Radicle's objects only after it agreed to a commit.

use super::mandate::Mandate;
use domain::{
    Oid, Problem,
    run::{RunSpec, RunnerJob},
};
use forge::{BaseTree, ImportLimits, commit_payload, tree_of};
use identity::{Key, delegation::Scope};
use proto::run::{CheckedCommit, SignRequest, sign_request};
use std::{path::PathBuf, sync::Arc};

/// How many objects and refs of Radicle are signed after a commit: a patch takes a handful.
const OBJECTS_MAX: u32 = 64;

/// Signs for one run.
pub(super) struct Signer {
    key: Arc<Key>,
    mandate: Arc<Mandate>,
    work: PathBuf,
    /// The files that the run began from, or why they cannot be read; none where it may not publish.
    base: Option<(Oid, Result<BaseTree, Problem>)>,
    agreed: bool,
    signed: u32,
}

impl Signer {
    /// Reads the base from the fresh clone, before any engine has touched it.
    pub(super) fn new(key: Arc<Key>, mandate: Arc<Mandate>, spec: &RunSpec) -> Self {
        let base = match &spec.job {
            RunnerJob::Agent(job) => Some((job.base.clone(), BaseTree::read(&spec.work.join(".git"), &job.base))),
            RunnerJob::Checks { .. } => None,
        };
        Self { key, mandate, work: spec.work.clone(), base, agreed: false, signed: 0 }
    }

    pub(super) fn sign(&mut self, request: &SignRequest) -> Result<[u8; 64], Problem> {
        self.mandate.allows(Scope::Publish)?;
        match &request.what {
            Some(sign_request::What::Commit(commit)) => self.commit(commit),
            Some(sign_request::What::Object(object)) => self.object(object),
            None => Err(Problem::invalid("There is nothing to sign.")),
        }
    }

    fn commit(&mut self, commit: &CheckedCommit) -> Result<[u8; 64], Problem> {
        let Some((base, tree)) = &self.base else { return Err(Problem::conflict("This run publishes nothing.")) };
        let base_tree = tree
            .as_ref()
            .map_err(|problem| Problem::conflict("The files that it began from could not be read.").because(problem.to_string()))?;
        let own = tree_of(&self.work, base_tree, &ImportLimits::default())?.tree;
        let text = String::from_utf8_lossy(&commit.raw);
        let header = |name: &str| {
            text.lines().take_while(|l| !l.is_empty()).filter_map(|l| l.strip_prefix(name)).map(str::to_owned).collect::<Vec<_>>()
        };
        if header("tree ") != [own.to_string()] {
            return Err(Problem::conflict("the host's commit is not of the files in the worktree"));
        }
        if header("parent ") != [base.to_string()] {
            return Err(Problem::conflict("the host's commit does not stand on the run's base"));
        }
        self.agreed = true;
        Ok(self.key.sign(&commit_payload(&commit.raw)?))
    }

    fn object(&mut self, object: &[u8]) -> Result<[u8; 64], Problem> {
        self.signed += 1;
        if !self.agreed || self.signed > OBJECTS_MAX {
            return Err(Problem::conflict("nothing is signed before the run's commit was checked, and not without end"));
        }
        Ok(self.key.sign(object))
    }
}
