//! X.509 certificates without an authority: a device's is made by itself, from its own key; a run's is made by the device that
//! executes it. Both carry a SPIFFE id (<https://spiffe.io/docs/latest/spiffe-about/spiffe-concepts/>) as their only name.
//!
//! What counts is the key: whoever reads a certificate gets a [`Subject`] whose key made it, and decides by the org repository
//! whether that subject may come in. Certificates are short-lived and renew by themselves; clocks may differ by
//! [`limits::CLOCKS_DIFFER_MS`](crate::limits::CLOCKS_DIFFER_MS).

mod own;
mod read;
mod tls;

pub use own::{Clock, Own, Sign};
pub use read::{Usage, read};
pub use tls::{Accept, client, server};

use crate::{key, limits};
use domain::{Did, OrgName, Problem, RunId, Timestamp};
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, Issuer, KeyUsagePurpose, PublicKeyData, SanType, SerialNumber,
    SignatureAlgorithm,
};
use rustls_pki_types::CertificateDer;
use std::fmt;
use time::OffsetDateTime;

/// Whom a certificate is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    /// A device, by the key that made the certificate.
    Device {
        /// The org as whose device it speaks.
        org: OrgName,
        /// Its key.
        did: Did,
    },
    /// A run, as a device says that executes it.
    Run {
        /// The org.
        org: OrgName,
        /// The run.
        run: RunId,
        /// The device that issued the certificate.
        issuer: Did,
    },
}

impl Subject {
    /// The org as whose it speaks.
    pub fn org(&self) -> &OrgName {
        match self {
            Self::Device { org, .. } | Self::Run { org, .. } => org,
        }
    }

    /// The device whose key vouches for it: itself, or the one that executes the run.
    pub fn device(&self) -> &Did {
        match self {
            Self::Device { did, .. } => did,
            Self::Run { issuer, .. } => issuer,
        }
    }
}

/// The SPIFFE id.
impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Device { org, did } => write!(f, "spiffe://{org}/device/{did}"),
            Self::Run { org, run, .. } => write!(f, "spiffe://{org}/run/{run}"),
        }
    }
}

/// Makes a device's certificate, valid from a moment on for as long as [`limits::DEVICE_CERTIFICATE_MS`].
fn device(org: &OrgName, did: &Did, at: Timestamp, sign: &Sign) -> Result<CertificateDer<'static>, Problem> {
    let subject = Subject::Device { org: org.clone(), did: did.clone() };
    let params = params(&subject, at, limits::DEVICE_CERTIFICATE_MS)?;
    let made = params.self_signed(&Signing { public: key::public_key(did)?, sign: sign.clone() });
    Ok(made.map_err(Problem::internal)?.der().clone())
}

/// Makes a run's certificate for this public key, issued by a device.
fn run(org: &OrgName, run: &RunId, public: [u8; 32], issuer: &Did, at: Timestamp, sign: &Sign) -> Result<CertificateDer<'static>, Problem> {
    let subject = Subject::Run { org: org.clone(), run: run.clone(), issuer: issuer.clone() };
    let above = params(&Subject::Device { org: org.clone(), did: issuer.clone() }, at, limits::DEVICE_CERTIFICATE_MS)?;
    let issuer = Issuer::new(above, Signing { public: key::public_key(issuer)?, sign: sign.clone() });
    let made = params(&subject, at, limits::RUN_CERTIFICATE_MS)?.signed_by(&Public(public), &issuer);
    Ok(made.map_err(Problem::internal)?.der().clone())
}

fn params(subject: &Subject, at: Timestamp, valid_ms: u64) -> Result<CertificateParams, Problem> {
    let mut params = CertificateParams::default();
    let mut name = DistinguishedName::new();
    let common = match subject {
        Subject::Device { did, .. } => did.to_string(),
        Subject::Run { run, .. } => run.to_string(),
    };
    name.push(DnType::CommonName, common);
    params.distinguished_name = name;
    params.subject_alt_names = vec![SanType::URI(subject.to_string().try_into().map_err(Problem::internal)?)];
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = match subject {
        Subject::Device { .. } => vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth],
        // A run asks; nobody asks it.
        Subject::Run { .. } => vec![ExtendedKeyUsagePurpose::ClientAuth],
    };
    params.not_before = moment(at)?;
    params.not_after = moment(at.plus_ms(valid_ms))?;
    let mut serial = [0u8; 16];
    getrandom::fill(&mut serial).map_err(|e| Problem::unavailable("The system gives no randomness.").because(e.to_string()))?;
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    Ok(params)
}

fn moment(at: Timestamp) -> Result<OffsetDateTime, Problem> {
    OffsetDateTime::from_unix_timestamp(at.0.div_euclid(1000)).map_err(Problem::internal)
}

/// A public key as `rcgen` wants it.
struct Public([u8; 32]);

impl PublicKeyData for Public {
    fn der_bytes(&self) -> &[u8] {
        &self.0
    }
    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &rcgen::PKCS_ED25519
    }
}

/// A key that lives elsewhere, as `rcgen` wants it.
struct Signing {
    public: [u8; 32],
    sign: Sign,
}

impl PublicKeyData for Signing {
    fn der_bytes(&self) -> &[u8] {
        &self.public
    }
    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &rcgen::PKCS_ED25519
    }
}

impl rcgen::SigningKey for Signing {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        (self.sign)(message).map(Vec::from).map_err(|_| rcgen::Error::RemoteKeyError)
    }
}

#[cfg(test)]
mod tests;
