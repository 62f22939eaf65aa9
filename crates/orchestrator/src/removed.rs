//! Whether this device belongs to its org still, as far as is known here. Who was removed may not be able to fetch the state of the org
//! that says so; then the other devices, which take no connection of it any more, are all that tells.

use crate::{org::Org, remote};
use domain::{Did, Timestamp};
use forge::OrgState;
use sandbox::Finding;
use schemars::JsonSchema;
use serde::Serialize;

/// That the org does not list this device any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Removed {
    /// Whether the org repository says so; else only other devices do.
    pub certain: bool,
    /// When it was removed, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// In words.
    pub message: String,
}

/// What is known of it; none: the org lists this device, as far as is known.
pub(crate) fn known(org: &Org) -> Option<Removed> {
    let state = org.remote.org();
    by_state(&state, &org.device).or_else(|| by_others(&state, &remote::refused_by(org)))
}

/// As a finding of the doctor.
pub(crate) fn finding(org: &Org) -> Option<Finding> {
    known(org).map(|removed| Finding {
        what: "membership".into(),
        ok: false,
        detail: removed.message,
        next: Some("Ask an owner; meshwork org leave takes this device out, and keeps what is here aside.".into()),
    })
}

/// What is said of a run that waits where the org lists no device for it: this one would be listed, had it not been removed.
pub(crate) fn no_device(removed: Option<Removed>) -> String {
    match removed {
        Some(removed) => format!("{} No device takes what it asks for; meshwork run stop ends this.", removed.message),
        None => "The org lists no device for it.".into(),
    }
}

/// What a state of the org says of it; none: it lists this device.
pub(crate) fn by_state(state: &OrgState, device: &Did) -> Option<Removed> {
    if state.device_of(device).is_some() {
        return None;
    }
    let name = &state.org.name;
    Some(match state.gone(device) {
        Some(gone) => Removed {
            certain: true,
            at: Some(gone.at),
            message: format!(
                "This device was removed from the org {name} at {}, with the reason “{}”.",
                gone.at.minute(),
                domain::shown(&gone.why)
            ),
        },
        None => Removed { certain: true, at: None, message: format!("The org {name} does not list this device.") },
    })
}

fn by_others(state: &OrgState, others: &[Did]) -> Option<Removed> {
    let called = |did: &Did| state.device_of(did).map_or_else(|| did.to_string(), |device| device.name.clone());
    let names: Vec<String> = others.iter().map(called).collect();
    (!names.is_empty()).then(|| Removed {
        certain: false,
        at: None,
        message: format!(
            "Other devices say that the org {} does not list this one any more, and take no connection from it: {}.",
            state.org.name,
            names.join(", ")
        ),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use domain::org::{Device, KeyKind, Revocation};
    use identity::Key;

    fn did(n: u8) -> Did {
        Key::from_seed(&[n; 32]).did()
    }

    fn state(ended: Vec<Revocation>) -> OrgState {
        let devices = [("laptop".to_owned(), Device::new("laptop", did(1), "ada"))].into();
        OrgState { devices, ended, ..crate::fixtures::state() }
    }

    #[test]
    fn what_waits_on_a_removed_device_says_that_and_what_to_do() {
        let told = no_device(by_state(&state(vec![]), &did(2)));
        assert!(told.starts_with("The org crew does not list this device.") && told.contains("meshwork run stop"), "{told}");
        assert!(!no_device(None).contains("run stop"));
    }

    #[test]
    fn who_was_removed_is_told_when_and_why_or_what_the_others_do() {
        let gone = Revocation { did: did(2), kind: KeyKind::Device, at: Timestamp(0), why: "sold".into(), name: None };
        assert_eq!(by_state(&state(vec![]), &did(1)), None);
        let removed = by_state(&state(vec![gone]), &did(2)).unwrap();
        assert!(removed.certain && removed.at == Some(Timestamp(0)), "{removed:?}");
        assert!(removed.message.contains("from the org crew at 1970-01-01") && removed.message.contains("“sold”"), "{removed:?}");
        assert!(by_state(&state(vec![]), &did(2)).unwrap().message.contains("does not list this device"));
        assert_eq!(by_others(&state(vec![]), &[]), None);
        let told = by_others(&state(vec![]), &[did(1)]).unwrap();
        assert!(!told.certain && told.message.contains("laptop"), "{told:?}");
    }
}
