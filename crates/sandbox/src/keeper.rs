//! Stays with a sandbox from its start to its end: hears the bridge, looks at counters and disk, tells what was stopped,
//! and leaves nothing behind.

use crate::{
    control::{Control, Heard, Word, watched},
    disk::{self, Count},
    leaf::{Counters, Leaf},
    limits, processes,
    sandbox::Ended,
    spec::Bounds,
    stage::Body,
};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fd::OwnedFd,
    process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal},
};
use std::{
    collections::BTreeSet,
    io,
    os::unix::process::ExitStatusExt,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
    time::{MissedTickBehavior, interval, sleep},
};

/// What keeper and handle share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub control: Control,
    pub leaf: Option<Arc<Leaf>>,
    /// Process 1 of the sandbox.
    init: OwnedFd,
    init_pid: Pid,
    /// It is to end: nobody may freeze it any more.
    doomed: AtomicBool,
    /// The limit that ended it.
    limit: Mutex<Option<String>>,
    /// Whether the bridge says that all are stopped (without control groups).
    pub stopped: watch::Sender<bool>,
}

impl Shared {
    pub(crate) fn new(control: Control, leaf: Option<Arc<Leaf>>, init: OwnedFd, init_pid: Pid) -> Self {
        let (stopped, _) = watch::channel(false);
        Self { control, leaf, init, init_pid, doomed: AtomicBool::new(false), limit: Mutex::new(None), stopped }
    }

    /// Kills everything inside: process 1 takes its whole namespace along. Frozen ones are thawed after the kill.
    pub(crate) fn strike(&self) {
        self.doomed.store(true, Ordering::SeqCst);
        let _ = pidfd_send_signal(&self.init, Signal::KILL);
        self.leaf.iter().for_each(|leaf| leaf.strike());
    }

    pub(crate) fn doomed(&self) -> bool {
        self.doomed.load(Ordering::SeqCst)
    }

    /// Sends a signal to the bridge, which passes it on.
    pub(crate) fn signal(&self, signal: Signal) {
        let _ = pidfd_send_signal(&self.init, signal);
    }

    /// Whether process 1, and so its namespace, is gone.
    fn init_gone(&self) -> bool {
        let mut fds = [PollFd::new(&self.init, PollFlags::IN)];
        poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).is_ok_and(|n| n > 0)
    }

    fn end_for(&self, sentence: &str) {
        self.limit.lock().unwrap_or_else(|e| e.into_inner()).get_or_insert_with(|| sentence.to_owned());
        self.strike();
    }
}

/// What one look at the machine found.
struct Survey {
    usage: Option<processes::Use>,
    count: Option<(Count, Duration)>,
}

pub(crate) struct Keeper {
    pub body: Body,
    pub shared: Arc<Shared>,
    pub bounds: Bounds,
    pub disk: disk::Watch,
    pub violations: mpsc::Sender<String>,
    pub ended: watch::Sender<Option<Ended>>,
    /// What was told already.
    pub told: BTreeSet<&'static str>,
    /// How the bridge says the command ended.
    pub end: Option<Word>,
}

impl Keeper {
    /// Runs until the sandbox is gone.
    pub(crate) async fn keep(mut self) {
        if let Err(why) = self.live().await {
            tracing::error!(%why, "a sandbox could not be watched any more, so it is ended");
        }
        let killed = self.shared.doomed();
        let counters = self.leave_nothing().await;
        let ended = self.verdict(killed, counters);
        // Before the end is told, so that whoever waited finds nothing left: not even a zombie.
        drop(self.body);
        self.ended.send_replace(Some(ended));
    }

    async fn live(&mut self) -> io::Result<()> {
        let pid = Pid::from_child(&self.body.child);
        let gone = watched(pidfd_open(pid, PidfdFlags::empty())?)?;
        let mut tick = interval(Duration::from_millis(limits::WATCH_MS));
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut looking: Option<JoinHandle<Survey>> = None;
        let mut hearing = true;
        loop {
            tokio::select! {
                readable = gone.readable() => return readable.map(drop),
                heard = self.shared.control.hear(), if hearing => match heard? {
                    Some(heard) => self.hear(heard),
                    None => hearing = false,
                },
                survey = async { looking.as_mut()?.await.ok() }, if looking.is_some() => {
                    looking = None;
                    survey.into_iter().for_each(|survey| self.judge(&survey));
                }
                _ = tick.tick() => {
                    self.tell_counters();
                    if looking.is_none() {
                        looking = self.look();
                    }
                }
            }
        }
    }

    fn hear(&mut self, heard: Heard) {
        match heard.word {
            Word::Left { count, names } => {
                let these = if count == 1 { "1 process was".into() } else { format!("{count} processes were") };
                self.tell("left", format!("After the end of its command {these} still there ({}); ended.", domain::shown(&names)));
            }
            Word::Stop => drop(self.shared.stopped.send_replace(true)),
            Word::Go => drop(self.shared.stopped.send_replace(false)),
            word @ Word::Ended { .. } => self.end = Some(word),
            _ => {}
        }
    }

    /// Says something once. A full channel only means that enough was told.
    fn tell(&mut self, kind: &'static str, sentence: String) {
        if self.told.insert(kind) {
            let _ = self.violations.try_send(sentence);
        }
    }

    fn tell_counters(&mut self) -> Counters {
        let counters = self.shared.leaf.as_ref().map(|leaf| leaf.counters()).unwrap_or_default();
        if counters.oom_kills > 0 {
            self.tell("memory", self.memory_sentence("the kernel ended a process"));
        }
        if counters.forks_refused > 0 {
            self.tell("processes", format!("Processes: the limit of {} was reached; further ones were refused.", self.bounds.processes));
        }
        counters
    }

    fn memory_sentence(&self, what: &str) -> String {
        format!("Memory: the limit of {} was reached; {what}.", disk::shown(self.bounds.memory_bytes))
    }

    /// Starts to look at what takes time: the disk, and without control groups at the processes.
    fn look(&self) -> Option<JoinHandle<Survey>> {
        let by_group = self.shared.leaf.is_some();
        let roots = self.disk.due(Instant::now()).then(|| self.disk.roots.clone());
        if by_group && roots.is_none() {
            return None;
        }
        let (shared, bounds) = (self.shared.clone(), self.bounds);
        Some(tokio::task::spawn_blocking(move || {
            let pids: Vec<u32> = match &shared.leaf {
                Some(leaf) => leaf.processes().iter().filter_map(|pid| u32::try_from(pid.as_raw_nonzero().get()).ok()).collect(),
                None => processes::inside(shared.init_pid),
            };
            let usage = (!by_group).then(|| processes::usage(&pids, bounds.memory_bytes));
            let begun = Instant::now();
            let count = roots.map(|roots| disk::count(&roots, &pids));
            Survey { usage, count: count.map(|count| (count, begun.elapsed())) }
        }))
    }

    fn judge(&mut self, survey: &Survey) {
        if let Some(wrong) = survey.count.and_then(|(count, took)| self.disk.judge(count, took)) {
            self.shared.end_for(&wrong);
            self.tell("disk", wrong);
        }
        let Some(usage) = survey.usage else { return };
        if usage.memory_bytes > self.bounds.memory_bytes {
            let sentence = self.memory_sentence("it was ended");
            self.shared.end_for(&sentence);
            self.tell("memory", sentence);
        }
        // Bubblewrap's own process outside is not among them; one less than the limit is all that can be.
        if usage.threads + 1 >= u64::from(self.bounds.processes) {
            self.tell("processes", format!("Processes: the limit of {} was reached; further ones were refused.", self.bounds.processes));
        }
    }

    /// Until nothing of it is there: processes, control group.
    async fn leave_nothing(&mut self) -> Counters {
        let until = Instant::now() + Duration::from_millis(limits::KILL_MS);
        loop {
            self.shared.strike();
            let leaf = self.shared.leaf.clone();
            if self.shared.init_gone() && leaf.as_ref().is_none_or(|leaf| leaf.processes().is_empty()) {
                let counters = self.tell_counters();
                if leaf.is_none_or(|leaf| leaf.remove().is_ok()) {
                    return counters;
                }
            }
            if Instant::now() > until {
                tracing::error!("a sandbox could not be cleared away in time; the next start of Meshwork will");
                return self.tell_counters();
            }
            // Reaps bubblewrap too, which may be one of those that are still listed.
            let _ = self.body.child.try_wait();
            sleep(Duration::from_millis(1)).await;
        }
    }

    fn verdict(&mut self, killed: bool, counters: Counters) -> Ended {
        while let Some(heard) = self.shared.control.hear_now() {
            self.hear(heard);
        }
        let status = self.body.child.try_wait().ok().flatten();
        let (code, signal) = match self.end {
            Some(Word::Ended { code, signal }) => (code, signal),
            _ => match status.map(|s| (s.code(), s.signal())) {
                // Bubblewrap tells a signal as shells do.
                Some((Some(code @ 129..=192), _)) => (None, Some(code - 128)),
                Some((code, signal)) => (code, signal),
                None => (None, Some(libc::SIGKILL)),
            },
        };
        let mut limit = self.shared.limit.lock().unwrap_or_else(|e| e.into_inner()).take();
        let by_kernel = signal == Some(libc::SIGKILL) || code == Some(128 + libc::SIGKILL);
        if !killed && counters.oom_kills > 0 && by_kernel {
            limit = Some(self.memory_sentence("the kernel ended it"));
        }
        Ended { code, signal, limit }
    }
}
