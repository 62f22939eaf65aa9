//! `/mcp`: the table of actions as tools of a Model Context Protocol server, with the caller's own rights.

use crate::{error::Refusal, router::Doors};
use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, Request},
    response::{IntoResponse, Response},
};
use domain::actor::{Door, Via};
use orchestrator::{
    caller::Caller,
    mcp::{ToolServer, tool},
    rights,
    table::{self, Context},
};
use std::sync::Arc;

/// Serves one request.
pub(crate) async fn serve(State(doors): State<Doors>, headers: HeaderMap, request: Request<Body>) -> Response {
    let caller = match doors.gate.caller(&headers) {
        Ok(caller) => Caller { via: Via { door: Door::Mcp, ..caller.via }, ..caller },
        Err(problem) => return Refusal(problem).into_response(),
    };
    // Only what the caller may do is shown.
    let able = match rights::able(&doors.machine, &caller).await {
        Ok(able) => able,
        Err(problem) => return Refusal(problem).into_response(),
    };
    let allowed = table::table().iter().filter(|a| able.contains(&a.name));
    let tools = allowed.map(|a| tool(a.name.replace('.', "_"), a.summary, a.input_schema())).collect();
    let context = Context { machine: doors.machine, caller };
    let call = Arc::new(move |name: String, input| {
        let context = context.clone();
        Box::pin(async move { table::find(&name.replacen('_', ".", 1))?.call(context, input).await })
            as futures::future::BoxFuture<'static, _>
    });
    let server = ToolServer {
        name: "meshwork",
        instructions: "Meshwork: tasks, runs, patches and agents of this org.".into(),
        tools: Arc::new(tools),
        call,
    };
    server.service().handle(request).await.into_response()
}
