//! TLS at the Join port: the issuer shows the key that the ticket names, and the joiner the key of its device.

use crate::clock;
use domain::{Did, Kind, OrgName, Problem};
use forge::Forge;
use hyper_util::rt::TokioIo;
use identity::certificate::{self, Own, Subject};
use proto::join::{KnockAnswer, KnockRequest, join_client::JoinClient};
use rustls::{ClientConfig, ServerConfig, pki_types::ServerName};
use std::{sync::Arc, time::Duration};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tonic::transport::Endpoint;

/// What this device shows.
fn own(org: &OrgName, forge: &Arc<Forge>) -> Arc<Own> {
    let signing = forge.clone();
    Own::device(org.clone(), forge.device(), Arc::new(move |message: &[u8]| Ok(signing.sign_as_device(message))), Arc::new(clock::now))
}

/// For the issuer: whoever shows a device's certificate may speak, since who may join is decided by what they say.
pub(super) fn server(org: &OrgName, forge: &Arc<Forge>) -> Result<Arc<ServerConfig>, Problem> {
    certificate::server(own(org, forge), Arc::new(|subject: &Subject| matches!(subject, Subject::Device { .. })), Arc::new(clock::now))
}

/// For the joiner: only the issuer's key will do.
pub(super) fn client(org: &OrgName, forge: &Arc<Forge>, issuer: &Did) -> Result<Arc<ClientConfig>, Problem> {
    let (org_name, issuer) = (org.clone(), issuer.clone());
    let accept = move |subject: &Subject| matches!(subject, Subject::Device { org, did } if *org == org_name && *did == issuer);
    certificate::client(own(org, forge), Arc::new(accept), Arc::new(clock::now))
}

/// Knocks at one address.
pub(super) async fn knock(address: &str, tls: Arc<ClientConfig>, request: KnockRequest, within: Duration) -> Result<KnockAnswer, Problem> {
    let unreachable = |why: String| {
        Problem::new(Kind::Unavailable, format!("The one who invited cannot be reached at {address}."))
            .because(why)
            .next("It is tried again; their meshwork must be up, and reachable from here.")
    };
    let to = address.to_owned();
    let connect = tower::service_fn(move |_| {
        let (to, connector) = (to.clone(), TlsConnector::from(tls.clone()));
        async move {
            let tcp = TcpStream::connect(&to).await?;
            // Nobody looks at the name: the key counts.
            let name = ServerName::try_from("join.meshwork").map_err(std::io::Error::other)?;
            connector.connect(name, tcp).await.map(TokioIo::new)
        }
    });
    let call = async {
        let channel = Endpoint::from_static("http://join.meshwork").connect_with_connector(connect).await.map_err(|e| whole(&e))?;
        let answer = JoinClient::new(channel).knock(request).await.map_err(|status| status.message().to_owned())?;
        Ok::<_, String>(answer.into_inner())
    };
    match tokio::time::timeout(within, call).await {
        Ok(answer) => answer.map_err(unreachable),
        Err(_) => Err(unreachable("It does not answer.".into())),
    }
}

/// An error with what lies behind it.
fn whole(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    format!("{}.", domain::shown(&text))
}
