//! Drives an engine through turns on one session.
//!
//! [`Driver::start`] introduces both and opens the session; [`Driver::turn`] asks and returns when the engine is done and no
//! message of a person waits any more. What happens comes as [`RunnerEvent`]s. The driver knows no process: it is given two
//! pipes, and an end of them is a failed turn. How long silence may last is the runner's to judge.

use crate::{
    acp::client::{Answered, Engine, Incoming, Permission, SessionEvent, Stop},
    batch::{Batch, Voice},
    failure::{FailureRules, Noted},
    limits::{CANCEL_TIME, MESSAGES_MAX, PROMPT_BYTES_MAX, QUESTIONS_MAX, UPDATES_MAX, cut},
};
use domain::{
    agent::PermissionMode,
    run::{Question, Reason, RunnerEvent, TurnOutcome},
    usage::Usage,
};
use std::{future::Future, pin::pin, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::mpsc,
    time::{Instant, sleep_until},
};

/// What the driver is to know of its session.
#[derive(Clone, Debug)]
pub struct Session {
    /// The working folder, as the engine sees it.
    pub cwd: String,
    /// Where the context is served over streamable HTTP MCP, as the engine reaches it.
    pub mcp_url: Option<String>,
    /// The engine's own session to go on with. Where the engine cannot, a new one is opened, and the log says so.
    pub resume: Option<String>,
    /// The mode that is set before the first turn.
    pub mode: Option<String>,
    /// Who answers permission requests.
    pub permissions: PermissionMode,
    /// How long a person has to answer one; then it is refused.
    pub permission_wait: Duration,
    /// How failure looks.
    pub failure: FailureRules,
}

/// What the driver is told during a turn.
#[derive(Clone, Debug, PartialEq)]
pub enum DriverOrder {
    /// A person's message: it becomes a further turn when the present one has ended.
    Message {
        /// The order's id; comes back in [`RunnerEvent::MessageDelivered`].
        order: u64,
        /// The text.
        text: String,
    },
    /// The answer to a question.
    Answer {
        /// The question's id.
        question: String,
        /// The option chosen.
        option: String,
    },
    /// End the turn. Messages that wait are not delivered.
    Cancel,
}

/// An engine with an open session. Dropping it closes the connection; the process is the caller's.
pub struct Driver {
    engine: Engine,
    incoming: mpsc::Receiver<Incoming>,
    batch: Batch,
    session: Session,
    id: String,
    turns: u32,
    asked: u64,
    questions: Vec<Open>,
    usage: Usage,
}

/// A question that waits.
struct Open {
    question: Question,
    permission: Permission,
    until: Instant,
}

/// How one prompt went, and the messages that came meanwhile.
struct Prompted {
    outcome: TurnOutcome,
    messages: Vec<(u64, String)>,
}

/// The state of a turn while it is waited for.
#[derive(Default)]
struct Turn {
    noted: Noted,
    messages: Vec<(u64, String)>,
    cancelled: Option<Instant>,
    refused: bool,
    orders_ended: bool,
}

impl Driver {
    /// Introduces both, opens or loads the session, sets the mode; says [`RunnerEvent::EngineReady`].
    pub async fn start<W, R>(stdin: W, stdout: R, session: Session, events: mpsc::Sender<RunnerEvent>) -> Result<Self, Reason>
    where
        W: AsyncWrite + Send + Unpin + 'static,
        R: AsyncRead + Send + Unpin + 'static,
    {
        let mut batch = Batch::new(events);
        let (engine, mut incoming) = Engine::connect(stdin, stdout).await?;
        let opened = listening(&mut incoming, &mut batch, open(&engine, &session)).await;
        batch.settle().await;
        let Opened { name, id, replay, note } = opened?;
        if let Some(text) = note {
            batch.always(RunnerEvent::Log { stream: "runner".into(), text }).await;
        }
        batch.always(RunnerEvent::EngineReady { name, session: id.clone(), replay }).await;
        Ok(Self { engine, incoming, batch, session, id, turns: 0, asked: 0, questions: Vec::new(), usage: Usage::default() })
    }

    /// The engine's own id of the session.
    pub fn session(&self) -> &str {
        &self.id
    }

    /// Tokens that the engine itself counted so far; the gateway's count is the one that matters.
    pub fn usage(&self) -> Usage {
        self.usage
    }

    /// Asks, and waits until the engine is done and no message waits. Each prompt is one turn in the events. Between turns
    /// orders stay in their channel. May be dropped at any await, at the cost of the events that were not sent yet.
    pub async fn turn(&mut self, prompt: &str, orders: &mut mpsc::Receiver<DriverOrder>) -> TurnOutcome {
        let mut prompt = prompt.to_owned();
        loop {
            let prompted = self.prompt(&prompt, orders).await;
            if prompted.outcome != TurnOutcome::Ended || prompted.messages.is_empty() {
                return prompted.outcome;
            }
            for (order, _) in &prompted.messages {
                self.batch.always(RunnerEvent::MessageDelivered { order: *order }).await;
            }
            prompt = prompted.messages.into_iter().map(|(_, text)| text).collect::<Vec<_>>().join("\n\n");
        }
    }

    async fn prompt(&mut self, prompt: &str, orders: &mut mpsc::Receiver<DriverOrder>) -> Prompted {
        self.turns += 1;
        let asked = cut(prompt, PROMPT_BYTES_MAX);
        self.batch.always(RunnerEvent::TurnStarted { turn: self.turns, prompt: asked }).await;
        let mut turn = Turn::default();
        let answer = self.engine.prompt(&self.id, prompt, &self.session.failure);
        let outcome = self.wait(answer, &mut turn, orders).await;
        self.withdraw_questions().await;
        self.batch.settle().await;
        self.batch.always(RunnerEvent::TurnEnded { outcome: outcome.clone() }).await;
        Prompted { outcome, messages: turn.messages }
    }

    /// Waits for the answer to a prompt, and looks after everything else meanwhile.
    async fn wait(
        &mut self,
        answer: impl Future<Output = Result<Answered, Reason>>,
        turn: &mut Turn,
        orders: &mut mpsc::Receiver<DriverOrder>,
    ) -> TurnOutcome {
        let mut answer = pin!(answer);
        loop {
            let flush_at = self.batch.due();
            let expires_at = self.questions.iter().map(|open| open.until).min();
            let give_up_at = turn.cancelled.map(|at| at + CANCEL_TIME);
            tokio::select! {
                Some(incoming) = self.incoming.recv() => self.take(incoming, turn).await,
                order = orders.recv(), if !turn.orders_ended => match order {
                    Some(order) => self.obey(order, turn).await,
                    None => turn.orders_ended = true,
                },
                () = until(flush_at) => self.batch.flush().await,
                () = until(expires_at) => self.expire(turn).await,
                () = until(give_up_at) => return TurnOutcome::Cancelled,
                answered = &mut answer => {
                    // What came before the answer is told before it; it lies in the channel by now.
                    for _ in 0..UPDATES_MAX {
                        let Ok(incoming) = self.incoming.try_recv() else { break };
                        self.take(incoming, turn).await;
                    }
                    return self.judge(answered, turn);
                }
            }
        }
    }

    /// What came from the engine during a turn.
    async fn take(&mut self, incoming: Incoming, turn: &mut Turn) {
        match incoming {
            Incoming::Update(SessionEvent::Message(text)) => {
                turn.noted.words(&text);
                self.batch.say(Voice::Message, &text).await;
            }
            Incoming::Update(SessionEvent::Thought(text)) => self.batch.say(Voice::Thought, &text).await,
            Incoming::Update(SessionEvent::Event(event)) => {
                // Words before a tool call are no last words.
                if matches!(event, RunnerEvent::Tool { .. }) {
                    turn.noted.last_words.clear();
                }
                self.batch.event(event).await;
            }
            Incoming::Update(SessionEvent::Meta(meta)) => turn.noted.sign = self.session.failure.sign(&meta).or(turn.noted.sign.take()),
            Incoming::Noise(line) => self.batch.say(Voice::Stdout, &format!("{line}\n")).await,
            Incoming::Permission(permission) => self.asked(permission, turn).await,
        }
    }

    async fn asked(&mut self, permission: Permission, turn: &Turn) {
        let allows = permission.options.iter().find(|option| option.allows).map(|option| option.id.clone());
        match (self.session.permissions, allows) {
            _ if turn.cancelled.is_some() || self.questions.len() >= QUESTIONS_MAX => permission.withdraw(),
            (PermissionMode::Sandbox, Some(option)) => {
                let text = format!("Allowed, because the sandbox is the boundary: {}\n", permission.title);
                self.batch.event(RunnerEvent::Log { stream: "runner".into(), text }).await;
                permission.choose(&option);
            }
            _ => {
                self.asked += 1;
                let question =
                    Question { id: format!("q{}", self.asked), title: permission.title.clone(), options: permission.options.clone() };
                self.batch.always(RunnerEvent::Asked { question: question.clone() }).await;
                self.questions.push(Open { question, permission, until: Instant::now() + self.session.permission_wait });
            }
        }
    }

    async fn obey(&mut self, order: DriverOrder, turn: &mut Turn) {
        match order {
            DriverOrder::Message { order, text } if turn.messages.len() < MESSAGES_MAX => turn.messages.push((order, text)),
            DriverOrder::Message { order, .. } => {
                let text = format!("Message {order} was not taken: {MESSAGES_MAX} wait already.\n");
                self.batch.always(RunnerEvent::Log { stream: "runner".into(), text }).await;
            }
            DriverOrder::Answer { question, option } => turn.refused |= self.answer(&question, &option).await,
            DriverOrder::Cancel => {
                turn.cancelled.get_or_insert_with(Instant::now);
                turn.messages.clear();
                self.engine.cancel(&self.id);
                self.withdraw_questions().await;
            }
        }
    }

    /// Whether the answer refuses.
    async fn answer(&mut self, question: &str, option: &str) -> bool {
        let offered = |open: &Open| open.question.id == question && open.question.options.iter().any(|choice| choice.id == option);
        let found = self.questions.iter().position(offered);
        match found {
            Some(at) => {
                let open = self.questions.remove(at);
                open.permission.choose(option);
                self.batch.always(RunnerEvent::Answered { id: open.question.id, option: Some(option.to_owned()) }).await;
                !open.question.options.iter().any(|choice| choice.id == option && choice.allows)
            }
            None => {
                let text = format!("There is no open question {question} with the option {option}.\n");
                self.batch.always(RunnerEvent::Log { stream: "runner".into(), text }).await;
                false
            }
        }
    }

    /// Refuses what nobody answered in time.
    async fn expire(&mut self, turn: &mut Turn) {
        let now = Instant::now();
        loop {
            // By itself: in a `while let` the iterator would live across the awaits, and make the future not `Send`.
            let due = self.questions.iter().position(|open| open.until <= now);
            let Some(at) = due else { return };
            let open = self.questions.remove(at);
            turn.refused = true;
            match open.question.options.iter().find(|option| !option.allows) {
                Some(refusal) => open.permission.choose(&refusal.id),
                None => open.permission.withdraw(),
            }
            self.batch.always(RunnerEvent::Answered { id: open.question.id, option: None }).await;
        }
    }

    async fn withdraw_questions(&mut self) {
        for open in std::mem::take(&mut self.questions) {
            open.permission.withdraw();
            self.batch.always(RunnerEvent::Answered { id: open.question.id, option: None }).await;
        }
    }

    fn judge(&mut self, answered: Result<Answered, Reason>, turn: &mut Turn) -> TurnOutcome {
        let answered = match answered {
            Ok(answered) => answered,
            // An engine that ends a cancelled turn with an error has ended it all the same.
            Err(Reason::EngineFailed { .. } | Reason::ModelFailed { .. }) if turn.cancelled.is_some() => return TurnOutcome::Cancelled,
            Err(reason) => return TurnOutcome::Failed { reason },
        };
        if let Some(usage) = answered.usage {
            turn.noted.counted = true;
            self.usage = self.usage.plus(usage);
        }
        turn.noted.sign = self.session.failure.sign(&answered.meta).or(turn.noted.sign.take());
        match answered.stop {
            _ if turn.cancelled.is_some() => TurnOutcome::Cancelled,
            // Codex ends its turn so when a person says no; the person's next message may show another way.
            Stop::Cancelled if turn.refused => TurnOutcome::Ended,
            // Nobody here asked for it, so it is no success of ours.
            Stop::Cancelled => TurnOutcome::Failed { reason: Reason::EngineFailed { message: "It cancelled its turn by itself.".into() } },
            Stop::GaveUp(message) => TurnOutcome::Failed { reason: Reason::ModelFailed { message } },
            Stop::Ended => match self.session.failure.judge(&turn.noted) {
                Some(reason) => TurnOutcome::Failed { reason },
                None => TurnOutcome::Ended,
            },
        }
    }
}

struct Opened {
    name: String,
    id: String,
    replay: bool,
    note: Option<String>,
}

async fn open(engine: &Engine, session: &Session) -> Result<Opened, Reason> {
    let hello = engine.initialize(&session.failure).await?;
    let mut note = None;
    let mcp_url = session.mcp_url.as_deref().filter(|_| hello.http_mcp);
    if session.mcp_url.is_some() && mcp_url.is_none() {
        note = Some("The engine does not call context servers over HTTP; it has the files of the brief only.\n".to_owned());
    }
    let mut id = None;
    if let Some(before) = &session.resume {
        let loaded = if hello.loads { engine.load(before, &session.cwd, mcp_url).await } else { Err(cannot_load()) };
        match loaded {
            Ok(()) => id = Some(before.clone()),
            Err(reason) => {
                note = Some(format!("The engine's session could not be taken up again, so a new one begins. {}\n", reason.text()))
            }
        }
    }
    let id = match id {
        Some(id) => id,
        None => engine.open(&session.cwd, mcp_url).await?,
    };
    if let Some(mode) = &session.mode {
        engine.set_mode(&id, mode).await?;
    }
    Ok(Opened { name: hello.name, id, replay: hello.replay, note })
}

fn cannot_load() -> Reason {
    Reason::EngineFailed { message: "It cannot load sessions.".into() }
}

/// Waits for something while what comes from the engine is taken: its past, when a session is loaded, is told already.
async fn listening<T>(incoming: &mut mpsc::Receiver<Incoming>, batch: &mut Batch, what: impl Future<Output = T>) -> T {
    let mut what = pin!(what);
    loop {
        tokio::select! {
            Some(incoming) = incoming.recv() => match incoming {
                Incoming::Noise(line) => batch.say(Voice::Stdout, &format!("{line}\n")).await,
                Incoming::Permission(permission) => permission.withdraw(),
                Incoming::Update(_) => {}
            },
            done = &mut what => {
                // Lets the reader's last words in: they say why an engine ended.
                while let Ok(Incoming::Noise(line)) = incoming.try_recv() {
                    batch.say(Voice::Stdout, &format!("{line}\n")).await;
                }
                return done;
            }
        }
    }
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}
