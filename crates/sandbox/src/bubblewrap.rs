//! Bubblewrap on this machine: where it is, and whether it is new enough.

use domain::Problem;
use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::Mutex,
};

/// The first version that has `--disable-userns`.
const VERSION_MIN: (u32, u32) = (0, 8);

/// The program, checked once; a failure is looked at anew each time, so that it can be mended meanwhile.
pub(crate) fn program() -> Result<PathBuf, Problem> {
    static FOUND: Mutex<Option<PathBuf>> = Mutex::new(None);
    let mut found = FOUND.lock().unwrap_or_else(|e| e.into_inner());
    match &*found {
        Some(path) => Ok(path.clone()),
        None => {
            let (path, _) = look()?;
            Ok(found.insert(path).clone())
        }
    }
}

/// Where bubblewrap is, and its version.
pub(crate) fn look() -> Result<(PathBuf, String), Problem> {
    let next = "Install it (Debian, Ubuntu: `sudo apt-get install bubblewrap`) and try again.";
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let fixed = [PathBuf::from("/usr/bin"), PathBuf::from("/usr/local/bin"), PathBuf::from("/bin")];
    // System folders first: what a person's own PATH puts before them is not what the boundary should hang on.
    let path = fixed
        .into_iter()
        .chain(std::env::split_paths(&folders).filter(|p| p.is_absolute()))
        .map(|dir| dir.join("bwrap"))
        .find(|p| p.is_file());
    let Some(path) = path else {
        return Err(Problem::unavailable("Bubblewrap, which makes the sandbox, is not installed.").next(next));
    };
    let version = ask(&path).ok_or_else(|| {
        Problem::unavailable(format!("{} does not say its version.", path.display()))
            .next("Install bubblewrap anew from your distribution.")
    })?;
    match numbers(&version) {
        Some(found) if found >= VERSION_MIN => Ok((path, version)),
        _ => Err(Problem::unavailable(format!("Bubblewrap {version} is too old; 0.8.0 or newer is needed."))
            .because("Older ones cannot forbid user namespaces inside the sandbox.")
            .next("Use a newer release of your distribution (Debian 12, Ubuntu 24.04), or install a newer bubblewrap.")),
    }
}

fn ask(path: &Path) -> Option<String> {
    let output = Command::new(path).arg("--version").env_clear().output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    text.trim().strip_prefix("bubblewrap ").map(str::to_owned)
}

fn numbers(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.split('.').map(|p| p.parse().ok());
    Some((parts.next()??, parts.next()??))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        let table = [("0.8.0", true), ("0.11.0", true), ("1.0", true), ("0.6.1", false), ("nonsense", false)];
        for (text, enough) in table {
            assert_eq!(numbers(text).is_some_and(|v| v >= VERSION_MIN), enough, "{text}");
        }
    }
}
