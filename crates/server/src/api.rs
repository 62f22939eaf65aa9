//! The API: every action of the table, and the five addresses that the mission names.

use crate::{error::Refusal, router::Doors};
use axum::{
    Json,
    body::Bytes,
    extract::{Path, RawQuery, State},
    http::HeaderMap,
};
use domain::{Kind, Problem};
use orchestrator::table::{self, Action, Context, Effect};
use serde_json::{Map, Value};

type Answer = Result<Json<Value>, Refusal>;

/// `GET /api/v1/{resource}/{verb}`: actions that only tell.
pub(crate) async fn read(
    State(doors): State<Doors>,
    Path((resource, verb)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Answer {
    let caller = doors.gate.caller(&headers)?;
    let action = table::find(&format!("{resource}.{verb}"))?;
    if action.effect == Effect::Changes {
        return Err(Problem::new(Kind::Invalid, format!("{} changes something.", action.name))
            .next("Send it as POST with a JSON body.")
            .into());
    }
    let input = from_query(action, query.as_deref().unwrap_or_default());
    Ok(Json(action.call(Context { machine: doors.machine, caller }, input).await?))
}

/// `POST /api/v1/{resource}/{verb}`: any action, its input as the JSON body.
pub(crate) async fn write(
    State(doors): State<Doors>,
    Path((resource, verb)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    let caller = doors.gate.caller(&headers)?;
    let action = table::find(&format!("{resource}.{verb}"))?;
    json_only(&headers, &body)?;
    Ok(Json(action.call(Context { machine: doors.machine, caller }, parse(&body)?).await?))
}

/// An address of its own for one action.
pub(crate) async fn named(doors: Doors, headers: HeaderMap, name: &str, body: &[u8]) -> Answer {
    let caller = doors.gate.caller(&headers)?;
    json_only(&headers, body)?;
    Ok(Json(table::find(name)?.call(Context { machine: doors.machine, caller }, parse(body)?).await?))
}

/// A form of another page can post text, but not JSON without asking first.
fn json_only(headers: &HeaderMap, body: &[u8]) -> Result<(), Problem> {
    let kind = headers.get(http::header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    if body.is_empty() || kind.starts_with("application/json") {
        return Ok(());
    }
    Err(Problem::invalid("The body is not JSON.").next("Send it with the header “Content-Type: application/json”."))
}

fn parse(body: &[u8]) -> Result<Value, Problem> {
    if body.is_empty() {
        return Ok(Value::Object(Map::new()));
    }
    let next = "Send the action's input as a JSON object, {} where there is none; GET /openapi.json says what each takes.";
    match serde_json::from_slice(body) {
        Ok(Value::Object(input)) => Ok(Value::Object(input)),
        // A list would be taken for the input's fields in their order.
        Ok(_) => Err(Problem::invalid("The body must be an object.").next(next)),
        Err(error) => Err(Problem::invalid("The body is not JSON.").because(format!("{error}.")).next(next)),
    }
}

/// Query parameters as the action's input: numbers and booleans where its schema says so, lists by repeating.
fn from_query(action: &Action, query: &str) -> Value {
    let schema = action.input_schema();
    let mut input = Map::new();
    for pair in query.split('&').filter(|p| !p.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (name, value) = (decode(name), decode(value));
        let kinds = types(&schema["properties"][&name]);
        if kinds.iter().any(|k| k == "array") {
            let list = input.entry(name).or_insert_with(|| Value::Array(vec![]));
            if let Value::Array(items) = list {
                items.push(Value::String(value));
            }
            continue;
        }
        let typed = kinds.iter().any(|k| ["integer", "number", "boolean"].contains(&k.as_str()));
        let value = if typed { serde_json::from_str(&value).unwrap_or(Value::String(value)) } else { Value::String(value) };
        input.insert(name, value);
    }
    Value::Object(input)
}

fn types(schema: &Value) -> Vec<String> {
    let own = match &schema["type"] {
        Value::String(one) => vec![one.clone()],
        Value::Array(several) => several.iter().filter_map(|t| t.as_str().map(str::to_owned)).collect(),
        _ => vec![],
    };
    let any = schema["anyOf"].as_array().into_iter().flatten().flat_map(types);
    own.into_iter().chain(any).collect()
}

fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let (mut out, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while at < bytes.len() {
        let hex = bytes.get(at + 1..at + 3).and_then(|h| std::str::from_utf8(h).ok()).and_then(|h| u8::from_str_radix(h, 16).ok());
        match (bytes[at], hex) {
            (b'%', Some(byte)) => {
                out.push(byte);
                at += 2;
            }
            (b'+', _) => out.push(b' '),
            (byte, _) => out.push(byte),
        }
        at += 1;
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_body_is_an_object_and_nothing_else() {
        assert_eq!(parse(b"").unwrap(), serde_json::json!({}));
        assert_eq!(parse(b"{\"run\": \"01ABC\"}").unwrap(), serde_json::json!({"run": "01ABC"}));
        for (body, words) in
            [("[]", "an object"), ("[\"p1\", null]", "an object"), ("null", "an object"), ("7", "an object"), ("{", "not JSON")]
        {
            let problem = parse(body.as_bytes()).unwrap_err();
            assert!(problem.what.contains(words) && problem.next.is_some(), "{body}: {problem}");
        }
    }

    #[test]
    fn a_query_becomes_typed_input() {
        let action = table::find("run.logs").unwrap();
        let input = from_query(action, "run=01ABC&after=12&limit=5");
        assert_eq!(input, serde_json::json!({"run": "01ABC", "after": 12, "limit": 5}));
        let input = from_query(table::find("run.list").unwrap(), "all=true&project=a%20b+c");
        assert_eq!(input, serde_json::json!({"all": true, "project": "a b c"}));
    }
}
