//! Which system calls are refused inside, as classic BPF programs for the kernel.
//!
//! Two filters lie on top of each other. The *base* is loaded by bubblewrap before anything of ours runs inside; it refuses in
//! silence what honest programs merely probe. The *watch* is loaded by the bridge before the command starts: what only an
//! attempt to get out asks for. Its refusals are told to the host, which answers each with EPERM (seccomp user
//! notification, see seccomp_unotify(2)); where the kernel has no notification they are refused all the same.
//! Written out here because the crates for this have neither several actions in one filter nor notification.

use libc::{
    BPF_ABS, BPF_JEQ, BPF_JGE, BPF_JMP, BPF_JSET, BPF_K, BPF_LD, BPF_RET, BPF_W, SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO,
    SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_USER_NOTIF, sock_filter,
};
use std::{
    io,
    os::fd::{FromRawFd, OwnedFd},
};

#[cfg(target_arch = "x86_64")]
const ARCH: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
const ARCH: u32 = 0xc000_00b7;
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
compile_error!("The sandbox's seccomp filter knows x86_64 and aarch64.");

/// Calls of the x32 ABI have this bit.
const X32_BIT: u32 = 0x4000_0000;
/// `open_tree_attr(2)`, which libc does not name yet; the same number everywhere.
const SYS_OPEN_TREE_ATTR: i64 = 467;

/// Flags of clone(2) and unshare(2) that make a namespace. CLONE_NEWTIME shares its bit with clone's signal number.
const NEW_NAMESPACES: u32 = 0x7e02_0000;
const NEW_TIME: u32 = 0x80;
/// Mode bits by which a file runs as its owner or its group.
const SET_ID: u32 = 0o6000;
/// Flags of open(2) by which it makes a file: only then its mode means something. O_TMPFILE holds O_DIRECTORY too, which by
/// itself makes nothing.
const MAKES_A_FILE: u32 = (libc::O_CREAT | (libc::O_TMPFILE & !libc::O_DIRECTORY)).unsigned_abs();
const TIOCSTI: u32 = 0x5412;
const TIOCLINUX: u32 = 0x541c;

/// When a call is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum When {
    Always,
    /// Any bit of the mask is set in the argument.
    Has(u32, u32),
    /// The argument is this.
    Is(u32, u32),
    /// The first argument has flags of open(2) by which a file is made, and the second a mode that runs as its owner or group.
    Makes(u32, u32),
    /// socket(2) of a family other than UNIX, INET, INET6 and NETLINK with the protocol ROUTE: others (VSOCK among
    /// them) are not bound to the network namespace.
    OddSocket,
}

/// One watched call.
struct Watched {
    call: i64,
    when: When,
    /// What it is an attempt at, after "tried to".
    attempt: &'static str,
}

const fn watched(call: i64, when: When, attempt: &'static str) -> Watched {
    Watched { call, when, attempt }
}

const MOUNT: &str = "change what is mounted";
const NAMESPACE: &str = "make or enter a namespace";
const KERNEL: &str = "change the kernel";
const CLOCK: &str = "set the clock";

/// What only an attempt to get out asks for.
const WATCHED: &[Watched] = &[
    watched(libc::SYS_mount, When::Always, MOUNT),
    watched(libc::SYS_umount2, When::Always, MOUNT),
    watched(libc::SYS_pivot_root, When::Always, MOUNT),
    watched(libc::SYS_move_mount, When::Always, MOUNT),
    watched(libc::SYS_open_tree, When::Always, MOUNT),
    watched(SYS_OPEN_TREE_ATTR, When::Always, MOUNT),
    watched(libc::SYS_fsopen, When::Always, MOUNT),
    watched(libc::SYS_fsconfig, When::Always, MOUNT),
    watched(libc::SYS_fsmount, When::Always, MOUNT),
    watched(libc::SYS_fspick, When::Always, MOUNT),
    watched(libc::SYS_mount_setattr, When::Always, MOUNT),
    watched(libc::SYS_chroot, When::Always, "change its root folder"),
    watched(libc::SYS_unshare, When::Has(0, NEW_NAMESPACES | NEW_TIME), NAMESPACE),
    watched(libc::SYS_clone, When::Has(0, NEW_NAMESPACES), NAMESPACE),
    watched(libc::SYS_setns, When::Always, NAMESPACE),
    watched(libc::SYS_bpf, When::Always, "load a program into the kernel"),
    watched(libc::SYS_open_by_handle_at, When::Always, "open a file past its path"),
    watched(libc::SYS_init_module, When::Always, KERNEL),
    watched(libc::SYS_finit_module, When::Always, KERNEL),
    watched(libc::SYS_delete_module, When::Always, KERNEL),
    watched(libc::SYS_kexec_load, When::Always, KERNEL),
    watched(libc::SYS_kexec_file_load, When::Always, KERNEL),
    watched(libc::SYS_reboot, When::Always, "reboot the machine"),
    watched(libc::SYS_swapon, When::Always, KERNEL),
    watched(libc::SYS_swapoff, When::Always, KERNEL),
    watched(libc::SYS_acct, When::Always, KERNEL),
    watched(libc::SYS_quotactl, When::Always, KERNEL),
    watched(libc::SYS_quotactl_fd, When::Always, KERNEL),
    watched(libc::SYS_settimeofday, When::Always, CLOCK),
    watched(libc::SYS_clock_settime, When::Always, CLOCK),
    watched(libc::SYS_sethostname, When::Always, KERNEL),
    watched(libc::SYS_setdomainname, When::Always, KERNEL),
    #[cfg(target_arch = "x86_64")]
    watched(libc::SYS_iopl, When::Always, "reach the hardware"),
    #[cfg(target_arch = "x86_64")]
    watched(libc::SYS_ioperm, When::Always, "reach the hardware"),
    #[cfg(target_arch = "x86_64")]
    watched(libc::SYS_chmod, When::Has(1, SET_ID), SETID),
    watched(libc::SYS_fchmod, When::Has(1, SET_ID), SETID),
    watched(libc::SYS_fchmodat, When::Has(2, SET_ID), SETID),
    watched(libc::SYS_fchmodat2, When::Has(2, SET_ID), SETID),
    // The older names of these calls are not there on aarch64. mkdir(2) takes no such bits.
    #[cfg(target_arch = "x86_64")]
    watched(libc::SYS_open, When::Makes(1, 2), SETID),
    #[cfg(target_arch = "x86_64")]
    watched(libc::SYS_creat, When::Has(1, SET_ID), SETID),
    watched(libc::SYS_openat, When::Makes(2, 3), SETID),
    #[cfg(target_arch = "x86_64")]
    watched(libc::SYS_mknod, When::Has(1, SET_ID), SETID),
    watched(libc::SYS_mknodat, When::Has(2, SET_ID), SETID),
    watched(libc::SYS_ioctl, When::Is(1, TIOCSTI), "type into a terminal"),
    watched(libc::SYS_ioctl, When::Is(1, TIOCLINUX), "type into a terminal"),
    watched(libc::SYS_socket, When::OddSocket, "open a socket that is not bound to its own network"),
];
const SETID: &str = "make a file that runs as its owner or group";

/// What honest programs probe, and take a no for.
const SILENT: &[(i64, i32)] = &[
    // Its flags lie in memory where a filter cannot see them; C libraries then use clone.
    (libc::SYS_clone3, libc::ENOSYS),
    // So does its mode; programs then use openat.
    (libc::SYS_openat2, libc::ENOSYS),
    (libc::SYS_io_uring_setup, libc::ENOSYS),
    (libc::SYS_io_uring_enter, libc::ENOSYS),
    (libc::SYS_io_uring_register, libc::ENOSYS),
    (libc::SYS_userfaultfd, libc::EPERM),
    (libc::SYS_perf_event_open, libc::EPERM),
    (libc::SYS_add_key, libc::EPERM),
    (libc::SYS_request_key, libc::EPERM),
    (libc::SYS_keyctl, libc::EPERM),
    (libc::SYS_syslog, libc::EPERM),
    (libc::SYS_vhangup, libc::EPERM),
    (libc::SYS_lookup_dcookie, libc::EPERM),
    (libc::SYS_nfsservctl, libc::ENOSYS),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_uselib, libc::ENOSYS),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_ustat, libc::ENOSYS),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_sysfs, libc::ENOSYS),
];

/// What happens to a watched call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The host is told, and answers.
    Told,
    /// EPERM by the kernel alone.
    Silent,
}

/// In words, what a call that the host was told of is an attempt at.
pub(crate) fn attempt(call: i32) -> &'static str {
    WATCHED.iter().find(|w| w.call == i64::from(call)).map_or("do what is not allowed", |w| w.attempt)
}

/// The base filter, as the bytes that bubblewrap's `--seccomp` reads.
pub(crate) fn base() -> Vec<u8> {
    let mut program = prologue();
    for (call, errno) in SILENT {
        rule(&mut program, *call, When::Always, SECCOMP_RET_ERRNO | errno.unsigned_abs());
    }
    program.push(statement(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
    program.iter().flat_map(|i| [&i.code.to_ne_bytes()[..], &[i.jt, i.jf], &i.k.to_ne_bytes()].concat()).collect()
}

fn watch(answer: Answer) -> Vec<sock_filter> {
    let refuse = match answer {
        Answer::Told => SECCOMP_RET_USER_NOTIF,
        Answer::Silent => SECCOMP_RET_ERRNO | libc::EPERM.unsigned_abs(),
    };
    let mut program = prologue();
    for watched in WATCHED {
        rule(&mut program, watched.call, watched.when, refuse);
    }
    program.push(statement(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
    program
}

/// Loads the watch filter into this thread and all that follows from it. With [`Answer::Told`], gives the descriptor on
/// which the kernel tells of refused calls.
#[allow(unsafe_code)]
pub(crate) fn load_watch(answer: Answer) -> io::Result<Option<OwnedFd>> {
    let mut program = watch(answer);
    let len = u16::try_from(program.len()).map_err(io::Error::other)?;
    let prog = libc::sock_fprog { len, filter: program.as_mut_ptr() };
    let flags = if answer == Answer::Told { libc::SECCOMP_FILTER_FLAG_NEW_LISTENER } else { 0 };
    // SAFETY: `prog` points at `program`, which lives until the call is over; the kernel copies it and writes nothing.
    let got = unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flags, &raw const prog) };
    match (got, answer) {
        (fd, Answer::Told) if fd >= 0 => {
            let fd = i32::try_from(fd).map_err(io::Error::other)?;
            // SAFETY: the kernel just made this descriptor for us, and nobody else knows of it.
            Ok(Some(unsafe { OwnedFd::from_raw_fd(fd) }))
        }
        (0, Answer::Silent) => Ok(None),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Kills on another architecture's calls; says that the x32 ABI does not exist; leaves the call's number loaded.
fn prologue() -> Vec<sock_filter> {
    let mut program = vec![load(4), jump(BPF_JEQ, ARCH, 1, 0), statement(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS), load(0)];
    if cfg!(target_arch = "x86_64") {
        program.push(jump(BPF_JGE, X32_BIT, 0, 1));
        program.push(statement(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | libc::ENOSYS.unsigned_abs()));
    }
    program
}

/// One rule. The call's number is loaded before it, and again after it.
fn rule(program: &mut Vec<sock_filter>, call: i64, when: When, action: u32) {
    let act = statement(BPF_RET | BPF_K, action);
    let body = match when {
        When::Always => vec![act],
        When::Has(arg, mask) => vec![load(low(arg)), jump(BPF_JSET, mask, 0, 1), act, load(0)],
        // The kernel looks at the low 32 bits only, and so do we.
        When::Is(arg, value) => vec![load(low(arg)), jump(BPF_JEQ, value, 0, 1), act, load(0)],
        When::Makes(flags, mode) => {
            vec![load(low(flags)), jump(BPF_JSET, MAKES_A_FILE, 0, 3), load(low(mode)), jump(BPF_JSET, SET_ID, 0, 1), act, load(0)]
        }
        When::OddSocket => vec![
            load(low(0)),
            jump(BPF_JEQ, libc::AF_UNIX.unsigned_abs(), 6, 0),
            jump(BPF_JEQ, libc::AF_INET.unsigned_abs(), 5, 0),
            jump(BPF_JEQ, libc::AF_INET6.unsigned_abs(), 4, 0),
            jump(BPF_JEQ, libc::AF_NETLINK.unsigned_abs(), 0, 2),
            load(low(2)),
            jump(BPF_JEQ, libc::NETLINK_ROUTE.unsigned_abs(), 1, 0),
            act,
            load(0),
        ],
    };
    let over = u8::try_from(body.len()).unwrap_or(u8::MAX);
    program.push(jump(BPF_JEQ, u32::try_from(call).unwrap_or(u32::MAX), 0, over));
    program.extend(body);
}

/// Offset of an argument's low half in `struct seccomp_data`, on little-endian machines.
const fn low(arg: u32) -> u32 {
    16 + 8 * arg
}

const fn load(offset: u32) -> sock_filter {
    statement(BPF_LD | BPF_W | BPF_ABS, offset)
}

const fn statement(code: u32, k: u32) -> sock_filter {
    sock_filter { code: code as u16, jt: 0, jf: 0, k }
}

const fn jump(code: u32, k: u32, jt: u8, jf: u8) -> sock_filter {
    sock_filter { code: (BPF_JMP | code | BPF_K) as u16, jt, jf, k }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic)]
    use super::*;

    /// What the kernel would do: runs a program over one call.
    fn run(program: &[sock_filter], arch: u32, call: i64, args: [u64; 6]) -> u32 {
        let mut data = Vec::new();
        data.extend_from_slice(&(call as u32).to_le_bytes());
        data.extend_from_slice(&arch.to_le_bytes());
        data.extend_from_slice(&0u64.to_le_bytes());
        args.iter().for_each(|a| data.extend_from_slice(&a.to_le_bytes()));
        let (mut at, mut a) = (0usize, 0u32);
        loop {
            let i = program[at];
            at += 1;
            let code = u32::from(i.code);
            let branch = |yes: bool| usize::from(if yes { i.jt } else { i.jf });
            match code {
                c if c == BPF_LD | BPF_W | BPF_ABS => {
                    let o = i.k as usize;
                    a = u32::from_le_bytes([data[o], data[o + 1], data[o + 2], data[o + 3]]);
                }
                c if c == BPF_JMP | BPF_JEQ | BPF_K => at += branch(a == i.k),
                c if c == BPF_JMP | BPF_JGE | BPF_K => at += branch(a >= i.k),
                c if c == BPF_JMP | BPF_JSET | BPF_K => at += branch(a & i.k != 0),
                c if c == BPF_RET | BPF_K => return i.k,
                other => panic!("unknown instruction {other:#x}"),
            }
        }
    }

    #[test]
    fn calls_are_judged_by_their_arguments() {
        let program = watch(Answer::Told);
        let (told, allow) = (SECCOMP_RET_USER_NOTIF, SECCOMP_RET_ALLOW);
        let (folder, nameless) = (u64::from(libc::O_DIRECTORY.unsigned_abs()), u64::from((libc::O_TMPFILE | libc::O_RDWR).unsigned_abs()));
        let table: &[(&str, i64, [u64; 6], u32)] = &[
            ("read", libc::SYS_read, [0; 6], allow),
            ("mount", libc::SYS_mount, [0; 6], told),
            ("fork", libc::SYS_clone, [17, 0, 0, 0, 0, 0], allow),
            ("a thread", libc::SYS_clone, [0x3d_0f00, 0, 0, 0, 0, 0], allow),
            ("clone with a user namespace", libc::SYS_clone, [0x1000_0011, 0, 0, 0, 0, 0], told),
            ("unshare of files", libc::SYS_unshare, [0x400, 0, 0, 0, 0, 0], allow),
            ("unshare of time", libc::SYS_unshare, [0x80, 0, 0, 0, 0, 0], told),
            ("unshare of the network", libc::SYS_unshare, [0x4000_0000, 0, 0, 0, 0, 0], told),
            ("chmod 755", libc::SYS_fchmodat, [0, 0, 0o755, 0, 0, 0], allow),
            ("chmod 4755", libc::SYS_fchmodat, [0, 0, 0o4755, 0, 0, 0], told),
            ("chmod 2755", libc::SYS_fchmod, [0, 0o2755, 0, 0, 0, 0], told),
            ("chmod 1777", libc::SYS_fchmod, [0, 0o1777, 0, 0, 0, 0], allow),
            ("opening with a mode that means nothing", libc::SYS_openat, [0, 0, 0o2000000, 0o6755, 0, 0], allow),
            ("opening a folder with such a mode", libc::SYS_openat, [0, 0, folder, 0o6755, 0, 0], allow),
            ("making a file", libc::SYS_openat, [0, 0, 0o102, 0o100_666, 0, 0], allow),
            ("making a file that is set-user-id", libc::SYS_openat, [0, 0, 0o102, 0o4755, 0, 0], told),
            ("making a file that is set-group-id", libc::SYS_openat, [0, 0, 0o102, 0o2755, 0, 0], told),
            ("a file without a name that is set-user-id", libc::SYS_openat, [0, 0, nameless, 0o4755, 0, 0], told),
            ("a pipe", libc::SYS_mknodat, [0, 0, 0o10_644, 0, 0, 0], allow),
            ("a node that is set-user-id", libc::SYS_mknodat, [0, 0, 0o104_755, 0, 0, 0], told),
            ("TIOCSTI with junk above", libc::SYS_ioctl, [0, 0xdead_0000_5412, 0, 0, 0, 0], told),
            ("TIOCLINUX", libc::SYS_ioctl, [0, 0x541c, 0, 0, 0, 0], told),
            ("TCGETS", libc::SYS_ioctl, [0, 0x5401, 0, 0, 0, 0], allow),
            ("a unix socket", libc::SYS_socket, [1, 1, 0, 0, 0, 0], allow),
            ("an inet socket", libc::SYS_socket, [2, 1, 0, 0, 0, 0], allow),
            ("an inet6 socket", libc::SYS_socket, [10, 2, 17, 0, 0, 0], allow),
            ("a route socket", libc::SYS_socket, [16, 3, 0, 0, 0, 0], allow),
            ("an audit socket", libc::SYS_socket, [16, 3, 9, 0, 0, 0], told),
            ("a vsock socket", libc::SYS_socket, [40, 1, 0, 0, 0, 0], told),
            ("a packet socket", libc::SYS_socket, [17, 3, 3, 0, 0, 0], told),
            ("after every rule", libc::SYS_getpid, [u64::MAX; 6], allow),
        ];
        for (name, call, args, expected) in table {
            assert_eq!(run(&program, ARCH, *call, *args), *expected, "{name}");
        }
        assert_eq!(run(&program, 0x4000_0003, 11, [0; 6]), SECCOMP_RET_KILL_PROCESS, "a 32-bit call");
        #[cfg(target_arch = "x86_64")]
        for (name, call, args, expected) in [
            ("open", libc::SYS_open, [0, 0o102, 0o644, 0, 0, 0], allow),
            ("open to read", libc::SYS_open, [0, 0, 0o6755, 0, 0, 0], allow),
            ("open that makes a set-user-id file", libc::SYS_open, [0, 0o102, 0o4755, 0, 0, 0], told),
            ("creat", libc::SYS_creat, [0, 0o644, 0o6755, 0, 0, 0], allow),
            ("creat of a set-group-id file", libc::SYS_creat, [0, 0o2755, 0, 0, 0, 0], told),
            ("mknod of a set-user-id file", libc::SYS_mknod, [0, 0o104_755, 0, 0, 0, 0], told),
        ] {
            assert_eq!(run(&program, ARCH, call, args), expected, "{name}");
        }
        if cfg!(target_arch = "x86_64") {
            let x32 = run(&program, ARCH, i64::from(X32_BIT) | libc::SYS_mount, [0; 6]);
            assert_eq!(x32, SECCOMP_RET_ERRNO | libc::ENOSYS.unsigned_abs());
        }
    }

    /// On a thread of its own, which the filter stays with.
    #[test]
    #[allow(unsafe_code)]
    fn the_kernel_takes_the_watch_filter_and_refuses_also_where_it_cannot_tell() {
        std::thread::spawn(|| {
            // SAFETY: a flag of this thread is set.
            assert_eq!(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }, 0);
            assert!(load_watch(Answer::Silent).is_ok_and(|none| none.is_none()));
            // SAFETY: refused before it does anything.
            assert_eq!(unsafe { libc::unshare(libc::CLONE_NEWUTS) }, -1);
            assert_eq!(io::Error::last_os_error().raw_os_error(), Some(libc::EPERM));
            let listener = load_watch(Answer::Told);
            assert!(matches!(listener, Ok(Some(_))));
            assert!(load_watch(Answer::Told).is_err(), "only one can listen, and then the silent way is taken");
        })
        .join()
        .unwrap_or_else(|_| panic!("see above"));
    }

    #[test]
    fn the_base_filter_is_whole_instructions_and_refuses_in_silence() {
        let bytes = base();
        assert_eq!(bytes.len() % 8, 0);
        let mut program = prologue();
        SILENT.iter().for_each(|(call, errno)| rule(&mut program, *call, When::Always, SECCOMP_RET_ERRNO | errno.unsigned_abs()));
        program.push(statement(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
        assert_eq!(bytes.len(), program.len() * 8);
        assert_eq!(run(&program, ARCH, libc::SYS_clone3, [0; 6]), SECCOMP_RET_ERRNO | libc::ENOSYS.unsigned_abs());
        assert_eq!(run(&program, ARCH, libc::SYS_openat2, [0; 6]), SECCOMP_RET_ERRNO | libc::ENOSYS.unsigned_abs());
        assert_eq!(run(&program, ARCH, libc::SYS_execve, [0; 6]), SECCOMP_RET_ALLOW);
    }
}
