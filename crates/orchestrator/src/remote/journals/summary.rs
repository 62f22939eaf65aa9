//! What a journal comes to, told by its device before the journal itself: shown while the copy is made, and dropped when that has come so
//! far. Nothing is decided by it but what is not begun, as by a copy.

use crate::{clock, fault, limits, org::Org};
use domain::{
    Did, Hash, OrgName, Problem, Timestamp,
    event::kind,
    summary::{PAYLOAD_TYPE, Row, Summary, VERSION},
};
use identity::envelope::{self, Envelope};
use serde::de::DeserializeOwned;
use store::{Point, Refused, Seq};

/// What goes into a summary; where it does not all fit, the first rather than the last, and of each the newest.
const KINDS: [&str; 3] = [kind::CLAIM, kind::SPENT, kind::RUN];

/// A summary of a journal of which the copy has not come so far.
#[derive(Debug)]
pub(crate) struct SummedUp {
    /// Up to where.
    pub(super) at: Point,
    /// The hash that the journal has there, if it is the one that was summed up.
    pub(super) hash: Hash,
    /// When it was heard, by the clock here.
    pub(super) heard_at: Timestamp,
    rows: Vec<Row>,
}

impl SummedUp {
    /// One thing, with the number of the event that changed it last.
    pub(super) fn get<T: DeserializeOwned>(&self, kind: &str, id: &str) -> Option<(Seq, T)> {
        read(self.rows.iter().find(|row| row.kind == kind && row.id == id)?)
    }

    /// Things of one kind, the newest first.
    pub(super) fn list<T: DeserializeOwned>(&self, kind: &str, limit: usize) -> Vec<(Seq, T)> {
        self.rows.iter().filter(|row| row.kind == kind).take(limit).filter_map(read).collect()
    }
}

/// None where it is of a form that only another build knows.
fn read<T: DeserializeOwned>(row: &Row) -> Option<(Seq, T)> {
    Some((Seq(row.seq), serde_json::from_value(row.value.clone()).ok()?))
}

/// A statement as it is signed, and its rows.
type Sealed = (Vec<u8>, Vec<u8>);

/// The summary of this device's own journal for whoever is at a place. None where little of the
/// journal follows that place.
///
/// # Errors
/// When the journal cannot be read.
pub(super) fn make(org: &Org, after: Point) -> Result<Option<Sealed>, Problem> {
    let end = org.store.last().0;
    if end.saturating_sub(after.seq.0) <= fault::summary_from() {
        return Ok(None);
    }
    let (head, rows) = org.store.summary(&KINDS, limits::JOURNAL_SUMMARY_BYTES)?;
    let rows_json = serde_json::to_vec(&rows).map_err(Problem::internal)?;
    let statement = Summary {
        version: VERSION,
        org: org.name.clone(),
        device: org.device.clone(),
        incarnation: head.incarnation,
        seq: head.seq.0,
        hash: fault::summary_hash(head.hash),
        rows: envelope::hash_bytes(&rows_json),
    };
    let sealed = envelope::seal(&statement, PAYLOAD_TYPE, &org.device, |message| Ok(org.forge.sign_as_device(message)))?;
    Ok(Some((sealed.to_json()?, rows_json)))
}

/// A summary as it came, if the device signed it for this org.
///
/// # Errors
/// When it did not.
pub(super) fn open(org: &OrgName, device: &Did, sealed: &[u8], rows_json: &[u8]) -> Result<SummedUp, Refused> {
    let forged = |why: &str| Refused::Forged(format!("the summary of its journal is not in order: {why}"));
    let opened = Envelope::from_json(sealed).and_then(|sealed| envelope::open::<Summary>(&sealed, PAYLOAD_TYPE, |signer| signer == device));
    let (summary, signer) = opened.map_err(|problem| forged(&problem.what))?;
    if summary.org != *org || summary.device != signer {
        return Err(forged("it is of another journal"));
    }
    if summary.rows != envelope::hash_bytes(rows_json) {
        return Err(forged("what it tells was changed"));
    }
    let rows: Vec<Row> = serde_json::from_slice(rows_json).map_err(|error| forged(&error.to_string()))?;
    let at = Point { incarnation: summary.incarnation, seq: Seq(summary.seq) };
    Ok(SummedUp { at, hash: summary.hash, heard_at: clock::now(), rows })
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use identity::Key;
    use serde_json::json;

    fn rows() -> Vec<u8> {
        let row = |kind: &str, id: &str, seq| json!({"kind": kind, "id": id, "seq": seq, "value": {"of": id}});
        serde_json::to_vec(&json!([row("run", "new", 9), row("claim", "x", 8), row("run", "old", 7)])).unwrap()
    }

    /// A summary that the device of seed 1 is said to have made, sealed by that of `by`.
    fn sealed(by: u8, org: &str, rows_json: &[u8]) -> Vec<u8> {
        sealed_at(by, org, rows_json, Point { incarnation: 2, seq: Seq(9) })
    }

    fn sealed_at(by: u8, org: &str, rows_json: &[u8], at: Point) -> Vec<u8> {
        let (device, key) = (Key::from_seed(&[1; 32]).did(), Key::from_seed(&[by; 32]));
        let hash = envelope::hash_bytes(b"event");
        let rows = envelope::hash_bytes(rows_json);
        let statement =
            Summary { version: VERSION, org: org.parse().unwrap(), device, incarnation: at.incarnation, seq: at.seq.0, hash, rows };
        envelope::seal(&statement, PAYLOAD_TYPE, &key.did(), |message| Ok(key.sign(message))).unwrap().to_json().unwrap()
    }

    /// A summary up to a place by the device of seed 1.
    pub(in super::super) fn told(at: Point) -> SummedUp {
        let (org, device) = ("crew".parse().unwrap(), Key::from_seed(&[1; 32]).did());
        open(&org, &device, &sealed_at(1, "crew", &rows(), at), &rows()).unwrap()
    }

    #[test]
    fn what_the_device_signed_for_this_org_is_told_and_nothing_else() {
        let (org, device) = ("crew".parse().unwrap(), Key::from_seed(&[1; 32]).did());
        let told = open(&org, &device, &sealed(1, "crew", &rows()), &rows()).unwrap();
        assert_eq!((told.at, &told.hash), (Point { incarnation: 2, seq: Seq(9) }, &envelope::hash_bytes(b"event")));
        let value = |found: Option<(Seq, serde_json::Value)>| found.map(|(seq, value)| (seq.0, value["of"].clone()));
        assert_eq!(value(told.get("run", "old")), Some((7, json!("old"))));
        assert_eq!(value(told.get("claim", "old")), None);
        let listed: Vec<u64> = told.list::<serde_json::Value>("run", 9).into_iter().map(|(seq, _)| seq.0).collect();
        assert_eq!(listed, [9, 7]);
        assert_eq!(told.list::<serde_json::Value>("run", 1).len(), 1);

        let other = Key::from_seed(&[2; 32]).did();
        let changed = [&rows()[..rows().len() - 1], b" ]"].concat();
        for (device, sealed, rows) in [
            (&device, sealed(2, "crew", &rows()), rows()),
            (&other, sealed(2, "crew", &rows()), rows()),
            (&device, sealed(1, "other", &rows()), rows()),
            (&device, sealed(1, "crew", &rows()), changed),
            (&device, sealed(1, "crew", b"[1]"), b"[1]".to_vec()),
            (&device, b"{}".to_vec(), rows()),
        ] {
            assert!(matches!(open(&org, device, &sealed, &rows), Err(Refused::Forged(_))));
        }
    }
}
