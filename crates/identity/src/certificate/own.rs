//! One's own certificate: made when it is first wanted, and made anew before it ends.

use super::Subject;
use crate::{Key, key, limits};
use domain::{Did, OrgName, Problem, RunId, Timestamp};
use rustls::{
    SignatureAlgorithm, SignatureScheme,
    client::ResolvesClientCert,
    server::{ClientHello, ResolvesServerCert},
    sign::{CertifiedKey, Signer, SigningKey},
};
use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

/// Signs with a key that lives elsewhere.
pub type Sign = Arc<dyn Fn(&[u8]) -> Result<[u8; 64], Problem> + Send + Sync>;
/// Says what time it is.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Shows a certificate that always holds, for a device or for a run that it executes.
pub struct Own {
    org: OrgName,
    device: Did,
    run: Option<RunId>,
    sign: Sign,
    clock: Clock,
    now: Mutex<Option<(Timestamp, Arc<CertifiedKey>)>>,
}

impl Own {
    /// A device's own: `sign` signs with its key.
    pub fn device(org: OrgName, device: Did, sign: Sign, clock: Clock) -> Arc<Self> {
        Arc::new(Self { org, device, run: None, sign, clock, now: Mutex::default() })
    }

    /// A run's, issued by the device that executes it. Its TLS key is made here with each certificate, and forgotten with it.
    pub fn run(org: OrgName, run: RunId, device: Did, sign: Sign, clock: Clock) -> Arc<Self> {
        Arc::new(Self { org, device, run: Some(run), sign, clock, now: Mutex::default() })
    }

    /// Whom it shows.
    pub fn subject(&self) -> Subject {
        let (org, device) = (self.org.clone(), self.device.clone());
        match &self.run {
            Some(run) => Subject::Run { org, run: run.clone(), issuer: device },
            None => Subject::Device { org, did: device },
        }
    }

    /// The certificate to show now, and its key.
    ///
    /// # Errors
    /// When the key cannot be reached.
    pub fn certified(&self) -> Result<Arc<CertifiedKey>, Problem> {
        let at = (self.clock)();
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((renew, made)) = now.as_ref()
            && at < *renew
            // A clock that was set back would make it one of the future.
            && at.0 >= renew.0.saturating_sub(i64::try_from(self.valid_ms()).unwrap_or(i64::MAX))
        {
            return Ok(made.clone());
        }
        let made = Arc::new(self.make(at)?);
        *now = Some((at.plus_ms(self.valid_ms() / 2), made.clone()));
        Ok(made)
    }

    fn valid_ms(&self) -> u64 {
        if self.run.is_some() { limits::RUN_CERTIFICATE_MS } else { limits::DEVICE_CERTIFICATE_MS }
    }

    fn make(&self, at: Timestamp) -> Result<CertifiedKey, Problem> {
        let device = super::device(&self.org, &self.device, at, &self.sign)?;
        let Some(run) = &self.run else {
            return Ok(CertifiedKey::new(vec![device], Arc::new(Remote { did: self.device.clone(), sign: self.sign.clone() })));
        };
        let key = Arc::new(Key::generate()?);
        let leaf = super::run(&self.org, run, key.public(), &self.device, at, &self.sign)?;
        let did = key.did();
        let signing = Remote { did, sign: Arc::new(move |message: &[u8]| Ok(key.sign(message))) };
        Ok(CertifiedKey::new(vec![leaf, device], Arc::new(signing)))
    }
}

impl fmt::Debug for Own {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Own({})", self.subject())
    }
}

impl ResolvesServerCert for Own {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.certified().ok()
    }
}

impl ResolvesClientCert for Own {
    fn resolve(&self, _: &[&[u8]], schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        schemes.contains(&SignatureScheme::ED25519).then(|| self.certified().ok())?
    }
    fn has_certs(&self) -> bool {
        true
    }
}

/// A key that lives elsewhere, as `rustls` wants it.
#[derive(Clone)]
struct Remote {
    did: Did,
    sign: Sign,
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Remote({})", self.did)
    }
}

impl SigningKey for Remote {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        let wanted = offered.contains(&SignatureScheme::ED25519);
        wanted.then(|| Box::new(self.clone()) as Box<dyn Signer>)
    }
    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::ED25519
    }
}

impl Signer for Remote {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rustls::Error> {
        let signed = (self.sign)(message).map_err(|problem| rustls::Error::General(problem.to_string()))?;
        // A key that is not the one that was named shows here, not at the peer.
        if !key::verify(&self.did, message, &signed) {
            return Err(rustls::Error::General(format!("the signature was not made by {}", self.did)));
        }
        Ok(signed.to_vec())
    }
    fn scheme(&self) -> SignatureScheme {
        SignatureScheme::ED25519
    }
}
