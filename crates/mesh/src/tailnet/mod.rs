//! The tailnet: this machine's `tailscaled` ([`localapi`]), the server of an org's tailnet ([`headscale`]), what may reach what there
//! ([`policy`], [`rewrite`]), and both programs where Meshwork runs them itself ([`managed`]).
//!
//! Nothing here knows the org repository: what is needed of it is handed in. None of it is in the way of what runs: where a server is
//! away, connections that exist stay, and only what is new waits.

pub mod headscale;
pub mod localapi;
pub mod managed;
pub mod policy;
pub mod rewrite;
pub mod whois;

use domain::{Kind, Problem};
use http_body_util::BodyExt;
use serde::{Deserialize, Deserializer};

/// What Go writes as `null` where there is nothing counts as nothing.
fn or_nothing<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(from: D) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(from)?.unwrap_or_default())
}

/// Reads a body up to a size.
///
/// # Errors
/// When it breaks off, or is larger.
async fn bounded<B>(body: B, bytes_max: usize, of: &str) -> Result<Vec<u8>, Problem>
where
    B: hyper::body::Body,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let read = http_body_util::Limited::new(body, bytes_max).collect().await;
    let whole = read.map_err(|error| {
        Problem::new(Kind::Unavailable, format!("The answer of {of} could not be read."))
            .because(format!("{}; at most {bytes_max} bytes are read.", domain::shown(&error.to_string())))
    })?;
    Ok(whole.to_bytes().to_vec())
}

/// What is told of an answer that is not understood.
fn strange(of: &str, error: &serde_json::Error) -> Problem {
    Problem::new(Kind::Unavailable, format!("{of} answered in a way that is not understood."))
        .because(domain::shown(&error.to_string()))
        .next("Use a version of it that Meshwork was tried with: docs/guide.md names them.")
}
