//! The two wire forms: OpenAI's Chat Completions and Anthropic's Messages. Sources: their API references.

use crate::limits::MODEL_TOKENS_MAX;
use domain::agent::{Model, ModelApi};
use serde_json::{Value, json};

/// A part of the talk with the model.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Part {
    /// The person said it.
    Person(String),
    /// The model said it.
    Model(String),
    /// The model called tools.
    Called(Said),
    /// What the tools told, by the calls' ids.
    Told(Vec<(String, String)>),
}

/// What the model answered.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Said {
    pub(super) text: String,
    pub(super) calls: Vec<ToolCall>,
}

/// A tool that the model wants called.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ToolCall {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) input: Value,
}

/// A tool that is offered.
#[derive(Clone, Debug)]
pub(super) struct Tool {
    pub(super) name: String,
    pub(super) about: String,
    pub(super) schema: Value,
}

/// Where the gateway takes such calls.
pub(super) fn path(api: ModelApi) -> &'static str {
    match api {
        ModelApi::Messages => "/v1/messages",
        ModelApi::Chat | ModelApi::Responses | ModelApi::Gemini => "/v1/chat/completions",
    }
}

/// The body of a call.
pub(super) fn body(model: &Model, instructions: &str, parts: &[Part], tools: &[Tool]) -> Value {
    match model.api {
        ModelApi::Messages => json!({
            "model": model.name, "max_tokens": MODEL_TOKENS_MAX, "system": instructions,
            "messages": parts.iter().map(message).collect::<Vec<_>>(),
            "tools": tools.iter().map(|t| json!({"name": t.name, "description": t.about, "input_schema": t.schema})).collect::<Vec<_>>(),
        }),
        ModelApi::Chat | ModelApi::Responses | ModelApi::Gemini => {
            let system = json!({"role": "system", "content": instructions});
            let tool = |t: &Tool| json!({"type": "function", "function": {"name": t.name, "description": t.about, "parameters": t.schema}});
            json!({
                "model": model.name, "messages": std::iter::once(system).chain(parts.iter().flat_map(chat)).collect::<Vec<_>>(),
                "tools": tools.iter().map(tool).collect::<Vec<_>>(),
            })
        }
    }
}

fn message(part: &Part) -> Value {
    match part {
        Part::Person(text) => json!({"role": "user", "content": text}),
        Part::Model(text) => json!({"role": "assistant", "content": text}),
        Part::Called(said) => {
            let text = (!said.text.is_empty()).then(|| json!({"type": "text", "text": said.text}));
            let calls = said.calls.iter().map(|c| json!({"type": "tool_use", "id": c.id, "name": c.name, "input": c.input}));
            json!({"role": "assistant", "content": text.into_iter().chain(calls).collect::<Vec<_>>()})
        }
        Part::Told(results) => {
            let result = |(id, text): &(String, String)| json!({"type": "tool_result", "tool_use_id": id, "content": text});
            json!({"role": "user", "content": results.iter().map(result).collect::<Vec<_>>()})
        }
    }
}

fn chat(part: &Part) -> Vec<Value> {
    match part {
        Part::Person(text) => vec![json!({"role": "user", "content": text})],
        Part::Model(text) => vec![json!({"role": "assistant", "content": text})],
        Part::Called(said) => {
            let call =
                |c: &ToolCall| json!({"id": c.id, "type": "function", "function": {"name": c.name, "arguments": c.input.to_string()}});
            vec![json!({"role": "assistant", "content": said.text, "tool_calls": said.calls.iter().map(call).collect::<Vec<_>>()})]
        }
        Part::Told(results) => results.iter().map(|(id, text)| json!({"role": "tool", "tool_call_id": id, "content": text})).collect(),
    }
}

/// Reads an answer; none where it has another form.
pub(super) fn read(api: ModelApi, answer: &Value) -> Option<Said> {
    match api {
        ModelApi::Messages => {
            let blocks = answer["content"].as_array()?;
            let text = blocks.iter().filter_map(|b| b["text"].as_str()).collect::<Vec<_>>().join("\n");
            let call =
                |b: &Value| Some(ToolCall { id: b["id"].as_str()?.into(), name: b["name"].as_str()?.into(), input: b["input"].clone() });
            Some(Said { text, calls: blocks.iter().filter(|b| b["type"] == "tool_use").filter_map(call).collect() })
        }
        ModelApi::Chat | ModelApi::Responses | ModelApi::Gemini => {
            let message = answer["choices"][0].get("message")?;
            let call = |c: &Value| {
                // Arguments that are no JSON are told as such by the tool.
                let arguments = c["function"]["arguments"].as_str()?;
                let input = if arguments.trim().is_empty() { json!({}) } else { serde_json::from_str(arguments).unwrap_or_default() };
                Some(ToolCall { id: c["id"].as_str()?.into(), name: c["function"]["name"].as_str()?.into(), input })
            };
            let calls = message["tool_calls"].as_array().into_iter().flatten().filter_map(call).collect();
            Some(Said { text: message["content"].as_str().unwrap_or_default().to_owned(), calls })
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn both_forms_carry_the_same_talk() {
        let call = ToolCall { id: "1".into(), name: "run_list".into(), input: json!({"all": true}) };
        let parts = [
            Part::Person("hi".into()),
            Part::Called(Said { text: "wait".into(), calls: vec![call.clone()] }),
            Part::Told(vec![("1".into(), "[]".into())]),
            Part::Model("none".into()),
        ];
        let model =
            |api| Model { name: "m".into(), base_url: "https://m.example/v1".into(), api, credential: "k".parse().unwrap(), price: None };
        let tools = [Tool { name: "run_list".into(), about: "Runs.".into(), schema: json!({"type": "object"}) }];
        let chat = body(&model(ModelApi::Chat), "be short", &parts, &tools);
        assert_eq!(chat["messages"][2]["tool_calls"][0]["function"]["arguments"], r#"{"all":true}"#);
        assert_eq!(chat["messages"][3], json!({"role": "tool", "tool_call_id": "1", "content": "[]"}));
        let messages = body(&model(ModelApi::Messages), "be short", &parts, &tools);
        assert_eq!(messages["system"], "be short");
        assert_eq!(
            messages["messages"][1]["content"][1],
            json!({"type": "tool_use", "id": "1", "name": "run_list", "input": {"all": true}})
        );
        assert_eq!(messages["messages"][2]["content"][0]["tool_use_id"], "1");

        let said = Said { text: "wait".into(), calls: vec![call] };
        let answer = json!({"choices": [{"message": {"content": "wait", "tool_calls": chat["messages"][2]["tool_calls"]}}]});
        assert_eq!(read(ModelApi::Chat, &answer), Some(said.clone()));
        assert_eq!(read(ModelApi::Messages, &json!({"content": messages["messages"][1]["content"]})), Some(said));
        assert_eq!(read(ModelApi::Messages, &json!({"error": "x"})), None);
        assert_eq!(read(ModelApi::Chat, &json!([])), None);
    }
}
