//! The OpenAPI document, made from the table of actions: it cannot be stale.

use orchestrator::table::{self, Action, Effect};
use schemars::{SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};

/// The document.
pub fn document() -> Value {
    // What is answered is described as it is written; what is sent stands in each action by itself.
    let mut settings = SchemaSettings::draft2020_12().for_serialize();
    settings.definitions_path = "/components/schemas".into();
    settings.meta_schema = None;
    let mut generator = settings.into_generator();
    let mut paths = Map::new();
    for action in table::table() {
        let path = format!("/api/v1/{}", action.name.replace('.', "/"));
        paths.insert(path, operation(action, &mut generator));
    }
    for (path, name) in
        [("/capacity", "device.capacity"), ("/pods", "device.pods"), ("/schedule", "device.schedule"), ("/evict", "device.evict")]
    {
        if let Ok(action) = table::find(name) {
            paths.insert(path.into(), named(action, &mut generator));
        }
    }
    for (path, summary) in OTHERS {
        paths.insert(
            path.into(),
            json!({"get": {"summary": summary, "operationId": path.trim_start_matches('/'), "responses": {"200": {"description": "OK"}}}}),
        );
    }
    let problem = generator.subschema_for::<domain::Problem>();
    let schemas = generator.take_definitions(true);
    json!({
        "openapi": "3.1.0",
        "info": {"title": "Meshwork", "version": env!("CARGO_PKG_VERSION"), "description": "Everything that a person can do with Meshwork, each as one typed action."},
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "responses": {"Problem": {"description": "What happened, why, and what to do.", "content": {"application/json": {"schema": {"type": "object", "properties": {"error": problem}, "required": ["error"]}}}}},
        },
    })
}

/// Addresses that are no actions.
const OTHERS: [(&str, &str); 4] = [
    ("/health", "“ok” when the server answers; more for those who signed in."),
    ("/events", "The journal as server-sent events; resumes by Last-Event-ID."),
    ("/metrics", "Metrics in the OpenMetrics text form."),
    ("/openapi.json", "This document."),
];

fn operation(action: &Action, generator: &mut SchemaGenerator) -> Value {
    let (id, answers) = (action.name.replace('.', "_"), answers(action, generator));
    let mut input = action.input_schema();
    if let Some(input) = input.as_object_mut() {
        input.remove("$schema");
    }
    let body = json!({"content": {"application/json": {"schema": input}}});
    let about = json!({"summary": action.summary, "x-permission": action.permission, "x-changes": action.effect == Effect::Changes});
    let mut post = json!({"operationId": id, "requestBody": body, "responses": answers});
    merge(&mut post, &about);
    if action.effect == Effect::Changes {
        return json!({ "post": post });
    }
    let mut get = json!({"operationId": id, "parameters": parameters(action), "responses": post["responses"]});
    merge(&mut get, &about);
    json!({ "get": get })
}

/// The short addresses that the mission names: the same action without the prefix.
fn named(action: &Action, generator: &mut SchemaGenerator) -> Value {
    let mut item = operation(action, generator);
    for method in ["get", "post"] {
        if let Some(id) = item.get_mut(method).and_then(|m| m.get_mut("operationId")) {
            *id = Value::String(format!("{}_short", action.name.replace('.', "_")));
        }
    }
    item
}

fn answers(action: &Action, generator: &mut SchemaGenerator) -> Value {
    let output = (action.output)(generator).to_value();
    json!({
        "200": {"description": "Done.", "content": {"application/json": {"schema": output}}},
        "default": {"$ref": "#/components/responses/Problem"},
    })
}

fn parameters(action: &Action) -> Vec<Value> {
    let schema = action.input_schema();
    let required: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let properties = schema["properties"].as_object().cloned().unwrap_or_default();
    properties
        .into_iter()
        .map(|(name, schema)| json!({"in": "query", "required": required.contains(&name.as_str()), "name": name, "schema": schema}))
        .collect()
}

fn merge(into: &mut Value, from: &Value) {
    if let (Value::Object(into), Value::Object(from)) = (into, from) {
        into.extend(from.clone());
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_action_is_in_the_document_with_its_schemas() {
        let document = document();
        for action in table::table() {
            let item = &document["paths"][format!("/api/v1/{}", action.name.replace('.', "/"))];
            assert!(item["get"].is_object() || item["post"].is_object(), "{}", action.name);
        }
        let text = document.to_string();
        for reference in text.split("\"#/components/schemas/").skip(1) {
            let name = reference.split('"').next().unwrap();
            assert!(document["components"]["schemas"][name].is_object(), "{name} is referred to and missing");
        }
    }

    /// The dashboard's client is made from this file: `npm run api` in `dashboard/` writes both anew.
    #[test]
    fn the_document_in_the_dashboards_folder_is_fresh() {
        // Where the test runs, not where it was built: trees may share a build folder.
        let package = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
        let path = &std::path::Path::new(&package).join("../../dashboard/openapi.json");
        let now = format!("{:#}\n", document());
        if std::env::var_os("MESHWORK_WRITE_OPENAPI").is_some() {
            std::fs::write(path, &now).unwrap();
        }
        let kept = std::fs::read_to_string(path).unwrap();
        assert!(kept == now, "dashboard/openapi.json is stale: run `npm run api` in dashboard/, and commit what it changes");
    }
}
