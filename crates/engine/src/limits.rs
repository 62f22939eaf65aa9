//! The named limits of talking with engines. Reaching one is visible: as a reason, or as an event.

use std::time::Duration;

/// The longest line that an engine may write, in bytes: a message of the protocol with a large diff in it fits.
pub const LINE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// How much an engine may write that is no message of the protocol, in bytes.
pub const NOISE_BYTES_MAX: usize = 1024 * 1024;
/// How long an engine may take to introduce itself; the slowest took 3 s, on a cold disk.
pub const INITIALIZE_TIME: Duration = Duration::from_secs(90);
/// How long an engine may take to open a session; it connects to its servers then.
pub const SESSION_TIME: Duration = Duration::from_secs(120);
/// How long an engine may take to end a turn after it was told to cancel it.
pub const CANCEL_TIME: Duration = Duration::from_secs(10);
/// Updates that wait between the connection and the driver.
pub const UPDATES_MAX: usize = 64;
/// Words of the agent are gathered for so long before they become one event.
pub const BATCH_TIME: Duration = Duration::from_millis(200);
/// Words of the agent are gathered up to so many bytes before they become one event.
pub const BATCH_BYTES_MAX: usize = 4 * 1024;
/// What one tool call shows of its output, in bytes.
pub const TOOL_OUTPUT_BYTES_MAX: usize = 8 * 1024;
/// What a turn's beginning says of its prompt, in bytes: a brief and the longest message of a person fit.
pub const PROMPT_BYTES_MAX: usize = domain::limits::MESSAGE_BYTES_MAX;
/// A title or a step of a plan, in bytes.
pub const TITLE_BYTES_MAX: usize = 300;
/// Steps of a plan that are shown.
pub const PLAN_STEPS_MAX: usize = 200;
/// Options of a question that are shown.
pub const OPTIONS_MAX: usize = 16;
/// Questions that wait for a person at once; further ones are refused.
pub const QUESTIONS_MAX: usize = 32;
/// Messages of people that wait for the end of a turn.
pub const MESSAGES_MAX: usize = 64;
/// What a reason quotes of an engine's words, in bytes.
pub const QUOTE_BYTES_MAX: usize = 600;
/// What is written into a run's log by one engine, in bytes; further output is counted and dropped.
pub const LOG_BYTES_MAX: u64 = domain::limits::RUN_LOG_BYTES_MAX;
/// A line of a plain command that is longer is cut into pieces of so many bytes.
pub const PLAIN_LINE_BYTES_MAX: usize = 8 * 1024;
/// How long `npm install` may take.
pub const INSTALL_TIME: Duration = Duration::from_secs(30 * 60);
/// How long one preparing step after an install may take.
pub const PREPARE_TIME: Duration = Duration::from_secs(120);
/// The largest recording that is played, in bytes.
pub const RECORDING_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// The longest pause of a recording.
pub const REPLAY_PAUSE_MAX: Duration = Duration::from_secs(10);
/// How long one command of a recording may run.
pub const REPLAY_RUN_TIME: Duration = Duration::from_secs(300);

/// The beginning of a text, at most `bytes` of it, cut between characters; says so when it cut.
pub(crate) fn cut(text: &str, bytes: usize) -> String {
    if text.len() <= bytes {
        return text.to_owned();
    }
    let end = (0..=bytes).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default();
    format!("{}…", &text[..end])
}

/// The end of a text, at most `bytes` of it.
pub(crate) fn tail(text: &str, bytes: usize) -> &str {
    let start = text.len().saturating_sub(bytes);
    let start = (start..=text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
    &text[start..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_between_characters() {
        assert_eq!(cut("öööö", 3), "ö…");
        assert_eq!(cut("abc", 3), "abc");
        assert_eq!(tail("öööö", 3), "ö");
        assert_eq!(tail("ab", 9), "ab");
    }
}
