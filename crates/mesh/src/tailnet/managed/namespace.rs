//! A network namespace in which a `tailscaled` and whoever speaks through it are by themselves, since two with a TUN device in one do not
//! work. A pair of network devices ties it to the namespace of this process, which passes on what goes out, and hands in what comes to one UDP port:
//! so others reach the tailscaled inside as directly as one outside.
//!
//! Everything has a name made of the caller's word, by which what a crash left is removed before it is made anew.

use super::program::bare;
use crate::limits;
use domain::{Kind, Problem};
use rustix::process::{Pid, Signal, kill_process};
use std::{
    ffi::OsString,
    fs::{self, File, TryLockError},
    io::Write,
    net::{IpAddr, Ipv4Addr, UdpSocket},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

/// Programs that it takes, and the Debian packages that have them.
const PROGRAMS: [(&str, &str); 6] =
    [("ip", "iproute2"), ("nft", "nftables"), ("nsenter", "util-linux"), ("unshare", "util-linux"), ("mount", "mount"), ("sh", "dash")];
/// The device that a tailscaled makes the tailnet's traffic come out of.
const TUN: &str = "/dev/net/tun";
/// Held while a namespace of this machine chooses its addresses.
const LOCK: &str = "/run/meshwork-namespaces.lock";
/// Whether the kernel passes on what is not for itself.
const FORWARD: &str = "/proc/sys/net/ipv4/ip_forward";
/// What programs ask for names.
const RESOLVER: &str = "/etc/resolv.conf";
/// Where the servers stand that a resolver on loopback asks in turn.
const BEHIND_LOOPBACK: [&str; 2] = ["/run/systemd/resolve/resolv.conf", "/run/NetworkManager/no-stub-resolv.conf"];
/// The UDP port of the first namespace's tailscaled: the one after the usual, which is the host's.
const PORT: u16 = 41_642;
/// How many namespaces a machine may have.
const PLACES_MAX: u16 = 512;

/// A network namespace. Dropped, it is removed.
#[derive(Debug)]
pub struct Namespace {
    word: String,
    port: u16,
    /// What names are asked for by inside; none: this machine asks nobody.
    resolver: Option<PathBuf>,
}

/// Whether this process can make such a namespace.
///
/// # Errors
/// What is missing.
pub fn able() -> Result<(), Problem> {
    let host = "Or use the host's tailscaled, which serves one tailnet: leave --own-tailscaled out.";
    if !rustix::process::geteuid().is_root() {
        return Err(Problem::new(Kind::Forbidden, "A tailscaled of an org's own needs root.")
            .because("It gets a network namespace, and makes a network device in it.")
            .next(format!("Run meshwork up as root. {host}")));
    }
    if !Path::new(TUN).exists() {
        return Err(Problem::unavailable(format!("A tailscaled of an org's own needs {TUN}, which is not there."))
            .next(format!("Load the kernel's module: modprobe tun; a container has to be given the device. {host}")));
    }
    let absent = PROGRAMS.iter().find(|(name, _)| !on_path(name));
    absent.map_or(Ok(()), |(name, package)| {
        Err(Problem::unavailable(format!("A tailscaled of an org's own needs the program {name}, which is not on this machine."))
            .next(format!("Install it (Debian: apt-get install {package}). {host}")))
    })
}

fn on_path(name: &str) -> bool {
    std::env::var_os("PATH").is_some_and(|path| std::env::split_paths(&path).any(|dir| dir.join(name).is_file()))
}

impl Namespace {
    /// Makes the namespace that is called by this word (at most 10 letters and digits), after what was left of it is removed. In `dir` lies
    /// the list of name servers for inside; a person may write one there, `resolv.conf`.
    ///
    /// # Errors
    /// When this process may not, something is missing, or this machine's name servers cannot be reached from inside.
    pub fn make(word: &str, dir: &Path) -> Result<Self, Problem> {
        able()?;
        let _alone = locked(Path::new(LOCK), limits::NAMESPACE_LOCK)?;
        clear(word);
        let place = free_place()?;
        let made = Self { word: word.to_owned(), port: place.port, resolver: resolver(dir)? };
        made.connect(&place)?;
        Ok(made)
    }

    fn connect(&self, place: &Place) -> Result<(), Problem> {
        let (namespace, link) = (name(&self.word), link(&self.word));
        ip(&["netns", "add", &namespace])?;
        ip(&["link", "add", &link, "type", "veth", "peer", "name", "eth0", "netns", &namespace])?;
        ip(&["addr", "add", &format!("{}/30", place.outside), "dev", &link])?;
        ip(&["link", "set", &link, "up"])?;
        let within = |args: &[&str]| ip(&[&["-n", namespace.as_str()], args].concat());
        within(&["link", "set", "lo", "up"])?;
        within(&["addr", "add", &format!("{}/30", place.inside), "dev", "eth0"])?;
        within(&["link", "set", "eth0", "up"])?;
        within(&["route", "add", "default", "via", &place.outside.to_string()])?;
        pass_on()?;
        nft(&["-f", "-"], &rules(&self.word, place))?;
        warn_of_a_closed_way(&link);
        Ok(())
    }

    /// The UDP port at which what is inside is reached from outside.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The words that start a program inside, before the program's own. The process is the program's, whatever its first words say.
    pub fn words(&self) -> Vec<OsString> {
        let mut words: Vec<OsString> = vec!["nsenter".into(), format!("--net=/run/netns/{}", name(&self.word)).into(), "--".into()];
        if let Some(resolver) = &self.resolver {
            words.extend(["unshare", "--mount", "--propagation", "slave", "--", "sh", "-c"].map(OsString::from));
            words.push(format!("mount --bind \"$0\" {RESOLVER} && exec \"$@\"").into());
            words.push(resolver.into());
        }
        words
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        clear(&self.word);
    }
}

/// Takes a lock, and waits so long for whoever has it. It is let go when the file is dropped.
fn locked(path: &Path, wait: Duration) -> Result<File, Problem> {
    let told = |error: &std::io::Error| failed(&path.display().to_string(), &error.to_string());
    let lock = File::options().create(true).truncate(false).write(true).mode(0o600).open(path).map_err(|error| told(&error))?;
    let until = Instant::now() + wait;
    loop {
        match lock.try_lock() {
            Ok(()) => return Ok(lock),
            Err(TryLockError::Error(error)) => return Err(told(&error)),
            Err(TryLockError::WouldBlock) if Instant::now() < until => thread::sleep(limits::PROGRAM_LOOK_EVERY),
            Err(TryLockError::WouldBlock) => {
                return Err(Problem::new(Kind::Timeout, "The network namespace of an org could not be made.")
                    .because(format!("Another process has held {} for {} s, as it makes one.", path.display(), wait.as_secs()))
                    .next(format!("See which: fuser -v {} (psmisc); where it does not go on, end it.", path.display())));
            }
        }
    }
}

/// Where a namespace is, seen from the one around it. From the range for benchmarks (RFC 2544): private ranges may be a network's around
/// here, and tailscaled takes link-local addresses for none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    outside: Ipv4Addr,
    inside: Ipv4Addr,
    port: u16,
}

impl Place {
    fn number(number: u16) -> Self {
        let at = |part: u32| Ipv4Addr::from_bits(Ipv4Addr::new(198, 19, 0, 0).to_bits() + u32::from(number) * 4 + part);
        Self { outside: at(1), inside: at(2), port: PORT + number }
    }
}

/// The first place whose address no network device has, and whose port no program.
fn free_place() -> Result<Place, Problem> {
    let listed = ip(&["-o", "-4", "addr"])?;
    let taken = addresses(&listed);
    let free = |place: &Place| !taken.contains(&place.outside) && UdpSocket::bind((Ipv4Addr::UNSPECIFIED, place.port)).is_ok();
    (0..PLACES_MAX).map(Place::number).find(free).ok_or_else(|| {
        Problem::unavailable(format!("This machine has {PLACES_MAX} network namespaces of orgs already."))
            .next("See which are left over: ip -4 addr, ip netns list.")
    })
}

/// The addresses in a list of `ip -o -4 addr`.
fn addresses(listed: &str) -> Vec<Ipv4Addr> {
    let address = |line: &str| line.split_whitespace().skip_while(|word| *word != "inet").nth(1)?.split('/').next()?.parse().ok();
    listed.lines().filter_map(address).collect()
}

/// What goes out looks as if it came from this machine, and what comes to the port goes in.
fn rules(word: &str, place: &Place) -> String {
    let (table, link, Place { inside, port, .. }) = (name(word), link(word), place);
    format!(
        "table ip {table} {{\n  chain in {{\n    type nat hook prerouting priority -100;\n    \
         iifname != \"{link}\" fib daddr type local udp dport {port} dnat to {inside}\n  }}\n  chain out {{\n    \
         type nat hook postrouting priority 100;\n    ip saddr {inside} oifname != \"{link}\" masquerade\n  }}\n}}\n"
    )
}

fn pass_on() -> Result<(), Problem> {
    let on = fs::read_to_string(FORWARD).is_ok_and(|text| text.trim() != "0");
    if on {
        return Ok(());
    }
    tracing::info!("this machine passes packets on from now on, for the network namespaces of its orgs (net.ipv4.ip_forward)");
    fs::write(FORWARD, "1").map_err(|error| {
        Problem::unavailable(format!("This machine does not pass packets on: {FORWARD} cannot be written: {error}."))
            .next("Set it by hand: sysctl -w net.ipv4.ip_forward=1.")
    })
}

/// Another table's chain that drops what is passed on cannot be overruled by one of ours.
fn warn_of_a_closed_way(link: &str) {
    let chains = nft(&["list", "chains"], "").unwrap_or_default();
    if drops_what_is_passed_on(&chains) {
        tracing::warn!(
            "this machine's firewall drops what it passes on, unless a rule says otherwise; an org's own tailscaled needs one for {link}, as: \
             iptables -I FORWARD -i {link} -j ACCEPT; iptables -I FORWARD -o {link} -j ACCEPT"
        );
    }
}

fn drops_what_is_passed_on(chains: &str) -> bool {
    chains.lines().any(|line| line.contains("hook forward") && line.contains("policy drop"))
}

/// Writes the name servers for inside; none where this machine asks none.
fn resolver(dir: &Path) -> Result<Option<PathBuf>, Problem> {
    if !Path::new(RESOLVER).exists() {
        return Ok(None);
    }
    let by_hand = dir.join("resolv.conf");
    let candidates = std::iter::once(by_hand.as_path()).chain(std::iter::once(RESOLVER).chain(BEHIND_LOOPBACK).map(Path::new));
    let found = candidates.filter_map(|file| fs::read_to_string(file).ok()).find_map(|text| reached_inside(&text));
    let text = found.ok_or_else(|| {
        Problem::unavailable("This machine's name server cannot be reached from the network namespace of an org.")
            .because(format!("{RESOLVER} names none but such as listen on loopback, or over IPv6."))
            .next(format!("Write one that can, as “nameserver 192.168.1.1”, into {}.", by_hand.display()))
    })?;
    let file = dir.join("resolv.inside.conf");
    super::private_folder(dir)?;
    super::write(&file, &text)?;
    Ok(Some(file))
}

/// The name servers of a `resolv.conf` that are reached from inside, with what it says besides. Without a comment that says whose file it
/// is: a tailscaled that reads there of systemd's resolver would tell that about network devices, whose numbers are others outside.
fn reached_inside(text: &str) -> Option<String> {
    let server = |rest: &str| rest.trim().parse::<IpAddr>().is_ok_and(|ip| ip.is_ipv4() && !ip.is_loopback() && !ip.is_unspecified());
    let keeps = |line: &&str| match line.trim().split_once(char::is_whitespace) {
        Some(("nameserver", rest)) => server(rest),
        Some(("search" | "domain" | "options", _)) => true,
        _ => false,
    };
    let kept: Vec<&str> = text.lines().filter(keeps).map(str::trim).collect();
    kept.iter().any(|line| line.starts_with("nameserver")).then(|| kept.join("\n") + "\n")
}

/// Removes what is there of a namespace; what is not there is none to remove.
fn clear(word: &str) {
    let (namespace, link) = (name(word), link(word));
    let _ = nft(&["delete", "table", "ip", &namespace], "");
    let _ = ip(&["link", "del", &link]);
    let _ = ip(&["netns", "del", &namespace]);
}

fn name(word: &str) -> String {
    format!("mw-{word}")
}

fn link(word: &str) -> String {
    format!("mw{word}")
}

fn ip(args: &[&str]) -> Result<String, Problem> {
    ran("ip", args, "", limits::NAMESPACE_COMMAND)
}

fn nft(args: &[&str], input: &str) -> Result<String, Problem> {
    ran("nft", args, input, limits::NAMESPACE_COMMAND)
}

/// Runs a program to its end, and gives what it says; ends it where it takes longer than it may.
fn ran(program: &str, args: &[&str], input: &str, limit: Duration) -> Result<String, Problem> {
    let said = format!("{program} {}", args.join(" "));
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    bare(&mut command);
    let mut run = || -> std::io::Result<Option<Output>> {
        let mut child = command.spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(input.as_bytes())?;
        }
        ended(child, limit)
    };
    let output = run().map_err(|error| failed(&said, &error.to_string()))?;
    let Some(output) = output else {
        return Err(Problem::new(Kind::Timeout, "The network namespace of an org could not be made.")
            .because(format!("{}: it took longer than {} s.", domain::shown(&said), limit.as_secs()))
            .next("See by hand whether it answers: something else may hold the kernel's network configuration."));
    };
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(failed(&said, String::from_utf8_lossy(&output.stderr).trim()))
}

/// Waits until a program has ended; kills it after so long, and then there is nothing to give.
fn ended(child: Child, limit: Duration) -> std::io::Result<Option<Output>> {
    let id = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let (done, waited) = mpsc::channel();
    // What it says is read meanwhile: else it waits for us where that is much.
    thread::spawn(move || done.send(child.wait_with_output()));
    if let Ok(output) = waited.recv_timeout(limit) {
        return output.map(Some);
    }
    if let Some(id) = id {
        let _ = kill_process(id, Signal::KILL);
    }
    Ok(None)
}

fn failed(what: &str, why: &str) -> Problem {
    Problem::unavailable("The network namespace of an org could not be made.")
        .because(format!("{what}: {}", domain::shown(why)))
        .next("It takes root with CAP_NET_ADMIN and CAP_SYS_ADMIN, network namespaces, veth and nftables with NAT in the kernel.")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn each_place_has_addresses_and_a_port_of_its_own() {
        let (first, last) = (Place::number(0), Place::number(PLACES_MAX - 1));
        assert_eq!(
            (first.outside.to_string().as_str(), first.inside.to_string().as_str(), first.port),
            ("198.19.0.1", "198.19.0.2", 41_642)
        );
        assert_eq!((last.inside.to_string().as_str(), last.port), ("198.19.7.254", 42_153));
        let listed =
            "1: lo    inet 127.0.0.1/8 scope host lo\\       valid_lft forever\n7: mwab    inet 198.19.0.1/30 scope global mwab\\  x\n";
        assert_eq!(addresses(listed), [Ipv4Addr::LOCALHOST, first.outside]);
    }

    #[test]
    fn its_rules_are_about_its_own_device_and_port_alone() {
        let rules = rules("ab12", &Place::number(1));
        assert!(rules.starts_with("table ip mw-ab12 {"), "{rules}");
        assert!(rules.contains("iifname != \"mwab12\" fib daddr type local udp dport 41643 dnat to 198.19.0.6\n"), "{rules}");
        assert!(rules.contains("ip saddr 198.19.0.6 oifname != \"mwab12\" masquerade\n"), "{rules}");
    }

    #[test]
    fn only_name_servers_that_are_reached_inside_are_named_there() {
        let stub =
            "# This is /run/systemd/resolve/stub-resolv.conf managed by man:systemd-resolved(8).\nnameserver 127.0.0.53\noptions edns0\n";
        assert_eq!(reached_inside(stub), None);
        let mixed = "# by systemd-resolved\nnameserver 192.168.1.1\nnameserver fe80::1%eth0\nnameserver\t9.9.9.9\nsearch home.test\n";
        assert_eq!(reached_inside(mixed).unwrap(), "nameserver 192.168.1.1\nnameserver\t9.9.9.9\nsearch home.test\n");
        for text in ["", "search home.test\n", "nameserver ::1\n", "nameserver 0.0.0.0\n", "nameserver here\n"] {
            assert_eq!(reached_inside(text), None, "{text}");
        }
    }

    #[test]
    fn a_firewall_that_drops_what_is_passed_on_is_seen() {
        let chain = |hook: &str, policy: &str| {
            format!("table ip filter {{\n\tchain X {{\n\t\ttype filter hook {hook} priority filter; policy {policy};\n\t}}\n}}\n")
        };
        assert!(drops_what_is_passed_on(&chain("forward", "drop")));
        assert!(!drops_what_is_passed_on(&chain("forward", "accept")) && !drops_what_is_passed_on(&chain("input", "drop")));
    }

    #[test]
    fn a_program_that_fails_is_told_with_what_it_said() {
        let limit = limits::NAMESPACE_COMMAND;
        let problem = ran("sh", &["-c", "echo no such thing >&2; exit 3"], "", limit).unwrap_err();
        assert!(problem.to_string().contains("no such thing"), "{problem}");
        assert_eq!(ran("cat", &[], "in and out", limit).unwrap(), "in and out");
        assert!(ran("meshwork-no-such-program", &[], "", limit).is_err());
    }

    #[test]
    fn a_program_that_does_not_end_is_ended_and_told() {
        let begun = Instant::now();
        let problem = ran("sleep", &["600"], "", Duration::from_millis(20)).unwrap_err();
        assert!(problem.kind == Kind::Timeout && problem.why.as_deref().is_some_and(|why| why.contains("sleep 600")), "{problem}");
        assert!(begun.elapsed() < Duration::from_secs(60));
    }

    #[test]
    fn a_lock_that_somebody_keeps_is_not_waited_for_without_end() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let held = locked(&path, Duration::ZERO).unwrap();
        let problem = locked(&path, Duration::ZERO).unwrap_err();
        assert!(problem.kind == Kind::Timeout && problem.next.is_some_and(|next| next.contains("fuser")));
        drop(held);
        // A program that another test was starting may hold it for a moment.
        assert!(locked(&path, Duration::from_secs(10)).is_ok());
    }
}
