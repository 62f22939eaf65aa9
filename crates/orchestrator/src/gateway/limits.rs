//! The named limits of the gateway. Reaching one is said to the engine, and kept as the route's last failure.

use std::time::Duration;

/// Calls of one run that are under way at a time; further ones wait.
pub const CALLS_PARALLEL_MAX: usize = 8;
/// How long a call waits for its turn.
pub const CALL_WAIT: Duration = Duration::from_secs(60);
/// How long it waits where a limit is lower than this device's share, until others are heard to hold less: after a change of the org all
/// devices tell that at about the same time.
pub const SHARES_WAIT: Duration = Duration::from_secs(20);
/// How often it is looked meanwhile whether they do.
pub const SHARES_LOOK_EVERY: Duration = Duration::from_millis(500);
/// Connections of one run to the gateway at a time, model and egress each; further ones are closed.
pub const CONNECTIONS_MAX: usize = 64;
/// The largest request, in bytes: a whole conversation with pictures. The same as Anthropic's own limit.
pub const REQUEST_BYTES_MAX: usize = 32 * 1024 * 1024;
/// How long an engine may take to send its request's body.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(120);
/// The largest answer that does not stream, in bytes.
pub const ANSWER_BYTES_MAX: usize = 32 * 1024 * 1024;
/// The largest error page of a provider that is read, in bytes.
pub const ERROR_BYTES_MAX: usize = 64 * 1024;
/// The largest stream of one call, in bytes.
pub const STREAM_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// The largest single event of a stream that is looked into for usage, in bytes. Larger ones pass uncounted.
pub const EVENT_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Chunks of a stream that wait for a slow engine; then the provider is not read on.
pub const CHUNKS_WAITING_MAX: usize = 4;
/// Bytes of a request's line and headers.
pub const HEADER_BYTES_MAX: usize = 64 * 1024;
/// Number of a request's headers.
pub const HEADERS_MAX: usize = 100;
/// How long a kept connection may be idle, or take for its headers.
pub const CONNECTION_IDLE: Duration = Duration::from_secs(300);
/// How long connecting to a provider or a host may take.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// How long a provider may think before its first byte. As long as OpenAI's own client waits.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(600);
/// How long a stream may be silent, either way.
pub const STREAM_IDLE: Duration = Duration::from_secs(300);
/// Words of a provider that are quoted, in characters.
pub const QUOTE_CHARS_MAX: usize = 300;
/// How long looking up a name may take.
pub const RESOLVE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long an egress connection may be idle.
pub const EGRESS_IDLE: Duration = Duration::from_secs(300);
/// Bytes of one egress connection, both ways together.
pub const EGRESS_BYTES_MAX: u64 = 8 * 1024 * 1024 * 1024;
/// Entries of one allow-list.
pub const ALLOW_MAX: usize = 256;
/// Refused targets of one run that are reported, each once.
pub const REFUSED_REPORTED_MAX: usize = 50;
/// Bytes that count as a token where the provider did not tell: about what a token of text and code is.
pub const BYTES_PER_TOKEN: u64 = 4;
/// Tokens that a provider adds to a request by itself: roles, tools' frames.
pub const PROMPT_OVERHEAD_TOKENS: u64 = 1024;
/// The largest context of a model, in tokens. What a request names but does not hold counts as this much.
pub const CONTEXT_TOKENS_MAX: u64 = 2_000_000;
/// Tokens that a model may write where the request names no limit.
pub const OUTPUT_TOKENS_MAX: u64 = 128_000;
/// How often a call is sent again because the provider says so, or because its login was renewed.
pub const TRIES_MAX: u32 = 4;
/// How long a call waits in all because the provider says so; a longer wait is left to the engine.
pub const RETRY_WAIT: Duration = Duration::from_secs(60);
/// How long before its end a login's access is renewed, in milliseconds.
pub const LOGIN_RENEW_MS: i64 = 5 * 60 * 1000;
/// The largest answer of a login's provider, in bytes.
pub const LOGIN_ANSWER_BYTES_MAX: usize = 256 * 1024;
/// How long a login's provider may take.
pub const LOGIN_TIMEOUT: Duration = Duration::from_secs(30);
/// The pause before a call is sent again where the provider says that it should, and not when.
pub const RETRY_PAUSE: Duration = Duration::from_secs(1);
