//! What sandboxes see of this machine beside `/usr`: toolchains, Spec-Kit's `specify`, and what package managers have fetched
//! already. Programs and packages, never a file with keys.

mod caches;
mod specify;
mod toolchains;

use domain::{Problem, manifest::Network, run::Tools};
use std::{
    env,
    path::{Path, PathBuf},
};

/// Where the sandbox shows programs of the host that lie elsewhere there.
const BIN: &str = "/opt/meshwork/bin";

/// Collects them for a run; `folder` is the run's own. `asked` are the project's toolchains.
///
/// # Errors
/// When the run's folder for caches cannot be laid.
pub(crate) fn lay(asked: &[String], network: &Network, folder: &Path) -> Result<Tools, Problem> {
    let (readonly, _) = toolchains::shown(asked);
    let mut path: Vec<String> = readonly.iter().filter_map(|folder| programs(folder)).collect();
    let mut tools = Tools { caches: folder.join("caches"), readonly, ..Tools::default() };
    if let Some(rustup) = tools.readonly.iter().find(|folder| folder.ends_with(".rustup")) {
        tools.env.push(("RUSTUP_HOME".into(), rustup.display().to_string()));
    }
    if specify::show(&mut tools) {
        path.push(BIN.into());
    }
    caches::show(&mut tools, network)?;
    path.extend(["/usr/local/go/bin", "/usr/local/bin", "/usr/bin", "/bin"].map(str::to_owned));
    tools.env.push(("PATH".into(), path.join(":")));
    Ok(tools)
}

/// What of the toolchains that a project asks for is left out, and why.
pub(crate) fn left_out(asked: &[String]) -> Vec<String> {
    toolchains::shown(asked).1
}

/// The folder of programs in a toolchain.
fn programs(folder: &Path) -> Option<String> {
    let below = folder.join("bin");
    let found = if folder.ends_with("bin") { Some(folder) } else { below.is_dir().then_some(below.as_path()) };
    found.map(|folder| folder.display().to_string())
}

/// The owner's home.
fn home() -> PathBuf {
    env::var_os("HOME").map(PathBuf::from).unwrap_or_default()
}

/// A folder named by a variable, else one of the owner's home.
fn folder(variable: &str, in_home: &str) -> PathBuf {
    env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute()).unwrap_or_else(|| home().join(in_home))
}
