//! Spec-Kit's own programs: `specify`, and the scripts that `specify init` puts into a repository.
//!
//! They are run as they are. The scripts come from the repository, so they are to be run only in a throw-away checkout
//! of a commit that was reviewed (the canonical branch), never where an engine can write.

use crate::{
    limits::{DESCRIPTION_CHARS_MAX, NAME_CHARS_MAX, SCRIPT_S, SPECIFY_S},
    process::{self, Ended},
};
use domain::{FeatureId, Kind, Problem, Timestamp};
use std::{
    env, fs, io,
    path::{Path, PathBuf},
    process::Command,
    time::SystemTime,
};

/// The environment variable that names the program, for those who have it in no folder of `PATH`.
pub const PROGRAM_VARIABLE: &str = "MESHWORK_SPECIFY";
/// Folders of the home in which it usually is.
const USUAL: [&str; 2] = [".local/bin", ".cache/meshwork/tools/specify/bin"];
const SCRIPT: &str = ".specify/scripts/bash/create-new-feature.sh";
const INSTALL: &str = "Install it with `pipx install specify-cli` or `uv tool install specify-cli`, or name it in MESHWORK_SPECIFY.";

/// The `specify` program of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Specify {
    program: PathBuf,
}

impl Specify {
    /// Finds it: `$MESHWORK_SPECIFY`, else in `PATH`, else where pipx, uv and `./dev` put it.
    ///
    /// # Errors
    /// It is not there; says how to install it.
    pub fn find() -> Result<Self, Problem> {
        let home = env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
        let path = env::var_os("PATH").unwrap_or_default();
        let folders = env::split_paths(&path).chain(USUAL.into_iter().map(|folder| home.join(folder)));
        let path = env::join_paths(folders).map_err(Problem::internal)?;
        Self::find_in(env::var_os(PROGRAM_VARIABLE).map(PathBuf::from), path.as_ref())
    }

    /// Finds it at `named`, else in these folders, separated as in `PATH`.
    ///
    /// # Errors
    /// It is not there; says how to install it.
    pub fn find_in(named: Option<PathBuf>, path: &Path) -> Result<Self, Problem> {
        if let Some(program) = named.filter(|p| !p.as_os_str().is_empty()) {
            return if program.is_file() {
                Ok(Self { program })
            } else {
                Err(Problem::unavailable(format!("MESHWORK_SPECIFY names {}, which is not there.", program.display())).next(INSTALL))
            };
        }
        let found = env::split_paths(path).map(|dir| dir.join("specify")).find(|p| p.is_file());
        found.map(|program| Self { program }).ok_or_else(|| Problem::unavailable("Spec-Kit's `specify` is not installed.").next(INSTALL))
    }

    /// Where it is.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// Its version, as `1.2.3`.
    ///
    /// # Errors
    /// It cannot be run.
    pub fn version(&self) -> Result<String, Problem> {
        let ended = self.run(Command::new(&self.program).arg("--version"))?;
        let version = ended.stdout.split_whitespace().find(|w| w.starts_with(|c: char| c.is_ascii_digit()));
        version.map(str::to_owned).ok_or_else(|| Problem::unavailable("`specify --version` said no version.").next(INSTALL))
    }

    /// Puts Spec-Kit into the folder for one engine (`codex`, `copilot`, `opencode`, `claude`, `gemini`, …), keeping what is
    /// there. Needs no network.
    ///
    /// # Errors
    /// `specify` refused or could not be run.
    pub fn init(&self, dir: &Path, integration: &str) -> Result<(), Problem> {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if integration.is_empty() || integration.starts_with('-') || !integration.chars().all(plain) {
            return Err(Problem::invalid(format!("“{}” is not an engine that Spec-Kit knows.", domain::shown(integration))));
        }
        let mut command = Command::new(&self.program);
        command.args([
            "init",
            "--here",
            "--force",
            "--non-interactive",
            "--ignore-agent-tools",
            "--script",
            "sh",
            "--integration",
            integration,
        ]);
        let ended = self.run(command.current_dir(dir))?;
        if !ended.status.success() {
            return Err(Problem::unavailable(format!("`specify init --integration {integration}` failed."))
                .because(last_words(&ended))
                .next("Check the engine's name (codex, copilot, opencode, claude, gemini, …); an old version may also need `pipx upgrade specify-cli`."));
        }
        Ok(())
    }

    fn run(&self, command: &mut Command) -> Result<Ended, Problem> {
        command.env("NO_COLOR", "1").env("TERM", "dumb").env("COLUMNS", "200");
        process::run(command, SPECIFY_S).map_err(|failed| failed.problem("`specify`"))
    }
}

/// Makes a new feature with the repository's own `create-new-feature.sh`, and answers its name (`003-login`). The new files
/// lie below `specs/<name>/`; nothing else is to be committed. `checkout` is a throw-away checkout of the canonical branch.
///
/// # Errors
/// A repository without Spec-Kit, a name or description that the script refuses.
pub fn feature_new(checkout: &Path, name: &str, description: &str) -> Result<FeatureId, Problem> {
    let name = checked_name(name)?;
    let description = if description.trim().is_empty() { name } else { description.trim() };
    if description.chars().count() > DESCRIPTION_CHARS_MAX {
        return Err(Problem::invalid(format!("A feature's description has at most {DESCRIPTION_CHARS_MAX} characters."))
            .next("Give a short one, and write the rest into its spec.md."));
    }
    script_there(checkout)?;
    // A description that begins with a dash would be taken for an option; the script trims the space.
    let description = if description.starts_with('-') { format!(" {description}") } else { description.to_owned() };
    let mut command = Command::new("bash");
    command.arg(SCRIPT).args(["--json", "--short-name", name]).arg(&description).current_dir(checkout);
    environment(&mut command, checkout);
    let ended = process::run(&mut command, SCRIPT_S).map_err(|failed| failed.problem("Spec-Kit's `create-new-feature.sh`"))?;
    if !ended.status.success() {
        return Err(Problem::new(Kind::Conflict, "Spec-Kit could not make the feature.")
            .because(last_words(&ended))
            .next("Mend what it says, or run it by hand in a working copy, and commit what it makes."));
    }
    let feature = made(checkout, &ended.stdout)?;
    fill_in(&checkout.join("specs").join(feature.as_str()).join("spec.md"), name, description.trim())?;
    Ok(feature)
}

/// Writes into a new specification what is known of it, where the template leaves room for that.
fn fill_in(path: &Path, name: &str, description: &str) -> Result<(), Problem> {
    let failed = |error: io::Error| {
        Problem::conflict("The new feature's spec.md cannot be filled in.")
            .because(error.to_string())
            .next("Run Spec-Kit's script by hand in a working copy, and commit what it makes.")
    };
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let now = Timestamp(i64::try_from(since_epoch.as_millis()).unwrap_or_default());
    let day: String = now.rfc3339().chars().take(10).collect();
    let template = fs::read_to_string(path).map_err(failed)?;
    // What the person wrote comes last, so that nothing within it is taken for a placeholder.
    let text = template.replace("[DATE]", &day).replace("[FEATURE NAME]", name).replace("$ARGUMENTS", description);
    if text == template { Ok(()) } else { fs::write(path, text).map_err(failed) }
}

/// Only what the script needs: no member's settings, no state of another feature, no prompts.
fn environment(command: &mut Command, checkout: &Path) {
    command.env_clear();
    for name in ["PATH", "TMPDIR", "SPECKIT_PYTHON"] {
        if let Some(value) = env::var_os(name) {
            command.env(name, value);
        }
    }
    command.env("HOME", checkout).env("LANG", "C.UTF-8").env("SPECIFY_FEATURE_NO_PERSIST", "1");
    command.env("GIT_TERMINAL_PROMPT", "0").env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null");
}

fn checked_name(name: &str) -> Result<&str, Problem> {
    let name = name.trim();
    let short = (1..=NAME_CHARS_MAX).contains(&name.chars().count());
    let wordy = name.chars().any(char::is_alphanumeric) && !name.starts_with('-') && !name.contains(char::is_control);
    if short && wordy {
        return Ok(name);
    }
    Err(Problem::invalid(format!("“{}” is not a name for a feature.", domain::shown(name))).next("Give two to four words, as log-in."))
}

fn script_there(checkout: &Path) -> Result<(), Problem> {
    if checkout.join(SCRIPT).is_file() {
        return Ok(());
    }
    let next = "Run `specify init --here --script sh --integration codex` (or another engine) in it, and commit what it makes.";
    if checkout.join(".specify").is_dir() {
        return Err(Problem::conflict("This repository's Spec-Kit has no bash scripts.")
            .because(format!("{SCRIPT} is missing."))
            .next(next));
    }
    Err(Problem::conflict("This repository has no Spec-Kit.").because("There is no folder .specify in it.").next(next))
}

/// The feature that the script says it made, checked against what is there.
fn made(checkout: &Path, stdout: &str) -> Result<FeatureId, Problem> {
    let odd = |why: String| Problem::new(Kind::Conflict, "Spec-Kit's script did not say what it made.").because(why);
    let said = stdout.lines().rev().find_map(|line| serde_json::from_str::<serde_json::Value>(line.trim()).ok());
    let said = said.ok_or_else(|| odd("Its answer is not JSON.".into()))?;
    let file = said.get("SPEC_FILE").and_then(|v| v.as_str()).map(Path::new);
    let folder = file.and_then(Path::parent).and_then(Path::file_name).and_then(|n| n.to_str());
    let feature: FeatureId = folder.ok_or_else(|| odd("It names no SPEC_FILE.".into()))?.parse()?;
    if checkout.join("specs").join(feature.as_str()).join("spec.md").is_file() {
        Ok(feature)
    } else {
        Err(odd(format!("There is no specs/{feature}/spec.md.")))
    }
}

/// The last lines that a program said, without its frames.
fn last_words(ended: &Ended) -> String {
    let said = |text: &str| {
        let plain = |c: char| c.is_alphanumeric() || c.is_ascii_punctuation() || c.is_whitespace();
        let lines =
            text.lines().map(|l| l.trim_matches(|c: char| !plain(c) || c.is_whitespace())).filter(|l| l.chars().any(char::is_alphanumeric));
        let mut last: Vec<&str> = lines.rev().take(4).collect();
        last.reverse();
        last.join(" ")
    };
    let errors: Vec<&str> = ended.stderr.lines().filter(|l| !l.trim_start().starts_with("Warning:")).collect();
    let words = Some(said(&errors.join("\n"))).filter(|words| !words.is_empty()).unwrap_or_else(|| said(&ended.stdout));
    if words.is_empty() { format!("It ended with {} and said nothing.", ended.status) } else { words.chars().take(600).collect() }
}
