//! Opening a log: finds its end, and cuts off what a crash tore.

use super::{State, limits};
use domain::Timestamp;
use serde::Deserialize;
use std::{
    borrow::Cow,
    fs::File,
    io::{self, BufRead, BufReader, Seek, SeekFrom},
};

/// As much of a line as its place needs.
#[derive(Deserialize)]
struct Line<'a> {
    seq: u64,
    #[serde(borrow)]
    event: Event<'a>,
}

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(rename = "type", borrow, default)]
    kind: Cow<'a, str>,
}

/// Reads the whole file once. What follows the last whole line is cut off.
pub(super) fn scan(mut file: File) -> io::Result<State> {
    file.seek(SeekFrom::Start(0))?;
    let (mut place, mut end, mut last_seq, mut truncated, mut index) = (0u64, 0u64, 0u64, false, Vec::<(u64, u64)>::new());
    let mut reader = BufReader::with_capacity(256 * 1024, &file);
    let mut line = vec![];
    loop {
        line.clear();
        let length = reader.read_until(b'\n', &mut line)? as u64;
        if length == 0 {
            break;
        }
        let begin = place;
        place += length;
        if !line.ends_with(b"\n") {
            break;
        }
        let Ok(parsed) = serde_json::from_slice::<Line<'_>>(&line) else { continue };
        if index.last().is_none_or(|(_, offset)| begin >= offset + limits::LOG_INDEX_BYTES) {
            index.push((parsed.seq, begin));
        }
        truncated |= parsed.event.kind == "truncated";
        (end, last_seq) = (place, last_seq.max(parsed.seq));
    }
    if place > end {
        file.set_len(end)?;
        file.sync_all()?;
    }
    Ok(State { file, bytes: end, last_seq, index, truncated, dropped_bytes: 0, dropped_at: (0, Timestamp(0)), torn: false })
}
