//! Logins against a provider whose refresh tokens work once.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use identity::vault::{Credential, CredentialInfo, CredentialKind, Unlock};
use serde_json::{Value, json};
use testkit::TokenServer;

struct Held {
    vault: Arc<Vault>,
    logins: Arc<Logins>,
    http: Client,
    _dir: tempfile::TempDir,
}

fn name() -> CredentialName {
    "codex".parse().unwrap()
}

fn held(login: &str) -> Held {
    let dir = tempfile::tempdir().unwrap();
    let vault = Arc::new(Vault::open(&dir.path().join("vault"), &Unlock::KeyFile).unwrap());
    let info = CredentialInfo { name: name(), kind: CredentialKind::Login, provider: None, scopes: vec![], created: Timestamp(0) };
    vault.set(Credential { info, secret: login.into() }).unwrap();
    Held { vault, logins: Arc::default(), http: Client::new().unwrap(), _dir: dir }
}

impl Held {
    async fn grant(&self, refused: Option<&str>) -> Result<Granted, Problem> {
        self.logins.grant(&self.vault, &self.http, &name(), refused.map(Secret::from).as_ref()).await
    }

    fn stored(&self) -> Value {
        serde_json::from_str(self.vault.get(&name()).unwrap().secret.expose()).unwrap()
    }
}

fn token(exp_s: i64) -> String {
    use base64::Engine as _;
    let claims = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(json!({ "exp": exp_s }).to_string());
    format!("eyJhbGciOiJub25lIn0.{claims}.x")
}

fn codex(provider: &TokenServer, access: &str) -> String {
    json!({
        "OPENAI_API_KEY": null, "token_url": provider.token_url(), "unknown": [1],
        "tokens": {"id_token": "x", "access_token": access, "refresh_token": provider.refresh_token(), "account_id": "acc-1"},
    })
    .to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn twenty_uses_at_once_renew_a_login_once_and_it_lives_on() {
    let provider = TokenServer::start().await.unwrap();
    let held = Arc::new(held(&codex(&provider, &token(1))));
    for round in 1..=3 {
        let refused = provider.access().filter(|_| round > 1);
        let uses: Vec<_> = (0..20)
            .map(|_| {
                let (held, refused) = (Arc::clone(&held), refused.clone());
                tokio::spawn(async move { held.grant(refused.as_deref()).await })
            })
            .collect();
        for used in uses {
            let granted = used.await.unwrap().unwrap();
            assert_eq!(granted.key.expose(), provider.access().unwrap(), "all get the same new access");
            assert_eq!(granted.headers["chatgpt-account-id"], "acc-1");
        }
        assert_eq!((provider.renewals(), provider.dead()), (round, false));
        let stored = held.stored();
        assert_eq!(stored["tokens"]["refresh_token"], provider.refresh_token(), "written back before anybody used it");
        assert_eq!((&stored["unknown"], stored["last_refresh"].is_string()), (&json!([1]), true));
    }
    assert_eq!(held.vault.get(&name()).unwrap().info.kind, CredentialKind::Login);
}

#[tokio::test]
async fn a_login_that_still_lasts_is_not_renewed() {
    let provider = TokenServer::start().await.unwrap();
    let held = held(&codex(&provider, &token(32_503_680_000)));
    assert_eq!(held.grant(None).await.unwrap().key.expose(), token(32_503_680_000));
    assert_eq!(provider.renewals(), 0);
}

#[tokio::test]
async fn a_copy_that_was_used_elsewhere_is_told_without_its_tokens() {
    let provider = TokenServer::start().await.unwrap();
    let old = codex(&provider, &token(1));
    held(&old).grant(None).await.unwrap();
    let copy = held(&old);
    let problem = copy.grant(None).await.unwrap_err();
    let said = format!("{problem:?} {problem}");
    assert!(said.contains("invalid_grant") && said.contains("copy") && said.contains("Sign in again"), "{said}");
    assert!(!said.contains("refresh-") && !said.contains("eyJ"), "{said}");
    assert_eq!(copy.stored(), serde_json::from_str::<Value>(&old).unwrap(), "what does not work is kept as it was");
}

#[tokio::test]
async fn an_oauth_login_is_renewed_by_form() {
    let provider = TokenServer::start().await.unwrap();
    let login = json!({"token_url": provider.token_url(), "client_id": "me", "access_token": "a", "refresh_token": provider.refresh_token(), "expires_at": 1});
    let held = held(&login.to_string());
    assert_eq!(held.grant(None).await.unwrap().key.expose(), provider.access().unwrap());
    assert_eq!(held.grant(None).await.unwrap().key.expose(), provider.access().unwrap());
    assert_eq!(provider.renewals(), 1);
    assert!(held.stored()["expires_at"].as_i64().unwrap() > clock::now().0);
}

#[tokio::test]
async fn a_github_login_is_exchanged_and_its_access_stays_in_memory() {
    let provider = TokenServer::start().await.unwrap();
    let login = json!({"github.com:Iv1.x": {"user": "ada", "oauth_token": "gho_abc"}, "token_url": provider.exchange_url()});
    let held = held(&login.to_string());
    let first = held.grant(None).await.unwrap();
    assert_eq!(first.key.expose(), provider.access().unwrap());
    assert!(first.headers.contains_key("copilot-integration-id"));
    assert_eq!(held.grant(None).await.unwrap().key.expose(), first.key.expose());
    assert_eq!(provider.renewals(), 1);
    held.grant(Some(first.key.expose())).await.unwrap();
    assert_eq!((provider.renewals(), held.stored()), (2, login));
}

#[tokio::test]
async fn what_is_no_login_is_said_without_showing_it() {
    for text in ["sk-very-secret", "{\"very\":\"secret\"}", "{\"tokens\":{\"access_token\":\"very-secret\"}}", "[]"] {
        let problem = held(text).grant(None).await.unwrap_err();
        assert!(!format!("{problem:?}").contains("very"), "{problem:?}");
    }
    let far =
        json!({"token_url": "http://login.example.org/t", "client_id": "c", "access_token": "a", "refresh_token": "r", "expires_at": 1});
    let problem = held(&far.to_string()).grant(None).await.unwrap_err();
    assert!(problem.to_string().contains("token_url"), "never in plain text over the internet: {problem}");
}
