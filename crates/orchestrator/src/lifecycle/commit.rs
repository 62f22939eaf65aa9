//! The commit of a run: the host builds it of the worktree, the runner checks the tree and signs. Then it is checked in a
//! fresh sandbox on a clean clone, which alone counts.

use super::{Drive, Over, kept, publish, start};
use crate::{dispatch, host::Live, org::Org, tasks::Board};
use domain::{
    Hash, Kind, Oid, Problem,
    event::Body,
    run::{CheckResult, Reason, Run, RunState, RunnerEvent},
};
use forge::{ImportLimits, RunRepo, RunSigner};
use identity::{Checked, Delegation, Envelope, checked};
use proto::run::CheckedCommit;
use std::sync::Arc;
use store::RunLog;

/// Among how many of the last reports of a runner the signed results are.
const LAST_REPORTS: u64 = 8;

/// Signs by the run's key, which is in its runner.
pub(super) struct Remote(pub(super) Arc<Live>);

impl RunSigner for Remote {
    fn key(&self) -> [u8; 32] {
        (*self.0.key.borrow()).unwrap_or_default()
    }

    fn sign(&self, message: &[u8]) -> Result<[u8; 64], Problem> {
        self.0.sign(message)
    }

    fn sign_commit(&self, raw: &[u8], tree: &Oid) -> Result<[u8; 64], Problem> {
        self.0.sign_commit(CheckedCommit { raw: raw.to_vec(), tree: tree.to_string(), oid: String::new() })
    }
}

impl Drive {
    /// Builds the run's commit, or finds the one that was made before a restart.
    pub(super) async fn commit(&self) -> Result<Oid, Over> {
        let (run, board, live) = (self.run()?, self.board.clone(), self.live.clone());
        let made = self.org.blocking(move |org| build(org, &board, &run, live));
        let made = made.await.map_err(|p| Over::failed(Reason::Forge { message: p.to_string() }))?;
        let (commit, tree, notes) = made.ok_or_else(|| Over::failed(Reason::NothingChanged { put_back: None }))?;
        self.record(Body::RunCommitted { run: self.id.clone(), commit: commit.clone(), tree, notes }).await?;
        Ok(commit)
    }

    /// Has the commit checked. Failing checks do not lose the work: the patch is published with what they said.
    pub(super) async fn verify(&self, commit: &Oid) -> Result<(), Over> {
        let checked = async { Ok(dispatch::check(&self.org, Some(&self.id), &self.board.project.name, commit).await?) };
        let judged = self.or_asked(checked).await;
        if let Err(over) = &judged {
            self.end_checks(commit, over).await;
        }
        let judged = judged?;
        // Checks that were cut short because everything closes are no verdict about the work.
        self.unless_asked()?;
        let signed = judged.checked.clone().filter(|_| judged.state == RunState::Done);
        let checks = match judged.state {
            RunState::Done => judged.checks,
            _ => vec![CheckResult {
                name: "checks".into(),
                passed: false,
                exit_code: None,
                duration_ms: 0,
                tail: judged.reason.map(|r| r.text()).unwrap_or_default(),
            }],
        };
        self.record(Body::ChecksEnded { run: self.id.clone(), checks, signed }).await?;
        Ok(())
    }
}

/// Keeps the results of a `ci` run as its key signed them, once they are seen to be its own. They are the last but one of
/// what its runner reported, and so found again after a restart.
pub(super) fn signed_results(org: &Org, run: &Run, log: &RunLog, results: &[CheckResult]) -> Result<Hash, Problem> {
    let missing = |what: &str| Problem::internal(format!("checks ended without {what}"));
    let delegation = start::sealed(org, run.delegation.as_ref().ok_or_else(|| missing("a delegation"))?)?;
    let delegation = Delegation::read(&delegation, |device| *device == run.requester)?;
    let reports = log.read(log.last_seq().saturating_sub(LAST_REPORTS), LAST_REPORTS as usize)?;
    let envelope = reports.iter().rev().find_map(|report| match report.parsed() {
        Some(RunnerEvent::ChecksSigned { envelope }) => serde_json::from_value::<Envelope>(envelope).ok(),
        _ => None,
    });
    let envelope = envelope.ok_or_else(|| missing("a signature"))?;
    let signed = Checked::read(&envelope, &delegation)?;
    if Some(&signed.commit) != run.base.as_ref() || signed.results != checked::without_output(results) {
        return Err(Problem::new(Kind::Forbidden, "What the run's key signed is not what its checks said."));
    }
    org.store.blobs().put(&envelope.to_json()?)
}

/// The commit, its tree, and what is odd about it; none when nothing was changed.
fn build(org: &Org, board: &Board, run: &Run, live: Arc<Live>) -> Result<Option<(Oid, Oid, Vec<String>)>, Problem> {
    let folder = org.dir.run(&run.id);
    let base = run.base.clone().ok_or_else(|| Problem::internal("a run without a base"))?;
    let (at, agent) = run.task.clone().zip(run.agent.clone()).ok_or_else(|| Problem::internal("an agent's run without a task"))?;
    let repo = RunRepo::create(&folder.join("repo.git"), &org.forge, &board.project.rid)?;
    if let Some(commit) = &run.commit
        && let Ok(tree) = repo.base_tree(commit).and_then(|t| t.tree())
    {
        return Ok(Some((commit.clone(), tree, run.notes.clone())));
    }
    let imported = repo.import(&folder.join("work"), &repo.base_tree(&base)?, &ImportLimits::default())?;
    kept::note(&folder, &kept::left_out(&repo, &folder.join("work"), &imported)?)?;
    if !imported.changed {
        return Ok(None);
    }
    let title = board.task(Some(&at.feature), &at.task)?.task.title.clone();
    let message = publish::commit_message(&at, &title, &imported.notes);
    let prepared = repo.prepare_commit(&imported.tree, &[base], agent.as_str(), &message)?;
    let commit = repo.sign_commit(&prepared, &Remote(live))?;
    Ok(Some((commit, imported.tree, imported.notes)))
}
