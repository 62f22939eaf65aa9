//! A knock as it travels: one statement in two envelopes, signed by the device's key and by the member's.

use domain::{Problem, join::Knock};
use identity::{Envelope, envelope};
use proto::join::KnockRequest;

/// What is signed.
const TYPE: &str = "application/vnd.meshwork.knock.v1+json";

/// Signs a knock with both keys.
pub(super) fn seal(knock: &Knock, device: impl Fn(&[u8]) -> [u8; 64], member: impl Fn(&[u8]) -> [u8; 64]) -> Result<KnockRequest, Problem> {
    let said = crate::fault::stated(knock)?;
    let by_device = envelope::seal(&said, TYPE, &knock.device, |message| Ok(device(message)))?;
    let by_member = envelope::seal(&said, TYPE, &knock.member, |message| Ok(member(message)))?;
    Ok(KnockRequest { version: mesh::spoken(), by_device_json: by_device.to_json()?, by_member_json: by_member.to_json()? })
}

/// Reads a knock that both its keys signed.
pub(super) fn open(request: &KnockRequest) -> Result<Knock, Problem> {
    mesh::understood(request.version)?;
    let (by_device, by_member) = (Envelope::from_json(&request.by_device_json)?, Envelope::from_json(&request.by_member_json)?);
    let (knock, device): (Knock, _) = envelope::open(&by_device, TYPE, |_| true)?;
    let (_, member): (Knock, _) = envelope::open(&by_member, TYPE, |_| true)?;
    if by_device.payload() != by_member.payload() || device != knock.device || member != knock.member {
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

    /// A knock in these words, signed by both.
    fn said(words: &serde_json::Value, device: &Key, member: &Key) -> KnockRequest {
        let by = |key: &Key| envelope::seal(words, TYPE, &key.did(), |m| Ok(key.sign(m))).unwrap().to_json().unwrap();
        KnockRequest { version: mesh::VERSION + 1, by_device_json: by(device), by_member_json: by(member) }
    }

    #[test]
    fn a_knock_of_a_newer_version_is_understood_and_one_that_is_too_old_is_told_so() {
        let (device, member) = (Key::from_seed(&[1; 32]), Key::from_seed(&[2; 32]));
        let known = knock(&device, &member);
        let mut words = serde_json::to_value(&known).unwrap();
        words["version"] = 2.into();
        words["of_tomorrow"] = "more".into();
        let newer = said(&words, &device, &member);
        assert_eq!(open(&newer).unwrap(), Knock { version: 2, ..known });
        let refused = open(&KnockRequest { version: 0, ..newer }).unwrap_err();
        assert!(mesh::says_apart(&refused) && refused.next.is_some(), "{refused}");
        words["version"] = 0.into();
        let refused = open(&said(&words, &device, &member)).unwrap_err();
        assert!(refused.what.contains("version 0") && refused.next.is_some(), "{refused}");
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
        assert!(open(&KnockRequest { by_member_json: second.by_member_json, ..request }).is_err());
    }

    proptest! {
        #[test]
        fn anything_may_come_in(a: Vec<u8>, b: Vec<u8>) {
            let _ = open(&KnockRequest { version: 1, by_device_json: a, by_member_json: b });
        }
    }
}
