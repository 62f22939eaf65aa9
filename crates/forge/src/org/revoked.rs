//! Keys that count no more, heard also from a commit that has mistakes elsewhere.

use super::{OrgState, Refused};
use domain::{Did, Oid, Problem, org::Revoked, role::Role};
use std::collections::{BTreeMap, BTreeSet};

/// Where they are listed.
pub(crate) const FILE: &str = "revoked.toml";

/// What is listed; nothing where that cannot be read.
pub(crate) fn read(files: &BTreeMap<String, Vec<u8>>) -> Revoked {
    let text = files.get(FILE).and_then(|content| std::str::from_utf8(content).ok());
    text.and_then(|text| toml::from_str(text).ok()).unwrap_or_default()
}

impl OrgState {
    /// The same after a commit that was refused and says this of keys: without them, the devices that have them, and the agents for
    /// whom they answer. Owners stay where there would be fewer than must sign: nobody could mend the mistake then.
    pub(super) fn refusing(mut self, commit: Oid, problem: Problem, mut parted: Revoked) -> Self {
        let keys = |parted: &Revoked| -> BTreeSet<Did> { parted.revoked.iter().chain(&parted.ended).map(|key| key.did.clone()).collect() };
        if self.owners_without(&keys(&parted)) < usize::try_from(self.org.threshold).unwrap_or(usize::MAX) {
            let owners = self.owners_own();
            parted.revoked.retain(|key| !owners.contains(&key.did));
            parted.ended.retain(|key| !owners.contains(&key.did));
        }
        parted.revoked.retain(|key| !self.revoked.iter().any(|gone| gone.did == key.did));
        parted.ended.retain(|key| !self.is_gone(&key.did));
        let gone = keys(&parted);
        self.devices.retain(|_, device| !gone.contains(&device.did));
        for member in self.members.values_mut() {
            member.keys.retain(|key| !gone.contains(&key.did) && !gone.contains(&key.device));
            member.standby = member.standby.take().filter(|did| !gone.contains(did));
        }
        self.agents.retain(|_, agent| !gone.contains(&agent.answers));
        self.ended.extend(parted.ended);
        // It ended before, and turned out to be stolen.
        let revoked: BTreeSet<Did> = parted.revoked.iter().map(|key| key.did.clone()).collect();
        self.ended.retain(|key| !revoked.contains(&key.did));
        self.revoked.extend(parted.revoked);
        self.refused = Some(Refused { commit, problem, revoked });
        self
    }

    /// How many owners would have a key without these.
    fn owners_without(&self, gone: &BTreeSet<Did>) -> usize {
        let owners = self.members.values().filter(|member| member.roles.contains(&Role::Owner));
        owners.filter(|owner| owner.keys.iter().any(|key| !gone.contains(&key.did) && !gone.contains(&key.device))).count()
    }

    /// The keys of owners, and of their devices.
    fn owners_own(&self) -> BTreeSet<Did> {
        let owners = self.members.values().filter(|member| member.roles.contains(&Role::Owner));
        owners.flat_map(|owner| owner.keys.iter().flat_map(|key| [key.did.clone(), key.device.clone()])).collect()
    }
}
