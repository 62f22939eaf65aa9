//! Tests that cannot run on a machine say so.

use std::{fs::OpenOptions, io::Write};

/// Prints why a suite is left out, and notes it in the file named by `MESHWORK_SKIPPED`.
pub fn skip(suite: &str, reason: &str) {
    println!("skipped {suite}: {reason}");
    let file = std::env::var_os("MESHWORK_SKIPPED").and_then(|path| OpenOptions::new().create(true).append(true).open(path).ok());
    if let Some(mut file) = file {
        let _ = writeln!(file, "{suite}: {reason}");
    }
}
