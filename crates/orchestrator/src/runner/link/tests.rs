#![allow(clippy::unwrap_used)]
use super::*;
use futures::{FutureExt, stream};
use store::LogEntry;

fn address(socket: PathBuf, org_lock: PathBuf) -> Address {
    let (run, token) = ("01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().unwrap(), Secret::from("mw-run-secret"));
    Address { socket, run, token, token_file: "nowhere".into(), org_lock }
}

#[test]
fn a_host_that_only_opens_is_waited_for_longer_than_one_that_is_gone() {
    let begun = Instant::now();
    let (moment, opening) = (Duration::from_secs(1), limits::HOST_RETURN_WAIT * 5);
    let mut patience = Patience::new(begun);
    patience.meets(Met::Nobody, begun + moment);
    assert!(!patience.is_over(begun + limits::HOST_RETURN_WAIT));
    assert!(patience.is_over(begun + limits::HOST_RETURN_WAIT + moment));

    patience.meets(Met::Opening, begun + opening);
    assert!(!patience.is_over(begun + opening + limits::HOST_RETURN_WAIT), "what it opens with takes long");
    patience.meets(Met::Stranger, begun + opening + moment);
    assert!(patience.is_over(begun + opening + limits::HOST_RETURN_WAIT + moment), "it does not know the run");

    patience.meets(Met::Opening, begun + limits::HOST_OPENS_WAIT + moment);
    assert!(patience.is_over(begun + limits::HOST_OPENS_WAIT + moment), "not without end");
    patience.meets(Met::Host, begun + limits::HOST_OPENS_WAIT + moment);
    assert!(!patience.is_over(begun + limits::HOST_OPENS_WAIT + limits::HOST_RETURN_WAIT));
}

#[test]
fn work_that_is_done_waits_while_nobody_is_there_and_says_once_that_it_lasts() {
    let begun = Instant::now();
    let (moment, wait, day) = (Duration::from_secs(1), limits::HOST_RETURN_WAIT, Duration::from_secs(24 * 60 * 60));
    let mut patience = Patience::new(begun);
    assert!(!patience.holds_out(Met::Nobody, begun + wait));
    let usual = patience.pause();
    assert!(patience.holds_out(Met::Nobody, begun + wait + moment), "for longer than usual");
    assert!(patience.pause() > usual && patience.pause() * 2 < limits::RUNNER_RETURN_WAIT, "its host does not wait for it longer");
    assert!(!patience.holds_out(Met::Nobody, begun + day) && !patience.holds_out(Met::Opening, begun + day), "that is said once");
    assert!(!patience.is_over(begun + day + wait));
    assert!(!patience.holds_out(Met::Stranger, begun + day + wait));
    assert!(patience.is_over(begun + day + wait + moment), "a host that is there and does not know the run");
    patience.meets(Met::Host, begun + day + day);
    assert_eq!(patience.pause(), usual);
    assert!(!patience.is_over(begun + day + day + wait));
    assert!(patience.holds_out(Met::Nobody, begun + day + day + wait + moment), "it went away again");
}

#[tokio::test]
async fn work_is_kept_for_as_long_as_it_can_be_signed_and_what_was_not_delivered_is_laid_down() {
    let folder = tempfile::tempdir().unwrap();
    let kept = |until_ms: i64| {
        let address = Address { token_file: folder.path().join("token"), ..address("nowhere".into(), "nowhere".into()) };
        let link = Link::new(address, [0; 32], mpsc::channel(1).0);
        assert!(!link.has_work(), "it is not done");
        link.work_is_done(Timestamp(clock::now().0 + until_ms));
        link
    };
    assert!(kept(60_000).has_work() && !kept(0).has_work());
    let link = kept(60_000);
    let laid = || std::fs::read_to_string(folder.path().join("undelivered.json")).unwrap_or_default();
    link.lay_down().await;
    assert_eq!(laid(), "", "there is nothing");
    link.report(RunnerEvent::Paused).await;
    link.report(RunnerEvent::WorkEnded { reason: domain::run::Reason::Completed, checks: vec![] }).await;
    link.acked(1);
    link.lay_down().await;
    let entries: Vec<LogEntry> = serde_json::from_str(&laid()).unwrap();
    assert!(entries.len() == 1 && entries[0].seq == 2, "{entries:?}");
    assert!(matches!(entries[0].parsed(), Some(RunnerEvent::WorkEnded { .. })));
}

#[tokio::test(start_paused = true)]
async fn a_connection_waits_while_its_host_opens_and_ends_where_there_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let data = crate::data_dir::DataDir::open(folder.path()).unwrap();
    let [org, another] = ["crew", "club"].map(|name| data.org(&name.parse().unwrap()));
    [&org, &another].into_iter().for_each(|dir| crate::data_dir::make_private(&dir.root).unwrap());
    let socket = folder.path().join("host");
    let address = address(socket.clone(), org.lock_file());
    assert!(address.client_once_open().await.is_none(), "nobody is up");
    let _up = (data.lock().unwrap(), another.lock().unwrap());
    assert!(address.client_once_open().await.is_none(), "only another org is up");
    drop(org.lock().unwrap());
    assert!(address.client_once_open().await.is_none(), "its process has ended");
    let _org = org.lock().unwrap();
    let opens = async {
        tokio::time::sleep(limits::RECONNECT_PAUSE * 3).await;
        crate::host::serve(std::sync::Weak::new(), Arc::default(), &socket, std::future::pending()).await.unwrap();
    };
    let (client, ()) = tokio::join!(address.client_once_open(), opens);
    assert!(client.is_some());
}

/// One to a host that is nowhere.
fn link() -> (Link, mpsc::Receiver<Wanted>) {
    let (address, (wanted, receiver)) = (address("nowhere".into(), "nowhere".into()), mpsc::channel(64));
    (Link::new(address, [0; 32], wanted), receiver)
}

#[tokio::test]
async fn what_the_engine_says_is_held_back_by_a_slow_host_and_what_came_of_an_order_is_not() {
    let (link, _receiver) = link();
    for _ in 0..limits::UNACKED_MAX {
        link.report(RunnerEvent::Paused).await;
    }
    assert!(link.report(RunnerEvent::Paused).now_or_never().is_none());
    link.report_at_once(&RunnerEvent::Resumed);
    let last = link.buffer().unacked.back().map(|event| (event.seq, event.json.clone()));
    assert_eq!(last, Some((limits::UNACKED_MAX as u64 + 1, report::encode(&RunnerEvent::Resumed))));
}

#[tokio::test]
async fn an_order_to_freeze_is_heard_though_the_host_takes_no_reports() {
    let (link, mut wanted) = link();
    let (outgoing, _host) = mpsc::channel(1);
    (0..9).for_each(|_| link.report_at_once(&RunnerEvent::Resumed));
    let order = proto::run::Order { id: 1, json: r#"{"order":"pause"}"#.into() };
    let order = Ok::<_, Status>(HostMessage { kind: Some(host_message::Kind::Order(order)) });
    let incoming = stream::iter([order]).chain(stream::pending());
    tokio::select! {
        _ = link.speak(&outgoing, incoming) => unreachable!("the connection stays"),
        heard = tokio::time::timeout(Duration::from_secs(10), wanted.recv()) => {
            assert!(matches!(heard, Ok(Some(Wanted::Order(1, Order::Pause, _)))), "{heard:?}");
        }
    }
}

#[tokio::test]
async fn orders_are_handed_on_in_the_order_in_which_they_come_and_once_each() {
    let (link, mut receiver) = link();
    assert!(!format!("{:?}", link.shared.address).contains("mw-run"), "the secret is not for the log");
    for id in 0..60 {
        let order = if id % 2 == 0 { r#"{"order":"pause"}"# } else { r#"{"order":"resume"}"# };
        link.carry_out(id, order);
        link.carry_out(id, order);
    }
    for expected in 0..60 {
        let Some(Wanted::Order(id, order, _)) = receiver.recv().await else { unreachable!("an order") };
        assert_eq!((id, order == Order::Pause), (expected, expected % 2 == 0));
    }
    assert!(receiver.try_recv().is_err());
}

#[test]
fn of_too_much_the_newest_is_kept_and_it_is_told_that_there_was_more() {
    let said = |n: u32| report::encode(&RunnerEvent::Message { text: format!("number {n}") });
    let mut buffer = Buffer::default();
    assert!(buffer.newest(0).is_empty());
    (1..=4).for_each(|n| buffer.add(said(n)));
    let kept = |bytes_max| buffer.newest(bytes_max).into_iter().map(|event| (event.seq, event.json)).collect::<Vec<_>>();
    let length = said(1).len();
    let told = |count: usize| report::encode(&RunnerEvent::Truncated { dropped_bytes: (count * length) as u64 });
    assert_eq!(kept(4 * length), (1..=4).map(|n| (u64::from(n), said(n))).collect::<Vec<_>>());
    assert_eq!(kept(3 * length - 1), [(1, told(2)), (3, said(3)), (4, said(4))]);
    assert_eq!(kept(0), [(1, told(4))]);
}
