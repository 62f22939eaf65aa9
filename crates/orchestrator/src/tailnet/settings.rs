//! What is asked for: `tailnet.toml` of the org repository, which every device reads, and what this device alone knows: that it runs the
//! server, and the server's API key, which lies in the vault and nowhere else.

use crate::{
    clock,
    data_dir::{OrgDir, make_private, storage, write_private},
    org::Org,
};
use domain::{
    CredentialName, Oid, Problem, Rid, ServerUrl,
    org::{Tailnet, VERSION},
};
use forge::{Forge, OrgState};
use identity::{
    Secret,
    vault::{Credential, CredentialInfo, CredentialKind, Vault},
};
use serde::{Deserialize, Serialize};
use std::{
    fs,
    net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket},
};

/// Its file in the org repository.
pub(super) const FILE: &str = "tailnet.toml";
/// What the API key is called in the vault. It is for nothing else.
pub(crate) const CREDENTIAL: &str = "headscale";
/// The usual port of a server that is run here.
const PORT: u16 = 8080;

/// Which tailscaled of this machine gets into an org's tailnet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tailscaled {
    /// The host's, or the one that `MESHWORK_TAILSCALED` names.
    Hosts,
    /// One of the org's own, in a network namespace of the org's own.
    Own,
}

impl Tailscaled {
    /// The one that was asked for.
    ///
    /// # Errors
    /// When this machine cannot have an own one.
    pub(crate) fn asked(own: bool) -> Result<Self, Problem> {
        if !own {
            return Ok(Self::Hosts);
        }
        super::own::able()?;
        Ok(Self::Own)
    }
}

/// Which server an org is to have.
#[derive(Debug)]
pub enum Server {
    /// One that this device runs, and that listens there.
    Managed {
        /// Where others reach it.
        listen: SocketAddr,
    },
    /// One that is there.
    At {
        /// Its address.
        url: ServerUrl,
        /// Its API key.
        key: Option<Secret>,
        /// The tailscaled here.
        tailscaled: Tailscaled,
    },
}

/// What this device alone knows of a server that it runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Managed {
    /// Where it listens.
    pub(super) listen: SocketAddr,
    /// Where others reach it. It is the org's only as long as the org repository says the same.
    pub(super) url: ServerUrl,
}

/// Reads what a person asked for: `managed`, or an address.
///
/// # Errors
/// When it is neither.
pub(crate) fn asked(server: &str, listen: Option<&str>, key: Option<Secret>, tailscaled: Tailscaled) -> Result<Server, Problem> {
    if server != "managed" {
        if listen.is_some() {
            return Err(
                Problem::invalid("A server that is there listens already.").next("Give --headscale-listen with --headscale managed.")
            );
        }
        return Ok(Server::At { url: server.parse()?, key, tailscaled });
    }
    if tailscaled == Tailscaled::Own {
        return Err(Problem::invalid("An org with a tailscaled of its own cannot run its server too.")
            .because("The org's process is in a network namespace then, where others do not reach a server.")
            .next("Have another org of this machine run it, or run headscale by itself, and give its address with --headscale."));
    }
    let listen = match listen {
        Some(text) => text.parse::<SocketAddr>().map_err(|_| {
            Problem::invalid(format!("“{}” is not an address to listen at.", domain::shown(text)))
                .next("Give one of this machine's that others reach, as 192.168.1.7:8080.")
        })?,
        None => SocketAddr::new(own_address(), PORT),
    };
    if listen.ip().is_unspecified() || listen.port() == 0 {
        return Err(Problem::invalid("Others must be able to reach the server at this address.")
            .next("Give one of this machine's with a port, as --headscale-listen 192.168.1.7:8080."));
    }
    Ok(Server::Managed { listen })
}

/// This machine's address on the way out. Nothing is sent.
fn own_address() -> IpAddr {
    let way_out = || {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
        socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9)).ok()?;
        Some(socket.local_addr().ok()?.ip())
    };
    way_out().unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST))
}

/// Writes into a new org's repository which tailnet it is, and here whether this device runs its server, or a tailscaled for it.
pub(crate) fn begin(forge: &Forge, rid: &Rid, dir: &OrgDir, server: &Server) -> Result<(), Problem> {
    let headscale = match server {
        Server::At { url, .. } => url.clone(),
        Server::Managed { listen } => format!("http://{listen}").parse()?,
    };
    let text = toml::to_string_pretty(&Tailnet { version: VERSION, headscale: headscale.clone() }).map_err(Problem::internal)?;
    forge.change_org(rid, "Say which tailnet it is", &[(FILE.to_owned(), Some(text.into_bytes()))])?;
    match server {
        Server::Managed { listen } => run_here(dir, &Managed { listen: *listen, url: headscale }),
        Server::At { tailscaled: Tailscaled::Own, .. } => dir.give_own_tailscaled(),
        Server::At { tailscaled: Tailscaled::Hosts, .. } => Ok(()),
    }
}

/// Has this device run this server from now on.
pub(super) fn run_here(dir: &OrgDir, server: &Managed) -> Result<(), Problem> {
    make_private(&dir.tailnet())?;
    write_private(&record_file(dir), &serde_json::to_vec_pretty(server).map_err(Problem::internal)?)
}

/// Puts the API key into the vault of an org that is not open.
pub(crate) fn keep_key(dir: &OrgDir, server: Server) -> Result<(), Problem> {
    let Server::At { url, key: Some(secret), .. } = server else { return Ok(()) };
    crate::unlock::open(&dir.vault())?.set(credential(&url, secret)?)
}

/// The API key of a server, as the vault keeps it: with the server to which alone it goes.
pub(super) fn credential(server: &ServerUrl, secret: Secret) -> Result<Credential, Problem> {
    let provider = Some(server.to_string());
    let info = CredentialInfo { name: name()?, kind: CredentialKind::Token, provider, scopes: vec![], created: clock::now() };
    Ok(Credential { info, secret })
}

/// For which server an API key is that a person sets: the one that is named, else the org's.
///
/// # Errors
/// When what is named is no address, or the org has no server.
pub(crate) fn server_of_key(org: &Org, named: Option<&str>) -> Result<ServerUrl, Problem> {
    if let Some(named) = named {
        return named.parse();
    }
    let settings = read_at(&org.forge, &org.rid, &org.state()?.commit)?;
    settings.map(|settings| settings.headscale).ok_or_else(|| {
        Problem::conflict("The org has no Headscale server for which this key could be.").next(
            "Name the server in tailnet.toml of the org repository first, or say whose the key is: --provider https://headscale.example.",
        )
    })
}

/// What a person has to know who gives this server's API key to this device; none where nobody on the way can read it.
pub fn in_the_clear(server: &ServerUrl) -> Option<String> {
    let said = || format!("its API key goes to {server} over plain HTTP: who is on the way can read it, and do everything at the server");
    server.is_in_the_clear().then(said)
}

fn name() -> Result<CredentialName, Problem> {
    CREDENTIAL.parse()
}

/// The API key of a server, where this device has it.
///
/// # Errors
/// When the one that it has is another server's, to which alone it goes. Or when the vault cannot be read.
pub(super) fn key(vault: &Vault, server: &ServerUrl) -> Result<Option<Secret>, Problem> {
    let found = match vault.get(&name()?) {
        Ok(found) => found,
        Err(problem) if problem.kind == domain::Kind::NotFound => return Ok(None),
        Err(problem) => return Err(problem),
    };
    match found.info.provider.as_deref() {
        Some(its) if is_same(its, server.as_str()) => Ok(Some(found.secret)),
        its => {
            Err(Problem::conflict(format!("This device's API key is not for the org's Headscale server {server}, and is not sent there."))
                .because(its.map_or("It is not said whose it is.".to_owned(), |its| format!("It is for {}.", domain::shown(its))))
                .next(
                    "Set the key of the new server (headscale apikeys create there): meshwork credential set headscale --kind token. \
                 Or forget the old one: meshwork credential remove headscale.",
                ))
        }
    }
}

/// Whether two addresses are one server's.
pub(super) fn is_same(one: &str, other: &str) -> bool {
    one.trim_end_matches('/') == other.trim_end_matches('/')
}

/// What the org repository says at a commit.
///
/// # Errors
/// When the file has mistakes, or is of a newer version.
pub(crate) fn read_at(forge: &Forge, rid: &Rid, commit: &Oid) -> Result<Option<Tailnet>, Problem> {
    let files = forge.files(rid, commit, &[FILE])?;
    let Some(content) = files.get(FILE) else { return Ok(None) };
    let wrong = |why: &str| {
        Problem::conflict(format!("{FILE} of the org repository has a mistake.")).because(domain::shown(why)).next("An owner can mend it.")
    };
    let text = std::str::from_utf8(content).map_err(|_| wrong("It is not Unicode."))?;
    let tailnet: Tailnet = toml::from_str(text).map_err(|error| wrong(error.message()))?;
    if tailnet.version == 0 {
        return Err(wrong("There is no version 0."));
    }
    if tailnet.version > VERSION {
        return Err(Problem::conflict(format!("{FILE} is of version {}, newer than this Meshwork.", tailnet.version))
            .next("Install a newer Meshwork on this device."));
    }
    Ok(Some(tailnet))
}

/// What this device knows of the org's server, where it is the one that this device runs: one that it ran for the org before is not.
pub(super) fn managed(dir: &OrgDir, server: &ServerUrl) -> Result<Option<Managed>, Problem> {
    Ok(recorded(dir)?.filter(|managed| is_same(managed.url.as_str(), server.as_str())))
}

/// What a person has to know of a server that this device ran for the org, which names another now; none where there is none.
pub(super) fn given_up(dir: &OrgDir, server: &ServerUrl) -> Option<Problem> {
    let ran = recorded(dir).ok().flatten().filter(|managed| !is_same(managed.url.as_str(), server.as_str()))?;
    let file = record_file(dir);
    Some(
        Problem::conflict(format!("This device ran the org's Headscale server {}, and the org names {server} now: it is ended.", ran.url))
            .because("One that is not the org's lets nobody in any more.")
            .next(format!(
                "Where {server} leads to this device, as through a proxy, write that address as “url” into {}: it is started again. Else \
                 remove that file.",
                file.display()
            )),
    )
}

/// The org's server in a state of it, where this device runs it.
pub(crate) fn served(org: &Org, state: &OrgState) -> Result<Option<ServerUrl>, Problem> {
    let Some(managed) = recorded(&org.dir)? else { return Ok(None) };
    let settings = read_at(&org.forge, &org.rid, &state.commit)?;
    Ok(settings.map(|settings| settings.headscale).filter(|server| is_same(managed.url.as_str(), server.as_str())))
}

fn recorded(dir: &OrgDir) -> Result<Option<Managed>, Problem> {
    let file = record_file(dir);
    match fs::read(&file) {
        Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|error| {
            Problem::conflict(format!("{} is damaged: {error}.", file.display())).next("Restore it: meshwork restore <file>.")
        }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(storage(&file, &error)),
    }
}

fn record_file(dir: &OrgDir) -> std::path::PathBuf {
    dir.tailnet().join("managed.json")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::data_dir::DataDir;

    #[test]
    fn a_server_is_asked_for_by_a_word_or_an_address() {
        let asked = |server, listen, key| asked(server, listen, key, Tailscaled::Hosts);
        let managed = asked("managed", Some("10.0.0.5:8081"), None).unwrap();
        assert!(matches!(managed, Server::Managed { listen } if listen == "10.0.0.5:8081".parse().unwrap()));
        assert!(matches!(asked("https://hs.example", None, Some("k".into())), Ok(Server::At { key: Some(_), .. })));
        let table = [("mangaged", None), ("hs.example", None), ("managed", Some("0.0.0.0:8080")), ("managed", Some("10.0.0.5:0"))];
        for (server, listen) in table.into_iter().chain([("managed", Some("x")), ("https://hs.example", Some("10.0.0.5:1"))]) {
            let problem = asked(server, listen, None).unwrap_err();
            assert!(problem.kind == domain::Kind::Invalid && problem.next.is_some(), "{server} {listen:?}: {problem}");
        }
    }

    #[test]
    fn a_server_is_not_run_in_a_network_namespace() {
        let refused = asked("managed", Some("10.0.0.5:8081"), None, Tailscaled::Own).unwrap_err();
        assert!(refused.kind == domain::Kind::Invalid && refused.why.unwrap().contains("namespace"));
        let own = asked("https://hs.example", None, None, Tailscaled::Own).unwrap();
        assert!(matches!(own, Server::At { tailscaled: Tailscaled::Own, .. }));
    }

    #[test]
    fn a_server_that_this_device_runs_is_the_orgs_as_long_as_the_org_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let dir = DataDir::open(folder.path()).unwrap().org(&"crew".parse().unwrap());
        let runs = |server: &str| managed(&dir, &server.parse().unwrap()).unwrap().is_some();
        assert!(!runs("http://10.0.0.5:8080"));
        run_here(&dir, &Managed { listen: "10.0.0.5:8080".parse().unwrap(), url: "http://10.0.0.5:8080".parse().unwrap() }).unwrap();
        assert!(runs("http://10.0.0.5:8080") && runs("http://10.0.0.5:8080/"));
        assert!(!runs("https://10.0.0.5:8080") && !runs("http://10.0.0.6:8080"));
    }

    #[test]
    fn a_key_is_found_for_its_own_server_alone() {
        let folder = tempfile::tempdir().unwrap();
        let vault = crate::unlock::open(&folder.path().join("vault")).unwrap();
        let (its, other): (ServerUrl, ServerUrl) = ("https://hs.example".parse().unwrap(), "http://hs.example".parse().unwrap());
        assert!(key(&vault, &its).unwrap().is_none());
        vault.set(credential(&its, "k".into()).unwrap()).unwrap();
        assert!(key(&vault, &its).unwrap().is_some());
        let problem = key(&vault, &other).unwrap_err();
        assert!(problem.why.is_some_and(|why| why.contains("https://hs.example")) && problem.next.unwrap().contains("credential set"));
        let nobodys = credential(&its, "k".into()).unwrap();
        vault.set(Credential { info: CredentialInfo { provider: None, ..nobodys.info }, ..nobodys }).unwrap();
        assert!(key(&vault, &its).is_err(), "nobody said whose it is");
    }
}
