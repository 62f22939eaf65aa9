//! The process of one org, below a supervisor: HTTP on a unix socket, everything else as where there is one org only.
//!
//! Standard input is the line to the supervisor: when it ends, the supervisor is gone, and this process goes at once, as in a
//! crash; the next `meshwork up` finds its runs. On standard output it tells the supervisor what it must know ([`Word`]).

use super::{Ends, REQUESTS_END, memory};
use crate::cli;
use domain::{OrgName, Problem};
use orchestrator::{
    data_dir::{DataDir, make_unshared, storage},
    machine::{Machine, Options},
};
use serde::{Deserialize, Serialize};
use server::Gate;
use std::{
    io::{Read, Write},
    path::Path,
    process::ExitCode,
};
use tokio::{net::UnixListener, sync::watch, time::timeout};

/// What an org's process tells its supervisor, each on a line of its own.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Word {
    /// It serves.
    Serves,
    /// It made or joined another org, or left its own.
    Another,
    /// It ends, because it was to join an org, which refused: how that stands.
    Refused(serde_json::Value),
    /// It ends, and is to be started again at once, so that its journal is mended.
    Anew,
    /// It ends, because of this.
    Ends(Problem),
}

impl Word {
    fn say(&self) {
        let line = serde_json::to_string(self).unwrap_or_default();
        let _ = writeln!(std::io::stdout(), "{line}");
    }
}

/// Serves one org until a signal, or until the supervisor is gone.
pub(crate) async fn run(root: &Path, org: &str, args: cli::OrgProcess) -> Result<ExitCode, Problem> {
    go_with_the_supervisor();
    super::no_image_of_memory();
    let mut ends = Ends::new()?;
    match serve(root, org.parse()?, args, &mut ends).await {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(problem) => {
            Word::Ends(problem.clone()).say();
            tracing::error!(org, %problem, "the org's process ends");
            Ok(ExitCode::from(problem.kind.exit_code()))
        }
    }
}

async fn serve(root: &Path, org: OrgName, args: cli::OrgProcess, ends: &mut Ends) -> Result<(), Problem> {
    let data = DataDir::open(root)?;
    let dir = data.org(&org);
    let token = std::fs::read_to_string(dir.cli_token()).map_err(|e| storage(&dir.cli_token(), &e))?;
    let executable = std::env::current_exe().map_err(Problem::internal)?;
    let options = Options { executable, listens: args.listens.into(), demo: false, slots: args.slots, only: Some(org) };
    let machine = Machine::new(data, options);
    let gate = Gate::new(machine.clone(), args.http, &token);
    // Opening waits until no other process has the org: only then is the socket ours.
    machine.open().await?;
    make_unshared(&dir.sockets)?;
    let socket = dir.http_socket();
    let _ = std::fs::remove_file(&socket);
    let listener = UnixListener::bind(&socket).map_err(|e| storage(&socket, &e))?;
    tokio::spawn(memory::give_back());
    let (stop, mut stopped) = watch::channel(false);
    let router = server::router(machine.clone(), gate);
    let server = tokio::spawn(async move {
        let until = async move {
            let _ = stopped.wait_for(|s| *s).await;
        };
        if let Err(error) = axum::serve(listener, router).with_graceful_shutdown(until).await {
            tracing::error!(%error, "the HTTP server ended");
        }
    });
    Word::Serves.say();
    loop {
        tokio::select! {
            () = ends.any() => break,
            told = refused(&machine) => {
                Word::Refused(told).say();
                break;
            }
            // As after a crash, which runners outlive: the supervisor starts it again.
            () = machine.anew.notified() => {
                Word::Anew.say();
                return Ok(());
            }
            () = machine.another.notified() => {
                Word::Another.say();
                if machine.over() {
                    break;
                }
            }
        }
    }
    machine.close().await;
    stop.send_replace(true);
    let _ = timeout(REQUESTS_END, server).await;
    Ok(())
}

/// Waits until the org that this process is to join refuses.
async fn refused(machine: &Machine) -> serde_json::Value {
    match machine.joining() {
        Some(joining) => {
            joining.refused().await;
            serde_json::to_value(joining.view()).unwrap_or_default()
        }
        None => std::future::pending().await,
    }
}

/// Ends this process when the supervisor is gone: on a thread of its own, so that nothing here can hold it up.
fn go_with_the_supervisor() {
    std::thread::spawn(|| {
        let mut nothing = [0; 64];
        while std::io::stdin().read(&mut nothing).is_ok_and(|read| read > 0) {}
        std::process::exit(i32::from(domain::Kind::Unavailable.exit_code()));
    });
}
