//! The client's side of a connection: one engine, driven over its standard input and output.

use super::{
    transport::{Fault, messages},
    update::{self, Update},
};
use crate::{
    failure::{FailureRules, sentence},
    limits::{INITIALIZE_TIME, OPTIONS_MAX, SESSION_TIME, TITLE_BYTES_MAX, UPDATES_MAX, cut},
};
use agent_client_protocol::{
    Agent, Client, Error, Lines, on_receive_notification, on_receive_request,
    schema::ProtocolVersion,
    v1::{
        ConnectionTo, Responder,
        schema::{
            CancelNotification, ClientCapabilities, ContentBlock, Implementation, InitializeRequest, LoadSessionRequest, McpServer,
            McpServerHttp, NewSessionRequest, PermissionOptionKind, PromptRequest, PromptResponse, RequestPermissionOutcome,
            RequestPermissionRequest, RequestPermissionResponse, SelectedPermissionOutcome, SessionNotification, SetSessionModeRequest,
            StopReason, TextContent,
        },
    },
};
use domain::run::{Choice, Reason};
use futures::{SinkExt as _, sink};
use serde_json::Value;
use std::{future::Future, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt as _},
    sync::{mpsc, oneshot, watch},
};

pub(crate) use super::update::Update as SessionEvent;

/// What comes from an engine.
pub(crate) enum Incoming {
    /// An update of the session.
    Update(Update),
    /// It asks whether it may do something.
    Permission(Permission),
    /// A line that is no message of the protocol.
    Noise(String),
}

/// A permission request that waits for its answer. Dropped, it answers with an error.
pub(crate) struct Permission {
    /// What the engine wants to do.
    pub(crate) title: String,
    /// The answers that it offers.
    pub(crate) options: Vec<Choice>,
    responder: Responder<RequestPermissionResponse>,
}

impl Permission {
    /// Answers with an option.
    pub(crate) fn choose(self, option: &str) {
        let outcome = RequestPermissionOutcome::Selected(SelectedPermissionOutcome::new(option.to_owned()));
        // The engine may be gone: then nobody waits for the answer.
        let _ = self.responder.respond(RequestPermissionResponse::new(outcome));
    }

    /// Answers that the turn was cancelled.
    pub(crate) fn withdraw(self) {
        let _ = self.responder.respond(RequestPermissionResponse::new(RequestPermissionOutcome::Cancelled));
    }
}

/// What an engine says of itself.
pub(crate) struct Hello {
    /// Its name and version.
    pub(crate) name: String,
    /// Whether it plays a recording.
    pub(crate) replay: bool,
    /// Whether it can load a session.
    pub(crate) loads: bool,
    /// Whether it calls MCP servers over HTTP.
    pub(crate) http_mcp: bool,
}

/// How a prompt was answered.
pub(crate) enum Stop {
    /// The engine says that it is done.
    Ended,
    /// It was cancelled.
    Cancelled,
    /// It gave up, in words.
    GaveUp(String),
}

/// A prompt's response.
pub(crate) struct Answered {
    pub(crate) stop: Stop,
    /// Extensions of the engine.
    pub(crate) meta: Value,
    /// Tokens that the engine counted.
    pub(crate) usage: Option<domain::usage::Usage>,
}

/// A connection to an engine. Dropping it ends the connection; the process is the caller's.
pub(crate) struct Engine {
    connection: ConnectionTo<Agent>,
    fault: Fault,
    task: tokio::task::JoinHandle<()>,
    // Held so that the connection goes on.
    _stop: oneshot::Sender<()>,
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Engine {
    /// Connects. What comes goes to the receiver; while that is full, nothing more is read.
    pub(crate) async fn connect<W, R>(stdin: W, stdout: R) -> Result<(Self, mpsc::Receiver<Incoming>), Reason>
    where
        W: AsyncWrite + Send + Unpin + 'static,
        R: AsyncRead + Send + Unpin + 'static,
    {
        let (incoming, received) = mpsc::channel(UPDATES_MAX);
        let fault = Fault::default();
        let (gate, open) = watch::channel(true);
        let (gate, asks_gate) = (gate.clone(), gate);
        let lines = Lines::new(writer(stdin), messages(stdout, incoming.clone(), open, fault.clone()));
        let (connected, connection) = oneshot::channel();
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(async move {
            let asks = incoming.clone();
            let served = Client
                .v1()
                .name("meshwork")
                .on_receive_notification(
                    async move |note: SessionNotification, _| {
                        for update in update::read(note.update) {
                            deliver(&incoming, &gate, Incoming::Update(update)).await;
                        }
                        Ok(())
                    },
                    on_receive_notification!(),
                )
                .on_receive_request(
                    async move |request: RequestPermissionRequest, responder: Responder<RequestPermissionResponse>, _| {
                        deliver(&asks, &asks_gate, Incoming::Permission(permission(request, responder))).await;
                        Ok(())
                    },
                    on_receive_request!(),
                )
                .connect_with(lines, async move |connection: ConnectionTo<Agent>| {
                    let _ = connected.send(connection);
                    let _ = stopped.await;
                    Ok(())
                })
                .await;
            if let Err(error) = served {
                tracing::debug!(%error, "the connection to the engine ended");
            }
        });
        let connection = connection.await.map_err(|_| ended("before it was spoken to"))?;
        Ok((Self { connection, fault, task, _stop: stop }, received))
    }

    /// Both introduce themselves. No file system and no terminal is offered: the engine works in its own sandbox.
    pub(crate) async fn initialize(&self, rules: &FailureRules) -> Result<Hello, Reason> {
        let mut capabilities = ClientCapabilities::new();
        if !rules.declare.is_empty() {
            capabilities = capabilities.meta(rules.declare.clone());
        }
        let request = InitializeRequest::new(ProtocolVersion::V1)
            .client_capabilities(capabilities)
            .client_info(Implementation::new("meshwork", env!("CARGO_PKG_VERSION")));
        let hello = self.within(INITIALIZE_TIME, "initialize", self.connection.send_request(request).block_task()).await?;
        if hello.protocol_version != ProtocolVersion::V1 {
            return Err(Reason::EngineProtocol {
                message: format!("it speaks version {:?} of the protocol, not 1.", hello.protocol_version),
            });
        }
        let info = hello.agent_info.unwrap_or_else(|| Implementation::new("unnamed", "?"));
        Ok(Hello {
            replay: info.name == crate::replay::NAME,
            name: cut(&format!("{} {}", info.name, info.version), TITLE_BYTES_MAX),
            loads: hello.agent_capabilities.load_session,
            http_mcp: hello.agent_capabilities.mcp_capabilities.http,
        })
    }

    /// Opens a session.
    pub(crate) async fn open(&self, cwd: &str, mcp_url: Option<&str>) -> Result<String, Reason> {
        let request = NewSessionRequest::new(cwd).mcp_servers(servers(mcp_url));
        let opened = self.within(SESSION_TIME, "session/new", self.connection.send_request(request).block_task()).await?;
        Ok(opened.session_id.to_string())
    }

    /// Goes on with a session. What the engine tells of its past comes as updates.
    pub(crate) async fn load(&self, session: &str, cwd: &str, mcp_url: Option<&str>) -> Result<(), Reason> {
        let request = LoadSessionRequest::new(session.to_owned(), cwd).mcp_servers(servers(mcp_url));
        self.within(SESSION_TIME, "session/load", self.connection.send_request(request).block_task()).await?;
        Ok(())
    }

    /// Sets the session's mode.
    pub(crate) async fn set_mode(&self, session: &str, mode: &str) -> Result<(), Reason> {
        let request = SetSessionModeRequest::new(session.to_owned(), mode.to_owned());
        self.within(INITIALIZE_TIME, "session/set_mode", self.connection.send_request(request).block_task()).await?;
        Ok(())
    }

    /// Asks; the future ends with the turn.
    pub(crate) fn prompt(
        &self,
        session: &str,
        text: &str,
        rules: &FailureRules,
    ) -> impl Future<Output = Result<Answered, Reason>> + Send + use<> {
        let content = vec![ContentBlock::Text(TextContent::new(text))];
        let sent = self.connection.send_request(PromptRequest::new(session.to_owned(), content));
        let (fault, rules) = (self.fault.clone(), rules.clone());
        async move { sent.block_task().await.map(answered).map_err(|error| reason(&fault, &rules, "session/prompt", &error)) }
    }

    /// Tells the engine to end its turn.
    pub(crate) fn cancel(&self, session: &str) {
        // An engine that is gone needs no telling.
        let _ = self.connection.send_notification(CancelNotification::new(session.to_owned()));
    }

    async fn within<T>(&self, limit: Duration, method: &str, request: impl Future<Output = Result<T, Error>>) -> Result<T, Reason> {
        match tokio::time::timeout(limit, request).await {
            Ok(answer) => answer.map_err(|error| reason(&self.fault, &FailureRules::default(), method, &error)),
            Err(_) => Err(Reason::EngineProtocol { message: format!("it did not answer `{method}` within {} s.", limit.as_secs()) }),
        }
    }
}

/// Hands on what came. While the driver is behind, the gate is closed, and the reader with it.
async fn deliver(to: &mpsc::Sender<Incoming>, gate: &watch::Sender<bool>, incoming: Incoming) {
    if let Err(mpsc::error::TrySendError::Full(incoming)) = to.try_send(incoming) {
        gate.send_replace(false);
        // Nobody listens any more when the connection is about to end.
        let _ = to.send(incoming).await;
        gate.send_replace(true);
    }
}

/// Lines into the engine's standard input.
fn writer<W: AsyncWrite + Send + Unpin + 'static>(stdin: W) -> impl futures::Sink<String, Error = std::io::Error> + Send + 'static {
    Box::pin(sink::unfold(stdin, |mut stdin, line: String| async move {
        stdin.write_all(line.as_bytes()).await?;
        stdin.write_all(b"\n").await?;
        stdin.flush().await?;
        Ok(stdin)
    }))
    .sink_map_err(|error: std::io::Error| error)
}

fn permission(request: RequestPermissionRequest, responder: Responder<RequestPermissionResponse>) -> Permission {
    let title = request.tool_call.fields.title.unwrap_or_else(|| "use a tool".into());
    let option = |option: agent_client_protocol::v1::schema::PermissionOption| Choice {
        id: option.option_id.to_string(),
        label: cut(&option.name, TITLE_BYTES_MAX),
        allows: matches!(option.kind, PermissionOptionKind::AllowOnce | PermissionOptionKind::AllowAlways),
    };
    // Those that count once stand first, so that an answer at once never changes what the engine remembers.
    let (once, always): (Vec<_>, Vec<_>) = request
        .options
        .into_iter()
        .take(OPTIONS_MAX)
        .partition(|option| matches!(option.kind, PermissionOptionKind::AllowOnce | PermissionOptionKind::RejectOnce));
    Permission { title: cut(&title, TITLE_BYTES_MAX), options: once.into_iter().chain(always).map(option).collect(), responder }
}

fn servers(mcp_url: Option<&str>) -> Vec<McpServer> {
    mcp_url.map(|url| McpServer::Http(McpServerHttp::new("meshwork", url))).into_iter().collect()
}

fn answered(response: PromptResponse) -> Answered {
    let stop = match response.stop_reason {
        StopReason::EndTurn => Stop::Ended,
        StopReason::Cancelled => Stop::Cancelled,
        StopReason::MaxTokens => Stop::GaveUp("The model's answer was longer than its limit.".into()),
        StopReason::MaxTurnRequests => Stop::GaveUp("The engine made as many model calls as it allows for one turn.".into()),
        StopReason::Refusal => Stop::GaveUp("The model refused to go on.".into()),
        other => Stop::GaveUp(format!("It stopped with {other:?}.")),
    };
    let usage = response.usage.map(|usage| domain::usage::Usage {
        calls: 0,
        input_tokens: usage.input_tokens,
        cached_tokens: usage.cached_read_tokens.unwrap_or_default(),
        output_tokens: usage.output_tokens,
        ..domain::usage::Usage::default()
    });
    Answered { stop, meta: response.meta.map(Value::Object).unwrap_or_default(), usage }
}

fn reason(fault: &Fault, rules: &FailureRules, method: &str, error: &Error) -> Reason {
    if let Some(reason) = fault.get() {
        return reason;
    }
    if agent_client_protocol::is_incoming_transport_closed(error) || agent_client_protocol::is_connection_terminated(error) {
        return ended(&format!("before it answered `{method}`"));
    }
    let details = match &error.data {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Object(fields)) => {
            let words = ["message", "details", "error"].iter().find_map(|name| fields.get(*name).and_then(Value::as_str));
            // Fields without words are of use only where the message itself says nothing.
            let bare = || if error.message.contains(':') { String::new() } else { Value::Object(fields.clone()).to_string() };
            words.map_or_else(bare, str::to_owned)
        }
        Some(other) => other.to_string(),
        None => String::new(),
    };
    rules.error(error.code.into(), &error.message, &details)
}

fn ended(when: &str) -> Reason {
    Reason::EngineFailed { message: sentence(&format!("it closed its output {when}.")) }
}
