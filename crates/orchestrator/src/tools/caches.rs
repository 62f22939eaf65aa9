//! What package managers have fetched on this machine, so that checks work without a network: shown read-only, with a
//! folder of the run on top that they can write to. Only folders of packages are shown, never a manager's settings or keys.

use super::folder;
use domain::{Problem, manifest::Network, run::Tools};
use std::{
    fs, io,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

/// Where the sandbox shows the host's caches.
const HOST: &str = "/opt/meshwork/host";
/// Packages that are linked one by one, at most.
const LINKS_MAX: usize = 20_000;

/// Lays the run's folder and shows the caches.
pub(super) fn show(tools: &mut Tools, network: &Network) -> Result<(), Problem> {
    let offline = network.allow.is_empty();
    let dir = tools.caches.clone();
    crate::data_dir::make_private(&dir)?;
    let storage = |error: io::Error| crate::data_dir::storage(&dir, &error);
    cargo(tools, offline).map_err(storage)?;
    go(tools, offline);
    npm(tools, offline).map_err(storage)
}

/// Shows a folder of the host if it is there. Returns where.
fn shown(tools: &mut Tools, host: PathBuf, name: &str) -> Option<PathBuf> {
    let real = fs::canonicalize(host).ok().filter(|path| path.is_dir())?;
    let inside = Path::new(HOST).join(name);
    tools.shown.push((real, inside.clone()));
    Some(inside)
}

fn set(tools: &mut Tools, name: &str, value: impl Into<String>) {
    tools.env.push((name.into(), value.into()));
}

/// Cargo's home of its own: the index and the packages are links, sources are unpacked anew. With a network cargo may add
/// packages, so that each is a link of its own; without one a single link does: hundreds of them cost each run seconds on a busy disk.
fn cargo(tools: &mut Tools, offline: bool) -> io::Result<()> {
    let (host, own) = (folder("CARGO_HOME", ".cargo"), tools.caches.join("cargo"));
    fs::create_dir_all(own.join("registry"))?;
    if let Some(index) = shown(tools, host.join("registry/index"), "cargo/index") {
        symlink(index, own.join("registry/index"))?;
    }
    let packages = host.join("registry/cache");
    if let Some(inside) = shown(tools, packages.clone(), "cargo/cache") {
        if offline {
            symlink(&inside, own.join("registry/cache"))?;
        }
        for registry in names(&packages).into_iter().filter(|_| !offline) {
            let (from, to) = (packages.join(&registry), own.join("registry/cache").join(&registry));
            fs::create_dir_all(&to)?;
            for package in names(&from).into_iter().take(LINKS_MAX) {
                symlink(inside.join(&registry).join(&package), to.join(&package))?;
            }
        }
    }
    set(tools, "CARGO_HOME", format!("{}/cargo", sandbox::CACHES));
    if offline {
        set(tools, "CARGO_NET_OFFLINE", "true");
    }
    Ok(())
}

/// Go reads what was fetched as it would read a proxy.
fn go(tools: &mut Tools, offline: bool) {
    set(tools, "GOPATH", format!("{}/go", sandbox::CACHES));
    set(tools, "GOFLAGS", "-modcacherw");
    if !offline {
        return;
    }
    let host = std::env::var_os("GOMODCACHE").map_or_else(|| folder("GOPATH", "go").join("pkg/mod"), PathBuf::from);
    let proxy = shown(tools, host.join("cache/download"), "go").map_or("off".to_owned(), |inside| format!("file://{}", inside.display()));
    set(tools, "GOPROXY", proxy);
    for (name, value) in [("GOSUMDB", "off"), ("GOTOOLCHAIN", "local")] {
        set(tools, name, value);
    }
}

/// Without a network npm only reads its cache; with one it keeps one of its own.
fn npm(tools: &mut Tools, offline: bool) -> io::Result<()> {
    set(tools, "npm_config_cache", format!("{}/npm", sandbox::CACHES));
    if !offline {
        return Ok(());
    }
    set(tools, "npm_config_offline", "true");
    let (host, own) = (folder("npm_config_cache", ".npm").join("_cacache"), tools.caches.join("npm/_cacache"));
    fs::create_dir_all(&own)?;
    for part in ["content-v2", "index-v5"] {
        if let Some(inside) = shown(tools, host.join(part), &format!("npm/{part}")) {
            symlink(inside, own.join(part))?;
        }
    }
    Ok(())
}

fn names(folder: &Path) -> Vec<std::ffi::OsString> {
    fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.file_name()).collect()
}
