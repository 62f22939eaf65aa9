//! Members and devices of the org, and changes that wait for its owners.

use super::{Done, Nothing, join};
use crate::{
    join::desk,
    members::{self, DeviceChange, Parting},
    org::Org,
    table::{Action, Context, Effect, action},
};
use domain::{
    Did, Kind, Oid, PatchId, Problem, RevisionId, Timestamp,
    event::Body,
    join::{Admits, Joiner},
    role::{Permission, Role},
};
use forge::{Approved, Changed, OrgState, Proposal, Standing};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

pub(super) fn actions() -> Vec<Action> {
    use Effect::{Changes, Reads};
    use Permission::{ManageOrg, View};
    vec![
        action("org.proposals", Reads, View, "List the changes of the org that wait for owners.", proposals),
        action("org.approve", Changes, ManageOrg, "Approve a change of the org, or let somebody in who knocked here.", approve),
        action("org.reject", Changes, ManageOrg, "Reject a change of the org, or decline somebody who knocked here.", reject),
        action("org.threshold", Changes, ManageOrg, "Say how many owners must sign a change of the org.", threshold),
        action("member.roles", Changes, ManageOrg, "Give a member roles, and take some from them.", roles),
        action("member.rename", Changes, ManageOrg, "Rename a member.", rename),
        action("member.standby", Changes, ManageOrg, "Name the device that stands in for a member's others while they are away.", standby),
        action("member.remove", Changes, ManageOrg, "Remove a member, with their keys and devices.", remove),
        action("device.change", Changes, ManageOrg, "Rename a device, or say where it is and what the org promises about it.", device),
        action("device.remove", Changes, ManageOrg, "Remove a device, with the member's key on it.", remove_device),
    ]
}

/// What became of a change of the org.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Outcome {
    /// In words.
    message: String,
    /// The commit, where it is in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    commit: Option<Oid>,
    /// The proposal, where it waits for other owners.
    #[serde(skip_serializing_if = "Option::is_none")]
    proposal: Option<PatchId>,
}

impl Outcome {
    pub(super) fn of(changed: Changed, done: impl Into<String>) -> Self {
        match changed {
            Changed::InForce(commit) => Self { message: done.into(), commit: Some(commit), proposal: None },
            Changed::Proposed(id) => Self {
                message: format!("Proposed. It counts once enough owners approve it: meshwork org approve {}.", short(&id)),
                commit: None,
                proposal: Some(id),
            },
        }
    }
}

fn short(id: &PatchId) -> &str {
    id.as_str().get(..10).unwrap_or(id.as_str())
}

/// A change that waits.
#[derive(Debug, Serialize, JsonSchema)]
struct ProposalView {
    id: PatchId,
    /// Its last revision, for which an approval is; the first has the proposal's id.
    revision: RevisionId,
    title: String,
    /// Who made that revision: a member's name, or a key.
    by: String,
    at: Timestamp,
    /// The files of the org repository that it changes.
    files: Vec<String>,
    /// The owners who approved.
    approved: Vec<String>,
    /// How many must.
    needed: usize,
    /// What is to be known of how it stands: what else it waits for, or why it cannot count.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
    /// Whether the owner here has still to decide.
    yours: bool,
}

async fn proposals(context: Context, _: Nothing) -> Result<Vec<ProposalView>, Problem> {
    let tell = |org: &Arc<Org>| {
        let state = org.state()?;
        let name = |did: &Did| name_of(&state, did);
        let owner = state.owner_keys().contains(&org.member);
        let view = |p: Proposal| {
            let yours = owner && !p.approved.contains(&org.member) && matches!(p.standing, Standing::Waits | Standing::Behind);
            ProposalView {
                by: name(&p.author),
                yours,
                approved: p.approved.iter().map(name).collect(),
                problem: match p.standing {
                    Standing::Waits if !p.unsigned.is_empty() => Some(unsigned(&state, &p.unsigned)),
                    Standing::Waits if yours => None,
                    Standing::Waits => as_yet(p.needed, state.org.threshold),
                    Standing::Behind => Some("The org has changed since: the next approval makes it anew, and all approve again.".into()),
                    Standing::Conflicts(paths) => Some(format!("It contradicts what is in force by now: {}.", paths.join(", "))),
                    Standing::Invalid(problem) => Some(problem.to_string()),
                },
                id: p.id,
                revision: p.revision,
                title: p.title,
                at: p.at,
                files: p.files,
                needed: p.needed,
            }
        };
        Ok(org.forge.proposals(&org.rid)?.into_iter().map(view).collect())
    };
    context.org()?.blocking(tell).await
}

fn name_of(state: &OrgState, key: &Did) -> String {
    state.member_of(key).map_or_else(|| key.to_string(), |member| member.name.clone())
}

/// That devices of these have signed something, to stand after “until”. Of several it may take only some.
fn signed_by(state: &OrgState, keys: &[Did]) -> String {
    let names: Vec<String> = keys.iter().map(|key| name_of(state, key)).collect();
    match names.as_slice() {
        [name] => format!("the device of {name} has signed it, which it does by itself while it is up"),
        _ => format!("enough of the devices of {} have signed it, which they do by themselves while they are up", names.join(", ")),
    }
}

/// For whose devices a change waits that enough owners approved.
fn unsigned(state: &OrgState, keys: &[Did]) -> String {
    format!("Enough owners approved it; it waits until {}.", signed_by(state, keys))
}

/// That fewer approvals are enough than the org asks for, where Radicle's identity of the org repository has not followed yet.
fn as_yet(needed: usize, asked: u32) -> Option<String> {
    let owners = domain::counted(needed, "owner");
    let fewer = usize::try_from(asked).is_ok_and(|asked| needed < asked);
    fewer.then(|| format!("The approval of {owners} is enough until the owners' devices have signed that it takes {asked}."))
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Which {
    /// A proposal's id or its beginning; or somebody who waits: their name, their device's, or its key.
    what: String,
    /// Why, for a rejection.
    #[serde(default)]
    why: Option<String>,
    /// The revision of a proposal that was looked at, for an approval; the first where nothing is said.
    #[serde(default)]
    revision: Option<String>,
}

/// A proposal, by the beginning of its id.
fn proposal(org: &Org, text: &str) -> Result<Option<PatchId>, Problem> {
    let mut found = org.forge.proposals(&org.rid)?.into_iter().filter(|p| text.len() >= 4 && p.id.as_str().starts_with(text));
    match (found.next(), found.next()) {
        (Some(_), Some(_)) => Err(Problem::invalid(format!("“{text}” names several proposals.")).next("Give more of the id.")),
        (one, _) => Ok(one.map(|p| p.id)),
    }
}

/// What somebody decides about.
enum Meant {
    /// A proposal that waits.
    Proposal(PatchId),
    /// Somebody who knocked here, and waits.
    Joiner(Box<Joiner>),
}

/// What is meant by a text. A proposal that is decided already is told as a problem.
fn meant(org: &Org, text: &str) -> Result<Meant, Problem> {
    if let Some(id) = proposal(org, text)? {
        return Ok(Meant::Proposal(id));
    }
    let decided = || if text.len() >= 4 { org.forge.decided(&org.rid, text) } else { Ok(None) };
    match desk::joiner(org, text) {
        Ok(joiner) => Ok(Meant::Joiner(Box::new(joiner))),
        Err(nobody) if nobody.kind == Kind::NotFound => Err(decided()?.unwrap_or(nobody)),
        Err(several) => Err(several),
    }
}

async fn approve(context: Context, input: Which) -> Result<Outcome, Problem> {
    let org = context.org()?;
    let what = input.what;
    let id = match org.blocking(move |org| meant(org, &what)).await? {
        Meant::Proposal(id) => id,
        Meant::Joiner(joiner) => {
            let done = let_in(&joiner);
            return Ok(Outcome::of(join::approve(&context, *joiner).await?, done));
        }
    };
    let seen: RevisionId = input.revision.as_deref().unwrap_or(id.as_str()).parse()?;
    let approving = id.clone();
    let approved = org.blocking(move |org| org.forge.approve(&org.rid, &approving, &seen)).await?;
    org.look_at_head();
    org.kept.notify_one();
    let (message, commit) = match approved {
        Approved::InForce(commit) => ("Approved, and in force.".into(), Some(commit)),
        Approved::Waits(keys) if keys.is_empty() => ("Approved; it waits for other owners.".into(), None),
        Approved::Waits(keys) => (org.blocking(move |org| Ok(unsigned(&org.state()?, &keys))).await?, None),
    };
    org.record(context.actor(&org), vec![Body::ProposalApproved { proposal: id.clone(), commit: commit.clone() }]).await?;
    let proposal = commit.is_none().then_some(id);
    Ok(Outcome { message, commit, proposal })
}

/// What is said once somebody who knocked is let in.
fn let_in(joiner: &Joiner) -> String {
    match &joiner.admits {
        Admits::Member { role } => format!("{} is let in as {}; their machine learns of it by itself.", joiner.text(), role.name()),
        Admits::Device { member } => {
            format!("One more device of {member} is let in: {}. It learns of it by itself.", joiner.knock.device_name)
        }
    }
}

async fn reject(context: Context, input: Which) -> Result<Done, Problem> {
    let org = context.org()?;
    let id = match org.blocking(move |org| meant(org, &input.what)).await? {
        Meant::Proposal(id) => id,
        Meant::Joiner(joiner) => return join::decline(&context, *joiner, input.why).await,
    };
    let rejecting = id.clone();
    org.blocking(move |org| org.forge.reject(&org.rid, &rejecting)).await?;
    org.record(context.actor(&org), vec![Body::ProposalRejected { proposal: id.clone() }]).await?;
    Ok(Done::new(format!("The proposal {} is closed.", short(&id))))
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Threshold {
    /// How many.
    owners: u32,
}

async fn threshold(context: Context, input: Threshold) -> Result<Outcome, Problem> {
    let org = context.org()?;
    let set = move |_: &Org, state: &forge::OrgState| {
        let changed = domain::org::Org { threshold: input.owners, ..state.org.clone() };
        let text = toml::to_string_pretty(&changed).map_err(Problem::internal)?;
        Ok(vec![("org.toml".to_owned(), Some(text.into_bytes()))])
    };
    let owners = domain::counted(input.owners, "owner");
    let changed = members::change(&org, &context.actor(&org), format!("Let {owners} sign changes"), set).await?;
    let done = org.blocking(move |org| binds(org, input.owners)).await?;
    Ok(Outcome::of(changed, done))
}

/// From when on so many must sign: Radicle's identity of the org repository has to say the same, which takes other owners' devices.
fn binds(org: &Org, owners: u32) -> Result<String, Problem> {
    let (must, enforced) = (domain::counted(owners, "owner"), org.forge.threshold(&org.rid)?);
    if usize::try_from(owners).is_ok_and(|owners| owners == enforced) {
        return Ok(format!("{must} must sign changes of the org from now on."));
    }
    let state = org.state()?;
    let keys: BTreeSet<Did> = org.forge.delegates(&org.rid)?.into_iter().chain(state.owner_keys()).collect();
    let others: Vec<Did> = keys.into_iter().filter(|key| *key != org.member).collect();
    let until = match enforced {
        1 => "one owner's signature is enough".to_owned(),
        more => format!("it takes {more} owners"),
    };
    Ok(format!("{must} must sign changes of the org. That binds once {}; until then {until}.", signed_by(&state, &others)))
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Roles {
    /// The member.
    member: String,
    /// Roles that they get.
    #[serde(default)]
    give: Vec<Role>,
    /// Roles that they lose.
    #[serde(default)]
    take: Vec<Role>,
}

async fn roles(context: Context, input: Roles) -> Result<Outcome, Problem> {
    let org = context.org()?;
    let words = |sign: &str, roles: &[Role]| roles.iter().map(|r| format!(" {sign}{}", r.name())).collect::<String>();
    let what = format!("Set roles of {}:{}{}", domain::shown(&input.member), words("+", &input.give), words("-", &input.take));
    let name = input.member.clone();
    let set = move |_: &Org, state: &forge::OrgState| {
        let mut roles = members::member_of(state, &input.member)?.roles.clone();
        roles.retain(|role| !input.take.contains(role));
        roles.extend(input.give.iter().copied());
        roles.sort_unstable();
        roles.dedup();
        members::set_roles(state, &input.member, roles)
    };
    let changed = members::change(&org, &context.actor(&org), what, set).await?;
    Ok(Outcome::of(changed, format!("The roles of {name} are set.")))
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Rename {
    /// The member.
    member: String,
    /// The new name.
    name: String,
}

async fn rename(context: Context, input: Rename) -> Result<Outcome, Problem> {
    let org = context.org()?;
    let what = format!("Rename {} to {}", domain::shown(&input.member), domain::shown(&input.name));
    let done = format!("{} is called {} now.", input.member, input.name);
    let set = move |_: &Org, state: &forge::OrgState| members::rename_member(state, &input.member, &input.name);
    Ok(Outcome::of(members::change(&org, &context.actor(&org), what, set).await?, done))
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct StandbyInput {
    /// The member.
    member: String,
    /// A device of theirs; null: none any more.
    #[serde(default)]
    device: Option<String>,
}

async fn standby(context: Context, input: StandbyInput) -> Result<Outcome, Problem> {
    let org = context.org()?;
    let name = domain::shown(&input.member);
    let (what, done) = match input.device.as_deref().map(domain::shown) {
        Some(device) => {
            (format!("Let {device} stand in for {name}"), format!("{device} stands in while another device of {name} is away."))
        }
        None => (format!("Let no device stand in for {name}"), format!("No device stands in for those of {name} any more.")),
    };
    let set = move |_: &Org, state: &forge::OrgState| members::set_standby(state, &input.member, input.device.as_deref());
    Ok(Outcome::of(members::change(&org, &context.actor(&org), what, set).await?, done))
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Remove {
    /// Who or what.
    name: String,
    /// Keys were lost or stolen: nothing of them is taken any more, not even what they made before.
    #[serde(default)]
    lost: bool,
    /// Why, for the org's records.
    #[serde(default)]
    why: Option<String>,
}

impl Remove {
    fn parting(&self) -> Parting {
        let why = self.why.clone();
        if self.lost {
            Parting::Revoked(why.unwrap_or_else(|| "lost".into()))
        } else {
            Parting::Ended(why.unwrap_or_else(|| "removed".into()))
        }
    }
}

async fn remove(context: Context, input: Remove) -> Result<Outcome, Problem> {
    let org = context.org()?;
    let (what, done) = (format!("Remove {}", domain::shown(&input.name)), format!("{} belongs to the org no more.", input.name));
    let set = move |org: &Org, state: &forge::OrgState| {
        let me = members::member_of(state, &input.name)?.keys.iter().any(|key| key.did == org.member);
        if me { Err(oneself()) } else { members::remove_member(state, &input.name, &input.parting()) }
    };
    Ok(Outcome::of(members::change(&org, &context.actor(&org), what, set).await?, done))
}

async fn remove_device(context: Context, input: Remove) -> Result<Outcome, Problem> {
    let org = context.org()?;
    let (what, done) = (format!("Remove the device {}", domain::shown(&input.name)), format!("{} belongs to the org no more.", input.name));
    let set = move |org: &Org, state: &forge::OrgState| {
        let here = members::device_of(state, &input.name)?.did == org.device;
        if here { Err(this_device(&input.name)) } else { members::remove_device(state, &input.name, &input.parting()) }
    };
    Ok(Outcome::of(members::change(&org, &context.actor(&org), what, set).await?, done))
}

fn oneself() -> Problem {
    Problem::new(Kind::Conflict, "That is the member here.").next("Leave the org instead: meshwork org leave.")
}

fn this_device(name: &str) -> Problem {
    Problem::new(Kind::Conflict, format!("{} is the device that this is asked of.", domain::shown(name)))
        .because("Without its key it could not sign that the others may take the key off the list.")
        .next("Say it on another device of yours, or leave the org with this one: meshwork org leave.")
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct DeviceInput {
    /// The device.
    device: String,
    /// Its new name.
    #[serde(default)]
    name: Option<String>,
    /// Where its mesh port is reached, as `host:port`.
    #[serde(default)]
    addresses: Option<Vec<String>>,
    /// Where its Radicle node is reached, as `host:port`.
    #[serde(default)]
    radicle: Option<Vec<String>>,
    /// Where its gossip is reached, as `host:port`.
    #[serde(default)]
    gossip: Option<Vec<String>>,
    /// What the org promises about it, as `region`; an empty value takes a promise back.
    #[serde(default)]
    tags: BTreeMap<String, String>,
}

impl DeviceInput {
    /// Whether it is said what is to be otherwise.
    fn changes(&self) -> bool {
        self.name.is_some() || self.addresses.is_some() || self.radicle.is_some() || self.gossip.is_some() || !self.tags.is_empty()
    }
}

async fn device(context: Context, input: DeviceInput) -> Result<Outcome, Problem> {
    if !input.changes() {
        return Err(Problem::invalid(format!("It is not said what is to change of the device {}.", domain::shown(&input.device)))
            .next("Give --name, --addresses, --radicle, --gossip or --tags."));
    }
    let org = context.org()?;
    let device = input.device.clone();
    let (what, done) = (format!("Change the device {}", domain::shown(&input.device)), format!("The device {} is changed.", input.device));
    let set = move |_: &Org, state: &forge::OrgState| {
        let DeviceInput { name, addresses, radicle, gossip, tags, .. } = input;
        let change = DeviceChange { name, addresses, radicle, gossip, tags };
        members::set_device(state, &device, change)
    };
    Ok(Outcome::of(members::change(&org, &context.actor(&org), what, set).await?, done))
}
