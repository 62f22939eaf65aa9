//! The runner's mandate: the delegation of its key and the manifest that it is for, both verified before anything starts.
//! What the run's key signs, it signs within the mandate: for this work, in its time.

use crate::clock;
use domain::{
    Did, Kind, Problem, RunId, Timestamp,
    manifest::{Manifest, Work},
    run::{CheckResult, RunSpec, RunnerJob},
};
use identity::{Checked, Delegation, Envelope, Key, checked, delegation::Scope};
use proto::run::Welcome;

/// What the requester's device lets this run's key do.
#[derive(Debug)]
pub(super) struct Mandate {
    delegation: Delegation,
    manifest: Manifest,
}

impl Mandate {
    /// Verifies what the host handed over: both signatures, that they are for this run, this key and now, and that the job
    /// is the one that the manifest asks for.
    pub(super) fn verify(welcome: &Welcome, spec: &RunSpec, run: &RunId, key: &Did) -> Result<Self, Problem> {
        let read =
            |json: &str, what: &str| Envelope::from_json(json.as_bytes()).map_err(|p| p.because(format!("It should be the {what}.")));
        let (delegation, manifest) = (read(&welcome.delegation_json, "delegation")?, read(&welcome.manifest_json, "manifest")?);
        let (delegation, manifest) = Delegation::accept(&delegation, &manifest, run, key, clock::now())?;
        asked_for(spec, &manifest)?;
        Ok(Self { delegation, manifest })
    }

    /// Refuses what the delegation does not hold for, now.
    pub(super) fn allows(&self, scope: Scope) -> Result<(), Problem> {
        self.holds(scope, clock::now())
    }

    fn holds(&self, scope: Scope, at: Timestamp) -> Result<(), Problem> {
        let Delegation { from, until, .. } = self.delegation;
        if at < from || at >= until {
            return Err(Problem::new(Kind::Forbidden, format!("The run's delegation ended at {}.", until.rfc3339())));
        }
        if !self.delegation.allows(scope) {
            return Err(Problem::new(Kind::Forbidden, format!("The run's delegation lacks the scope {scope:?}.")));
        }
        Ok(())
    }

    /// When it ends: from then on the run's key signs nothing.
    pub(super) fn until(&self) -> Timestamp {
        self.delegation.until
    }

    /// Signs what the checks said.
    pub(super) fn attest(&self, key: &Key, results: &[CheckResult]) -> Result<Envelope, Problem> {
        self.allows(Scope::Attest)?;
        let Work::Checks { project, commit, definitions, .. } = &self.manifest.work else {
            return Err(Problem::internal("results of a run that makes no checks"));
        };
        let checked = Checked {
            version: checked::VERSION,
            org: self.manifest.org.clone(),
            run: self.manifest.run.clone(),
            project: project.clone(),
            commit: commit.clone(),
            definitions: definitions.clone(),
            at: clock::now(),
            results: checked::without_output(results),
        };
        checked.seal(key)
    }
}

/// Refuses a job that is not the manifest's.
fn asked_for(spec: &RunSpec, manifest: &Manifest) -> Result<(), Problem> {
    let (task, base) = match (&manifest.work, &spec.job) {
        (Work::Task { task, base, .. }, RunnerJob::Agent(job)) => (Some(task), *base == job.base && job.tick.task == task.task),
        (Work::Checks { .. }, RunnerJob::Checks { .. }) => (None, true),
        _ => (None, false),
    };
    let same = base
        && spec.task.as_ref() == task
        && spec.run == manifest.run
        && spec.class == manifest.class
        && spec.resources == manifest.resources
        && spec.limits == manifest.limits;
    if same { Ok(()) } else { Err(Problem::new(Kind::Forbidden, "The host's job is not the one that the manifest asks for.")) }
}

#[cfg(test)]
mod tests;
