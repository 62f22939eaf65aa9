//! Says at the very end why a test failed: after its panic whatever it dropped may have printed long logs.
#![allow(clippy::panic)] // A harness fails its test.

use futures::FutureExt;
use std::panic::AssertUnwindSafe;

/// Runs a test. Where it fails, that is said again, with these words, once everything that it held is dropped.
pub async fn fails_at_the_end<T>(words: &str, test: impl Future<Output = T>) -> T {
    match AssertUnwindSafe(test).catch_unwind().await {
        Ok(done) => done,
        Err(why) => {
            let said = why.downcast_ref::<String>().map(String::as_str).or_else(|| why.downcast_ref::<&str>().copied());
            panic!("{words}: {}", said.unwrap_or("it failed without a word"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Log<'a>(&'a std::sync::atomic::AtomicBool);

    impl Drop for Log<'_> {
        fn drop(&mut self) {
            self.0.store(std::thread::panicking(), std::sync::atomic::Ordering::SeqCst);
        }
    }

    #[tokio::test]
    async fn a_failure_is_said_again_after_what_the_test_held_knew_of_it() {
        let logged = std::sync::atomic::AtomicBool::new(false);
        let test = async {
            let _log = Log(&logged);
            assert_eq!(1 + 1, 3, "sums");
        };
        let failed = AssertUnwindSafe(fails_at_the_end("SEED=7", test)).catch_unwind().await;
        let said = failed.err().and_then(|why| why.downcast::<String>().ok()).unwrap_or_default();
        assert!(said.starts_with("SEED=7: ") && said.contains("sums"), "{said}");
        assert!(logged.into_inner(), "dropped while it fails, so that it can print its log");
        assert_eq!(fails_at_the_end("SEED=7", async { 5 }).await, 5);
    }
}
