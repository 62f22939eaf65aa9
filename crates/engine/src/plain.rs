//! Plain commands as engines: output becomes log events, the exit code the outcome.

use crate::{
    batch::{Batch, Voice},
    failure::{MISSING_NEXT, sentence},
    limits::{PLAIN_LINE_BYTES_MAX, QUOTE_BYTES_MAX, tail},
    line::{Line, Lines},
};
use domain::run::{Reason, RunnerEvent, TurnOutcome};
use std::{future::Future, pin::pin};
use tokio::{io::AsyncRead, sync::mpsc, time::sleep_until};

/// Reads the output of a command until both pipes end, then waits for its exit code (none: ended by a signal).
pub async fn plain<O, E>(
    prompt: &str,
    stdout: O,
    stderr: E,
    exit_code: impl Future<Output = Option<i32>>,
    events: mpsc::Sender<RunnerEvent>,
) -> TurnOutcome
where
    O: AsyncRead + Unpin,
    E: AsyncRead + Unpin,
{
    let mut batch = Batch::new(events);
    batch.always(RunnerEvent::TurnStarted { turn: 1, prompt: crate::limits::cut(prompt, crate::limits::TITLE_BYTES_MAX) }).await;
    let mut last = String::new();
    let (mut stdout, mut stderr) = (Pipe::new(stdout, Voice::Stdout), Pipe::new(stderr, Voice::Stderr));
    while stdout.open || stderr.open {
        let due = batch.due();
        let (voice, line) = tokio::select! {
            line = stdout.next(), if stdout.open => (Voice::Stdout, line),
            line = stderr.next(), if stderr.open => (Voice::Stderr, line),
            () = async { match due { Some(at) => sleep_until(at).await, None => std::future::pending().await } } => {
                batch.flush().await;
                continue;
            }
        };
        let Some(line) = line else { continue };
        last.push_str(&line);
        last = tail(&last, QUOTE_BYTES_MAX).to_owned();
        batch.say(voice, &line).await;
    }
    // A command may close its pipes and go on: its turn ends with its process.
    let exit_code = pin!(exit_code).await;
    batch.settle().await;
    let outcome = outcome(exit_code, last.trim());
    batch.always(RunnerEvent::TurnEnded { outcome: outcome.clone() }).await;
    outcome
}

struct Pipe<R> {
    lines: Lines<R>,
    open: bool,
    voice: Voice,
}

impl<R: AsyncRead + Unpin> Pipe<R> {
    fn new(inner: R, voice: Voice) -> Self {
        Self { lines: Lines::new(inner, PLAIN_LINE_BYTES_MAX), open: true, voice }
    }

    /// The next text with its line end, if it has one; none at the end of the pipe.
    async fn next(&mut self) -> Option<String> {
        match self.lines.next().await {
            Ok(Some(Line::Whole(line))) => Some(line + "\n"),
            Ok(Some(Line::Piece(piece))) => Some(piece),
            Ok(None) => {
                self.open = false;
                None
            }
            Err(error) => {
                self.open = false;
                let stream = if self.voice == Voice::Stdout { "output" } else { "errors" };
                Some(format!("[its {stream} could not be read any more: {error}]\n"))
            }
        }
    }
}

fn outcome(exit_code: Option<i32>, last: &str) -> TurnOutcome {
    let words = if last.is_empty() { String::new() } else { format!(" Its last words: {last}") };
    let reason = match exit_code {
        Some(0) => return TurnOutcome::Ended,
        Some(code @ (126 | 127)) => {
            let message = sentence(&format!("its command was not found or cannot run (exit code {code}).{words}"));
            Reason::EngineMissing { message: message + MISSING_NEXT }
        }
        Some(code) => Reason::EngineFailed { message: sentence(&format!("The command exited with {code}.{words}")) },
        None => Reason::EngineFailed { message: sentence(&format!("The command was ended by a signal.{words}")) },
    };
    TurnOutcome::Failed { reason }
}
