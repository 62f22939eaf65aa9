//! Runs that another device asks for: here is known of them what their signed manifest tells.

use super::{Asked, reserve, verify};
use crate::org::Org;
use domain::{Problem, lease::Admission};
use std::sync::Arc;

/// As [`super::admit`], for a run that another device asks for: its manifest is kept too, in the one transaction with the lease. Who is
/// refused leaves nothing here.
///
/// # Errors
/// When the journal cannot be written. A refusal is not an error.
pub async fn admit_of_another(org: &Arc<Org>, asked: &Asked) -> Result<Admission, Problem> {
    match verify(org, &asked.manifest).await {
        Ok(wanted) => reserve(org, asked, wanted, Some(org.store.blobs().to_park(asked.envelope.to_json()?)?)).await,
        Err(refusal) => Ok(Admission::Refused { reasons: vec![refusal] }),
    }
}
