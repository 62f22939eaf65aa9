//! `meshwork up`: this machine's part, until it is told to stop.

use crate::{cli, output};
use domain::{Kind, Problem};
use orchestrator::{
    data_dir::{DataDir, Lock, UpRecord},
    lifecycle,
    machine::{Machine, Options},
};
use server::Gate;
use std::{
    io::ErrorKind,
    net::SocketAddr,
    path::Path,
    process::{Command, ExitCode, Stdio},
    sync::Arc,
    time::Duration,
};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    sync::watch,
    task::JoinHandle,
};

/// Threads that wait for the network; what blocks has threads of its own.
pub(crate) const WORKERS: usize = 2;
/// How long threads that still block are waited for at the end.
pub(crate) const SHUTDOWN: Duration = Duration::from_secs(5);
/// How long open requests may take to end.
const REQUESTS_END: Duration = Duration::from_secs(3);

/// A running `up`.
#[derive(Debug)]
pub(crate) struct Running {
    /// The machine.
    pub(crate) machine: Arc<Machine>,
    /// Its address.
    pub(crate) url: String,
    /// The command line's token.
    pub(crate) token: String,
    gate: Arc<Gate>,
    stop: watch::Sender<bool>,
    server: JoinHandle<()>,
    _lock: Lock,
}

/// Starts everything.
pub(crate) async fn start(
    root: &Path,
    listen: SocketAddr,
    radicle_listen: Option<SocketAddr>,
    slots: Option<u32>,
    demo: bool,
) -> Result<Running, Problem> {
    if !listen.ip().is_loopback() {
        return Err(Problem::invalid(format!("{listen} is not an address of this machine alone."))
            .because("Tokens and sign-ins would go over the network in plain text.")
            .next("Listen on 127.0.0.1, and forward the port by SSH; serving over the tailnet comes with the mesh."));
    }
    let data = DataDir::open(root)?;
    let lock = data.lock()?;
    let listener = TcpListener::bind(listen).await.map_err(|e| port(listen, &e))?;
    let address = listener.local_addr().map_err(Problem::internal)?;
    let executable = std::env::current_exe().map_err(Problem::internal)?;
    let machine = Machine::new(data, Options { executable, radicle_listen, demo, slots });
    let token = lifecycle::secret()?;
    let gate = Gate::new(machine.clone(), address, &token);
    machine.open().await?;
    let (stop, mut stopped) = watch::channel(false);
    let router = server::router(machine.clone(), gate.clone());
    let server = tokio::spawn(async move {
        let until = async move {
            let _ = stopped.wait_for(|s| *s).await;
        };
        if let Err(error) = axum::serve(listener, router).with_graceful_shutdown(until).await {
            tracing::error!(%error, "the HTTP server ended");
        }
    });
    let url = format!("http://{address}");
    machine.data.announce(&UpRecord { pid: std::process::id(), url: url.clone(), version: env!("CARGO_PKG_VERSION").into() }, &token)?;
    Ok(Running { machine, url, token, gate, stop, server, _lock: lock })
}

impl Running {
    /// Ends everything in order.
    pub(crate) async fn close(self) {
        self.machine.data.retract();
        self.machine.close().await;
        self.stop.send_replace(true);
        let _ = tokio::time::timeout(REQUESTS_END, self.server).await;
    }
}

/// Runs until a signal.
pub(crate) async fn run(root: &Path, up: cli::Up, json: bool) -> Result<ExitCode, Problem> {
    let mut ends = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()].map(signal);
    let running = start(root, up.listen, up.radicle_listen, up.slots, false).await?;
    let link = running.gate.link()?;
    if json {
        output::say(&serde_json::json!({"url": running.url, "sign_in": link, "data_dir": running.machine.data.root()}).to_string());
    } else {
        output::say(&format!("Meshwork is up at {}.\nSign a browser in, once, with {link}\nStop it with Ctrl-C.", running.url));
        if running.machine.org().is_err() {
            output::say("This machine belongs to no org yet: meshwork org create <name>.");
        }
    }
    if !up.no_open && !json {
        browse(&running.machine.data.sign_in_page(&link)?);
    }
    let [Ok(interrupt), Ok(terminate), Ok(hangup)] = &mut ends else {
        return Err(Problem::unavailable("Signals cannot be listened to."));
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        _ = hangup.recv() => {}
    }
    if !json {
        output::say("Stopping: running work is being saved.");
    }
    running.close().await;
    Ok(ExitCode::SUCCESS)
}

/// Opens a browser on the page that signs it in, where there is a screen; the link is printed anyway.
fn browse(page: &Path) {
    let screen = ["DISPLAY", "WAYLAND_DISPLAY"].iter().any(|name| std::env::var_os(name).is_some());
    if screen
        && let Ok(mut child) = Command::new("xdg-open").arg(page).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()
    {
        std::thread::spawn(move || {
            let _ = child.wait();
        });
    }
}

fn port(listen: SocketAddr, error: &std::io::Error) -> Problem {
    let next = match error.kind() {
        ErrorKind::AddrInUse => {
            "Another program, perhaps another meshwork, uses it. Stop that one, or give another address with --listen (port 0 takes a free one)."
        }
        ErrorKind::PermissionDenied => "Ports below 1024 need rights of their own; give another with --listen.",
        _ => "Give an address of this machine with --listen.",
    };
    Problem::new(Kind::Conflict, format!("Meshwork cannot listen on {listen}: {error}.")).next(next)
}
