//! Updates of a session, put into the words of this project.

use crate::limits::{PLAN_STEPS_MAX, TITLE_BYTES_MAX, TOOL_OUTPUT_BYTES_MAX, cut, tail};
use agent_client_protocol::v1::schema::{
    ContentBlock, Plan, PlanEntryStatus, SessionUpdate, ToolCallContent, ToolCallStatus, ToolCallUpdateFields,
};
use domain::run::{PlanStep, RunnerEvent};
use serde_json::Value;

/// What an update means here.
#[derive(Debug)]
pub(crate) enum Update {
    /// Words of the agent.
    Message(String),
    /// It thinks aloud.
    Thought(String),
    /// Something that is an event as it is.
    Event(RunnerEvent),
    /// Extensions of an engine: signs of failure may stand there.
    Meta(Value),
}

/// None where an update says nothing that is shown.
pub(super) fn read(update: SessionUpdate) -> Vec<Update> {
    match update {
        SessionUpdate::AgentMessageChunk(chunk) => vec![Update::Message(text_of(&chunk.content))],
        SessionUpdate::AgentThoughtChunk(chunk) => vec![Update::Thought(text_of(&chunk.content))],
        SessionUpdate::ToolCall(call) => {
            let fields =
                ToolCallUpdateFields::new().title(call.title).status(call.status).content(call.content).raw_output(call.raw_output);
            vec![tool(call.tool_call_id.to_string(), &fields)]
        }
        SessionUpdate::ToolCallUpdate(call) => vec![tool(call.tool_call_id.to_string(), &call.fields)],
        SessionUpdate::Plan(plan) => vec![Update::Event(RunnerEvent::Plan { steps: steps(plan) })],
        SessionUpdate::UsageUpdate(usage) => vec![Update::Event(RunnerEvent::Context { used: usage.used, size: usage.size })],
        SessionUpdate::SessionInfoUpdate(info) => info.meta.map(|meta| Update::Meta(Value::Object(meta))).into_iter().collect(),
        SessionUpdate::Notice(notice) => {
            let text = [Some(notice.title), notice.description].into_iter().flatten().collect::<Vec<_>>().join(" ");
            vec![Update::Event(RunnerEvent::Log { stream: "runner".into(), text: cut(&text, TOOL_OUTPUT_BYTES_MAX) })]
        }
        _ => Vec::new(),
    }
}

fn steps(plan: Plan) -> Vec<PlanStep> {
    let step = |entry: agent_client_protocol::v1::schema::PlanEntry| PlanStep {
        text: cut(&entry.content, TITLE_BYTES_MAX),
        status: match entry.status {
            PlanEntryStatus::Completed => "completed",
            PlanEntryStatus::InProgress => "in_progress",
            _ => "pending",
        }
        .into(),
    };
    plan.entries.into_iter().take(PLAN_STEPS_MAX).map(step).collect()
}

fn tool(id: String, fields: &ToolCallUpdateFields) -> Update {
    let status = match fields.status {
        Some(ToolCallStatus::Pending) => "pending",
        Some(ToolCallStatus::InProgress) => "in_progress",
        Some(ToolCallStatus::Completed) => "completed",
        Some(ToolCallStatus::Failed) => "failed",
        _ => "",
    };
    Update::Event(RunnerEvent::Tool {
        id: cut(&id, TITLE_BYTES_MAX),
        title: cut(fields.title.as_deref().unwrap_or_default(), TITLE_BYTES_MAX),
        status: status.into(),
        output: output(fields),
    })
}

/// The end of what a tool says: its content where there is some, otherwise its raw output. Diffs only by their paths, for
/// diffs are taken from git.
fn output(fields: &ToolCallUpdateFields) -> String {
    let parts = fields.content.iter().flatten().filter_map(|content| match content {
        ToolCallContent::Content(content) => Some(text_of(&content.content)),
        ToolCallContent::Diff(diff) => Some(format!("changes {}", diff.path.display())),
        _ => None,
    });
    let shown = parts.filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n");
    let all = if shown.is_empty() { fields.raw_output.as_ref().map(raw).unwrap_or_default() } else { shown };
    let end = tail(&all, TOOL_OUTPUT_BYTES_MAX);
    if end.len() < all.len() { format!("…{end}") } else { all }
}

fn raw(output: &Value) -> String {
    let known = ["formatted_output", "aggregatedOutput", "output", "content", "message", "stdout", "error"];
    match output {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Object(fields) => match known.iter().find_map(|name| fields.get(*name).and_then(Value::as_str)) {
            Some(text) => text.to_owned(),
            None => output.to_string(),
        },
        other => other.to_string(),
    }
}

fn text_of(content: &ContentBlock) -> String {
    match content {
        ContentBlock::Text(text) => text.text.clone(),
        ContentBlock::ResourceLink(link) => link.uri.clone(),
        ContentBlock::Image(_) => "[image]".into(),
        ContentBlock::Audio(_) => "[audio]".into(),
        _ => String::new(),
    }
}
