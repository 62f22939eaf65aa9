//! The revisions of the org repository, as far as they divide its quotas among its devices.

use crate::{
    Forge,
    convert::{self, Told},
    limits, quotas,
};
use domain::{
    Kind, Oid, Problem, Rid, Timestamp,
    quota::{Division, History},
};
use git2::Commit;

/// What of a revision says who may spend what.
const DIVIDING: [&str; 3] = ["devices", "members", quotas::FILE];

impl Forge {
    /// How the revisions up to `head` divide the org's quotas. Goes on with `known` where `head` comes after what that ends with.
    /// Revisions with mistakes, which never came into force, are left out.
    ///
    /// # Errors
    /// When the org repository cannot be read.
    pub fn org_history(&self, rid: &Rid, head: &Oid, known: Option<&History>) -> Result<History, Problem> {
        let repo = self.repository(rid)?;
        let known = known.filter(|known| known.len() < limits::ORG_HISTORY_MAX);
        let mut commit = repo.backend.find_commit(convert::git_oid(head.as_str())?).told(UNREADABLE)?;
        let mut further: Vec<Commit<'_>> = vec![];
        let mut history = loop {
            if let Some(known) = known
                && known.newest() == Some(&convert::oid(commit.id())?)
            {
                break known.clone();
            }
            let before = (commit.parent_count() > 0).then(|| commit.parent(0)).transpose().told(UNREADABLE)?;
            further.push(commit);
            match before {
                None => break History::new(true),
                Some(_) if further.len() >= limits::ORG_HISTORY_MAX => break History::new(false),
                Some(before) => commit = before,
            }
        };
        let mut last: Option<(Vec<Option<git2::Oid>>, Division)> = None;
        for commit in further.iter().rev() {
            let (revision, at) = (convert::oid(commit.id())?, Timestamp(commit.time().seconds().saturating_mul(1_000)));
            let says = dividing(commit)?;
            let division = match last.take().filter(|(said, _)| *said == says) {
                Some((_, same)) => Division { revision, at, ..same },
                None => match self.org_state_at(rid, revision.clone()) {
                    Ok(state) => {
                        let (devices, members) = (state.devices.into_values().collect(), state.members.into_values().collect());
                        Division { revision, at, quotas: state.quotas, devices, members }
                    }
                    Err(problem) if problem.kind == Kind::Invalid => continue,
                    Err(problem) => return Err(problem),
                },
            };
            history.push(division.clone());
            last = Some((says, division));
        }
        Ok(history)
    }
}

const UNREADABLE: &str = "The org repository cannot be read.";

fn dividing(commit: &Commit<'_>) -> Result<Vec<Option<git2::Oid>>, Problem> {
    let tree = commit.tree().told(UNREADABLE)?;
    Ok(DIVIDING.iter().map(|name| tree.get_name(name).map(|entry| entry.id())).collect())
}
