//! Long texts on a terminal go through the person's pager, as git's do.

use crate::{
    output::say,
    paint::{Tone, paint},
    text::visible,
};
use std::{
    io::{IsTerminal, Write},
    process::{Command, Stdio},
};

/// What is used where nothing is said: it quits where the text fits on the screen, shows colours, and what was shown stays,
/// whatever `$LESS` says.
const PAGER: &str = "less -FRX";

/// Prints a text through `$PAGER` (`less` where nothing is said) on a terminal; plainly elsewhere, or where there is no pager.
pub(crate) fn page(text: &str) {
    let pager = std::env::var("PAGER").unwrap_or_else(|_| PAGER.into());
    if !std::io::stdout().is_terminal() || pager.trim().is_empty() || pager.trim() == "cat" {
        return say(text);
    }
    let mut command = Command::new("sh");
    command.args(["-c", &pager]).stdin(Stdio::piped());
    // As git does: quit where it fits on the screen, colours, and what was shown stays.
    if std::env::var_os("LESS").is_none() {
        command.env("LESS", "FRX");
    }
    let Ok(mut child) = command.spawn() else { return say(text) };
    if let Some(mut stdin) = child.stdin.take() {
        let _ = stdin.write_all(text.as_bytes());
    }
    // 127: the shell found no such program.
    if child.wait().is_ok_and(|status| status.code() == Some(127)) {
        say(text);
    }
}

/// A unified diff in colours.
pub(crate) fn diff(text: &str) -> String {
    text.lines().map(|line| paint(tone(line), &visible(line))).collect::<Vec<_>>().join("\n")
}

fn tone(line: &str) -> Tone {
    match line {
        l if l.starts_with("+++") || l.starts_with("---") || l.starts_with("diff ") => Tone::Heading,
        l if l.starts_with("index ") => Tone::Quiet,
        l if l.starts_with("@@") => Tone::Busy,
        l if l.starts_with('+') => Tone::Good,
        l if l.starts_with('-') => Tone::Bad,
        _ => Tone::Plain,
    }
}
