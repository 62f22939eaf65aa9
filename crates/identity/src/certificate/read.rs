//! Reading a peer's certificates: whose they are, if they are well made.

use super::Subject;
use crate::{key, limits};
use domain::{Did, Kind, Problem, Timestamp};
use rustls_pki_types::{CertificateDer, SignatureVerificationAlgorithm, TrustAnchor, UnixTime};
use std::time::Duration;
use webpki::EndEntityCert;

/// The one algorithm in use.
const ALGORITHMS: &[&dyn SignatureVerificationAlgorithm] = &[webpki::ring::ED25519];
/// What stands before an Ed25519 key in its `SubjectPublicKeyInfo` (RFC 8410), without the outer sequence.
const ED25519: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
/// id-kp-serverAuth and id-kp-clientAuth (RFC 5280, 4.2.1.12), as DER holds them.
const SERVER_AUTH: [u8; 8] = [0x2b, 6, 1, 5, 5, 7, 3, 1];
const CLIENT_AUTH: [u8; 8] = [0x2b, 6, 1, 5, 5, 7, 3, 2];

/// What a certificate is shown for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Usage {
    /// By the one who connects.
    Client,
    /// By the one who is connected to.
    Server,
}

/// Reads the certificates that a peer showed at the beginning of a connection, its own first: a device's stands alone, a run's
/// is followed by that of the device that issued it. Says whose they are; whether that one may come in is asked elsewhere.
///
/// # Errors
/// When they are no such certificates, not made by the key that they name, or do not hold at this time.
pub fn read(chain: &[CertificateDer<'_>], usage: Usage, at: Timestamp) -> Result<Subject, Problem> {
    match chain {
        [device] => match subject(&parse(device)?)? {
            Named::Device(org, did) => {
                made_by(device, device, &did, usage, at)?;
                Ok(Subject::Device { org, did })
            }
            Named::Run(..) => Err(refused("It is a run's, without that of its device.")),
        },
        [leaf, device] if usage == Usage::Client => {
            let (Named::Run(org, run), Named::Device(above, issuer)) = (subject(&parse(leaf)?)?, subject(&parse(device)?)?) else {
                return Err(refused("Only a run's certificate is issued by another."));
            };
            if org != above {
                return Err(refused("Run and device are of different orgs."));
            }
            made_by(device, device, &issuer, Usage::Client, at)?;
            made_by(leaf, device, &issuer, Usage::Client, at)?;
            short_lived(leaf, device, at)?;
            Ok(Subject::Run { org, run, issuer })
        }
        [] => Err(refused("It showed none.")),
        _ => Err(refused("It showed too many.")),
    }
}

/// What a certificate says of whom it is about.
enum Named {
    Device(domain::OrgName, Did),
    Run(domain::OrgName, domain::RunId),
}

fn parse<'a>(der: &'a CertificateDer<'_>) -> Result<EndEntityCert<'a>, Problem> {
    if der.len() > limits::CERTIFICATE_BYTES_MAX {
        return Err(Problem::new(Kind::Limit, format!("A certificate of {} bytes is too large.", der.len())));
    }
    EndEntityCert::try_from(der).map_err(|e| refused(format!("It cannot be read: {e}.")))
}

/// The one SPIFFE id of a certificate; a device's names the certificate's own key.
fn subject(certificate: &EndEntityCert<'_>) -> Result<Named, Problem> {
    let names: Vec<&str> = certificate.valid_uri_names().take(2).collect();
    let ([name], None) = (names.as_slice(), certificate.valid_dns_names().next()) else {
        return Err(refused("It must have one name, a SPIFFE id."));
    };
    let unknown = || refused(format!("Its name is “{}”.", domain::shown(name)));
    let path = name.strip_prefix("spiffe://").ok_or_else(unknown)?;
    let parts: Vec<&str> = path.split('/').collect();
    match parts.as_slice() {
        [org, "device", did] => {
            let (org, did): (_, Did) = (org.parse().map_err(|_| unknown())?, did.parse().map_err(|_| unknown())?);
            if key::public_key(&did)? != public_of(certificate)? {
                return Err(refused("It names another key than its own."));
            }
            Ok(Named::Device(org, did))
        }
        [org, "run", run] => Ok(Named::Run(org.parse().map_err(|_| unknown())?, run.parse().map_err(|_| unknown())?)),
        _ => Err(unknown()),
    }
}

fn public_of(certificate: &EndEntityCert<'_>) -> Result<[u8; 32], Problem> {
    let info = certificate.subject_public_key_info();
    let key = info.as_ref().strip_prefix(&ED25519).and_then(|key| <[u8; 32]>::try_from(key).ok());
    key.ok_or_else(|| refused("Its key is not an Ed25519 key."))
}

/// Whether a certificate was signed by `issuer`, whose own is `above`, and holds now, give or take what clocks may differ.
fn made_by(certificate: &CertificateDer<'_>, above: &CertificateDer<'_>, issuer: &Did, usage: Usage, at: Timestamp) -> Result<(), Problem> {
    let anchor = webpki::anchor_from_trusted_cert(above).map_err(|e| refused(format!("It cannot be read: {e}.")))?;
    let slack = i64::try_from(limits::CLOCKS_DIFFER_MS).unwrap_or(i64::MAX);
    let held = match holds(certificate, &anchor, usage, at) {
        Err(webpki::Error::CertNotValidYet { .. }) => holds(certificate, &anchor, usage, Timestamp(at.0.saturating_add(slack))),
        Err(webpki::Error::CertExpired { .. }) => holds(certificate, &anchor, usage, Timestamp(at.0.saturating_sub(slack))),
        done => done,
    };
    held.map_err(|error| match error {
        webpki::Error::CertNotValidYet { .. } | webpki::Error::CertExpired { .. } => {
            refused("It does not hold at this time.").next("Set the clocks of both machines: they may differ by 2 minutes.")
        }
        error => refused(format!("{issuer} did not make it so: {error}.")),
    })
}

/// A run's certificate may not outlast the time for which we make them: it is renewed while the lease lives.
fn short_lived(certificate: &CertificateDer<'_>, above: &CertificateDer<'_>, at: Timestamp) -> Result<(), Problem> {
    let anchor = webpki::anchor_from_trusted_cert(above).map_err(|e| refused(format!("It cannot be read: {e}.")))?;
    let later = at.plus_ms(limits::RUN_CERTIFICATE_MS + limits::CLOCKS_DIFFER_MS + 1_000);
    match holds(certificate, &anchor, Usage::Client, later) {
        Err(webpki::Error::CertExpired { .. }) => Ok(()),
        _ => Err(refused("A run's certificate must end within minutes.")),
    }
}

fn holds(certificate: &CertificateDer<'_>, anchor: &TrustAnchor<'_>, usage: Usage, at: Timestamp) -> Result<(), webpki::Error> {
    let time = UnixTime::since_unix_epoch(Duration::from_millis(u64::try_from(at.0).unwrap_or(0)));
    let leaf = EndEntityCert::try_from(certificate)?;
    let anchors = std::slice::from_ref(anchor);
    // The extended key usage that we write must be there.
    let wanted = webpki::KeyUsage::required(match usage {
        Usage::Client => &CLIENT_AUTH,
        Usage::Server => &SERVER_AUTH,
    });
    leaf.verify_for_usage(ALGORITHMS, anchors, &[], time, wanted, None, None).map(drop)
}

fn refused(why: impl Into<String>) -> Problem {
    Problem::new(Kind::Forbidden, "The peer's certificate is refused.").because(why)
}
