//! Fetches engines from npm, each in the version that its profile pins, into a folder of their own.
//!
//! `<engines>/<name>/<version>/` holds `node_modules`, what preparing steps made, and `meshwork.json`, which is written last
//! but one: the folder gets its name only when all is there, so a broken install is never seen.

use crate::{
    failure::sentence,
    limits::{INSTALL_TIME, PREPARE_TIME, QUOTE_BYTES_MAX, tail},
    profile::{self, Prepare, Profile, fill},
};
use domain::Problem;
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, File},
    io::Read as _,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// An engine that is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Installed {
    /// The version of its package.
    pub version: String,
    /// Its folder.
    pub path: PathBuf,
}

/// Node, as it is started in a sandbox.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) path: PathBuf,
    /// The folder that must be shown besides `/usr`, where it lives elsewhere.
    pub(crate) prefix: Option<PathBuf>,
}

#[derive(Serialize, Deserialize)]
struct Record {
    form: u32,
    version: String,
}

const RECORD: &str = "meshwork.json";

/// The engine, where it is installed: the version that the profile pins, or another that was left from before.
pub fn installed(name: &str, engines_dir: &Path) -> Option<Installed> {
    let pinned = profile::find(name).ok()?.npm.version.clone();
    let folder = engines_dir.join(name);
    let versions = fs::read_dir(&folder).ok()?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut found: Vec<_> = versions.filter_map(|version| read_record(&folder.join(version))).collect();
    found.sort_by_key(|engine| (engine.version == pinned, engine.version.clone()));
    found.pop()
}

fn read_record(path: &Path) -> Option<Installed> {
    let record: Record = serde_json::from_slice(&fs::read(path.join(RECORD)).ok()?).ok()?;
    (path.file_name()?.to_str()? == record.version).then(|| Installed { version: record.version, path: path.to_owned() })
}

/// Fetches an engine, unless it is there already. `progress` is called with one line now and then.
pub fn install(name: &str, engines_dir: &Path, mut progress: impl FnMut(&str)) -> Result<Installed, Problem> {
    let profile = profile::find(name)?;
    let folder = engines_dir.join(name);
    fs::create_dir_all(&folder).map_err(|error| cannot_write(&folder, &error))?;
    let _lock = lock(&folder, &mut progress)?;
    if let Some(engine) = installed(name, engines_dir).filter(|engine| engine.version == profile.npm.version) {
        return Ok(engine);
    }
    check_tools(profile)?;
    remove_leftovers(&folder);
    let fresh = tempfile_in(&folder)?;
    fetch(profile, &fresh.0, &mut progress)?;
    for step in &profile.prepare {
        progress(&format!("Preparing {}.", profile.title));
        prepare(step, &fresh.0)?;
    }
    let record = Record { form: 1, version: profile.npm.version.clone() };
    let text = serde_json::to_vec(&record).map_err(Problem::internal)?;
    fs::write(fresh.0.join(RECORD), text).map_err(|error| cannot_write(&fresh.0, &error))?;
    let target = folder.join(&profile.npm.version);
    // What lies there has no record, or it would have been found above.
    let _ = fs::remove_dir_all(&target);
    fs::rename(&fresh.0, &target).map_err(|error| cannot_write(&target, &error))?;
    progress(&format!("{} {} is installed.", profile.title, profile.npm.version));
    Ok(Installed { version: profile.npm.version.clone(), path: target })
}

/// One install of an engine at a time; the lock falls with the process.
fn lock(folder: &Path, progress: &mut impl FnMut(&str)) -> Result<File, Problem> {
    let path = folder.join(".lock");
    let file = File::create(&path).map_err(|error| cannot_write(&path, &error))?;
    if file.try_lock().is_err() {
        progress("Another install of this engine is under way; waiting for it.");
        file.lock().map_err(|error| cannot_write(&path, &error))?;
    }
    Ok(file)
}

/// A folder that is removed unless it got another name.
struct Fresh(PathBuf);

impl Drop for Fresh {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn tempfile_in(folder: &Path) -> Result<Fresh, Problem> {
    let path = folder.join(format!(".new-{}", std::process::id()));
    fs::create_dir_all(&path).map_err(|error| cannot_write(&path, &error))?;
    Ok(Fresh(path))
}

/// What installs left that were killed; nobody else works here while the lock is held.
fn remove_leftovers(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_name().to_str().is_some_and(|name| name.starts_with(".new-")) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

fn check_tools(profile: &Profile) -> Result<(), Problem> {
    if find_program("npm").is_none() {
        return Err(no_node("npm"));
    }
    let Some(needed) = profile.node else { return Ok(()) };
    let node = find_node()?;
    let output = Command::new(&node.path).arg("--version").stdin(Stdio::null()).output().map_err(|_| no_node("node"))?;
    let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let major = version.trim_start_matches('v').split('.').next().and_then(|major| major.parse::<u32>().ok()).unwrap_or_default();
    if major < needed {
        return Err(Problem::unavailable(format!("{} needs Node {needed} or newer; here is {version}.", profile.title))
            .next("Install a newer Node, then try again."));
    }
    Ok(())
}

/// Node on this machine's `PATH`, with links followed, so that it is found in the sandbox too.
pub(crate) fn find_node() -> Result<Node, Problem> {
    let path = find_program("node").and_then(|path| path.canonicalize().ok()).ok_or_else(|| no_node("node"))?;
    let prefix = path.parent().and_then(Path::parent).filter(|prefix| !prefix.starts_with("/usr")).map(Path::to_owned);
    Ok(Node { path, prefix })
}

fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
}

fn no_node(what: &str) -> Problem {
    Problem::unavailable(format!("`{what}` is not installed on this machine."))
        .because("Engines come from the npm registry, and some of them run on Node.")
        .next("Install Node with npm, version 20 or newer (on Debian and Ubuntu: `apt install nodejs npm`), then try again.")
}

fn cannot_write(path: &Path, error: &std::io::Error) -> Problem {
    Problem::unavailable(format!("{} cannot be written.", path.display()))
        .because(error.to_string())
        .next("Check the disk's room and the folder's owner.")
}

fn fetch(profile: &Profile, folder: &Path, progress: &mut impl FnMut(&str)) -> Result<(), Problem> {
    let Profile { title, npm, .. } = profile;
    progress(&format!("Fetching {title} {} from npm ({} MB).", npm.version, npm.size_mb));
    fs::write(folder.join("package.json"), r#"{"private":true}"#).map_err(|error| cannot_write(folder, &error))?;
    let mut command = Command::new("npm");
    // No scripts: what an engine needs besides its files is done by the profile's own steps.
    command.args(["install", "--ignore-scripts", "--no-audit", "--no-fund", "--no-package-lock", "--omit=dev", "--loglevel=error"]);
    command.args(["--fetch-retries=2", "--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=5000", "--fetch-timeout=60000"]);
    command.arg(format!("{}@{}", npm.package, npm.version)).args(&npm.with).current_dir(folder);
    let seen = |elapsed: Duration| format!("{title}: {} MB after {} s.", size_mb(folder), elapsed.as_secs());
    let ended = run(command, INSTALL_TIME, |elapsed| progress(&seen(elapsed)))?;
    if !ended.success {
        return Err(npm_failed(profile, &ended.errors));
    }
    let proof = folder.join(fill(&npm.proof, &profile::machine(), str::to_owned));
    if !proof.exists() {
        return Err(Problem::unavailable(format!("{title} {} does not have what it needs for this machine.", npm.version))
            .because(format!("npm brought no {}.", proof.strip_prefix(folder).unwrap_or(&proof).display()))
            .next("Check that optional packages are not turned off in npm's settings, and that this is Linux on x86-64 or ARM64."));
    }
    Ok(())
}

fn npm_failed(profile: &Profile, errors: &str) -> Problem {
    let why = sentence(tail(errors.trim(), QUOTE_BYTES_MAX));
    let problem = Problem::unavailable(format!("{} could not be fetched from npm.", profile.title)).because(why);
    let offline = ["ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ECONNRESET", "ETIMEDOUT", "ENETUNREACH", "EHOSTUNREACH", "network"];
    let next = if errors.contains("E404") || errors.contains("ETARGET") {
        "The registry does not have this version: check which registry npm is set to use."
    } else if errors.contains("ENOSPC") {
        "Free some disk space, then try again."
    } else if offline.iter().any(|code| errors.contains(code)) {
        "The registry cannot be reached: check this machine's network and npm's registry and proxy settings, then try again."
    } else {
        "Try `npm ping`; mend what it says, then try again."
    };
    problem.next(next)
}

fn prepare(step: &Prepare, folder: &Path) -> Result<(), Problem> {
    let scratch = Fresh(folder.join(".scratch"));
    fs::create_dir_all(&scratch.0).map_err(|error| cannot_write(&scratch.0, &error))?;
    let mut values = vec![("engine", folder.display().to_string()), ("scratch", scratch.0.display().to_string())];
    values.extend(profile::machine());
    let filled = |template: &String| fill(template, &values, str::to_owned);
    let [program, args @ ..] = step.command.as_slice() else { return Err(Problem::internal("a preparing step without a command")) };
    let mut command = Command::new(filled(program));
    command.args(args.iter().map(filled)).current_dir(folder).env("HOME", &scratch.0);
    command.envs(step.env.iter().map(|(name, value)| (name, filled(value))));
    if let Some(name) = &step.stdout {
        let path = folder.join(name);
        command.stdout(File::create(&path).map_err(|error| cannot_write(&path, &error))?);
    }
    let ended = run_with(command, step.stdout.is_some(), PREPARE_TIME, |_| {})?;
    let proof = folder.join(filled(&step.proof));
    if !ended.success || !proof.exists() {
        let why = sentence(&format!("{} did not do its part. {}", filled(program), tail(ended.errors.trim(), QUOTE_BYTES_MAX)));
        return Err(Problem::unavailable("The engine was fetched, but cannot be made ready.")
            .because(why)
            .next("Check that the engine's program runs on this machine."));
    }
    Ok(())
}

struct Ended {
    success: bool,
    errors: String,
}

fn run(command: Command, limit: Duration, tick: impl FnMut(Duration)) -> Result<Ended, Problem> {
    run_with(command, false, limit, tick)
}

/// Runs a program in its own group, and ends the group when it takes too long.
fn run_with(mut command: Command, keeps_stdout: bool, limit: Duration, mut tick: impl FnMut(Duration)) -> Result<Ended, Problem> {
    let program = command.get_program().to_string_lossy().into_owned();
    command.stdin(Stdio::null()).stderr(Stdio::piped()).process_group(0);
    if !keeps_stdout {
        command.stdout(Stdio::null());
    }
    let cannot = |error: std::io::Error| Problem::unavailable(format!("`{program}` cannot be started.")).because(error.to_string());
    let mut child = Running(command.spawn().map_err(cannot)?);
    let stderr = child.0.stderr.take();
    let errors = std::thread::spawn(move || {
        let mut text = Vec::new();
        // Enough for any message; the rest is read and dropped so that the program does not block.
        let Some(mut stderr) = stderr else { return text };
        let _ = stderr.by_ref().take(1 << 20).read_to_end(&mut text);
        let _ = std::io::copy(&mut stderr, &mut std::io::sink());
        text
    });
    let began = Instant::now();
    let mut told = Duration::ZERO;
    let status = loop {
        if let Some(status) = child.0.try_wait().map_err(cannot)? {
            break status;
        }
        let elapsed = began.elapsed();
        if elapsed > limit {
            return Err(
                Problem::new(domain::Kind::Timeout, format!("`{program}` took longer than {} s.", limit.as_secs())).next("Try again.")
            );
        }
        if elapsed >= told + Duration::from_secs(3) {
            told = elapsed;
            tick(elapsed);
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    drop(child);
    let errors = errors.join().unwrap_or_default();
    Ok(Ended { success: status.success(), errors: String::from_utf8_lossy(&errors).into_owned() })
}

/// A child whose whole group ends with this value.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(group) = i32::try_from(self.0.id()).ok().and_then(rustix::process::Pid::from_raw) {
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
        let _ = self.0.wait();
    }
}

fn size_mb(folder: &Path) -> u64 {
    fn bytes(folder: &Path) -> u64 {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        entries
            .map(|entry| match entry.metadata() {
                Ok(meta) if meta.is_dir() => bytes(&entry.path()),
                Ok(meta) => meta.len(),
                Err(_) => 0,
            })
            .sum()
    }
    bytes(folder) / 1_000_000
}
