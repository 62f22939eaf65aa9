//! A stand-in for a provider of logins: refresh tokens work once, as at OpenAI; a used one kills the whole login.

use crate::random_name;
use axum::{
    Json, Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::task::JoinHandle;

/// How long access lasts.
const LASTS_S: u64 = 3600;

/// A running provider of one login.
#[derive(Debug)]
pub struct TokenServer {
    url: String,
    book: Arc<Mutex<Book>>,
    server: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Book {
    refresh: String,
    access: Vec<String>,
    dead: bool,
    renewals: usize,
}

impl TokenServer {
    /// Starts one. Fails where no port of this machine is free.
    pub async fn start() -> anyhow::Result<Self> {
        let book = Book { refresh: random_name("refresh"), ..Book::default() };
        let book = Arc::new(Mutex::new(book));
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let router = Router::new().route("/oauth/token", post(renew)).route("/copilot", get(exchange)).with_state(book.clone());
        let server = tokio::spawn(async move { drop(axum::serve(listener, router).await) });
        Ok(Self { url, book, server })
    }

    /// Where a login is renewed.
    pub fn token_url(&self) -> String {
        format!("{}/oauth/token", self.url)
    }

    /// Where a GitHub token is exchanged.
    pub fn exchange_url(&self) -> String {
        format!("{}/copilot", self.url)
    }

    /// The one refresh token that works now.
    pub fn refresh_token(&self) -> String {
        self.with(|book| book.refresh.clone())
    }

    /// How often the login was renewed.
    pub fn renewals(&self) -> usize {
        self.with(|book| book.renewals)
    }

    /// Whether a refresh token was used twice, which ended the login.
    pub fn dead(&self) -> bool {
        self.with(|book| book.dead)
    }

    /// The newest access, which alone a provider should take.
    pub fn access(&self) -> Option<String> {
        self.with(|book| book.access.last().cloned())
    }

    fn with<T>(&self, read: impl FnOnce(&Book) -> T) -> T {
        read(&self.book.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for TokenServer {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn renew(State(book): State<Arc<Mutex<Book>>>, headers: HeaderMap, body: Bytes) -> Response {
    let text = String::from_utf8_lossy(&body).into_owned();
    let json = headers.get("content-type").is_some_and(|v| v.as_bytes().starts_with(b"application/json"));
    let asked = if json {
        serde_json::from_str::<Value>(&text).ok().and_then(|v| v["refresh_token"].as_str().map(str::to_owned))
    } else {
        text.split('&').find_map(|pair| pair.strip_prefix("refresh_token=")).map(str::to_owned)
    };
    // As long as a provider takes: so that callers at once would meet each other.
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    let mut book = book.lock().unwrap_or_else(PoisonError::into_inner);
    if book.dead || asked.as_deref() != Some(&book.refresh) {
        book.dead = true;
        return (StatusCode::BAD_REQUEST, Json(json!({"error": "invalid_grant"}))).into_response();
    }
    book.renewals += 1;
    let (access, refresh) = (random_name("access"), random_name("refresh"));
    book.access.push(access.clone());
    book.refresh.clone_from(&refresh);
    Json(json!({"access_token": access, "refresh_token": refresh, "expires_in": LASTS_S})).into_response()
}

async fn exchange(State(book): State<Arc<Mutex<Book>>>, headers: HeaderMap) -> Response {
    let mut book = book.lock().unwrap_or_else(PoisonError::into_inner);
    if headers.get("authorization").is_none_or(|v| !v.as_bytes().starts_with(b"token gho_")) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    book.renewals += 1;
    let access = random_name("access");
    book.access.push(access.clone());
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |d| d.as_secs());
    Json(json!({"token": access, "expires_at": now + LASTS_S})).into_response()
}
