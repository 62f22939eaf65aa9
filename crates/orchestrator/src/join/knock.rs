//! A knock as it travels: one statement in two envelopes, signed by the device's key and by the member's.

use domain::{Problem, join::Knock};
use identity::{Envelope, envelope};
use proto::join::KnockRequest;

/// What is signed.
const TYPE: &str = "application/vnd.meshwork.knock.v1+json";

/// Signs a knock with both keys.
pub(super) fn seal(knock: &Knock, device: impl Fn(&[u8]) -> [u8; 64], member: impl Fn(&[u8]) -> [u8; 64]) -> Result<KnockRequest, Problem> {
    let by_device = envelope::seal(knock, TYPE, &knock.device, |message| Ok(device(message)))?;
    let by_member = envelope::seal(knock, TYPE, &knock.member, |message| Ok(member(message)))?;
    Ok(KnockRequest { version: super::VERSION, by_device_json: by_device.to_json()?, by_member_json: by_member.to_json()? })
}

/// Reads a knock that both its keys signed.
pub(super) fn open(request: &KnockRequest) -> Result<Knock, Problem> {
    if request.version != super::VERSION {
        return Err(Problem::conflict(format!(
            "The other side speaks version {} of joining; this one {}.",
            request.version,
            super::VERSION
        ))
        .next("Use the same version of Meshwork on both machines."));
    }
    let (by_device, by_member) = (Envelope::from_json(&request.by_device_json)?, Envelope::from_json(&request.by_member_json)?);
    let (knock, device): (Knock, _) = envelope::open(&by_device, TYPE, |_| true)?;
    let (same, member): (Knock, _) = envelope::open(&by_member, TYPE, |_| true)?;
    if knock != same || device != knock.device || member != knock.member {
        return Err(Problem::invalid("The knock is not signed by the keys that it names."));
    }
    knock.check()?;
    Ok(knock)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use domain::Timestamp;
    use identity::Key;
    use proptest::prelude::*;

    fn knock(device: &Key, member: &Key) -> Knock {
        Knock {
            version: 1,
            ticket: "mwt1.x.y".into(),
            name: "bob".into(),
            device_name: "laptop".into(),
            device: device.did(),
            member: member.did(),
            addresses: vec![],
            radicle: vec!["127.0.0.1:1".into()],
            gossip: vec!["127.0.0.1:2".into()],
            at: Timestamp(5),
        }
    }

    #[test]
    fn both_keys_must_have_signed_the_same() {
        let (device, member, other) = (Key::from_seed(&[1; 32]), Key::from_seed(&[2; 32]), Key::from_seed(&[3; 32]));
        let said = knock(&device, &member);
        let request = seal(&said, |m| device.sign(m), |m| member.sign(m)).unwrap();
        assert_eq!(open(&request).unwrap(), said);
        // Somebody else's member key, proven by nobody.
        let stolen = seal(&said, |m| device.sign(m), |m| other.sign(m));
        assert!(stolen.is_err());
        let swapped = KnockRequest { by_member_json: request.by_device_json.clone(), ..request.clone() };
        assert!(open(&swapped).is_err());
        // Two statements that are signed well, but are not one.
        let elsewhere = Knock { name: "eve".into(), ..said };
        let second = seal(&elsewhere, |m| device.sign(m), |m| member.sign(m)).unwrap();
        assert!(open(&KnockRequest { by_member_json: second.by_member_json, ..request.clone() }).is_err());
        assert!(open(&KnockRequest { version: 2, ..request }).is_err());
    }

    proptest! {
        #[test]
        fn anything_may_come_in(a: Vec<u8>, b: Vec<u8>) {
            let _ = open(&KnockRequest { version: 1, by_device_json: a, by_member_json: b });
        }
    }
}
