#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use serde_json::Value;

const TOOLS: &str = r#"[{"type":"function","name":"write","parameters":{"properties":{"filePath":{"type":"string"},"content":{"type":"string"}}}},
    {"type":"function","name":"bash","parameters":{"properties":{"command":{"type":"string"}}}}]"#;

async fn post(model: &ScriptedModel, path: &str, key: &str, body: Value) -> (u16, Result<String, reqwest::Error>) {
    // Only the first installs it; later ones find it there.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let response = client
        .post(format!("{}/{path}", model.base_url()))
        .bearer_auth(key)
        .header("content-type", "application/json")
        .body(body.to_string())
        .send()
        .await
        .unwrap();
    (response.status().as_u16(), response.text().await)
}

fn body(api: Api, prompt: &str, streaming: bool) -> Value {
    let tools: Value = serde_json::from_str(TOOLS).unwrap();
    let messages = json!([{"role": "user", "content": prompt}]);
    let key = if api == Api::Responses { "input" } else { "messages" };
    json!({"model": "scripted-1", "stream": streaming, "tools": tools, key: messages})
}

const APIS: [(Api, &str); 3] = [(Api::Responses, "responses"), (Api::Chat, "chat/completions"), (Api::Messages, "messages")];

#[tokio::test]
async fn every_api_calls_the_tool_that_a_directive_asks_for_and_then_says_its_last_words() {
    let model = ScriptedModel::start().await.unwrap();
    for (api, path) in APIS {
        let (status, text) = post(&model, path, "k", body(api, "[[write:a.txt=x]] [[say:bye]]", false)).await;
        assert_eq!(status, 200);
        let text = text.unwrap();
        assert!(text.contains("/work/a.txt"), "{api:?}: {text}");

        let mut next = body(api, "[[write:a.txt=x]] [[say:bye]]", true);
        let key = if api == Api::Responses { "input" } else { "messages" };
        let result = match api {
            Api::Responses => json!({"type": "function_call_output", "call_id": "1", "output": "ok"}),
            Api::Chat => json!({"role": "tool", "content": "ok"}),
            Api::Messages => json!({"role": "user", "content": [{"type": "tool_result", "content": "ok"}]}),
        };
        next[key].as_array_mut().unwrap().push(result);
        let (_, text) = post(&model, path, "k", next).await;
        assert!(text.unwrap().contains("bye"), "{api:?}");
        let last = model.calls().pop().unwrap();
        assert_eq!(last.answer, Some(Answer::Text { text: "bye".into() }));
        assert_eq!(last.asked.unwrap().last_result, "ok");
    }
    assert_eq!(model.calls().len(), 6);
}

#[tokio::test]
async fn only_the_required_key_is_let_in_and_all_keys_are_noted() {
    let model = ScriptedModel::requiring("right").await.unwrap();
    assert_eq!(post(&model, "responses", "wrong", body(Api::Responses, "hi", false)).await.0, 401);
    assert_eq!(post(&model, "responses", "right", body(Api::Responses, "hi", false)).await.0, 200);
    assert_eq!(model.keys(), ["wrong".to_owned(), "right".to_owned()].into());
    assert_eq!(model.calls().iter().map(|call| call.status).collect::<Vec<_>>(), [401, 200]);
}

#[tokio::test]
async fn failures_come_as_asked_and_a_limit_only_once() {
    let model = ScriptedModel::start().await.unwrap();
    assert_eq!(post(&model, "chat/completions", "k", body(Api::Chat, "[[fail:503]]", true)).await.0, 503);
    assert_eq!(post(&model, "chat/completions", "k", body(Api::Chat, "[[429-once]]", true)).await.0, 429);
    assert_eq!(post(&model, "chat/completions", "k", body(Api::Chat, "[[429-once]]", true)).await.0, 200);
    assert_eq!(post(&model, "embeddings", "k", json!({})).await.0, 404);
}

#[tokio::test]
async fn a_stream_can_break_off_and_a_whole_one_carries_its_usage() {
    let model = ScriptedModel::start().await.unwrap();
    for (api, path) in APIS {
        let (status, text) = post(&model, path, "k", body(api, "[[stop-midstream]]", true)).await;
        assert_eq!(status, 200);
        assert!(text.is_err(), "{api:?}: the body must not end as if it were whole");
        let (_, text) = post(&model, path, "k", body(api, "hi", true)).await;
        let text = text.unwrap();
        assert!(
            text.contains(&format!("\"{}\":{OUTPUT_TOKENS}", if api == Api::Chat { "completion_tokens" } else { "output_tokens" })),
            "{text}"
        );
    }
}

#[tokio::test]
async fn it_is_gone_when_dropped() {
    let model = ScriptedModel::start().await.unwrap();
    let port = model.port();
    drop(model);
    let gone = async {
        while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(10), gone).await.unwrap();
}
