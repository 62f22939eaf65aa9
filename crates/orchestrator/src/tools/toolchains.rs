//! Toolchains of this machine that sandboxes show: folders of programs, never a home or a folder with keys.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Folders below a home that hold programs and nothing else.
const IN_HOME: [&str; 8] =
    [".cargo/bin", ".cargo/registry", ".rustup", ".nvm/versions", ".pyenv/versions", ".local/share/pnpm", "go/pkg/mod", "go/bin"];
/// Shown where a project asks for nothing.
const USUAL: [&str; 2] = ["~/.cargo/bin", "~/.rustup"];

/// The folders to show that a project asks for, and what was left out and why. `~` stands for the owner's home.
pub(super) fn shown(asked: &[String]) -> (Vec<PathBuf>, Vec<String>) {
    let home = super::home().display().to_string();
    let (mut shown, mut left_out) = (Vec::new(), Vec::new());
    if asked.is_empty() {
        shown.extend(
            USUAL.iter().filter_map(|text| fs::canonicalize(text.replacen('~', &home, 1)).ok().filter(|path| sandbox::can_show(path))),
        );
        return (shown, left_out);
    }
    for text in asked {
        match fs::canonicalize(text.replacen('~', &home, 1)) {
            Ok(path) if !sandbox::can_show(&path) => left_out.push(format!("The toolchain {text} is left out: the sandbox has something of its own there, or hides what is there.")),
            Ok(path) if allowed(&path, &home) => shown.push(path),
            Ok(_) => left_out.push(format!(
                "The toolchain {text} is left out: it may hold more than programs. Folders below /opt and /usr/local are shown, and of your own home {}.",
                IN_HOME.join(", ")
            )),
            Err(_) => left_out.push(format!("The toolchain {text} is left out: there is no such folder on this machine.")),
        }
    }
    (shown, left_out)
}

fn allowed(path: &Path, home: &str) -> bool {
    path.starts_with("/opt") || path.starts_with("/usr/local") || IN_HOME.iter().any(|known| path.starts_with(Path::new(home).join(known)))
}
