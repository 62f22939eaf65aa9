//! Answers the watch filter's calls from outside: each gets EPERM, and the host learns who tried what.
//!
//! The descriptor lies with the host, so nothing inside can answer for it. When this ends, the kernel answers ENOSYS.

use crate::{limits, seccomp};
use rustix::{
    event::{PollFd, PollFlags, poll},
    fd::{AsRawFd, OwnedFd},
    io::Errno,
};
use std::{collections::BTreeSet, io, mem::zeroed};
use tokio::sync::mpsc;

/// Starts to answer on a thread of its own: on older kernels a call that vanished meanwhile can hold up its reader.
pub(crate) fn answer(listener: OwnedFd, tell: mpsc::Sender<String>) {
    let thread = std::thread::Builder::new().name("sandbox-refusals".into()).stack_size(128 * 1024);
    if let Err(why) = thread.spawn(move || run(&listener, &tell)) {
        tracing::warn!(%why, "refused calls of a sandbox cannot be told; they are refused all the same");
    }
}

fn run(listener: &OwnedFd, tell: &mpsc::Sender<String>) {
    let mut told = BTreeSet::new();
    for _ in 0..limits::REFUSALS_MAX {
        let mut fds = [PollFd::new(listener, PollFlags::IN)];
        match poll(&mut fds, None) {
            Err(Errno::INTR) => continue,
            Err(_) => return,
            Ok(_) if !fds[0].revents().contains(PollFlags::IN) => return, // everybody inside is gone
            Ok(_) => {}
        }
        let Ok((id, pid, call)) = receive(listener) else { continue };
        let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        // Told before it is answered: the process waits, so its name is its own, and what it does next comes later.
        let sentence = format!("“{}” tried to {}; it was refused.", domain::shown(name.trim()), seccomp::attempt(call));
        if told.len() < limits::VIOLATIONS_MAX && told.insert(sentence.clone()) {
            // A full channel only means that enough was told already.
            let _ = tell.try_send(sentence);
        }
        refuse(listener, id);
    }
    let _ = tell.try_send("It tried so many forbidden things that further ones are refused without being told.".into());
}

/// The next refused call: its id, who made it, and which call it is.
#[allow(unsafe_code)]
fn receive(listener: &OwnedFd) -> io::Result<(u64, u32, i32)> {
    // SAFETY: all bits zero is a valid `seccomp_notif`, and what the kernel asks for.
    let mut notice: libc::seccomp_notif = unsafe { zeroed() };
    // SAFETY: the descriptor is open and the kernel writes one `seccomp_notif` into `notice`.
    let got = unsafe { libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_RECV, &raw mut notice) };
    if got < 0 { Err(io::Error::last_os_error()) } else { Ok((notice.id, notice.pid, notice.data.nr)) }
}

#[allow(unsafe_code)]
fn refuse(listener: &OwnedFd, id: u64) {
    let mut answer = libc::seccomp_notif_resp { id, val: 0, error: -libc::EPERM, flags: 0 };
    // SAFETY: the descriptor is open and the kernel reads one `seccomp_notif_resp`. It fails when the caller is gone,
    // which is as good as an answer.
    unsafe { libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_SEND, &raw mut answer) };
}
