//! Plain commands as engines: output becomes log events, the exit code the outcome.

use crate::{
    batch::{Batch, Voice},
    failure::{MISSING_NEXT, last_words},
    limits::{PLAIN_LINE_BYTES_MAX, PROMPT_BYTES_MAX, QUOTE_BYTES_MAX, cut, tail},
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
    batch.always(RunnerEvent::TurnStarted { turn: 1, prompt: cut(prompt, PROMPT_BYTES_MAX) }).await;
    let (mut last, mut errors_first) = (String::new(), false);
    let (mut stdout, mut stderr) = (Pipe::new(stdout, Voice::Stdout), Pipe::new(stderr, Voice::Stderr));
    while stdout.open || stderr.open {
        let due = batch.due();
        let (voice, line) = tokio::select! {
            biased;
            () = async { match due { Some(at) => sleep_until(at).await, None => std::future::pending().await } } => {
                batch.flush().await;
                continue;
            }
            said = next(&mut stdout, &mut stderr, errors_first) => said,
        };
        let Some(line) = line else { continue };
        let more = if voice == Voice::Stdout { stdout.lines.ready() } else { stderr.lines.ready() };
        errors_first = more == (voice == Voice::Stderr);
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

/// What comes next of both. Which of two lines was written first only their arrival tells: what came in one piece stays together, and
/// then it is the other's turn, so that neither keeps the other waiting.
async fn next<O, E>(stdout: &mut Pipe<O>, stderr: &mut Pipe<E>, errors_first: bool) -> (Voice, Option<String>)
where
    O: AsyncRead + Unpin,
    E: AsyncRead + Unpin,
{
    if errors_first {
        tokio::select! {
            biased;
            line = stderr.next(), if stderr.open => (Voice::Stderr, line),
            line = stdout.next(), if stdout.open => (Voice::Stdout, line),
            else => (Voice::Stdout, None),
        }
    } else {
        tokio::select! {
            biased;
            line = stdout.next(), if stdout.open => (Voice::Stdout, line),
            line = stderr.next(), if stderr.open => (Voice::Stderr, line),
            else => (Voice::Stdout, None),
        }
    }
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
    let reason = match exit_code {
        Some(0) => return TurnOutcome::Ended,
        Some(code @ (126 | 127)) => {
            let message = last_words(&format!("its command was not found or cannot run (exit code {code})."), last);
            Reason::EngineMissing { message: message + MISSING_NEXT }
        }
        Some(code) => Reason::EngineFailed { message: last_words(&format!("The command exited with {code}."), last) },
        None => Reason::EngineFailed { message: last_words("The command was ended by a signal.", last) },
    };
    TurnOutcome::Failed { reason }
}
