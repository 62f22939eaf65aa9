//! The key is a canary: it may be in the call to the provider, and nowhere else.

use super::{
    harness::{Bench, KEY, parts},
    upstream::{Upstream, events, json},
};
use domain::agent::ModelApi;
use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
};
use tracing_subscriber::fmt::MakeWriter;

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Log;
    fn make_writer(&'a self) -> Log {
        self.clone()
    }
}

/// In a process of its own: which log lines are made is decided for a whole process, where other tests run beside.
#[test]
fn the_key_is_in_no_answer_no_failure_no_record_and_no_log() {
    let me = std::env::current_exe().unwrap();
    let test = ["--exact", "--ignored", "--nocapture", "gateway::tests::secrecy::the_search_for_the_key"];
    let out = std::process::Command::new(me).args(test).output().unwrap();
    let said = String::from_utf8_lossy(&out.stdout);
    assert!(out.status.success() && said.contains("1 passed"), "{said}{}", String::from_utf8_lossy(&out.stderr));
}

#[tokio::test]
#[ignore = "run by the test above, in a process of its own"]
async fn the_search_for_the_key() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(log.clone()).finish();
    let _logging = tracing::subscriber::set_default(subscriber);

    // A provider that says the key back in every way it can.
    let echo = |status: u16| {
        let mut response = json(status, &format!(r#"{{"error":{{"message":"you sent {KEY}"}},"key":"{KEY}"}}"#));
        for name in ["x-request-id", "retry-after", "location", "set-cookie", "www-authenticate"] {
            response.headers_mut().insert(name, KEY.parse().unwrap());
        }
        response
    };
    let mut out = String::new();
    for api in [ModelApi::Responses, ModelApi::Chat, ModelApi::Messages, ModelApi::Gemini] {
        let path = match api {
            ModelApi::Responses => "/responses",
            ModelApi::Chat => "/chat/completions",
            ModelApi::Messages => "/messages",
            ModelApi::Gemini => "/models/scripted-1:generateContent",
        };
        for status in [200, 302, 400, 401, 403, 404, 429, 500] {
            let upstream = Upstream::start(move |_| echo(status)).await;
            let bench = Bench::new(api, &upstream);
            for body in ["{}", r#"{"model":"other"}"#, "nonsense"] {
                let answer = bench.post(path, body).await;
                out += &format!("{answer:?}");
            }
            assert!(format!("{:?}", upstream.seen()[0].headers).contains(KEY), "it did go out");
            out += &format!("{:?} {:?} {:?} {:?}", bench.route, bench.calls(), bench.route.last_failure(), bench.route.fatal());
            out += &format!("{:?}", bench.route.last_failure().map(|r| r.text()));
        }
        let text = format!("event: error\ndata: {{\"type\":\"error\",\"message\":\"{KEY}\",\"error\":{{\"message\":\"{KEY}\"}}}}\n\n{KEY}");
        let upstream = Upstream::start(move |_| events(&text)).await;
        let bench = Bench::new(api, &upstream);
        out += &format!("{:?} {:?}", bench.post(path, r#"{"stream":true}"#).await, bench.route.last_failure());
    }
    // A base address that holds a secret of its own, at a provider that is not there.
    let bench = Bench::with(parts(ModelApi::Chat, &format!("http://127.0.0.1:1/v1?code={KEY}")));
    out += &format!("{:?} {:?}", bench.post("/chat/completions", "{}").await, bench.route.last_failure());

    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(log.contains("a model call failed") && out.contains("[key]"), "the search must have something to search in");
    assert!(!out.contains(KEY), "{out}");
    assert!(!log.contains(KEY), "the log holds the key");
}
