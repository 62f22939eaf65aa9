//! One report of a run as lines for a person.

use crate::output::{at, clean};
use serde_json::Value;

/// The report in words; none where it says nothing to people.
pub(crate) fn line(event: &Value) -> Option<String> {
    let text = |key: &str| clean_lines(&at(event, &[key]));
    Some(match event["type"].as_str()? {
        "sandbox_ready" => format!("· sandbox ready in {} µs ({})", event["ready_us"], text("limits")),
        "engine_ready" if event["replay"] == true => format!("· {} — this is a REPLAY of a recording, no model is asked", text("name")),
        "engine_ready" => format!("· engine {}", text("name")),
        "turn_started" => format!("› turn {}: {}", event["turn"], text("prompt").lines().next().unwrap_or_default()),
        "turn_ended" => format!("‹ turn {}", text("outcome")),
        "message" => text("text"),
        "thought" => format!("  … {}", text("text")),
        "plan" => event["steps"]
            .as_array()?
            .iter()
            .map(|s| format!("  [{}] {}", at(s, &["status"]), clean(&at(s, &["text"]))))
            .collect::<Vec<_>>()
            .join("\n"),
        "tool" => format!("  ⚙ {} {}", text("title"), text("status")),
        "log" => text("text"),
        "truncated" => format!("· {} bytes of output were dropped", event["dropped_bytes"]),
        "asked" => format!("? {} (meshwork run answer)", clean(&at(event, &["question", "title"]))),
        "answered" => format!("· answered: {}", text("option")),
        "check_started" => format!("· check “{}” …", text("name")),
        "check_ended" => format!(
            "· check “{}” {}",
            clean(&at(event, &["result", "name"])),
            if event["result"]["passed"] == true { "passed" } else { "FAILED" }
        ),
        "violation" => format!("! the sandbox stopped: {}", text("what")),
        "paused" => "· frozen".into(),
        "resumed" => "· goes on".into(),
        "message_delivered" => "· your message was delivered".into(),
        "work_ended" => format!("· the engine's part ended: {}", at(event, &["reason", "code"])),
        _ => return None,
    })
}

fn clean_lines(text: &str) -> String {
    text.lines().map(clean).collect::<Vec<_>>().join("\n")
}
