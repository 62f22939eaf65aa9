//! Results of checks, signed by the key of the `ci` run that made them. They travel with the patch, beside the delegation of
//! that key: so anyone can tell who checked which commit, and what came out.

use crate::{
    Delegation, Envelope,
    delegation::{Purpose, Scope},
    envelope,
};
use domain::{Did, Kind, Oid, OrgName, Problem, ProjectName, RunId, Timestamp, run::CheckResult};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The version of the schema that this build writes.
pub const VERSION: u16 = 1;
/// The DSSE payload type of signed results.
pub const PAYLOAD_TYPE: &str = "application/vnd.meshwork.checked.v1+json";

/// The statement: these checks, on this commit, gave these results.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Checked {
    /// The schema's version.
    pub version: u16,
    /// The org.
    pub org: OrgName,
    /// The `ci` run, whose key signs.
    pub run: RunId,
    /// The project.
    pub project: ProjectName,
    /// The commit that was checked.
    pub commit: Oid,
    /// The commit of the canonical branch that defines the checks.
    pub definitions: Oid,
    /// When they ended.
    pub at: Timestamp,
    /// What each check said; what it printed is not part of it.
    pub results: Vec<CheckResult>,
}

impl Checked {
    /// Signs it by the run's key.
    pub fn seal(&self, key: &crate::Key) -> Result<Envelope, Problem> {
        envelope::seal(self, PAYLOAD_TYPE, &key.did(), |message| Ok(key.sign(message)))
    }

    /// Reads results that the key of a delegation signed, for just the work that was delegated to it, in its time.
    pub fn read(envelope: &Envelope, by: &Delegation) -> Result<Self, Problem> {
        let (checked, _) = envelope::open::<Self>(envelope, PAYLOAD_TYPE, |signer: &Did| *signer == by.key)?;
        if checked.version != VERSION {
            return Err(Problem::invalid(format!("Results of version {} are not understood here.", checked.version))
                .next("They may come from a newer Meshwork: update this machine."));
        }
        let work = Purpose::Checks { project: checked.project.clone(), commit: checked.commit.clone() };
        let in_time = checked.at >= by.from && checked.at < by.until;
        if checked.org != by.org || checked.run != by.run || work != by.purpose || !by.allows(Scope::Attest) || !in_time {
            return Err(Problem::new(Kind::Forbidden, "These results are not those for which their run's key was delegated."));
        }
        Ok(checked)
    }

    /// Whether all checks passed.
    pub fn passed(&self) -> bool {
        self.results.iter().all(|result| result.passed)
    }
}

/// Results without what the checks printed, as they are signed and journaled.
#[must_use]
pub fn without_output(results: &[CheckResult]) -> Vec<CheckResult> {
    results.iter().map(|result| CheckResult { tail: String::new(), ..result.clone() }).collect()
}
