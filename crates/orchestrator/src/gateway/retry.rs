//! When a provider that puts a call off wants it sent again: as it says itself, and within bounds.
//!
//! Sources: RFC 9110, 10.2.3 (`Retry-After`); OpenAI's and Anthropic's clients (`retry-after-ms`, `x-should-retry`). Where a
//! provider does not say when, the engine decides by itself.

use super::limits;
use domain::Timestamp;
use http::{HeaderMap, StatusCode};
use std::time::Duration;

/// How long to wait before the call is sent again; none: not here.
pub(super) fn wait(status: StatusCode, headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let should = text("x-should-retry");
    let puts_off = matches!(status.as_u16(), 408 | 409 | 429 | 500 | 502 | 503 | 504 | 529);
    if !puts_off || should == Some("false") {
        return None;
    }
    let millis = text("retry-after-ms").and_then(|t| t.parse::<f64>().ok()).filter(|ms| ms.is_finite() && *ms >= 0.0);
    let after = text("retry-after");
    let seconds = after.and_then(|t| t.parse::<f64>().ok()).filter(|s| s.is_finite() && *s >= 0.0);
    // Beyond any bound is as good as the bound: nobody waits for it.
    let bounded = |seconds: f64| Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
    millis
        .map(|ms| bounded(ms / 1000.0))
        .or(seconds.map(bounded))
        .or(after.and_then(|t| until(t, now)))
        .or((should == Some("true")).then_some(limits::RETRY_PAUSE))
}

/// Until a date as HTTP writes it.
fn until(text: &str, now: Timestamp) -> Option<Duration> {
    let at = jiff::fmt::rfc2822::parse(text).ok()?.timestamp().as_millisecond();
    Some(Duration::from_millis(u64::try_from(at.saturating_sub(now.0)).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn a_call_is_sent_again_only_when_the_provider_says_when() {
        let now = Timestamp(784_111_777_000);
        let ms = |status: u16, headers: &[(&'static str, &str)]| {
            let headers = headers.iter().map(|(n, v)| (n.parse().unwrap(), v.parse().unwrap())).collect();
            wait(StatusCode::from_u16(status).unwrap(), &headers, now).map(|w| w.as_millis())
        };
        for (status, headers, expected) in [
            (429, &[("retry-after", "7")][..], Some(7_000)),
            (529, &[("retry-after", "0.5")], Some(500)),
            (503, &[("retry-after", "Sun, 06 Nov 1994 08:49:40 GMT")], Some(3_000)),
            (503, &[("retry-after", "Sun, 06 Nov 1994 08:49:30 GMT")], Some(0)),
            (429, &[("retry-after-ms", "120"), ("retry-after", "9")], Some(120)),
            (500, &[("x-should-retry", "true")], Some(limits::RETRY_PAUSE.as_millis())),
            (429, &[("retry-after", "1"), ("x-should-retry", "false")], None),
            (429, &[], None),
            (500, &[], None),
            (400, &[("retry-after", "1")], None),
            (200, &[("retry-after", "1")], None),
            (429, &[("retry-after", "soon")], None),
            (429, &[("retry-after", "-1")], None),
            (429, &[("retry-after", "NaN")], None),
        ] {
            assert_eq!(ms(status, headers), expected, "{status} {headers:?}");
        }
        assert!(ms(429, &[("retry-after", "1e300")]).unwrap() > limits::RETRY_WAIT.as_millis());
    }
}
