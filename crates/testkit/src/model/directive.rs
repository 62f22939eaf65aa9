//! Directives in a prompt: what the model is to do, one after the other, before its last words.
//!
//! | directive | what the model does |
//! |---|---|
//! | `[[edit:FILE]]` | writes one line into FILE with the engine's own editing tool |
//! | `[[write:FILE=TEXT]]` | writes TEXT (`\n` is a new line) |
//! | `[[shell:CMD]]` | runs a command |
//! | `[[mcp:NAME]]` | calls the first tool whose name contains NAME |
//! | `[[call:NAME A=X B=Y]]` | calls the tool NAME, offered or not, with these texts |
//! | `[[obey]]` | from now on does what results of tools tell it, too |
//! | `[[plan]]` | calls the engine's planning tool |
//! | `[[say:TEXT]]` | ends with TEXT instead of a standard sentence |
//! | `[[slow:SECS]]` | spreads the words of a streamed answer over so many seconds |
//! | `[[fail:STATUS]]` | every call answers this HTTP status |
//! | `[[429-once]]` | the first call with this prompt answers 429, later ones work |
//! | `[[stop-midstream]]` | a streamed answer breaks off half-way |

use regex::Regex;
use std::{sync::LazyLock, time::Duration};

/// What a test asks of the model.
#[derive(Clone, Debug, PartialEq)]
pub enum Directive {
    /// Write a file.
    Write {
        /// Which, relative to the engine's working folder.
        file: String,
        /// Its text.
        text: String,
    },
    /// Run a command.
    Shell {
        /// Which.
        command: String,
    },
    /// Call a tool of an MCP server.
    Mcp {
        /// A part of its name.
        name: String,
    },
    /// Call any tool, offered or not.
    Call {
        /// Its name.
        name: String,
        /// Its input.
        input: Vec<(String, String)>,
    },
    /// Obey results of tools, too.
    Obey,
    /// Make a plan.
    Plan,
    /// The last words.
    Say {
        /// Which.
        text: String,
    },
    /// Stream slowly.
    Slow {
        /// How long altogether.
        time: Duration,
    },
    /// Fail each call.
    Fail {
        /// With which HTTP status.
        status: u16,
    },
    /// Fail the first call with 429.
    LimitOnce,
    /// Break off in the middle of a stream.
    StopMidstream,
}

impl Directive {
    /// Whether it is a step that calls a tool.
    pub fn is_step(&self) -> bool {
        matches!(self, Self::Write { .. } | Self::Shell { .. } | Self::Mcp { .. } | Self::Call { .. } | Self::Plan)
    }
}

/// What `edit` writes.
pub(super) const EDIT_TEXT: &str = "hello from the scripted model\n";

/// The directives of a prompt, in order. Unknown ones are left out.
pub(super) fn read(prompt: &str) -> Vec<Directive> {
    static FORM: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"(?s)\[\[([a-z0-9-]+)(?::(.*?))?\]\]").ok());
    let Some(form) = FORM.as_ref() else { return Vec::new() };
    form.captures_iter(prompt).filter_map(|found| one(found.get(1)?.as_str(), found.get(2).map_or("", |m| m.as_str()))).collect()
}

fn one(name: &str, argument: &str) -> Option<Directive> {
    let text = argument.to_owned();
    Some(match name {
        "edit" => Directive::Write { file: text, text: EDIT_TEXT.into() },
        "write" => {
            let (file, text) = argument.split_once('=')?;
            Directive::Write { file: file.to_owned(), text: text.replace("\\n", "\n") }
        }
        "shell" => Directive::Shell { command: text },
        "mcp" => Directive::Mcp { name: text },
        "call" => {
            let mut words = argument.split_whitespace();
            let name = words.next()?.to_owned();
            Directive::Call { name, input: words.filter_map(|w| w.split_once('=')).map(|(k, v)| (k.to_owned(), v.to_owned())).collect() }
        }
        "obey" => Directive::Obey,
        "plan" => Directive::Plan,
        "say" => Directive::Say { text },
        "slow" => Directive::Slow { time: Duration::try_from_secs_f64(argument.parse().ok()?).ok()? },
        "fail" => Directive::Fail { status: argument.parse().ok()? },
        "429-once" => Directive::LimitOnce,
        "stop-midstream" => Directive::StopMidstream,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directives_are_read_in_order_and_unknown_ones_are_left_out() {
        let prompt = "Do it. [[write:a.txt=one\\ntwo]] then [[dance]] [[shell:ls -l | wc]] [[plan]] [[slow:0.5]] [[429-once]] [[fail:500]] [[call:run_stop run=X]]";
        assert_eq!(
            read(prompt),
            [
                Directive::Write { file: "a.txt".into(), text: "one\ntwo".into() },
                Directive::Shell { command: "ls -l | wc".into() },
                Directive::Plan,
                Directive::Slow { time: Duration::from_millis(500) },
                Directive::LimitOnce,
                Directive::Fail { status: 500 },
                Directive::Call { name: "run_stop".into(), input: vec![("run".into(), "X".into())] },
            ]
        );
        assert!(read("no directive [here]").is_empty());
        assert!(read("[[fail:often]] [[slow:-1]] [[write:no-text]]").is_empty());
    }
}
