//! What was heard of each device, and what of it is believed. Knows neither sockets nor when to look.
//!
//! Gossip is relayed: any device may hand on any value as that of any other. So a value counts only where the device that it is about
//! signed it, for this org, and where its number is not lower than that of what was heard before. A restart begins a new state
//! (a *generation*); which of a device's states a value lies in does not matter, since its number tells which is the latest. That a device
//! is alive is not signed by it: another member could say so. It is a hint, and admission decides.

use super::{
    Heard,
    datagram::Member,
    doubles::Doubles,
    dropped::{Counters, Reason},
};
use crate::limits;
use chitchat::{Chitchat, ChitchatId, Version};
use domain::{
    Did, OrgName, Timestamp,
    announcement::{Announcement, PAYLOAD_TYPE},
};
use identity::Envelope;
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

/// The name of a device's one value.
pub(super) const KEY: &str = "announcement";

pub(super) struct Ledger {
    org: OrgName,
    own: Did,
    member: Member,
    counters: Arc<Counters>,
    /// Which version of each state's value was judged.
    judged: HashMap<ChitchatId, Version>,
    heard: BTreeMap<Did, Heard>,
    doubles: Doubles,
    changed: bool,
}

/// A value that was not judged yet.
pub(super) struct Value {
    id: ChitchatId,
    version: Version,
    text: String,
}

impl Ledger {
    pub(super) fn new(org: OrgName, own: Did, member: Member, counters: Arc<Counters>) -> Self {
        let (judged, heard, doubles) = (HashMap::new(), BTreeMap::new(), Doubles::default());
        Self { org, own, member, counters, judged, heard, doubles, changed: false }
    }

    /// Whose keys are used twice, at any later moment.
    pub(super) fn doubles(&self) -> Doubles {
        self.doubles.clone()
    }

    /// What is new in the states of all, this device too. Also forgets about states that are gone.
    pub(super) fn news(&mut self, chitchat: &Chitchat) -> Vec<Value> {
        let states = chitchat.node_states();
        self.judged.retain(|id, _| states.contains_key(id));
        let mut news = vec![];
        for (id, state) in states {
            let value = state.get_versioned(KEY).filter(|value| !value.is_deleted());
            if let Some(value) = value.filter(|value| self.judged.get(id) != Some(&value.version)) {
                news.push(Value { id: id.clone(), version: value.version, text: value.value.clone() });
            }
        }
        news
    }

    /// Judges a value, and notes what is believed.
    pub(super) fn judge(&mut self, value: Value, at: Timestamp) {
        let Ok(device) = value.id.node_id.parse::<Did>() else {
            self.counters.count(Reason::Forged);
            self.judged.insert(value.id, value.version);
            return;
        };
        if !(self.member)(&device) {
            // Not noted: it may become one.
            return;
        }
        self.judged.insert(value.id, value.version);
        let believed = self.believed(&device, &value.text);
        if let Some(announcement) = &believed {
            self.doubles.note(announcement, at);
        }
        // What others forge of this device comes back here, and is put right by what it says itself.
        if device == self.own {
            return;
        }
        let Some(announcement) = believed else {
            tracing::debug!(%device, "an announcement was not signed by the device that it is about");
            return self.counters.count(Reason::Forged);
        };
        let before = self.heard.get(&device);
        if before.is_some_and(|before| announcement.number < before.announcement.number) {
            return self.counters.count(Reason::Outdated);
        }
        if before.is_some_and(|before| *before.envelope_json == *value.text) {
            return;
        }
        let live = before.is_some_and(|before| before.live);
        let heard = Heard { announcement: Arc::new(announcement), envelope_json: value.text.into(), live, changed_at: at };
        self.heard.insert(device, heard);
        self.changed = true;
    }

    fn believed(&self, device: &Did, text: &str) -> Option<Announcement> {
        if text.len() > limits::ANNOUNCEMENT_JSON_BYTES_MAX {
            return None;
        }
        let envelope = Envelope::from_json(text.as_bytes()).ok()?;
        let (announcement, signer) = identity::envelope::open::<Announcement>(&envelope, PAYLOAD_TYPE, |signer| signer == device).ok()?;
        (announcement.org == self.org && announcement.device == signer).then_some(announcement)
    }

    /// Notes who is live, and forgets who belongs to the org no more or was silent for too long. Where the observer
    /// cannot judge it, silence says nothing.
    pub(super) fn settle(&mut self, live: &BTreeSet<Arc<str>>, at: Timestamp, judges: Judges) {
        let (member, mut changed) = (&self.member, self.changed);
        self.doubles.retain(|device| member(device));
        self.heard.retain(|device, heard| {
            let now = live.contains(device.as_str());
            if now != heard.live && (now || judges == Judges::All) {
                heard.live = now;
                heard.changed_at = at;
                changed = true;
            }
            let silent = !heard.live && at.0.saturating_sub(heard.changed_at.0) > limits::SILENT_MAX_MS;
            let stays = member(device) && !silent;
            changed |= !stays;
            stays
        });
        self.changed = changed;
    }

    /// The picture, where it changed since it was last asked for.
    pub(super) fn picture(&mut self) -> Option<Arc<BTreeMap<Did, Heard>>> {
        std::mem::take(&mut self.changed).then(|| Arc::new(self.heard.clone()))
    }
}

/// What an observer can tell: one that was held up itself heard nobody, which says nothing about them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Judges {
    /// Who is live and who is silent.
    All,
    /// Only who is live.
    Live,
}

#[cfg(test)]
mod tests;
