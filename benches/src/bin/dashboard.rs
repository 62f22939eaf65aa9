//! The dashboard in Chromium: how soon each page is of use, how soon an event is on an open page, how a log of 100,000 lines
//! scrolls, a board of 2,000 tasks in two features, and Mesh with 500 devices. The goals: 1 s, 100 ms, frames in time, and still usable.

use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::{fmt::Write as _, fs, ops::RangeInclusive};
use testkit::{Browser, Repository, Up};

const TASKS: usize = 2_000;
const LINES: usize = 100_000;

#[tokio::main]
async fn main() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let browser = Browser::find(dir.path()).map_err(anyhow::Error::msg)?;
    let up = Up::start(benches::meshwork()?.to_str().context("a path")?).await;
    up.org().await;
    let made = Repository::with_tasks(up.folder().join("many"), "001-work", &tasks(1..=TASKS / 2)?, "");
    // More than so many of one feature are not read.
    made.feature("002-more", &tasks(TASKS / 2 + 1..=TASKS)?);
    made.commit("More");
    up.ok(&["project", "add", made.path().to_str().context("a path")?]).await;
    let command = format!("seq -f 'line %.0f of the log, as long as lines are' {LINES}; echo done > done.txt");
    up.ok(&["agent", "add", "talker", "--engine", "command", "--command", &command]).await;
    let run = up.do_task("T0001", "talker").await;
    let told = dir.path().join("figures.json");
    let facts = json!({ "project": "many", "run": run["id"], "patch": run["patch"], "task": "001-work/T0002", "told": told });
    browser.play(up, "figures", facts).await;
    let figures: Value = serde_json::from_slice(&fs::read(&told)?)?;
    println!("{}", serde_json::to_string_pretty(&figures)?);
    println!("{figures}");
    Ok(())
}

fn tasks(of: RangeInclusive<usize>) -> Result<String> {
    let mut lines = String::new();
    for at in of {
        writeln!(lines, "- [ ] T{at:04} [P] [US{}] Task number {at} of many", at % 20 + 1)?;
    }
    Ok(lines)
}
