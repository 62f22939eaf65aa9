#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
use super::*;
use hyper_util::rt::TokioIo;
use proto::run::{Chunk, RunnerMessage, run_client::RunClient};
use std::{path::Path, sync::Weak};
use tonic::{Code, Request, Status, transport::Channel};

/// Every method of the gRPC services, and whom it lets in. Whoever adds one says so here, and tries it: those of `Run` below,
/// those of `Mesh` and `Join` in the stories `mesh_attacks` and `joining`.
const METHODS: [(&str, &str, &str); 19] = [
    ("join.proto", "Knock", "anybody with a ticket that counts"),
    ("mesh.proto", "Checkpoint", "the device that asked for the run; the one that this device asked for the run that goes on from it"),
    ("mesh.proto", "Cosign", "another gate of the project brings it; it counts as with Merge, and this gate judges all of it anew"),
    ("mesh.proto", "Delegate", "the device that executes the run for this one"),
    ("mesh.proto", "Journal", "the org's devices"),
    ("mesh.proto", "Line", "the org's devices, of the repositories that they may read and of keys of the org"),
    ("mesh.proto", "Lines", "the org's devices, of the repositories that they may read"),
    ("mesh.proto", "Log", "the device that asked for the run; others with a member whom the policy lets see it"),
    ("mesh.proto", "Merge", "the org's devices bring it; it counts by the signature of a member whom the policy lets merge, at the gate"),
    ("mesh.proto", "Order", "the device that asked for the run; for a member with a key there, whom the policy lets"),
    ("mesh.proto", "Probe", "the org's devices"),
    ("mesh.proto", "Result", "the device that asked for the run"),
    ("mesh.proto", "Schedule", "the org's devices, each in its own name; admission asks the policy"),
    ("mesh.proto", "Signed", "the org's devices, of the repositories that they may read"),
    ("mesh.proto", "Stop", "any device of the org brings it; it counts by the signature of a member who may"),
    ("mesh.proto", "Tunnel", "a run that this device asked for, by its certificate"),
    ("mesh.proto", "Watch", "the device that asked for the run"),
    ("run.proto", "Attach", "the runner of a live run, by that run's secret"),
    ("run.proto", "Tunnel", "the runner of a live run, by that run's secret"),
];

#[test]
fn every_grpc_method_says_whom_it_lets_in() {
    let folder = testkit::root().join("proto");
    let mut found = Vec::new();
    for file in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if file.extension().is_none_or(|kind| kind != "proto") {
            continue;
        }
        let text = std::fs::read_to_string(&file).unwrap();
        let methods = text.lines().filter_map(|line| line.trim().strip_prefix("rpc ")?.split('(').next());
        found.extend(methods.map(|method| (file.file_name().unwrap().to_string_lossy().into_owned(), method.trim().to_owned())));
    }
    let listed: Vec<_> = METHODS.iter().map(|(file, method, _)| ((*file).to_owned(), (*method).to_owned())).collect();
    found.sort();
    assert_eq!(found, listed);
}

#[tokio::test]
async fn the_run_service_lets_nobody_in_without_the_secret_of_a_live_run() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("host.sock");
    serve(Weak::new(), Arc::default(), &socket, std::future::pending()).await.unwrap();
    let mut client = RunClient::new(connect(&socket).await);
    for (run, token) in [("", ""), ("01ARZ3NDEKTSV4RRFFQ69G5FAV", ""), ("01ARZ3NDEKTSV4RRFFQ69G5FAV", "guessed"), ("nonsense", "x")] {
        let attached = client.attach(with(tokio_stream::empty::<RunnerMessage>(), run, token)).await;
        assert_eq!(attached.map(drop).map_err(|status: Status| status.code()), Err(Code::Unauthenticated), "Attach {run} {token}");
        let tunnelled = client.tunnel(with(tokio_stream::empty::<Chunk>(), run, token)).await;
        assert_eq!(tunnelled.map(drop).map_err(|status: Status| status.code()), Err(Code::Unauthenticated), "Tunnel {run} {token}");
    }
}

fn with<T>(message: T, run: &str, token: &str) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("meshwork-run", run.parse().unwrap());
    request.metadata_mut().insert("meshwork-token", token.parse().unwrap());
    request
}

async fn connect(socket: &Path) -> Channel {
    let socket = socket.to_owned();
    let connector = tower::service_fn(move |_: http::Uri| {
        let socket = socket.clone();
        async move { tokio::net::UnixStream::connect(socket).await.map(TokioIo::new) }
    });
    tonic::transport::Endpoint::from_static("http://host").connect_with_connector(connector).await.unwrap()
}
