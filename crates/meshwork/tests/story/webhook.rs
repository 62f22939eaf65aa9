//! The webhook: what waits for a person reaches an address that the owner set; a host that refuses is told of.

use crate::support::{PASSES, command_agent, machine, project, text};
use serde_json::{Value, json};
use std::sync::{
    Arc,
    atomic::{AtomicU16, Ordering},
};
use testkit::Up;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpListener,
    sync::mpsc,
};

/// A host that takes posts and answers with a status that can be changed.
async fn host(status: Arc<AtomicU16>) -> (String, mpsc::UnboundedReceiver<Value>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook/very-secret", listener.local_addr().unwrap());
    let (sender, receiver) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((line, _)) = listener.accept().await {
            let (status, sender) = (status.clone(), sender.clone());
            tokio::spawn(async move {
                let mut line = BufReader::new(line);
                loop {
                    let (mut head, mut length) = (String::new(), 0);
                    while !head.ends_with("\r\n\r\n") {
                        let at = head.len();
                        if line.read_line(&mut head).await? == 0 {
                            return std::io::Result::Ok(());
                        }
                        if let Some(n) = head[at..].to_ascii_lowercase().strip_prefix("content-length:") {
                            length = n.trim().parse().unwrap();
                        }
                    }
                    let mut body = vec![0; length];
                    line.read_exact(&mut body).await?;
                    let status = status.load(Ordering::Relaxed);
                    if status == 200 {
                        let _ = sender.send(serde_json::from_slice(&body).unwrap());
                    }
                    line.write_all(format!("HTTP/1.1 {status} -\r\ncontent-length: 0\r\n\r\n").as_bytes()).await?;
                }
            });
        }
    });
    (url, receiver)
}

async fn failing_task(up: &Up, name: &str) {
    project(up, name, "- [ ] T001 Try\n", PASSES).await;
    command_agent(up, "breaker", "exit 3").await;
    let run = up.start_task("T001", "breaker").await;
    assert_eq!(up.ended(&run).await["state"], "failed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_for_a_person_is_posted_and_a_refusal_is_told() {
    let up = machine().await;
    let status = Arc::new(AtomicU16::new(200));
    let (url, mut posts) = host(status.clone()).await;
    up.act("webhook.set", json!({ "url": url })).await;
    assert_eq!(up.act("webhook.show", json!({})).await["host"], "127.0.0.1");
    up.act("webhook.test", json!({})).await;
    assert!(text(&posts.recv().await.unwrap()["text"]).contains("A test"));

    failing_task(&up, "sad").await;
    let post = posts.recv().await.unwrap();
    assert!(text(&post["text"]).starts_with("A run failed: T001"), "{post}");
    assert_eq!((&post["waits"]["kind"], &post["waits"]["project"]), (&json!("failed"), &json!("sad")));

    status.store(404, Ordering::Relaxed);
    let (code, problem) = up.call("webhook.test", json!({})).await;
    assert_eq!(code, 503, "{problem}");
    let last = up.act("webhook.show", json!({})).await["last"].clone();
    assert_eq!(last["good"], false);
    assert!(!format!("{last}{problem}{}", up.log()).contains("very-secret"), "the address is a secret");
    for wrong in ["ftp://x/y", "not an address", "https://"] {
        assert_eq!(up.call("webhook.set", json!({ "url": wrong })).await.0, 400, "{wrong}");
    }
    up.act("webhook.set", json!({ "url": "" })).await;
    assert_eq!(up.act("webhook.show", json!({})).await["host"], Value::Null);
}
