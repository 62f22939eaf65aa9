//! kube-scheduler as a peer: a real etcd, API server and scheduler on loopback, in the folder `$MESHWORK_SERVERS/bin`, with nodes that are
//! only written down. No kubelet runs, so that pods are bound to nodes and never start.

use anyhow::{Context, Result, bail, ensure};
use futures::{StreamExt, TryStreamExt, stream};
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};
use testkit::free_address;
use tokio::time::sleep;

/// How long each of the programs may take to answer, and all pods to be bound.
const LONG: Duration = Duration::from_secs(180);
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// How many requests are under way at once.
const AT_ONCE: usize = 32;
/// How many pods are bound before any is counted.
const WARM: usize = 50;
/// Who asks; `AlwaysAllow` lets anybody do anything.
const TOKEN: &str = "bench";
const REGIONS: [&str; 4] = ["eu-central-1", "us-east-1", "ap-southeast-2", "home"];

/// What pods took that waited all at once.
#[derive(Clone, Copy, Debug)]
pub struct Scheduled {
    /// Processor time of the scheduler's process for each pod, in microseconds: deciding, and what it tells the API server.
    pub cpu_us: f64,
    /// Of that the time of its algorithm alone, as its own metrics say; on the clock.
    pub algorithm_us: Option<f64>,
    /// Until all were bound.
    pub took: Duration,
}

/// Has kube-scheduler place so many pods on so many nodes.
///
/// # Errors
/// When a program is missing, or does not do what is wanted.
pub async fn schedule(nodes: usize, pods: usize) -> Result<Scheduled> {
    let bin = std::env::var_os("MESHWORK_SERVERS").map(|dir| PathBuf::from(dir).join("bin"));
    let bin = bin.context("MESHWORK_SERVERS names no folder with etcd, kube-apiserver and kube-scheduler")?;
    for name in ["etcd", "kube-apiserver", "kube-scheduler"] {
        ensure!(bin.join(name).exists(), "{} is not there", bin.join(name).display());
    }
    let dir = tempfile::tempdir()?;
    let mut cluster = Cluster::start(&bin, dir.path()).await?;
    cluster.make("/api/v1/nodes", (0..nodes).map(node)).await?;
    let scheduler = cluster.scheduler(&bin, dir.path()).await?;
    cluster.make("/api/v1/namespaces/default/pods", (0..WARM).map(|n| pod(&format!("warm-{n}"), n))).await?;
    cluster.bound(WARM).await?;

    let before_all = scheduler.algorithm(&cluster.http).await;
    // Held while they are made, so that all of them are pending at once.
    scheduler.signal("STOP")?;
    cluster.make("/api/v1/namespaces/default/pods", (0..pods).map(|n| pod(&format!("pod-{n}"), n))).await?;
    let cpu = || crate::cpu(&scheduler.pid.to_string());
    let (before, begun) = (cpu()?, Instant::now());
    scheduler.signal("CONT")?;
    cluster.bound(WARM + pods).await?;
    let took = begun.elapsed();
    // What it still has to tell of them.
    sleep(Duration::from_secs(1)).await;
    let spent = cpu()?.saturating_sub(before);
    let after_all = scheduler.algorithm(&cluster.http).await;
    let each = |((sum, count), (sum_then, count_then)): ((f64, f64), (f64, f64))| (sum_then - sum) * 1e6 / (count_then - count).max(1.0);
    let algorithm_us = before_all.zip(after_all).map(each);
    Ok(Scheduled { cpu_us: spent.as_secs_f64() * 1e6 / pods.max(1) as f64, algorithm_us, took })
}

/// Programs that run; ended when dropped, the last one first.
struct Programs(Vec<Child>);

impl Drop for Programs {
    fn drop(&mut self) {
        while let Some(mut child) = self.0.pop() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Programs {
    fn start(&mut self, program: &Path, args: &[String], log: &Path) -> Result<u32> {
        let log = fs::File::create(log)?;
        let child = Command::new(program).args(args).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn()?;
        let pid = child.id();
        self.0.push(child);
        Ok(pid)
    }
}

struct Cluster {
    programs: Programs,
    http: Client,
    api: String,
}

impl Cluster {
    /// etcd and the API server.
    async fn start(bin: &Path, dir: &Path) -> Result<Self> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = Client::builder().no_proxy().tls_danger_accept_invalid_certs(true).build()?;
        let (etcd, peer, api) = (free_address(), free_address(), free_address());
        let at = |name: &str| dir.join(name).display().to_string();
        let mut programs = Programs(vec![]);
        let args = [
            format!("--data-dir={}", at("etcd")),
            format!("--listen-client-urls=http://{etcd}"),
            format!("--advertise-client-urls=http://{etcd}"),
            format!("--listen-peer-urls=http://{peer}"),
            format!("--initial-advertise-peer-urls=http://{peer}"),
            format!("--initial-cluster=default=http://{peer}"),
        ];
        programs.start(&bin.join("etcd"), &args, &dir.join("etcd.log"))?;
        let key = Command::new("openssl").args(["genrsa", "-out", &at("accounts.key"), "2048"]).stderr(Stdio::null()).status();
        ensure!(key.is_ok_and(|status| status.success()), "openssl made no key");
        fs::write(dir.join("tokens.csv"), format!("{TOKEN},{TOKEN},{TOKEN},\"system:masters\"\n"))?;
        let args = [
            format!("--etcd-servers=http://{etcd}"),
            "--bind-address=127.0.0.1".into(),
            "--advertise-address=127.0.0.1".into(),
            "--endpoint-reconciler-type=none".into(),
            format!("--secure-port={}", api.port()),
            format!("--cert-dir={}", at("api")),
            "--authorization-mode=AlwaysAllow".into(),
            format!("--token-auth-file={}", at("tokens.csv")),
            "--service-account-issuer=https://bench".into(),
            format!("--service-account-key-file={}", at("accounts.key")),
            format!("--service-account-signing-key-file={}", at("accounts.key")),
            "--service-cluster-ip-range=10.96.0.0/16".into(),
            // Pods without an account; nodes that are ready though nobody runs them.
            "--disable-admission-plugins=ServiceAccount,TaintNodesByCondition".into(),
        ];
        programs.start(&bin.join("kube-apiserver"), &args, &dir.join("api.log"))?;
        let cluster = Self { programs, http, api: format!("https://{api}") };
        answers(&cluster.http, &format!("{}/readyz", cluster.api), &dir.join("api.log")).await?;
        answers(&cluster.http, &format!("{}/api/v1/namespaces/default", cluster.api), &dir.join("api.log")).await?;
        Ok(cluster)
    }

    async fn scheduler(&mut self, bin: &Path, dir: &Path) -> Result<Scheduler> {
        let address = free_address();
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "bench",
            "clusters": [{"name": "bench", "cluster": {"server": self.api, "insecure-skip-tls-verify": true}}],
            "users": [{"name": "bench", "user": {"token": TOKEN}}],
            "contexts": [{"name": "bench", "context": {"cluster": "bench", "user": "bench"}}],
        });
        fs::write(dir.join("kubeconfig"), config.to_string())?;
        let config = dir.join("kubeconfig").display().to_string();
        let args = [
            format!("--kubeconfig={config}"),
            format!("--authentication-kubeconfig={config}"),
            format!("--authorization-kubeconfig={config}"),
            "--authentication-skip-lookup=true".into(),
            "--authorization-always-allow-paths=/healthz,/readyz,/livez,/metrics".into(),
            "--leader-elect=false".into(),
            "--bind-address=127.0.0.1".into(),
            format!("--secure-port={}", address.port()),
            format!("--cert-dir={}", dir.join("scheduler").display()),
        ];
        let pid = self.programs.start(&bin.join("kube-scheduler"), &args, &dir.join("scheduler.log"))?;
        answers(&self.http, &format!("https://{address}/healthz"), &dir.join("scheduler.log")).await?;
        Ok(Scheduler { pid, address })
    }

    /// Writes things down.
    async fn make(&self, path: &str, things: impl Iterator<Item = Value>) -> Result<()> {
        let url = format!("{}{path}", self.api);
        let asked = things.map(|thing| self.http.post(&url).bearer_auth(TOKEN).json(&thing).send());
        let answers = stream::iter(asked).buffer_unordered(AT_ONCE).map_err(anyhow::Error::from);
        answers
            .try_for_each(|answer| async move {
                let (status, why) = (answer.status(), answer.text().await?);
                ensure!(status == StatusCode::CREATED, "{status}: {why}");
                Ok(())
            })
            .await
    }

    /// Waits until so many pods have a node.
    async fn bound(&self, pods: usize) -> Result<()> {
        let begun = Instant::now();
        let url = format!("{}/api/v1/pods?fieldSelector=spec.nodeName!%3D", self.api);
        loop {
            let seen: Value = self.http.get(&url).bearer_auth(TOKEN).send().await?.error_for_status()?.json().await?;
            let bound = seen["items"].as_array().map_or(0, Vec::len);
            if bound >= pods {
                return Ok(());
            }
            ensure!(begun.elapsed() < LONG, "of {pods} pods {bound} were bound within {LONG:?}");
            sleep(LOOK_EVERY).await;
        }
    }
}

/// Waits until an address answers well; else tells the end of the log.
async fn answers(http: &Client, url: &str, log: &Path) -> Result<()> {
    let begun = Instant::now();
    loop {
        let answer = http.get(url).bearer_auth(TOKEN).send().await;
        if answer.is_ok_and(|answer| answer.status().is_success()) {
            return Ok(());
        }
        if begun.elapsed() > LONG {
            let log = fs::read_to_string(log).unwrap_or_default();
            let end: Vec<&str> = log.lines().rev().take(5).collect();
            bail!("{url} did not answer within {LONG:?}; the end of its log, the last line first: {}", end.join(" | "));
        }
        sleep(LOOK_EVERY).await;
    }
}

struct Scheduler {
    pid: u32,
    address: SocketAddr,
}

impl Scheduler {
    fn signal(&self, signal: &str) -> Result<()> {
        let status = Command::new("kill").args([format!("-{signal}"), self.pid.to_string()]).status()?;
        ensure!(status.success(), "kube-scheduler is gone");
        Ok(())
    }

    /// How long its algorithm took in all, in seconds, and how often it ran; none where it does not say.
    async fn algorithm(&self, http: &Client) -> Option<(f64, f64)> {
        let text = http.get(format!("https://{}/metrics", self.address)).send().await.ok()?.error_for_status().ok()?.text().await.ok()?;
        let number = |name: &str| -> Option<f64> { text.lines().find_map(|line| line.strip_prefix(name))?.trim().parse().ok() };
        let name = "scheduler_scheduling_algorithm_duration_seconds";
        Some((number(&format!("{name}_sum "))?, number(&format!("{name}_count "))?))
    }
}

/// Machines from small to large.
fn node(n: usize) -> Value {
    let (name, cores) = (format!("node-{n}"), 2u64 << (n % 6));
    let room = json!({"cpu": cores.to_string(), "memory": format!("{}Gi", cores * 2), "ephemeral-storage": "500Gi", "pods": "110"});
    json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name, "region": REGIONS[n / 6 % 4]}},
        "status": {"capacity": room, "allocatable": room, "conditions": [{"type": "Ready", "status": "True"}]},
    })
}

/// A few cores, and for one in five a region.
fn pod(name: &str, n: usize) -> Value {
    let requests = json!({"cpu": (1 + n % 4).to_string(), "memory": format!("{}Gi", 1 + n / 4 % 4)});
    let containers = json!([{"name": "work", "image": "none", "resources": {"requests": requests}}]);
    let mut spec = json!({"containers": containers});
    if n.is_multiple_of(5) {
        spec["nodeSelector"] = json!({"region": REGIONS[n / 5 % 4]});
    }
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec})
}
