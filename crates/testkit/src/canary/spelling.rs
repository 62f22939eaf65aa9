//! How a secret may be spelled.

use std::fmt::Write as _;

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Every spelling that is looked for, with its name.
pub(super) fn spellings(secret: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut all = vec![
        ("plain".to_owned(), secret.to_vec()),
        ("hex".into(), hex(secret, "").into_bytes()),
        ("HEX".into(), hex(secret, "").to_uppercase().into_bytes()),
        ("URL".into(), url(secret).into_bytes()),
        ("url".into(), url(secret).to_ascii_lowercase().into_bytes()),
        ("URL, every byte".into(), hex(secret, "%").to_uppercase().into_bytes()),
        ("url, every byte".into(), hex(secret, "%").into_bytes()),
        ("UTF-16".into(), secret.iter().flat_map(|b| [*b, 0]).collect()),
        ("reversed".into(), secret.iter().rev().copied().collect()),
        ("in JSON".into(), String::from_utf8_lossy(secret).replace('/', "\\/").into_bytes()),
    ];
    for shift in 0..3 {
        let text = base64(secret, shift);
        let other = text.replace('+', "-").replace('/', "_");
        all.extend([(format!("base64 at {shift}"), text.into_bytes()), (format!("base64url at {shift}"), other.into_bytes())]);
    }
    all
}

fn hex(secret: &[u8], before: &str) -> String {
    secret.iter().fold(String::new(), |mut text, b| {
        let _ = write!(text, "{before}{b:02x}");
        text
    })
}

fn url(secret: &[u8]) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    secret.iter().map(|b| if plain(*b) { char::from(*b).to_string() } else { format!("%{b:02X}") }).collect()
}

/// The part of the base64 text that is the same whatever stands before and after the secret, when `shift` bytes are before it.
fn base64(secret: &[u8], shift: usize) -> String {
    let bits: Vec<bool> = secret.iter().flat_map(|b| (0..8).rev().map(move |n| b >> n & 1 == 1)).collect();
    // The first letters also hold bits of what is before, the last ones of what is after.
    let skip = [0, 4, 2][shift % 3];
    bits[skip..].chunks_exact(6).map(|six| char::from(BASE64[six.iter().fold(0usize, |n, bit| n << 1 | usize::from(*bit))])).collect()
}
