//! Colours and tables on standard output. Colours only where it is a terminal and nobody said `NO_COLOR`
//! (<https://no-color.org>).

use std::{io::IsTerminal, sync::OnceLock};

/// What a piece of text is, by which it is coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    Heading,
    Quiet,
    Good,
    Bad,
    Busy,
    Waits,
    Plain,
}

/// Whether standard output shows colours.
pub(crate) fn colours() -> bool {
    static COLOURS: OnceLock<bool> = OnceLock::new();
    *COLOURS.get_or_init(|| {
        let said = |name: &str| std::env::var_os(name).is_some_and(|v| !v.is_empty());
        std::io::stdout().is_terminal() && !said("NO_COLOR") && std::env::var_os("TERM").is_none_or(|t| t != "dumb")
    })
}

/// A text in its colour.
pub(crate) fn paint(tone: Tone, text: &str) -> String {
    let code = match tone {
        Tone::Plain => return text.to_owned(),
        _ if !colours() || text.is_empty() => return text.to_owned(),
        Tone::Heading => "1",
        Tone::Quiet => "2",
        Tone::Good => "32",
        Tone::Bad => "31",
        Tone::Busy => "36",
        Tone::Waits => "33",
    };
    format!("\u{1b}[{code}m{text}\u{1b}[0m")
}

/// One cell of a table.
#[derive(Clone, Debug)]
pub(crate) struct Cell {
    text: String,
    tone: Tone,
}

/// A cell.
pub(crate) fn cell(text: impl Into<String>) -> Cell {
    Cell { text: text.into(), tone: Tone::Plain }
}

/// A coloured cell.
pub(crate) fn toned(tone: Tone, text: impl Into<String>) -> Cell {
    Cell { text: text.into(), tone }
}

/// Rows below headings, in columns; with no rows, nothing. On a terminal the last column is cut at its edge.
pub(crate) fn table(headings: &[&str], rows: &[Vec<Cell>]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let length = |text: &str| text.chars().count();
    let width = |at: usize| rows.iter().map(|r| length(&r[at].text)).chain([length(headings[at])]).max().unwrap_or(0);
    let widths: Vec<usize> = (0..headings.len()).map(width).collect();
    let before: usize = widths.iter().take(headings.len() - 1).map(|w| w + 2).sum();
    let last = columns().map_or(usize::MAX, |all| all.saturating_sub(before).max(16));
    let line = |cells: &[Cell]| {
        let mut out = String::new();
        for (at, cell) in cells.iter().enumerate() {
            let end = at + 1 == cells.len();
            let text = if end { cut(&cell.text, last) } else { cell.text.clone() };
            out.push_str(&paint(cell.tone, &text));
            if !end {
                out.push_str(&" ".repeat(widths[at] - length(&text) + 2));
            }
        }
        out.trim_end().to_owned()
    };
    let heads: Vec<Cell> = headings.iter().map(|h| toned(Tone::Heading, *h)).collect();
    std::iter::once(line(&heads)).chain(rows.iter().map(|r| line(r))).collect::<Vec<_>>().join("\n")
}

fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

/// How many columns the terminal has, where standard output is one.
fn columns() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok()?;
    (size.ws_col > 0).then_some(usize::from(size.ws_col))
}

/// Something shown by itself: a title, its parts one a line, and sections below. What is empty is left out.
#[derive(Debug, Default)]
pub(crate) struct Sheet {
    title: String,
    parts: Vec<(&'static str, String)>,
    sections: Vec<(&'static str, String)>,
}

impl Sheet {
    /// A sheet with a title.
    pub(crate) fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), ..Self::default() }
    }

    /// With one part more.
    pub(crate) fn part(mut self, name: &'static str, text: impl Into<String>) -> Self {
        self.parts.push((name, text.into()));
        self
    }

    /// With one section more.
    pub(crate) fn section(mut self, heading: &'static str, text: impl Into<String>) -> Self {
        self.sections.push((heading, text.into()));
        self
    }

    /// As text.
    pub(crate) fn text(self) -> String {
        let parts: Vec<_> = self.parts.into_iter().filter(|(_, text)| !text.is_empty()).collect();
        let width = parts.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
        let mut out = vec![paint(Tone::Heading, &self.title)];
        for (name, text) in parts {
            let gap = " ".repeat(width - name.chars().count() + 2);
            let text = text.replace('\n', &format!("\n{}", " ".repeat(width + 4)));
            out.push(format!("  {}{gap}{text}", paint(Tone::Quiet, name)));
        }
        for (heading, text) in self.sections.into_iter().filter(|(_, text)| !text.trim().is_empty()) {
            out.push(format!("\n{}", paint(Tone::Heading, heading)));
            out.extend(text.trim_end().lines().map(|line| format!("  {line}")));
        }
        out.join("\n")
    }
}
