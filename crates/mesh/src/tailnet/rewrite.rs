//! Changes the policy of a server that has no compare-and-swap: read right before writing, read again after it, and merged anew wherever
//! somebody else wrote meanwhile. Between the last reading and the writing lies one call: who writes in that moment is not seen.

use super::{headscale::Headscale, policy};
use crate::limits;
use async_trait::async_trait;
use domain::{Kind, Problem};

/// How a change went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rewritten {
    /// The policy, as it was read last.
    pub policy: String,
    /// Whether something was written.
    pub written: bool,
    /// Whether what was replaced had no rules, and so let everything reach everything.
    pub begun: bool,
}

/// Where a policy is kept.
#[async_trait]
trait Kept: Send + Sync {
    async fn read(&self) -> Result<Option<String>, Problem>;
    async fn write(&self, policy: &str) -> Result<(), Problem>;
}

#[async_trait]
impl Kept for Headscale {
    async fn read(&self) -> Result<Option<String>, Problem> {
        self.policy().await
    }

    async fn write(&self, policy: &str) -> Result<(), Problem> {
        self.set_policy(policy).await
    }
}

/// Brings the server's policy to where `change` changes nothing more. `replaced` is told each text that is about to be replaced; where it
/// fails nothing is written.
///
/// # Errors
/// When the server is away or refuses, `change` or `replaced` fails, or others write again and again.
pub async fn rewrite(
    server: &Headscale,
    change: impl Fn(&str) -> Result<String, Problem> + Send,
    replaced: impl Fn(&str) -> Result<(), Problem> + Send,
) -> Result<Rewritten, Problem> {
    bring(server, change, replaced).await
}

async fn bring<K: Kept>(
    at: &K,
    change: impl Fn(&str) -> Result<String, Problem> + Send,
    replaced: impl Fn(&str) -> Result<(), Problem> + Send,
) -> Result<Rewritten, Problem> {
    let mut present = at.read().await?;
    let (mut begun, mut written) = (false, false);
    for turn in 0..=limits::POLICY_TRIES {
        let text = present.clone().unwrap_or_default();
        let wanted = change(&text)?;
        if wanted == text {
            return Ok(Rewritten { policy: text, written, begun });
        }
        if turn == limits::POLICY_TRIES {
            break;
        }
        replaced(&text)?;
        let again = at.read().await?;
        if again == present {
            at.write(&wanted).await?;
            (begun, written) = (begun || policy::allows_all(&text), true);
            present = at.read().await?;
        } else {
            present = again;
        }
    }
    Err(Problem::new(Kind::Conflict, "Others change the tailnet's policy again and again, so the org's rules are not written into it.")
        .because(format!("It was another one at {} looks.", limits::POLICY_TRIES))
        .next("It is tried again; see who writes it: two orgs of one name at the server, or a program."))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::tailnet::policy::Input;
    use std::{
        collections::{BTreeMap, BTreeSet},
        sync::Mutex,
    };

    /// A server, and somebody who writes to it.
    #[derive(Default)]
    struct Server {
        policy: Mutex<Option<String>>,
        reads: Mutex<usize>,
        writes: Mutex<usize>,
        /// What somebody writes right before a reading, by its number; `usize::MAX`: something else before each.
        others: BTreeMap<usize, &'static str>,
    }

    #[async_trait]
    impl Kept for Server {
        async fn read(&self) -> Result<Option<String>, Problem> {
            let mut reads = self.reads.lock().unwrap();
            let (number, mut policy) = (*reads, self.policy.lock().unwrap());
            if let Some(theirs) = self.others.get(&number) {
                *policy = Some((*theirs).to_owned());
            } else if self.others.contains_key(&usize::MAX) {
                *policy = Some(format!("{{\"acls\": [], // {number}\n}}"));
            }
            *reads += 1;
            Ok(policy.clone())
        }

        async fn write(&self, policy: &str) -> Result<(), Problem> {
            *self.writes.lock().unwrap() += 1;
            *self.policy.lock().unwrap() = Some(policy.to_owned());
            Ok(())
        }
    }

    const OLD: &str = "{\n  \"hosts\": {\"printer\": \"100.64.9.9\"},\n  \"acls\": [],\n}\n";
    const NEW: &str = "{\n  \"hosts\": {\"printer\": \"100.64.9.9\", \"nas\": \"100.64.9.8\"},\n  \"acls\": [],\n}\n";

    fn server(others: &[(usize, &'static str)]) -> Server {
        Server { policy: Mutex::new(Some(OLD.to_owned())), others: others.iter().copied().collect(), ..Server::default() }
    }

    fn with_rules(policy: &str) -> Result<String, Problem> {
        let none = BTreeSet::new;
        let org = "acme".parse().unwrap();
        let input = Input { org, user: "acme".into(), mesh: none(), gossip: none(), radicle: none(), join: BTreeSet::new() };
        policy::apply(policy, &input)
    }

    #[tokio::test]
    async fn what_somebody_writes_meanwhile_is_merged_and_each_text_that_goes_is_told() {
        // What others write, how often we write, and what was replaced.
        type Writes = &'static [(usize, &'static str)];
        let table: [(Writes, usize, &[&str]); 5] = [
            (&[], 1, &[OLD]),
            (&[(1, NEW)], 1, &[OLD, NEW]),
            (&[(2, NEW)], 2, &[OLD, NEW]),
            (&[(1, NEW), (3, OLD)], 2, &[OLD, NEW, OLD]),
            // Only the last try comes through.
            (&[(1, NEW), (2, OLD), (3, NEW), (4, OLD)], 1, &[OLD, NEW, OLD, NEW, OLD]),
        ];
        for (others, writes, wanted) in table {
            let (server, replaced) = (server(others), Mutex::new(vec![]));
            let note = |text: &str| {
                replaced.lock().unwrap().push(text.to_owned());
                Ok(())
            };
            let done = bring(&server, with_rules, note).await.unwrap();
            let theirs = others.last().map_or(OLD, |(_, text)| text);
            assert_eq!(done, Rewritten { policy: with_rules(theirs).unwrap(), written: true, begun: false }, "{others:?}");
            assert_eq!(*server.policy.lock().unwrap(), Some(done.policy.clone()));
            assert_eq!((*server.writes.lock().unwrap(), replaced.into_inner().unwrap().as_slice() == wanted), (writes, true), "{others:?}");
            let again = bring(&server, with_rules, |_| Err(Problem::internal("nothing is replaced"))).await.unwrap();
            assert!(!again.written && again.policy == done.policy);
        }
    }

    #[tokio::test]
    async fn who_writes_again_and_again_is_not_fought_and_what_cannot_be_kept_is_not_replaced() {
        let endless = server(&[(usize::MAX, "")]);
        let problem = bring(&endless, with_rules, |_| Ok(())).await.unwrap_err();
        assert!(problem.kind == Kind::Conflict && *endless.reads.lock().unwrap() <= 2 * limits::POLICY_TRIES + 1, "{problem}");
        let full = server(&[]);
        assert!(bring(&full, with_rules, |_| Err(Problem::unavailable("The disk is full."))).await.is_err());
        assert_eq!((*full.writes.lock().unwrap(), full.policy.lock().unwrap().as_deref()), (0, Some(OLD)));
    }

    #[tokio::test]
    async fn a_server_without_rules_gets_some_and_that_everything_reached_everything_is_told() {
        let table = [(None, true), (Some("{\"hosts\": {\"printer\": \"100.64.9.9\"}}"), true), (Some(OLD), false)];
        for (before, begun) in table {
            let server = Server { policy: Mutex::new(before.map(str::to_owned)), ..Server::default() };
            let before = before.unwrap_or_default();
            let replaced = |text: &str| if text == before { Ok(()) } else { Err(Problem::internal(text)) };
            let done = bring(&server, with_rules, replaced).await.unwrap();
            assert_eq!(done, Rewritten { policy: with_rules(before).unwrap(), written: true, begun }, "{before}");
            let again = bring(&server, with_rules, replaced).await.unwrap();
            assert!(!again.written && !again.begun, "{before}");
        }
        // Rules that somebody writes meanwhile are there then; those whom they reach were told of by whoever wrote them.
        let meanwhile = Server { others: BTreeMap::from([(1, OLD)]), ..Server::default() };
        assert!(!bring(&meanwhile, with_rules, |_| Ok(())).await.unwrap().begun);
    }
}
