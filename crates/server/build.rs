//! Puts the built dashboard into the binary: what lies in `dashboard/dist`, with its compressed copies. Where it was not built,
//! the list is empty, and the server says so.

use std::{
    env, fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

fn main() -> io::Result<()> {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let dist = root.join("../../dashboard/dist");
    // The folder is always there: an empty file in it is kept in git.
    println!("cargo::rerun-if-changed={}", dist.display());
    let mut found = Vec::new();
    files(&dist, &mut found)?;
    found.sort();
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default()).join("dashboard.rs");
    let mut out = fs::File::create(out)?;
    writeln!(out, "&[")?;
    for file in found.iter().filter(|f| !["br", "gz"].contains(&ending(f))) {
        let Ok(path) = file.strip_prefix(&dist) else { continue };
        let [brotli, gzip] = ["br", "gz"].map(|ending| packed(file, ending));
        writeln!(
            out,
            "File {{ path: {:?}, plain: include_bytes!({file:?}), brotli: {brotli}, gzip: {gzip} }},",
            format!("/{}", path.display())
        )?;
    }
    writeln!(out, "]")
}

fn ending(path: &Path) -> &str {
    path.extension().and_then(|e| e.to_str()).unwrap_or_default()
}

fn packed(file: &Path, ending: &str) -> String {
    let packed = PathBuf::from(format!("{}.{ending}", file.display()));
    if packed.is_file() { format!("Some(include_bytes!({packed:?}))") } else { "None".into() }
}

fn files(dir: &Path, found: &mut Vec<PathBuf>) -> io::Result<()> {
    let Ok(entries) = fs::read_dir(dir) else { return Ok(()) };
    for entry in entries {
        let path = entry?.path();
        let hidden = path.file_name().is_some_and(|n| n.to_string_lossy().starts_with('.'));
        match (hidden, path.is_dir()) {
            (true, _) => {}
            (false, true) => files(&path, found)?,
            (false, false) => found.push(path),
        }
    }
    Ok(())
}
