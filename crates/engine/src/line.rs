//! Lines of an untrusted writer, each of bounded length.

use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};

/// A line, without its end.
#[derive(Debug, PartialEq)]
pub(crate) enum Line {
    /// Whole.
    Whole(String),
    /// The limit was reached before its end; the rest comes as further pieces.
    Piece(String),
}

/// Reads lines that may be of any length, holding no more than the limit.
pub(crate) struct Lines<R> {
    inner: BufReader<R>,
    max: usize,
    held: Vec<u8>,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    pub(crate) fn new(inner: R, max: usize) -> Self {
        Self { inner: BufReader::with_capacity(64 * 1024, inner), max, held: Vec::new() }
    }

    /// Whether a whole line was read already, so that the next comes at once.
    pub(crate) fn ready(&self) -> bool {
        self.inner.buffer().contains(&b'\n')
    }

    /// The next line; none at the end. Bytes that are no UTF-8 are shown as replacement characters. May be dropped at any
    /// await: what was read stays.
    pub(crate) async fn next(&mut self) -> std::io::Result<Option<Line>> {
        loop {
            let ready = self.inner.fill_buf().await?;
            if ready.is_empty() {
                return Ok((!self.held.is_empty()).then(|| Line::Whole(self.take())));
            }
            let room = self.max.saturating_sub(self.held.len());
            let end = ready.iter().position(|byte| *byte == b'\n');
            let take = end.unwrap_or(ready.len());
            if take > room {
                self.held.extend_from_slice(&ready[..room]);
                self.inner.consume(room);
                return Ok(Some(Line::Piece(self.take())));
            }
            self.held.extend_from_slice(&ready[..take]);
            self.inner.consume(take + usize::from(end.is_some()));
            if end.is_some() {
                return Ok(Some(Line::Whole(self.take())));
            }
        }
    }

    fn take(&mut self) -> String {
        text(&std::mem::take(&mut self.held))
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes.strip_suffix(b"\r").unwrap_or(bytes)).into_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    async fn all(input: &[u8], max: usize) -> Vec<Line> {
        let mut lines = Lines::new(input, max);
        let mut found = Vec::new();
        while let Some(line) = lines.next().await.unwrap() {
            found.push(line);
        }
        found
    }

    #[tokio::test]
    async fn lines_come_whole_and_long_ones_in_pieces() {
        let whole = |text: &str| Line::Whole(text.into());
        assert_eq!(all(b"a\r\n\nbc", 4).await, [whole("a"), whole(""), whole("bc")]);
        assert_eq!(all(b"abcdefghij\nk\n", 4).await, [Line::Piece("abcd".into()), Line::Piece("efgh".into()), whole("ij"), whole("k")]);
        assert_eq!(all(b"abcd\n", 4).await, [whole("abcd")]);
        assert_eq!(all(b"\xff\n", 4).await, [whole("\u{fffd}")]);
    }
}
