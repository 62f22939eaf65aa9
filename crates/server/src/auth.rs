//! Who is let in: a one-time link and the cookie that it sets, for browsers; tokens, for scripts; the command line's own.
//!
//! No request without one is served, loopback included. The cookie is HttpOnly and SameSite=Strict. Requests whose `Host` or
//! `Origin` is not ours are refused, and changes that another page began, so that no other page and no rebound name can use
//! a browser that is signed in.

use crate::{agent, limits};
use domain::{
    Kind, Problem,
    actor::{Actor, Door, Via},
    role::Role,
};
use http::{HeaderMap, Method, header};
use orchestrator::{caller::Caller, machine::Machine};
use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

/// The cookie's name.
const COOKIE: &str = "meshwork";

/// Lets people and scripts in.
#[derive(Debug)]
pub struct Gate {
    machine: Arc<Machine>,
    address: SocketAddr,
    cli: Hashed,
    state: Mutex<State>,
}

/// A secret as it is kept: its hash, compared in constant time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Hashed([u8; 32]);

#[derive(Debug, Default)]
struct State {
    links: HashMap<[u8; 32], Instant>,
    /// Browsers that signed in before there was an org to keep them; a restart forgets these.
    orgless: HashMap<[u8; 32], Instant>,
}

/// What a one-time link turns into.
#[derive(Debug)]
pub struct SignIn {
    /// The `Set-Cookie` header.
    pub cookie: String,
}

impl Gate {
    /// A gate for the server at this address; `cli` is the command line's token of this start.
    pub fn new(machine: Arc<Machine>, address: SocketAddr, cli: &str) -> Arc<Self> {
        Arc::new(Self { machine, address, cli: Hashed(hash(cli)), state: Mutex::default() })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new one-time link for a browser.
    ///
    /// # Errors
    /// When the system gives no randomness.
    pub fn link(&self) -> Result<String, Problem> {
        let secret = secret()?;
        let mut state = self.state();
        state.links.retain(|_, made| made.elapsed() < limits::LINK_VALID);
        if state.links.len() >= limits::LINKS_MAX {
            state.links.clear();
        }
        state.links.insert(hash(&secret), Instant::now());
        Ok(format!("http://{}/sign-in?code={secret}", self.address))
    }

    /// Uses a one-time link up.
    ///
    /// # Errors
    /// When it is unknown, used, or too old.
    pub(crate) async fn sign_in(&self, code: &str, headers: &HeaderMap) -> Result<SignIn, Problem> {
        let made = self.state().links.remove(&hash(code)).filter(|made| made.elapsed() < limits::LINK_VALID);
        made.ok_or_else(|| {
            Problem::new(Kind::Unauthenticated, "This link was used before, or is too old.").next("Make a new one: meshwork open.")
        })?;
        let session = match self.machine.org() {
            Ok(org) => org.sign_in(&agent::named(headers)).await?.expose().to_owned(),
            Err(_) => self.sign_in_orgless()?,
        };
        let seconds = orchestrator::limits::BROWSER_SESSION_MS / 1000;
        Ok(SignIn { cookie: format!("{COOKIE}={session}; Path=/; HttpOnly; SameSite=Strict; Max-Age={seconds}") })
    }

    fn sign_in_orgless(&self) -> Result<String, Problem> {
        let session = secret()?;
        let mut state = self.state();
        if state.orgless.len() >= limits::ORGLESS_SESSIONS_MAX {
            state.orgless.clear();
        }
        state.orgless.insert(hash(&session), Instant::now());
        Ok(session)
    }

    /// Ends the session of a browser.
    ///
    /// # Errors
    /// When the journal does not take it: the browser then stays signed in.
    pub(crate) async fn sign_out(&self, headers: &HeaderMap) -> Result<(), Problem> {
        let Some(session) = cookie(headers) else { return Ok(()) };
        self.state().orgless.remove(&hash(session));
        let Ok(org) = self.machine.org() else { return Ok(()) };
        match org.caller_by_cookie(session)? {
            Some(Caller { member: Some(did), via, browser: Some(id), .. }) => org.sign_out(&Actor { did, via: Some(via) }, vec![id]).await,
            _ => Ok(()),
        }
    }

    /// Whether a request is meant for this server, and not made by another page.
    ///
    /// # Errors
    /// When its `Host` or `Origin` is somebody else's, or it changes something and the browser says that another page made
    /// it (`Sec-Fetch-Site`, <https://www.w3.org/TR/fetch-metadata/>).
    pub(crate) fn same_origin(&self, method: &Method, headers: &HeaderMap) -> Result<(), Problem> {
        let text = |name| headers.get(name).and_then(|v| v.to_str().ok());
        let port = self.address.port();
        let ours = |host: &str| {
            let (name, at) = host.rsplit_once(':').unwrap_or((host, "80"));
            let known = ["localhost", "127.0.0.1", "[::1]"].contains(&name)
                || name == self.address.ip().to_string()
                || name.ends_with(".localhost");
            known && at == port.to_string()
        };
        let foreign =
            |what: &str| Problem::new(Kind::Forbidden, format!("The request was made for {}, not for this server.", domain::shown(what)));
        match text(header::HOST) {
            Some(host) if ours(host) => {}
            other => return Err(foreign(other.unwrap_or("nobody"))),
        }
        if !method.is_safe() && elsewhere(headers) {
            return Err(Problem::new(Kind::Forbidden, "Another page made the browser send this request.")
                .next("Do it in the dashboard or with the command line; scripts send a token, and no Sec-Fetch-Site."));
        }
        match text(header::ORIGIN) {
            Some(origin) if !origin.strip_prefix("http://").is_some_and(ours) => Err(foreign(origin)),
            _ => Ok(()),
        }
    }

    /// Who makes a request.
    ///
    /// # Errors
    /// When nobody signed in.
    pub(crate) fn caller(&self, headers: &HeaderMap) -> Result<Caller, Problem> {
        let bearer = headers.get(header::AUTHORIZATION).and_then(|v| v.to_str().ok()).and_then(|v| v.strip_prefix("Bearer "));
        match (bearer, cookie(headers)) {
            (Some(token), _) => self.by_token(token.trim()),
            (None, Some(session)) => self.by_session(session),
            (None, None) => Err(stranger()),
        }
    }

    fn member(&self) -> Option<domain::Did> {
        self.machine.org().ok().map(|org| org.member.clone())
    }

    fn by_session(&self, session: &str) -> Result<Caller, Problem> {
        if let Ok(org) = self.machine.org()
            && let Some(caller) = org.caller_by_cookie(session)?
        {
            return Ok(caller);
        }
        if self.state().orgless.get(&hash(session)).is_some_and(|since| since.elapsed() < limits::ORGLESS_SESSION_VALID) {
            let via = Via { door: Door::Dashboard, token: None };
            return Ok(Caller { member: self.member(), role: Role::Owner, via, browser: None });
        }
        Err(stranger())
    }

    fn by_token(&self, token: &str) -> Result<Caller, Problem> {
        if Hashed(hash(token)) == self.cli {
            let via = Via { door: Door::Cli, token: None };
            return Ok(Caller { member: self.member(), role: Role::Owner, via, browser: None });
        }
        let org = self.machine.org().map_err(|_| stranger())?;
        org.caller_by_token(token)?.ok_or_else(stranger)
    }
}

/// Whether the browser says that a page of another site, or of another server on this machine, began it.
pub(crate) fn elsewhere(headers: &HeaderMap) -> bool {
    headers.get("sec-fetch-site").is_some_and(|site| site == "cross-site" || site == "same-site")
}

fn stranger() -> Problem {
    Problem::new(Kind::Unauthenticated, "Nobody is signed in.").next(
        "In a browser open the link that `meshwork open` prints; in a script send “Authorization: Bearer <token>” (meshwork token create).",
    )
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|v| v.to_str().ok()).flat_map(|v| v.split(';'));
    all.filter_map(|pair| pair.trim().split_once('=')).find(|(name, _)| *name == COOKIE).map(|(_, value)| value)
}

/// Kept instead of the secret itself; comparing hashes tells nothing by its timing.
fn hash(secret: &str) -> [u8; 32] {
    *blake3::hash(secret.as_bytes()).as_bytes()
}

/// A secret for a link or a session.
fn secret() -> Result<String, Problem> {
    orchestrator::lifecycle::secret()
}
