//! A real tailnet on one computer: a hub with a real `headscale`, and machines with a real `tailscaled` each, all in network namespaces of
//! their own. Needs root and the programs in `MESHWORK_SERVERS`. Two of them side by side do not touch each other: nothing of a hub is
//! seen outside of its namespace. Dropped, also by a failed test, it ends its processes by id and removes its namespaces.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // A harness fails its test.

mod link;

use crate::{processes::end_all_of, random_name};
use rustix::{
    process::{Pid, Signal, geteuid, kill_process},
    thread::{LinkNameSpaceType, move_into_link_name_space},
};
use std::{
    fs::{self, File},
    net::Ipv4Addr,
    os::fd::AsFd,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// The hub's address between the machines, and where its server listens.
const HUB: &str = "10.98.0.1";
/// The server's address for machines.
pub const URL: &str = "http://10.98.0.1:8080";
/// How long a program may take to serve.
const START_TIME: Duration = Duration::from_secs(60);
/// The pause between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How much of a log is printed.
const LOG_BYTES: usize = 8 * 1024;

/// A hub and its machines.
#[derive(Debug)]
pub struct Lab {
    /// Names the namespaces: no two have the same.
    id: String,
    bin: PathBuf,
    server: Option<Child>,
    machines: Vec<Machine>,
    // Removed last.
    dir: TempDir,
}

/// A machine in a namespace of its own.
#[derive(Debug)]
struct Machine {
    namespace: String,
    tailscaled: Option<Child>,
}

impl Lab {
    /// Makes a hub and so many machines, and starts neither server nor `tailscaled`.
    ///
    /// # Errors
    /// Why it cannot be made on this computer: for [`crate::skip`].
    pub fn make(machines: usize) -> Result<Self, String> {
        let servers = std::env::var_os("MESHWORK_SERVERS").ok_or("MESHWORK_SERVERS names no folder with headscale and tailscaled")?;
        let bin = PathBuf::from(servers).join("bin");
        for program in ["headscale", "tailscaled"] {
            if !bin.join(program).is_file() {
                return Err(format!("{} has no {program}", bin.display()));
            }
        }
        if !geteuid().is_root() {
            return Err("network namespaces need root".into());
        }
        if !Path::new("/dev/net/tun").exists() {
            return Err("there is no /dev/net/tun".into());
        }
        let mut lab = Self {
            id: random_name("t").chars().filter(char::is_ascii_alphanumeric).take(7).collect(),
            bin,
            server: None,
            machines: vec![],
            dir: tempfile::Builder::new().prefix("mw-lab-").tempdir().map_err(|e| e.to_string())?,
        };
        lab.network(machines).map_err(|why| format!("network namespaces cannot be made: {why}"))?;
        Ok(lab)
    }

    fn network(&mut self, machines: usize) -> Result<(), String> {
        let hub = self.hub();
        ip(&["netns", "add", &hub])?;
        within(&hub, &["link", "set", "lo", "up"])?;
        within(&hub, &["link", "add", "br0", "type", "bridge"])?;
        within(&hub, &["addr", "add", &format!("{HUB}/24"), "dev", "br0"])?;
        within(&hub, &["link", "set", "br0", "up"])?;
        for number in 0..machines {
            let namespace = format!("mw{}-{number}", self.id);
            ip(&["netns", "add", &namespace])?;
            // Known from now on, so that it is removed whatever follows.
            self.machines.push(Machine { namespace: namespace.clone(), tailscaled: None });
            let link = format!("m{number}");
            within(&hub, &["link", "add", &link, "type", "veth", "peer", "name", "eth0", "netns", &namespace])?;
            within(&hub, &["link", "set", &link, "master", "br0", "up"])?;
            within(&namespace, &["link", "set", "lo", "up"])?;
            within(&namespace, &["addr", "add", &format!("{}/24", wire_address(number)), "dev", "eth0"])?;
            within(&namespace, &["link", "set", "eth0", "up"])?;
            within(&namespace, &["route", "add", "default", "via", HUB])?;
            fs::create_dir_all(self.folder(number)).map_err(|e| e.to_string())?;
        }
        Ok(())
    }

    fn hub(&self) -> String {
        format!("mw{}-hub", self.id)
    }

    /// The namespace of the hub, where the server is.
    pub fn hub_namespace(&self) -> PathBuf {
        Path::new("/run/netns").join(self.hub())
    }

    /// The namespace of a machine.
    pub fn namespace(&self, machine: usize) -> PathBuf {
        Path::new("/run/netns").join(&self.machines[machine].namespace)
    }

    /// The socket of a machine's `tailscaled`.
    pub fn socket(&self, machine: usize) -> PathBuf {
        self.folder(machine).join("tailscaled.sock")
    }

    /// The folder of the server's programs.
    pub fn bin(&self) -> &Path {
        &self.bin
    }

    fn folder(&self, machine: usize) -> PathBuf {
        self.dir.path().join(machine.to_string())
    }

    fn config(&self) -> PathBuf {
        self.dir.path().join("headscale.yaml")
    }

    /// Starts the server, or starts it again, and waits until it serves.
    pub fn start_server(&mut self) {
        assert!(self.server.is_none(), "it runs already");
        let at = self.dir.path().display();
        let text = format!(
            "server_url: {URL}\nlisten_addr: {HUB}:8080\nmetrics_listen_addr: ''\ngrpc_listen_addr: 127.0.0.1:0\n\
             noise: {{private_key_path: {at}/noise.key}}\nprefixes: {{v4: 100.64.0.0/10, v6: 'fd7a:115c:a1e0::/48', allocation: sequential}}\n\
             derp:\n  server: {{enabled: true, region_id: 999, region_code: lab, region_name: lab, stun_listen_addr: '{HUB}:3478', \
             private_key_path: {at}/derp.key, automatically_add_embedded_derp_region: true, ipv4: {HUB}}}\n  urls: []\n  paths: []\n  \
             auto_update_enabled: false\ndisable_check_updates: true\ndatabase: {{type: sqlite, sqlite: {{path: {at}/db.sqlite, write_ahead_log: true}}}}\n\
             log: {{level: info, format: text}}\npolicy: {{mode: database}}\n\
             dns: {{magic_dns: true, base_domain: lab.test, override_local_dns: false, nameservers: {{global: []}}}}\n\
             unix_socket: {at}/headscale.sock\nunix_socket_permission: '0700'\n"
        );
        fs::write(self.config(), text).unwrap();
        let _ = fs::remove_file(self.dir.path().join("headscale.sock"));
        let mut command = self.command(&self.hub_namespace(), "headscale");
        command.arg("serve").arg("-c").arg(self.config());
        self.server = Some(self.spawn(command, "headscale"));
        let health = || {
            let connected = inside(&self.hub_namespace(), || std::net::TcpStream::connect(format!("{HUB}:8080")).is_ok());
            connected && self.dir.path().join("headscale.sock").exists()
        };
        self.until("headscale serves", health);
    }

    /// Ends the server as a power cut does.
    pub fn stop_server(&mut self) {
        end(self.server.take().expect("it runs"));
    }

    /// A new API key of the server.
    pub fn api_key(&self) -> String {
        let mut command = self.command(&self.hub_namespace(), "headscale");
        command.arg("-c").arg(self.config()).args(["apikeys", "create"]);
        last_line(&command.output().unwrap())
    }

    /// Starts a machine's `tailscaled`, and waits until it can be asked. It is in no tailnet yet, or in the one of before.
    pub fn start_tailscaled(&mut self, machine: usize) {
        let (folder, socket) = (self.folder(machine), self.socket(machine));
        let _ = fs::remove_file(&socket);
        let mut command = self.command(&self.namespace(machine), "tailscaled");
        let text = |name: &str, path: &Path| format!("--{name}={}", path.display());
        command.args([text("state", &folder.join("state")), text("statedir", &folder), text("socket", &socket)]);
        command.args(["--tun=ts0", "--port=41641", "--no-logs-no-support"]);
        let child = self.spawn(command, &format!("tailscaled-{machine}"));
        self.machines[machine].tailscaled = Some(child);
        self.until("tailscaled can be asked", || std::os::unix::net::UnixStream::connect(&socket).is_ok());
    }

    /// Ends a machine's `tailscaled` as a power cut does.
    pub fn stop_tailscaled(&mut self, machine: usize) {
        end(self.machines[machine].tailscaled.take().expect("it runs"));
    }

    /// Bytes that a machine's TUN device carried, in either direction.
    pub fn tun_bytes(&self, machine: usize) -> u64 {
        let namespace = self.namespace(machine);
        let counters = inside(&namespace, || fs::read_to_string("/proc/thread-self/net/dev").unwrap_or_default());
        let line = counters.lines().find_map(|line| line.trim().strip_prefix("ts0:").map(str::to_owned)).unwrap_or_default();
        let fields: Vec<u64> = line.split_whitespace().filter_map(|field| field.parse().ok()).collect();
        fields.first().copied().unwrap_or_default() + fields.get(8).copied().unwrap_or_default()
    }

    fn command(&self, namespace: &Path, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net={}", namespace.display())).arg("--").arg(self.bin.join(program));
        command
    }

    fn spawn(&self, mut command: Command, name: &str) -> Child {
        let log = File::options().create(true).append(true).open(self.dir.path().join(format!("{name}.log"))).unwrap();
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        command.spawn().unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    fn until(&self, what: &str, holds: impl Fn() -> bool) {
        let deadline = Instant::now() + START_TIME;
        while !holds() {
            assert!(Instant::now() < deadline, "{what}: not within {START_TIME:?}");
            std::thread::sleep(LOOK_EVERY);
        }
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for entry in fs::read_dir(self.dir.path()).into_iter().flatten().flatten() {
                if entry.path().extension().is_some_and(|e| e == "log") {
                    let log = String::from_utf8_lossy(&fs::read(entry.path()).unwrap_or_default()).into_owned();
                    let from = (log.len().saturating_sub(LOG_BYTES)..=log.len()).find(|at| log.is_char_boundary(*at)).unwrap_or_default();
                    eprintln!("--- {} ---\n{}", entry.path().display(), &log[from..]);
                }
            }
        }
        let tailscaled = self.machines.iter_mut().filter_map(|machine| machine.tailscaled.take());
        for child in tailscaled.chain(self.server.take()) {
            end(child);
        }
        end_all_of(self.dir.path());
        for namespace in self.machines.iter().map(|machine| machine.namespace.clone()).chain([self.hub()]) {
            let _ = ip(&["netns", "del", &namespace]);
        }
    }
}

/// A machine's address beside the tailnet.
fn wire_address(machine: usize) -> Ipv4Addr {
    Ipv4Addr::new(10, 98, 0, u8::try_from(machine + 11).expect("few machines"))
}

/// Does something in a network namespace, on a thread of its own.
pub fn inside<T: Send>(namespace: &Path, work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let there = scope.spawn(|| {
            enter(namespace);
            work()
        });
        there.join().unwrap_or_else(|why| std::panic::resume_unwind(why))
    })
}

/// Does something that waits in a network namespace, on a thread of its own: all that it opens is there.
pub fn inside_async<T: Send, F: Future<Output = T>>(namespace: &Path, work: impl FnOnce() -> F + Send) -> T {
    inside(namespace, || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work()))
}

fn enter(namespace: &Path) {
    let file = File::open(namespace).unwrap_or_else(|e| panic!("{}: {e}", namespace.display()));
    move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
}

fn end(mut child: Child) {
    if let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        let _ = kill_process(pid, Signal::KILL);
    }
    let _ = child.wait();
}

fn within(namespace: &str, args: &[&str]) -> Result<(), String> {
    ip(&[&["-n", namespace], args].concat())
}

fn ip(args: &[&str]) -> Result<(), String> {
    let output = Command::new("ip").args(args).output().map_err(|e| format!("ip: {e}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("ip {}: {}", args.join(" "), String::from_utf8_lossy(&output.stderr).trim()))
}

fn last_line(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).lines().last().unwrap_or_default().trim().to_owned()
}
