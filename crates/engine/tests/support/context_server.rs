//! A small MCP server over streamable HTTP with one tool, `ctx_lookup`, that notes how it is called.

use axum::{
    Json, Router,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

#[derive(Clone, Default)]
struct Noted(Arc<Mutex<Vec<Value>>>);

pub struct ContextServer {
    pub port: u16,
    noted: Noted,
    task: tokio::task::JoinHandle<()>,
}

impl ContextServer {
    pub async fn start() -> Self {
        let noted = Noted::default();
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let router = Router::new().route("/mcp", axum::routing::any(handle)).with_state(noted.clone());
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { port, noted, task }
    }

    /// The arguments of each call of the tool.
    pub fn calls(&self) -> Vec<Value> {
        self.noted.0.lock().unwrap().clone()
    }
}

impl Drop for ContextServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn handle(State(noted): State<Noted>, method: axum::http::Method, body: String) -> Response {
    if method != axum::http::Method::POST {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    let message: Value = serde_json::from_str(&body).unwrap_or_default();
    let result = match message["method"].as_str() {
        Some("initialize") => json!({
            "protocolVersion": message["params"]["protocolVersion"], "capabilities": {"tools": {}},
            "serverInfo": {"name": "context", "version": "1"},
        }),
        Some("tools/list") => json!({"tools": [{
            "name": "ctx_lookup", "description": "Looks something up in the group's memory.",
            "inputSchema": {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]},
        }]}),
        Some("tools/call") => {
            noted.0.lock().unwrap().push(message["params"]["arguments"].clone());
            json!({"content": [{"type": "text", "text": "the plan is to write a file"}]})
        }
        Some("ping") => json!({}),
        _ if message["id"].is_null() => return StatusCode::ACCEPTED.into_response(),
        _ => {
            return Json(json!({"jsonrpc": "2.0", "id": message["id"], "error": {"code": -32601, "message": "no such method"}}))
                .into_response();
        }
    };
    Json(json!({"jsonrpc": "2.0", "id": message["id"], "result": result})).into_response()
}
