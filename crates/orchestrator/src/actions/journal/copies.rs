//! The journals of all devices, as this one has them, and the hash of what they tell.

use super::BadEvent;
use crate::{
    actions::Nothing,
    clock,
    org::Org,
    picture,
    remote::{Copied, CopyState},
    stops,
    table::Context,
};
use domain::{Did, Hash, Problem, Timestamp};
use schemars::JsonSchema;
use serde::Serialize;
use std::sync::Arc;
use store::{Recorded, Seq};

/// A device's journal, as it is here.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct JournalView {
    /// The device.
    device: Did,
    /// What people call it; none for one that the org does not list any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// Whether it is the journal of the device here.
    here: bool,
    /// Its present incarnation: a restored journal goes on as another.
    incarnation: u64,
    /// Its last event here.
    seq: u64,
    /// That event's hash.
    #[serde(skip_serializing_if = "Option::is_none")]
    hash: Option<Hash>,
    /// How the copy stands; none for the journal of the device here.
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<CopyState>,
    /// What is wrong with it, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    /// As of when it is known whole here.
    #[serde(skip_serializing_if = "Option::is_none")]
    as_of: Option<Timestamp>,
    /// Whether it is followed at its device now.
    reachable: bool,
    /// What a stop order halts that cuts its device off from this one, in words; none: no order does.
    #[serde(skip_serializing_if = "Option::is_none")]
    halted: Option<String>,
}

pub(super) async fn copies(context: Context, _: Nothing) -> Result<Vec<JournalView>, Problem> {
    let look = |org: &Arc<Org>| {
        let state = org.state()?;
        let name = |did: &Did| state.device_of(did).map(|device| device.name.clone());
        let own = org.store.head()?;
        let mut all = vec![JournalView {
            device: org.device.clone(),
            name: name(&org.device),
            here: true,
            incarnation: own.incarnation,
            seq: own.seq.0,
            hash: Some(own.hash),
            state: None,
            why: None,
            as_of: Some(clock::now()),
            reachable: true,
            halted: stops::cut_off(org, &org.device),
        }];
        for copied in org.journals.all() {
            all.push(view(org, &copied, name(copied.journal.device()))?);
        }
        Ok(all)
    };
    context.org()?.blocking(look).await
}

fn view(org: &Org, copied: &Copied, name: Option<String>) -> Result<JournalView, Problem> {
    let (standing, head) = (copied.standing(), copied.journal.head()?);
    let point = copied.journal.point();
    Ok(JournalView {
        device: copied.journal.device().clone(),
        name,
        here: false,
        incarnation: point.incarnation,
        seq: point.seq.0,
        hash: head.map(|head| head.hash),
        state: Some(standing.state),
        why: standing.why,
        as_of: standing.as_of,
        reachable: standing.live && stops::halted_device(org, &org.device).is_none(),
        halted: stops::cut_off(org, copied.journal.device()),
    })
}

/// The hash of what is shown.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct PictureHash {
    /// Over all runs, with their leases, and all claims: the same on all devices that have the same journals.
    hash: Hash,
    /// How many runs and tasks it is over.
    things: usize,
}

pub(super) async fn hash(context: Context, _: Nothing) -> Result<PictureHash, Problem> {
    let look = |org: &Arc<Org>| picture::hash(org).map(|(hash, things)| PictureHash { hash, things });
    context.org()?.blocking(look).await
}

/// What a check of the copy of a journal found.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct VerifiedCopy {
    device: Did,
    /// Whether all of it is sound, and nothing was kept out.
    sound: bool,
    events: u64,
    signatures: u64,
    incarnations: u64,
    /// The first event that is wrong, and why.
    bad: Option<BadEvent>,
    /// Why what followed was kept out.
    kept_out: Option<String>,
}

/// Checks every copy.
pub(super) fn verify(org: &Org) -> Result<Vec<VerifiedCopy>, Problem> {
    let check = |copied: Arc<Copied>| {
        let report = copied.journal.verify()?;
        let kept_out = copied.standing().why;
        Ok(VerifiedCopy {
            device: copied.journal.device().clone(),
            sound: report.is_sound() && kept_out.is_none(),
            events: report.events,
            signatures: report.signatures,
            incarnations: report.incarnations,
            bad: report.bad.map(|b| BadEvent { seq: b.seq.0, why: b.why }),
            kept_out,
        })
    };
    org.journals.all().into_iter().map(check).collect()
}

/// Makes anew what is projected from every copy; says how many things were not as it says.
pub(super) fn rebuild(org: &Arc<Org>) -> Result<u64, Problem> {
    org.journals.all().into_iter().map(|copied| copied.journal.rebuild().map(|report| report.differences)).sum()
}

/// A journal that is read: this device's own, or the copy of another's.
pub(super) enum Journal<'o> {
    Own(&'o Org),
    Copy(Arc<Copied>),
}

impl<'o> Journal<'o> {
    /// That of a device, by its name or key, also of one that the org does not list any more; this device's where none is said.
    ///
    /// # Errors
    /// When there is no copy of it here, or the org repository cannot be read.
    pub(super) fn of(org: &'o Org, device: Option<&str>) -> Result<Self, Problem> {
        let Some(text) = device else { return Ok(Self::Own(org)) };
        let state = org.state()?;
        let listed = state.devices.values().find(|device| device.name == text).map(|device| device.did.clone());
        let wanted = match listed.or_else(|| text.parse().ok()) {
            Some(device) => Some(device),
            // What it told stays here, and people know it by its name.
            None => org.divisions.once_called(org, &state.commit, text)?,
        };
        let copied = match wanted {
            Some(device) if device == org.device => return Ok(Self::Own(org)),
            device => device.and_then(|device| org.journals.get(&device)),
        };
        copied.map(Self::Copy).ok_or_else(|| {
            Problem::not_found(format!("There is no journal of a device “{}” here.", domain::shown(text)))
                .next("meshwork journal copies lists them.")
        })
    }

    /// The number of its last event here.
    pub(super) fn end(&self) -> Result<u64, Problem> {
        match self {
            Self::Own(org) => Ok(org.store.head()?.seq.0),
            Self::Copy(copied) => Ok(copied.journal.point().seq.0),
        }
    }

    /// Its events after a number, oldest first.
    pub(super) fn events(&self, after: u64, limit: usize) -> Result<Vec<Recorded>, Problem> {
        match self {
            Self::Own(org) => org.store.events(Seq(after), limit),
            Self::Copy(copied) => copied.journal.events(Seq(after), limit),
        }
    }
}
