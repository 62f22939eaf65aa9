//! A sandbox before it knows its job: bubblewrap runs, is in its control group, and waits for its arguments.
//!
//! So a sandbox can be prepared while there is time: what is slow (fork, exec, entering the groups) lies behind it when the
//! job is known.

use crate::{
    bubblewrap, control,
    enforce::{Enforcement, enforcement},
    forker,
    job::Job,
    leaf::Leaf,
    limits, mounts, seccomp,
    spec::{Bounds, Spec},
};
use domain::Problem;
use rustix::{
    fd::{AsRawFd, OwnedFd},
    fs::{MemfdFlags, Mode, OFlags, memfd_create, open},
    pipe::{PipeFlags, pipe_with},
    process::{Pid, Signal, WaitId, WaitIdOptions, waitid},
};
use std::{
    fs::File,
    io::{self, Seek, Write},
    os::{fd::RawFd, unix::process::CommandExt},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

/// Always the same; given on the command line, so that they hold whatever comes later.
pub(crate) const HARDENING: &[&str] = &[
    "--unshare-all",
    "--unshare-user",
    "--disable-userns",
    "--die-with-parent",
    "--new-session",
    "--as-pid-1",
    "--clearenv",
    "--cap-drop",
    "ALL",
    "--uid",
    "1000",
    "--gid",
    "1000",
    "--hostname",
    "meshwork",
];

/// A started bubblewrap that waits.
#[derive(Debug)]
pub(crate) struct Stage {
    pub body: Body,
    /// The host's end of the control socket, until it is taken.
    pub control: Option<OwnedFd>,
    args: Option<OwnedFd>,
    job: File,
    etc: Vec<OwnedFd>,
}

/// What must end when nobody holds it any more: bubblewrap's process and the group that it is in.
#[derive(Debug)]
pub(crate) struct Body {
    pub child: Child,
    pub leaf: Option<Arc<Leaf>>,
}

impl Drop for Body {
    fn drop(&mut self) {
        let until = Instant::now() + Duration::from_millis(limits::REMOVE_MS);
        // Reaped already in the ordinary course; otherwise it dies with its process 1, or frozen ones after the thaw.
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < until {
            let _ = self.child.kill();
            self.leaf.iter().for_each(|leaf| leaf.strike());
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Stage {
    /// Starts one.
    pub(crate) async fn make() -> Result<Self, Problem> {
        forker::on_thread(|| {
            let program = bubblewrap::program()?;
            let how = enforcement()?;
            let leaf = match &how {
                Enforcement::Cgroup(parents) => Some(Arc::new(Leaf::create(parents).map_err(|why| no_group(&why))?)),
                Enforcement::Watched { .. } => None,
            };
            let stage = fork(Command::new(program), leaf).map_err(|why| {
                Problem::unavailable("The sandbox could not be started.")
                    .because(why.to_string())
                    .next("See `meshwork doctor`; the machine may be out of processes, memory or open files.")
            })?;
            // While bubblewrap starts: what the first job would look up otherwise.
            mounts::host();
            Ok(stage)
        })
        .await?
    }

    /// Whether it still waits.
    pub(crate) fn waits(&self) -> bool {
        let child = Pid::from_child(&self.body.child);
        matches!(waitid(WaitId::Pid(child), WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT), Ok(None))
    }

    /// Sets the limits, writes the job, and lets bubblewrap go on.
    pub(crate) fn go(&mut self, spec: &Spec, bounds: Bounds) -> Result<(), Problem> {
        if let Some(leaf) = &self.body.leaf {
            leaf.bound(bounds).map_err(|why| {
                Problem::unavailable("The limits of the sandbox could not be set.").because(why.to_string()).next("See `meshwork doctor`.")
            })?;
        }
        let job = Job::new(spec, bounds, self.body.leaf.is_none());
        self.job.write_all(&job.encode()).map_err(Problem::internal)?;
        if let Some(pipe) = self.args.take() {
            // Closing it is what lets bubblewrap go on. If it is gone already, the control socket will say so.
            let _ = File::from(pipe).write_all(&mounts::arguments(spec, bounds, &self.etc));
        }
        self.etc.clear();
        Ok(())
    }
}

fn no_group(why: &io::Error) -> Problem {
    Problem::unavailable("A control group for the sandbox could not be made.").because(why.to_string()).next("See `meshwork doctor`.")
}

fn fork(mut command: Command, leaf: Option<Arc<Leaf>>) -> io::Result<Stage> {
    let (host, bridge) = control::pair()?;
    let (args_inside, args) = pipe_with(PipeFlags::CLOEXEC)?;
    let base = memory("seccomp", &seccomp::base())?;
    let job = memory("job", b"")?;
    let etc = mounts::etc().iter().map(|(name, content)| memory(name, content).map(OwnedFd::from)).collect::<io::Result<Vec<_>>>()?;
    let entrances = leaf.as_ref().map(|leaf| leaf.entrances()).transpose()?.unwrap_or_default();

    let number = |fd: &dyn AsRawFd| fd.as_raw_fd().to_string();
    command.args(HARDENING).args(["--seccomp", &number(&base), "--args", &number(&args_inside), "--"]);
    command.arg(mounts::bridge_inside()).args(["bridge", &number(&bridge), &number(&job)]);
    command.env_clear().stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut passed = vec![bridge.as_raw_fd(), args_inside.as_raw_fd(), base.as_raw_fd(), job.as_raw_fd()];
    passed.extend(etc.iter().map(AsRawFd::as_raw_fd));
    let enter = move || become_inside(&entrances, &passed);
    // SAFETY: `become_inside` only makes system calls on memory made before the fork; it allocates nothing and takes no lock.
    #[allow(unsafe_code)]
    unsafe {
        command.pre_exec(enter)
    };
    let child = command.spawn()?;
    Ok(Stage { body: Body { child, leaf }, control: Some(host), args: Some(args), job, etc })
}

/// In the forked child, before bubblewrap is executed: enter the groups, keep only what was passed.
fn become_inside(entrances: &[File], passed: &[RawFd]) -> io::Result<()> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    for entrance in entrances {
        rustix::io::write(entrance, b"0")?;
    }
    // When the whole machine is short of memory, sandboxes go before the people's own programs. If not, nothing is lost.
    if let Ok(score) = open(c"/proc/self/oom_score_adj", OFlags::WRONLY, Mode::empty()) {
        let _ = rustix::io::write(&score, b"500");
    }
    close_on_exec()?;
    passed.iter().try_for_each(|fd| keep(*fd))
}

/// Marks every descriptor but the standard streams to be closed: also those that another library left open.
#[allow(unsafe_code)]
fn close_on_exec() -> io::Result<()> {
    // SAFETY: no memory is touched; descriptors are only marked, in this forked process.
    let marked = unsafe { libc::syscall(libc::SYS_close_range, 3, u32::MAX, libc::CLOSE_RANGE_CLOEXEC) };
    if marked == 0 {
        return Ok(());
    }
    // Kernels before 5.11.
    let last = rustix::process::getrlimit(rustix::process::Resource::Nofile).current.unwrap_or(1 << 20).min(1 << 20);
    for fd in 3..i32::try_from(last).unwrap_or(i32::MAX) {
        // SAFETY: as above; it fails where nothing is open.
        unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) };
    }
    Ok(())
}

#[allow(unsafe_code)]
fn keep(fd: RawFd) -> io::Result<()> {
    // SAFETY: no memory is touched.
    if unsafe { libc::fcntl(fd, libc::F_SETFD, 0) } == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// A file in memory with this content, to be read from its beginning.
fn memory(name: &str, content: &[u8]) -> io::Result<File> {
    let mut file = File::from(memfd_create(name, MemfdFlags::CLOEXEC)?);
    file.write_all(content)?;
    file.rewind()?;
    Ok(file)
}
