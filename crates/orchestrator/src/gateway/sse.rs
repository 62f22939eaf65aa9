//! Server-sent events, read as they pass by (WHATWG HTML, "Interpreting an event stream"). Bounded: an event that is too
//! large is told without its data.

const NAME_BYTES_MAX: usize = 100;

/// One event.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Event<'a> {
    /// Its type; empty when it has none.
    pub(super) name: &'a str,
    /// Its data; none when it was too large.
    pub(super) data: Option<&'a [u8]>,
}

/// Cuts chunks, wherever they begin and end, into events.
#[derive(Default)]
pub(super) struct Reader {
    line: Vec<u8>,
    /// The line's bytes, kept or not.
    line_bytes: usize,
    name: String,
    data: Vec<u8>,
    has_data: bool,
    too_large: bool,
    /// The last byte was a carriage return: a line feed that follows belongs to it.
    after_cr: bool,
    max_bytes: usize,
}

impl Reader {
    pub(super) fn new(max_bytes: usize) -> Self {
        Self { max_bytes, ..Self::default() }
    }

    /// Takes the next chunk, and tells every event that it completes.
    pub(super) fn feed(&mut self, mut chunk: &[u8], tell: &mut dyn FnMut(Event<'_>)) {
        if self.after_cr && !chunk.is_empty() {
            self.after_cr = false;
            chunk = chunk.strip_prefix(b"\n").unwrap_or(chunk);
        }
        while let Some(end) = chunk.iter().position(|b| matches!(b, b'\n' | b'\r')) {
            self.keep(&chunk[..end]);
            self.end_line(tell);
            let rest = &chunk[end + 1..];
            chunk = match (chunk[end], rest.first()) {
                (b'\r', Some(b'\n')) => &rest[1..],
                (b'\r', None) => {
                    self.after_cr = true;
                    rest
                }
                _ => rest,
            };
        }
        self.keep(chunk);
    }

    /// The stream is over. A last event without its blank line still counts: some providers forget it.
    pub(super) fn finish(&mut self, tell: &mut dyn FnMut(Event<'_>)) {
        self.end_line(tell);
        self.end_event(tell);
    }

    fn keep(&mut self, part: &[u8]) {
        self.line_bytes = self.line_bytes.saturating_add(part.len());
        self.too_large |= self.data.len() + self.line_bytes > self.max_bytes;
        if !self.too_large {
            self.line.extend_from_slice(part);
        }
    }

    fn end_line(&mut self, tell: &mut dyn FnMut(Event<'_>)) {
        if std::mem::take(&mut self.line_bytes) == 0 {
            return self.end_event(tell);
        }
        let mut line = std::mem::take(&mut self.line);
        let text = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&line);
        if self.too_large {
            // What was kept of it is only a part.
        } else if let Some(data) = value(text, b"data") {
            if self.has_data {
                self.data.push(b'\n');
            }
            self.has_data = true;
            self.data.extend_from_slice(data);
        } else if let Some(name) = value(text, b"event") {
            self.name = String::from_utf8_lossy(&name[..name.len().min(NAME_BYTES_MAX)]).into_owned();
        }
        // Its room is used again.
        line.clear();
        self.line = line;
    }

    fn end_event(&mut self, tell: &mut dyn FnMut(Event<'_>)) {
        if self.too_large {
            tell(Event { name: &self.name, data: None });
        } else if self.has_data {
            tell(Event { name: &self.name, data: Some(&self.data) });
        }
        self.name.clear();
        self.data.clear();
        self.has_data = false;
        self.too_large = false;
    }
}

fn value<'a>(line: &'a [u8], field: &[u8]) -> Option<&'a [u8]> {
    let rest = line.strip_prefix(field)?;
    if rest.is_empty() {
        return Some(rest);
    }
    let rest = rest.strip_prefix(b":")?;
    Some(rest.strip_prefix(b" ").unwrap_or(rest))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use proptest::prelude::*;

    type Told = Vec<(String, Option<Vec<u8>>)>;

    fn read(max_bytes: usize, chunks: &[&[u8]]) -> Told {
        let mut told = Told::new();
        let mut tell = |e: Event<'_>| told.push((e.name.to_owned(), e.data.map(<[u8]>::to_vec)));
        let mut reader = Reader::new(max_bytes);
        for chunk in chunks {
            reader.feed(chunk, &mut tell);
        }
        reader.finish(&mut tell);
        told
    }

    fn one(name: &str, data: &str) -> (String, Option<Vec<u8>>) {
        (name.into(), Some(data.as_bytes().to_vec()))
    }

    #[test]
    fn events_are_read_as_the_standard_says() {
        let text = "\u{feff}data: a\r\n\r\n: comment\n\nevent: x\ndata:b\ndata:  c\nid: 7\n\n\n\rdata\r\rdata: last";
        assert_eq!(read(100, &[text.as_bytes()]), vec![one("", "a"), one("x", "b\n c"), one("", ""), one("", "last")]);
    }

    #[test]
    fn an_event_that_is_too_large_is_told_without_its_data_and_the_next_is_read_again() {
        let text = format!("event: big\ndata: {}\ndata: tail\n\ndata: small\n\n", "x".repeat(500));
        let expected = vec![("big".to_owned(), None), one("", "small")];
        assert_eq!(read(100, &[text.as_bytes()]), expected);
        let bytes: Vec<&[u8]> = text.as_bytes().chunks(1).collect();
        assert_eq!(read(100, &bytes), expected);
    }

    #[test]
    fn memory_stays_bounded_without_any_line_end() {
        let mut reader = Reader::new(1000);
        for _ in 0..1000 {
            reader.feed(&[b'x'; 1000], &mut |_| panic!("no event"));
        }
        assert!(reader.line.capacity() + reader.data.capacity() <= 4000);
    }

    proptest! {
        /// Wherever a stream is cut, and cut again, the events are the same.
        #[test]
        fn cuts_change_nothing(text in "([ab:\r\n ]|data: |event: |\n\n|\r\n){0,40}", cuts in prop::collection::vec(0usize..400, 0..6)) {
            let bytes = text.as_bytes();
            let whole = read(1000, &[bytes]);
            let mut at: Vec<usize> = cuts.iter().map(|c| c % (bytes.len() + 1)).collect();
            at.extend([0, bytes.len()]);
            at.sort_unstable();
            let parts: Vec<&[u8]> = at.windows(2).map(|w| &bytes[w[0]..w[1]]).collect();
            prop_assert_eq!(&read(1000, &parts), &whole);
            let single: Vec<&[u8]> = bytes.chunks(1).collect();
            prop_assert_eq!(&read(1000, &single), &whole);
        }
    }
}
