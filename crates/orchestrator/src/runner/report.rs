//! A report as it is sent: never larger than the host takes, so that none is sent again and again.

use crate::limits::REPORT_BYTES_MAX;
use domain::run::{Reason, RunnerEvent};
use serde_json::Value;

/// To how many bytes texts are cut, in turn, until the report fits. The last is longer than any name or id that we give.
const TEXT_BYTES: [usize; 4] = [16_384, 2_048, 256, 96];

/// The report as JSON. Where it is too large its texts are cut; where that is not enough it is replaced by one that says so.
pub(super) fn encode(event: &RunnerEvent) -> String {
    let whole = serde_json::to_value(event).unwrap_or_default();
    let fits = |value: &Value| Some(value.to_string()).filter(|json| json.len() <= REPORT_BYTES_MAX);
    let cut_to = |bytes_max: usize| {
        let mut value = whole.clone();
        cut(&mut value, bytes_max);
        fits(&value)
    };
    fits(&whole).or_else(|| TEXT_BYTES.into_iter().find_map(cut_to)).unwrap_or_else(|| {
        let dropped = whole.to_string().len();
        serde_json::to_string(&instead(event, dropped)).unwrap_or_default()
    })
}

/// What is said in the place of a report with too many parts. The end of the work must arrive, and not look like a success.
fn instead(event: &RunnerEvent, bytes: usize) -> RunnerEvent {
    match event {
        RunnerEvent::WorkEnded { .. } => {
            let message =
                format!("The report of the work's end had {bytes} bytes, of which {REPORT_BYTES_MAX} are taken: fewer checks fit.");
            RunnerEvent::WorkEnded { reason: Reason::Internal { message }, checks: vec![] }
        }
        _ => RunnerEvent::Truncated { dropped_bytes: bytes as u64 },
    }
}

fn cut(value: &mut Value, bytes_max: usize) {
    match value {
        Value::String(text) if text.len() > bytes_max => {
            text.truncate(text.floor_char_boundary(bytes_max));
            text.push('…');
        }
        Value::Array(parts) => parts.iter_mut().for_each(|part| cut(part, bytes_max)),
        Value::Object(parts) => parts.values_mut().for_each(|part| cut(part, bytes_max)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;
    use domain::run::{CheckResult, PlanStep};

    fn sent(event: &RunnerEvent) -> RunnerEvent {
        let json = encode(event);
        assert!(json.len() <= REPORT_BYTES_MAX, "{} bytes", json.len());
        serde_json::from_str(&json).unwrap()
    }

    fn checks(count: usize) -> RunnerEvent {
        let check = |n: usize| CheckResult {
            name: format!("check {n}"),
            passed: n != 7,
            exit_code: Some(0),
            duration_ms: 1,
            tail: "x".repeat(4096),
        };
        RunnerEvent::WorkEnded { reason: Reason::Completed, checks: (0..count).map(check).collect() }
    }

    #[test]
    fn what_fits_is_sent_as_it_is() {
        let event = RunnerEvent::Log { stream: "stdout".into(), text: "ü\u{1b}[0m".repeat(2_000) };
        assert_eq!(sent(&event), event);
    }

    #[test]
    fn long_texts_are_cut_and_their_beginning_arrives() {
        for piece in ["words ", "\u{1}", "ß🦀"] {
            let RunnerEvent::Message { text } = sent(&RunnerEvent::Message { text: piece.repeat(1_000_000) }) else {
                panic!("another event")
            };
            assert!(text.starts_with(piece) && text.ends_with('…'));
        }
    }

    #[test]
    fn no_check_is_lost_and_none_turns_green() {
        let RunnerEvent::WorkEnded { reason, checks: results } = sent(&checks(400)) else { panic!("another event") };
        assert_eq!((reason, results.len()), (Reason::Completed, 400));
        assert!(results.iter().enumerate().all(|(n, check)| check.passed == (n != 7) && check.name == format!("check {n}")));

        let RunnerEvent::WorkEnded { reason, checks: results } = sent(&checks(20_000)) else { panic!("another event") };
        assert!(results.is_empty() && matches!(reason, Reason::Internal { .. }), "{reason:?}");
    }

    #[test]
    fn too_many_parts_are_told_as_left_out() {
        let steps = vec![PlanStep { text: "step".into(), status: "pending".into() }; 50_000];
        assert!(matches!(sent(&RunnerEvent::Plan { steps }), RunnerEvent::Truncated { dropped_bytes } if dropped_bytes > 1_000_000));
    }
}
