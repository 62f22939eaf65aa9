//! A `headscale` that Meshwork runs for a founder, and a `tailscaled` in a network namespace of its own. Each is started again when it
//! ends, after a pause that doubles; its log is bounded; it ends with whoever started it. One that a crash left behind is ended at
//! the next start, found by its process id and the file that its command line names.
//!
//! Two tailscaled with a TUN device in one network namespace do not work, and without such a device neither gossip nor Radicle get
//! through: so a second one needs a namespace ([`namespace`]), and that needs root.

mod copy;
mod keys;
pub mod namespace;
mod program;

use super::localapi::LocalApi;
use crate::limits;
pub use copy::copy_server;
use domain::{Problem, ServerUrl};
use keys::Keys;
use namespace::Namespace;
use program::Program;
pub use program::{Running, State};
use std::{
    fs,
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::time::{Instant, sleep};

/// The network device of a tailscaled in a namespace of its own.
const DEVICE: &str = "ts0";

/// How the machines of a tailnet reach each other where no direct way is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Relay {
    /// By this server itself; STUN at this address (UDP).
    Embedded {
        /// Where STUN listens.
        stun: SocketAddr,
    },
    /// By servers that these maps name.
    Maps(Vec<String>),
}

/// What a managed `headscale` is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeadscaleConfig {
    /// The program.
    pub program: PathBuf,
    /// The folder of its keys, database, configuration and log.
    pub dir: PathBuf,
    /// Its unix socket; the path may have 107 bytes.
    pub socket: PathBuf,
    /// Where others reach it.
    pub url: ServerUrl,
    /// Where it listens.
    pub listen: SocketAddr,
    /// Relays.
    pub relay: Relay,
    /// The domain of the tailnet's names.
    pub domain: String,
    /// For how long an API key counts that is made for ourselves, in whole seconds. At half of it the next is made.
    pub key_lasts: Duration,
}

impl HeadscaleConfig {
    fn file(&self) -> PathBuf {
        self.dir.join("config.yaml")
    }

    /// Its configuration file. Each value is a JSON string, which YAML reads as it is.
    fn text(&self) -> String {
        let path = |name: &str| text(&self.dir.join(name).display().to_string());
        let relay = match &self.relay {
            Relay::Embedded { stun } => {
                let ip = match self.listen.ip() {
                    IpAddr::V4(ip) if !ip.is_unspecified() => format!("\n    ipv4: {}", text(&ip.to_string())),
                    IpAddr::V6(ip) if !ip.is_unspecified() => format!("\n    ipv6: {}", text(&ip.to_string())),
                    _ => String::new(),
                };
                format!(
                    "derp:\n  server:\n    enabled: true\n    region_id: 999\n    region_code: meshwork\n    region_name: Meshwork\n    \
                     stun_listen_addr: {}\n    private_key_path: {}\n    automatically_add_embedded_derp_region: true{ip}\n  urls: []\n  \
                     paths: []\n  auto_update_enabled: false\n",
                    text(&stun.to_string()),
                    path(copy::RELAY_KEY)
                )
            }
            Relay::Maps(maps) => {
                let maps = maps.iter().map(|map| text(map)).collect::<Vec<_>>().join(", ");
                format!(
                    "derp:\n  server:\n    enabled: false\n  urls: [{maps}]\n  paths: []\n  auto_update_enabled: true\n  update_frequency: 24h\n"
                )
            }
        };
        format!(
            "# Written by Meshwork at each start.\nserver_url: {}\nlisten_addr: {}\nmetrics_listen_addr: \"\"\ngrpc_listen_addr: \"127.0.0.1:0\"\n\
             grpc_allow_insecure: false\nnoise:\n  private_key_path: {}\nprefixes:\n  v4: 100.64.0.0/10\n  v6: \"fd7a:115c:a1e0::/48\"\n  \
             allocation: sequential\n{relay}disable_check_updates: true\ndatabase:\n  type: sqlite\n  sqlite:\n    path: {}\n    \
             write_ahead_log: true\nlog:\n  level: info\n  format: text\npolicy:\n  mode: database\ndns:\n  magic_dns: true\n  \
             base_domain: {}\n  override_local_dns: false\n  nameservers:\n    global: []\nunix_socket: {}\nunix_socket_permission: \"0700\"\n",
            text(self.url.as_str().trim_end_matches('/')),
            text(&self.listen.to_string()),
            path(copy::KEY),
            path(copy::DATABASE),
            text(&self.domain),
            text(&self.socket.display().to_string()),
        )
    }
}

fn text(value: &str) -> String {
    serde_json::Value::from(value).to_string()
}

/// A `headscale` that runs, and is started again when it ends.
#[derive(Debug)]
pub struct Headscale {
    config: HeadscaleConfig,
    keys: tokio::sync::Mutex<Keys>,
    /// How it does.
    pub running: Running,
}

impl Headscale {
    /// Writes its configuration and starts it. Returns once it serves.
    ///
    /// # Errors
    /// When the folder cannot be written, the program cannot be started, or does not serve in time: then with what its log ends with.
    pub async fn start(config: HeadscaleConfig) -> Result<Self, Problem> {
        private_folder(&config.dir)?;
        write(&config.file(), &config.text())?;
        let _ = fs::remove_file(&config.socket);
        let file = config.file();
        let program = Program {
            name: "headscale",
            command: vec![config.program.clone().into(), "serve".into(), "-c".into(), file.into()],
            dir: config.dir.clone(),
        };
        let running = Running::start(program)?;
        let started = Self { config, keys: tokio::sync::Mutex::default(), running };
        started.until_served().await?;
        Ok(started)
    }

    /// Takes its API key back, ends it, and waits for that.
    pub async fn stop(self) {
        if matches!(self.running.state(), State::Up { .. }) {
            self.forget_key().await;
        }
        self.running.stop().await;
    }

    async fn until_served(&self) -> Result<(), Problem> {
        let until = Instant::now() + limits::PROGRAM_STARTS;
        let local = SocketAddr::new(
            match self.config.listen.ip() {
                ip if !ip.is_unspecified() => ip,
                IpAddr::V4(_) => IpAddr::from([127, 0, 0, 1]),
                IpAddr::V6(_) => IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1]),
            },
            self.config.listen.port(),
        );
        // The socket comes last, and is what the command line asks.
        while !self.config.socket.exists() || tokio::net::TcpStream::connect(local).await.is_err() {
            if Instant::now() >= until {
                return Err(Problem::unavailable("headscale did not begin to serve.")
                    .because(self.running.last_words())
                    .next("See its log: headscale.log in its folder; another program may listen at its address."));
            }
            sleep(limits::PROGRAM_LOOK_EVERY).await;
        }
        Ok(())
    }
}

/// What a managed `tailscaled` is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TailscaledConfig {
    /// The program.
    pub program: PathBuf,
    /// The folder of its state and log.
    pub dir: PathBuf,
    /// Its unix socket; the path may have 107 bytes.
    pub socket: PathBuf,
}

/// Starts a `tailscaled` in a network namespace, and starts it again when it ends. Returns once it can be asked.
///
/// # Errors
/// When it cannot be started, or does not answer in time: then with what it said last.
pub async fn tailscaled(config: &TailscaledConfig, namespace: &Namespace) -> Result<Running, Problem> {
    private_folder(&config.dir)?;
    let mut command = namespace.words();
    command.push(config.program.clone().into());
    let state = config.dir.join("tailscale.state");
    for word in [
        format!("--state={}", state.display()),
        format!("--statedir={}", config.dir.display()),
        format!("--socket={}", config.socket.display()),
        format!("--tun={DEVICE}"),
        format!("--port={}", namespace.port()),
        // What it does is nobody else's business.
        "--no-logs-no-support".to_owned(),
    ] {
        command.push(word.into());
    }
    let running = Running::start(Program { name: "tailscaled", command, dir: config.dir.clone() })?;
    let (local, until) = (LocalApi::new(&config.socket), Instant::now() + limits::PROGRAM_STARTS);
    while local.status().await.is_err() {
        if Instant::now() >= until {
            return Err(Problem::unavailable("tailscaled did not begin to answer.")
                .because(running.last_words())
                .next(format!("See its log: {}.", config.dir.join("tailscaled.log").display())));
        }
        sleep(limits::PROGRAM_LOOK_EVERY).await;
    }
    Ok(running)
}

/// A program by its name: what the variable names, else in `MESHWORK_SERVERS`, else on `PATH`.
///
/// # Errors
/// When it is nowhere.
pub fn find(name: &str, variable: &str) -> Result<PathBuf, Problem> {
    if let Some(named) = std::env::var_os(variable).filter(|v| !v.is_empty()) {
        return Ok(named.into());
    }
    let servers = std::env::var_os("MESHWORK_SERVERS").map(|dir| PathBuf::from(dir).join("bin"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders = servers.into_iter().chain(std::env::split_paths(&path));
    folders.find_map(|dir| Some(dir.join(name)).filter(|file| file.is_file())).ok_or_else(|| {
        Problem::unavailable(format!("The program {name} is not on this machine."))
            .next(format!("Install it, or say where it is in {variable}."))
    })
}

fn private_folder(dir: &Path) -> Result<(), Problem> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(|e| unwritten(dir, &e))
}

fn write(path: &Path, text: &str) -> Result<(), Problem> {
    fs::write(path, text).map_err(|e| unwritten(path, &e))
}

fn unwritten(path: &Path, error: &std::io::Error) -> Problem {
    Problem::unavailable(format!("{} cannot be written: {error}.", path.display())).next("Make room on the disk, or mend its rights.")
}

#[cfg(test)]
mod tests;
