//! Where the sources are.
#![allow(clippy::unwrap_used, clippy::expect_used)] // A harness fails its test.

use std::{
    env,
    path::{Path, PathBuf},
};

/// The tree in which the tests run, not the one in which they were built: trees may share a build folder.
pub fn root() -> PathBuf {
    let package = env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    let root = Path::new(&package).ancestors().find(|dir| dir.join("Cargo.lock").exists());
    root.expect("a package of the workspace").canonicalize().unwrap()
}
