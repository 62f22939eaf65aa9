//! OpenAI Responses: <https://platform.openai.com/docs/api-reference/responses-streaming>.

use super::{
    CACHED_TOKENS, INPUT_TOKENS, OUTPUT_TOKENS,
    decide::Answer,
    request::Asked,
    stream::{Frame, words},
};
use serde_json::{Value, json};

/// The answer whole, and as the events of a stream.
pub(super) fn render(id: u64, asked: &Asked, answer: &Answer) -> (Value, Vec<Frame>) {
    let item = item(id, answer);
    let base = json!({"id": format!("resp_{id}"), "object": "response", "created_at": 1_700_000_000, "model": asked.model, "output": []});
    let whole = with(&base, &json!({"status": "completed", "output": [item], "usage": usage()}));
    let mut events = vec![("response.created", json!({"response": with(&base, &json!({"status": "in_progress"}))}))];
    match answer {
        Answer::Text { text } => text_events(&item, text, &mut events),
        Answer::Call { .. } => call_events(&item, &mut events),
    }
    events.push(("response.output_item.done", json!({"output_index": 0, "item": item})));
    events.push(("response.completed", json!({"response": whole})));
    (whole.clone(), events.into_iter().enumerate().map(frame).collect())
}

fn frame((number, (name, data)): (usize, (&str, Value))) -> Frame {
    let frame = Frame::named(name, &with(&data, &json!({"type": name, "sequence_number": number})));
    if name == "response.output_text.delta" { frame.word() } else { frame }
}

fn item(id: u64, answer: &Answer) -> Value {
    match answer {
        Answer::Text { text } => json!({
            "type": "message", "id": format!("msg_{id}"), "role": "assistant", "status": "completed",
            "content": [{"type": "output_text", "text": text, "annotations": []}],
        }),
        Answer::Call { tool, input } if tool.free_text => json!({
            "type": "custom_tool_call", "id": format!("ctc_{id}"), "call_id": format!("call_{id}"), "status": "completed",
            "name": tool.name, "input": input,
        }),
        Answer::Call { tool, input } => {
            let call = json!({
                "type": "function_call", "id": format!("fc_{id}"), "call_id": format!("call_{id}"), "status": "completed",
                "name": tool.name, "arguments": input.to_string(),
            });
            match &tool.namespace {
                Some(namespace) => with(&call, &json!({"namespace": namespace})),
                None => call,
            }
        }
    }
}

fn text_events(item: &Value, text: &str, events: &mut Vec<(&str, Value)>) {
    let at = json!({"item_id": item["id"], "output_index": 0, "content_index": 0});
    let begun = with(item, &json!({"status": "in_progress", "content": []}));
    let empty = json!({"type": "output_text", "text": "", "annotations": []});
    events.push(("response.output_item.added", json!({"output_index": 0, "item": begun})));
    events.push(("response.content_part.added", with(&at, &json!({"part": empty}))));
    for word in words(text) {
        events.push(("response.output_text.delta", with(&at, &json!({"delta": word}))));
    }
    events.push(("response.output_text.done", with(&at, &json!({"text": text}))));
    events.push(("response.content_part.done", with(&at, &json!({"part": item["content"][0]}))));
}

fn call_events(item: &Value, events: &mut Vec<(&str, Value)>) {
    let (key, delta, done) = if item["type"] == "custom_tool_call" {
        ("input", "response.custom_tool_call_input.delta", "response.custom_tool_call_input.done")
    } else {
        ("arguments", "response.function_call_arguments.delta", "response.function_call_arguments.done")
    };
    let at = json!({"item_id": item["id"], "output_index": 0});
    events.push(("response.output_item.added", json!({"output_index": 0, "item": with(item, &json!({"status": "in_progress", key: ""}))})));
    events.push((delta, with(&at, &json!({"delta": item[key]}))));
    events.push((done, with(&at, &json!({key: item[key], "name": item["name"]}))));
}

fn usage() -> Value {
    json!({
        "input_tokens": INPUT_TOKENS, "input_tokens_details": {"cached_tokens": CACHED_TOKENS},
        "output_tokens": OUTPUT_TOKENS, "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": INPUT_TOKENS + OUTPUT_TOKENS,
    })
}

fn with(base: &Value, more: &Value) -> Value {
    let mut all = base.clone();
    for (key, value) in more.as_object().into_iter().flatten() {
        all[key] = value.clone();
    }
    all
}
