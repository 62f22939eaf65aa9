//! `specify` in the sandbox: the program with the Python environment that it lives in, wherever the owner installed it.

use super::BIN;
use domain::run::Tools;
use spec::specify::Specify;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// How much of the program's beginning is looked at for its interpreter.
const SHEBANG_BYTES_MAX: usize = 512;

/// Shows it, where it is on this machine. Says whether it did.
pub(super) fn show(tools: &mut Tools) -> bool {
    let Ok(program) = Specify::find() else { return false };
    let Ok(real) = fs::canonicalize(program.program()) else { return false };
    tools.readonly.extend(needed(&real));
    tools.shown.push((real, Path::new(BIN).join("specify")));
    true
}

/// Folders that the program needs at the host's own paths: its virtual environment and that one's Python, each by the name
/// that is written down and by its real one. What lies below `/usr` is seen anyway.
fn needed(program: &Path) -> Vec<PathBuf> {
    let environments = [interpreter(program), Some(program.to_owned())].into_iter().flatten();
    let environments: Vec<PathBuf> = environments.filter_map(|p| Some(p.parent()?.parent()?.to_owned())).collect();
    let mut folders = Vec::new();
    for environment in environments {
        let Ok(config) = fs::read_to_string(environment.join("pyvenv.cfg")) else { continue };
        let home = config.lines().find_map(|line| line.strip_prefix("home")?.trim_start().strip_prefix('='));
        folders.extend(home.and_then(|home| Path::new(home.trim()).parent()).map(Path::to_owned));
        folders.push(environment);
    }
    let real: Vec<PathBuf> = folders.iter().filter_map(|folder| fs::canonicalize(folder).ok()).collect();
    folders.extend(real);
    folders.retain(|folder| folder.is_dir() && sandbox::can_show(folder));
    folders.sort();
    folders.dedup();
    folders
}

/// What the script's first line names.
fn interpreter(program: &Path) -> Option<PathBuf> {
    let bytes = fs::read(program).ok()?;
    let head = String::from_utf8_lossy(&bytes[..bytes.len().min(SHEBANG_BYTES_MAX)]).into_owned();
    let line = head.strip_prefix("#!")?.lines().next()?;
    line.split_whitespace().next().map(PathBuf::from)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::os::unix::fs::symlink;

    /// As `uv tool install` lays it: the environment's Python is one of uv's own, by a name that is a link.
    #[test]
    fn a_program_needs_its_environment_and_that_ones_python() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        let (python, link, environment) = (root.join("python-3.12.7"), root.join("python-3.12"), root.join("tools/specify-cli"));
        fs::create_dir_all(python.join("bin")).unwrap();
        fs::create_dir_all(environment.join("bin")).unwrap();
        symlink(&python, &link).unwrap();
        fs::write(environment.join("pyvenv.cfg"), format!("home = {}\nversion_info = 3.12.7\n", link.join("bin").display())).unwrap();
        let program = environment.join("bin/specify");
        fs::write(&program, format!("#!{}\nimport specify_cli\n", environment.join("bin/python").display())).unwrap();
        assert_eq!(needed(&program), [link, python, environment]);

        fs::write(root.join("specify"), "#!/bin/sh\n").unwrap();
        assert_eq!(needed(&root.join("specify")), Vec::<PathBuf>::new(), "a program without an environment needs only itself");
    }
}
