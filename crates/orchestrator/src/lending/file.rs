//! `lend.toml`: what the machine's owner lends to others, read and written whole. One that is not in order is refused with its line.

use crate::{
    data_dir::{DataDir, storage, write_private},
    limits,
};
use domain::{
    Problem,
    lend::{LendPolicy, Mistake},
};
use sandbox::Finding;
use std::{
    fs::File,
    io::{ErrorKind, Read},
    path::Path,
};

/// The policy; the usual one where there is no file.
///
/// # Errors
/// When it cannot be read, or is not in order.
pub(super) fn read(data: &DataDir) -> Result<LendPolicy, Problem> {
    read_at(&data.lend_policy())
}

fn read_at(path: &Path) -> Result<LendPolicy, Problem> {
    // What is neither would be waited for: a pipe, until somebody writes into it.
    if path.metadata().is_ok_and(|about| !about.is_file() && !about.is_dir()) {
        return Err(broken(path, 1, "it is no file that can be read to its end", None));
    }
    let mut text = String::new();
    match File::open(path).and_then(|file| file.take(limits::LEND_BYTES_MAX).read_to_string(&mut text)) {
        Ok(_) => {}
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(LendPolicy::default()),
        Err(e) if e.kind() == ErrorKind::InvalidData => return Err(broken(path, 1, "it is not Unicode", None)),
        Err(e) => return Err(storage(path, &e)),
    }
    let policy: LendPolicy = toml::from_str(&text).map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        let message = error.message().split_whitespace().collect::<Vec<_>>().join(" ");
        broken(path, before.matches('\n').count() + 1, message.trim_end_matches('.'), None)
    })?;
    policy.check().map_err(|mistake| mistaken(path, &text, mistake))?;
    Ok(policy)
}

fn mistaken(path: &Path, text: &str, Mistake { at, problem }: Mistake) -> Problem {
    let line = text.lines().position(|line| line.contains(&at)).unwrap_or(0) + 1;
    broken(path, line, problem.what.trim_end_matches('.'), problem.next)
}

fn broken(path: &Path, line: usize, what: &str, next: Option<String>) -> Problem {
    let mend = "Mend it, or remove it to lend as usual; until then no guests are taken.";
    Problem::invalid(format!("The file {} is not in order.", path.display()))
        .because(format!("Line {line}: {}.", domain::shown(what)))
        .next(next.map_or_else(|| mend.to_owned(), |next| format!("{next} {mend}")))
}

/// Writes the policy.
///
/// # Errors
/// When it is not in order, or the disk does not take it.
pub(super) fn write(data: &DataDir, policy: &LendPolicy) -> Result<(), Problem> {
    policy.check().map_err(|mistake| mistake.problem)?;
    let text = toml::to_string_pretty(policy).map_err(Problem::internal)?;
    let head = "# What this machine's owner lends to others: meshwork lend changes it.\n";
    write_private(&data.lend_policy(), format!("{head}{text}").as_bytes())
}

/// For `meshwork doctor`: whether the policy can be read, for all orgs of a data folder.
pub(crate) fn look_at(data: &Path) -> Finding {
    let what = "lend policy".to_owned();
    match read_at(&data.join("lend.toml")) {
        Ok(policy) => {
            let detail = if policy.guests { "guests are taken" } else { "guests are not taken" };
            Finding { what, ok: true, detail: format!("{detail}; meshwork lend shows when"), next: None }
        }
        Err(problem) => {
            let why = problem.why.unwrap_or_default();
            Finding { what, ok: false, detail: format!("{} {why} No guests are taken.", problem.what), next: problem.next }
        }
    }
}
