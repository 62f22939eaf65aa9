//! A model's key on its way from the vault into one request.

use domain::Problem;
use futures::future::BoxFuture;
use http::{HeaderMap, HeaderValue};
use identity::Secret;
use std::sync::Arc;

/// Fetches the key of the run's model, anew for each call: a changed one counts at once. With the key that the provider just
/// refused, where there was one: a login is then renewed.
pub type KeySource = Arc<dyn Fn(Option<Secret>) -> BoxFuture<'static, Result<Granted, Problem>> + Send + Sync>;

/// What opens the provider's door for one call.
#[derive(Debug)]
pub struct Granted {
    /// The key, or a login's access token.
    pub key: Secret,
    /// Further headers that go with it.
    pub headers: HeaderMap,
    /// Whether a new one can be had where this one is refused.
    pub renewable: bool,
}

impl From<Secret> for Granted {
    fn from(key: Secret) -> Self {
        Self { key, headers: HeaderMap::new(), renewable: false }
    }
}

/// A source of one plain key.
pub fn plain_key(read: impl Fn() -> Result<Secret, Problem> + Send + Sync + 'static) -> KeySource {
    Arc::new(move |_| {
        let read = read().map(Granted::from);
        Box::pin(async move { read })
    })
}

/// As [`Granted`], on its way into a request.
pub(super) struct Access {
    pub(super) key: ModelKey,
    pub(super) headers: HeaderMap,
    pub(super) renewable: bool,
}

impl From<Granted> for Access {
    fn from(granted: Granted) -> Self {
        Self { key: ModelKey::new(granted.key), headers: granted.headers, renewable: granted.renewable }
    }
}

/// A key. No way out but into a header.
pub(super) struct ModelKey(Secret);

impl ModelKey {
    pub(super) fn new(value: Secret) -> Self {
        Self(value)
    }

    /// The key, to say which one was refused.
    pub(super) fn secret(&self) -> Secret {
        self.0.clone()
    }

    /// The key itself; blanks around it (an editor's last newline) are no part of it.
    pub(super) fn bytes(&self) -> &[u8] {
        self.0.expose().trim().as_bytes()
    }

    /// As a header's value, marked so that no HTTP library shows it.
    pub(super) fn header(&self, prefix: &str) -> Result<HeaderValue, Problem> {
        let key = self.bytes();
        let usable = !key.is_empty() && key.iter().all(u8::is_ascii_graphic);
        let mut value = HeaderValue::from_bytes(&[prefix.as_bytes(), key].concat()).ok().filter(|_| usable).ok_or_else(|| {
            Problem::invalid("Its value cannot be a key: it is empty, or has blanks or characters that are not ASCII.")
                .next("Set it again with `meshwork credential set`.")
        })?;
        value.set_sensitive(true);
        Ok(value)
    }
}
