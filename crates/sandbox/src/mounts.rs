//! What a sandbox sees of the machine, as bubblewrap's arguments.

use crate::{
    job::socket_inside,
    limits,
    spec::{BRIEF, Bounds, CACHES, HOME, OURS, Spec, WORK},
};
use std::{
    ffi::{OsStr, OsString},
    fs,
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::Path,
    sync::OnceLock,
};

/// Files of `/etc` that are ours: path and content.
const ETC: [(&str, &str); 4] = [
    ("/etc/passwd", "root:x:0:0:root:/root:/usr/sbin/nologin\nagent:x:1000:1000:agent:/home/agent:/bin/sh\n"),
    ("/etc/group", "root:x:0:\nagent:x:1000:\n"),
    ("/etc/hosts", "127.0.0.1 localhost meshwork\n::1 localhost\n"),
    ("/etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files\nservices: files\nprotocols: files\n"),
];

/// Small files of the host's `/etc` that programs need and nobody minds; copied, since each mount costs time.
const ETC_COPIED: [&str; 6] =
    ["/etc/ld.so.cache", "/etc/localtime", "/etc/timezone", "/etc/protocols", "/etc/services", "/etc/ssl/openssl.cnf"];
/// Folders of it: no keys, no accounts, no name servers.
const ETC_SHOWN: [&str; 5] =
    ["/etc/alternatives", "/etc/ssl/certs", "/etc/pki/tls/certs", "/etc/pki/ca-trust/extracted", "/etc/crypto-policies"];
/// The same by how the name begins: a folder for each version.
const ETC_SHOWN_PREFIX: &str = "java-";
/// Folders of `/usr` that hold a machine's settings and state, and so perhaps keys: seen empty.
pub(crate) const USR_HIDDEN: [&str; 3] = ["/usr/etc", "/usr/local/etc", "/usr/local/var"];
/// Files of /proc that root's own user id may read even without any capability.
const PROC_HIDDEN: [&str; 5] = ["keys", "kpagecount", "kpageflags", "kpagecgroup", "timer_list"];

/// Arguments that follow each other, ended by NUL, as `--args` reads them.
#[derive(Default)]
struct Args(Vec<u8>);

impl Args {
    fn add<T: AsRef<OsStr>>(&mut self, args: impl IntoIterator<Item = T>) {
        for arg in args {
            self.0.extend_from_slice(arg.as_ref().as_bytes());
            self.0.push(0);
        }
    }

    fn show(&mut self, from: &Path, to: impl AsRef<OsStr>) {
        self.add([OsStr::new("--ro-bind"), from.as_os_str(), to.as_ref()]);
    }

    fn tmpfs(&mut self, path: &str, mode: &str, bytes: u64) {
        self.add(["--perms", mode, "--size", &bytes.to_string(), "--tmpfs", path]);
    }
}

/// Everything that depends on the spec. `etc` are open files with the content of [`etc`].
pub(crate) fn arguments(spec: &Spec, bounds: Bounds, etc: &[OwnedFd]) -> Vec<u8> {
    let mut args = Args(host().clone());
    for ((path, _), fd) in self::etc().iter().zip(etc) {
        args.add(["--perms", "0444", "--file", &fd.as_raw_fd().to_string(), path]);
    }
    let small = limits::SMALL_TMPFS_BYTES_MAX.min(bounds.memory_bytes / 8);
    args.tmpfs("/dev/shm", "1777", small);
    args.add(["--remount-ro", "/dev"]);
    args.tmpfs("/tmp", "1777", limits::TMP_BYTES_MAX.min(bounds.memory_bytes / 4));
    args.add(["--symlink", "/tmp", "/var/tmp"]);
    for path in &spec.readonly {
        args.show(path, path);
    }
    for (host, inside) in &spec.shown {
        args.show(host, inside);
    }
    for forward in &spec.forwards {
        args.show(&forward.socket, socket_inside(forward.port));
    }
    if let Some(brief) = &spec.brief {
        args.show(brief, BRIEF);
    }
    for (from, to) in [(&spec.home, HOME), (&spec.work, WORK)].into_iter().chain(spec.caches.iter().map(|dir| (dir, CACHES))) {
        args.add([OsStr::new("--bind"), from.as_os_str(), OsStr::new(to)]);
    }
    args.add(["--chdir", WORK]);
    // Last, since bubblewrap's process would run whatever part of this it got if we died in between.
    args.show(&spec.bridge, bridge_inside());
    args.add(["--remount-ro", "/"]);
    args.0
}

/// Where the bridge's executable is seen inside.
pub fn bridge_inside() -> String {
    format!("{OURS}/meshwork")
}

/// What every sandbox on this machine sees: looked up once.
pub(crate) fn host() -> &'static Vec<u8> {
    static HOST: OnceLock<Vec<u8>> = OnceLock::new();
    HOST.get_or_init(|| {
        let mut args = Args::default();
        args.show(Path::new("/usr"), "/usr");
        for path in USR_HIDDEN.into_iter().filter(|path| fs::symlink_metadata(path).is_ok_and(|m| m.is_dir())) {
            args.tmpfs(path, "0755", limits::EMPTY_BYTES_MAX);
            args.add(["--remount-ro", path]);
        }
        for top in ["/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"] {
            match (fs::read_link(top), Path::new(top).is_dir()) {
                (Ok(target), _) => args.add([OsString::from("--symlink"), target.into(), top.into()]),
                (Err(_), true) => args.show(Path::new(top), top),
                (Err(_), false) => {}
            }
        }
        etc_of_host(&mut args);
        args.add(["--proc", "/proc", "--dev", "/dev"]);
        if rustix::process::geteuid().is_root() {
            for name in PROC_HIDDEN.iter().map(|n| format!("/proc/{n}")).filter(|p| Path::new(p).exists()) {
                args.show(Path::new("/dev/null"), name);
            }
        }
        // The kernel lets user id 0 write settings (/proc/sys) without any capability, and where root runs us the user
        // inside is that one to the kernel. Bubblewrap alone does not keep it from it.
        args.add(["--remount-ro", "/proc"]);
        args.0
    })
}

fn etc_of_host(args: &mut Args) {
    let fixed = ETC_SHOWN.iter().map(|path| OsString::from(*path));
    let names = fs::read_dir("/etc").into_iter().flatten().flatten().map(|e| e.file_name());
    let more = names.filter(|name| name.as_bytes().starts_with(ETC_SHOWN_PREFIX.as_bytes()));
    let more = more.map(|name| Path::new("/etc").join(name).into_os_string());
    for path in fixed.chain(more).filter(|path| Path::new(path).is_dir()) {
        args.show(Path::new(&path), &path);
    }
}

/// Files of `/etc`, path and content: our own, and copies of the host's. Read once.
pub(crate) fn etc() -> &'static [(&'static str, Vec<u8>)] {
    static FILES: OnceLock<Vec<(&'static str, Vec<u8>)>> = OnceLock::new();
    FILES.get_or_init(|| {
        let own = ETC.iter().map(|(path, text)| (*path, text.as_bytes().to_vec()));
        let small = |path: &&str| fs::metadata(path).is_ok_and(|m| m.is_file() && m.len() <= limits::ETC_FILE_BYTES_MAX);
        let copied = ETC_COPIED.into_iter().filter(small).filter_map(|path| Some((path, fs::read(path).ok()?)));
        own.chain(copied).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_account_or_name_server_of_the_host_is_shown() {
        let text = String::from_utf8_lossy(host()).replace('\0', " ");
        for secret in ["shadow", "/etc/ssl/private", "/etc/passwd", "resolv.conf", "/etc/ssh", "/root", "/sys "] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
    }
}
