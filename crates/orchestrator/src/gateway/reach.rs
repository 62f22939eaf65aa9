//! What a request may have the provider reach: nothing, for the provider knows nothing of the hosts that a run may reach. Its own tools and
//! addresses that it would fetch are refused; tools that run at the engine, and content that is in the request itself, go on.

use super::refusal::{self, Refusal};
use domain::agent::ModelApi;
use serde_json::Value;

/// Fields below which providers expect an address, or the content itself as a `data:` address.
const FETCHED: [&str; 7] = ["image_url", "file_url", "file_uri", "fileUri", "video_url", "audio_url", "document_url"];
/// Fields with schemas and arguments in the engine's own words, which nobody fetches.
const OWN_WORDS: [&str; 7] =
    ["functionCall", "function_call", "schema", "json_schema", "responseSchema", "responseJsonSchema", "response_schema"];
/// Tools that run at the engine, or that reach nothing.
const AT_ENGINE: [&str; 9] = [
    "function",
    "custom",
    "namespace",
    "local_shell",
    "apply_patch",
    "tool_search",
    "computer",
    "computer_use_preview",
    "image_generation",
];
/// The same, which have a date or a kind after this.
const AT_ENGINE_SINCE: [&str; 5] = ["bash_2", "text_editor_2", "computer_2", "memory_2", "tool_search_tool_"];
/// Parts of a conversation that hand tools over.
const HAND_OVER: [&str; 2] = ["additional_tools", "tool_search_output"];

/// Refuses a request by which the provider would reach something.
pub(super) fn check(api: ModelApi, whole: &Value) -> Result<(), Refusal> {
    let Some(fields) = whole.as_object() else { return Ok(()) };
    if api == ModelApi::Gemini {
        fields.get("tools").map_or(Ok(()), only_functions)?;
    }
    fields.iter().try_for_each(|(name, value)| if name == "tools" { tools(value) } else { field("", name, value) })
}

/// Whether a tool of this type runs at the engine, or reaches nothing.
pub(super) fn at_engine(kind: &str) -> bool {
    AT_ENGINE.contains(&kind) || AT_ENGINE_SINCE.iter().any(|begin| kind.starts_with(begin))
}

/// Says that a tool is the provider's own.
pub(super) fn hosted(what: &str) -> Refusal {
    let what = domain::id::shown(what);
    let text = format!("The provider's own tool “{what}” would reach hosts that this run may not reach. Turn it off in the engine.");
    Refusal::new(refusal::STOP, "hosted_tool_not_allowed", text)
}

fn tools(list: &Value) -> Result<(), Refusal> {
    list.as_array().into_iter().flatten().try_for_each(|tool| match tool.get("type").and_then(Value::as_str) {
        None | Some("function" | "custom") => Ok(()),
        Some("namespace") => tool.get("tools").map_or(Ok(()), tools),
        Some(kind) if at_engine(kind) => walk(tool),
        Some(kind) => Err(hosted(kind)),
    })
}

/// Gemini names a tool by its field: only functions run at the engine.
fn only_functions(list: &Value) -> Result<(), Refusal> {
    let mut named = list.as_array().into_iter().flatten().filter_map(Value::as_object).flatten().filter(|(_, value)| !value.is_null());
    match named.find(|(name, _)| !matches!(name.as_str(), "functionDeclarations" | "function_declarations")) {
        Some((name, _)) => Err(hosted(name)),
        None => Ok(()),
    }
}

fn walk(value: &Value) -> Result<(), Refusal> {
    match value {
        Value::Array(items) => items.iter().try_for_each(walk),
        Value::Object(fields) => {
            let kind = fields.get("type").and_then(Value::as_str).unwrap_or_default();
            fields.iter().try_for_each(|(name, value)| field(kind, name, value))
        }
        _ => Ok(()),
    }
}

/// A field of an object of this type.
fn field(kind: &str, name: &str, value: &Value) -> Result<(), Refusal> {
    match name {
        "tools" if HAND_OVER.contains(&kind) => tools(value),
        "input" if kind == "tool_use" => Ok(()),
        "functionResponse" | "function_response" => answer(value),
        "url" if kind == "url" => fetched(value),
        name if FETCHED.contains(&name) => fetched(value),
        name if OWN_WORDS.contains(&name) => Ok(()),
        _ => walk(value),
    }
}

/// What a tool of the engine answered is in its own words; what comes with that is content.
fn answer(value: &Value) -> Result<(), Refusal> {
    let with = value.as_object().into_iter().flatten().filter(|(name, _)| name.as_str() != "response");
    with.map(|(_, value)| value).try_for_each(walk)
}

/// Content that must be in the request itself.
fn fetched(value: &Value) -> Result<(), Refusal> {
    match value {
        Value::String(text) if leads_away(text) => {
            let text = "The provider would fetch an address that this run may not reach. Send the content itself.";
            Err(Refusal::new(refusal::STOP, "fetch_not_allowed", text.to_owned()))
        }
        Value::Array(items) => items.iter().try_for_each(fetched),
        Value::Object(fields) => fields.values().try_for_each(fetched),
        _ => Ok(()),
    }
}

/// Whether a text is an address of any kind, however oddly it is written, but for `data:`.
fn leads_away(text: &str) -> bool {
    let data = text.get(..5).is_some_and(|begin| begin.eq_ignore_ascii_case("data:"));
    !data && text.contains(':')
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_provider_fetches_nothing() {
        for content in [
            json!({"type": "image_url", "image_url": {"url": "https://evil/?d=1"}}),
            json!({"type": "input_image", "image_url": "HTTPS:evil"}),
            json!({"type": "input_file", "file_url": " http://evil"}),
            json!({"type": "image", "source": {"type": "url", "url": "https://evil"}}),
            json!({"type": "tool_result", "content": [{"type": "document", "source": {"type": "url", "url": "h\nttp://evil"}}]}),
            json!({"fileData": {"fileUri": "https://evil"}}),
            json!({"file_data": {"file_uri": "gs://evil/x"}}),
            json!({"functionResponse": {"parts": [{"fileData": {"fileUri": "https://evil"}}]}}),
            json!({"type": "additional_tools", "tools": [{"type": "web_search"}]}),
        ] {
            let body = json!({"messages": [{"content": [content]}]});
            assert!(check(ModelApi::Chat, &body).is_err(), "{body}");
        }
    }

    #[test]
    fn content_and_the_engines_own_words_go_on() {
        for content in [
            json!({"type": "text", "text": "see https://example.org"}),
            json!({"type": "image_url", "image_url": {"url": "data:image/png;base64,AA==", "detail": "auto"}}),
            json!({"type": "image", "source": {"type": "base64", "data": "AA=="}}),
            json!({"type": "tool_use", "name": "open", "input": {"image_url": "https://example.org"}}),
            json!({"functionCall": {"name": "open", "args": {"fileUri": "https://example.org"}}}),
            json!({"functionResponse": {"name": "open", "response": {"file_url": "https://example.org"}}}),
        ] {
            let body = json!({"messages": [{"content": [content]}]});
            assert!(check(ModelApi::Chat, &body).is_ok(), "{body}");
        }
    }

    #[test]
    fn only_tools_that_run_at_the_engine_are_let_through() {
        let about = json!({"image_url": {"description": "An address: https://..."}});
        let own = json!([
            {"type": "function", "parameters": {"properties": about}}, {"type": "custom"}, {"name": "x", "input_schema": {"properties": about}},
            {"type": "local_shell"}, {"type": "bash_20250124"}, {"type": "text_editor_20250728"},
            {"type": "namespace", "tools": [{"type": "function"}]},
        ]);
        assert!(check(ModelApi::Responses, &json!({ "tools": own })).is_ok());
        for tool in [
            json!({"type": "web_search"}),
            json!({"type": "browser_2030"}),
            json!({"type": "namespace", "tools": [{"type": "mcp"}]}),
            json!({"type": "image_generation", "input_image_mask": {"image_url": "https://evil"}}),
        ] {
            assert!(check(ModelApi::Responses, &json!({ "tools": [tool] })).is_err(), "{tool}");
        }
        assert!(check(ModelApi::Gemini, &json!({"tools": [{"functionDeclarations": [], "googleSearch": null}]})).is_ok());
        assert!(check(ModelApi::Gemini, &json!({"tools": [{"googleMaps": {}}]})).is_err());
    }
}
