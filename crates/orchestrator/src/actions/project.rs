//! Projects: added, listed, shared, mirrored.

mod gate;
mod share;

use super::{Done, Nothing};
use crate::{
    cloning,
    data_dir::make_private,
    gated, mirror, names,
    org::Org,
    table::{Action, Context, Effect, action},
    tasks::{self, Board},
};
use domain::{
    FeatureId, Problem, ProjectName, Rid,
    actor::Actor,
    event::{Body, kind},
    project::{MirrorState, Project, ProjectView},
    role::Permission,
};
use forge::Visibility;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};
use tokio::io::AsyncReadExt;

pub(super) fn actions() -> Vec<Action> {
    use Effect::{Changes, Reads};
    vec![
        action(
            "project.add",
            Changes,
            Permission::ManageProjects,
            "Make a git working copy a project of the org, or clone one by its Radicle id.",
            add,
        ),
        action("project.list", Reads, Permission::View, "List the projects, also those that are not on this device yet.", list),
        action("project.show", Reads, Permission::View, "Show a project: its features, and what is wrong with their files.", show),
        action("project.share", Changes, Permission::ManageProjects, "Let a Radicle node read a private project.", share::share),
        action(
            "project.gate",
            Changes,
            Permission::ManageProjects,
            "Let only one device, or two of three, move a project's default branch, or open it again.",
            gate::set,
        ),
        action(
            "project.mirror",
            Changes,
            Permission::ManageProjects,
            "Push the merged default branch to an ordinary git host, and take changes made there.",
            set_mirror,
        ),
        action(
            "project.pull",
            Changes,
            Permission::ManageProjects,
            "Take commits of a working copy or another git remote into the default branch.",
            pull,
        ),
        action("project.sync", Changes, Permission::ManageProjects, "Bring a project and its mirror to the same state now.", sync),
        action(
            "feature.new",
            Changes,
            Permission::EditTasks,
            "Make a feature with Spec-Kit's own script, as a commit of the member.",
            feature_new,
        ),
    ]
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Add {
    /// Folder of the git working copy on this machine, or a Radicle id (`rad:z…`).
    source: String,
    /// Its name in the org; the folder's name where nothing is said.
    #[serde(default)]
    name: Option<ProjectName>,
    /// Its default branch; the one that is checked out where nothing is said.
    #[serde(default)]
    branch: Option<String>,
    /// Whether everybody may read it.
    #[serde(default)]
    public: bool,
    /// Where to clone from, as `did:key:z6Mk…@host:port`, one after the other; the connected nodes where nothing is said.
    #[serde(default)]
    seeds: Vec<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Added {
    project: Project,
    /// What the person should know.
    notices: Vec<String>,
}

async fn add(context: Context, input: Add) -> Result<Added, Problem> {
    let org = context.org()?;
    let actor = context.actor(&org);
    let added = if input.source.starts_with("rad:") {
        cloned(&org, &actor, input).await?
    } else {
        org.blocking(move |org| taken(org, &input)).await?
    };
    org.record(&actor, vec![Body::ProjectAdded { project: added.project.name.clone(), rid: added.project.rid.clone() }]).await?;
    Ok(added)
}

fn taken(org: &Org, input: &Add) -> Result<Added, Problem> {
    let folder = PathBuf::from(&input.source);
    if !folder.is_absolute() {
        return Err(Problem::invalid(format!("“{}” is not an absolute path.", domain::shown(&input.source)))
            .next("Give the working copy's full path."));
    }
    let name = match &input.name {
        Some(name) => name.clone(),
        None => names::file_name(&folder.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default()).parse()?,
    };
    cloning::free(org, &name, org.forge.known_as(&folder)?.as_ref())?;
    let visibility = if input.public { Visibility::Public } else { Visibility::Private { allow: vec![] } };
    let made = org.forge.init_project(&folder, &name, input.branch.as_deref(), &visibility)?;
    let project = Project { name, rid: made.rid, branch: made.branch, mirror: None, gates: vec![] };
    let mut notices = made.notices;
    if org.forge.files(&project.rid, &made.head, &["specs/"])?.is_empty() {
        notices.push("It has no Spec-Kit features yet: meshwork feature new makes one.".into());
    }
    notices.extend(mistake(org, &project)?);
    write(org, &project, "Add project")?;
    Ok(Added { project, notices })
}

/// What is wrong with a project's settings, for who adds it: its tasks cannot be run until that is mended.
fn mistake(org: &Org, project: &Project) -> Result<Option<String>, Problem> {
    let files = org.forge.files(&project.rid, &org.forge.head(&project.rid)?, &tasks::roots())?;
    Ok(tasks::settings(&files).err().map(|problem| problem.to_string()))
}

async fn cloned(org: &Arc<Org>, actor: &Actor, input: Add) -> Result<Added, Problem> {
    let rid: Rid = input.source.parse()?;
    let name = input.name.ok_or_else(|| Problem::invalid("A cloned project needs a name in the org.").next("Give it with --name."))?;
    if rid == org.rid {
        return Err(Problem::invalid("This is the org's own repository.")
            .because("Agents work on projects, and nobody but its owners changes the org.")
            .next("Change the org by its own actions, as meshwork policy set; meshwork org show shows it."));
    }
    let (wanted, repository) = (name.clone(), rid.clone());
    org.blocking(move |org| cloning::free(org, &wanted, Some(&repository))).await?;
    cloning::fetch(org, actor, &rid, &input.seeds).await?;
    org.blocking(move |org| {
        let project = Project { name, branch: org.forge.branch(&rid)?, rid, mirror: None, gates: vec![] };
        let notices = mistake(org, &project)?.into_iter().collect();
        write(org, &project, "Add project")?;
        Ok(Added { project, notices })
    })
    .await
}

fn write(org: &Org, project: &Project, message: &str) -> Result<(), Problem> {
    let text = toml::to_string_pretty(project).map_err(Problem::internal)?;
    org.forge
        .change_org(
            &org.rid,
            &format!("{message} {}", project.name),
            &[(format!("projects/{}.toml", project.name), Some(text.into_bytes()))],
        )
        .map(|_| ())
}

async fn list(context: Context, _: Nothing) -> Result<Vec<ProjectView>, Problem> {
    context.org()?.blocking(|org| Ok(org.state()?.projects.values().map(|project| listed(org, project)).collect())).await
}

/// A project in a list; also one that is not on this device yet, or cannot be read.
fn listed(org: &Org, project: &Project) -> ProjectView {
    if !org.forge.has(&project.rid) {
        let why = org.kept.why_absent(&project.rid).map(|why| names::within(&org.remote.org(), &why));
        return ProjectView::away(project.clone(), why);
    }
    match Board::look(org, project) {
        Ok((board, mistake)) => ProjectView { problem: mistake.map(|mistake| mistake.to_string()), ..view(&board) },
        Err(problem) => ProjectView::unread(project.clone(), problem.to_string()),
    }
}

fn view(board: &Board) -> ProjectView {
    let done = board.tasks.iter().filter(|t| t.task.done).count();
    ProjectView {
        project: board.project.clone(),
        head: Some(board.head.clone()),
        absent: None,
        problem: None,
        features: board.features.len(),
        open_tasks: board.tasks.len() - done,
        done_tasks: done,
    }
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Named {
    /// The project; the only one where nothing is said.
    #[serde(default)]
    project: Option<ProjectName>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Shown {
    #[serde(flatten)]
    view: ProjectView,
    features: Vec<FeatureView>,
    /// What the person should know of its settings and its mirror.
    notices: Vec<String>,
    /// Its gates, where it is gated.
    #[serde(skip_serializing_if = "Option::is_none")]
    gate: Option<gate::GateView>,
    /// How it is with its mirror.
    #[serde(skip_serializing_if = "Option::is_none")]
    mirror: Option<MirrorState>,
    checks: Vec<domain::project::Check>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct FeatureView {
    id: FeatureId,
    title: String,
    tasks: usize,
    done: usize,
    problems: Vec<String>,
}

async fn show(context: Context, input: Named) -> Result<Shown, Problem> {
    let show = move |org: &Arc<Org>| {
        let (board, mistake) = Board::look(org, &org.project(input.project.as_ref())?)?;
        let feature = |f: &domain::task::Feature| FeatureView {
            id: f.id.clone(),
            title: f.title.clone(),
            tasks: f.tasks.len(),
            done: f.tasks.iter().filter(|t| t.done).count(),
            problems: f.problems.clone(),
        };
        let mirror = match &board.project.mirror {
            Some(_) => org.store.get::<MirrorState>(kind::MIRROR, board.project.name.as_str())?,
            None => None,
        };
        let failing = mirror.as_ref().and_then(|m| m.problem.as_ref()).map(|why| format!("The mirror is not up to date: {why}"));
        let still_gated = gate::still_gated(org, &board.project)?;
        Ok(Shown {
            view: view(&board),
            features: board.features.iter().map(feature).collect(),
            gate: gate::view(org, &board.project)?,
            // What is guessed without the settings would not be true.
            checks: if mistake.is_some() { vec![] } else { board.checks(org)? },
            notices: crate::tools::left_out(&board.settings.toolchains)
                .into_iter()
                .chain(failing)
                .chain(still_gated)
                .chain(mistake.map(|problem| problem.to_string()))
                .collect(),
            mirror,
        })
    };
    context.org()?.blocking(show).await
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Mirror {
    /// The project.
    #[serde(default)]
    project: Option<ProjectName>,
    /// The git remote's address; empty to end the mirror.
    remote: String,
}

async fn set_mirror(context: Context, input: Mirror) -> Result<Done, Problem> {
    let org = context.org()?;
    without_secret(&input.remote)?;
    let remote = (!input.remote.is_empty()).then_some(input.remote);
    let project = org.blocking(move |org| Ok(Project { mirror: remote, ..org.project(input.project.as_ref())? })).await?;
    // One that cannot be mirrored to is not written down.
    let done = match project.mirror {
        Some(_) => mirror::sync(&org, &project).await?,
        None => format!("{} is mirrored no more.", project.name),
    };
    org.blocking(move |org| write(org, &project, "Mirror project")).await?;
    Ok(Done::new(done))
}

/// Refuses a git remote's address that holds a password or a token. Over HTTP a token is often the whole name before the `@`.
fn without_secret(remote: &str) -> Result<(), Problem> {
    let Some((scheme, rest)) = remote.split_once("://") else { return Ok(()) };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let Some((user, _)) = authority.rsplit_once('@') else { return Ok(()) };
    let over_http = ["http", "https"].iter().any(|http| scheme.eq_ignore_ascii_case(http));
    if !over_http && !user.contains(':') {
        return Ok(());
    }
    Err(Problem::invalid("The address holds a password or a token, which others could read.")
        .because("A mirror's address is seen by every member of the org.")
        .next("Leave out what stands before the @; git's credential helper or an SSH key gives it."))
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Pull {
    /// The project.
    #[serde(default)]
    project: Option<ProjectName>,
    /// Folder of a git working copy on this machine, or a git remote's address.
    from: String,
}

async fn pull(context: Context, input: Pull) -> Result<Done, Problem> {
    let org = context.org()?;
    let actor = context.actor(&org);
    without_secret(&input.from)?;
    let project = org.blocking(move |org| org.project(input.project.as_ref())).await?;
    let (pulled, _) = mirror::take(&org, &project, &input.from).await?;
    let Some(commit) = pulled else { return Ok(Done::new(format!("{} has all of it already.", project.name))) };
    org.record(&actor, vec![Body::TasksEdited { project: project.name.clone(), commit: commit.clone() }]).await?;
    org.announce(&project.rid, std::slice::from_ref(&org.member));
    org.wake.notify_one();
    let name = project.name.clone();
    let warning = org.blocking(move |org| Ok(mistake(org, &project)?.map(|wrong| format!(" {wrong}")).unwrap_or_default())).await?;
    Ok(Done::new(format!("{name} is at {commit} now.{warning}")))
}

async fn sync(context: Context, input: Named) -> Result<Done, Problem> {
    let org = context.org()?;
    let project = org.blocking(move |org| org.project(input.project.as_ref())).await?;
    mirror::sync(&org, &project).await.map(Done::new)
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct FeatureNew {
    /// The project.
    #[serde(default)]
    project: Option<ProjectName>,
    /// A short name, as `login`.
    name: String,
    /// What it is to do.
    #[serde(default)]
    description: String,
}

#[derive(Debug, Serialize, JsonSchema)]
struct FeatureMade {
    feature: FeatureId,
    commit: domain::Oid,
    /// The command that brings it into a working copy.
    pull: String,
}

async fn feature_new(context: Context, input: FeatureNew) -> Result<FeatureMade, Problem> {
    let org = context.org()?;
    let actor = context.actor(&org);
    let made = org
        .blocking(move |org| {
            let project = org.project(input.project.as_ref())?;
            gated::here(org, &project)?;
            let head = org.forge.head(&project.rid)?;
            // A throw-away checkout in a sandbox: the script is the project's own, and an agent may have written it.
            let scratch = Scratch::new(org)?;
            let work = scratch.0.join("work");
            make_private(&scratch.0.join("home"))?;
            org.forge.checkout(&project.rid, &head, &work)?;
            let feature = run_script(org, &scratch.0, &input)?;
            let changes = folder_files(&work, &format!("specs/{feature}"))?;
            let commit = org.forge.commit_files(&project.rid, &format!("Add feature {feature}"), &changes, Some(&head))?;
            let pull = crate::merge::pull(org, &project);
            Ok((project, FeatureMade { feature, commit, pull }))
        })
        .await?;
    org.record(&actor, vec![Body::TasksEdited { project: made.0.name, commit: made.1.commit.clone() }]).await?;
    Ok(made.1)
}

/// Runs Spec-Kit's script in a sandbox without any way out; our own program reads its answer there.
fn run_script(org: &Org, scratch: &Path, input: &FeatureNew) -> Result<FeatureId, Problem> {
    let command = [&sandbox::bridge_inside(), "feature-new", &input.name, &input.description].map(str::to_owned).to_vec();
    let spec = sandbox::Spec {
        command,
        env: vec![],
        work: scratch.join("work"),
        home: scratch.join("home"),
        readonly: vec![],
        shown: vec![],
        caches: None,
        brief: None,
        forwards: vec![],
        bridge: org.options.executable.clone(),
        resources: domain::capacity::Resources::default(),
        processes_max: 0,
    };
    let output = tokio::runtime::Handle::current().block_on(async {
        let sandbox = sandbox::Sandbox::spawn(spec).await?;
        let stdio = sandbox.take_stdio().ok_or_else(|| Problem::internal("a sandbox without streams"))?;
        let mut output = String::new();
        let mut answer = stdio.stdout.take(SCRIPT_OUTPUT_BYTES_MAX);
        let done = tokio::time::timeout(SCRIPT_TIME, answer.read_to_string(&mut output)).await;
        sandbox.kill().await;
        done.map_err(|_| {
            Problem::new(domain::Kind::Timeout, "Spec-Kit's script did not end.")
                .next("Run it by hand in a working copy, and commit what it makes.")
        })?
        .map_err(Problem::internal)?;
        Ok::<_, Problem>(output)
    })?;
    serde_json::from_str::<Result<FeatureId, Problem>>(output.trim()).map_err(|_| {
        Problem::conflict("Spec-Kit's script gave no answer in its sandbox.")
            .because(domain::shown(&output))
            .next("Run it by hand in a working copy, and commit what it makes.")
    })?
}

/// How long Spec-Kit's script may take.
const SCRIPT_TIME: std::time::Duration = std::time::Duration::from_secs(60);
/// How much it may answer, in bytes.
const SCRIPT_OUTPUT_BYTES_MAX: u64 = 64 * 1024;

/// A folder that goes when it is dropped.
struct Scratch(PathBuf);

impl Scratch {
    fn new(org: &Org) -> Result<Self, Problem> {
        let path = org.dir.runs().join(format!("scratch-{}", crate::clock::run_id()));
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A path and what is to be there.
type Change = (String, Option<Vec<u8>>);

/// How large the files of a new feature may be, all together, in bytes.
const FEATURE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// The regular files below a folder, as changes for a commit. A script laid them that may be hostile: no link is followed.
fn folder_files(root: &Path, below: &str) -> Result<Vec<Change>, Problem> {
    real_folders(root, below)?;
    let (mut found, mut left_bytes) = (Vec::new(), FEATURE_BYTES_MAX);
    for entry in ignore::WalkBuilder::new(root.join(below)).standard_filters(false).follow_links(false).build() {
        let entry = entry.map_err(Problem::internal)?;
        if !entry.file_type().is_some_and(|t| t.is_file()) {
            continue;
        }
        let path = entry.path().strip_prefix(root).map_err(Problem::internal)?.to_string_lossy().into_owned();
        let bytes = crate::below::read(root, &path, left_bytes).ok().flatten().ok_or_else(|| unreadable(&path))?;
        left_bytes = left_bytes.saturating_sub(bytes.len() as u64);
        found.push((path, Some(bytes)));
    }
    Ok(found)
}

/// Refuses a link, or anything else, in the place of a folder: a walk follows the link that it begins at.
fn real_folders(root: &Path, below: &str) -> Result<(), Problem> {
    let mut at = root.to_owned();
    for part in below.split('/') {
        at.push(part);
        if !std::fs::symlink_metadata(&at).is_ok_and(|found| found.is_dir()) {
            return Err(Problem::conflict("Spec-Kit's script left something else than a folder.")
                .because(format!("It named {below}, and {part} is no folder of the worktree."))
                .next("Run it by hand in a working copy, and commit what it makes."));
        }
    }
    Ok(())
}

fn unreadable(path: &str) -> Problem {
    let most_mib = FEATURE_BYTES_MAX / (1024 * 1024);
    Problem::conflict(format!("Spec-Kit's script left a file that cannot be taken: {}.", domain::shown(path)))
        .because(format!("It is no plain file, or the feature's files are larger than {most_mib} MiB together."))
        .next("Run it by hand in a working copy, and commit what it makes.")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn only_files_that_lie_in_the_worktree_itself_become_a_feature() {
        let dir = tempfile::tempdir().unwrap();
        let (root, keys) = (dir.path().join("work"), dir.path().join("keys"));
        for folder in [&root.join("specs/001-good/more"), &keys] {
            std::fs::create_dir_all(folder).unwrap();
        }
        std::fs::write(keys.join("id_ed25519"), "secret").unwrap();
        std::fs::write(root.join("specs/001-good/spec.md"), "It works.").unwrap();
        std::fs::write(root.join("specs/001-good/more/notes.md"), "More.").unwrap();
        symlink(&keys, root.join("specs/001-good/keys")).unwrap();
        symlink(keys.join("id_ed25519"), root.join("specs/001-good/key")).unwrap();
        let mut found: Vec<_> = folder_files(&root, "specs/001-good").unwrap().into_iter().map(|(path, _)| path).collect();
        found.sort();
        assert_eq!(found, ["specs/001-good/more/notes.md", "specs/001-good/spec.md"]);

        symlink(&keys, root.join("specs/009-x")).unwrap();
        std::fs::write(root.join("specs/010-file"), "no folder").unwrap();
        for odd in ["specs/009-x", "specs/010-file", "specs/011-absent"] {
            assert_eq!(folder_files(&root, odd).unwrap_err().kind, domain::Kind::Conflict, "{odd}");
        }
        std::fs::rename(root.join("specs"), root.join("real")).unwrap();
        symlink(root.join("real"), root.join("specs")).unwrap();
        assert!(folder_files(&root, "specs/001-good").is_err(), "a link on the way");
    }

    #[test]
    fn a_feature_larger_than_its_limit_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("specs/001-large")).unwrap();
        for name in ["a", "b"] {
            let file = std::fs::File::create(dir.path().join("specs/001-large").join(name)).unwrap();
            file.set_len(FEATURE_BYTES_MAX / 2 + 1).unwrap();
        }
        assert_eq!(folder_files(dir.path(), "specs/001-large").unwrap_err().kind, domain::Kind::Conflict);
    }

    #[test]
    fn an_address_with_a_password_or_a_token_is_refused() {
        for secret in [
            "https://ghp_token@github.com/x",
            "HTTPS://ghp_token@github.com/x",
            "http://me:password@example.org/x",
            "https://token@example.org?x",
            "ssh://me:password@example.org/x",
        ] {
            assert!(without_secret(secret).is_err(), "{secret}");
        }
        for plain in ["", "/home/me/x", "https://example.org/x@y", "ssh://git@example.org/x", "git@example.org:x", "file:///srv/x@y"] {
            assert!(without_secret(plain).is_ok(), "{plain}");
        }
    }
}
