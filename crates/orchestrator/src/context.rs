//! What a run's engine may ask for live: its brief and the files of its feature, over MCP. Read-only, and only what
//! belongs to this run.

use crate::mcp::{Service, ToolServer, tool};
use domain::Problem;
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    sync::{Arc, RwLock},
};
use tokio::io::{AsyncRead, AsyncWrite};

/// The context of one run.
#[derive(Debug)]
pub struct RunContext {
    service: Serving,
    brief: Arc<RwLock<String>>,
}

struct Serving(Service);

impl std::fmt::Debug for Serving {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Service")
    }
}

impl RunContext {
    /// A context that serves these files, and the brief once it is set.
    pub fn new(files: BTreeMap<String, Vec<u8>>) -> Arc<Self> {
        let brief = Arc::new(RwLock::new(String::new()));
        let told = brief.clone();
        let names: Vec<String> = files.keys().cloned().collect();
        let tools = vec![
            tool(
                "get_brief",
                "The task that this run works at: what is asked, the rules, and where the files lie.",
                json!({"type": "object", "properties": {}}),
            ),
            tool(
                "list_files",
                "Names of the specification files of this project: constitution, spec, plan, tasks.",
                json!({"type": "object", "properties": {}}),
            ),
            tool(
                "read_file",
                "The text of one of the files that list_files names.",
                json!({"type": "object", "properties": {"path": {"type": "string", "description": "As list_files names it."}}, "required": ["path"]}),
            ),
        ];
        let call = Arc::new(move |name: String, input: Value| {
            let brief = told.read().map(|b| b.clone()).unwrap_or_default();
            let answer = answer(&name, &input, &brief, &names, &files);
            Box::pin(async move { answer }) as futures::future::BoxFuture<'static, _>
        });
        let server = ToolServer {
            name: "meshwork",
            instructions: "Context of the task that you work at. Start with get_brief.".into(),
            tools: Arc::new(tools),
            call,
        };
        Arc::new(Self { service: Serving(server.service()), brief })
    }

    /// Sets what `get_brief` answers.
    pub fn set_brief(&self, text: String) {
        if let Ok(mut brief) = self.brief.write() {
            *brief = text;
        }
    }
}

fn answer(name: &str, input: &Value, brief: &str, names: &[String], files: &BTreeMap<String, Vec<u8>>) -> Result<Value, Problem> {
    match name {
        "get_brief" => Ok(Value::String(brief.to_owned())),
        "list_files" => Ok(json!(names)),
        "read_file" => {
            let path = input["path"].as_str().unwrap_or_default();
            let bytes = files.get(path).ok_or_else(|| {
                Problem::not_found(format!("There is no file “{}” here.", domain::shown(path))).next("list_files names them.")
            })?;
            Ok(Value::String(String::from_utf8_lossy(bytes).into_owned()))
        }
        other => Err(Problem::not_found(format!("There is no tool “{}”.", domain::shown(other)))),
    }
}

/// Serves one connection of the run's engine.
pub async fn serve(io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, context: Arc<RunContext>) {
    let service = TowerToHyperService::new(context.service.0.clone());
    let served = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(io), service).await;
    if let Err(error) = served {
        tracing::debug!(%error, "a context connection ended");
    }
}
