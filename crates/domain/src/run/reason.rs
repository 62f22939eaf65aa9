//! Why a run ended, was refused, or waits.

use crate::limits::{PATCHES_WAITING_MAX, START_TRIES_MAX};
use crate::{Did, Kind, PatchId, Problem, RunId, TaskId, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Why a run ended, was refused, or waits. Typed for machines, with words for people in [`Reason::text`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum Reason {
    /// Done as asked.
    Completed,
    /// Waits until other tasks are done.
    WaitsFor {
        /// Which.
        tasks: Vec<TaskId>,
    },
    /// Waits for a device with room.
    WaitsForRoom {
        /// What the devices said.
        message: String,
    },
    /// Something that passes kept it from starting: it is tried again.
    TriesAgain {
        /// What.
        message: String,
        /// How often that happened.
        tries: u32,
        /// Not before this.
        at: Timestamp,
    },
    /// The device that was asked for cannot be reached: it is tried again.
    WaitsForDevice {
        /// What is known.
        message: String,
    },
    /// The saved work that it goes on from lies on a device that cannot be reached: it is tried again, and then it begins anew.
    WaitsForCheckpoint {
        /// The device.
        device: Did,
        /// Until then.
        until: Timestamp,
    },
    /// It needs its requester's gateway, which cannot be reached: it is frozen, its work is saved, and it goes on when that is back.
    WaitsForGateway {
        /// The requester's device.
        device: Did,
    },
    /// Its task goes on at another device, which claimed it: there a run has begun, or a patch is open.
    ClaimedElsewhere {
        /// The device.
        by: Did,
    },
    /// A person paused its work, which had to leave its device since: it goes on when a person says so.
    Paused {
        /// Who.
        by: Did,
    },
    /// A stop order halts it: it is frozen, its work is saved, and it goes on when that is lifted.
    Halted {
        /// Who gave the order.
        by: Did,
        /// What it halts, in words.
        what: String,
        /// Why, in words of who gave it.
        why: String,
    },
    /// Nothing of it runs any more, and its device could not write its end down yet. No journal tells this: its device knows it, and who
    /// asked for it hears it from there.
    EndUnwritten {
        /// The device.
        device: Did,
        /// What it says of that.
        message: String,
    },
    /// No device will ever take it as it is.
    Refused {
        /// What they said.
        message: String,
    },
    /// Too many patches wait for review.
    ReviewLimit {
        /// How many waited when that was noted.
        waiting: usize,
    },
    /// The engine changed nothing.
    NothingChanged {
        /// The list of tasks, where it changed that alone: it was put back.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        put_back: Option<String>,
    },
    /// The engine ended with an error.
    EngineFailed {
        /// What it said.
        message: String,
    },
    /// The engine is not installed or cannot start.
    EngineMissing {
        /// What is missing.
        message: String,
    },
    /// The engine broke the protocol.
    EngineProtocol {
        /// How.
        message: String,
    },
    /// The model's provider refused or failed.
    ModelFailed {
        /// Its status or words.
        message: String,
    },
    /// Nothing came from the engine for too long.
    Silent {
        /// Seconds.
        seconds: u64,
    },
    /// The wall time is over.
    TookTooLong {
        /// Seconds.
        seconds: u64,
    },
    /// The budget is spent.
    BudgetSpent {
        /// Which limit.
        message: String,
    },
    /// A limit of the sandbox ended it: memory, processes, disk.
    SandboxLimit {
        /// Which.
        message: String,
    },
    /// The sandbox cannot work on this machine.
    SandboxUnavailable {
        /// Why.
        message: String,
    },
    /// A person stopped it.
    Stopped {
        /// Who.
        by: Did,
    },
    /// Another device took its task over before it could start.
    TakenOver {
        /// The device.
        by: Did,
    },
    /// Another device's patch of its task was accepted before it could start.
    Superseded {
        /// The patch.
        patch: PatchId,
        /// The device.
        by: Did,
    },
    /// The run that it was to go on from had been given up, and was found to have ended with a patch, before this one could start.
    FoundDone {
        /// That run.
        run: RunId,
        /// The device that executed it.
        device: Did,
    },
    /// Its device sent it away: its owner wanted the machine back, or it was kept from its work for too long.
    Evicted {
        /// Why.
        message: String,
    },
    /// More important work needed its room.
    GaveWay {
        /// The run that needs it.
        to: RunId,
        /// For whom that is.
        member: Did,
    },
    /// The runner or the device vanished.
    Vanished {
        /// What is known.
        message: String,
    },
    /// The runner lives, and was not heard of for too long.
    RunnerSilent {
        /// Seconds.
        seconds: u64,
    },
    /// Git or Radicle refused.
    Forge {
        /// Why.
        message: String,
    },
    /// The disk is full, or the like.
    Storage {
        /// Why.
        message: String,
    },
    /// Something that people set is missing or wrong.
    Hindered {
        /// What, and what to do.
        message: String,
    },
    /// A fault of Meshwork.
    Internal {
        /// Cause.
        message: String,
    },
}

impl Reason {
    /// In words for a person, with what to do next. Whether work is saved, and goes on by itself, it does not know:
    /// [`Run::why`](crate::run::Run::why) says it.
    pub fn text(&self) -> String {
        match self {
            Self::Completed => "Done.".into(),
            Self::WaitsFor { tasks } => format!("It waits for {}.", crate::task::named(tasks)),
            Self::WaitsForRoom { message } => format!("It waits for room: {message}"),
            Self::TriesAgain { message, tries, .. } => {
                format!("It could not start yet, and is tried again (tried {tries} of {START_TRIES_MAX} times): {message}")
            }
            Self::WaitsForDevice { message } => format!("It waits for the device that was asked for: {message}"),
            Self::WaitsForCheckpoint { device, until } => format!(
                "What was done before lies on {device}, and did not come from there yet. If nothing comes until {}, it begins anew, and that work stays there.",
                until.minute()
            ),
            Self::WaitsForGateway { device } => {
                format!("It is frozen, its work is saved, and it waits for the gateway of {device}, which cannot be reached now.")
            }
            Self::ClaimedElsewhere { by } => format!(
                "Its task goes on at {by}: work at it has begun there, or a patch is open. It begins where that comes to nothing, or once the task is taken over: meshwork task takeover."
            ),
            Self::Paused { by } => {
                format!("Paused by {by}. Its work left its device since, and goes on when a person says so: meshwork run resume.")
            }
            Self::Halted { by, what, why } => {
                format!(
                    "It waits until the stop order for {what} is lifted (meshwork stop list). {by} ordered it: {}",
                    crate::as_sentence(why)
                )
            }
            Self::EndUnwritten { device, message } => {
                format!("Nothing of it runs any more on {device}. {message} That is tried again, and it holds its place until then.")
            }
            Self::Refused { message } => format!("No device takes it as it is: {message}"),
            // Not how many waited once: that changes with each merge, and is not noted anew.
            Self::ReviewLimit { .. } => {
                format!("{PATCHES_WAITING_MAX} patches or more of this project wait for review; review or merge some, and it starts.")
            }
            Self::NothingChanged { put_back: None } => {
                "The engine ended without changing a file that goes into a commit. Read its log, make the task clearer, and run it again."
                    .into()
            }
            Self::NothingChanged { put_back: Some(path) } => format!(
                "The engine changed nothing but {path}, and that was put back: people say there what is to be done, and it is ticked when the work is. Read its log, make the task clearer, and run it again."
            ),
            Self::EngineFailed { message } => format!("The engine ended with an error: {message}"),
            Self::EngineMissing { message } => format!("The engine cannot be started: {message}"),
            Self::EngineProtocol { message } => format!(
                "The engine does not speak the Agent Client Protocol as it should: {message} Check the agent's command and version."
            ),
            Self::ModelFailed { message } => {
                format!("The model's provider answered with a failure: {message} When that is mended, run the task again.")
            }
            Self::Silent { seconds } => format!(
                "Nothing came from the engine for {seconds} s, so it was ended. Raise limits.silence_s in .meshwork/project.toml if that is normal."
            ),
            Self::TookTooLong { seconds } => {
                format!("It took longer than {seconds} s. Run the task again, or raise limits.wall_s in .meshwork/project.toml.")
            }
            Self::BudgetSpent { message } => format!("A budget is spent. {message} Once there is room in it, run the task again."),
            Self::SandboxLimit { message } => {
                format!("A limit of the sandbox ended it: {message} Raise `resources` in .meshwork/project.toml if it needs more.")
            }
            Self::SandboxUnavailable { message } => {
                format!("The sandbox cannot work on this machine: {message} `meshwork doctor` says how to mend it.")
            }
            Self::Stopped { by } => format!("Stopped by {by}."),
            Self::TakenOver { by } => format!("Its task was taken over by {by}. meshwork task takeover takes the task back."),
            Self::Superseded { patch, by } => format!("Its task is done by the patch {patch} of {by}, which was accepted."),
            Self::FoundDone { run, device } => {
                format!("It is not needed: the run {run} before it, which was given up, had ended with a patch on {device}.")
            }
            Self::Evicted { message } => format!("Evicted: {message}"),
            Self::GaveWay { to, member } => format!("It gave way to the run {to} of {member}, which is more important."),
            Self::Vanished { message } => format!("It was lost: {message}"),
            Self::RunnerSilent { seconds } => {
                format!("Its runner was not heard of for {seconds} s though its process lived, so it was ended.")
            }
            Self::Forge { message } => format!("Git or Radicle refused: {message}"),
            Self::Storage { message } => {
                format!("Nothing could be written: {message} Free some disk space; nothing that was reported as done is lost.")
            }
            Self::Hindered { message } => format!("It could not go on: {message}"),
            Self::Internal { message } => format!("Something in Meshwork went wrong: {message}"),
        }
    }

    /// Whether a run waits for the same, whatever the count: then it is not noted anew.
    pub fn still(&self, before: &Self) -> bool {
        match (self, before) {
            (Self::ReviewLimit { .. }, Self::ReviewLimit { .. }) => true,
            _ => self == before,
        }
    }

    /// What a person can do about a provider's answer with this status.
    pub fn model_advice(status: u16) -> &'static str {
        match status {
            401 | 403 => "Check the credential: `meshwork credential test` asks the provider.",
            404 => "Check the agent's model name and address.",
            408 | 500..=599 => "That is the provider's own trouble: wait a while, or use another.",
            429 => "It limits how much it is asked, or the account's quota is spent: wait, or raise the limit there.",
            _ => "Check that the model's name, its address and its wire form (--api) fit this provider.",
        }
    }

    /// From a problem met on the way.
    pub fn from_problem(problem: &Problem) -> Self {
        let message = problem.to_string();
        match problem.kind {
            Kind::Unavailable | Kind::Timeout | Kind::Internal => Self::Internal { message },
            _ => Self::Hindered { message },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_set_is_no_fault_of_meshwork() {
        let missing = Reason::from_problem(&Problem::not_found("There is no recording.").next("Add one."));
        assert_eq!(missing.text(), "It could not go on: There is no recording. Add one.");
        assert!(Reason::from_problem(&Problem::internal("odd")).text().starts_with("Something in Meshwork"));
    }

    #[test]
    fn who_changed_nothing_but_the_list_is_told_so_and_older_journals_are_read() {
        let before: Option<Reason> = serde_json::from_str(r#"{"code":"nothing_changed"}"#).ok();
        assert_eq!(before, Some(Reason::NothingChanged { put_back: None }));
        let list = Reason::NothingChanged { put_back: Some("specs/001-work/tasks.md".into()) };
        assert!(list.text().contains("nothing but specs/001-work/tasks.md, and that was put back"));
    }

    #[test]
    fn a_count_that_changes_is_no_other_reason_to_wait() {
        let limit = |waiting| Reason::ReviewLimit { waiting };
        let room = |message: &str| Reason::WaitsForRoom { message: message.into() };
        assert!(limit(22).still(&limit(21)));
        assert_eq!(limit(22).text(), limit(21).text());
        assert!(room("a").still(&room("a")) && !room("a").still(&room("b")));
        assert!(!limit(22).still(&room("a")) && !room("a").still(&limit(22)));
    }
}
