//! What the benches share: a real `meshwork up` on a folder of its own, two of them in one org, kube-scheduler as a
//! peer, times of processors, and percentiles.

pub mod kube;
pub mod two;

use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

/// As in `meshwork`.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// The `meshwork` executable: `$MESHWORK_BIN`, else the one beside this program.
///
/// # Errors
/// When there is none.
pub fn meshwork() -> Result<PathBuf> {
    let beside = std::env::current_exe()?.with_file_name("meshwork");
    let found = std::env::var_os("MESHWORK_BIN").map_or(beside, PathBuf::from);
    if found.is_file() { Ok(found) } else { bail!("{} is not there; build it: cargo build -p meshwork", found.display()) }
}

/// A running `meshwork up` with an org; ended when dropped.
#[derive(Debug)]
pub struct Up {
    child: Child,
    program: PathBuf,
    data: PathBuf,
}

impl Up {
    /// Starts one in a folder.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn start(data: &Path) -> Result<Self> {
        let program = meshwork()?;
        let mut child = Command::new(&program)
            .args(["up", "--json", "--no-open", "--listen", "127.0.0.1:0", "--radicle-listen", "127.0.0.1:0", "--data-dir"])
            .arg(data)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("no output")?).read_line(&mut line)?;
        let up = Self { child, program, data: data.to_owned() };
        if line.is_empty() {
            bail!("meshwork up did not come up");
        }
        up.call(&["org", "create", "bench", "--member", "bench"])?;
        Ok(up)
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Runs a verb of the command line; its answer as JSON.
    ///
    /// # Errors
    /// When the verb fails.
    pub fn call(&self, args: &[&str]) -> Result<Value> {
        let output = Command::new(&self.program).args(args).arg("--json").arg("--data-dir").arg(&self.data).output()?;
        if !output.status.success() {
            bail!("meshwork {}: {}{}", args.join(" "), String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        }
        serde_json::from_slice(&output.stdout).context("not JSON")
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
    }
}

/// The value below which `share` (0 to 1) of the sorted values lie.
pub fn percentile(sorted: &[Duration], share: f64) -> Duration {
    let last = sorted.len().saturating_sub(1);
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
    let at = (last as f64 * share).round() as usize;
    sorted.get(at).copied().unwrap_or_default()
}

/// Processor time of a process until now: user and system time of `/proc/PID/stat`, in ticks of 10 ms. `self` is this process.
///
/// # Errors
/// When there is none.
pub fn cpu(pid: &str) -> Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let after_name = stat.rsplit_once(')').context("no name in /proc/PID/stat")?.1;
    let ticks: u64 = after_name.split_whitespace().skip(11).take(2).map(|n| n.parse::<u64>().unwrap_or(0)).sum();
    Ok(Duration::from_millis(ticks * 10))
}

/// PSS of a process and all below it, in KiB.
pub fn tree_pss_kib(pid: u32) -> u64 {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    memory_kib(pid, "Pss:") + children.split_whitespace().filter_map(|p| p.parse().ok()).map(tree_pss_kib).sum::<u64>()
}

/// One line of a process's memory, as `Pss:` or `Anonymous:`, in KiB; 0 when the process is gone.
pub fn memory_kib(pid: u32, name: &str) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    let line = text.lines().find(|l| l.starts_with(name)).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).unwrap_or(0)
}
