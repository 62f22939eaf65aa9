//! The Join port: listens while there are open invitations or somebody waits, and speaks to keys that nobody knows yet.

use super::{desk, tls};
use crate::{clock, limits, org::Org};
use domain::{
    Kind, Problem,
    join::{JoinerState, Ticket},
};
use proto::join::{
    KnockAnswer, KnockRequest,
    join_server::{Join, JoinServer},
};
use sandbox::Finding;
use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    pin::Pin,
    sync::{Arc, Weak},
    task,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::{Semaphore, mpsc},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, transport::server::Connected};

/// The usual Join port.
pub const PORT: u16 = 7423;

/// Opens the Join port again where a ticket that counts names one, after a restart.
pub(crate) async fn keep_open(org: &Arc<Org>) -> Result<(), Problem> {
    let now = clock::now();
    let wanted = org.blocking(move |org| {
        let waits = desk::joiners(org)?.into_iter().any(|j| matches!(j.state, JoinerState::Waiting | JoinerState::Proposed { .. }));
        Ok(waits || desk::invites(org)?.iter().any(|invite| desk::is_open(invite, now)))
    });
    if wanted.await? {
        open(org).await?;
    }
    Ok(())
}

/// Opens the Join port, or says where it is open. Unless another place was asked for, it stays where it was the last time, so that tickets
/// stay good.
pub(super) async fn open(org: &Arc<Org>) -> Result<SocketAddr, Problem> {
    let mut at = org.join_port.lock().await;
    if let Some(address) = *at {
        return Ok(address);
    }
    let had = had(org);
    let listener = listen(had.first().copied(), org.options.listens.join).await?;
    let address = listener.local_addr().map_err(Problem::internal)?;
    if !mesh::is_here(address.ip()) {
        tracing::warn!(%address, "this machine does not have the address of its Join port; who is invited reaches it once it does");
    }
    org.blocking(move |org| note_place(org, address, &had)).await?;
    let acceptor = TlsAcceptor::from(tls::server(&org.name, &org.forge)?);
    let (send, incoming) = mpsc::channel(limits::JOIN_CONNECTIONS_MAX);
    let mut closed = org.closing.subscribe();
    let mut over = org.closing.subscribe();
    org.tasks.spawn(async move {
        tokio::select! {
            () = accept(listener, acceptor, send) => {}
            _ = closed.wait_for(|c| *c) => {}
        }
    });
    let service = JoinServer::new(Door(Arc::downgrade(org))).max_decoding_message_size(limits::KNOCK_BYTES_MAX);
    // Whoever says nothing makes room again.
    let server = tonic::transport::Server::builder()
        .timeout(limits::JOIN_WAIT)
        .max_connection_age(limits::JOIN_WAIT)
        .max_connection_age_grace(limits::JOIN_WAIT)
        .add_service(service);
    org.tasks.spawn(async move {
        let until = async move {
            let _ = over.wait_for(|c| *c).await;
        };
        if let Err(error) = server.serve_with_incoming_shutdown(ReceiverStream::new(incoming), until).await {
            tracing::error!(%error, "the Join port failed");
        }
    });
    *at = Some(address);
    Ok(address)
}

/// Listens at the first of the places that can be had.
async fn listen(before: Option<SocketAddr>, asked: Option<SocketAddr>) -> Result<TcpListener, Problem> {
    let mut last = None;
    for address in places(before, asked) {
        // An address that was asked for may come later, as a tailnet's does.
        let bound = if asked.is_some() { mesh::accept_at(address).await } else { TcpListener::bind(address).await };
        match bound {
            Ok(listener) => return Ok(listener),
            Err(error) => last = Some((address, error)),
        }
    }
    let (address, error) = last.ok_or_else(|| Problem::internal("no address to listen on"))?;
    Err(Problem::unavailable(format!("The Join port {address} cannot be opened: {error}.")).next("Give another with --join-listen."))
}

/// Where it may listen, the best first: where it was asked to and nowhere else. With any port, and where nothing was asked, where it was
/// the last time comes first, so that tickets stay good.
fn places(before: Option<SocketAddr>, asked: Option<SocketAddr>) -> Vec<SocketAddr> {
    match asked {
        Some(address) if address.port() != 0 => vec![address],
        Some(any) => before.into_iter().filter(|at| at.ip() == any.ip()).chain([any]).collect(),
        None => before.into_iter().chain([PORT, 0].map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)))).collect(),
    }
}

/// Where the Join port was the last time, and after that where it was before, as far as open tickets named those places then.
fn had(org: &Org) -> Vec<SocketAddr> {
    let text = std::fs::read_to_string(org.dir.join_address()).unwrap_or_default();
    text.lines().filter_map(|line| line.parse().ok()).collect()
}

/// Notes where the Join port is now, and where it was as long as open tickets lead there, of which it warns.
fn note_place(org: &Org, address: SocketAddr, had: &[SocketAddr]) -> Result<(), Problem> {
    let mut text = address.to_string();
    for (before, stale) in left(org, address, had)? {
        let (what, next) = moved_in_words(address, before, &stale);
        tracing::warn!("{what} {next}");
        text.push_str(&format!("\n{before}"));
    }
    crate::data_dir::write_private(&org.dir.join_address(), text.as_bytes())
}

/// The places among these to which tickets of open invitations lead, though the Join port is not there, each with the ids of those.
fn left(org: &Org, address: SocketAddr, had: &[SocketAddr]) -> Result<Vec<(SocketAddr, Vec<String>)>, Problem> {
    let now = clock::now();
    let open = desk::invites(org)?.into_iter().filter(|invite| desk::is_open(invite, now));
    let here = address.to_string();
    let open: Vec<Ticket> = open.map(|invite| invite.ticket).filter(|ticket| !ticket.knock.contains(&here)).collect();
    let others = had.iter().filter(|before| **before != address);
    let each = others.map(|before| (*before, naming(open.iter(), *before).into_iter().map(str::to_owned).collect::<Vec<_>>()));
    Ok(each.filter(|(_, stale)| !stale.is_empty()).collect())
}

/// That nobody gets in with these tickets, and what to do.
fn moved_in_words(address: SocketAddr, before: SocketAddr, stale: &[String]) -> (String, String) {
    let ids = stale.join(", ");
    let what = format!(
        "The Join port is at {address} now, and the tickets of these open invitations name {before}: {ids}. Nobody gets in with them there."
    );
    let next = format!(
        "Take them back and invite anew (meshwork org uninvite ID, meshwork org invite), or start meshwork up with --join-listen {before}."
    );
    (what, next)
}

/// That tickets of open invitations name a place where the Join port is not any more, as findings of the doctor.
///
/// # Errors
/// When the journal cannot be read.
pub(crate) fn moved(org: &Org) -> Result<Vec<Finding>, Problem> {
    let had = had(org);
    let Some(address) = had.first().copied() else { return Ok(vec![]) };
    let finding = |(before, stale): (SocketAddr, Vec<String>)| {
        let (detail, next) = moved_in_words(address, before, &stale);
        Finding { what: "join port".into(), ok: false, detail, next: Some(next) }
    };
    Ok(left(org, address, &had)?.into_iter().map(finding).collect())
}

/// The ids of the tickets that name this address.
fn naming<'t>(tickets: impl Iterator<Item = &'t Ticket>, address: SocketAddr) -> Vec<&'t str> {
    let address = address.to_string();
    tickets.filter(|ticket| ticket.knock.contains(&address)).map(|ticket| ticket.id.as_str()).collect()
}

/// Takes connections in and shakes hands, a few at a time.
async fn accept(listener: TcpListener, acceptor: TlsAcceptor, to: mpsc::Sender<io::Result<Stranger>>) {
    let room = Arc::new(Semaphore::new(limits::JOIN_CONNECTIONS_MAX));
    while let Ok(place) = room.clone().acquire_owned().await {
        let Ok((tcp, _)) = listener.accept().await else {
            // Too many open files, for instance: it passes.
            tokio::time::sleep(limits::RECONNECT_PAUSE).await;
            continue;
        };
        let (acceptor, to) = (acceptor.clone(), to.clone());
        tokio::spawn(async move {
            if let Ok(Ok(tls)) = tokio::time::timeout(limits::JOIN_WAIT, acceptor.accept(tcp)).await {
                let _ = to.send(Ok(Stranger { tls, _place: place })).await;
            }
        });
    }
}

/// A connection of somebody unknown; their place is free again when it ends.
struct Stranger {
    tls: TlsStream<TcpStream>,
    _place: tokio::sync::OwnedSemaphorePermit,
}

impl Connected for Stranger {
    type ConnectInfo = ();
    fn connect_info(&self) {}
}

impl AsyncRead for Stranger {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut task::Context<'_>, buffer: &mut ReadBuf<'_>) -> task::Poll<io::Result<()>> {
        Pin::new(&mut self.tls).poll_read(context, buffer)
    }
}

impl AsyncWrite for Stranger {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut task::Context<'_>, bytes: &[u8]) -> task::Poll<io::Result<usize>> {
        Pin::new(&mut self.tls).poll_write(context, bytes)
    }
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut task::Context<'_>) -> task::Poll<io::Result<()>> {
        Pin::new(&mut self.tls).poll_flush(context)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut task::Context<'_>) -> task::Poll<io::Result<()>> {
        Pin::new(&mut self.tls).poll_shutdown(context)
    }
}

struct Door(Weak<Org>);

#[tonic::async_trait]
impl Join for Door {
    async fn knock(&self, request: Request<KnockRequest>) -> Result<Response<KnockAnswer>, Status> {
        let org = self.0.upgrade().ok_or_else(|| Status::unavailable("Meshwork is stopping."))?;
        let request = request.into_inner();
        let answer = org.blocking(move |org| desk::answer(org, &request)).await.map_err(|problem| {
            tracing::warn!(%problem, "somebody who knocked could not be answered");
            Status::unavailable("It cannot be answered now.")
        })?;
        let answer_json = serde_json::to_string(&answer).map_err(|_| Status::internal("no answer"))?;
        Ok(Response::new(KnockAnswer { version: mesh::spoken(), answer_json }))
    }
}

/// What is told of an answer that is not ours.
pub(super) fn strange(why: impl std::fmt::Display) -> Problem {
    Problem::new(Kind::Conflict, "The other side answers in a way that this Meshwork does not understand.")
        .because(why.to_string())
        .next("Install the newest Meshwork on both machines.")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::fixtures::Opened;
    use domain::event::Body;

    fn at(port: u16) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, port))
    }

    fn ticket(id: &str, knock: &str) -> Ticket {
        let value = serde_json::json!({
            "version": 1, "id": id, "org": "crew", "rid": "rad:z3gqcJUoA1n9HaHKufZs5FCSGazv5", "admits": {"as": "device", "member": "ada"},
            "expires": 0, "uses": 1, "knock": [knock], "issuer": identity::Key::from_seed(&[1; 32]).did(), "radicle": []
        });
        serde_json::from_value(value).unwrap()
    }

    #[tokio::test]
    async fn tickets_that_lead_to_where_the_port_was_are_told_until_it_is_there_again() {
        let opened = Opened::new().await;
        let org = &opened.org;
        let expires = clock::now().plus_ms(60_000);
        for (id, port) in [("one", 7423), ("two", 7500)] {
            let ticket = Box::new(Ticket { expires, ..ticket(id, &at(port).to_string()) });
            org.record(&org.device, vec![Body::Invited { ticket }]).await.unwrap();
        }
        let told = |now_at: SocketAddr| {
            note_place(org, now_at, &had(org)).unwrap();
            moved(org).unwrap().into_iter().map(|finding| finding.detail).collect::<Vec<_>>()
        };
        assert!(told(at(7423)).is_empty(), "it was nowhere else before");
        for _ in 0..2 {
            let moved = told(at(7500));
            assert!(moved.len() == 1 && moved[0].contains("name 127.0.0.1:7423: one."), "also after a restart: {moved:?}");
        }
        let back = told(at(7423));
        assert!(back.len() == 1 && back[0].contains("name 127.0.0.1:7500: two."), "{back:?}");
    }

    #[test]
    fn what_was_asked_for_counts_more_than_where_the_port_was_before() {
        let other = SocketAddr::from(([192, 0, 2, 1], 7000));
        let table = [
            (Some(at(7423)), Some(at(7500)), vec![at(7500)]),
            (Some(at(7500)), Some(at(0)), vec![at(7500), at(0)]),
            (Some(other), Some(at(0)), vec![at(0)]),
            (Some(at(7500)), None, vec![at(7500), at(PORT), at(0)]),
            (None, None, vec![at(PORT), at(0)]),
        ];
        for (before, asked, expected) in table {
            assert_eq!(places(before, asked), expected, "{before:?}, {asked:?}");
        }
    }

    #[tokio::test]
    async fn a_port_that_was_asked_for_and_is_in_use_is_refused() {
        let taken = TcpListener::bind(at(0)).await.unwrap();
        let there = taken.local_addr().unwrap();
        let problem = listen(Some(at(0)), Some(there)).await.unwrap_err();
        assert!(problem.what.contains(&there.to_string()), "{problem}");
        assert!(problem.next.unwrap().contains("--join-listen"));
        assert_ne!(listen(Some(there), None).await.unwrap().local_addr().unwrap(), there, "nothing was asked: any other is as good");
    }

    #[test]
    fn tickets_that_name_the_place_of_before_are_found() {
        let tickets = [ticket("one", "127.0.0.1:7423"), ticket("two", "box.example:7423")];
        assert_eq!(naming(tickets.iter(), at(7423)), ["one"]);
        assert!(naming(tickets.iter(), at(7500)).is_empty());
    }
}
