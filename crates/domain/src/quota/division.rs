//! How the revisions of an org divide its quotas among its devices, and in which order these revisions came.

use super::{Amounts, Period, Quota, Quotas, Share};
use crate::{
    AgentName, Did, Oid, Timestamp,
    org::{Device, Member, MemberKey},
};
use std::collections::BTreeMap;

/// Whose quota it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope<'a> {
    /// All use it together.
    Org,
    /// The runs of a member, by the member's name.
    Member(&'a str),
    /// The runs of an agent.
    Agent(&'a AgentName),
}

impl Scope<'_> {
    /// As it is written: `org`, `member/ada`, `agent/builder`.
    pub fn id(self) -> String {
        match self {
            Self::Org => "org".into(),
            Self::Member(name) => format!("member/{name}"),
            Self::Agent(name) => format!("agent/{name}"),
        }
    }
}

/// What one revision of the org repository says of who may spend what.
#[derive(Clone, Debug, PartialEq)]
pub struct Division {
    /// The commit.
    pub revision: Oid,
    /// When it was made, by the clock of who made it.
    pub at: Timestamp,
    /// `quotas.toml`.
    pub quotas: Quotas,
    /// The devices.
    pub devices: Vec<Device>,
    /// The members, with their keys.
    pub members: Vec<Member>,
}

impl Division {
    /// The quota of somebody.
    pub fn quota(&self, scope: Scope<'_>) -> Option<&Quota> {
        match scope {
            Scope::Org => self.quotas.org.as_ref(),
            Scope::Member(name) => self.quotas.members.get(name),
            Scope::Agent(name) => self.quotas.agents.get(name),
        }
    }

    /// All quotas.
    pub fn scopes(&self) -> impl Iterator<Item = (Scope<'_>, Quota)> {
        let org = self.quotas.org.iter().map(|quota| (Scope::Org, *quota));
        let members = self.quotas.members.iter().map(|(name, quota)| (Scope::Member(name), *quota));
        let agents = self.quotas.agents.iter().map(|(name, quota)| (Scope::Agent(name), *quota));
        org.chain(members).chain(agents)
    }

    /// Whether a device has a part of somebody's quota. A member's runs reach a model only through devices on which the member has a
    /// key: only among these a member's quota is divided.
    fn has_part(&self, scope: Scope<'_>, device: &Did) -> bool {
        let member = match scope {
            Scope::Member(name) => self.members.iter().find(|member| member.name == *name),
            Scope::Org | Scope::Agent(_) => None,
        };
        member.is_none_or(|member| member.has_key_on(device))
    }

    pub(super) fn lists(&self, device: &Did) -> bool {
        self.devices.iter().any(|listed| listed.did == *device)
    }

    /// Whether the other says the same of who may spend what.
    fn divides_as(&self, other: &Self) -> bool {
        let quotas = |of: &Self| (of.quotas.org, of.quotas.members.clone(), of.quotas.agents.clone(), of.quotas.shares.clone());
        devices(self) == devices(other) && keys(self) == keys(other) && quotas(self) == quotas(other)
    }
}

fn devices(of: &Division) -> BTreeMap<&Did, &str> {
    of.devices.iter().map(|device| (&device.did, device.name.as_str())).collect()
}

fn keys(of: &Division) -> BTreeMap<&str, &[MemberKey]> {
    of.members.iter().map(|member| (member.name.as_str(), member.keys.as_slice())).collect()
}

/// The revisions of the org that came one after the other, as far as they divide quotas.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// Each differs from the one before it. The oldest first.
    pub(super) divisions: Vec<Division>,
    /// Which of them each revision says.
    places: BTreeMap<Oid, usize>,
    newest: Option<Oid>,
    /// The devices that are no longer listed.
    removed: Vec<Removed>,
    /// Whether it begins with the org's first revision.
    pub(super) whole: bool,
}

/// A device that is no longer listed.
#[derive(Clone, Debug)]
struct Removed {
    device: Device,
    /// The first division without it; the one before it is the last with it.
    place: usize,
}

impl History {
    /// An empty one; `whole` where the first revision that is pushed is the org's first.
    pub fn new(whole: bool) -> Self {
        Self { whole, ..Self::default() }
    }

    /// Takes in the next revision.
    pub fn push(&mut self, division: Division) {
        let revision = division.revision.clone();
        self.newest = Some(revision.clone());
        if !self.divisions.last().is_some_and(|last| last.divides_as(&division)) {
            let place = self.divisions.len();
            let before = self.divisions.last().into_iter().flat_map(|last| &last.devices);
            let removed = before.filter(|device| !division.lists(&device.did)).cloned();
            self.removed.extend(removed.map(|device| Removed { device, place }));
            self.divisions.push(division);
        }
        self.places.insert(revision, self.last());
    }

    /// How many revisions it has.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Whether it has a revision.
    pub fn knows(&self, revision: &Oid) -> bool {
        self.places.contains_key(revision)
    }

    /// The newest revision.
    pub fn newest(&self) -> Option<&Oid> {
        self.newest.as_ref()
    }

    /// The devices that are no longer listed, in the order in which they were removed.
    pub fn removed(&self) -> impl DoubleEndedIterator<Item = &Device> {
        self.removed.iter().map(|removed| &removed.device)
    }

    /// How the newest revision divides.
    pub fn now(&self) -> Option<&Division> {
        self.divisions.last()
    }

    /// The part of somebody's quota that a device may spend by one of the divisions. Who was removed has its part until the period ends.
    pub(super) fn share(&self, place: usize, scope: Scope<'_>, period: Period, device: &Did, now: Timestamp) -> Share {
        let Some(division) = self.divisions.get(place) else { return Share::default() };
        let begun = |place: usize| self.divisions.get(place).is_some_and(|division| period.key(division.at) >= period.key(now));
        let had_part = |gone: &Removed| {
            let before = gone.place.checked_sub(1).and_then(|last| self.divisions.get(last));
            before.is_some_and(|division| division.has_part(scope, &gone.device.did))
        };
        let gone = self.removed.iter().filter(|gone| gone.place <= place && !division.lists(&gone.device.did));
        let gone: BTreeMap<&Did, &Device> =
            gone.filter(|gone| begun(gone.place) && had_part(gone)).map(|gone| (&gone.device.did, &gone.device)).collect();
        // A part that a name has is given once: to a device that takes the name of one that is gone, when that has it no more.
        let named = !division.quotas.shares.is_empty();
        let waits = |device: &Device| named && gone.values().any(|gone| gone.name == device.name);
        let listed = division.devices.iter().filter(|device| division.has_part(scope, &device.did) && !waits(device));
        division.quotas.share(device, listed.chain(gone.values().copied()))
    }

    /// What that comes to. Nothing where there is no such quota of this period.
    pub(super) fn part(&self, place: usize, scope: Scope<'_>, period: Period, device: &Did, now: Timestamp) -> Amounts {
        let quota = self.divisions.get(place).and_then(|division| division.quota(scope)).filter(|quota| quota.period == period);
        quota.map(|quota| quota.amounts(self.share(place, scope, period, device, now))).unwrap_or_default()
    }

    /// The most that a device was ever given of somebody's quota. All there is where a division that was in force in this period gave it no
    /// limit, or the org's first revisions are not known.
    pub(super) fn given(&self, scope: Scope<'_>, period: Period, device: &Did, now: Timestamp) -> Amounts {
        if !self.whole {
            return Amounts::MAX;
        }
        let of = |(place, division): (usize, &Division)| {
            let part = self.part(place, scope, period, device, now);
            let next = self.divisions.get(place + 1);
            let over = next.is_some_and(|next| period.key(next.at) < period.key(now));
            if over || !division.lists(device) {
                return part;
            }
            let quota = division.quota(scope).filter(|quota| quota.period == period);
            quota.map_or(Amounts::MAX, |quota| part.most(quota.unlimited()))
        };
        self.divisions.iter().enumerate().map(of).fold(Amounts::default(), Amounts::most)
    }

    /// The place of the newest division.
    pub(super) fn last(&self) -> usize {
        self.divisions.len().saturating_sub(1)
    }

    /// The keys that a member ever had.
    pub fn keys_of(&self, member: &str) -> Vec<&Did> {
        let members = self.divisions.iter().flat_map(|division| &division.members).filter(|one| one.name == member);
        let mut keys: Vec<&Did> = members.flat_map(|one| &one.keys).map(|key| &key.did).collect();
        keys.sort_unstable();
        keys.dedup();
        keys
    }

    /// Every device that was ever listed, as it was listed last.
    pub(super) fn devices(&self) -> BTreeMap<&Did, &Device> {
        self.divisions.iter().flat_map(|division| &division.devices).map(|device| (&device.did, device)).collect()
    }

    /// From which division on a device may act that told last that it acts by this revision; none: by one that came after all of these.
    pub(super) fn place(&self, revision: &Oid) -> Option<usize> {
        self.places.get(revision).copied()
    }

    /// Whether a revision divides as the newest does.
    pub fn is_newest(&self, revision: &Oid) -> bool {
        self.place(revision) == Some(self.last())
    }

    /// The last division that lists a device.
    pub(super) fn last_with(&self, device: &Did) -> Option<usize> {
        self.divisions.iter().rposition(|division| division.lists(device))
    }
}
