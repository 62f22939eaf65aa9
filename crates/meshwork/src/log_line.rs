//! One report of a run as lines for a person.

use crate::{
    output::at,
    paint::{Tone, colours, paint},
    text::{clean, clean_lines, tame},
};
use serde_json::Value;

/// The report in words; none where it says nothing to people.
pub(crate) fn line(event: &Value) -> Option<String> {
    let text = |key: &str| clean_lines(&at(event, &[key]));
    let quiet = |line: String| paint(Tone::Quiet, &line);
    Some(match event["type"].as_str()? {
        "sandbox_ready" => quiet(format!("· sandbox ready in {} µs ({})", event["ready_us"], text("limits"))),
        "engine_ready" if event["replay"] == true => {
            paint(Tone::Waits, &format!("· {} — this is a REPLAY of a recording, no model is asked", text("name")))
        }
        "engine_ready" => quiet(format!("· engine {}", text("name"))),
        "turn_started" => paint(Tone::Heading, &format!("› turn {}: {}", event["turn"], text("prompt").lines().next().unwrap_or_default())),
        "turn_ended" => paint(Tone::Heading, &format!("‹ turn {}", text("outcome"))),
        "message" => text("text"),
        "thought" => quiet(format!("  … {}", text("text"))),
        "plan" => event["steps"]
            .as_array()?
            .iter()
            .map(|s| format!("  [{}] {}", clean(&at(s, &["status"])), clean(&at(s, &["text"]))))
            .collect::<Vec<_>>()
            .join("\n"),
        // A call that goes on is told by its outcome only where it failed.
        "tool" if text("title").is_empty() && text("status") != "failed" => return None,
        "tool" => paint(Tone::Busy, &format!("  ⚙ {} {}", text("title"), text("status"))),
        "log" => at(event, &["text"]).lines().map(|line| tame(line, colours())).collect::<Vec<_>>().join("\n"),
        "truncated" => paint(Tone::Bad, &format!("· {} bytes of output were dropped", event["dropped_bytes"])),
        "asked" => paint(Tone::Waits, &format!("? {} (meshwork run answer)", clean(&at(event, &["question", "title"])))),
        "answered" => format!("· answered: {}", text("option")),
        "check_started" => quiet(format!("· check “{}” …", text("name"))),
        "check_ended" => {
            let name = clean(&at(event, &["result", "name"]));
            match event["result"]["passed"] == true {
                true => paint(Tone::Good, &format!("· check “{name}” passed")),
                false => paint(Tone::Bad, &format!("· check “{name}” FAILED")),
            }
        }
        "violation" => paint(Tone::Bad, &format!("! the sandbox stopped: {}", text("what"))),
        "paused" => paint(Tone::Waits, "· frozen"),
        "resumed" => "· goes on".into(),
        "message_delivered" => "· your message was delivered".into(),
        "work_ended" => format!("· the engine's part ended: {}", at(event, &["reason", "code"])),
        _ => return None,
    })
}
