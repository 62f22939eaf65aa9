//! `meshwork up`: this machine's part, until it is told to stop.
//!
//! With one org or none it is one process. With several it is a supervisor, and each org has a process of its own below it
//! (`supervisor`, `org`); so it is with one that has a tailscaled of its own. When such an org or a second comes while it runs, it becomes one: the same process starts its program anew
//! (`exec`), and each org takes its runs up as after a crash, which runners outlive. It starts anew likewise when an org's journal is to be
//! mended, which is done when it is opened.

mod memory;
mod org;
mod supervisor;

pub(crate) use org::run as run_org;

use crate::{cli, output};
use domain::{Kind, Problem};
use orchestrator::{
    data_dir::{DataDir, Lock, Shape, UpRecord, Updated},
    lifecycle,
    machine::{Listens, Machine, Options},
};
use server::Gate;
use std::{
    io::ErrorKind,
    net::SocketAddr,
    os::unix::process::CommandExt,
    path::Path,
    process::{Command, ExitCode, Stdio},
    sync::Arc,
    time::Duration,
};
use tokio::{
    net::TcpListener,
    signal::unix::{Signal, SignalKind, signal},
    sync::watch,
    task::JoinHandle,
};

/// Threads that wait for the network; what blocks has threads of its own.
pub(crate) const WORKERS: usize = 2;
/// How long threads that still block are waited for at the end.
pub(crate) const SHUTDOWN: Duration = Duration::from_secs(5);
/// How long open requests may take to end.
const REQUESTS_END: Duration = Duration::from_secs(3);

/// The pause between two looks whether they have.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// In this time a signal that was caught has been told to whoever waits for it.
const SIGNAL_SEEN: Duration = Duration::from_millis(50);

/// A running `up`.
#[derive(Debug)]
pub(crate) struct Running {
    /// The machine.
    pub(crate) machine: Arc<Machine>,
    /// Its address.
    pub(crate) url: String,
    /// The command line's token.
    pub(crate) token: String,
    /// What of the data folder was brought forward first, in words.
    pub(crate) updated: Vec<String>,
    gate: Arc<Gate>,
    stop: watch::Sender<bool>,
    server: JoinHandle<()>,
    _lock: Lock,
}

/// Starts everything.
pub(crate) async fn start(root: &Path, listen: SocketAddr, listens: Listens, slots: Option<u32>, demo: bool) -> Result<Running, Problem> {
    no_image_of_memory();
    let data = DataDir::open(root)?;
    let lock = data.lock()?;
    let updated = forward(&data, &lock)?;
    let (listener, address) = bind(listen).await?;
    let executable = std::env::current_exe().map_err(Problem::internal)?;
    let machine = Machine::new(data, Options { executable, listens, demo, slots, only: None });
    let token = lifecycle::secret()?;
    let gate = Gate::new(machine.clone(), address, &token);
    machine.open().await?;
    tokio::spawn(memory::give_back());
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
    machine.data.announce(&record(&url, Shape::Whole), &token)?;
    Ok(Running { machine, url, token, updated, gate, stop, server, _lock: lock })
}

/// Brings the data folder of an older Meshwork forward, and says what was done, in words.
fn forward(data: &DataDir, lock: &Lock) -> Result<Vec<String>, Problem> {
    // Nothing else runs in this process yet: what blocks here holds nobody up.
    Ok(data.update(lock)?.iter().map(Updated::text).collect())
}

/// Where this process is reached.
fn record(url: &str, shape: Shape) -> UpRecord {
    UpRecord { pid: std::process::id(), url: url.to_owned(), version: env!("CARGO_PKG_VERSION").into(), shape }
}

async fn bind(listen: SocketAddr) -> Result<(TcpListener, SocketAddr), Problem> {
    if !listen.ip().is_loopback() {
        return Err(Problem::invalid(format!("{listen} is not an address of this machine alone."))
            .because("Tokens and sign-ins would go over the network in plain text.")
            .next("Listen on 127.0.0.1, and forward the port by SSH. Other devices come in at --mesh-listen, with keys of their own."));
    }
    let listener = TcpListener::bind(listen).await.map_err(|e| port(listen, &e))?;
    let address = listener.local_addr().map_err(Problem::internal)?;
    Ok((listener, address))
}

/// A crash leaves no image of this process's memory, nor of those that it starts: there are keys in it.
fn no_image_of_memory() {
    let none = rustix::process::Rlimit { current: Some(0), maximum: Some(0) };
    if let Err(error) = rustix::process::setrlimit(rustix::process::Resource::Core, none) {
        tracing::warn!(%error, "images of memory after a crash cannot be turned off");
    }
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
    no_image_of_memory();
    let mut ends = Ends::new()?;
    if DataDir::open(root)?.needs_supervisor() {
        return supervisor::run(root, up, json, ends).await;
    }
    let started = start(root, up.resumed.unwrap_or(up.listen), up.listens.into(), up.slots, false).await;
    if started.is_err() && up.resumed.is_some() {
        DataDir::open(root)?.retract();
    }
    let running = started?;
    if up.resumed.is_none() {
        greet(&running, &up, json)?;
    }
    let problem = tokio::select! {
        () = ends.any() => None,
        problem = start_anew(&running) => Some(problem),
    };
    if !json {
        output::say("Stopping: running work is being saved.");
    }
    running.close().await;
    problem.map_or(Ok(ExitCode::SUCCESS), Err)
}

/// Says where everything is.
fn greet(running: &Running, up: &cli::Up, json: bool) -> Result<(), Problem> {
    let link = running.gate.link()?;
    if json {
        output::say(&serde_json::json!({"url": running.url, "sign_in": link, "data_dir": running.machine.data.root()}).to_string());
        return Ok(());
    }
    running.updated.iter().for_each(|said| output::say(said));
    output::say(&format!("Meshwork is up at {}.\nSign a browser in, once, with {link}\nStop it with Ctrl-C.", running.url));
    if running.machine.org().is_err() {
        output::say("This machine belongs to no org yet: meshwork org create <name>.");
    }
    if !up.no_open {
        browse(&running.machine.data.sign_in_page(&link)?);
    }
    Ok(())
}

/// Once an org came that needs a process of its own, the same process becomes a supervisor; once a journal is to be mended, it opens it
/// anew. Comes back only with what went wrong. A signal that comes meanwhile is seen by whoever waits beside it.
async fn start_anew(running: &Running) -> Problem {
    loop {
        tokio::select! {
            () = running.machine.another.notified() => {
                tracing::info!("each org of this machine gets a process of its own now");
                break;
            }
            () = running.machine.anew.notified() => match running.machine.data.changing() {
                Ok(()) => {
                    tracing::info!("the program starts anew, so that the journal is mended");
                    break;
                }
                Err(problem) => tracing::error!(%problem, "the program does not start anew; the journal is mended by the next start"),
            },
        }
    }
    running.stop.send_replace(true);
    let ended = async {
        while !running.server.is_finished() {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    let _ = tokio::time::timeout(REQUESTS_END, ended).await;
    let address = running.url.trim_start_matches("http://");
    end_at_signals();
    tokio::time::sleep(SIGNAL_SEEN).await;
    // Everything but standard input and output is closed with the old program; its runners go on, and are found again.
    let error = Command::new(&running.machine.options.executable).args(std::env::args_os().skip(1)).args(["--resumed", address]).exec();
    Problem::unavailable(format!("The program could not be started anew: {error}.")).next("Nothing is lost: start meshwork up again.")
}

/// From now on the signals that end `up` end it at once, as a crash would: those that nobody reads any more, because the program is
/// being replaced, would be lost otherwise.
#[allow(unsafe_code)]
fn end_at_signals() {
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
        // SAFETY: the default disposition runs no code of this process.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
}

/// The signals that end `up`.
struct Ends([Signal; 3]);

impl Ends {
    fn new() -> Result<Self, Problem> {
        let listen = |kind| signal(kind).map_err(|e| Problem::unavailable(format!("Signals cannot be listened to: {e}.")));
        Ok(Self([listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?, listen(SignalKind::hangup())?]))
    }

    async fn any(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.0;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
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
