//! Counting and masking, wherever the network cuts a stream.

use super::{
    harness::KEY,
    streams::{USED, forms},
};
use crate::gateway::{
    count::Tally,
    redact::Redactor,
    secret::{Access, Granted},
};
use bytes::Bytes;
use domain::agent::ModelApi;
use proptest::prelude::*;
use std::sync::Arc;

fn counted(api: ModelApi, pieces: &[&[u8]]) -> (domain::usage::Usage, bool) {
    let mut tally = Tally::new(api);
    for piece in pieces {
        tally.chunk(piece);
    }
    tally.finish();
    (tally.usage(), tally.ended())
}

#[test]
fn usage_is_the_same_wherever_the_stream_is_cut_in_two() {
    for (api, _, text) in forms() {
        for line_end in ["\n", "\r\n", "\r"] {
            let text = text.replace('\n', line_end);
            for at in 0..=text.len() {
                let (a, b) = text.as_bytes().split_at(at);
                assert_eq!(counted(api, &[a, b]), (USED, true), "{api:?} cut at {at}");
            }
            let bytes: Vec<&[u8]> = text.as_bytes().chunks(1).collect();
            assert_eq!(counted(api, &bytes), (USED, true), "{api:?} byte by byte");
        }
    }
}

#[test]
fn odd_usage_counts_as_nothing_and_breaks_nothing() {
    for usage in [
        "null",
        "7",
        "[]",
        "{\"prompt_tokens\":-1}",
        "{\"prompt_tokens\":1e99,\"completion_tokens\":\"x\"}",
        "{\"prompt_tokens_details\":3}",
    ] {
        let text = format!("data: {{\"choices\":[],\"usage\":{usage}}}\n\ndata: [DONE]\n\n");
        let (used, ended) = counted(ModelApi::Chat, &[text.as_bytes()]);
        assert_eq!((used.calls, used.tokens(), ended), (1, 0, true), "{usage}");
    }
}

#[test]
fn huge_figures_do_not_overflow() {
    let n = u64::MAX;
    let text = format!(
        "data: {{\"type\":\"message_start\",\"message\":{{\"usage\":{{\"input_tokens\":{n},\"cache_read_input_tokens\":{n},\"output_tokens\":{n}}}}}}}\n\n"
    );
    assert_eq!(counted(ModelApi::Messages, &[text.as_bytes()]).0.tokens(), n);
}

#[test]
fn a_last_event_that_is_too_large_still_ends_the_stream() {
    let text = format!("event: response.completed\ndata: {{\"x\":\"{}\"}}\n\n", "y".repeat(crate::gateway::limits::EVENT_BYTES_MAX));
    let pieces: Vec<&[u8]> = text.as_bytes().chunks(64 * 1024).collect();
    let (used, ended) = counted(ModelApi::Responses, &pieces);
    assert_eq!((used.calls, used.tokens(), ended), (1, 0, true));
}

proptest! {
    #[test]
    fn usage_survives_any_cuts(form in 0usize..3, cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12)) {
        let (api, _, text) = forms()[form];
        let mut at: Vec<usize> = cuts.iter().map(|c| c.index(text.len() + 1)).chain([0, text.len()]).collect();
        at.sort_unstable();
        let pieces: Vec<&[u8]> = at.windows(2).map(|w| &text.as_bytes()[w[0]..w[1]]).collect();
        prop_assert_eq!(counted(api, &pieces), (USED, true));
    }

    #[test]
    fn no_garbage_breaks_the_counting(bytes in prop::collection::vec(any::<u8>(), 0..300), form in 0usize..3) {
        let _ = counted(forms()[form].0, &[&bytes]);
    }

    /// Whatever surrounds the key and wherever it is cut: it never comes out, and everything else does.
    #[test]
    fn the_key_never_comes_out(texts in prop::collection::vec("(sk-|s|sk-canary|[a-z ]{0,5}|sk-canary-7f3b1d9e5)", 1..6), cut in 1usize..9) {
        let whole = texts.join(KEY);
        let mut redactor = Redactor::new(Arc::new(Access::from(Granted::from(identity::Secret::from(KEY)))));
        let mut out = Vec::new();
        for piece in whole.as_bytes().chunks(cut) {
            out.extend_from_slice(&redactor.push(Bytes::copy_from_slice(piece)));
        }
        out.extend_from_slice(&redactor.finish());
        prop_assert_eq!(String::from_utf8(out).unwrap(), whole.replace(KEY, "[key]"));
    }
}
