//! How long it takes until a local sandbox is ready, from the call of `spawn` until its bridge accepts, beside bubblewrap
//! alone in the same run.
//!
//! `sandbox_ready [bridge] [spawns]`; the bridge is an executable with the verb `bridge`, else `MESHWORK_BIN` or the `meshwork`
//! beside this program. Prints a table and, as its last line, one JSON object. Exit code 1 when the wanted figure is missed.

use anyhow::{Context, Result, bail};
use sandbox::{Forward, Sandbox, Spec};
use std::{
    path::Path,
    process::{Command, ExitCode, Stdio},
    time::Instant,
};

/// What is wanted at the 99th percentile, in microseconds (idle machine).
const WANTED_P99_US: u64 = 10_000;
const SPAWNS_DEFAULT: usize = 300;
/// What bubblewrap alone is asked: the walls that matter, no limits, no bridge.
const ALONE: &[&str] = &[
    "--unshare-all",
    "--unshare-user",
    "--disable-userns",
    "--die-with-parent",
    "--new-session",
    "--clearenv",
    "--cap-drop",
    "ALL",
    "--uid",
    "1000",
    "--gid",
    "1000",
    "--ro-bind",
    "/usr",
    "/usr",
    "--proc",
    "/proc",
    "--dev",
    "/dev",
    "--tmpfs",
    "/tmp",
];

/// Times of one way, in microseconds, sorted.
struct Times(Vec<u64>);

impl Times {
    fn at(&self, percent: usize) -> u64 {
        self.0[(self.0.len() * percent / 100).min(self.0.len() - 1)]
    }
}

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let mut args = std::env::args().skip(1);
    let bridge = args.next().map_or_else(benches::meshwork, |path| Ok(path.into()))?;
    let spawns: usize = args.next().map_or(Ok(SPAWNS_DEFAULT), |n| n.parse())?;
    if spawns < 200 {
        bail!("at least 200 spawns are wanted for a 99th percentile");
    }
    let bridge = std::fs::canonicalize(bridge)?;
    let dir = tempfile::tempdir()?;
    let (mut alone, mut cold, mut prepared) = (vec![], vec![], vec![]);
    // In turn, so that whatever else the machine does falls on all three alike. The first rounds only warm it up.
    for round in 0..spawns + 5 {
        let times = [bubblewrap_alone()?, ours(&bridge, dir.path(), false).await?, ours(&bridge, dir.path(), true).await?];
        if round >= 5 {
            alone.push(times[0]);
            cold.push(times[1]);
            prepared.push(times[2]);
        }
    }
    let [alone, cold, prepared] = [alone, cold, prepared].map(|mut times| {
        times.sort_unstable();
        Times(times)
    });
    println!("limits: {}", sandbox::limits_in_force());
    println!("{:<34}{:>10}{:>10}{:>10}", "ready after, in ms", "p50", "p99", "max");
    for (name, times) in [("bubblewrap alone, whole run", &alone), ("sandbox, from nothing", &cold), ("sandbox, prepared", &prepared)] {
        let ms = |percent| times.at(percent) as f64 / 1000.0;
        println!("{name:<34}{:>10.2}{:>10.2}{:>10.2}", ms(50), ms(99), ms(100));
    }
    let ratio = cold.at(50) as f64 / alone.at(50) as f64;
    println!("ratio to bubblewrap alone (p50, from nothing): {ratio:.2}");
    let figure = serde_json::json!({
        "figure": "sandbox_ready", "spawns": spawns, "limits": sandbox::limits_in_force(),
        "bubblewrap_p50_us": alone.at(50), "bubblewrap_p99_us": alone.at(99),
        "cold_p50_us": cold.at(50), "cold_p99_us": cold.at(99),
        "prepared_p50_us": prepared.at(50), "prepared_p99_us": prepared.at(99),
        "ratio_p50": ratio, "wanted_p99_us": WANTED_P99_US,
    });
    println!("{figure}");
    Ok(if prepared.at(99) <= WANTED_P99_US { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// One sandbox until it is ready; then it ends by itself.
async fn ours(bridge: &Path, dir: &Path, prepared: bool) -> Result<u64> {
    let (work, home, socket) = (dir.join("work"), dir.join("home"), dir.join("model.sock"));
    std::fs::create_dir_all(&work)?;
    std::fs::create_dir_all(&home)?;
    let _ = std::fs::remove_file(&socket);
    let _listener = std::os::unix::net::UnixListener::bind(&socket)?;
    let spec = Spec {
        command: vec!["/usr/bin/true".into()],
        env: vec![],
        work,
        home,
        readonly: vec![],
        shown: vec![],
        caches: None,
        brief: None,
        forwards: vec![Forward { port: 8080, socket }],
        bridge: bridge.to_owned(),
        resources: domain::capacity::Resources::default(),
        processes_max: 0,
    };
    if prepared {
        sandbox::prepare().await?;
    }
    let sandbox = Sandbox::spawn(spec).await?;
    let ended = sandbox.wait().await;
    if !ended.success() {
        bail!("the command in the sandbox ended with {ended:?}");
    }
    Ok(sandbox.ready_us())
}

/// Bubblewrap around `true`, from its start to its end: it has no other moment at which it says that it is ready.
fn bubblewrap_alone() -> Result<u64> {
    let mut command = Command::new("bwrap");
    command.args(ALONE);
    for top in ["/bin", "/sbin", "/lib", "/lib64"] {
        if let Ok(target) = std::fs::read_link(top) {
            command.arg("--symlink").arg(target).arg(top);
        } else if Path::new(top).exists() {
            command.args(["--ro-bind", top, top]);
        }
    }
    command.args(["--", "/usr/bin/true"]).stdin(Stdio::null());
    let begun = Instant::now();
    let status = command.status().context("bubblewrap cannot be started")?;
    let took = u64::try_from(begun.elapsed().as_micros())?;
    if !status.success() {
        bail!("bubblewrap alone failed: {status}");
    }
    Ok(took)
}
