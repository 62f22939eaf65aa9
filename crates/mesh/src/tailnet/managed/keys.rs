//! The API key with which a managed `headscale` is asked: made by its own command line, held in memory alone, made anew at half of its life,
//! and the one of before then taken back.

use super::{
    Headscale,
    program::{bare, command_error},
};
use crate::limits;
use domain::{Kind, Problem};
use identity::Secret;
use std::time::{Duration, SystemTime};
use tokio::{process::Command, time::timeout};

/// The keys that were made and count.
#[derive(Debug, Default)]
pub(super) struct Keys {
    now: Option<Made>,
    /// The one of before, until nobody asks with it any more.
    before: Option<Secret>,
}

#[derive(Debug)]
struct Made {
    secret: Secret,
    /// By the clock of the wall, as its end: a computer may sleep for weeks.
    at: SystemTime,
}

/// How a key stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Age {
    /// It is used.
    Good,
    /// It counts, and the next is due.
    Due,
    /// The server does not take it any more.
    Over,
}

/// How a key of this age stands. One from the future was made before the clock was set back: nobody knows its age.
fn age(made: SystemTime, now: SystemTime, lasts: Duration) -> Age {
    match now.duration_since(made) {
        Ok(age) if age < lasts / 2 => Age::Good,
        Ok(age) if age >= lasts => Age::Over,
        Ok(_) | Err(_) => Age::Due,
    }
}

impl Headscale {
    /// The API key to ask it with now. Who asks now and then has always one that counts; the one of before counts until the next time
    /// that this is asked.
    ///
    /// # Errors
    /// When there is none that counts, and the server makes none.
    pub async fn api_key(&self) -> Result<Secret, Problem> {
        let mut keys = self.keys.lock().await;
        if let Some(before) = keys.before.take() {
            self.expire_or_say(&before).await;
        }
        let now = SystemTime::now();
        let stands = keys.now.as_ref().map(|made| (made.secret.clone(), age(made.at, now, self.config.key_lasts)));
        if let Some((secret, Age::Good)) = stands {
            return Ok(secret);
        }
        match (self.new_key().await, stands) {
            (Ok(secret), _) => {
                let made = Made { secret: secret.clone(), at: now };
                keys.before = keys.now.replace(made).map(|made| made.secret);
                Ok(secret)
            }
            (Err(problem), Some((secret, Age::Due))) => {
                tracing::debug!(%problem, "the next API key was not made; the one that there is counts yet");
                Ok(secret)
            }
            (Err(problem), _) => Err(problem),
        }
    }

    /// Takes the API key back: the next is another one. For when the server does not take it.
    pub async fn forget_key(&self) {
        let mut keys = self.keys.lock().await;
        let Keys { now, before } = std::mem::take(&mut *keys);
        for secret in now.map(|made| made.secret).into_iter().chain(before) {
            self.expire_or_say(&secret).await;
        }
    }

    async fn new_key(&self) -> Result<Secret, Problem> {
        let lasts = format!("{}s", self.config.key_lasts.as_secs());
        let output = self.told(&["apikeys", "create", "--expiration", &lasts]).await?;
        let said = Secret::new(String::from_utf8_lossy(&output.stdout).into_owned());
        let key = said.expose().lines().map(str::trim).rfind(|line| !line.is_empty());
        match key {
            Some(key) if output.status.success() => Ok(Secret::from(key)),
            _ => Err(refused("headscale did not make an API key.", &output.stderr)),
        }
    }

    async fn expire_or_say(&self, key: &Secret) {
        if let Err(problem) = self.expire(key).await {
            tracing::debug!(%problem, "an API key was not taken back; it ends by itself");
        }
    }

    async fn expire(&self, key: &Secret) -> Result<(), Problem> {
        let named = prefix(key.expose()).ok_or_else(|| Problem::internal("an API key of an unknown form"))?;
        let output = self.told(&["apikeys", "expire", "--prefix", named]).await?;
        if output.status.success() {
            return Ok(());
        }
        Err(refused("headscale did not take an API key back.", &output.stderr))
    }

    /// Asks its command line.
    async fn told(&self, words: &[&str]) -> Result<std::process::Output, Problem> {
        let mut command = Command::new(&self.config.program);
        command.arg("-c").arg(self.config.file()).args(words).kill_on_drop(true);
        bare(command.as_std_mut());
        let late = |_| Problem::new(Kind::Timeout, "headscale did not answer its command line in time.");
        timeout(limits::PROGRAM_STARTS, command.output()).await.map_err(late)?.map_err(|e| command_error("headscale", &e))
    }
}

fn refused(what: &str, said: &[u8]) -> Problem {
    Problem::unavailable(what)
        .because(domain::shown(String::from_utf8_lossy(said).trim()))
        .next("See its log: headscale.log in its folder.")
}

/// The part of a key by which the server names it; no secret.
fn prefix(key: &str) -> Option<&str> {
    let (named, _) = key.strip_prefix("hskey-api-")?.split_once('-')?;
    Some(named)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_key_is_due_at_half_of_its_life_and_where_the_clock_was_set_back() {
        let (made, lasts) = (SystemTime::UNIX_EPOCH + Duration::from_secs(1_000), Duration::from_secs(100));
        let table = [(1_000, Age::Good), (1_049, Age::Good), (1_050, Age::Due), (1_099, Age::Due), (1_100, Age::Over), (999, Age::Due)];
        for (now, wanted) in table {
            assert_eq!(age(made, SystemTime::UNIX_EPOCH + Duration::from_secs(now), lasts), wanted, "{now}");
        }
    }

    #[test]
    fn what_names_a_key_is_no_secret() {
        assert_eq!(prefix("hskey-api-f6c867604e88-0c02fb363e6e").unwrap(), "f6c867604e88");
        assert_eq!(prefix("an error"), None);
    }
}
