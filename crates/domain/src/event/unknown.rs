//! Events that a newer Meshwork wrote, and this one does not understand: read, kept and told as they are; they change nothing here.

use super::{Body, Event, Told, VERSION};
use crate::{Did, Timestamp, actor::Via};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};

/// What stands in an event that is not understood.
#[derive(Clone, Debug, PartialEq)]
pub struct Unknown {
    /// The whole event.
    whole: Map<String, Value>,
}

impl Unknown {
    /// What sort of fact it is, in the words of who wrote it.
    pub fn kind(&self) -> &str {
        self.whole.get("type").and_then(Value::as_str).unwrap_or_default()
    }
}

/// As much of an event as every version has.
#[derive(Deserialize)]
struct Frame {
    version: u16,
    at: Timestamp,
    actor: Did,
    // A door may be one that is not known here.
    #[serde(default)]
    via: Option<Value>,
    #[serde(default)]
    told: Option<Told>,
    #[serde(rename = "type")]
    kind: String,
}

/// An event as it is written, where it is understood.
#[derive(Serialize)]
struct Known<'a> {
    version: u16,
    at: Timestamp,
    actor: &'a Did,
    #[serde(skip_serializing_if = "Option::is_none")]
    via: Option<&'a Via>,
    #[serde(skip_serializing_if = "Option::is_none")]
    told: Option<&'a Told>,
    #[serde(flatten)]
    body: &'a Body,
}

impl Serialize for Event {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let Self { version, at, actor, via, told, body } = self;
        match body {
            Body::Unknown(unknown) => unknown.whole.serialize(to),
            body => Known { version: *version, at: *at, actor, via: via.as_ref(), told: told.as_ref(), body }.serialize(to),
        }
    }
}

impl Event {
    /// Reads an event. One of a kind that is not known here, and one of a newer version that cannot be read in the form known here, is
    /// [`Body::Unknown`]; fields that are not known are left out of account, and so is the reason of a run's move, where a newer
    /// version has one that is not known.
    ///
    /// # Errors
    /// When it is no event, or one of this version or an older one that is not as it should be.
    pub fn read(json: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(json).or_else(|error| not_understood(json, &error).ok_or(error))
    }
}

fn not_understood(json: &[u8], why: &serde_json::Error) -> Option<Event> {
    let whole: Map<String, Value> = serde_json::from_slice(json).ok()?;
    let Frame { version, at, actor, via, told, kind } = Frame::deserialize(Value::Object(whole.clone())).ok()?;
    // Where a run is matters more than why: without a reason that is not known here the rest may be.
    let mut bare = whole.clone();
    if version > VERSION
        && bare.remove("reason").is_some()
        && let Ok(event) = Event::deserialize(Value::Object(bare))
    {
        return Some(event);
    }
    // serde's words for a tag that no kind has.
    let unknown_kind = why.to_string().starts_with(&format!("unknown variant `{kind}`"));
    let via = via.and_then(|via| Via::deserialize(via).ok());
    (version > VERSION || unknown_kind).then(|| Event { version, at, actor, via, told, body: Body::Unknown(Unknown { whole }) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const DID: &str = "did:key:z6MkfxYeun89jXMGtgN6qaw6gyazZM5hiEz5sz8k3484jHHp";

    fn read(value: &Value) -> Result<Event, serde_json::Error> {
        Event::read(value.to_string().as_bytes())
    }

    fn unknown(value: &Value) -> Option<String> {
        match read(value).map(|event| event.body) {
            Ok(Body::Unknown(unknown)) => Some(unknown.kind().to_owned()),
            _ => None,
        }
    }

    #[test]
    fn what_is_not_understood_is_kept_as_it_is_and_changes_nothing() {
        let tomorrow = json!({
            "version": 2, "at": 7, "actor": DID, "via": {"door": "of tomorrow"}, "type": "run_of_tomorrow", "run": "x", "deep": {"a": [1]},
        });
        let Ok(event) = read(&tomorrow) else { unreachable!("it is read") };
        assert_eq!((event.version, event.at, event.body.run(), event.body.of_executor()), (2, Timestamp(7), None, false));
        assert_eq!(serde_json::to_value(&event).ok().as_ref(), Some(&tomorrow), "every field is there");
        assert_eq!(super::super::project(&event, &mut |_, _| None), Ok(vec![]));
        assert_eq!(unknown(&tomorrow).as_deref(), Some("run_of_tomorrow"));
        // A kind that this version never had, whatever version it says.
        assert_eq!(unknown(&json!({"version": 1, "at": 7, "actor": DID, "type": "never"})).as_deref(), Some("never"));
        // A known kind in a form that only a newer version has.
        let moved =
            json!({"version": 2, "at": 7, "actor": DID, "type": "run_moved", "run": "01ARZ3NDEKTSV4RRFFQ69G5FAV", "to": "floating"});
        assert_eq!(unknown(&moved).as_deref(), Some("run_moved"));
    }

    #[test]
    fn what_is_understood_is_read_and_written_as_before_whatever_else_it_says() {
        let stopped = json!({"version": 1, "at": 7, "actor": DID, "type": "device_stopped"});
        let Ok(event) = read(&stopped) else { unreachable!("it is read") };
        assert_eq!(event.body, Body::DeviceStopped);
        assert_eq!(serde_json::to_value(&event).ok(), Some(stopped));
        let more = json!({"version": 2, "at": 7, "actor": DID, "type": "device_started", "meshwork": "2", "of_tomorrow": {"more": 1}});
        assert_eq!(read(&more).map(|event| event.body).ok(), Some(Body::DeviceStarted { version: "2".into(), demo: false }));
        let bored = json!({
            "version": 2, "at": 7, "actor": DID, "type": "run_moved", "run": "01ARZ3NDEKTSV4RRFFQ69G5FAV", "to": "failed",
            "reason": {"code": "bored"},
        });
        let moved = read(&bored).map(|event| event.body).ok();
        assert!(matches!(moved, Some(Body::RunMoved { to: crate::run::RunState::Failed, reason: None, .. })), "{moved:?}");
    }

    #[test]
    fn what_is_damaged_is_no_event_of_tomorrow() {
        for wrong in [
            json!({"version": 1, "at": 7, "actor": DID, "type": "run_moved", "run": "01ARZ3NDEKTSV4RRFFQ69G5FAV", "to": "floating"}),
            json!({"version": 1, "at": 7, "actor": DID, "type": "org_moved"}),
            json!({"version": 2, "at": 7, "actor": DID}),
            json!({"version": 2, "at": 7, "actor": "nobody", "type": "never"}),
            json!([1, 2]),
        ] {
            assert!(read(&wrong).is_err(), "{wrong}");
        }
    }
}
