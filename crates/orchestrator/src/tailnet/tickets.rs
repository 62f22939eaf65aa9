//! The pre-auth keys behind the tickets that this device made, by their numbers at the server: what ends a ticket here ends its key there.
//! Nothing of it is secret: the keys themselves nobody remembers.

use crate::{
    clock,
    data_dir::{OrgDir, make_private, storage, write_private},
    join::desk,
    org::Org,
};
use domain::{
    Kind, OrgName, Problem, ServerUrl, Timestamp,
    event::kind,
    join::{Invite, Joiner, JoinerState},
};
use forge::OrgState;
use mesh::tailnet::{
    headscale::{Headscale, Node},
    policy, whois,
};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    fs,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

/// Their file, beside the settings of the tailnet.
const FILE: &str = "tickets.json";
/// Held while a file is read and written anew.
static WRITING: Mutex<()> = Mutex::new(());

/// The key behind a ticket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Key {
    /// The server that made it.
    server: ServerUrl,
    /// Its number there.
    id: String,
    /// Until when it counts by itself.
    expires: Timestamp,
    /// Whether the server knows that it counts no more.
    taken_back: bool,
}

/// By the invitation's id.
type Keys = BTreeMap<String, Key>;

impl Key {
    /// One that was just made.
    pub(super) fn new(server: ServerUrl, id: String, expires: Timestamp) -> Self {
        Self { server, id, expires, taken_back: false }
    }

    /// Whether its ticket lets nobody more in. An invitation that is not in the journal yet is about to be.
    fn is_over(&self, invite: Option<&Invite>, now: Timestamp) -> bool {
        self.expires <= now || invite.is_some_and(|invite| !desk::is_open(invite, now))
    }

    /// Whether a machine could still come with it.
    fn counts(&self, now: Timestamp) -> bool {
        !self.taken_back && self.expires > now
    }
}

/// Notes which key is behind an invitation. One that cannot be noted is taken back at once: nobody could do so later.
///
/// # Errors
/// When it cannot be written.
pub(super) async fn remember(dir: &OrgDir, api: &Headscale, invite: &str, key: Key) -> Result<(), Problem> {
    let id = key.id.clone();
    let noted = change(dir, |keys| drop(keys.insert(invite.to_owned(), key)));
    if noted.is_err()
        && let Err(problem) = api.expire_key(&id).await
    {
        tracing::warn!(
            %problem, server = %api.url(), key = id,
            "a key that no ticket has counts until it expires: take it back there (headscale preauthkeys expire --id)"
        );
    }
    noted
}

/// Takes back at the server the keys of tickets that count no more here. What fails is tried again by the next call.
///
/// # Errors
/// Why one of them still counts.
pub(crate) async fn take_back(org: &Arc<Org>) -> Result<(), Problem> {
    let now = clock::now();
    let over = org.blocking(move |org| over(org, now)).await?;
    let due = over.into_iter().filter(|(_, key)| key.counts(now)).collect();
    expire(&org.dir, org.tailnet.api().as_ref(), due).await
}

/// Takes back all that a server still has, whatever its ticket.
///
/// # Errors
/// Why one of them still counts.
pub(super) async fn take_back_all(org: &Org, api: &Headscale) -> Result<(), Problem> {
    let now = clock::now();
    let theirs = read(&org.dir)?.into_iter().filter(|(_, key)| key.server == *api.url() && key.counts(now));
    expire(&org.dir, Some(api), theirs.collect()).await
}

/// Whether no key behind a ticket counts at another server than the org's.
///
/// # Errors
/// At which server some do, and what to do there. Or when the file cannot be read.
pub(super) fn left_behind(dir: &OrgDir, org: &OrgName, server: Option<&ServerUrl>, now: Timestamp) -> Result<(), Problem> {
    let counting = read(dir)?.into_values().filter(|key| key.counts(now) && Some(&key.server) != server);
    let left: Vec<Key> = counting.collect();
    let Some(Key { server: at, .. }) = left.first() else { return Ok(()) };
    let ids: Vec<String> = left.iter().filter(|key| key.server == *at).map(|key| domain::shown(&key.id)).collect();
    Err(Problem::conflict(format!("Keys behind the org's tickets still count at {at}, which is not its Headscale server now."))
        .because("This device has not taken them back there: they count until the tickets expire.")
        .next(format!(
            "Take back there each of these (headscale preauthkeys expire --id): {}. Take out of its policy what stands between the marks \
             of “meshwork {org}”, if it is there still: headscale policy get, headscale policy set.",
            ids.join(", ")
        )))
}

/// Has the server know that these count no more; each of them is tried.
async fn expire(dir: &OrgDir, api: Option<&Headscale>, due: Keys) -> Result<(), Problem> {
    let mut failed = Ok(());
    for (invite, key) in due {
        let done = match api.filter(|api| *api.url() == key.server) {
            Some(api) => api.expire_key(&key.id).await,
            None => Err(Problem::unavailable(format!("This device has no API key of the Headscale server {} now.", key.server))
                .next(format!("Take it back there: headscale preauthkeys expire --id {}.", domain::shown(&key.id)))),
        };
        match done {
            // Of one that the server does not know nobody can come any more.
            Err(problem) if problem.kind != Kind::NotFound => failed = Err(problem),
            _ => change(dir, |keys| {
                if let Some(key) = keys.get_mut(&invite) {
                    key.taken_back = true;
                }
            })?,
        }
    }
    failed
}

/// The machines, by the server's numbers of them, that came with tickets which count no more and that nobody can be let in by any more.
/// Tickets of which nothing is left at the server are forgotten.
///
/// # Errors
/// When the journal cannot be read, or the file not be written.
pub(super) async fn left_over(org: &Arc<Org>, api: &Headscale, nodes: &[Node], state: &OrgState) -> Result<Vec<String>, Problem> {
    let now = clock::now();
    let (over, joiners) = org.blocking(move |org| Ok((over(org, now)?, desk::joiners(org)?))).await?;
    let (mut left, mut gone) = (vec![], vec![]);
    let tag = policy::joining_tag(&org.name);
    for (invite, key) in over {
        let theirs: Vec<&Node> = nodes.iter().filter(|node| key.server == *api.url() && waits(node, &key, &tag, state)).collect();
        if theirs.is_empty() && !key.counts(now) {
            gone.push(invite);
            continue;
        }
        left.extend(theirs.into_iter().filter(|node| !may_be_let_in(node, &invite, &joiners)).map(|node| node.id.clone()));
    }
    if !gone.is_empty() {
        change(&org.dir, |keys| keys.retain(|invite, _| !gone.contains(invite)))?;
    }
    Ok(left)
}

/// Whether a machine came with this key, and is no device yet.
fn waits(node: &Node, key: &Key, joining_tag: &str, state: &OrgState) -> bool {
    let came = node.pre_auth_key.as_ref().is_some_and(|used| used.id == key.id);
    came && node.tags.iter().any(|tag| tag == joining_tag) && whois::claims(&node.ip_addresses, state.devices.values()).is_none()
}

/// Whether somebody who knocked and was not declined may be at the machine: they came with its ticket, or say that it is theirs.
fn may_be_let_in(node: &Node, invite: &str, joiners: &[Joiner]) -> bool {
    let here = |text: &String| text.parse::<SocketAddr>().is_ok_and(|at| node.ip_addresses.contains(&at.ip()));
    let declined = |joiner: &&Joiner| matches!(joiner.state, JoinerState::Declined { .. });
    joiners.iter().filter(|joiner| !declined(joiner)).any(|joiner| joiner.invite == invite || joiner.knock.addresses.iter().any(here))
}

/// The keys whose ticket lets nobody more in.
fn over(org: &Org, now: Timestamp) -> Result<Keys, Problem> {
    let mut over = Keys::new();
    for (invite, key) in read(&org.dir)? {
        if key.is_over(org.store.get::<Invite>(kind::INVITE, &invite)?.as_ref(), now) {
            over.insert(invite, key);
        }
    }
    Ok(over)
}

fn read(dir: &OrgDir) -> Result<Keys, Problem> {
    let file = dir.tailnet().join(FILE);
    match fs::read(&file) {
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| {
            Problem::conflict(format!("{} is damaged: {error}.", file.display()))
                .next("Move it away: the keys of its tickets then count until they expire.")
        }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Keys::new()),
        Err(error) => Err(storage(&file, &error)),
    }
}

fn change(dir: &OrgDir, change: impl FnOnce(&mut Keys)) -> Result<(), Problem> {
    let _alone = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
    let mut keys = read(dir)?;
    change(&mut keys);
    make_private(&dir.tailnet())?;
    write_private(&dir.tailnet().join(FILE), &serde_json::to_vec(&keys).map_err(Problem::internal)?)
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{
        data_dir::DataDir,
        fixtures::{did, state},
    };
    use axum::{Router, http::StatusCode, routing::post};
    use domain::{
        join::{Admits, Knock, Ticket, VERSION},
        org::Device,
        role::Role,
    };
    use identity::Secret;

    const ADMITS: Admits = Admits::Member { role: Role::Developer };

    /// A Headscale server that answers so, until the test ends.
    pub(in super::super) async fn serving(app: Router) -> Headscale {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await });
        Headscale::new(url.parse().unwrap(), Secret::from("key")).unwrap()
    }

    fn key(server: &str, id: &str) -> Key {
        Key::new(server.parse().unwrap(), id.into(), Timestamp(100))
    }

    fn invite(used: &[char], withdrawn: bool) -> Invite {
        let ticket = Ticket {
            version: VERSION,
            id: "1".into(),
            org: "crew".parse().unwrap(),
            rid: "rad:z3gqcJUoA1n9HaHKufZs5FCSGazv5".parse().unwrap(),
            admits: ADMITS,
            expires: Timestamp(100),
            uses: 2,
            knock: vec![],
            issuer: did('a'),
            radicle: vec![],
            headscale: None,
        };
        Invite { ticket, by: did('a'), at: Timestamp(0), used: used.iter().map(|letter| did(*letter)).collect(), withdrawn }
    }

    fn knocked(invite: &str, address: &str, state: JoinerState) -> Joiner {
        let knock = Knock {
            version: VERSION,
            ticket: String::new(),
            name: "bob".into(),
            device_name: "laptop".into(),
            member: did('B'),
            device: did('b'),
            addresses: vec![address.into()],
            radicle: vec![],
            gossip: vec![],
            at: Timestamp(0),
        };
        Joiner { invite: invite.into(), admits: ADMITS, knock, at: Timestamp(0), state }
    }

    fn node(key: &str, tag: &str) -> Node {
        let node = serde_json::json!({"id": "3", "ipAddresses": ["100.64.0.3"], "tags": [tag], "preAuthKey": {"id": key}});
        serde_json::from_value(node).unwrap()
    }

    #[test]
    fn a_key_is_over_with_its_ticket() {
        let key = key("http://hs:1", "7");
        let table = [
            (Some(invite(&[], false)), 0, false),
            (Some(invite(&['b'], false)), 0, false),
            (Some(invite(&['b', 'c'], false)), 0, true),
            (Some(invite(&[], true)), 0, true),
            (Some(invite(&[], false)), 100, true),
            (None, 0, false),
            (None, 100, true),
        ];
        for (invite, now, over) in table {
            assert_eq!(key.is_over(invite.as_ref(), Timestamp(now)), over, "{invite:?} {now}");
        }
    }

    #[test]
    fn a_machine_is_left_over_when_nobody_can_be_let_in_by_it() {
        let declined = || JoinerState::Declined { why: "no".into() };
        let table = [
            (vec![], false),
            (vec![knocked("1", "100.64.0.3:7421", declined())], false),
            (vec![knocked("1", "100.64.0.3:7421", JoinerState::Waiting)], true),
            (vec![knocked("1", "10.0.0.3:7421", JoinerState::Approved)], true),
            (vec![knocked("1", "100.64.0.3:7421", declined()), knocked("2", "100.64.0.3:7421", JoinerState::Waiting)], true),
            (vec![knocked("2", "100.64.0.4:7421", JoinerState::Waiting)], false),
        ];
        for (joiners, may) in table {
            assert_eq!(may_be_let_in(&node("7", "tag:crew-joining"), "1", &joiners), may, "{joiners:?}");
        }
    }

    #[test]
    fn only_machines_of_the_key_that_are_no_devices_wait() {
        let (key, tag, mut state) = (key("http://hs:1", "7"), "tag:crew-joining", state());
        assert!(waits(&node("7", tag), &key, tag, &state));
        assert!(!waits(&node("8", tag), &key, tag, &state), "it came with another key");
        assert!(!waits(&node("7", "tag:crew-device"), &key, tag, &state), "it is let in");
        let device = Device { addresses: vec!["100.64.0.3:7421".into()], ..Device::new("laptop", did('b'), "bob") };
        state.devices.insert("laptop".into(), device);
        assert!(!waits(&node("7", tag), &key, tag, &state), "the org lists it");
    }

    #[tokio::test]
    async fn a_key_is_taken_back_once_and_what_fails_is_tried_again() {
        let asked = Arc::new(Mutex::new(Vec::<String>::new()));
        let seen = asked.clone();
        let fails_once = move |body: String| {
            let mut seen = seen.lock().unwrap();
            seen.push(body);
            std::future::ready(if seen.len() == 1 { StatusCode::INTERNAL_SERVER_ERROR } else { StatusCode::OK })
        };
        let api = serving(Router::new().route("/api/v1/preauthkey/expire", post(fails_once))).await;

        let folder = tempfile::tempdir().unwrap();
        let dir = DataDir::open(folder.path()).unwrap().org(&"crew".parse().unwrap());
        remember(&dir, &api, "1", key(api.url().as_str(), "7")).await.unwrap();
        remember(&dir, &api, "2", key("http://other:1", "8")).await.unwrap();
        let due = || read(&dir).unwrap().into_iter().filter(|(_, key)| key.counts(Timestamp(0))).collect::<Keys>();
        assert!(expire(&dir, Some(&api), due()).await.is_err());
        assert_eq!(due().len(), 2, "the server failed, and of the other one there is no API key");
        let other = expire(&dir, Some(&api), due()).await.unwrap_err();
        assert!(other.what.contains("http://other:1") && due().into_keys().eq(["2"]), "{other}");
        assert!(expire(&dir, Some(&api), due()).await.is_err());
        assert_eq!(*asked.lock().unwrap(), ["{\"id\":\"7\"}"; 2], "once taken back it is not asked for again");
    }

    #[test]
    fn keys_that_count_at_another_server_than_the_orgs_are_told_until_they_count_no_more() {
        let (folder, crew) = (tempfile::tempdir().unwrap(), "crew".parse().unwrap());
        let dir = DataDir::open(folder.path()).unwrap().org(&crew);
        let (here, other) = ("http://hs:1".parse().unwrap(), "http://other:1".parse().unwrap());
        let left = |server, now| left_behind(&dir, &crew, server, Timestamp(now));
        assert!(left(None, 0).is_ok(), "there never was one");
        let taken_back = Key { taken_back: true, ..key("http://hs:1", "8") };
        change(&dir, |keys| *keys = [("1".to_owned(), key("http://hs:1", "7")), ("2".to_owned(), taken_back)].into()).unwrap();
        assert!(left(Some(&here), 0).is_ok());
        for server in [None, Some(&other)] {
            let problem = left(server, 0).unwrap_err();
            let next = problem.next.unwrap();
            assert!(problem.what.contains("http://hs:1") && next.contains("--id): 7.") && next.contains("meshwork crew"), "{next}");
            assert!(left(server, 100).is_ok(), "they expired");
        }
    }

    #[tokio::test]
    async fn a_key_that_cannot_be_noted_is_taken_back() {
        let asked = Arc::new(Mutex::new(Vec::<String>::new()));
        let seen = asked.clone();
        let expires = move |body: String| {
            seen.lock().unwrap().push(body);
            std::future::ready(StatusCode::OK)
        };
        let api = serving(Router::new().route("/api/v1/preauthkey/expire", post(expires))).await;
        let folder = tempfile::tempdir().unwrap();
        let dir = DataDir::open(folder.path()).unwrap().org(&"crew".parse().unwrap());
        make_private(&dir.tailnet()).unwrap();
        fs::write(dir.tailnet().join(FILE), "{").unwrap();
        let refused = remember(&dir, &api, "1", key(api.url().as_str(), "7")).await.unwrap_err();
        assert!(refused.what.contains("is damaged"), "{refused}");
        assert_eq!(*asked.lock().unwrap(), ["{\"id\":\"7\"}"]);
    }
}
