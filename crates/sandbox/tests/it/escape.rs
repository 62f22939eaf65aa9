//! Attempts to see, change or reach what is outside.

use crate::{Place, here, processes_with, run, until};
use std::{
    io::Write,
    net::TcpListener,
    os::{
        linux::net::SocketAddrExt,
        unix::{
            fs::{MetadataExt, symlink},
            net::{SocketAddr, UnixListener},
        },
    },
};

const CANARY: &str = "canary-that-must-not-be-seen";

#[tokio::test]
async fn honest_work_works() {
    if !here() {
        return;
    }
    let place = Place::new();
    let script = "echo new > file && mkdir d && mv file d/ && cat d/file; echo x > ~/note; pwd; id -u; hostname; \
                  python3 -c 'import threading,ssl,socket; t=threading.Thread(target=print,args=(\"thread\",)); t.start(); t.join()'; \
                  git init -q . && git -c user.name=a -c user.email=a@b commit -q --allow-empty -m x && git log --oneline | wc -l; \
                  echo t > /tmp/t && cat /tmp/t; ls /dev/shm; exit 3";
    let got = place.run(script).await;
    assert_eq!(got.out.split_whitespace().collect::<Vec<_>>(), ["new", "/work", "1000", "meshwork", "thread", "1", "t"], "{got:?}");
    assert_eq!(got.ended.code, Some(3));
    assert_eq!(got.violations, Vec::<String>::new());
    assert_eq!(std::fs::read_to_string(place.path("work/d/file")).unwrap(), "new\n");
    assert_eq!(std::fs::read_to_string(place.path("home/note")).unwrap(), "x\n");
}

#[tokio::test]
async fn nothing_of_the_host_can_be_read() {
    if !here() {
        return;
    }
    let place = Place::new();
    let other = Place::new();
    for name in ["vault", "journal"] {
        std::fs::write(place.path(name), CANARY).unwrap();
    }
    std::fs::write(other.path("work/secret"), CANARY).unwrap();
    std::fs::write(other.path("home/secret"), CANARY).unwrap();
    // Links that the engine may have laid in its worktree, and ways around by /proc.
    symlink(place.path("vault"), place.path("work/vault-link")).unwrap();
    symlink(other.path("work"), place.path("work/other-link")).unwrap();
    symlink("/proc/1/root", place.path("work/root-link")).unwrap();
    let script = format!(
        "cat vault-link other-link/secret root-link{vault} {vault} {journal} {other}/work/secret /proc/1/root{vault} /proc/self/root{vault} \
             /proc/1/cwd/../vault ../vault 2>/dev/null; \
         for p in /proc/[0-9]*; do cat $p/root{vault} $p/cwd/../vault 2>/dev/null; done; cat /proc/1/environ 2>/dev/null; \
         for d in $(sed 's/.* - //;s/^[^ ]* //;s/ .*//' /proc/self/mountinfo); do ls $d{vault} 2>/dev/null; done; \
         cat /etc/shadow /etc/ssl/private/* /root/.bash_history /proc/kcore /dev/mem /dev/vda /dev/sda 2>/dev/null | head -c 100; \
         find / -xdev -path /proc -prune -o -name '*vault*' -print 2>/dev/null; grep -rl {CANARY} /tmp /home /var /run /mnt /opt /srv 2>/dev/null; echo done",
        vault = place.path("vault").display(),
        journal = place.path("journal").display(),
        other = other.dir.path().display(),
    );
    let got = place.run(&script).await;
    assert_eq!(got.out.replace("/work/vault-link\n", ""), "done\n", "{got:?}");
}

#[tokio::test]
async fn nothing_outside_worktree_and_home_can_be_written() {
    if !here() {
        return;
    }
    let place = Place::new();
    let script = "for f in /x /usr/x /usr/bin/sh /etc/x /etc/passwd /home/x /var/x /dev/x /run/meshwork/meshwork /brief/x /sys/x; do \
                  (echo x >> $f) 2>/dev/null && echo written $f; done; \
                  for f in $(find /proc -path '/proc/[0-9s]*/*' -prune -o -type f -print; find /proc/sys /proc/self -type f; echo /proc/sysrq-trigger); do \
                  (exec 3>>$f) 2>/dev/null && echo opened $f; done 2>/dev/null; \
                  rm -rf /usr/share/doc /etc/hosts 2>/dev/null; ls -d /usr/share/doc /etc/hosts; \
                  ln -s /etc/hosts link; (echo x >> link) 2>/dev/null && echo through a link; ls /sys 2>/dev/null; \
                  mknod /work/disk b 8 0 2>/dev/null && echo device; echo end";
    std::fs::create_dir(place.path("brief")).unwrap();
    let mut spec = place.shell(script);
    spec.brief = Some(place.path("brief"));
    let got = run(spec).await;
    assert_eq!(got.out, "/etc/hosts\n/usr/share/doc\nend\n", "{got:?}");
}

#[tokio::test]
async fn neither_network_nor_the_hosts_loopback_can_be_reached() {
    if !here() {
        return;
    }
    let place = Place::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let script = format!(
        "import socket\n\
         for where in [('127.0.0.1',{port}),('localhost',{port}),('10.0.0.1',80),('169.254.169.254',80),('1.1.1.1',53)]:\n\
         \x20 s=socket.socket(); s.settimeout(2)\n\
         \x20 try: s.connect(where); print('connected',where)\n\
         \x20 except OSError as e: pass\n\
         try: print('resolved', socket.getaddrinfo('example.com',80))\n\
         except OSError: pass\n\
         s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM)\n\
         try: s.sendto(b'x',('8.8.8.8',53)); print('sent')\n\
         except OSError: pass\n\
         print([i[1] for i in socket.if_nameindex()])\n\
         a=socket.socket(); a.bind(('127.0.0.1',0)); a.listen(); b=socket.create_connection(a.getsockname()); print('own loopback')"
    );
    let got = run(place.python(&script)).await;
    assert_eq!(got.out, "['lo']\nown loopback\n", "{got:?}");
    listener.set_nonblocking(true).unwrap();
    assert!(listener.accept().is_err(), "the host's listener was reached");
}

#[tokio::test]
async fn sockets_of_the_host_cannot_be_reached() {
    if !here() {
        return;
    }
    let place = Place::new();
    let by_path = UnixListener::bind(place.path("host.sock")).unwrap();
    let name = format!("meshwork-test-{}", std::process::id());
    let abstract_ = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
    let script = format!(
        "import socket,os\n\
         for where in ['{path}','/proc/1/root{path}','\\0{name}','/run/docker.sock','/run/dbus/system_bus_socket','/run/systemd/private']:\n\
         \x20 s=socket.socket(socket.AF_UNIX)\n\
         \x20 try: s.connect(where); print('connected',where)\n\
         \x20 except OSError: pass\n\
         for family,kind,proto in [(40,1,0),(17,3,3),(38,5,0),(16,3,9),(31,3,1)]:\n\
         \x20 try: socket.socket(family,kind,proto); print('family',family)\n\
         \x20 except OSError: pass\n\
         print('end')",
        path = place.path("host.sock").display(),
    );
    let got = run(place.python(&script)).await;
    assert_eq!(got.out, "end\n", "{got:?}");
    assert!(got.told("tried to open a socket that is not bound to its own network"), "{got:?}");
    for listener in [by_path, abstract_] {
        listener.set_nonblocking(true).unwrap();
        assert!(listener.accept().is_err());
    }
}

#[tokio::test]
async fn processes_of_the_host_can_be_neither_seen_signalled_nor_traced() {
    if !here() {
        return;
    }
    let place = Place::new();
    let mut victim = std::process::Command::new("sleep").arg("1000").spawn().unwrap();
    let pid = victim.id();
    let script = format!(
        "import os,ctypes\n\
         libc=ctypes.CDLL(None,use_errno=True)\n\
         for pid in [{pid},{me},{parent}]:\n\
         \x20 try: os.kill(pid,9); print('killed',pid)\n\
         \x20 except OSError: pass\n\
         \x20 if libc.ptrace(16,pid,0,0)==0: print('traced',pid)\n\
         # Process 1 is ours: it cannot be read, traced or ended.\n\
         if libc.ptrace(16,1,0,0)==0: print('traced the bridge')\n\
         for file in ['mem','environ','maps','fd/0','fd/3','cwd','root','exe','auxv']:\n\
         \x20 try: (os.readlink if file in('cwd','exe','root') else lambda p:open(p,'rb').read(1))('/proc/1/'+file); print('read',file)\n\
         \x20 except OSError: pass\n\
         try: os.kill(1,9)\n\
         except OSError: pass\n\
         print(sorted(int(p) for p in os.listdir('/proc') if p.isdigit()))\n\
         try: os.kill(-1,0)\n\
         except OSError: pass\n\
         print('end')",
        me = std::process::id(),
        parent = std::os::unix::process::parent_id(),
    );
    let got = run(place.python(&script)).await;
    let alive = victim.try_wait().unwrap().is_none();
    victim.kill().unwrap();
    victim.wait().unwrap();
    assert_eq!(got.out, "[1, 2]\nend\n", "{got:?}");
    assert!(alive);
}

#[tokio::test]
async fn attempts_at_the_kernel_are_refused_and_told() {
    if !here() {
        return;
    }
    let place = Place::new();
    let script = "import ctypes,os,fcntl\n\
         libc=ctypes.CDLL(None,use_errno=True)\n\
         def attempt(name,got):\n\
         \x20 if got!=-1: print('succeeded',name)\n\
         attempt('mount',libc.mount(b'none',b'/work',b'tmpfs',0,None))\n\
         attempt('umount',libc.umount2(b'/usr',2))\n\
         for flag in [0x10000000,0x20000000,0x40000000,0x20000,0x2000000,0x8000000,0x4000000,0x80]: attempt('unshare %x'%flag,libc.unshare(flag))\n\
         attempt('clone',libc.syscall(56 if os.uname().machine=='x86_64' else 220,0x10000011,0,0,0,0))\n\
         attempt('clone3',libc.syscall(435,None,0))\n\
         attempt('setns',libc.setns(os.open('/proc/self/ns/net',os.O_RDONLY),0))\n\
         attempt('chroot',libc.chroot(b'/tmp'))\n\
         attempt('bpf',libc.syscall(321 if os.uname().machine=='x86_64' else 280,0,None,0))\n\
         attempt('io_uring',libc.syscall(425,1,None))\n\
         attempt('keyctl',libc.syscall(250 if os.uname().machine=='x86_64' else 219,0,0))\n\
         attempt('reboot',libc.reboot(0))\n\
         attempt('sethostname',libc.sethostname(b'x',1))\n\
         attempt('settime',libc.clock_settime(0,ctypes.create_string_buffer(16)))\n\
         attempt('setuid',libc.setuid(0))\n\
         attempt('setgid',libc.setgid(0))\n\
         m,s=os.openpty()\n\
         for number in [0x5412,0x541c]:\n\
         \x20 try: fcntl.ioctl(s,number,b'x'); print('typed')\n\
         \x20 except OSError: pass\n\
         open('tool','w').close()\n\
         try: os.chmod('tool',0o4755); print('setuid file')\n\
         except OSError: pass\n\
         os.chmod('tool',0o755)\n\
         attempt('open of a setuid file',libc.open(b'made',os.O_CREAT|os.O_WRONLY,0o4755))\n\
         attempt('a nameless setuid file',libc.open(b'.',os.O_TMPFILE|os.O_RDWR,0o4755))\n\
         attempt('creat of a setgid file',libc.creat(b'made',0o2755))\n\
         attempt('mknod of a setuid file',libc.mknod(b'made',0o104755,0))\n\
         attempt('openat2',libc.syscall(437,-100,b'tool',ctypes.create_string_buffer(24),24))\n\
         os.close(os.open('plain',os.O_CREAT|os.O_WRONLY,0o755))\n\
         os.mkfifo('pipe',0o644)\n\
         print('end')";
    let got = run(place.python(script)).await;
    assert_eq!(got.out, "end\n", "{got:?}");
    for attempt in [
        "change what is mounted",
        "make or enter a namespace",
        "change its root folder",
        "load a program into the kernel",
        "reboot the machine",
        "set the clock",
        "type into a terminal",
        "make a file that runs as its owner or group",
    ] {
        assert!(got.told(&format!("” tried to {attempt}; it was refused.")), "{attempt}: {got:?}");
    }
    assert_eq!(std::fs::metadata(place.path("work/tool")).unwrap().mode() & 0o7000, 0);
    assert!(!place.path("work/made").exists());
    assert!(place.path("work/plain").is_file());
}

#[tokio::test]
async fn programs_that_run_as_their_owner_gain_nothing() {
    if !here() {
        return;
    }
    let place = Place::new();
    // A set-user-id shell that somebody else laid into the worktree.
    std::fs::copy("/bin/sh", place.path("work/shell")).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o4755);
    std::fs::set_permissions(place.path("work/shell"), mode).unwrap();
    let got = place
        .run("./shell -pc 'id -u; grep CapEff /proc/self/status'; unshare -r id 2>/dev/null; mount -t tmpfs x /tmp 2>/dev/null; echo end")
        .await;
    assert_eq!(got.out, "1000\nCapEff:\t0000000000000000\nend\n", "{got:?}");
}

#[tokio::test]
async fn nothing_keeps_running_after_the_end() {
    if !here() {
        return;
    }
    let place = Place::new();
    let mark = format!("{}", 7_000_000 + std::process::id());
    let script = format!(
        "setsid sleep {mark} & nohup sleep {mark} >/dev/null 2>&1 & (setsid sh -c 'sleep {mark} & sleep {mark}' &) & \
         python3 -c 'import os,time\nif os.fork()==0:\n os.setsid()\n if os.fork()==0: os.execvp(\"sleep\",[\"sleep\",\"{mark}\"])\n os._exit(0)' ; \
         while [ $(pgrep -c -f 'sleep {mark}') -lt 5 ]; do :; done; echo started"
    );
    let got = place.run(&script).await;
    assert_eq!(got.out, "started\n", "{got:?}");
    assert_eq!(processes_with(&mark), Vec::<u32>::new());
    assert!(got.told("processes were still there (") && got.told("sleep"), "{got:?}");
}

#[tokio::test]
async fn no_descriptor_of_ours_is_inherited() {
    if !here() {
        return;
    }
    let place = Place::new();
    // A descriptor that some library left open to children.
    let mut leak = tempfile::tempfile().unwrap();
    leak.write_all(CANARY.as_bytes()).unwrap();
    rustix_clear_cloexec(&leak);
    let got = place.run("ls -l /proc/self/fd /proc/$$/fd | sed -n 's/.* -> //p' | sed 's/:.*//; s/[0-9][0-9]*/N/' | sort -u").await;
    // Pipes, and the folder that `ls` itself reads.
    assert_eq!(got.out, "/proc/N/fd\npipe\n", "{got:?}");
    drop(leak);
}

#[allow(unsafe_code)]
fn rustix_clear_cloexec(file: &std::fs::File) {
    // SAFETY: the descriptor is open; no memory is touched.
    assert_eq!(unsafe { libc::fcntl(std::os::fd::AsRawFd::as_raw_fd(file), libc::F_SETFD, 0) }, 0);
}

#[tokio::test]
async fn a_killed_supervisor_takes_its_sandbox_along_and_the_next_one_sweeps() {
    if !here() {
        return;
    }
    let place = Place::new();
    let mark = format!("{}", 8_000_000 + std::process::id());
    let mut supervisor = std::process::Command::new(crate::example("probe"))
        .args([crate::example("bridge").as_os_str(), place.dir.path().as_os_str()])
        .args(["hold", "sleep", &mark])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(supervisor.stdout.take().unwrap()));
    let frozen = lines.any(|line| line.unwrap() == "frozen");
    assert!(frozen, "the sandbox was not frozen");
    supervisor.kill().unwrap();
    supervisor.wait().unwrap();
    // Frozen, so with version 1 the death signal waits; whoever starts next clears it away.
    sandbox::sweep();
    until("the end of the frozen sandbox", || processes_with(&mark).is_empty()).await;
    let left = groups_of(supervisor.id());
    assert_eq!(left, Vec::<String>::new());
}

/// Control groups on this machine that a supervisor made.
pub(crate) fn groups_of(pid: u32) -> Vec<String> {
    let output = std::process::Command::new("find").args(["/sys/fs/cgroup", "-name", &format!("meshwork-{pid}-*")]).output().unwrap();
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
}
