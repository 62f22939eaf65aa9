//! Browsers that signed in: let in again by the cookie that they hold, of which only a hash is kept, until it expires or they are
//! signed out. So a restart signs nobody out.

use crate::{caller::Caller, clock, limits, org::Org};
use domain::{
    Kind, Problem,
    actor::{Actor, Door, Via},
    event::Body,
    role::Role,
};
use identity::{Secret, token};

impl Org {
    /// Signs a browser in. The answer is what its cookie holds: it is not kept.
    ///
    /// # Errors
    /// When too many browsers are signed in, or the journal does not take it.
    pub async fn sign_in(&self, label: &str) -> Result<Secret, Problem> {
        let now = clock::now();
        let expires = now.plus_ms(limits::BROWSER_SESSION_MS);
        let (cookie, record) = token::create(Role::Owner, label, now, Some(expires))?;
        let event = self.event(browser_actor(self), Body::BrowserSignedIn { id: record.id.clone() });
        self.store.insert_browser(record, event).await?;
        Ok(cookie)
    }

    /// Whose browser holds this cookie, if it counts.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn caller_by_cookie(&self, cookie: &str) -> Result<Option<Caller>, Problem> {
        let Some(id) = token::id(cookie) else { return Ok(None) };
        let Some(record) = self.store.browser(id)? else { return Ok(None) };
        if record.check(cookie, clock::now()).is_err() {
            return Ok(None);
        }
        let via = Via { door: Door::Dashboard, token: None };
        Ok(Some(Caller { member: Some(self.member.clone()), role: record.role, via, browser: Some(record.id) }))
    }

    /// Signs browsers out; streams that they have open end.
    ///
    /// # Errors
    /// When one of them is not signed in.
    pub async fn sign_out(&self, actor: &Actor, ids: Vec<String>) -> Result<(), Problem> {
        if ids.is_empty() {
            return Ok(());
        }
        let events = ids.iter().map(|id| self.event(actor, Body::BrowserSignedOut { id: id.clone() })).collect();
        self.store.remove_browsers(ids, events).await.map_err(|problem| match problem.kind {
            Kind::NotFound => Problem::not_found("This browser is not signed in any more.").next("Load the list again."),
            _ => problem,
        })?;
        self.shut_out.send_replace(());
        Ok(())
    }
}

fn browser_actor(org: &Org) -> Actor {
    Actor { did: org.member.clone(), via: Some(Via { door: Door::Dashboard, token: None }) }
}
