//! What an engine asks of the model, held to what it may ask. Every field that is not changed goes on byte for byte and in
//! its order: a model reads its tools' schemas in the order in which they are written.

use super::{
    endpoint::Endpoint,
    ledger, limits,
    reach::{self, hosted},
    refusal::Refusal,
};
use domain::agent::ModelApi;
use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Value, value::RawValue};
use std::{collections::HashSet, fmt};

/// A call that may be sent, and what it may use at the most.
#[derive(Debug)]
pub(super) struct Prepared {
    /// The body of the call to the provider.
    pub(super) body: Vec<u8>,
    /// Tokens that it makes the model read.
    pub(super) input_tokens: u64,
    /// Tokens that the model may write.
    pub(super) output_tokens: u64,
}

/// What goes on to the provider.
pub(super) fn prepare(endpoint: Endpoint, api: ModelApi, model: &str, body: &[u8]) -> Result<Prepared, Refusal> {
    let unreadable = |e: serde_json::Error| Refusal::bad_request(format!("The request is no JSON object that the gateway can read: {e}."));
    let Unambiguous = serde_json::from_slice(body).map_err(unreadable)?;
    let fields: Fields<'_> = serde_json::from_slice(body).map_err(unreadable)?;
    let whole: Value = serde_json::from_slice(body).map_err(unreadable)?;
    fields.check_model(model)?;
    fields.check_reach()?;
    reach::check(api, &whole)?;
    let output_tokens = if endpoint.generates() { fields.output_at_most() } else { 0 };
    let refers = fields.refers_elsewhere(body);
    // Gemini has the model's name in its path.
    let mut out = if api == ModelApi::Gemini { vec![] } else { vec![field("model", &json_text(model))] };
    let streams = fields.get("stream").is_some_and(|raw| raw.get() == "true");
    let count_in_stream = endpoint == Endpoint::Generate && api == ModelApi::Chat && streams;
    for (name, raw) in &fields.0 {
        match name.as_str() {
            "model" => {}
            "stream_options" if count_in_stream => {}
            _ => out.push(field(name, raw.get())),
        }
    }
    if count_in_stream {
        // Without it, Chat Completions streams say nothing of what they used.
        let mut options: Map<String, Value> =
            fields.get("stream_options").and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default();
        options.insert("include_usage".into(), true.into());
        out.push(field("stream_options", &Value::Object(options).to_string()));
    }
    let body = format!("{{{}}}", out.join(",")).into_bytes();
    let input_tokens = if endpoint.generates() { ledger::input_at_most(body.len(), refers) } else { 0 };
    Ok(Prepared { body, input_tokens, output_tokens })
}

/// Where requests say how much the model may write.
const OUTPUT_LIMITS: [&str; 3] = ["max_output_tokens", "max_completion_tokens", "max_tokens"];
/// Words of a request that has content which lies elsewhere.
const ELSEWHERE: [&[u8]; 8] =
    [b"item_reference", b"file_id", b"file_url", b"file_uri", b"fileUri", b"image_url", b"\"type\":\"url\"", b"\"type\": \"url\""];
/// Fields that build on what is kept at the provider.
const KEPT_THERE: [&str; 4] = ["previous_response_id", "conversation", "prompt", "cachedContent"];

/// The fields of a JSON object as they were written.
struct Fields<'a>(Vec<(String, &'a RawValue)>);

impl Fields<'_> {
    fn get(&self, name: &str) -> Option<&RawValue> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, raw)| *raw)
    }

    /// Tokens that the model may write, all its answers together.
    fn output_at_most(&self) -> u64 {
        #[derive(Default, Deserialize)]
        #[serde(rename_all = "camelCase", default)]
        struct Generation {
            max_output_tokens: Option<u64>,
            candidate_count: Option<u64>,
        }
        let number = |name: &str| self.get(name).and_then(|raw| serde_json::from_str::<u64>(raw.get()).ok());
        let gemini: Generation = self.get("generationConfig").and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default();
        let one = OUTPUT_LIMITS.iter().filter_map(|name| number(name)).chain(gemini.max_output_tokens).max();
        let answers = number("n").into_iter().chain(gemini.candidate_count).max().unwrap_or(1).max(1);
        one.unwrap_or(limits::OUTPUT_TOKENS_MAX).saturating_mul(answers)
    }

    /// Whether the model may read what is not in the request itself.
    fn refers_elsewhere(&self, body: &[u8]) -> bool {
        let kept = KEPT_THERE.iter().any(|name| self.get(name).is_some_and(|raw| raw.get() != "null"));
        kept || ELSEWHERE.iter().any(|word| super::redact::find(body, word).is_some())
    }

    /// The agent's model or none: then it is put in.
    fn check_model(&self, allowed: &str) -> Result<(), Refusal> {
        let Some(raw) = self.get("model") else { return Ok(()) };
        match serde_json::from_str::<Option<String>>(raw.get()) {
            Ok(None) => Ok(()),
            Ok(Some(asked)) if asked == allowed => Ok(()),
            Ok(Some(asked)) => Err(Refusal::wrong_model(&asked, allowed)),
            Err(_) => Err(Refusal::bad_request("The model's name must be a text.")),
        }
    }

    /// No work that goes on behind the gateway's back: answers that are fetched later are not counted, and tools that the
    /// provider runs reach hosts that the run's manifest does not allow.
    fn check_reach(&self) -> Result<(), Refusal> {
        if self.get("background").is_some_and(|raw| !matches!(raw.get(), "false" | "null")) {
            return Err(Refusal::bad_request("The gateway lets no calls work in the background: their use could not be counted."));
        }
        let servers = self.get("mcp_servers").is_some_and(|raw| !matches!(raw.get(), "[]" | "null"));
        if let Some(kind) = self.get("tools").and_then(|raw| hosted_by_google(raw.get())) {
            return Err(hosted(kind));
        }
        // Chat asks for a search without naming a tool.
        if self.get("web_search_options").is_some_and(|raw| raw.get() != "null") {
            return Err(hosted("web_search_options"));
        }
        let tools = self.tools()?;
        match tools.iter().filter_map(|t| t.kind.as_deref()).find(|kind| !reach::at_engine(kind)) {
            Some(kind) => Err(hosted(kind)),
            None if servers => Err(hosted("mcp_servers")),
            None => Ok(()),
        }
    }

    /// Its tools. What cannot be read here the provider may read in its own way, so it is refused.
    fn tools(&self) -> Result<Vec<Tool>, Refusal> {
        let Some(raw) = self.get("tools") else { return Ok(vec![]) };
        let tools: Option<Vec<Tool>> =
            serde_json::from_str(raw.get()).map_err(|e| Refusal::bad_request(format!("The request's tools cannot be read: {e}.")))?;
        Ok(tools.unwrap_or_default())
    }
}

#[derive(Deserialize)]
struct Tool {
    #[serde(rename = "type", default)]
    kind: Option<String>,
}

/// Gemini names such tools by their field.
fn hosted_by_google(tools: &str) -> Option<&'static str> {
    let tools: Vec<Map<String, Value>> = serde_json::from_str(tools).ok()?;
    ["googleSearch", "google_search", "googleSearchRetrieval", "google_search_retrieval", "urlContext", "url_context"]
        .into_iter()
        .find(|name| tools.iter().any(|tool| tool.contains_key(*name)))
}

fn field(name: &str, raw: &str) -> String {
    format!("{}:{raw}", json_text(name))
}

fn json_text(text: &str) -> String {
    Value::from(text).to_string()
}

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = Fields<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields<'de>, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry::<String, &'de RawValue>()? {
                    fields.push(field);
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(Read)
    }
}

/// Any JSON value in which no object has a field twice, however deep: two readers may each take another one of them.
struct Unambiguous;

impl<'de> Deserialize<'de> for Unambiguous {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = Unambiguous;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON value")
            }
            fn visit_unit<E>(self) -> Result<Unambiguous, E> {
                Ok(Unambiguous)
            }
            fn visit_bool<E>(self, _: bool) -> Result<Unambiguous, E> {
                Ok(Unambiguous)
            }
            fn visit_i64<E>(self, _: i64) -> Result<Unambiguous, E> {
                Ok(Unambiguous)
            }
            fn visit_u64<E>(self, _: u64) -> Result<Unambiguous, E> {
                Ok(Unambiguous)
            }
            fn visit_f64<E>(self, _: f64) -> Result<Unambiguous, E> {
                Ok(Unambiguous)
            }
            fn visit_str<E>(self, _: &str) -> Result<Unambiguous, E> {
                Ok(Unambiguous)
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Unambiguous, A::Error> {
                while items.next_element::<Unambiguous>()?.is_some() {}
                Ok(Unambiguous)
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Unambiguous, A::Error> {
                let mut seen = HashSet::new();
                while let Some(name) = map.next_key::<String>()? {
                    if !seen.insert(name) {
                        return Err(A::Error::custom("a field is there twice"));
                    }
                    map.next_value::<Unambiguous>()?;
                }
                Ok(Unambiguous)
            }
        }
        deserializer.deserialize_any(Read)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    fn prepared(api: ModelApi, body: &str) -> Result<String, (u16, String)> {
        prepare(Endpoint::Generate, api, "m-1", body.as_bytes())
            .map(|p| String::from_utf8(p.body).unwrap())
            .map_err(|r| (r.status.as_u16(), r.text))
    }

    #[test]
    fn what_is_not_changed_goes_on_byte_for_byte_in_its_order() {
        let body = r#"{"z":1.0,"model":"m-1","tools":[{"type":"function","p":{"b":1,"a":  12345678901234567890123}}],"a":"\u00e9"}"#;
        let out = prepared(ModelApi::Responses, body).unwrap();
        assert_eq!(out, r#"{"model":"m-1","z":1.0,"tools":[{"type":"function","p":{"b":1,"a":  12345678901234567890123}}],"a":"\u00e9"}"#);
    }

    #[test]
    fn the_model_is_put_in_or_refused() {
        assert_eq!(prepared(ModelApi::Chat, "{}").unwrap(), r#"{"model":"m-1"}"#);
        assert_eq!(prepared(ModelApi::Chat, r#"{"model":null}"#).unwrap(), r#"{"model":"m-1"}"#);
        assert_eq!(prepared(ModelApi::Chat, r#"{"model":"m-\u0031"}"#).unwrap(), r#"{"model":"m-1"}"#);
        for (body, status) in [
            (r#"{"model":"gpt-other"}"#, 403),
            (r#"{"model":["m-1"]}"#, 400),
            (r#"{"model":"m-1","model":"gpt-other"}"#, 400),
            (r#"{"mode\u006c":"gpt-other","model":"m-1"}"#, 400),
            (r#"["m-1"]"#, 400),
            ("", 400),
            (r#"{"model":"m-1"} {}"#, 400),
        ] {
            assert_eq!(prepared(ModelApi::Responses, body).unwrap_err().0, status, "{body}");
        }
    }

    #[test]
    fn a_chat_stream_is_asked_to_say_its_usage_and_nothing_else_is() {
        let options = |body: &str, api| serde_json::from_str::<Value>(&prepared(api, body).unwrap()).unwrap()["stream_options"].clone();
        assert_eq!(options(r#"{"stream":true}"#, ModelApi::Chat), serde_json::json!({"include_usage": true}));
        let kept = options(r#"{"stream":true,"stream_options":{"include_usage":false,"x":1}}"#, ModelApi::Chat);
        assert_eq!(kept, serde_json::json!({"include_usage": true, "x": 1}));
        assert_eq!(options(r#"{"stream":true,"stream_options":7}"#, ModelApi::Chat), serde_json::json!({"include_usage": true}));
        assert_eq!(options(r#"{"stream":false}"#, ModelApi::Chat), Value::Null);
        assert_eq!(options(r#"{"stream":true}"#, ModelApi::Messages), Value::Null);
    }

    #[test]
    fn what_a_call_may_use_is_never_less_than_what_it_says() {
        let most = |api, body: &str| {
            let p = prepare(Endpoint::Generate, api, "m-1", body.as_bytes()).unwrap();
            (p.input_tokens, p.output_tokens)
        };
        let (read, written) = most(ModelApi::Chat, r#"{"max_tokens":7,"max_completion_tokens":9,"n":2,"messages":[]}"#);
        assert!((limits::PROMPT_OVERHEAD_TOKENS + 40..2_000).contains(&read), "{read}");
        assert_eq!(written, 18);
        assert_eq!(most(ModelApi::Responses, "{}").1, limits::OUTPUT_TOKENS_MAX);
        assert_eq!(most(ModelApi::Gemini, r#"{"generationConfig":{"maxOutputTokens":5,"candidateCount":3}}"#).1, 15);
        for far in
            [r#"{"previous_response_id":"r"}"#, r#"{"input":[{"type":"item_reference","id":"x"}]}"#, r#"{"input":[{"file_id":"f"}]}"#]
        {
            assert_eq!(most(ModelApi::Responses, far).0, limits::CONTEXT_TOKENS_MAX, "{far}");
        }
        assert!(prepared(ModelApi::Gemini, r#"{"tools":[{"googleSearch":{}}]}"#).is_err());
        assert_eq!(prepared(ModelApi::Gemini, r#"{"contents":[]}"#).unwrap(), r#"{"contents":[]}"#);
    }

    #[test]
    fn nothing_works_behind_the_gateways_back() {
        for body in [
            r#"{"background":true}"#,
            r#"{"tools":[{"type":"function"},{"type":"mcp","server_url":"https://x"}]}"#,
            r#"{"tools":[{"type":"web_search_20250305"}]}"#,
            r#"{"mcp_servers":[{"url":"https://x"}]}"#,
            r#"{"web_search_options":{}}"#,
            r#"{"tools":[{"type":"function","type":"web_search"}]}"#,
            r#"{"tools":[{"type":"web_search","type":"function"}]}"#,
            r#"{"tools":{"type":"web_search"}}"#,
            r#"{"tools":[{"type":["web_search"]}]}"#,
            r#"{"tools":["web_search"]}"#,
        ] {
            assert_eq!(prepared(ModelApi::Messages, body).unwrap_err().0, 400, "{body}");
        }
        assert!(prepared(ModelApi::Messages, r#"{"background":false,"mcp_servers":[],"tools":[{"name":"x"}]}"#).is_ok());
        assert!(prepared(ModelApi::Chat, r#"{"tools":null,"web_search_options":null}"#).is_ok());
    }

    #[test]
    fn a_field_that_is_there_twice_is_refused_however_deep_it_is() {
        for body in [
            r#"{"a":1,"a":1}"#,
            r#"{"generationConfig":{"candidateCount":1,"candidateCount":8}}"#,
            r#"{"input":[[{"x":{"type":"text","t\u0079pe":"file"}}]]}"#,
        ] {
            let (status, text) = prepared(ModelApi::Gemini, body).unwrap_err();
            assert!(status == 400 && text.contains("twice"), "{body}: {text}");
        }
        let alike = r#"{"a":{"b":1,"c":[null,true,-2,3.5,"d"]},"b":{"b":1}}"#;
        assert_eq!(prepared(ModelApi::Gemini, alike).unwrap(), alike);
    }
}
