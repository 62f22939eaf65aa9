//! A tailscaled of an org's own on this device, and the network namespace that it shares with the org's process: kept by the supervisor
//! (`meshwork up`), outside of both. So a machine is in as many tailnets as it has orgs.

use crate::data_dir::OrgDir;
use domain::{Kind, Problem};
use mesh::tailnet::managed::{
    self, Running, TailscaledConfig,
    namespace::{self, Namespace},
};
use sandbox::Finding;
use std::{ffi::OsString, path::PathBuf};

/// Names the program.
const PROGRAM_VARIABLE: &str = "MESHWORK_TAILSCALED_PROGRAM";
/// Its folder beside the settings of the tailnet, and its socket.
const NAME: &str = "tailscaled";
const SOCKET: &str = "ts";

/// What of an org the supervisor keeps, where the org has a tailscaled of its own.
#[derive(Debug)]
pub struct Own {
    namespace: Namespace,
    tailscaled: Running,
    socket: PathBuf,
}

/// Whether this machine can have one.
///
/// # Errors
/// What is missing.
pub(super) fn able() -> Result<(), Problem> {
    namespace::able()?;
    program().map(drop)
}

fn program() -> Result<PathBuf, Problem> {
    managed::find(NAME, PROGRAM_VARIABLE)
}

impl Own {
    /// Makes the namespace, and starts the tailscaled in it; what a crash left of them is removed first. Returns once the tailscaled answers.
    ///
    /// # Errors
    /// When something is missing, or it does not answer in time.
    pub async fn start(dir: &OrgDir) -> Result<Self, Problem> {
        let (config, made) = (config(dir)?, dir.clone());
        let namespace = crate::org::blocking(move || {
            made.make_sockets()?;
            Namespace::make(word(&made), &made.tailnet())
        });
        let namespace = namespace.await?;
        let tailscaled = managed::tailscaled(&config, &namespace).await?;
        Ok(Self { namespace, tailscaled, socket: config.socket })
    }

    /// The words that start a program beside it, before the program's own.
    pub fn words(&self) -> Vec<OsString> {
        self.namespace.words()
    }

    /// What tells a process beside it where it is asked: the name of a variable, and its value.
    pub fn variable(&self) -> (&'static str, PathBuf) {
        (super::keep::SOCKET_VARIABLE, self.socket.clone())
    }

    /// Ends it, and removes the namespace.
    pub async fn stop(self) {
        self.tailscaled.stop().await;
        let namespace = self.namespace;
        let removed = tokio::task::spawn_blocking(move || drop(namespace)).await;
        if let Err(error) = removed {
            tracing::error!(%error, "the network namespace of an org was not removed");
        }
    }
}

fn config(dir: &OrgDir) -> Result<TailscaledConfig, Problem> {
    Ok(TailscaledConfig { program: program()?, dir: dir.tailnet().join(NAME), socket: dir.sockets.join(SOCKET) })
}

/// What names the org's namespace: as its folder for sockets, since both must be short and no two the same.
fn word(dir: &OrgDir) -> &str {
    dir.sockets.file_name().and_then(|name| name.to_str()).unwrap_or_default()
}

/// That it does not answer; of the host's tailscaled what was said is enough.
pub(super) fn away(dir: &OrgDir, problem: Problem) -> Problem {
    if problem.kind != Kind::Unavailable || !dir.has_own_tailscaled() {
        return problem;
    }
    Problem::unavailable("The org's own tailscaled does not answer.")
        .because(problem.why.unwrap_or(problem.what))
        .next(format!("It is started again by itself; its log: {}.", dir.tailnet().join(NAME).join("tailscaled.log").display()))
}

/// Whether this machine can still have what an org of it has, as a finding of the doctor.
pub(crate) fn finding() -> Finding {
    let what = "own tailscaled".to_owned();
    match able() {
        Ok(()) => {
            Finding { what, ok: true, detail: "an org of this machine has one, in a network namespace of its own".into(), next: None }
        }
        Err(problem) => Finding { what, ok: false, detail: problem.what, next: problem.next },
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::data_dir::DataDir;
    use domain::OrgName;

    #[test]
    fn an_org_has_one_from_when_it_is_given_and_then_another_one_says_why_it_does_not_answer() {
        let folder = tempfile::tempdir().unwrap();
        let data = DataDir::open(folder.path()).unwrap();
        let dir = data.org(&"acme".parse().unwrap());
        let problem = || Problem::unavailable("tailscaled cannot be asked at /s.").because("No such file.");
        assert!(!dir.has_own_tailscaled());
        assert_eq!(away(&dir, problem()).what, problem().what);
        dir.give_own_tailscaled().unwrap();
        assert!(dir.has_own_tailscaled());
        let told = away(&dir, problem());
        assert!(
            told.what.contains("own tailscaled") && told.why.unwrap() == "No such file." && told.next.unwrap().contains("tailscaled.log")
        );
        let refused = Problem::new(Kind::Forbidden, "No.");
        assert_eq!(away(&dir, refused).what, "No.");
        assert_eq!(word(&dir).len(), 10);
    }

    #[test]
    fn a_data_folder_with_such_an_org_is_served_by_a_supervisor_even_while_it_is_joined() {
        let folder = tempfile::tempdir().unwrap();
        let (data, name) = (DataDir::open(folder.path()).unwrap(), "acme".parse::<OrgName>().unwrap());
        let dir = data.org(&name);
        crate::data_dir::make_private(&dir.root).unwrap();
        std::fs::write(dir.joining(), "{}").unwrap();
        assert_eq!(data.apart(), [name]);
        assert!(!data.needs_supervisor());
        dir.give_own_tailscaled().unwrap();
        assert!(data.needs_supervisor());
    }
}
