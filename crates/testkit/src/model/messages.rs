//! Anthropic Messages: <https://docs.anthropic.com/en/api/messages-streaming>.

use super::{
    CACHED_TOKENS, INPUT_TOKENS, OUTPUT_TOKENS,
    decide::Answer,
    request::Asked,
    stream::{Frame, words},
};
use serde_json::{Value, json};

/// The answer whole, and as the events of a stream.
pub(super) fn render(id: u64, asked: &Asked, answer: &Answer) -> (Value, Vec<Frame>) {
    let reason = if matches!(answer, Answer::Call { .. }) { "tool_use" } else { "end_turn" };
    let message = |content: Value, reason: Value, output: u64| {
        json!({
            "id": format!("msg_{id}"), "type": "message", "role": "assistant", "model": asked.model, "content": content,
            "stop_reason": reason, "stop_sequence": null, "usage": usage(output),
        })
    };
    let (block, deltas) = block(id, answer);
    let mut empty = block.clone();
    let (key, nothing) = if empty["type"] == "text" { ("text", json!("")) } else { ("input", json!({})) };
    empty[key] = nothing;

    let mut frames = vec![
        event("message_start", json!({"message": message(json!([]), Value::Null, 1)})),
        event("content_block_start", json!({"index": 0, "content_block": empty})),
    ];
    frames.extend(deltas.into_iter().map(|delta| event("content_block_delta", json!({"index": 0, "delta": delta})).word()));
    frames.extend([
        event("content_block_stop", json!({"index": 0})),
        event("message_delta", json!({"delta": {"stop_reason": reason, "stop_sequence": null}, "usage": {"output_tokens": OUTPUT_TOKENS}})),
        event("message_stop", json!({})),
    ]);
    (message(json!([block]), json!(reason), OUTPUT_TOKENS), frames)
}

fn event(name: &str, mut data: Value) -> Frame {
    data["type"] = json!(name);
    Frame::named(name, &data)
}

fn block(id: u64, answer: &Answer) -> (Value, Vec<Value>) {
    match answer {
        Answer::Text { text } => {
            (json!({"type": "text", "text": text}), words(text).map(|word| json!({"type": "text_delta", "text": word})).collect())
        }
        Answer::Call { tool, input } => (
            json!({"type": "tool_use", "id": format!("toolu_{id}"), "name": tool.name, "input": input}),
            vec![json!({"type": "input_json_delta", "partial_json": input.to_string()})],
        ),
    }
}

/// Anthropic counts cached tokens apart from the others; OpenAI among them.
fn usage(output_tokens: u64) -> Value {
    json!({
        "input_tokens": INPUT_TOKENS - CACHED_TOKENS, "cache_read_input_tokens": CACHED_TOKENS,
        "cache_creation_input_tokens": 0, "output_tokens": output_tokens,
    })
}
