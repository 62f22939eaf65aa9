//! What each verb does: it calls one action and prints the answer.

mod ask;
mod evict;
mod lend;
mod people;
mod policy;
mod quota;
mod stop;
mod tailnet;
mod trace;
mod work;

use crate::{
    cli::{self, Cli, Verb},
    client::{About, Client},
    demo,
    output::{self, answer, at, notes},
    restore,
    show::{self, Names},
    up,
};
use clap::CommandFactory;
use domain::{Kind, Problem, role::Role};
use identity::Secret;
use serde_json::{Value, json};
use std::{
    io::{IsTerminal, Read},
    path::{Path, PathBuf},
    process::ExitCode,
};

type Outcome = Result<ExitCode, Problem>;

/// Carries out what was asked.
pub(crate) async fn run(cli: Cli) -> Outcome {
    let (asked, json) = (cli.data_dir.clone(), cli.json);
    let root = data_dir(cli.data_dir)?;
    match cli.verb {
        Verb::Up(args) => return up::run(&root, args, json).await,
        Verb::OrgProcess(args) => return up::run_org(&root, cli.org.as_deref().unwrap_or_default(), args).await,
        Verb::Demo(args) => return demo::run(asked.as_deref(), args, json).await,
        Verb::Agent(agent) if matches!(*agent, cli::Agent::Run(_)) => return runner(*agent).await,
        Verb::Doctor => return doctor(&root, cli.org.as_deref(), json).await,
        Verb::Restore(args) => {
            let text = restore::restore(&root, &args.file, Secret::new(passphrase(args.passphrase_file.as_deref())?))?;
            answer(&json!({ "message": text }), json, |v| at(v, &["message"]));
            return Ok(ExitCode::SUCCESS);
        }
        Verb::Journal(cli::Journal::AcceptLoss) => {
            let text = restore::accept_loss(&root, cli.org.as_deref())?;
            answer(&json!({ "message": text }), json, |v| at(v, &["message"]));
            return Ok(ExitCode::SUCCESS);
        }
        Verb::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "meshwork", &mut script);
            output::say(&String::from_utf8_lossy(&script));
            return Ok(ExitCode::SUCCESS);
        }
        _ => {}
    }
    let about = if of_the_machine(&cli.verb) { About::Machine } else { About::Org };
    // Joining is the machine's, whichever org is the usual one.
    let org = cli.org.filter(|_| !matches!(cli.verb, Verb::Join(_)));
    call(&Client::find(&root, org.as_deref(), about).await?, cli.verb, json).await
}

/// Actions that are about the machine where no org is named.
const OF_THE_MACHINE: [&str; 6] = ["engine.install", "engine.list", "org.create", "org.join", "org.joining", "org.list"];

/// Verbs that are about the machine where no org is named, and so need none to be.
fn of_the_machine(verb: &Verb) -> bool {
    match verb {
        Verb::Open | Verb::Engine(_) | Verb::Join(_) => true,
        Verb::Org(cli::Org::Create { .. } | cli::Org::List | cli::Org::Leave { joining: true }) => true,
        Verb::Call(call) => OF_THE_MACHINE.contains(&call.action.as_str()),
        _ => false,
    }
}

/// The data folder: as asked, else below the user's data home.
fn data_dir(asked: Option<PathBuf>) -> Result<PathBuf, Problem> {
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/share"));
    let found = asked.or_else(|| std::env::var_os("XDG_DATA_HOME").map(PathBuf::from).or_else(home).map(|base| base.join("meshwork")));
    let found = found.ok_or_else(|| Problem::unavailable("There is no home folder to keep data in.").next("Say where with --data-dir."))?;
    std::path::absolute(&found).map_err(|error| {
        Problem::invalid(format!("The data folder “{}” is no path: {error}.", domain::shown(&found.to_string_lossy())))
            .next("Name a folder with --data-dir, or in MESHWORK_DATA_DIR.")
    })
}

async fn runner(agent: cli::Agent) -> Outcome {
    let cli::Agent::Run(args) = agent else { return Ok(ExitCode::SUCCESS) };
    let executable = std::env::current_exe().map_err(Problem::internal)?;
    let cli::Runner { socket, run, token_file, org_lock } = args;
    orchestrator::runner::run(orchestrator::runner::Start { socket, run: run.parse()?, token_file, org_lock, executable }).await?;
    Ok(ExitCode::SUCCESS)
}

/// What is looked at here, and what a running `meshwork up` knows beside.
async fn doctor(root: &Path, org: Option<&str>, json: bool) -> Outcome {
    let found = orchestrator::doctor::look(root);
    let mut all: Vec<Value> = found.iter().map(|f| json!({"what": f.what, "ok": f.ok, "detail": f.detail, "next": f.next})).collect();
    // Where none runs, there is nobody to ask; an org that is named and is not here is a mistake.
    let known = match Client::find(root, org, About::Org).await {
        Ok(client) => known(client.call("device.doctor", json!({})).await),
        Err(problem) if org.is_some() && problem.kind != Kind::Unavailable => known(Err(problem)),
        Err(_) => vec![],
    };
    all.extend(known.into_iter().filter(|f| !found.iter().any(|mine| f["what"] == mine.what)));
    let well = all.iter().all(|f| f["ok"] == true);
    answer(&Value::Array(all), json, show::findings);
    Ok(if well { ExitCode::SUCCESS } else { ExitCode::from(Kind::Unavailable.exit_code()) })
}

/// What the running `meshwork up` found; that it gave no answer is a finding too.
fn known(answer: Result<Value, Problem>) -> Vec<Value> {
    match answer {
        Ok(Value::Array(known)) => known,
        Ok(other) => known(Err(Problem::internal(other))),
        Err(Problem { what, why, next, .. }) => {
            let detail = format!("What it knows could not be asked: {what} {}", why.unwrap_or_default());
            vec![json!({"what": "meshwork up", "ok": false, "detail": detail.trim_end(), "next": next})]
        }
    }
}

/// The verbs that ask the running `meshwork up`.
async fn call(client: &Client, verb: Verb, json: bool) -> Outcome {
    let done = |v: &Value| at(v, &["message"]);
    match verb {
        Verb::Open => {
            let value = client.post("/api/v1/sign-in/link", json!({})).await?;
            answer(&value, json, |v| at(v, &["url"]));
        }
        Verb::Org(org) => return people::orgs(client, org, json).await,
        Verb::Join(args) => return people::join(client, args, json).await,
        Verb::Project(project) => return projects(client, project, json).await,
        Verb::Feature(cli::Feature::New { name, description, at: place }) => {
            let value = client.call("feature.new", json!({"project": place.project, "name": name, "description": description})).await?;
            answer(&value, json, |v| {
                format!("Feature {} is made, in commit {}.{}", at(v, &["feature"]), at(v, &["commit"]), show::into_working_copy(v))
            });
        }
        Verb::Agent(agent) => return agents(client, *agent, json).await,
        Verb::Engine(cli::Engine::Install { name }) => {
            let value = client.call("engine.install", json!({ "name": name })).await?;
            answer(&value, json, |v| format!("{} {} is installed.", at(v, &["name"]), at(v, &["installed"])));
        }
        Verb::Engine(cli::Engine::List) => {
            let value = client.call("engine.list", json!({})).await?;
            answer(&value, json, show::engines);
        }
        Verb::Task(task) => return work::tasks(client, task, json).await,
        Verb::Run(run) => return work::runs(client, run, json).await,
        Verb::Patch(patch) => return work::patches(client, patch, json).await,
        Verb::Trace(args) => return trace::show(client, args, json).await,
        Verb::Credential(credential) => return credentials(client, credential, json).await,
        Verb::Quota(verb) => return quota::quota(client, verb, json).await,
        Verb::Token(token) => return tokens(client, token, json).await,
        Verb::Tailnet(asked) => return tailnet::tailnet(client, asked, json).await,
        Verb::Stop(asked) => return stop::stop(client, asked, json).await,
        Verb::Policy(asked) => return policy::policy(client, asked, json).await,
        Verb::Journal(journal) => return journals(client, journal, json).await,
        Verb::Ask(ask) => return ask::ask(client, ask, json).await,
        Verb::Device(cli::Device::List) => {
            let value = client.call("device.list", json!({})).await?;
            output::show(&value, json, show::devices)?;
            tailnet::warn(client, json).await;
        }
        Verb::Capacity => {
            let (value, names) = both(client, "device.capacity", json!({}), json).await?;
            output::show(&value, json, |v| show::capacity(v, &names))?;
        }
        Verb::Pods => {
            let (value, names) = both(client, "device.pods", json!({}), json).await?;
            output::show(&value, json, |v| show::pods(v, &names))?;
        }
        Verb::Evict(asked) => return evict::evict(client, asked, json).await,
        Verb::Lend(asked) => return lend::lend(client, asked, json).await,
        Verb::Reclaim(span) => return lend::say(client, "device.reclaim", span, json).await,
        Verb::Release(span) => return lend::say(client, "device.release", span, json).await,
        Verb::Backup(backup) => {
            let file = std::path::absolute(&backup.file).map_err(Problem::internal)?;
            let secret = new_passphrase(backup.passphrase_file.as_deref())?;
            let value = client.call("backup.create", json!({"path": file, "passphrase": secret.expose()})).await?;
            answer(&value, json, done);
        }
        Verb::Call(args) => {
            let text = if args.input == "-" { standard_input("JSON")? } else { args.input };
            let input = serde_json::from_str(&text).map_err(|e| {
                Problem::invalid(format!("The input is not JSON: {e}."))
                    .next("Give an object in quotes of the shell, or - for standard input.")
            })?;
            let value = client.call(&args.action, input).await?;
            answer(&value, json, |v| serde_json::to_string_pretty(v).unwrap_or_default());
        }
        Verb::Up(_) | Verb::OrgProcess(_) | Verb::Demo(_) | Verb::Doctor | Verb::Restore(_) | Verb::Completions { .. } => {}
    }
    Ok(ExitCode::SUCCESS)
}

/// Calls an action; for people also asks whom the keys in its answer belong to.
async fn both(client: &Client, action: &str, input: Value, json: bool) -> Result<(Value, Names), Problem> {
    let value = client.call(action, input).await?;
    let names = if json { Names::default() } else { Names::ask(client).await };
    Ok((value, names))
}

async fn projects(client: &Client, project: cli::Project, json: bool) -> Outcome {
    let done = |v: &Value| at(v, &["message"]);
    match project {
        cli::Project::Add { source, name, branch, public, seeds } => {
            let source = if source.starts_with("rad:") {
                source
            } else {
                std::path::absolute(&source).map_err(Problem::internal)?.display().to_string()
            };
            let value = client
                .call("project.add", json!({"source": source, "name": name, "branch": branch, "public": public, "seeds": seeds}))
                .await?;
            answer(&value, json, |v| {
                format!("Project {} is added as {}.{}", at(v, &["project", "name"]), at(v, &["project", "rid"]), notes(&v["notices"]))
            });
        }
        cli::Project::List => {
            let value = client.call("project.list", json!({})).await?;
            output::show(&value, json, show::projects)?;
        }
        cli::Project::Show { project } => {
            let value = client.call("project.show", json!({ "project": project })).await?;
            output::show(&value, json, show::project)?;
        }
        cli::Project::Share { with, at: place } => {
            answer(&client.call("project.share", json!({"project": place.project, "with": with})).await?, json, done)
        }
        cli::Project::Gate { project, by } => {
            answer(&client.call("project.gate", json!({"project": project, "devices": by.devices, "open": by.open})).await?, json, done)
        }
        cli::Project::Mirror { remote, at: place } => {
            answer(&client.call("project.mirror", json!({"project": place.project, "remote": remote})).await?, json, done)
        }
        cli::Project::Pull { from, at: place } => {
            let from =
                if from.contains("://") { from } else { std::path::absolute(&from).map_err(Problem::internal)?.display().to_string() };
            answer(&client.call("project.pull", json!({"project": place.project, "from": from})).await?, json, done);
        }
        cli::Project::Sync(place) => answer(&client.call("project.sync", json!({"project": place.project})).await?, json, done),
    }
    Ok(ExitCode::SUCCESS)
}

async fn agents(client: &Client, agent: cli::Agent, json: bool) -> Outcome {
    match agent {
        cli::Agent::Add { name, engine, command, model, base_url, api, credential, tokens, calls, money, ask } => {
            let api = api.map(|a| match a {
                cli::Api::Responses => "responses",
                cli::Api::Chat => "chat",
                cli::Api::Messages => "messages",
                cli::Api::Gemini => "gemini",
            });
            let permissions = ask.then_some("ask");
            let input = json!({"name": name, "engine": engine, "command": command, "model": model, "base_url": base_url, "api": api, "credential": credential, "tokens": tokens, "calls": calls, "money": money, "permissions": permissions});
            let value = client.call("agent.add", input).await?;
            answer(&value, json, |v| format!("The agent {} is set.{}", at(v, &["name"]), notes(&v["needs"])));
        }
        cli::Agent::List => {
            let value = client.call("agent.list", json!({})).await?;
            output::show(&value, json, show::agents)?;
        }
        cli::Agent::Remove { name } => answer(&client.call("agent.remove", json!({ "name": name })).await?, json, |v| at(v, &["message"])),
        cli::Agent::Run(_) => {}
    }
    Ok(ExitCode::SUCCESS)
}

async fn credentials(client: &Client, credential: cli::Credential, json: bool) -> Outcome {
    let done = |v: &Value| at(v, &["message"]);
    match credential {
        cli::Credential::Set { name, kind, provider, projects, agents } => {
            let kind = kind.map(cli::CredentialKind::name);
            let value = Secret::new(standard_input("the credential's value")?.trim_end_matches(['\r', '\n']).to_owned());
            let input =
                json!({"name": name, "value": value.expose(), "kind": kind, "provider": provider, "projects": projects, "agents": agents});
            answer(&client.call("credential.set", input).await?, json, done);
        }
        cli::Credential::List => {
            let value = client.call("credential.list", json!({})).await?;
            output::show(&value, json, show::credentials)?;
        }
        cli::Credential::Protect { by } => {
            let asked = (by == cli::Protection::Passphrase).then(|| standard_input("the vault's passphrase")).transpose()?;
            let secret = asked.map(|text| Secret::new(text.trim_end_matches(['\r', '\n']).to_owned()));
            let by = match by {
                cli::Protection::KeyFile => "key-file",
                cli::Protection::Passphrase => "passphrase",
                cli::Protection::Keyring => "keyring",
            };
            let input = json!({"by": by, "passphrase": secret.as_ref().map(Secret::expose)});
            answer(&client.call("credential.protect", input).await?, json, done);
        }
        cli::Credential::Test { name } => {
            let value = client.call("credential.test", json!({ "name": name })).await?;
            let good = value["good"] == true;
            answer(&value, json, done);
            return Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        cli::Credential::Remove { name } => answer(&client.call("credential.remove", json!({ "name": name })).await?, json, done),
    }
    Ok(ExitCode::SUCCESS)
}

async fn tokens(client: &Client, token: cli::Token, json: bool) -> Outcome {
    match token {
        cli::Token::Create { role, label, days } => {
            let role: Role = role.parse()?;
            let value = client.call("token.create", json!({"role": role, "label": label, "days": days})).await?;
            answer(&value, json, |v| at(v, &["token"]));
        }
        cli::Token::List => {
            let value = client.call("token.list", json!({})).await?;
            output::show(&value, json, show::tokens)?;
        }
        cli::Token::Revoke { id } => answer(&client.call("token.revoke", json!({ "id": id })).await?, json, |v| at(v, &["message"])),
    }
    Ok(ExitCode::SUCCESS)
}

async fn journals(client: &Client, journal: cli::Journal, json: bool) -> Outcome {
    match journal {
        cli::Journal::List { after, limit, device } => {
            let (value, names) = both(client, "journal.list", json!({"after": after, "limit": limit, "device": device}), json).await?;
            output::show(&value, json, |v| show::events(v, &names))?;
        }
        cli::Journal::Copies => {
            let (value, names) = both(client, "journal.copies", json!({}), json).await?;
            output::show(&value, json, |v| show::journals(v, &names))?;
        }
        cli::Journal::Hash => {
            let value = client.call("journal.hash", json!({})).await?;
            answer(&value, json, |v| format!("{} over {} runs and tasks", at(v, &["hash"]), v["things"]));
        }
        cli::Journal::Verify => {
            let value = client.call("journal.verify", json!({})).await?;
            let sound = value["sound"] == true;
            answer(&value, json, show::verified);
            return Ok(if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        cli::Journal::Rebuild => {
            let value = client.call("journal.rebuild", json!({})).await?;
            answer(&value, json, |v| {
                let more = show::not_understood(v);
                format!("Made anew from {} events; {} things were different.{more}", v["events"], v["differences"])
            });
        }
        cli::Journal::AcceptLoss => {}
    }
    Ok(ExitCode::SUCCESS)
}

/// The passphrase of a Radicle profile that is protected: from the environment, else from the person, if one is there.
fn profile_passphrase(home: &Path) -> Result<Option<Secret>, Problem> {
    if !forge::is_protected(home)? {
        return Ok(None);
    }
    match std::env::var("RAD_PASSPHRASE") {
        Ok(text) => Ok(Some(Secret::new(text))),
        Err(_) if !std::io::stdin().is_terminal() => Ok(None),
        Err(_) => {
            standard_input("the passphrase of your Radicle key").map(|t| Some(Secret::new(t.trim_end_matches(['\r', '\n']).to_owned())))
        }
    }
}

/// The passphrase of a backup.
fn passphrase(file: Option<&Path>) -> Result<String, Problem> {
    let text = match file {
        Some(file) => std::fs::read_to_string(file).map_err(|e| orchestrator::data_dir::storage(file, &e))?,
        None => standard_input("the passphrase")?,
    };
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

/// One for a backup that is to be made.
fn new_passphrase(file: Option<&Path>) -> Result<Secret, Problem> {
    let text = passphrase(file)?;
    if text.len() >= 8 {
        return Ok(Secret::new(text));
    }
    Err(Problem::invalid("The passphrase has fewer than 8 characters.")
        .next("Give a longer one, on standard input or in the file that --passphrase-file names."))
}

/// Reads standard input; from a terminal one line, after saying what is wanted, and without showing it.
fn standard_input(what: &str) -> Result<String, Problem> {
    let mut text = String::new();
    let stdin = std::io::stdin();
    if stdin.is_terminal() {
        output::aside(&format!("Type {what}, then Enter (it is not shown):"));
        let _hidden = crate::hidden::hide();
        stdin.read_line(&mut text).map_err(Problem::internal)?;
    } else {
        stdin
            .lock()
            .take(1 << 20)
            .read_to_string(&mut text)
            .map_err(|e| Problem::invalid(format!("Standard input cannot be read: {e}.")).next("Give a text file there."))?;
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic)]
    use super::*;
    use orchestrator::table;

    #[test]
    fn that_the_running_program_gives_no_findings_is_one() {
        let one = json!({"what": "clock", "ok": true});
        assert_eq!(known(Ok(json!([one]))), [one]);
        let told = known(Err(Problem::unavailable("The disk is gone."))).remove(0);
        assert!(told["ok"] == false && told["detail"].as_str().is_some_and(|text| text.ends_with("The disk is gone.")), "{told}");
    }

    #[test]
    fn every_command_that_a_refusal_names_is_there() {
        for action in table::table() {
            let Some(words) = table::command(action.name) else { continue };
            let mut at = Cli::command();
            for word in words.split(' ') {
                at = at.find_subcommand(word).unwrap_or_else(|| panic!("{}: meshwork {words}", action.name)).clone();
            }
        }
    }
}
