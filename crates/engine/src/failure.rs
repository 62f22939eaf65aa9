//! When a turn failed although the engine says that it ended, and in whose words.

use crate::limits::{QUOTE_BYTES_MAX, cut, tail};
use domain::run::Reason;
use serde::Deserialize;
use serde_json::{Map, Value};

/// How an engine shows that a turn failed. Data of its profile.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FailureRules {
    /// The engine counts the tokens of every turn that worked: a turn without a count failed.
    pub no_usage: bool,
    /// A last message that begins so is an error.
    pub text_begins: Vec<String>,
    /// What stands in the `_meta` of an update or of the response.
    pub meta: Vec<MetaRule>,
    /// A JSON-RPC error in place of a response is the model's failure, not the engine's.
    pub error_is_model: bool,
    /// Sent as `_meta` of the client's capabilities: asks the engine to say failures in a typed form.
    pub declare: Map<String, Value>,
}

/// One sign in `_meta`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MetaRule {
    /// A JSON pointer (RFC 6901) into `_meta`.
    pub pointer: String,
    /// What stands there when the turn failed.
    pub equals: Value,
    /// Where the engine's own words stand.
    #[serde(default)]
    pub message: Option<String>,
}

/// What was noted during one turn.
#[derive(Clone, Debug, Default)]
pub(crate) struct Noted {
    /// The last words of the agent, the end of them.
    pub(crate) last_words: String,
    /// A sign of failure in `_meta`, with the engine's words.
    pub(crate) sign: Option<String>,
    /// Whether the response counted tokens.
    pub(crate) counted: bool,
}

impl Noted {
    pub(crate) fn words(&mut self, text: &str) {
        self.last_words.push_str(text);
        let keep = tail(&self.last_words, 2 * QUOTE_BYTES_MAX).to_owned();
        self.last_words = keep;
    }
}

impl FailureRules {
    /// The sign of failure in a `_meta`: the engine's words, or an empty text.
    pub(crate) fn sign(&self, meta: &Value) -> Option<String> {
        let rule = self.meta.iter().find(|rule| meta.pointer(&rule.pointer) == Some(&rule.equals))?;
        let words = rule.message.as_ref().and_then(|pointer| meta.pointer(pointer)).and_then(Value::as_str);
        Some(words.unwrap_or_default().to_owned())
    }

    /// The reason for which a turn that claims to have ended failed, if it did.
    pub(crate) fn judge(&self, noted: &Noted) -> Option<Reason> {
        let words = noted.last_words.trim();
        let spoken = self.text_begins.iter().any(|begin| words.starts_with(begin.as_str()));
        let uncounted = self.no_usage && !noted.counted;
        if noted.sign.is_none() && !spoken && !uncounted {
            return None;
        }
        // Engines put notes on retries before the error itself.
        let error_at = self.text_begins.iter().filter_map(|begin| words.rfind(begin.as_str())).max().unwrap_or_default();
        let said = noted.sign.as_deref().filter(|words| !words.is_empty()).unwrap_or(&words[error_at..]);
        let said = if said.is_empty() { "The turn ended without an answer of the model." } else { said };
        Some(Reason::ModelFailed { message: sentence(said) })
    }

    /// The reason for an error in place of a response.
    pub(crate) fn error(&self, code: i32, message: &str, details: &str) -> Reason {
        let said = if details.is_empty() || message.contains(details) { message.to_owned() } else { format!("{message}: {details}") };
        let message = sentence(&said);
        match code {
            // Not understood, no such method, wrong parameters: one of both sides broke the protocol.
            -32700 | -32602..=-32600 => Reason::EngineProtocol { message },
            // Wants a login.
            -32000 => Reason::ModelFailed { message },
            _ if self.error_is_model => Reason::ModelFailed { message },
            _ => Reason::EngineFailed { message },
        }
    }
}

/// What can be done where a command is not there.
pub(crate) const MISSING_NEXT: &str = " Check the agent's command (meshwork agent add changes it), and that its programs are installed where the sandbox sees them: in /usr, or in a folder of `toolchains` in .meshwork/project.toml.";

/// The exit of an engine's process, added to the reason that the driver found: the driver sees only that the pipe closed.
pub fn explain_exit(reason: Reason, exit_code: Option<i32>, stderr: &str) -> Reason {
    let last = stderr.lines().rev().find(|line| !line.trim().is_empty()).map(str::trim).unwrap_or_default();
    match (reason, exit_code) {
        (Reason::EngineFailed { message } | Reason::EngineProtocol { message }, Some(code @ (126 | 127))) => Reason::EngineMissing {
            message: sentence(&format!("its command ended with {code}, which says that it was not found or cannot run: {last} {message}"))
                + MISSING_NEXT,
        },
        (Reason::EngineFailed { message }, code) => {
            let exit = match code {
                Some(code) => format!(" It exited with {code}."),
                None => " It was ended by a signal.".into(),
            };
            let words = if last.is_empty() { String::new() } else { format!(" Its last words: {last}") };
            Reason::EngineFailed { message: sentence(&format!("{message}{exit}{words}")) }
        }
        (other, _) => other,
    }
}

/// A sentence and the last words of a program, of which the end counts: its lines stay lines, and several stand below the sentence.
pub(crate) fn last_words(head: &str, said: &str) -> String {
    let lines: Vec<String> = said.lines().map(one_line).filter(|line| !line.is_empty()).collect();
    let words = lines.join("\n");
    let words = stopped(tail(&words, QUOTE_BYTES_MAX).trim_start().to_owned());
    match lines.len() {
        0 => head.to_owned(),
        1 => format!("{head} Its last words: {words}"),
        _ => format!("{head} Its last words:\n{words}"),
    }
}

/// Cut, on one line, with a full stop.
pub(crate) fn sentence(text: &str) -> String {
    stopped(cut(&one_line(text), QUOTE_BYTES_MAX))
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// With a full stop.
fn stopped(mut short: String) -> String {
    if !short.ends_with(['.', '!', '?', '…']) {
        short.push('.');
    }
    short
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    #[test]
    fn a_turn_that_claims_success_is_judged_by_the_rules_of_its_engine() {
        let rules = FailureRules {
            no_usage: true,
            text_begins: vec!["Error: ".into()],
            meta: vec![MetaRule { pointer: "/x/severity".into(), equals: json!("error"), message: Some("/x/title".into()) }],
            ..FailureRules::default()
        };
        let good = Noted { last_words: "All done.".into(), sign: None, counted: true };
        assert_eq!(rules.judge(&good), None);
        let said = |noted: Noted| match rules.judge(&noted) {
            Some(Reason::ModelFailed { message }) => message,
            other => format!("{other:?}"),
        };
        assert_eq!(said(Noted { counted: false, ..good.clone() }), "All done.");
        assert_eq!(said(Noted { last_words: "\nError: 401 bad key".into(), ..good.clone() }), "Error: 401 bad key.");
        assert_eq!(said(Noted { sign: Some("unexpected status 500".into()), ..good }), "unexpected status 500.");
        assert_eq!(rules.sign(&json!({"x": {"severity": "error", "title": "no"}})).unwrap(), "no");
        assert_eq!(rules.sign(&json!({"x": {"severity": "warning", "title": "no"}})), None);
    }

    #[test]
    fn last_words_keep_their_lines_and_their_end() {
        assert_eq!(last_words("It exited.", " \n"), "It exited.");
        assert_eq!(last_words("It exited.", "no  such rule\n"), "It exited. Its last words: no such rule.");
        assert_eq!(last_words("It exited.", "a\r\n\n  b c\nboom!\n"), "It exited. Its last words:\na\nb c\nboom!");
        let long = format!("{}\nthe end", "x".repeat(2 * QUOTE_BYTES_MAX));
        let told = last_words("It exited.", &long);
        assert!(told.ends_with("x\nthe end.") && told.len() < QUOTE_BYTES_MAX + 40, "{told}");
    }

    #[test]
    fn an_exit_is_told_with_the_last_words() {
        let ended = || Reason::EngineFailed { message: "It ended.".into() };
        assert!(
            matches!(explain_exit(ended(), Some(127), "sh: x: not found\n"), Reason::EngineMissing { message } if message.contains("not found") && message.ends_with(MISSING_NEXT))
        );
        assert!(
            matches!(explain_exit(ended(), Some(3), "a\nboom\n\n"), Reason::EngineFailed { message } if message == "It ended. It exited with 3. Its last words: boom.")
        );
        assert!(
            matches!(explain_exit(ended(), None, ""), Reason::EngineFailed { message } if message == "It ended. It was ended by a signal.")
        );
    }
}
