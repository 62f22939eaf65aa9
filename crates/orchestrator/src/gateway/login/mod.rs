//! Logins of coding engines: held by the gateway alone, renewed by it alone.
//!
//! A login's refresh token works once: whoever uses it gets a new one, and all copies of the old one are dead. So no engine
//! gets it. The vault has the only copy; one refresher a login (a lock by its name) renews the access when it is about to end
//! or was refused, writes the new login back before anybody uses it, and all calls that waited take the same result.
//!
//! Sources: `codex login` (`auth.json`, `POST /oauth/token`), `github/copilot` (`copilot_internal/v2/token`), RFC 6749, 6.

mod codex;
mod copilot;
mod oauth;
mod renew;

use super::{Client, Granted};
use crate::{clock, org::blocking};
use domain::{CredentialName, Problem, Timestamp};
use identity::{Secret, vault::Vault};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

/// The logins of one org's vault.
#[derive(Debug, Default)]
pub struct Logins {
    doors: Mutex<BTreeMap<CredentialName, Arc<Door>>>,
}

/// One login: whoever holds the lock may renew it.
#[derive(Default)]
struct Door {
    /// What was had for a login whose access is not kept in the vault, and for which login.
    short: tokio::sync::Mutex<Option<(Secret, Access)>>,
}

impl std::fmt::Debug for Door {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Door(…)")
    }
}

/// What a login gives for a while.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Access {
    token: Secret,
    until: Option<Timestamp>,
    /// Further headers of the provider's, name and value.
    headers: Vec<(&'static str, String)>,
}

impl Access {
    fn lasts(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| until.0.saturating_sub(super::limits::LOGIN_RENEW_MS) > now.0)
    }

    fn granted(&self) -> Result<Granted, Problem> {
        let mut headers = http::HeaderMap::new();
        for (name, value) in &self.headers {
            headers.insert(*name, value.parse().map_err(|_| odd("an account's name that cannot be sent"))?);
        }
        Ok(Granted { key: self.token.clone(), headers, renewable: true })
    }
}

/// A login as it lies in the vault, read.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Login {
    /// `auth.json` of Codex with a ChatGPT account.
    Codex(codex::Codex),
    /// A GitHub login with Copilot.
    Copilot(copilot::Copilot),
    /// Any provider's OAuth login.
    OAuth(oauth::OAuth),
}

impl Login {
    /// Reads a login: the file that an engine made when its person signed in.
    ///
    /// # Errors
    /// When it is none that is known.
    pub(crate) fn parse(secret: &Secret) -> Result<Self, Problem> {
        if let Some(copilot) = copilot::Copilot::parse(secret.expose()) {
            return Ok(Self::Copilot(copilot));
        }
        // Errors of the parser are not shown: they may quote what is inside.
        let value: serde_json::Value = serde_json::from_str(secret.expose()).map_err(|_| odd("something that is not JSON"))?;
        codex::Codex::read(&value)
            .map(Self::Codex)
            .or_else(|| oauth::OAuth::read(&value).map(Self::OAuth))
            .ok_or_else(|| odd("neither Codex's auth.json, nor a GitHub login, nor an OAuth login"))
    }

    /// What sort it is, for people.
    pub(crate) fn words(&self) -> &'static str {
        match self {
            Self::Codex(_) => "a ChatGPT login of Codex",
            Self::Copilot(_) => "a GitHub login with Copilot",
            Self::OAuth(_) => "an OAuth login",
        }
    }

    /// Until when its access lasts, where it says so.
    pub(crate) fn until(&self) -> Option<Timestamp> {
        match self {
            Self::Codex(login) => login.access().until,
            Self::OAuth(login) => login.access().until,
            Self::Copilot(_) => None,
        }
    }
}

impl Logins {
    /// What opens the provider's door now. `refused` is an access that the provider did not take: then another one is had.
    ///
    /// # Errors
    /// When the login is odd or gone, or its provider does not renew it.
    pub async fn grant(
        &self,
        vault: &Arc<Vault>,
        http: &Client,
        name: &CredentialName,
        refused: Option<&Secret>,
    ) -> Result<Granted, Problem> {
        let door = Arc::clone(self.doors.lock().unwrap_or_else(PoisonError::into_inner).entry(name.clone()).or_default());
        // One at a time: who waited finds what the one before had.
        let mut short = door.short.lock().await;
        let kept = read(vault, name).await?;
        let login = Login::parse(&kept)?;
        let usable = |access: &Access| access.lasts(clock::now()) && refused != Some(&access.token);
        match login {
            Login::Copilot(copilot) => {
                if let Some((of, access)) = short.as_ref()
                    && *of == kept
                    && usable(access)
                {
                    return access.granted();
                }
                let access = renew::copilot(http, name, &copilot).await?;
                let granted = access.granted();
                *short = Some((kept, access));
                granted
            }
            Login::Codex(login) => {
                let access = login.access();
                if usable(&access) {
                    return access.granted();
                }
                let renewed = renew::codex(http, name, &login).await?;
                write(vault, name, kept, renewed.text()).await?;
                renewed.access().granted()
            }
            Login::OAuth(login) => {
                let access = login.access();
                if usable(&access) {
                    return access.granted();
                }
                let renewed = renew::oauth(http, name, &login).await?;
                write(vault, name, kept, renewed.text()).await?;
                renewed.access().granted()
            }
        }
    }
}

async fn read(vault: &Arc<Vault>, name: &CredentialName) -> Result<Secret, Problem> {
    let (vault, name) = (Arc::clone(vault), name.clone());
    blocking(move || Ok(vault.get(&name)?.secret)).await
}

/// Puts the renewed login into the place of the one that it came from. Where a person signed in anew meanwhile, theirs stays.
async fn write(vault: &Arc<Vault>, name: &CredentialName, old: Secret, new: Secret) -> Result<(), Problem> {
    let (vault, wanted) = (Arc::clone(vault), name.clone());
    let replaced = blocking(move || vault.replace_secret(&wanted, &old, new)).await?;
    if !replaced {
        tracing::info!(%name, "the login was set anew while it was being renewed; the new one stays");
    }
    Ok(())
}

fn odd(what: &str) -> Problem {
    Problem::invalid(format!("The login holds {what}."))
        .next("Sign in again with the engine (codex login, copilot), and set the file that it wrote: meshwork credential set NAME --kind login < FILE.")
}

#[cfg(test)]
mod tests;
