//! The search finds what was planted, in every spelling and packing.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use crate::random_name;
use std::process::{Command, Stdio};

fn secret() -> String {
    format!("{}/a+b~c", random_name("sk-canary"))
}

fn sightings(secret: &str, bytes: &[u8]) -> Vec<String> {
    let mut search = Search::new(&[("key", secret)]);
    search.bytes("text", "here", bytes);
    search.found().iter().map(|s| s.spelling.clone()).collect()
}

#[test]
fn every_spelling_is_found_whatever_stands_around_it() {
    let secret = secret();
    for before in ["", "x", "xy", "xyz"] {
        let around = format!("{before}{secret} after it");
        for url in [false, true] {
            let mut text = base64_of(around.as_bytes());
            if url {
                text = text.replace('+', "-").replace('/', "_");
            }
            assert!(sightings(&secret, text.as_bytes()).iter().any(|s| s.starts_with("base64")), "{before} {url}");
        }
    }
    for (spelling, bytes) in spellings(secret.as_bytes()) {
        assert!(!sightings(&secret, &[b"...", &bytes[..], b"..."].concat()).is_empty(), "{spelling}");
    }
    assert!(sightings(&secret, format!("{} {}", &secret[..secret.len() - 1], secret.to_uppercase()).as_bytes()).is_empty());
}

#[test]
fn everything_packed_is_found_wherever_it_begins_and_within_another() {
    let secret = secret();
    let text = format!("a line\n{secret}\n{}", "more of it\n".repeat(50));
    let zlib = by_python("import sys, zlib; sys.stdout.buffer.write(zlib.compress(sys.stdin.buffer.read()))", text.as_bytes());
    let named = "import sys, gzip, io; o = io.BytesIO(); f = gzip.GzipFile('name', 'wb', fileobj=o); f.write(sys.stdin.buffer.read()); f.close(); \
                 sys.stdout.buffer.write(o.getvalue())";
    let gzip = by_python(named, text.as_bytes());
    let zstd = ruzstd::encoding::compress_to_vec(text.as_bytes(), ruzstd::encoding::CompressionLevel::Fastest);
    let twice = by_python("import sys, zlib; sys.stdout.buffer.write(zlib.compress(sys.stdin.buffer.read()))", &zstd);
    for (how, bytes) in [("gzip", &gzip), ("zlib", &zlib), ("zstd", &zstd), ("zlib, zstd", &twice)] {
        assert!(!crate::canary::pack::unpacked(bytes).is_empty(), "{how}");
        let found = sightings(&secret, &[b"before", &bytes[..]].concat());
        assert!(found.contains(&format!("{how}, plain")), "{how}: {found:?}");
        // A block of zstd is there whole or not at all.
        let cut = sightings(&secret, &bytes[..bytes.len() - 4]).contains(&format!("{how}, plain"));
        assert!(cut || how.contains("zstd"), "cut off: {how}");
    }
}

#[test]
fn files_links_names_and_processes_are_looked_at_and_what_cannot_be_read_is_told() {
    let secret = secret().replace('/', "-");
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("deep")).unwrap();
    fs::write(dir.path().join("deep/file"), format!("x{secret}")).unwrap();
    fs::write(dir.path().join(&secret), "").unwrap();
    std::os::unix::fs::symlink(format!("/{secret}"), dir.path().join("link")).unwrap();
    let mut search = Search::new(&[("key", &secret)]);
    search.folder("files", dir.path());
    for place in ["deep/file", "the name", "/link"] {
        assert!(search.found().iter().any(|s| s.place.contains(place)), "{place}: {:?}", search.found());
    }
    assert!(search.unreadable().is_empty());
    search.folder("files", &dir.path().join("missing"));
    assert_eq!(search.unreadable().len(), 1);

    search.clear();
    let mut child = Command::new("sh")
        .args(["-c", "read line; read more", "sh", &secret])
        .env("PLANTED", &secret)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let input = child.stdin.as_mut().unwrap();
    std::io::Write::write_all(input, format!("{secret}\n").as_bytes()).unwrap();
    let pid = i32::try_from(child.id()).unwrap();
    // Its shell has read the line once it waits for the next.
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    loop {
        search.clear();
        assert!(search.process("child", pid));
        let seen = |what: &str| search.found().iter().any(|s| s.place.contains(what));
        if seen("environ") && seen("cmdline") && seen("memory") {
            break;
        }
        assert!(std::time::Instant::now() < deadline, "{:?}", search.found());
        std::thread::yield_now();
    }
    assert!(search.looked_bytes("child: memory") > 100_000 && search.unreadable().is_empty(), "{:?}", search.unreadable());
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Packs with another's implementation than the one that unpacks.
fn by_python(script: &str, input: &[u8]) -> Vec<u8> {
    let mut child = Command::new("python3").args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(child.stdin.as_mut().unwrap(), input).unwrap();
    child.wait_with_output().unwrap().stdout
}

fn base64_of(bytes: &[u8]) -> String {
    bytes
        .chunks(3)
        .map(|three| {
            let n = three.iter().fold(0u32, |n, b| n << 8 | u32::from(*b)) << (8 * (3 - three.len()));
            (0..=three.len())
                .map(|at| {
                    let six = usize::try_from(n >> (18 - 6 * at) & 63).unwrap();
                    char::from(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"[six])
                })
                .collect::<String>()
        })
        .collect()
}
