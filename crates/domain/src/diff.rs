//! Reads a unified diff: which lines of a file it shows.

use crate::patch::{LineRef, Side};
use std::ops::Range;

/// The lines of one side of a file that a unified diff shows, as ranges from 1; none when the diff does not name the file.
pub fn shown_lines(diff: &str, path: &str, side: Side) -> Option<Vec<Range<u32>>> {
    let (mut found, mut inside, mut left) = (None::<Vec<Range<u32>>>, false, (0, 0));
    let mut before = None;
    for line in diff.lines() {
        if left != (0, 0) {
            match line.as_bytes().first() {
                Some(b'-') => left.0 -= 1_u32.min(left.0),
                Some(b'+') => left.1 -= 1_u32.min(left.1),
                Some(b'\\') => {}
                _ => left = (left.0.saturating_sub(1), left.1.saturating_sub(1)),
            }
        } else if let Some((old, new)) = line.strip_prefix("@@ ").and_then(hunk) {
            left = (old.1, new.1);
            let (from, count) = if side == Side::Old { old } else { new };
            if let (true, Some(ranges)) = (inside, found.as_mut()) {
                ranges.push(from..from.saturating_add(count));
            }
        } else if let Some((header, of)) = header(line) {
            // A removed file has no new side, a new one no old side: then the other header names it.
            if header == Side::Old {
                (before, inside) = (of, false);
                continue;
            }
            let name = if side == Side::Old { before.or(of) } else { of.or(before) };
            inside = name == Some(path);
            if inside {
                found.get_or_insert_default();
            }
        }
    }
    found
}

/// Whether a diff shows this line. Where the diff does not tell (it was cut), the line is taken as shown.
pub fn shows(diff: &str, at: &LineRef) -> bool {
    shown_lines(diff, &at.path, at.side).is_none_or(|ranges| ranges.iter().any(|r| r.contains(&at.line)))
}

/// `--- a/path` or `+++ b/path`; no path for `/dev/null`.
fn header(line: &str) -> Option<(Side, Option<&str>)> {
    let (side, rest) = line.strip_prefix("--- ").map(|r| (Side::Old, r)).or_else(|| line.strip_prefix("+++ ").map(|r| (Side::New, r)))?;
    let rest = rest.trim_end_matches('\t');
    Some((side, rest.strip_prefix("a/").or_else(|| rest.strip_prefix("b/"))))
}

/// `-1,2 +3,4 @@ …`: where each side begins, and how many lines it has.
fn hunk(text: &str) -> Option<((u32, u32), (u32, u32))> {
    let mut parts = text.split(' ');
    let mut side = |mark: char| {
        let (from, count) = parts.next()?.strip_prefix(mark).map(|p| p.split_once(',').unwrap_or((p, "1")))?;
        Some((from.parse().ok()?, count.parse().ok()?))
    };
    Some((side('-')?, side('+')?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIFF: &str = "diff --git a/x.txt b/x.txt\nindex 1..2 100644\n--- a/x.txt\n+++ b/x.txt\n@@ -1,3 +1,4 @@\n one\n--- a/gone.txt\n+++ b/fake.txt\n+two\n three\n@@ -20 +21 @@ fn\n-old\n+new\n\\ No newline at end of file\ndiff --git a/n b/n\nnew file mode 100644\n--- /dev/null\n+++ b/n\n@@ -0,0 +1,2 @@\n+a\n+b\ndiff --git a/r b/r\n--- a/r\n+++ /dev/null\n@@ -1 +0,0 @@\n-a\n--- a/was\n+++ b/is\n@@ -7 +8 @@\n-a\n+b\n";

    #[test]
    fn only_lines_that_a_diff_shows_are_in_it() {
        let line = |path: &str, line, side| LineRef { path: path.into(), line, side };
        let table = [
            (line("x.txt", 1, Side::New), true),
            (line("x.txt", 4, Side::New), true),
            (line("x.txt", 5, Side::New), false),
            (line("x.txt", 21, Side::New), true),
            (line("x.txt", 20, Side::Old), true),
            (line("x.txt", 20, Side::New), false),
            (line("n", 2, Side::New), true),
            (line("n", 3, Side::New), false),
            (line("r", 1, Side::Old), true),
            (line("r", 1, Side::New), false),
            (line("was", 7, Side::Old), true),
            (line("is", 8, Side::New), true),
        ];
        for (at, expected) in table {
            assert_eq!(shows(DIFF, &at), expected, "{at:?}");
        }
        assert_eq!(shown_lines(DIFF, "fake.txt", Side::New), None, "what stands in a hunk is no header");
    }
}
