//! The list of hosts that a run may reach, and where method and path can be seen, what it may ask of them.
//!
//! Within TLS only the host can be judged: an entry with a method or a path is for plain http, and opens no tunnel.

use super::super::limits;
use domain::{Problem, manifest::Network};
use http::{Method, Uri};
use std::{fmt, net::IpAddr};

/// The port of an entry that names none.
const DEFAULT_PORT: u16 = 443;
/// The port of an entry for plain http that names none.
const HTTP_PORT: u16 = 80;
const HOST_BYTES_MAX: usize = 253;

/// A host and a port, spelled in the one way in which they are compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    /// Lower case, without a last dot or brackets.
    pub(super) host: String,
    pub(super) port: u16,
}

impl Target {
    /// None where it is no name and no address.
    pub(super) fn new(host: &str, port: u16) -> Option<Self> {
        Some(Self { host: spelled(host)?, port }).filter(|t| t.port != 0)
    }

    /// The address, where the host is one.
    pub(super) fn literal(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') { write!(f, "[{}]:{}", self.host, self.port) } else { write!(f, "{}:{}", self.host, self.port) }
    }
}

/// A manifest's list, parsed.
pub(in crate::gateway) struct Allow {
    hosts: Vec<Entry>,
    asks: Vec<Asks>,
}

/// What may be asked of a host over plain http.
struct Asks {
    target: Target,
    /// None: any.
    methods: Vec<Method>,
    /// What the path must begin with, to a border between its parts.
    path: String,
}

struct Entry {
    target: Target,
    subdomains: bool,
}

impl Allow {
    /// Entries are `host`, `host:port`, `*.host:port`, and addresses, IPv6 ones in brackets; or `GET,HEAD http://host:port/path`
    /// with methods and a path's beginning.
    pub(in crate::gateway) fn parse(network: &Network) -> Result<Self, Problem> {
        if network.allow.len() > limits::ALLOW_MAX {
            return Err(Problem::invalid(format!("network.allow has more than {} entries.", limits::ALLOW_MAX)));
        }
        let (asks, hosts): (Vec<&String>, Vec<&String>) = network.allow.iter().partition(|text| text.contains("://"));
        Ok(Self {
            hosts: hosts.into_iter().map(|text| Entry::parse(text)).collect::<Result<_, _>>()?,
            asks: asks.into_iter().map(|text| Asks::parse(text)).collect::<Result<_, _>>()?,
        })
    }

    /// Whether everything may be asked of the host, within a tunnel too.
    pub(super) fn allows(&self, target: &Target) -> bool {
        self.hosts.iter().any(|entry| entry.matches(target))
    }

    /// Whether this may be asked of the host over plain http.
    pub(super) fn allows_asking(&self, target: &Target, method: &Method, uri: &Uri) -> bool {
        self.allows(target) || self.asks.iter().any(|asks| asks.matches(target, method, uri.path()))
    }

    /// Whether some things may be asked of the host, which says more than that it is not listed.
    pub(super) fn knows(&self, target: &Target) -> bool {
        self.asks.iter().any(|asks| asks.target.host == target.host)
    }
}

impl Asks {
    fn parse(text: &str) -> Result<Self, Problem> {
        let wrong = |why: &str| {
            Problem::invalid(format!("“{}” in network.allow cannot be used.", domain::id::shown(text)))
                .because(why)
                .next("Write `GET,HEAD http://packages.example.org/simple/`; or the host alone, where TLS is spoken within a tunnel.")
        };
        let (methods, address) = text.split_once(' ').unwrap_or(("", text));
        let rest = address
            .strip_prefix("http://")
            .ok_or_else(|| wrong("Within TLS neither method nor path can be seen: they can be told apart only over plain http."))?;
        let (authority, path) = rest.find('/').map_or((rest, "/"), |at| rest.split_at(at));
        let (host, port) = split(authority).filter(|_| !authority.contains('*')).ok_or_else(|| wrong("Its host is not well formed."))?;
        let port = if authority.ends_with(&format!(":{port}")) { port } else { HTTP_PORT };
        let target = Target::new(host, port).ok_or_else(|| wrong("Its host is not well formed."))?;
        let known =
            |name: &str| name.parse::<Method>().ok().filter(|m| *m != Method::CONNECT && name.bytes().all(|b| b.is_ascii_uppercase()));
        let methods: Option<Vec<Method>> = methods.split(',').filter(|m| !m.is_empty()).map(known).collect();
        let methods = methods.ok_or_else(|| wrong("Its methods are not well formed."))?;
        if !plain(path) || path.contains(['?', '#']) {
            return Err(wrong("Its path is not well formed."));
        }
        Ok(Self { target, methods, path: path.to_owned() })
    }

    fn matches(&self, target: &Target, method: &Method, path: &str) -> bool {
        let begins = path.strip_prefix(&self.path).is_some_and(|rest| rest.is_empty() || self.path.ends_with('/') || rest.starts_with('/'));
        self.target == *target && (self.methods.is_empty() || self.methods.contains(method)) && begins && plain(path)
    }
}

/// A path that every reader reads alike: nothing in it goes up, is empty, or is spelled in codes that a server may read as such.
fn plain(path: &str) -> bool {
    let lower = path.to_ascii_lowercase();
    let coded = ["%2e", "%2f", "%5c", "%00", "%25", "\\", "//", ";"].iter().any(|odd| lower.contains(odd));
    path.starts_with('/') && !coded && !path.split('/').any(|part| matches!(part, "." | ".."))
}

impl Entry {
    fn parse(text: &str) -> Result<Self, Problem> {
        let (subdomains, rest) = text.strip_prefix("*.").map_or((false, text), |rest| (true, rest));
        split(rest)
            .and_then(|(host, port)| Target::new(host, port))
            .filter(|target| !subdomains || target.literal().is_none())
            .map(|target| Self { target, subdomains })
            .ok_or_else(|| {
                Problem::invalid(format!("“{}” in network.allow is not a host.", domain::id::shown(text)))
                    .next("Write packages.example.org:443, *.example.org:443 or [2001:db8::1]:443.")
            })
    }

    fn matches(&self, target: &Target) -> bool {
        if self.target.port != target.port {
            return false;
        }
        if !self.subdomains {
            return self.target.host == target.host;
        }
        target.literal().is_none() && target.host.strip_suffix(&self.target.host).is_some_and(|left| left.len() > 1 && left.ends_with('.'))
    }
}

fn split(text: &str) -> Option<(&str, u16)> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?,
        None => text.find(':').map_or((text, ""), |at| text.split_at(at)),
    };
    match port.strip_prefix(':') {
        Some(number) if number.bytes().all(|b| b.is_ascii_digit()) => Some((host, number.parse().ok()?)),
        None if port.is_empty() => Some((host, DEFAULT_PORT)),
        _ => None,
    }
}

/// A host in the one spelling in which hosts are compared.
fn spelled(host: &str) -> Option<String> {
    let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
    if let Ok(address) = bare.parse::<IpAddr>() {
        return Some(address.to_canonical().to_string());
    }
    let name = bare.strip_suffix('.').unwrap_or(bare).to_ascii_lowercase();
    let label = |l: &str| !l.is_empty() && l.len() <= 63 && l.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    (name.len() <= HOST_BYTES_MAX && name.split('.').all(label)).then_some(name)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use proptest::prelude::*;

    fn allows(list: &[&str], host: &str, port: u16) -> bool {
        let network = Network { allow: list.iter().map(|s| (*s).to_owned()).collect() };
        Target::new(host, port).is_some_and(|t| Allow::parse(&network).unwrap().allows(&t))
    }

    #[test]
    fn an_entry_allows_exactly_what_it_names() {
        let list = ["example.net", "*.example.org:8443", "127.0.0.1:3000", "[2001:db8::1]:443", "Index.Example.NET.:443"];
        for (host, port, expected) in [
            ("example.net", 443, true),
            ("EXAMPLE.net.", 443, true),
            ("example.net", 80, false),
            ("example.net..", 443, false),
            ("evil-example.net", 443, false),
            ("example.net.evil.com", 443, false),
            ("a.example.org", 8443, true),
            ("a.b.example.org", 8443, true),
            ("example.org", 8443, false),
            (".example.org", 8443, false),
            ("badexample.org", 8443, false),
            ("a.example.org", 443, false),
            ("127.0.0.1", 3000, true),
            ("[::ffff:127.0.0.1]", 3000, true),
            ("127.1", 3000, false),
            ("2130706433", 3000, false),
            ("localhost", 3000, false),
            ("[2001:db8::1]", 443, true),
            ("[2001:DB8:0::1]", 443, true),
            ("index.example.net", 443, true),
            ("example.net\0.evil.com", 443, false),
            ("example.net", 0, false),
        ] {
            assert_eq!(allows(&list, host, port), expected, "{host}:{port}");
        }
        assert!(!allows(&[], "example.net", 443));
    }

    #[test]
    fn methods_and_paths_are_told_apart_over_plain_http_and_open_no_tunnel() {
        let list = ["GET,HEAD http://packages.example.org/simple/", "http://git.example.org:3000/team/repo.git", "plain.example.org:80"];
        let allow = Allow::parse(&Network { allow: list.iter().map(|s| (*s).to_owned()).collect() }).unwrap();
        for (method, url, expected) in [
            ("GET", "http://packages.example.org/simple/flask/", true),
            ("HEAD", "http://packages.example.org/simple/", true),
            ("GET", "http://packages.example.org/simple", false),
            ("POST", "http://packages.example.org/simple/flask/", false),
            ("GET", "http://packages.example.org/upload", false),
            ("GET", "http://packages.example.org/simple/../upload", false),
            ("GET", "http://packages.example.org/simple/%2E%2e/upload", false),
            ("GET", "http://packages.example.org/simple//x", false),
            ("GET", "http://packages.example.org/simple/..%2fupload", false),
            ("GET", "http://packages.example.org:8080/simple/x", false),
            ("POST", "http://git.example.org:3000/team/repo.git/git-upload-pack", true),
            ("POST", "http://git.example.org:3000/team/repo.gitx/git-upload-pack", false),
            ("POST", "http://git.example.org/team/repo.git/x", false),
            ("PUT", "http://plain.example.org/any", true),
        ] {
            let uri: Uri = url.parse().unwrap();
            let target = Target::new(uri.host().unwrap(), uri.port_u16().unwrap_or(80)).unwrap();
            assert_eq!(allow.allows_asking(&target, &method.parse().unwrap(), &uri), expected, "{method} {url}");
        }
        let target = |host| Target::new(host, 80).unwrap();
        assert!(!allow.allows(&target("packages.example.org")) && allow.knows(&target("packages.example.org")));
        for bad in [
            "GET https://x.org/",
            "CONNECT http://x.org/",
            "get http://x.org/",
            "http://*.x.org/",
            "http://x.org/a/../b",
            "http://",
            "http://x.org/?q",
        ] {
            assert!(Allow::parse(&Network { allow: vec![bad.into()] }).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_entry_that_would_allow_everything_or_nothing_is_refused() {
        for bad in [
            "",
            "*",
            "*.",
            "*:443",
            "*.10.0.0.1",
            "a b",
            "https://x.org",
            "x.org/path",
            "x.org:0",
            "x.org:",
            "x.org:99999",
            "a..b",
            "[::1",
            "::1",
            "x:+1",
        ] {
            assert!(Allow::parse(&Network { allow: vec![bad.into()] }).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn nothing_breaks_the_parser(text in ".{0,40}", host in ".{0,40}", port: u16) {
            let allow = Allow::parse(&Network { allow: vec![text] });
            if let (Ok(allow), Some(target)) = (allow, Target::new(&host, port)) {
                let _ = allow.allows(&target);
            }
        }
    }
}
