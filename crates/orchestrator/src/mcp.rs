//! A Model Context Protocol server over streamable HTTP from a list of tools. Both doors use it: `/mcp` for people's
//! tools, and the context that a run's engine may ask for.

use domain::Problem;
use futures::future::BoxFuture;
use rmcp::{
    ErrorData, RoleServer, ServerHandler,
    model::{
        CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, Implementation, JsonObject, ListToolsResult,
        PaginatedRequestParams, ServerCapabilities, ServerConfig, Tool,
    },
    service::RequestContext,
    transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService, session::never::NeverSessionManager},
};
use serde_json::Value;
use std::sync::Arc;

/// Carries a tool call out.
pub type Call = Arc<dyn Fn(String, Value) -> BoxFuture<'static, Result<Value, Problem>> + Send + Sync>;

/// A server with these tools.
#[derive(Clone)]
pub struct ToolServer {
    /// The server's name.
    pub name: &'static str,
    /// What it is for, told to the model.
    pub instructions: String,
    /// Its tools.
    pub tools: Arc<Vec<Tool>>,
    /// What a call does.
    pub call: Call,
}

impl std::fmt::Debug for ToolServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ToolServer").field("name", &self.name).field("tools", &self.tools.len()).finish_non_exhaustive()
    }
}

/// The HTTP service of such a server: stateless, so that it survives broken connections.
pub type Service = StreamableHttpService<ToolServer, NeverSessionManager>;

impl ToolServer {
    /// As an HTTP service.
    pub fn service(self) -> Service {
        let mut config = StreamableHttpServerConfig::default();
        config.legacy_session_mode = false;
        config.json_response = true;
        StreamableHttpService::new(move || Ok(self.clone()), Arc::default(), config)
    }
}

/// A tool whose input is described by a JSON schema.
pub fn tool(name: impl Into<String>, description: impl Into<String>, schema: Value) -> Tool {
    let schema: JsonObject = schema.as_object().cloned().unwrap_or_default();
    Tool::new(name.into(), description.into(), schema)
}

impl ServerHandler for ToolServer {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder().enable_tools().build();
        ServerConfig::new(capabilities)
            .with_server_info(Implementation::new(self.name, env!("CARGO_PKG_VERSION")))
            .with_instructions(self.instructions.clone())
    }

    async fn list_tools(&self, _: Option<PaginatedRequestParams>, _: RequestContext<RoleServer>) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(self.tools.to_vec()))
    }

    async fn call_tool(&self, request: CallToolRequestParams, _: RequestContext<RoleServer>) -> Result<CallToolResponse, ErrorData> {
        let input = Value::Object(request.arguments.unwrap_or_default());
        let result = match (self.call)(request.name.into_owned(), input).await {
            Ok(Value::String(text)) => CallToolResult::success(vec![ContentBlock::text(text)]),
            Ok(value) => CallToolResult::success(vec![ContentBlock::text(value.to_string())]),
            Err(problem) => CallToolResult::error(vec![ContentBlock::text(problem.to_string())]),
        };
        Ok(result.into())
    }
}
