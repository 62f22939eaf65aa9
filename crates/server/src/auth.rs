//! Who is let in: a one-time link and the cookie that it sets, for browsers; tokens, for scripts; the command line's own.
//!
//! No request without one is served, loopback included. The cookie is HttpOnly and SameSite=Strict. Requests whose `Host` or
//! `Origin` is not ours are refused, and changes that another page began, so that no other page and no rebound name can use
//! a browser that is signed in. Where each org has a process of its own, it answers to `<org>.localhost` only, or to the
//! machine's own names with the header `Meshwork-Org`, which no other page can send: sessions and tokens are of one org.

use crate::{agent, limits};
use domain::{
    Kind, OrgName, Problem,
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
/// The header that names an org, for who cannot reach it by its own host name.
pub(crate) const ORG: &str = "meshwork-org";

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

    /// The address for browsers.
    pub fn url(&self) -> String {
        match &self.machine.options.only {
            Some(org) => org_url(org, self.address),
            None => format!("http://{}", self.address),
        }
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
        Ok(format!("{}/sign-in?code={secret}", self.url()))
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
        let foreign = |what: &str| {
            Problem::new(Kind::Forbidden, format!("The request was made for {}, not for this server.", domain::shown(what)))
                .next(format!("Send it to {}, with that as its Host, and with no other Origin.", self.url()))
        };
        let host = text(header::HOST).unwrap_or("nobody");
        let serves = self.serves();
        if !self.ours(host, serves.as_ref(), headers) {
            return Err(foreign(host));
        }
        if let Some(org) = serves
            && let Some(named) = headers.get(ORG)
        {
            is_named(&org, named.as_bytes(), || self.caller(headers).is_ok())?;
        }
        if !method.is_safe() && elsewhere(headers) {
            return Err(Problem::new(Kind::Forbidden, "Another page made the browser send this request.")
                .next("Do it in the dashboard or with the command line; scripts send a token, and no Sec-Fetch-Site."));
        }
        match text(header::ORIGIN) {
            Some(origin) if origin.strip_prefix("http://") != Some(host) => Err(foreign(origin)),
            _ => Ok(()),
        }
    }

    /// The org that is served here, where there is one.
    fn serves(&self) -> Option<OrgName> {
        self.machine.options.only.clone().or_else(|| self.machine.org().ok().map(|org| org.name.clone()))
    }

    /// Whether a request for this host is for us, who serve this org; at the machine's own names the header may have to name it.
    fn ours(&self, host: &str, serves: Option<&OrgName>, headers: &HeaderMap) -> bool {
        let right_port = host.rsplit_once(':').map_or("80", |(_, port)| port) == self.address.port().to_string();
        right_port
            && match host_name(host).strip_suffix(".localhost") {
                Some(named) => serves.is_none_or(|org| org.as_str() == named),
                None => self.is_machine(host_name(host)) && (self.machine.options.only.is_none() || headers.contains_key(ORG)),
            }
    }

    /// Whether this is one of the machine's own names.
    fn is_machine(&self, name: &str) -> bool {
        ["localhost", "127.0.0.1", "[::1]"].contains(&name) || name == self.address.ip().to_string()
    }

    /// Who makes a request.
    ///
    /// # Errors
    /// When nobody signed in.
    pub(crate) fn caller(&self, headers: &HeaderMap) -> Result<Caller, Problem> {
        match (bearer(headers), cookie(headers)) {
            (Some(token), _) => self.by_token(token.trim()),
            (None, Some(session)) => self.by_session(session),
            (None, None) => Err(stranger("Nobody is signed in.")),
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
        Err(stranger("This browser is signed in no more, or elsewhere."))
    }

    fn by_token(&self, token: &str) -> Result<Caller, Problem> {
        if Hashed(hash(token)) == self.cli {
            let via = Via { door: Door::Cli, token: None };
            return Ok(Caller { member: self.member(), role: Role::Owner, via, browser: None });
        }
        let unknown = || stranger("This token is unknown here, or counts no more.");
        let org = self.machine.org().map_err(|_| unknown())?;
        org.caller_by_token(token)?.ok_or_else(unknown)
    }
}

/// Refuses a request whose header names another org than the one that is served here. Who is not signed in does not learn which that is.
fn is_named(org: &OrgName, named: &[u8], signed_in: impl FnOnce() -> bool) -> Result<(), Problem> {
    if named == org.as_str().as_bytes() {
        return Ok(());
    }
    let named = domain::shown(&String::from_utf8_lossy(named));
    if !signed_in() {
        return Err(Problem::new(Kind::Forbidden, format!("The header Meshwork-Org names the org “{named}”, which is not served here."))
            .next("Send the name of the org whose address this is."));
    }
    Err(Problem::new(Kind::Forbidden, format!("The header Meshwork-Org names the org “{named}”, and here it is {org}."))
        .next(format!("Send “Meshwork-Org: {org}”, or leave the header out where the address is of {org} alone.")))
}

/// The address of an org for browsers: a host name of its own, so that cookies are, too.
pub fn org_url(org: &OrgName, at: SocketAddr) -> String {
    format!("http://{org}.localhost:{}", at.port())
}

/// A `Host` without its port.
pub(crate) fn host_name(host: &str) -> &str {
    host.rsplit_once(':').map_or(host, |(name, _)| name)
}

/// Whether the browser says that a page of another site, or of another server on this machine, began it.
pub(crate) fn elsewhere(headers: &HeaderMap) -> bool {
    headers.get("sec-fetch-site").is_some_and(|site| site == "cross-site" || site == "same-site")
}

fn stranger(what: &str) -> Problem {
    Problem::new(Kind::Unauthenticated, what).next(
        "In a browser open the link that `meshwork open` prints; in a script send “Authorization: Bearer <token>” (meshwork token create).",
    )
}

/// The token that a script sends. The word before it may be written in either case (RFC 9110, 11.1).
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token)
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use http::HeaderValue;

    #[test]
    fn a_token_is_found_however_its_scheme_is_written() {
        let found = |value: &'static str| {
            let headers = HeaderMap::from_iter([(header::AUTHORIZATION, HeaderValue::from_static(value))]);
            bearer(&headers).map(str::to_owned)
        };
        for value in ["Bearer mw_One", "bearer mw_One", "BEARER mw_One"] {
            assert_eq!(found(value).as_deref(), Some("mw_One"), "{value}");
        }
        for value in ["Basic mw_One", "Bearermw_One", "mw_One", ""] {
            assert_eq!(found(value), None, "{value}");
        }
        assert_eq!(bearer(&HeaderMap::new()), None);
    }

    #[test]
    fn a_header_that_names_another_org_is_refused_with_both_names() {
        let crew: OrgName = "crew".parse().unwrap();
        assert!(is_named(&crew, b"crew", || false).is_ok());
        let to_a_stranger = is_named(&crew, b"beta", || false).unwrap_err();
        assert!(to_a_stranger.what.contains("“beta”") && !format!("{to_a_stranger:?}").contains("crew"), "{to_a_stranger:?}");
        for (named, shown) in [(&b"beta"[..], "“beta”"), (&b"Crew"[..], "“Crew”"), (&b""[..], "“”"), (&b"b\xff"[..], "“b\u{fffd}”")]
        {
            let refused = is_named(&crew, named, || true).unwrap_err();
            assert!(refused.what.contains(shown) && refused.what.ends_with("it is crew."), "{refused:?}");
            assert!(refused.next.is_some_and(|next| next.contains("Meshwork-Org: crew")));
        }
    }
}
