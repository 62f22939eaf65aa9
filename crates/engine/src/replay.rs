//! Plays a recorded session as an agent of the Agent Client Protocol: for a demo without a model, and for tests.
//!
//! It says clearly what it is: its name is `replay`. It runs in the sandbox like any engine, and what it changes are real
//! files.
//!
//! # The form of a recording
//! A text file, one JSON object a line; empty lines and lines that begin with `#` are skipped. The first object is
//! `{"recording": 1}`: the version of this form. Each further one is a step with a single key:
//!
//! | step | what happens |
//! |---|---|
//! | `{"message": "text"}` | the agent says it |
//! | `{"thought": "text"}` | the agent thinks it |
//! | `{"plan": [{"text": "read the spec", "status": "completed"}, …]}` | the plan, whole |
//! | `{"write": {"path": "src/a.rs", "text": "…"}}` | writes a file, with its folders |
//! | `{"edit": {"path": "tasks.md", "from": "- [ ] T001", "to": "- [x] T001"}}` | replaces the first place where `from` stands |
//! | `{"delete": "old.txt"}` | deletes a file |
//! | `{"run": "cargo fmt"}` | runs a command with `sh -c` |
//! | `{"ask": "Delete the old tests?"}` | asks for permission; refused, the turn ends |
//! | `{"pause_ms": 300}` | waits, at most 10 s |
//! | `{"usage": {"used": 1200, "size": 200000}}` | the context window |
//! | `{"fail": "the model answered 500"}` | the prompt fails with this error |
//! | `{"end": "end_turn"}` | ends the turn (`end_turn` or `refusal`); the next prompt plays on from here |
//!
//! Paths are relative to the working folder and stay in it. `{task}` is not replaced here: whoever starts the replay picks
//! the file.

mod play;

pub(crate) use play::{Played, Player, Shown};

use crate::limits::RECORDING_BYTES_MAX;
use domain::{Problem, run::PlanStep};
use serde::{Deserialize, Serialize};
use std::path::Path;
use tokio::io::{AsyncRead, AsyncWrite};

/// The name by which a replay introduces itself.
pub const NAME: &str = "replay";
/// The version of the form.
pub const VERSION: u32 = 1;

/// One step of a recording.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// The agent says something.
    Message(String),
    /// The agent thinks something.
    Thought(String),
    /// The plan, whole.
    Plan(Vec<PlanStep>),
    /// Writes a file.
    Write(Write),
    /// Changes a place in a file.
    Edit(Edit),
    /// Deletes a file.
    Delete(String),
    /// Runs a command.
    Run(String),
    /// Asks for permission.
    Ask(String),
    /// Waits, in milliseconds.
    PauseMs(u64),
    /// Says how full the context window is.
    Usage(Window),
    /// Fails the prompt.
    Fail(String),
    /// Ends the turn.
    End(End),
}

/// A file to write.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Write {
    /// Where.
    pub path: String,
    /// What.
    pub text: String,
}

/// A place in a file to change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Edit {
    /// Where.
    pub path: String,
    /// What stands there.
    pub from: String,
    /// What shall stand there.
    pub to: String,
}

/// How full the context window is, in tokens.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// In use.
    pub used: u64,
    /// In all.
    pub size: u64,
}

/// How a turn ends.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// Done.
    EndTurn,
    /// Refused to go on.
    Refusal,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    recording: u32,
}

/// Reads a recording from a text.
pub fn read(text: &str) -> Result<Vec<Step>, Problem> {
    let mut lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty() && !line.trim_start().starts_with('#'));
    let wrong = |number: usize, why: String| {
        Problem::invalid(format!("Line {} of the recording cannot be read.", number + 1))
            .because(why)
            .next("Mend that line; the form is described in the user guide.")
    };
    match lines.next().map(|(number, line)| (number, serde_json::from_str::<Header>(line))) {
        Some((_, Ok(header))) if header.recording == VERSION => {}
        Some((_, Ok(header))) => {
            return Err(Problem::invalid(format!("The recording has version {}, and only {VERSION} is known.", header.recording))
                .next("Use a Meshwork that is as new as the recording."));
        }
        Some((number, Err(_))) => return Err(wrong(number, r#"A recording begins with {"recording": 1}."#.into())),
        None => return Err(Problem::invalid("The recording is empty.").next(r#"Begin it with {"recording": 1}."#)),
    }
    lines.map(|(number, line)| serde_json::from_str(line).map_err(|error| wrong(number, error.to_string()))).collect()
}

/// Reads a recording from a file.
pub fn load(path: &Path) -> Result<Vec<Step>, Problem> {
    let missing = |error: std::io::Error| {
        Problem::not_found(format!("The recording {} cannot be read.", path.display()))
            .because(error.to_string())
            .next("Check `recording` in the agent's engine; the path is relative to the project.")
    };
    let bytes = std::fs::metadata(path).map_err(missing)?.len();
    if bytes > RECORDING_BYTES_MAX {
        return Err(Problem::new(domain::Kind::Limit, format!("The recording has {bytes} bytes; {RECORDING_BYTES_MAX} are allowed.")));
    }
    read(&std::fs::read_to_string(path).map_err(missing)?)
}

/// The command `meshwork replay --recording FILE`: plays on standard input and output until the client closes them. Gives
/// the exit code.
pub fn replay_main(args: impl IntoIterator<Item = String>) -> i32 {
    let args: Vec<_> = args.into_iter().collect();
    let [flag, file] = args.as_slice() else { return usage() };
    if flag != "--recording" {
        return usage();
    }
    let steps = match load(Path::new(file)) {
        Ok(steps) => steps,
        Err(problem) => {
            eprintln!("{problem}");
            return i32::from(problem.kind.exit_code());
        }
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("The replay cannot start: {error}");
            return 70;
        }
    };
    let served = runtime.block_on(serve(steps, tokio::io::stdin(), tokio::io::stdout()));
    // Standard input is read by a thread that cannot be interrupted; it need not be waited for.
    runtime.shutdown_background();
    match served {
        Ok(()) => 0,
        Err(problem) => {
            eprintln!("{problem}");
            i32::from(problem.kind.exit_code())
        }
    }
}

/// Plays a recording for a client until the client closes the pipe.
pub async fn serve<R, W>(steps: Vec<Step>, stdin: R, stdout: W) -> Result<(), Problem>
where
    R: AsyncRead + Send + 'static,
    W: AsyncWrite + Send + 'static,
{
    let served = crate::acp::agent::serve(Player::new(steps), stdin, stdout).await;
    served.map_err(|error| Problem::unavailable("The replay lost its client.").because(error))
}

fn usage() -> i32 {
    eprintln!("Usage: meshwork replay --recording FILE");
    2
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn recordings_are_read_line_by_line() {
        let text = "# a demo\n{\"recording\": 1}\n\n{\"message\":\"hi\"}\n{\"write\":{\"path\":\"a\",\"text\":\"b\"}}\n{\"pause_ms\":5}\n{\"end\":\"end_turn\"}\n";
        let write = Step::Write(Write { path: "a".into(), text: "b".into() });
        assert_eq!(read(text).unwrap(), [Step::Message("hi".into()), write, Step::PauseMs(5), Step::End(End::EndTurn)]);
    }

    #[test]
    fn what_is_wrong_with_a_recording_is_said_with_its_line() {
        for (text, part) in [
            ("", "empty"),
            ("{\"message\":\"hi\"}", "Line 1"),
            ("{\"recording\": 2}", "version 2"),
            ("{\"recording\": 1}\n{\"dance\":1}", "Line 2"),
            ("{\"recording\": 1}\n# no\n{", "Line 3"),
        ] {
            let problem = read(text).expect_err(text);
            assert!(problem.to_string().contains(part), "{problem}");
        }
        assert_eq!(load(Path::new("/nowhere/at-all")).expect_err("missing").kind, domain::Kind::NotFound);
        assert_eq!(replay_main(["--recording".to_owned()]), 2);
    }
}
