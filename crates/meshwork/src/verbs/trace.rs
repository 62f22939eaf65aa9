//! The chain behind something, one link below the other.

use super::Outcome;
use crate::{cli, client::Client, output::answer, text::clean};
use domain::{
    Problem,
    trace::{Chain, Verdict},
};
use serde_json::json;
use std::{fmt::Write, process::ExitCode};

/// Prints the chain; the exit code says whether every link is verified.
pub(super) async fn show(client: &Client, args: cli::Trace, json: bool) -> Outcome {
    let value = client.call("trace.show", json!({"project": args.at.project, "what": args.what})).await?;
    let chain: Chain = serde_json::from_value(value.clone()).map_err(Problem::internal)?;
    answer(&value, json, |_| text(&chain));
    Ok(if chain.verified { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn text(chain: &Chain) -> String {
    let width = chain.links.iter().map(|link| link.step.text().len()).max().unwrap_or(0);
    let mut text = clean(&chain.about);
    for link in &chain.links {
        let (verdict, why) = match &link.verdict {
            Verdict::Verified => ("verified", None),
            Verdict::NotVerified { why } => ("NOT VERIFIED", Some(why)),
            Verdict::Unknown { why } => ("unknown here", Some(why)),
        };
        let _ = write!(text, "\n{:width$}  {verdict:12}  {}", link.step.text(), clean(&link.what));
        let lines = why.map(|why| format!("why: {why}")).into_iter().chain(link.how.iter().map(|how| how.text()));
        for line in lines {
            let _ = write!(text, "\n{:width$}  {:12}    {}", "", "", clean(&line));
        }
    }
    let open = chain.links.iter().filter(|link| link.verdict != Verdict::Verified).count();
    let _ = match open {
        0 => write!(text, "\nEvery link is verified."),
        open => write!(text, "\n{open} of {} links are not verified.", chain.links.len()),
    };
    text
}
