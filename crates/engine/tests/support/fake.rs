//! An agent of the protocol that a test plays by hand, over pipes in memory.

use domain::{agent::PermissionMode, run::RunnerEvent};
use engine::{Driver, DriverOrder, FailureRules, Session};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, DuplexStream, Lines, ReadHalf, WriteHalf},
    sync::mpsc,
};

/// The agent's end.
pub struct Fake {
    lines: Lines<BufReader<ReadHalf<DuplexStream>>>,
    pub out: WriteHalf<DuplexStream>,
}

/// Both ends; the second is the driver's.
pub fn pipe() -> (Fake, DuplexStream) {
    let (here, there) = tokio::io::duplex(64 * 1024);
    let (read, out) = tokio::io::split(here);
    (Fake { lines: BufReader::new(read).lines(), out }, there)
}

pub fn session() -> Session {
    Session {
        cwd: "/work".into(),
        mcp_url: None,
        resume: None,
        mode: None,
        permissions: PermissionMode::Sandbox,
        permission_wait: Duration::from_secs(600),
        failure: FailureRules::default(),
    }
}

/// A driver that starts against an agent.
pub struct Started {
    pub driver: Result<Driver, domain::run::Reason>,
    pub events: mpsc::Receiver<RunnerEvent>,
    pub orders: mpsc::Sender<DriverOrder>,
    pub received: mpsc::Receiver<DriverOrder>,
}

pub async fn start(end: DuplexStream, session: Session) -> Started {
    let (sender, events) = mpsc::channel(100_000);
    let (stdout, stdin) = tokio::io::split(end);
    let driver = Driver::start(stdin, stdout, session, sender).await;
    let (orders, received) = mpsc::channel(16);
    Started { driver, events, orders, received }
}

impl Started {
    /// The driver and all events from here on.
    pub fn open(self) -> (Driver, mpsc::Receiver<RunnerEvent>, mpsc::Sender<DriverOrder>, mpsc::Receiver<DriverOrder>) {
        (self.driver.unwrap(), self.events, self.orders, self.received)
    }
}

impl Fake {
    /// The next message of the client; none when it hung up.
    pub async fn next(&mut self) -> Option<Value> {
        let line = self.lines.next_line().await.ok()??;
        Some(serde_json::from_str(&line).unwrap())
    }

    /// The next message of the client, which must be of this method.
    pub async fn expect(&mut self, method: &str) -> Value {
        let message = self.next().await.expect("a message");
        assert_eq!(message["method"], method, "{message}");
        message
    }

    pub async fn write(&mut self, text: &str) {
        // A client that hung up is what some tests are about.
        let _ = self.out.write_all(text.as_bytes()).await;
    }

    pub async fn send(&mut self, message: Value) {
        self.write(&format!("{message}\n")).await;
    }

    pub async fn answer(&mut self, request: &Value, result: Value) {
        self.send(json!({"jsonrpc": "2.0", "id": request["id"], "result": result})).await;
    }

    pub async fn fail(&mut self, request: &Value, code: i32, message: &str) {
        self.send(json!({"jsonrpc": "2.0", "id": request["id"], "error": {"code": code, "message": message}})).await;
    }

    pub async fn update(&mut self, update: Value) {
        self.send(json!({"jsonrpc": "2.0", "method": "session/update", "params": {"sessionId": "s1", "update": update}})).await;
    }

    pub async fn say(&mut self, text: &str) {
        self.update(json!({"sessionUpdate": "agent_message_chunk", "content": {"type": "text", "text": text}})).await;
    }

    pub async fn ask(&mut self, id: u64) {
        let options = json!([
            {"optionId": "always", "name": "Always", "kind": "allow_always"},
            {"optionId": "yes", "name": "Yes", "kind": "allow_once"},
            {"optionId": "no", "name": "No", "kind": "reject_once"},
        ]);
        let params = json!({"sessionId": "s1", "toolCall": {"toolCallId": "t1", "title": "rm -rf build"}, "options": options});
        self.send(json!({"jsonrpc": "2.0", "id": id, "method": "session/request_permission", "params": params})).await;
    }

    /// Answers `initialize` and `session/new`.
    pub async fn greet(&mut self) {
        let hello = self.expect("initialize").await;
        assert_eq!(hello["params"]["clientCapabilities"]["terminal"], json!(false));
        let capabilities = json!({"loadSession": true, "mcpCapabilities": {"http": true}});
        self.answer(
            &hello,
            json!({"protocolVersion": 1, "agentCapabilities": capabilities, "agentInfo": {"name": "fake", "version": "1"}}),
        )
        .await;
    }

    pub async fn open(&mut self) {
        self.greet().await;
        let new = self.expect("session/new").await;
        self.answer(&new, json!({"sessionId": "s1"})).await;
    }

    /// Ends the turn of this prompt.
    pub async fn end(&mut self, prompt: &Value) {
        self.answer(prompt, json!({"stopReason": "end_turn"})).await;
    }
}
