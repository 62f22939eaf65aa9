//! A client of tailscaled's LocalAPI: HTTP over its unix socket, as the `tailscale` command uses it. It tells how the machine stands in
//! its tailnet, and who is at an address there; it can enter a tailnet with a pre-auth key. What it does not know of answers it ignores.

use super::{bounded, or_nothing, strange};
use crate::limits;
use domain::{Kind, Problem};
use http_body_util::Full;
use hyper::{Method, Request, StatusCode, body::Bytes};
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::{
    net::UnixStream,
    time::{Instant, sleep, timeout},
};

/// Where the host's `tailscaled` usually listens.
pub const SOCKET: &str = "/var/run/tailscale/tailscaled.sock";
/// The only host name that tailscaled answers to here.
const HOST: &str = "local-tailscaled.sock";

/// One `tailscaled`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalApi {
    socket: PathBuf,
}

/// How a `tailscaled` stands.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Status {
    /// Its version.
    #[serde(default)]
    pub version: String,
    /// Whether it has a network device; without one neither gossip nor Radicle get through it.
    #[serde(default, rename = "TUN")]
    pub tun: bool,
    /// Where it is on the way into the tailnet.
    pub backend_state: State,
    /// This machine's addresses in the tailnet.
    #[serde(default, rename = "TailscaleIPs", deserialize_with = "or_nothing")]
    pub addresses: Vec<IpAddr>,
    /// This machine.
    #[serde(default, rename = "Self")]
    pub own: Option<Peer>,
    /// What is wrong, in its own words.
    #[serde(default, deserialize_with = "or_nothing")]
    pub health: Vec<String>,
    /// The others, by their keys.
    #[serde(default, rename = "Peer", deserialize_with = "or_nothing")]
    pub peers: BTreeMap<String, Peer>,
}

impl Status {
    /// This machine's address in the tailnet, where it is in one: of the fourth version of IP if it has such.
    pub fn address(&self) -> Option<IpAddr> {
        let all = || self.addresses.iter().filter(|_| self.backend_state == State::Running);
        all().find(|ip| ip.is_ipv4()).or_else(|| all().next()).copied()
    }

    /// What it says is wrong by which others are not reached, or will not be; not that an update is there, or that names are not its to
    /// resolve. It is known by the words of Tailscale's `health/warnings.go`: the LocalAPI gives nothing else. That no relay is reached
    /// counts only where something goes to a machine that is not reached directly.
    pub fn out_of_touch(&self) -> Vec<&str> {
        let relayed = self.peers.values().any(|peer| peer.active && peer.cur_addr.is_empty());
        let counts = |said: &&str| {
            OUT_OF_TOUCH.iter().any(|words| said.to_lowercase().contains(words)) || (relayed && said.to_lowercase().contains(RELAY))
        };
        self.health.iter().map(String::as_str).filter(counts).collect()
    }
}

/// What tailscaled says, in lower case, when it is cut off from its tailnet's server, or from everything.
const OUT_OF_TOUCH: [&str; 4] =
    ["unable to connect to the tailscale coordination server", "map from the coordination server", "logged out", "network is down"];
/// What it says when it does not reach a relay.
const RELAY: &str = "relay server";

/// Where a `tailscaled` is on the way into its tailnet.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
pub enum State {
    /// It has just begun.
    NoState,
    /// It is in no tailnet.
    NeedsLogin,
    /// Whoever keeps the tailnet has to let it in.
    NeedsMachineAuth,
    /// It was told to be down.
    Stopped,
    /// It is coming up.
    Starting,
    /// It is in its tailnet.
    Running,
    /// Something else, in its own word.
    Other(String),
}

impl From<String> for State {
    fn from(word: String) -> Self {
        match word.as_str() {
            "NoState" => Self::NoState,
            "NeedsLogin" => Self::NeedsLogin,
            "NeedsMachineAuth" => Self::NeedsMachineAuth,
            "Stopped" => Self::Stopped,
            "Starting" => Self::Starting,
            "Running" => Self::Running,
            _ => Self::Other(word),
        }
    }
}

/// A machine of the tailnet.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Peer {
    /// What it calls itself.
    pub host_name: String,
    /// Its name in the tailnet, with a dot at its end.
    #[serde(rename = "DNSName")]
    pub dns_name: String,
    /// Its addresses there.
    #[serde(rename = "TailscaleIPs", deserialize_with = "or_nothing")]
    pub addresses: Vec<IpAddr>,
    /// Its tags.
    #[serde(deserialize_with = "or_nothing")]
    pub tags: Vec<String>,
    /// Whether the server sees it.
    pub online: bool,
    /// Whether something went there a short while ago.
    pub active: bool,
    /// Where traffic goes to directly now, as `host:port`; empty: through a relay, or nowhere.
    pub cur_addr: String,
    /// The region of its relay.
    pub relay: String,
    /// Bytes that came from it.
    pub rx_bytes: u64,
    /// Bytes that went to it.
    pub tx_bytes: u64,
}

/// Who is at an address of the tailnet.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Whois {
    /// The machine.
    pub node: WhoisNode,
    /// The user to whom it belongs; of a tagged machine this is nobody.
    #[serde(default)]
    pub user_profile: User,
}

/// A machine, as `whois` tells it.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct WhoisNode {
    /// Its name in the tailnet, with a dot at its end.
    pub name: String,
    /// Its stable id.
    #[serde(rename = "StableID")]
    pub stable_id: String,
    /// Its addresses, each as `address/bits`.
    #[serde(deserialize_with = "or_nothing")]
    pub addresses: Vec<String>,
    /// Its tags.
    #[serde(deserialize_with = "or_nothing")]
    pub tags: Vec<String>,
}

impl WhoisNode {
    /// Its addresses.
    pub fn ips(&self) -> Vec<IpAddr> {
        self.addresses.iter().filter_map(|a| a.split('/').next()?.parse().ok()).collect()
    }
}

/// A user of the tailnet.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct User {
    /// The name with which they sign in.
    pub login_name: String,
    /// The name that is shown.
    pub display_name: String,
}

/// What a `tailscaled` was told.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Prefs {
    /// The server of its tailnet.
    #[serde(rename = "ControlURL")]
    pub control_url: String,
    /// Whether it is to be up.
    pub want_running: bool,
    /// What it calls itself.
    pub hostname: String,
}

/// What is needed to enter a tailnet.
#[derive(Clone, Copy, Debug)]
pub struct Enter<'a> {
    /// The server.
    pub server: &'a str,
    /// The pre-auth key.
    pub auth_key: &'a identity::Secret,
    /// What the machine is to call itself.
    pub host_name: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Start<'a> {
    auth_key: &'a str,
    update_prefs: Wanted<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Wanted<'a> {
    #[serde(rename = "ControlURL")]
    control_url: &'a str,
    want_running: bool,
    hostname: &'a str,
    // The machine's own resolver stays as it is: addresses are what Meshwork uses.
    #[serde(rename = "CorpDNS")]
    corp_dns: bool,
}

impl LocalApi {
    /// The one that listens at this socket.
    pub fn new(socket: impl Into<PathBuf>) -> Self {
        Self { socket: socket.into() }
    }

    /// Where it listens.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// How it stands.
    ///
    /// # Errors
    /// When it does not run, does not let this user ask, or answers strangely.
    pub async fn status(&self) -> Result<Status, Problem> {
        self.ask(Method::GET, "status", None).await.and_then(|bytes| read(&bytes))
    }

    /// What it was told.
    ///
    /// # Errors
    /// As [`Self::status`].
    pub async fn prefs(&self) -> Result<Prefs, Problem> {
        self.ask(Method::GET, "prefs", None).await.and_then(|bytes| read(&bytes))
    }

    /// Who is at an address, as a connection from there shows it; none where nobody of the tailnet is.
    ///
    /// # Errors
    /// As [`Self::status`].
    pub async fn whois(&self, at: SocketAddr) -> Result<Option<Whois>, Problem> {
        // An address of the sixth version has brackets, which a query may not.
        let query = format!("whois?addr={}", at.to_string().replace('[', "%5B").replace(']', "%5D"));
        match self.ask(Method::GET, &query, None).await {
            Ok(bytes) => read(&bytes).map(Some),
            Err(problem) if problem.kind == Kind::NotFound => Ok(None),
            Err(problem) => Err(problem),
        }
    }

    /// Enters a tailnet, which leaves any that it was in. Only root and tailscaled's operator may. Returns before it is in.
    ///
    /// # Errors
    /// As [`Self::status`].
    pub async fn enter(&self, into: Enter<'_>) -> Result<(), Problem> {
        let wanted = Wanted { control_url: into.server, want_running: true, hostname: into.host_name, corp_dns: false };
        let start = Start { auth_key: into.auth_key.expose(), update_prefs: wanted };
        let body = serde_json::to_vec(&start).map_err(Problem::internal)?;
        self.ask(Method::POST, "start", Some(body)).await?;
        // Without this a key that was just given waits for the next start.
        self.ask(Method::POST, "login-interactive", None).await.map(drop)
    }

    /// Waits until it is in its tailnet.
    ///
    /// # Errors
    /// When it is not in time: then with what it says is wrong.
    pub async fn until_running(&self, within: Duration) -> Result<Status, Problem> {
        let until = Instant::now() + within;
        loop {
            let seen = self.status().await;
            match seen {
                Ok(status) if status.address().is_some() => return Ok(status),
                Ok(status) if Instant::now() >= until => {
                    let said = if status.health.is_empty() { String::new() } else { format!(" It says: {}", status.health.join(" ")) };
                    return Err(Problem::new(Kind::Timeout, "tailscaled did not get into the tailnet in time.")
                        .because(format!("It is {:?}.{said}", status.backend_state))
                        .next("See whether the Headscale server is up, and whether the key still counts; it is tried again."));
                }
                Err(problem) if Instant::now() >= until => return Err(problem),
                _ => sleep(limits::TAILSCALED_LOOK_EVERY).await,
            }
        }
    }

    async fn ask(&self, method: Method, path: &str, body: Option<Vec<u8>>) -> Result<Vec<u8>, Problem> {
        timeout(limits::LOCAL_API, self.answered(method, path, body)).await.unwrap_or_else(|_| {
            Err(Problem::new(Kind::Timeout, format!("tailscaled at {} did not answer in time.", self.socket.display()))
                .next("See its log; start it again: systemctl restart tailscaled."))
        })
    }

    async fn answered(&self, method: Method, path: &str, body: Option<Vec<u8>>) -> Result<Vec<u8>, Problem> {
        let stream = UnixStream::connect(&self.socket).await.map_err(|e| self.away(&e))?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|e| self.away(&e))?;
        // Ends with the request, since the sender is dropped then.
        let driven = tokio::spawn(connection);
        let request = Request::builder()
            .method(method)
            .uri(format!("/localapi/v0/{path}"))
            .header("host", HOST)
            .body(Full::new(Bytes::from(body.unwrap_or_default())))
            .map_err(Problem::internal)?;
        let answer = sender.send_request(request).await.map_err(|e| self.away(&e))?;
        let status = answer.status();
        let bytes = bounded(answer.into_body(), limits::LOCAL_API_BYTES_MAX, "tailscaled").await?;
        driven.abort();
        if status.is_success() {
            return Ok(bytes);
        }
        let said = domain::shown(String::from_utf8_lossy(&bytes).trim());
        Err(match status {
            StatusCode::NOT_FOUND => Problem::not_found("tailscaled does not know it.").because(said),
            StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED => Problem::new(Kind::Forbidden, "tailscaled does not let this user do that.")
                .because(said)
                .next("Let it, once, as root: tailscale set --operator=$USER."),
            _ => Problem::unavailable(format!("tailscaled answered {status}.")).because(said),
        })
    }

    fn away(&self, error: &dyn std::error::Error) -> Problem {
        Problem::unavailable(format!("tailscaled cannot be asked at {}.", self.socket.display()))
            .because(format!("{}.", domain::shown(&error.to_string())))
            .next("Install Tailscale and start it (systemctl start tailscaled), or name its socket in MESHWORK_TAILSCALED.")
    }
}

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(bytes).map_err(|error| strange("tailscaled", &error))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::UnixListener,
    };

    /// What tailscaled 1.100.0 answered, shortened.
    const NEEDS_LOGIN: &str = r#"{"Version":"1.100.0","TUN":true,"BackendState":"NeedsLogin","AuthURL":"","TailscaleIPs":null,
        "Self":{"ID":"","HostName":"vm","TailscaleIPs":null,"Addrs":[]},"Health":["Tailscale is stopped."],"Peer":null,"User":null}"#;
    const RUNNING: &str = r#"{"Version":"1.100.0","TUN":true,"BackendState":"Running","HaveNodeKey":true,
        "TailscaleIPs":["100.64.0.2","fd7a:115c:a1e0::2"],
        "Self":{"ID":"2","HostName":"adas-box","DNSName":"adas-box.lab.test.","TailscaleIPs":["100.64.0.2","fd7a:115c:a1e0::2"],
        "Tags":["tag:acme-device"],"Online":true},"Health":[],
        "Peer":{"nodekey:7c34":{"HostName":"bobs-box","DNSName":"bobs-box.lab.test.","TailscaleIPs":["100.64.0.1"],
        "Tags":["tag:acme-device"],"Addrs":null,"CurAddr":"10.98.0.12:41641","Relay":"lab","RxBytes":12,"TxBytes":7,"Online":true}}}"#;
    const WHOIS: &str = r#"{"Node":{"ID":2,"StableID":"2","Name":"adas-box.lab.test.","User":2147455555,
        "Addresses":["100.64.0.2/32","fd7a:115c:a1e0::2/128"],"Tags":["tag:acme-device"],"Hostinfo":{"OS":"linux"}},
        "UserProfile":{"ID":2147455555,"LoginName":"tagged-devices","DisplayName":"Tagged Devices"},"CapMap":null}"#;

    #[test]
    fn real_answers_are_read() {
        let status: Status = read(NEEDS_LOGIN.as_bytes()).unwrap();
        assert_eq!((status.backend_state.clone(), status.address()), (State::NeedsLogin, None));
        assert_eq!(status.health, ["Tailscale is stopped."]);
        let status: Status = read(RUNNING.as_bytes()).unwrap();
        assert_eq!(status.address(), Some("100.64.0.2".parse().unwrap()));
        let peer = status.peers.values().next().unwrap();
        assert_eq!((peer.host_name.as_str(), peer.tags.as_slice(), peer.tx_bytes), ("bobs-box", &["tag:acme-device".to_owned()][..], 7));
        let whois: Whois = read(WHOIS.as_bytes()).unwrap();
        assert_eq!(whois.node.ips(), ["100.64.0.2".parse::<IpAddr>().unwrap(), "fd7a:115c:a1e0::2".parse().unwrap()]);
        assert_eq!(whois.user_profile.login_name, "tagged-devices");
        assert_eq!(State::from("Dancing".to_owned()), State::Other("Dancing".into()));
    }

    #[test]
    fn of_what_tailscaled_says_only_that_counts_by_which_others_are_not_reached() {
        let cut = "Unable to connect to the Tailscale coordination server to synchronize the state of your tailnet. Peer reachability \
                   might degrade over time.";
        let late = "Tailscale hasn't received a network map from the coordination server in 2m5s.";
        let relay = "Tailscale could not connect to any relay server. Check your Internet connection.";
        let mut status: Status = read(RUNNING.as_bytes()).unwrap();
        status.health = vec![
            "An update from version 1.100.0 to 1.102.0 is available.".into(),
            "System DNS config not ideal. /etc/resolv.conf overwritten.".into(),
            relay.into(),
        ];
        assert!(status.out_of_touch().is_empty(), "who is reached directly needs no relay");
        status.health.extend([cut.into(), late.into(), "You are logged out.".into()]);
        assert_eq!(status.out_of_touch(), [cut, late, "You are logged out."]);
        status.health.truncate(3);
        for peer in status.peers.values_mut() {
            (peer.active, peer.cur_addr) = (true, String::new());
        }
        assert_eq!(status.out_of_touch(), [relay]);
    }

    /// Answers one request with this, and gives what was asked.
    async fn answering(answer: Vec<u8>) -> (tempfile::TempDir, LocalApi, tokio::task::JoinHandle<String>) {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("s");
        let listener = UnixListener::bind(&socket).unwrap();
        let asked = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut asked = vec![0; 4096];
            let read = stream.read(&mut asked).await.unwrap();
            let _ = stream.write_all(&answer).await;
            String::from_utf8_lossy(&asked[..read]).into_owned()
        });
        (dir, LocalApi::new(socket), asked)
    }

    fn http(status: &str, body: &str) -> Vec<u8> {
        format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into_bytes()
    }

    #[tokio::test]
    async fn it_is_asked_by_the_only_host_name_that_it_takes() {
        let (_dir, api, asked) = answering(http("200 OK", WHOIS)).await;
        let whois = api.whois("100.64.0.2:80".parse().unwrap()).await.unwrap().unwrap();
        assert_eq!(whois.node.name, "adas-box.lab.test.");
        let asked = asked.await.unwrap();
        assert!(asked.starts_with("GET /localapi/v0/whois?addr=100.64.0.2:80 ") && asked.contains(HOST), "{asked}");
    }

    #[tokio::test]
    async fn nobody_a_refusal_and_too_much_are_told_apart() {
        let (_dir, api, _) = answering(http("404 Not Found", "no match for IP:port")).await;
        assert_eq!(api.whois("[fd7a::9]:1".parse().unwrap()).await.unwrap(), None);
        let (_dir, api, _) = answering(http("403 Forbidden", "no")).await;
        let problem = api.status().await.unwrap_err();
        assert!(problem.kind == Kind::Forbidden && problem.next.unwrap().contains("--operator"));
        let much = " ".repeat(limits::LOCAL_API_BYTES_MAX + 1);
        let (_dir, api, _) = answering(http("200 OK", &much)).await;
        assert!(api.status().await.unwrap_err().what.contains("could not be read"));
        let gone = LocalApi::new("/nonexistent/tailscaled.sock").status().await.unwrap_err();
        assert!(gone.kind == Kind::Unavailable && gone.next.unwrap().contains("MESHWORK_TAILSCALED"));
    }
}
