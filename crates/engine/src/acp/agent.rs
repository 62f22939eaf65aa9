//! The agent's side of a connection, for replays: it takes prompts and plays the next turn of a recording.

use crate::replay::{NAME, Played, Player, Shown};
use agent_client_protocol::{
    Agent, ByteStreams, Client, Error, on_receive_notification, on_receive_request,
    v1::{
        ConnectionTo,
        schema::{
            AgentCapabilities, CancelNotification, ContentBlock, ContentChunk, Implementation, InitializeRequest, InitializeResponse,
            McpCapabilities, NewSessionRequest, NewSessionResponse, PermissionOption, PermissionOptionKind, Plan, PlanEntry,
            PlanEntryPriority, PlanEntryStatus, PromptRequest, PromptResponse, RequestPermissionOutcome, RequestPermissionRequest,
            SessionNotification, SessionUpdate, SetSessionModeRequest, SetSessionModeResponse, StopReason, TextContent, ToolCall,
            ToolCallStatus, ToolCallUpdate, ToolCallUpdateFields, ToolKind, UsageUpdate,
        },
    },
};
use std::sync::Arc;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::{Mutex, watch},
};
use tokio_util::compat::{TokioAsyncReadCompatExt as _, TokioAsyncWriteCompatExt as _};

/// The one session of a replay.
const SESSION: &str = "replay-1";

/// Plays a recording for a client until the client closes the pipe.
pub(crate) async fn serve<R, W>(player: Player, stdin: R, stdout: W) -> Result<(), String>
where
    R: AsyncRead + Send + 'static,
    W: AsyncWrite + Send + 'static,
{
    let player = Arc::new(Mutex::new(player));
    let (cancel, cancelled) = watch::channel(0_u64);
    let opening = player.clone();
    Agent
        .v1()
        .name(NAME)
        .on_receive_request(
            async move |hello: InitializeRequest, responder, _| {
                // MCP servers are taken, and never called: a recording has no questions.
                let capabilities = AgentCapabilities::new().mcp_capabilities(McpCapabilities::new().http(true));
                let info = Implementation::new(NAME, env!("CARGO_PKG_VERSION"));
                responder.respond(InitializeResponse::new(hello.protocol_version).agent_capabilities(capabilities).agent_info(info))
            },
            on_receive_request!(),
        )
        .on_receive_request(
            async move |new: NewSessionRequest, responder, _| {
                opening.lock().await.enter(new.cwd);
                responder.respond(NewSessionResponse::new(SESSION))
            },
            on_receive_request!(),
        )
        .on_receive_request(
            async move |_: SetSessionModeRequest, responder, _| responder.respond(SetSessionModeResponse::new()),
            on_receive_request!(),
        )
        .on_receive_notification(
            async move |_: CancelNotification, _| {
                cancel.send_modify(|count| *count += 1);
                Ok(())
            },
            on_receive_notification!(),
        )
        .on_receive_request(
            async move |_: PromptRequest, responder, connection: ConnectionTo<Client>| {
                let (player, mut cancelled) = (player.clone(), cancelled.clone());
                // Only cancels from here on concern this turn.
                cancelled.mark_unchanged();
                // Beside the dispatch, so that a cancel is heard while a turn is played.
                connection.clone().spawn(async move {
                    let played = player.lock().await.turn(&Screen { connection }, cancelled).await;
                    match played {
                        Played::Ended => responder.respond(PromptResponse::new(StopReason::EndTurn)),
                        Played::Refused => responder.respond(PromptResponse::new(StopReason::Refusal)),
                        Played::Cancelled => responder.respond(PromptResponse::new(StopReason::Cancelled)),
                        Played::Failed(message) => responder.respond_with_error(Error::internal_error().data(message)),
                    }
                })
            },
            on_receive_request!(),
        )
        .connect_to(ByteStreams::new(stdout.compat_write(), stdin.compat()))
        .await
        .map_err(|error| error.to_string())
}

/// Where a player shows what it plays.
pub(crate) struct Screen {
    connection: ConnectionTo<Client>,
}

impl Screen {
    /// Shows one thing.
    pub(crate) fn show(&self, shown: Shown) {
        let update = match shown {
            Shown::Message(text) => SessionUpdate::AgentMessageChunk(chunk(text)),
            Shown::Thought(text) => SessionUpdate::AgentThoughtChunk(chunk(text)),
            Shown::Plan(steps) => SessionUpdate::Plan(Plan::new(steps.into_iter().map(entry).collect())),
            Shown::Usage { used, size } => SessionUpdate::UsageUpdate(UsageUpdate::new(used, size)),
            Shown::ToolBegins { id, title, edits } => SessionUpdate::ToolCall(
                ToolCall::new(id, title).kind(if edits { ToolKind::Edit } else { ToolKind::Execute }).status(ToolCallStatus::InProgress),
            ),
            Shown::ToolEnds { id, ok, output } => {
                let status = if ok { ToolCallStatus::Completed } else { ToolCallStatus::Failed };
                let fields = ToolCallUpdateFields::new().status(status).content(vec![ContentBlock::Text(TextContent::new(output)).into()]);
                SessionUpdate::ToolCallUpdate(ToolCallUpdate::new(id, fields))
            }
        };
        // A client that is gone ends the connection; the turn then ends with it.
        let _ = self.connection.send_notification(SessionNotification::new(SESSION, update));
    }

    /// Asks for permission; whether it was given.
    pub(crate) async fn ask(&self, id: String, title: String) -> bool {
        let call = ToolCallUpdate::new(id, ToolCallUpdateFields::new().title(title));
        let options = vec![
            PermissionOption::new("allow", "Allow", PermissionOptionKind::AllowOnce),
            PermissionOption::new("reject", "Reject", PermissionOptionKind::RejectOnce),
        ];
        let asked = self.connection.send_request(RequestPermissionRequest::new(SESSION, call, options)).block_task().await;
        match asked.map(|answer| answer.outcome) {
            Ok(RequestPermissionOutcome::Selected(selected)) => *selected.option_id.0 == *"allow",
            _ => false,
        }
    }
}

fn chunk(text: String) -> ContentChunk {
    ContentChunk::new(ContentBlock::Text(TextContent::new(text)))
}

fn entry(step: domain::run::PlanStep) -> PlanEntry {
    let status = match step.status.as_str() {
        "completed" => PlanEntryStatus::Completed,
        "in_progress" => PlanEntryStatus::InProgress,
        _ => PlanEntryStatus::Pending,
    };
    PlanEntry::new(step.text, PlanEntryPriority::Medium, status)
}
