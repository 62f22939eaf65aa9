//! `meshwork up` of a machine that is in several orgs, or in one with a network namespace of its own: starts a process for each, starts it again
//! when it ends, and passes HTTP on to them. It opens no org itself: no Radicle, no journal, no keys. What an org has outside of its process,
//! namespace and tailscaled, it keeps as long as it keeps that process up.

use super::{Ends, REQUESTS_END, bind, browse, forward, memory, org::Word, record};
use crate::{cli, output};
use domain::{OrgName, Problem, pauses::Pauses};
use orchestrator::{
    data_dir::{DataDir, Shape, write_private},
    lifecycle,
    machine::{Listens, Machine, Options, State},
    tailnet::Own,
};
use rustix::process::{Pid, Signal, kill_process};
use server::{Gate, Switch, org_url};
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{ExitCode, ExitStatus, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
    sync::watch,
    task::JoinSet,
    time::{sleep, timeout},
};

/// The pauses before an org's process that ended is started again.
const PAUSES: Pauses = Pauses::new(Duration::from_secs(1), Duration::from_secs(60));
/// A process that stayed up for so long begins anew with the shortest.
const STEADY: Duration = Duration::from_secs(60);
/// How long an org's process may take to end in order; then it is killed, and its runs are found again at the next start.
const END_WAIT: Duration = Duration::from_secs(45);

/// How long the last word of a process that ended is waited for.
const LAST_WORD: Duration = Duration::from_millis(200);

/// What every org's process is started with.
#[derive(Debug)]
struct Start {
    data: DataDir,
    executable: PathBuf,
    address: SocketAddr,
    slots: Option<u32>,
    listens: Listens,
    json: bool,
    switch: Arc<Switch>,
    stopping: watch::Sender<bool>,
}

/// Runs until a signal.
pub(super) async fn run(root: &Path, up: cli::Up, json: bool, mut ends: Ends) -> Result<ExitCode, Problem> {
    super::no_image_of_memory();
    let data = DataDir::open(root)?;
    let begun = begin(data.clone(), &up, json).await;
    if begun.is_err() && up.resumed.is_some() {
        data.retract();
    }
    let Begun { start, server, mut orgs, _lock } = begun?;
    loop {
        tokio::select! {
            () = ends.any() => break,
            () = start.switch.look.notified() => if let Err(problem) = start_new(&start, &mut orgs) {
                tracing::error!(%problem, "the process of a new org could not be started");
            },
            Some(_) = orgs.join_next() => {}
        }
    }
    if !json {
        output::say("Stopping: running work is being saved.");
    }
    data.retract();
    start.stopping.send_replace(true);
    while orgs.join_next().await.is_some() {}
    server.abort();
    let _ = timeout(REQUESTS_END, server).await;
    Ok(ExitCode::SUCCESS)
}

struct Begun {
    start: Arc<Start>,
    server: tokio::task::JoinHandle<()>,
    orgs: JoinSet<()>,
    _lock: orchestrator::data_dir::Lock,
}

async fn begin(data: DataDir, up: &cli::Up, json: bool) -> Result<Begun, Problem> {
    let lock = data.lock()?;
    let updated = forward(&data, &lock)?;
    if !json {
        updated.iter().for_each(|said| output::say(said));
    }
    let (listener, address) = bind(up.resumed.unwrap_or(up.listen)).await?;
    let executable = std::env::current_exe().map_err(Problem::internal)?;
    let options = Options { executable: executable.clone(), listens: Listens::default(), demo: false, slots: up.slots, only: None };
    let machine = Machine::new(data.clone(), options);
    let token = lifecycle::secret()?;
    let gate = Gate::new(machine.clone(), address, &token);
    let switch = Arc::new(Switch::new(data.clone(), address));
    let start = Start {
        data: data.clone(),
        executable,
        address,
        slots: up.slots,
        listens: up.listens.into(),
        json,
        switch: switch.clone(),
        stopping: watch::Sender::new(false),
    };
    let (start, mut orgs) = (Arc::new(start), JoinSet::new());
    start_new(&start, &mut orgs)?;
    tokio::spawn(memory::give_back());
    let router = server::several(machine, gate.clone(), switch);
    let server = tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, router).await {
            tracing::error!(%error, "the HTTP server ended");
        }
    });
    let url = format!("http://{address}");
    data.announce(&record(&url, Shape::Supervisor), &token)?;
    if up.resumed.is_none() {
        greet(&data, &gate, &url, address, up, json)?;
    }
    Ok(Begun { start, server, orgs, _lock: lock })
}

/// Says where everything is.
fn greet(data: &DataDir, gate: &Gate, url: &str, address: SocketAddr, up: &cli::Up, json: bool) -> Result<(), Problem> {
    let link = gate.link()?;
    let orgs = data.orgs();
    if json {
        let orgs: Vec<_> = orgs.iter().map(|org| serde_json::json!({"name": org, "url": org_url(org, address)})).collect();
        output::say(&serde_json::json!({"url": url, "sign_in": link, "data_dir": data.root(), "orgs": orgs}).to_string());
        return Ok(());
    }
    let lines: String = orgs.iter().map(|org| format!("  {org}: {}\n", org_url(org, address))).collect();
    let number = domain::counted(orgs.len(), "org");
    output::say(&format!("Meshwork is up at {url}, with {number}:\n{lines}Sign a browser in, once, with {link}\nStop it with Ctrl-C."));
    if !up.no_open {
        browse(&data.sign_in_page(&link)?);
    }
    Ok(())
}

/// Starts a process for each org that has none. The addresses that were asked for are those of the org that was there first; the
/// others take free ports beside them. In a network namespace of its own an org has the usual ones for itself.
fn start_new(start: &Arc<Start>, orgs: &mut JoinSet<()>) -> Result<(), Problem> {
    let mut first = true;
    for org in start.data.apart() {
        let listens = match (start.data.org(&org).has_own_tailscaled(), first) {
            (true, _) => Listens::default(),
            (false, true) => start.listens,
            (false, false) => start.listens.beside(),
        };
        first = first && start.data.org(&org).has_own_tailscaled();
        let token = lifecycle::secret()?;
        if !start.switch.add(&org, token.clone()) {
            continue;
        }
        let start = start.clone();
        orgs.spawn(async move {
            if start.gives_token(&org, &token).await {
                start.keep_up(&org, listens).await;
            }
        });
    }
    Ok(())
}

impl Start {
    /// Writes what the command line shows an org's process; says whether it is there. Where the disk does not take it, the org waits for that,
    /// and says so; unless the machine leaves it, or everything stops.
    async fn gives_token(&self, org: &OrgName, token: &str) -> bool {
        let (mut tries, mut stopping) = (0, self.stopping.subscribe());
        while let Err(problem) = write_private(&self.data.org(org).cli_token(), token.as_bytes()) {
            if !self.data.apart().contains(org) {
                self.switch.forget(org);
                self.switch.look.notify_one();
                return false;
            }
            tries += 1;
            let (why, pause) = (format!("it was not started: {problem}"), PAUSES.after(tries - 1));
            tracing::error!(%org, why, pause_s = pause.as_secs(), "the org has no process yet; it is tried again");
            self.switch.becomes(org, State::Down { why, tries, pause_s: pause.as_secs() });
            tokio::select! {
                () = sleep(pause) => {}
                () = stopped(&mut stopping) => return false,
            }
        }
        true
    }

    /// Keeps an org's process up, until the machine leaves the org or everything stops; so long it has its tailscaled, where it has one of its
    /// own.
    async fn keep_up(&self, org: &OrgName, listens: Listens) {
        let mut own = None;
        let gone = self.keep_up_with(org, listens, &mut own).await;
        if let Some(own) = own {
            own.stop().await;
        }
        if gone {
            tracing::info!(%org, "the machine left the org");
            self.switch.forget(org);
            self.switch.look.notify_one();
        }
    }

    /// The same; says whether the machine left the org.
    async fn keep_up_with(&self, org: &OrgName, listens: Listens, own: &mut Option<Own>) -> bool {
        let (mut tries, mut stopping) = (0, self.stopping.subscribe());
        loop {
            self.switch.becomes(org, State::Starting);
            let begun = Instant::now();
            let why = match self.process(org, listens, own).await {
                Ok(child) => self.watch(org, child).await,
                Err(why) => Some(why),
            };
            if *stopping.borrow() {
                return false;
            }
            // One of the same name that came since has no token yet: it is started as any new one.
            if !self.data.apart().contains(org) || !self.data.org(org).cli_token().exists() {
                return true;
            }
            let Some(why) = why else {
                tracing::info!(%org, "the org's process starts anew, so that the journal is mended");
                continue;
            };
            tries = if begun.elapsed() >= STEADY { 1 } else { tries + 1 };
            let pause = PAUSES.after(tries - 1);
            tracing::error!(%org, why, pause_s = pause.as_secs(), "the org's process ended; it is started again");
            self.switch.becomes(org, State::Down { why, tries, pause_s: pause.as_secs() });
            tokio::select! {
                () = sleep(pause) => {}
                () = stopped(&mut stopping) => return false,
            }
        }
    }

    /// Starts an org's process: in its namespace and beside its tailscaled, where it has such, which stay when the process is started again.
    async fn process(&self, org: &OrgName, listens: Listens, own: &mut Option<Own>) -> Result<Child, String> {
        let dir = self.data.org(org);
        if own.is_none() && dir.has_own_tailscaled() {
            *own = Some(Own::start(&dir).await.map_err(|problem| problem.to_string())?);
        }
        let mut command = self.command(org, listens, own.as_ref());
        command.spawn().map_err(|error| format!("{} cannot be started: {error}", self.executable.display()))
    }

    fn command(&self, org: &OrgName, listens: Listens, own: Option<&Own>) -> Command {
        let mut words = own.map(Own::words).unwrap_or_default();
        words.push(self.executable.clone().into());
        let mut command = Command::new(words.remove(0));
        command.args(words).envs(own.map(Own::variable));
        command.arg("--data-dir").arg(self.data.root()).args(["--org", org.as_str()]);
        if self.json {
            command.arg("--json");
        }
        command.args(["org-process", "--http", &self.address.to_string()]);
        let address = |at: Option<SocketAddr>| at.map(|at| at.to_string());
        for (name, value) in [
            ("--radicle-listen", address(listens.radicle)),
            ("--join-listen", address(listens.join)),
            ("--mesh-listen", address(listens.mesh)),
            ("--gossip-listen", address(listens.gossip)),
            ("--slots", self.slots.map(|n| n.to_string())),
        ] {
            command.args(value.into_iter().flat_map(|value| [name.to_owned(), value]));
        }
        // A group of its own: Ctrl-C is meant for the supervisor, which then ends all in order.
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).process_group(0);
        command
    }

    /// An org that refused is joined no more, and its process ends.
    fn refused(&self, org: &OrgName, told: serde_json::Value) {
        self.switch.refused(Some(told));
        self.switch.becomes(org, State::Starting);
        if let Err(error) = std::fs::remove_file(self.data.org(org).joining()) {
            tracing::warn!(%org, %error, "that the org was to be joined is still noted");
        }
    }

    /// Follows an org's process to its end, and says how it ended; nothing where it is to be started again at once. Its standard input is
    /// held until then: when this process dies, that ends, and so does the other.
    async fn watch(&self, org: &OrgName, mut child: Child) -> Option<String> {
        let (_line, mut said) = (child.stdin.take(), child.stdout.take().map(|out| BufReader::new(out).lines()));
        let (mut stopping, mut told, mut anew, mut because) = (self.stopping.subscribe(), false, false, None);
        loop {
            tokio::select! {
                word = next(&mut said) => match word {
                    Word::Serves => self.switch.becomes(org, State::Up),
                    Word::Another => {
                        let apart = self.data.apart();
                        if !apart.is_empty() && !apart.contains(org) {
                            // It ends: who asks for one of that name waits for the next.
                            self.switch.becomes(org, State::Starting);
                        }
                        self.switch.look.notify_one();
                    }
                    Word::Refused(told) => self.refused(org, told),
                    Word::Anew => anew = true,
                    Word::Ends(problem) => because = Some(problem.what),
                },
                ended = child.wait() => {
                    match timeout(LAST_WORD, next(&mut said)).await {
                        Ok(Word::Ends(problem)) => because = Some(problem.what),
                        Ok(Word::Refused(told)) => self.refused(org, told),
                        Ok(Word::Anew) => anew = true,
                        _ => {}
                    }
                    return (!anew).then(|| because.unwrap_or_else(|| ended.map_or_else(|e| e.to_string(), how)));
                }
                () = stopped(&mut stopping), if !told => {
                    told = true;
                    signal(&child, Signal::TERM);
                }
                () = sleep(END_WAIT), if told => signal(&child, Signal::KILL),
            }
        }
    }
}

/// The next that an org's process tells; it never comes when it tells nothing more.
async fn next(said: &mut Option<Lines<BufReader<ChildStdout>>>) -> Word {
    while let Some(lines) = said {
        match lines.next_line().await {
            Ok(Some(line)) => {
                if let Ok(word) = serde_json::from_str(&line) {
                    return word;
                }
            }
            _ => *said = None,
        }
    }
    std::future::pending().await
}

async fn stopped(stopping: &mut watch::Receiver<bool>) {
    let _ = stopping.wait_for(|s| *s).await;
}

fn signal(child: &Child, signal: Signal) {
    if let Some(pid) = child.id().and_then(|id| Pid::from_raw(id.cast_signed())) {
        let _ = kill_process(pid, signal);
    }
}

/// How a process ended, in words.
fn how(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.signal(), status.code()) {
        (Some(signal), _) => format!("its process was ended by signal {signal}"),
        (None, code) => format!("its process ended with exit code {}", code.unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// A supervisor of a data folder with these orgs, that has started none yet.
    fn begun(root: &Path, orgs: &[&str]) -> Arc<Start> {
        let data = DataDir::open(root).unwrap();
        for org in orgs {
            let dir = data.org(&org.parse().unwrap());
            std::fs::create_dir_all(&dir.root).unwrap();
            std::fs::write(dir.record(), "{}").unwrap();
        }
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let (switch, stopping) = (Arc::new(Switch::new(data.clone(), address)), watch::Sender::new(false));
        let (executable, listens) = (PathBuf::from("/nonexistent/meshwork"), Listens::default());
        Arc::new(Start { data, executable, address, slots: None, listens, json: true, switch, stopping })
    }

    fn state(start: &Start, org: &str) -> State {
        start.switch.joined().into_iter().find(|one| one.name.as_str() == org).unwrap().state
    }

    async fn until(is_so: impl Fn() -> bool) {
        let waits = async {
            while !is_so() {
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(Duration::from_secs(20), waits).await.unwrap();
    }

    #[tokio::test]
    async fn an_org_whose_token_cannot_be_written_waits_for_it_and_holds_up_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let start = begun(folder.path(), &["club", "crew"]);
        let token = |org: &str| start.data.org(&org.parse().unwrap()).cli_token();
        // A file cannot take its place.
        std::fs::create_dir(token("club")).unwrap();
        let mut orgs = JoinSet::new();
        start_new(&start, &mut orgs).unwrap();
        let because = |org: &str, word: &str| matches!(state(&start, org), State::Down { why, .. } if why.contains(word));
        // It is written, and then the program cannot be started: there is none.
        until(|| because("club", "it was not started") && because("crew", "cannot be started")).await;
        assert!(!token("club").is_file() && token("crew").is_file());
        std::fs::remove_dir(token("club")).unwrap();
        until(|| because("club", "cannot be started")).await;
        assert!(token("club").is_file());
        start.stopping.send_replace(true);
        while orgs.join_next().await.is_some() {}
    }
}
