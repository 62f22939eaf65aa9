//! What a device may spend of a quota while other devices may know another revision of the org than it does.
//!
//! Devices spend without asking each other, and hear late of a new revision. So a device takes no more than its part by the revision
//! that it knows, and no more than what the others leave of the whole: of each of them counts the largest part that it may act by,
//! from the revision that it said last it acts by ([`Taken`]) up to the own one, and what it used where that is more. A part that
//! becomes smaller counts at once; one that becomes larger waits until the others said that theirs became smaller.
//!
//! Why that never overspends: look at the device that spent last by the newest revision of all. Every other spent by that revision or
//! one before it. What such a device spent before its last word that was heard is in what it used; what it spent afterwards is at most
//! the part of a revision that was counted. So all of it was left free. It rests on these: the revisions follow each other, a device never
//! goes back to an older one, clocks differ little at the end of a period, and a device that was removed counts until the end of
//! the period in which that was noticed. And on this: a limit that an earlier revision did not have, or had for another period, did not
//! bind who knew only that one; the others do not wait for its word, or nobody could begin with a quota while one is away.
//!
//! A device that lies could tell that it used all there is, and so keep everybody from their shares. None may spend more than it was given:
//! the largest part of any revision that is known. What it tells beyond that is not believed ([`Hold::beyond`]), unless a revision of this
//! period gave it no limit, or the org's first revisions are not known. Whoever acts by a revision that is not known here looks after
//! this device's part itself, so it may be believed less than it has; and that it has more is nothing odd, and told to nobody.

use super::{Amounts, Division, History, Period, Quota, Scope, Share};
use crate::{Did, Oid, Timestamp, usage::Budget};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a device tells once it acts by another division of the quotas: from then on it goes by none before it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Taken {
    /// The revision of the org repository.
    pub revision: Oid,
    /// Its part of each quota, by [`Scope::id`].
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub held: BTreeMap<String, Held>,
    /// When it noticed that devices are no longer listed, as far as it matters still.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub gone: BTreeMap<Did, Timestamp>,
}

/// What a device holds of one quota.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Held {
    /// The period of which `used` tells, as [`Period::key`] writes it.
    pub period: String,
    /// Its part by that revision.
    pub share: Amounts,
    /// What it had used of the quota, with what calls under way could still use.
    pub used: Amounts,
}

/// What is known of one device, from its journal.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// What it told last.
    pub taken: Option<Taken>,
    /// What it used of the quota in this period.
    pub used: Amounts,
    /// As of when.
    pub as_of: Option<Timestamp>,
}

/// What another device may hold of a quota.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// Its name.
    pub name: String,
    /// So much, at the most.
    pub amounts: Amounts,
    /// What it tells that it used beyond that, and never was given; nothing while it acts by a revision that is not known here.
    pub beyond: Amounts,
    /// Its part by the revision that is known here.
    pub share: Amounts,
    /// As of when its journal is known here.
    pub as_of: Option<Timestamp>,
}

/// What a device may spend of a quota.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The whole quota.
    pub quota: Quota,
    /// The device's share by the revision that it knows.
    pub share: Share,
    /// What the others may hold.
    pub others: Vec<Hold>,
}

impl Part {
    /// What the device may spend in the period: its share, or what the others leave where that is less.
    pub fn budget(&self) -> Budget {
        let held = self.others.iter().fold(Amounts::default(), |sum, hold| sum.plus(hold.amounts));
        let left = self.quota.amounts(Share::WHOLE).minus(held);
        let own = self.quota.part(self.share);
        Budget {
            tokens: if self.quota.tokens.is_some() { own.tokens.min(left.tokens) } else { own.tokens },
            calls: if self.quota.calls.is_some() { own.calls.min(left.calls) } else { own.calls },
            money: own.money.map(|money| money.min(left.money)),
        }
    }

    /// Whether others leave less than the share.
    pub fn is_short(&self) -> bool {
        self.budget() != self.quota.part(self.share)
    }

    /// In words, to follow “this device may use”: the share, or how much less it is and because of whom.
    pub fn words(&self) -> String {
        if !self.is_short() {
            return self.share.words();
        }
        let budget = self.budget();
        let amounts = Amounts { tokens: budget.tokens, calls: budget.calls, money: budget.money.unwrap_or_default() };
        let more =
            self.others.iter().filter(|hold| hold.amounts.minus(hold.share).of(self.quota).amounts(Share::WHOLE) != Amounts::default());
        let whose: Vec<String> = more.map(|hold| hold.words(self.quota)).collect();
        format!("{}, and not {}, because {}", amounts.of(self.quota).words(), self.share.words(), whose.join(" and "))
    }

    /// A sentence for each device that tells that it used more than it was ever given, by its name.
    pub fn warnings(&self) -> BTreeMap<String, String> {
        self.others.iter().filter_map(|hold| Some((hold.name.clone(), hold.warning(self.quota)?))).collect()
    }
}

impl Hold {
    fn warning(&self, quota: Quota) -> Option<String> {
        let beyond = self.beyond.of(quota);
        let beyond = Quota {
            tokens: beyond.tokens.filter(|tokens| *tokens > 0),
            calls: beyond.calls.filter(|calls| *calls > 0),
            money: beyond.money.filter(|money| !money.is_zero()),
            ..beyond
        };
        let (name, what) = (&self.name, Some(beyond.words()).filter(|what| !what.is_empty())?);
        let next = format!("Have its owner look at it, or take it out of the org: meshwork org remove {name} --device.");
        Some(format!("The device {name} tells that it used {what} more than it was ever given; that is not counted. {next}"))
    }

    fn words(&self, quota: Quota) -> String {
        let held = self.amounts.of(quota).words();
        match self.as_of {
            Some(at) => format!("{} still holds {held} (as of {})", self.name, at.minute()),
            None => format!("{} may hold {held} (nothing was heard of it yet)", self.name),
        }
    }
}

/// What a device may spend now of somebody's quota. `known` tells what journals say of this device and of the others. None: there is
/// no such quota.
pub fn part(history: &History, scope: Scope<'_>, device: &Did, known: &BTreeMap<Did, Known>, now: Timestamp) -> Option<Part> {
    let quota = *history.now()?.quota(scope)?;
    let own = known.get(device).and_then(|own| own.taken.as_ref());
    let others = history.devices().into_iter().filter(|(did, _)| *did != device && counts(history, did, own, quota.period, now));
    let others = others.map(|(did, listed)| {
        let known = known.get(did);
        let told = held(history, scope, quota.period, did, known, now);
        let given = history.given(scope, quota.period, did, now);
        let taken = known.and_then(|known| known.taken.as_ref());
        let judged = taken.is_none_or(|taken| history.place(&taken.revision).is_some());
        Hold {
            name: listed.name.clone(),
            amounts: told.least(given),
            beyond: if judged { told.minus(given) } else { Amounts::default() },
            share: history.part(history.last(), scope, quota.period, did, now),
            as_of: known.and_then(|known| known.as_of),
        }
    });
    let share = history.share(history.last(), scope, quota.period, device, now);
    Some(Part { quota, share, others: others.collect() })
}

/// The most that another device may spend in this period, by all that is known here and that it tells.
fn held(history: &History, scope: Scope<'_>, period: Period, other: &Did, known: Option<&Known>, now: Timestamp) -> Amounts {
    let taken = known.and_then(|known| known.taken.as_ref());
    let place = taken.map_or(Some(0), |taken| history.place(&taken.revision));
    // Where the beginning is not known, a revision that is not known either may be one of then.
    let from = place.or((!history.whole).then_some(0));
    let may_act_by = from.map_or(0..0, |from| from..history.divisions.len());
    let parts = may_act_by.map(|place| history.part(place, scope, period, other, now));
    let told = taken.and_then(|taken| taken.held.get(&scope.id()));
    let used = told.filter(|held| held.period == period.key(now)).map(|held| held.used);
    // By a newer revision than the own one it looks after this device's part; its word for its own is taken.
    let share = told.filter(|_| place.is_none()).map(|held| held.share);
    let spent = known.map(|known| known.used);
    parts.chain(used).chain(share).chain(spent).fold(Amounts::default(), Amounts::most)
}

/// Whether another device may hold anything: it is listed, or it was until this period.
fn counts(history: &History, other: &Did, own: Option<&Taken>, period: Period, now: Timestamp) -> bool {
    let Some(last) = history.last_with(other) else { return false };
    let Some(without) = history.divisions.get(last + 1) else { return true };
    let noted = own.and_then(|own| own.gone.get(other));
    let new = own.is_some_and(|own| history.place(&own.revision).is_none_or(|place| place <= last));
    new || [Some(&without.at), noted].into_iter().flatten().any(|at| period.key(*at) >= period.key(now))
}

/// What a device has to tell so that the others know that it acts by the newest revision: `used` says what it used of a quota, with
/// what calls under way may still use. None: it told so `before`.
pub fn take(
    history: &History,
    device: &Did,
    before: Option<&Taken>,
    used: impl Fn(Scope<'_>, Period) -> Amounts,
    now: Timestamp,
) -> Option<Taken> {
    let division = history.now()?;
    if before.is_some_and(|before| history.is_newest(&before.revision)) {
        return None;
    }
    let held = division.scopes().map(|(scope, quota)| {
        let share = history.part(history.last(), scope, quota.period, device, now);
        (scope.id(), Held { period: quota.period.key(now), share, used: used(scope, quota.period) })
    });
    let held = held.collect();
    let gone = before.map(|before| gone(history, division, before, now)).unwrap_or_default();
    Some(Taken { revision: division.revision.clone(), held, gone })
}

/// The devices that are no longer listed, with when that was noticed: now, of those that the revision before listed.
fn gone(history: &History, division: &Division, before: &Taken, now: Timestamp) -> BTreeMap<Did, Timestamp> {
    let from = history.place(&before.revision).unwrap_or(0);
    let noticed = history.devices().into_keys().filter(|did| !division.lists(did) && history.last_with(did) >= Some(from));
    let mut gone: BTreeMap<Did, Timestamp> = noticed.map(|did| (did.clone(), now)).collect();
    let counting = before.gone.iter().filter(|(_, at)| Period::Month.key(**at) >= Period::Month.key(now));
    gone.extend(counting.map(|(did, at)| (did.clone(), *at)));
    gone
}

#[cfg(test)]
mod tests;
