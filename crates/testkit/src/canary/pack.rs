//! What is packed within bytes: gzip (RFC 1952), zlib (RFC 1950), zstd (RFC 8878), wherever it begins.

use miniz_oxide::inflate::{self, core::inflate_flags};
use regex::bytes::Regex;
use std::{io::Read as _, sync::LazyLock};

/// How much of one packed thing is looked at.
const UNPACKED_BYTES_MAX: usize = 8 * 1024 * 1024;
/// What is smaller than this holds no secret.
const UNPACKED_BYTES_MIN: usize = 8;

/// How each begins; of zlib the usual window and every level.
static BEGINS: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?-u:\x1f\x8b\x08|\x78[\x01\x5e\x9c\xda]|\x28\xb5\x2f\xfd)").unwrap_or_else(|e| unreachable!("{e}")));

/// Everything that could be unpacked, with how it was packed. What breaks off is looked at as far as it goes.
pub(super) fn unpacked(bytes: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let mut found = vec![];
    for begin in BEGINS.find_iter(bytes) {
        let rest = &bytes[begin.start()..];
        let inside = match rest[..2] {
            [0x1f, 0x8b] => gzip(rest).map(|inside| ("gzip", inside)),
            [0x78, _] => Some(("zlib", inflated(rest, inflate_flags::TINFL_FLAG_PARSE_ZLIB_HEADER))),
            [0x28, 0xb5] => Some(("zstd", zstd(rest))),
            _ => None,
        };
        found.extend(inside.filter(|(_, inside)| inside.len() >= UNPACKED_BYTES_MIN));
    }
    found
}

fn gzip(bytes: &[u8]) -> Option<Vec<u8>> {
    let flags = *bytes.get(3)?;
    let mut at = 10;
    if flags & 4 != 0 {
        at += 2 + usize::from(u16::from_le_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]));
    }
    for text in [8, 16] {
        if flags & text != 0 {
            at += bytes.get(at..)?.iter().position(|b| *b == 0)? + 1;
        }
    }
    at += if flags & 2 != 0 { 2 } else { 0 };
    Some(inflated(bytes.get(at..)?, 0))
}

/// As far as it goes.
fn inflated(bytes: &[u8], flags: u32) -> Vec<u8> {
    use inflate::{TINFLStatus, core};
    let mut state = core::DecompressorOxide::new();
    let (mut out, mut read, mut written) = (vec![0; 4 * 1024], 0, 0);
    let flags = flags | inflate_flags::TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF | inflate_flags::TINFL_FLAG_IGNORE_ADLER32;
    loop {
        let (status, took, gave) = core::decompress(&mut state, &bytes[read..], &mut out, written, flags);
        (read, written) = (read + took, written + gave);
        if status != TINFLStatus::HasMoreOutput || out.len() >= UNPACKED_BYTES_MAX {
            break;
        }
        out.resize(out.len() * 4, 0);
    }
    out.truncate(written);
    out
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![];
    if let Ok(decoder) = ruzstd::decoding::StreamingDecoder::new(bytes) {
        let _ = decoder.take(UNPACKED_BYTES_MAX as u64).read_to_end(&mut out);
    }
    out
}
