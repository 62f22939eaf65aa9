//! Plays the steps of a recording, turn by turn.

use super::{End, Step};
use crate::{
    acp::agent::Screen,
    limits::{REPLAY_PAUSE_MAX, REPLAY_RUN_TIME, TOOL_OUTPUT_BYTES_MAX, tail},
};
use domain::run::PlanStep;
use std::{
    collections::VecDeque,
    path::{Component, Path, PathBuf},
    process::Stdio,
    time::Duration,
};
use tokio::{io::AsyncReadExt as _, sync::watch};

/// Something to show.
pub(crate) enum Shown {
    Message(String),
    Thought(String),
    Plan(Vec<PlanStep>),
    Usage { used: u64, size: u64 },
    ToolBegins { id: String, title: String, edits: bool },
    ToolEnds { id: String, ok: bool, output: String },
}

/// How a turn went.
pub(crate) enum Played {
    Ended,
    Refused,
    Cancelled,
    Failed(String),
}

/// A recording that is being played.
pub(crate) struct Player {
    left: VecDeque<Step>,
    cwd: PathBuf,
    calls: u64,
}

impl Player {
    pub(crate) fn new(steps: Vec<Step>) -> Self {
        Self { left: steps.into(), cwd: PathBuf::from("."), calls: 0 }
    }

    /// A session begins in this folder.
    pub(crate) fn enter(&mut self, cwd: PathBuf) {
        self.cwd = cwd;
    }

    /// Plays up to the next end. `cancelled` changes when the client cancels.
    pub(crate) async fn turn(&mut self, screen: &Screen, mut cancelled: watch::Receiver<u64>) -> Played {
        if self.left.is_empty() {
            screen.show(Shown::Message("This is a replay, and its recording is over.\n".into()));
        }
        while let Some(step) = self.left.pop_front() {
            let played = tokio::select! {
                biased;
                _ = cancelled.changed() => Some(Played::Cancelled),
                played = self.step(step, screen) => played,
            };
            if let Some(played) = played {
                return played;
            }
        }
        Played::Ended
    }

    async fn step(&mut self, step: Step, screen: &Screen) -> Option<Played> {
        match step {
            Step::Message(text) => screen.show(Shown::Message(text)),
            Step::Thought(text) => screen.show(Shown::Thought(text)),
            Step::Plan(steps) => screen.show(Shown::Plan(steps)),
            Step::Usage(window) => screen.show(Shown::Usage { used: window.used, size: window.size }),
            Step::PauseMs(pause_ms) => tokio::time::sleep(Duration::from_millis(pause_ms).min(REPLAY_PAUSE_MAX)).await,
            Step::Fail(message) => return Some(Played::Failed(message)),
            Step::End(End::EndTurn) => return Some(Played::Ended),
            Step::End(End::Refusal) => return Some(Played::Refused),
            Step::Ask(title) => {
                let id = self.next_id();
                if !screen.ask(id, title).await {
                    screen.show(Shown::Message("Not allowed, so the replay ends here.\n".into()));
                    return Some(Played::Ended);
                }
            }
            Step::Run(command) => {
                let id = self.next_id();
                screen.show(Shown::ToolBegins { id: id.clone(), title: command.clone(), edits: false });
                let (ok, output) = run(&command, &self.cwd).await;
                screen.show(Shown::ToolEnds { id, ok, output });
            }
            Step::Write(_) | Step::Edit(_) | Step::Delete(_) => {
                let id = self.next_id();
                screen.show(Shown::ToolBegins { id: id.clone(), title: title(&step), edits: true });
                let changed = change(&step, &self.cwd);
                let (ok, output) = (changed.is_ok(), changed.err().unwrap_or_default());
                screen.show(Shown::ToolEnds { id, ok, output: output.clone() });
                // A recording that does not fit its project must not look as if it did.
                if !ok {
                    return Some(Played::Failed(output));
                }
            }
        }
        None
    }

    fn next_id(&mut self) -> String {
        self.calls += 1;
        format!("call-{}", self.calls)
    }
}

fn title(step: &Step) -> String {
    match step {
        Step::Write(write) => format!("Write {}", write.path),
        Step::Edit(edit) => format!("Edit {}", edit.path),
        Step::Delete(path) => format!("Delete {path}"),
        _ => String::new(),
    }
}

fn change(step: &Step, cwd: &Path) -> Result<(), String> {
    match step {
        Step::Write(write) => {
            let path = within(cwd, &write.path)?;
            if let Some(folder) = path.parent() {
                std::fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", write.path))?;
            }
            std::fs::write(path, &write.text).map_err(|error| format!("{}: {error}", write.path))
        }
        Step::Edit(edit) => {
            let path = within(cwd, &edit.path)?;
            let text = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", edit.path))?;
            if !text.contains(&edit.from) {
                return Err(format!("{}: the text {:?} does not stand in it", edit.path, edit.from));
            }
            std::fs::write(path, text.replacen(&edit.from, &edit.to, 1)).map_err(|error| format!("{}: {error}", edit.path))
        }
        Step::Delete(path) => std::fs::remove_file(within(cwd, path)?).map_err(|error| format!("{path}: {error}")),
        _ => Ok(()),
    }
}

fn within(cwd: &Path, path: &str) -> Result<PathBuf, String> {
    let inside = Path::new(path).components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    if inside && !path.is_empty() { Ok(cwd.join(path)) } else { Err(format!("{path}: a recording writes within its folder only")) }
}

/// Runs a command; whether it succeeded, and the end of its output. Dropped, it ends the whole group.
async fn run(command: &str, cwd: &Path) -> (bool, String) {
    // Both streams into one pipe, in their order.
    let mut starts = tokio::process::Command::new("sh");
    starts
        .arg("-c")
        .arg(format!("exec 2>&1\n{command}"))
        .current_dir(cwd)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let started = starts.process_group(0).kill_on_drop(true).spawn();
    let mut child = match started {
        Ok(child) => child,
        Err(error) => return (false, format!("sh: {error}")),
    };
    let _group = Group(child.id());
    let Some(mut stdout) = child.stdout.take() else { return (false, String::new()) };
    let mut output = Vec::new();
    let done = async {
        let mut piece = vec![0; 16 * 1024];
        while let Ok(count @ 1..) = stdout.read(&mut piece).await {
            output.extend_from_slice(&piece[..count]);
            // Only the end is shown.
            let over = output.len().saturating_sub(2 * TOOL_OUTPUT_BYTES_MAX);
            output.drain(..over);
        }
        child.wait().await
    };
    let ended = tokio::time::timeout(REPLAY_RUN_TIME, done).await;
    let mut text = tail(&String::from_utf8_lossy(&output), TOOL_OUTPUT_BYTES_MAX).to_owned();
    match ended {
        Ok(Ok(status)) if status.success() => (true, text),
        Ok(Ok(status)) => (false, format!("{text}\n[{status}]")),
        Ok(Err(error)) => (false, format!("{text}\n[{error}]")),
        Err(_) => {
            text.push_str("\n[took too long]");
            (false, text)
        }
    }
}

/// Ends the processes of a command with it.
struct Group(Option<u32>);

impl Drop for Group {
    fn drop(&mut self) {
        let group = self.0.and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw);
        if let Some(group) = group {
            // Gone already in the common case.
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
    }
}
