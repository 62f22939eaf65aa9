//! A model's key on its way from the vault into one request.

use domain::Problem;
use http::HeaderValue;
use identity::Secret;

/// A key. No way out but into a header.
pub(super) struct ModelKey(Secret);

impl ModelKey {
    pub(super) fn new(value: Secret) -> Self {
        Self(value)
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
