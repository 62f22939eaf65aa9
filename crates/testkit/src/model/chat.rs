//! OpenAI Chat Completions: <https://platform.openai.com/docs/api-reference/chat>.

use super::{
    CACHED_TOKENS, INPUT_TOKENS, OUTPUT_TOKENS,
    decide::Answer,
    request::Asked,
    stream::{Frame, words},
};
use serde_json::{Value, json};

/// The answer whole, and as the chunks of a stream.
pub(super) fn render(id: u64, asked: &Asked, answer: &Answer) -> (Value, Vec<Frame>) {
    let head = |object: &str| json!({"id": format!("chatcmpl-{id}"), "object": object, "created": 1_700_000_000, "model": asked.model});
    let reason = if matches!(answer, Answer::Call { .. }) { "tool_calls" } else { "stop" };
    let message = match answer {
        Answer::Text { text } => json!({"role": "assistant", "content": text}),
        Answer::Call { .. } => json!({"role": "assistant", "content": null, "tool_calls": [call(id, answer)]}),
    };
    let mut whole = head("chat.completion");
    whole["choices"] = json!([{"index": 0, "message": message, "finish_reason": reason}]);
    whole["usage"] = usage();

    let chunk = |delta: Value, reason: Option<&str>| {
        let mut chunk = head("chat.completion.chunk");
        chunk["choices"] = json!([{"index": 0, "delta": delta, "finish_reason": reason}]);
        Frame::unnamed(&chunk)
    };
    let mut frames = vec![chunk(json!({"role": "assistant", "content": ""}), None)];
    match answer {
        Answer::Text { text } => frames.extend(words(text).map(|word| chunk(json!({"content": word}), None).word())),
        Answer::Call { .. } => {
            let mut call = call(id, answer);
            call["index"] = json!(0);
            frames.push(chunk(json!({"tool_calls": [call]}), None));
        }
    }
    frames.push(chunk(json!({}), Some(reason)));
    let mut last = head("chat.completion.chunk");
    last["choices"] = json!([]);
    last["usage"] = usage();
    frames.extend([Frame::unnamed(&last), Frame::done()]);
    (whole, frames)
}

fn call(id: u64, answer: &Answer) -> Value {
    match answer {
        Answer::Call { tool, input } if tool.free_text => {
            json!({"id": format!("call_{id}"), "type": "custom", "custom": {"name": tool.name, "input": input}})
        }
        Answer::Call { tool, input } => {
            json!({"id": format!("call_{id}"), "type": "function", "function": {"name": tool.name, "arguments": input.to_string()}})
        }
        Answer::Text { .. } => Value::Null,
    }
}

fn usage() -> Value {
    json!({
        "prompt_tokens": INPUT_TOKENS, "prompt_tokens_details": {"cached_tokens": CACHED_TOKENS},
        "completion_tokens": OUTPUT_TOKENS, "total_tokens": INPUT_TOKENS + OUTPUT_TOKENS,
    })
}
