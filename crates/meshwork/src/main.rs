//! `meshwork`: one program for everything. This file only says which part of it was asked for.

mod cli;
mod client;
mod demo;
mod hidden;
mod log_line;
mod output;
mod pager;
mod paint;
mod restore;
mod show;
mod text;
mod up;
mod verbs;

use clap::Parser;
use std::process::ExitCode;

/// Also of what is written in C. Threads here free all the time what others allocated, and the usual allocator locks for each of that.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    // Inside sandboxes: quick to start, no runtime, no argument parser.
    let mut args = std::env::args_os();
    args.next();
    match args.next().as_deref().and_then(|verb| verb.to_str()) {
        Some("bridge") => return exit(sandbox::bridge_main(args)),
        Some("feature-new") => return exit(feature_new(args)),
        Some("replay") => return exit(engine::replay::replay_main(args.map(|a| a.to_string_lossy().into_owned()))),
        _ => {}
    }
    let cli = match cli::Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    output::log(cli.json);
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(up::WORKERS).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            return output::fail(&domain::Problem::unavailable(format!("The program cannot start its threads: {error}.")), cli.json);
        }
    };
    let json = cli.json;
    // What serves is there for more than what it says.
    let serves = matches!(cli.verb, cli::Verb::Up(_) | cli::Verb::OrgProcess(_));
    let done = runtime.block_on(verbs::run(cli));
    runtime.shutdown_timeout(up::SHUTDOWN);
    match (done, output::unwritten().filter(|_| !serves)) {
        (Ok(code), None) => code,
        // Told where it can be read.
        (Ok(_), Some(lost)) => output::fail(&lost, false),
        (Err(problem), _) => output::fail(&problem, json),
    }
}

/// Says what is wrong with the command line, or the help that was asked for; to scripts in JSON too.
fn usage(error: &clap::Error) -> ExitCode {
    let json = std::env::args_os().any(|a| a == "--json");
    if !json || !error.use_stderr() {
        let printed = error.print();
        if !error.use_stderr() {
            output::wrote(printed);
        }
        return output::unwritten().map_or_else(|| exit(error.exit_code()), |lost| output::fail(&lost, false));
    }
    let text = error.to_string();
    let what = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
    let problem = domain::Problem::invalid(format!("{what}.")).next("meshwork --help lists the commands; --help after one, its options.");
    output::fail(&problem, true)
}

/// Makes a Spec-Kit feature in the present folder: started by the orchestrator, in a sandbox. Answers as JSON.
fn feature_new(mut args: impl Iterator<Item = std::ffi::OsString>) -> i32 {
    let mut next = || args.next().map(|a| a.to_string_lossy().into_owned()).unwrap_or_default();
    let (name, description) = (next(), next());
    let made =
        std::env::current_dir().map_err(domain::Problem::internal).and_then(|at| spec::specify::feature_new(&at, &name, &description));
    output::say(&serde_json::to_string(&made).unwrap_or_default());
    0
}

fn exit(code: i32) -> ExitCode {
    ExitCode::from(u8::try_from(code & 0xff).unwrap_or(1))
}
