//! TLS 1.3 with these certificates on both sides, and nothing else: no authority, no host names, no resumed sessions (a session
//! that is resumed would not be asked for its certificate again).

use super::{
    Clock, Own, Subject,
    read::{self, Usage},
};
use domain::{Problem, Timestamp};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName, Error, OtherError, ServerConfig, SignatureScheme,
    client::{
        Resumption,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, WebPkiSupportedAlgorithms},
    server::{
        NoServerSessionStorage,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
    version::TLS13,
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use std::{fmt, sync::Arc};

/// Says whether a subject may come in: looks at the org's state as it is now. For those who knock to join, everybody may.
pub type Accept = Arc<dyn Fn(&Subject) -> bool + Send + Sync>;

/// The protocol within: HTTP/2, for gRPC.
const ALPN: &[u8] = b"h2";

/// For accepting connections: shows `own`, and takes in whom `accept` accepts.
///
/// # Errors
/// When TLS cannot be set up.
pub fn server(own: Arc<Own>, accept: Accept, clock: Clock) -> Result<Arc<ServerConfig>, Problem> {
    let provider = provider();
    let verifier = Arc::new(Verifier { accept, clock, algorithms: provider.signature_verification_algorithms });
    let builder = ServerConfig::builder_with_provider(provider).with_protocol_versions(&[&TLS13]).map_err(Problem::internal)?;
    let mut config = builder.with_client_cert_verifier(verifier).with_cert_resolver(own);
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}

/// For connecting: shows `own`, and goes on only with whom `accept` accepts. The name of the server does not matter: its key does.
///
/// # Errors
/// When TLS cannot be set up.
pub fn client(own: Arc<Own>, accept: Accept, clock: Clock) -> Result<Arc<ClientConfig>, Problem> {
    let provider = provider();
    let verifier = Arc::new(Verifier { accept, clock, algorithms: provider.signature_verification_algorithms });
    let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(&[&TLS13]).map_err(Problem::internal)?;
    let mut config = builder.dangerous().with_custom_certificate_verifier(verifier).with_client_cert_resolver(own);
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.resumption = Resumption::disabled();
    config.enable_sni = false;
    Ok(Arc::new(config))
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

struct Verifier {
    accept: Accept,
    clock: Clock,
    algorithms: WebPkiSupportedAlgorithms,
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Verifier")
    }
}

impl Verifier {
    fn verify(&self, leaf: &CertificateDer<'_>, rest: &[CertificateDer<'_>], usage: Usage) -> Result<(), Error> {
        let chain: Vec<CertificateDer<'_>> = std::iter::once(leaf).chain(rest).cloned().collect();
        let now: Timestamp = (self.clock)();
        match read::read(&chain, usage, now) {
            Ok(subject) if (self.accept)(&subject) => Ok(()),
            // Told by its alert from what follows: a device with a wrong clock is not one that was removed.
            Ok(_) => Err(Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure)),
            Err(problem) => Err(Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(problem))))),
        }
    }

    fn signed(&self, message: &[u8], leaf: &CertificateDer<'_>, signed: &DigitallySignedStruct) -> Result<HandshakeSignatureValid, Error> {
        rustls::crypto::verify_tls13_signature(message, leaf, signed, &self.algorithms)
    }
}

/// TLS 1.2 is not offered.
fn too_old() -> Error {
    Error::PeerIncompatible(rustls::PeerIncompatible::ServerDoesNotSupportTls12Or13)
}

impl ClientCertVerifier for Verifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }
    fn verify_client_cert(
        &self,
        leaf: &CertificateDer<'_>,
        rest: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.verify(leaf, rest, Usage::Client).map(|()| ClientCertVerified::assertion())
    }
    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(too_old())
    }
    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.signed(message, leaf, signed)
    }
    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        rest: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.verify(leaf, rest, Usage::Server).map(|()| ServerCertVerified::assertion())
    }
    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(too_old())
    }
    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.signed(message, leaf, signed)
    }
    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }
}
