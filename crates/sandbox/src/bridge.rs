//! The verb `meshwork bridge`: process 1 of a sandbox. It opens the forwarded ports, starts the command, carries
//! connections, reaps orphans and ends with the command. It holds no key, and starts no runtime.
//!
//! It is the only process of ours inside, so it makes itself unreadable to the others: nobody inside can trace it or
//! open its memory or descriptors.

use crate::{
    control::{self, Word},
    job::Job,
    limits,
    relay::Relay,
    seccomp::{self, Answer},
    spec::WORK,
};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fd::{AsFd, OwnedFd},
    process::{DumpableBehavior, Pid, PidfdFlags, Resource, Rlimit, Signal, WaitOptions, pidfd_open},
};
use std::{
    ffi::OsString,
    fs::File,
    io::{self, Read, Seek},
    os::{
        fd::{FromRawFd, RawFd},
        unix::process::CommandExt,
    },
    process::Command,
    time::{Duration, Instant},
};

/// Exit code when the bridge itself could not work; its reason went to the host.
const BROKEN: i32 = 125;
/// Exit code when the command cannot be run, as shells have it.
const NOT_FOUND: i32 = 127;
/// Signals that are passed on to the command.
const PASSED: [i32; 6] = [libc::SIGTERM, libc::SIGINT, libc::SIGHUP, libc::SIGQUIT, libc::SIGUSR1, libc::SIGUSR2];

/// Runs `meshwork bridge <control> <job>`, given the arguments after the verb. Returns the exit code. To be called before
/// anything else is set up: a sandbox is ready when this has bound its ports.
pub fn bridge_main(args: impl Iterator<Item = OsString>) -> i32 {
    let numbers: Vec<RawFd> = args.filter_map(|a| a.to_str()?.parse().ok()).collect();
    let (Some(control), Some(job)) = (numbers.first().and_then(|n| inherited(*n)), numbers.get(1).and_then(|n| inherited(*n))) else {
        eprintln!("`meshwork bridge` is started by the sandbox, not by hand.");
        return 2;
    };
    match run(&control, job) {
        Ok(code) => code,
        Err(why) => {
            let _ = control::say(&control, &Word::Failed(why.to_string()), None);
            BROKEN
        }
    }
}

/// Takes over a descriptor that was passed to this process, and keeps it from the command.
#[allow(unsafe_code)]
fn inherited(number: RawFd) -> Option<OwnedFd> {
    // SAFETY: fcntl on a number touches no memory; it fails where nothing is open.
    let open = unsafe { libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC) } == 0;
    // SAFETY: it is open, was passed to us by number for this, and nothing else in this process has touched it.
    (number > 2 && open).then(|| unsafe { OwnedFd::from_raw_fd(number) })
}

fn run(control: &OwnedFd, job: OwnedFd) -> io::Result<i32> {
    let job = read_job(job)?;
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    let mut relay = Relay::bind(&job.forwards).map_err(|why| io::Error::new(why.kind(), format!("a port cannot be opened: {why}")))?;
    // The host gets hold of this very process: a number alone could soon be another's.
    let me = pidfd_open(rustix::process::getpid(), PidfdFlags::empty())?;
    control::say(control, &Word::Ready, Some(me.as_fd()))?;
    drop(me);

    bound(&job)?;
    watch(control)?;
    let engine = match start(&job) {
        Ok(pid) => pid,
        Err(why) => {
            control::say(control, &Word::Failed(why.to_string()), None)?;
            return Ok(NOT_FOUND);
        }
    };
    // Only now, since the command inherits the mask of signals. What came before this is found by the first reaping.
    let signals = Signals::take()?;
    control::say(control, &Word::Started, None)?;
    let_go_of_stdio()?;
    let end = carry(control, &signals, &mut relay, engine)?;
    farewell(control)?;
    control::say(control, &end, None)?;
    Ok(match end {
        Word::Ended { code: Some(code), .. } => code,
        Word::Ended { signal: Some(signal), .. } => 128 + signal,
        _ => BROKEN,
    })
}

fn read_job(job: OwnedFd) -> io::Result<Job> {
    let (mut file, mut bytes) = (File::from(job), Vec::new());
    file.rewind()?;
    file.read_to_end(&mut bytes)?;
    Job::decode(&bytes).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "the job for the bridge is not well formed"))
}

/// Sets the limits that no cgroup holds; they are inherited by the command.
fn bound(job: &Job) -> io::Result<()> {
    let set = |what, value: u64| rustix::process::setrlimit(what, Rlimit { current: Some(value), maximum: Some(value) });
    set(Resource::Core, 0)?;
    set(Resource::Fsize, job.file_bytes)?;
    if job.processes > 0 {
        set(Resource::Nproc, job.processes)?;
    }
    if job.data_bytes > 0 {
        set(Resource::Data, job.data_bytes)?;
    }
    Ok(())
}

/// Loads the filter of forbidden calls. Without it nothing is started.
fn watch(control: &OwnedFd) -> io::Result<()> {
    match seccomp::load_watch(Answer::Told) {
        Ok(Some(listener)) => control::say(control, &Word::Listener, Some(listener.as_fd())),
        // Kernels before 5.0, or a filter around us that listens already.
        Ok(None) | Err(_) => {
            seccomp::load_watch(Answer::Silent)?;
            control::say(control, &Word::Unwatched, None)
        }
    }
}

fn start(job: &Job) -> io::Result<Pid> {
    let Some((program, args)) = job.command.split_first() else { return Err(io::ErrorKind::InvalidInput.into()) };
    let mut command = Command::new(program);
    command.args(args).env_clear().envs(job.env.iter().map(|(k, v)| (k, v))).current_dir(WORK).process_group(0);
    let child = command.spawn()?;
    // Reaped together with all orphans, so the handle is not needed.
    i32::try_from(child.id()).ok().and_then(Pid::from_raw).ok_or_else(|| io::Error::other("no process id"))
}

/// Standard streams belong to the command alone, so that their other ends see when it closes them.
fn let_go_of_stdio() -> io::Result<()> {
    let null = File::options().read(true).write(true).open("/dev/null")?;
    rustix::stdio::dup2_stdin(&null)?;
    rustix::stdio::dup2_stdout(&null)?;
    rustix::stdio::dup2_stderr(&null)?;
    Ok(())
}

/// The bridge's life: until the command ends, or the host is gone.
fn carry(control: &OwnedFd, signals: &Signals, relay: &mut Relay, engine: Pid) -> io::Result<Word> {
    loop {
        if let Some(end) = reap(Some(engine)) {
            return Ok(end);
        }
        let mut fds = vec![PollFd::new(control, PollFlags::IN), PollFd::new(&signals.0, PollFlags::IN)];
        relay.interests(&mut fds);
        let patience = relay.patience().map(|d| Timespec { tv_sec: 0, tv_nsec: i64::from(d.subsec_nanos()) });
        match poll(&mut fds, patience.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(why) => return Err(why.into()),
        }
        let said = !fds[0].revents().is_empty();
        let signalled = !fds[1].revents().is_empty();
        drop(fds);
        if said {
            obey(control)?;
        }
        if signalled {
            signals.pass_on(engine)?;
        }
        relay.turn();
    }
}

/// Stops or continues everything inside but this process, in one go: `kill(-1)` holds the list of processes, so that
/// even one that forks without end has no gap to slip through.
#[allow(unsafe_code)]
fn obey(control: &OwnedFd) -> io::Result<()> {
    let heard = match control::hear(control) {
        Err(why) if why.kind() == io::ErrorKind::WouldBlock => return Ok(()),
        other => other?,
    };
    let Some(heard) = heard else { return Err(io::Error::other("the host is gone")) };
    let signal = match heard.word {
        Word::Stop => libc::SIGSTOP,
        Word::Go => libc::SIGCONT,
        _ => return Ok(()),
    };
    // Only as process 1 of a namespace of our own does -1 mean the sandbox.
    if rustix::process::getpid().is_init() {
        // SAFETY: kill touches no memory.
        unsafe { libc::kill(-1, signal) };
    }
    control::say(control, &heard.word, None)
}

/// Reaps everything that ended; says how `engine` ended if it did.
fn reap(engine: Option<Pid>) -> Option<Word> {
    let mut end = None;
    while let Ok(Some((pid, status))) = rustix::process::wait(WaitOptions::NOHANG) {
        if Some(pid) == engine {
            end = Some(Word::Ended { code: status.exit_status(), signal: status.terminating_signal() });
        }
    }
    end
}

/// After the command's end: what is still there gets a moment to end by itself; then it is told, and dies with us.
fn farewell(control: &OwnedFd) -> io::Result<()> {
    let until = Instant::now() + Duration::from_millis(limits::LEFTOVER_MS);
    loop {
        reap(None);
        let left = others();
        if left.is_empty() {
            return Ok(());
        }
        if Instant::now() >= until {
            let mut names: Vec<&str> = left.iter().map(String::as_str).collect();
            names.sort_unstable();
            names.dedup();
            names.truncate(5);
            return control::say(control, &Word::Left { count: left.len(), names: names.join(", ") }, None);
        }
        let _ = poll(&mut [], Some(&Timespec { tv_sec: 0, tv_nsec: 2_000_000 }));
    }
}

/// The names of the processes inside that are not us.
fn others() -> Vec<String> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return vec![] };
    let pids = entries.flatten().filter_map(|e| e.file_name().to_str()?.parse::<u32>().ok()).filter(|pid| *pid != 1);
    pids.filter_map(|pid| std::fs::read_to_string(format!("/proc/{pid}/stat")).ok())
        .filter_map(|stat| {
            let (head, tail) = stat.rsplit_once(')')?;
            let name = head.split_once('(')?.1.to_owned();
            (!tail.trim_start().starts_with(['Z', 'X'])).then_some(name)
        })
        .collect()
}

/// Signals to this process, as something that can be polled.
struct Signals(OwnedFd);

impl Signals {
    #[allow(unsafe_code)]
    fn take() -> io::Result<Self> {
        // SAFETY: the set is initialised by sigemptyset before use, and the calls write nowhere else. The mask is this
        // thread's, the only one.
        let fd = unsafe {
            let mut set = std::mem::zeroed();
            libc::sigemptyset(&raw mut set);
            for signal in PASSED.into_iter().chain([libc::SIGCHLD]) {
                libc::sigaddset(&raw mut set, signal);
            }
            libc::sigprocmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut());
            libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK)
        };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: signalfd just made it for us.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// Reads all that came; passes on what is meant for the command, to its whole group.
    fn pass_on(&self, engine: Pid) -> io::Result<()> {
        const SIZE: usize = size_of::<libc::signalfd_siginfo>();
        let mut buffer = [0; SIZE * 8];
        loop {
            match rustix::io::read(&self.0, &mut buffer) {
                Ok(n) => {
                    // The first field of each record is the signal's number.
                    for record in buffer[..n].chunks_exact(SIZE) {
                        let number = i32::from_ne_bytes([record[0], record[1], record[2], record[3]]);
                        if let Some(signal) = Signal::from_named_raw(number).filter(|_| PASSED.contains(&number)) {
                            let _ = rustix::process::kill_process_group(engine, signal);
                        }
                    }
                }
                Err(rustix::io::Errno::AGAIN) => return Ok(()),
                Err(rustix::io::Errno::INTR) => {}
                Err(why) => return Err(why.into()),
            }
        }
    }
}
