//! The grammar: every form of a sentence that is understood without a model, as a table. A form's words, slots and
//! optional parts are explained in `pattern`.

use super::{
    answer::{short_patch, short_run},
    changes as c, machines as m,
    pattern::{Part, form},
    plan::Planned,
    questions as q,
    resolve::Asked,
    world::World,
};
use domain::patch::PatchState;
use std::sync::OnceLock;

/// A form of a sentence.
pub(super) struct Sentence {
    /// How it goes.
    pub(super) form: Vec<Part>,
    /// One that fits, about made-up things; empty for further forms of the one before.
    pub(super) example: &'static str,
    /// What it does, in a few words.
    pub(super) what: &'static str,
    /// What it comes to.
    pub(super) plan: fn(&Asked<'_>) -> Planned,
}

type Row = (&'static str, &'static str, &'static str, fn(&Asked<'_>) -> Planned);

const ROWS: &[Row] = &[
    ("what|who needs|wants [attention] [from]", "what needs me", "questions, reviews, merges and failures that wait for you", q::needs),
    ("what should|must|to do [next]", "", "", q::needs),
    ("what waiting|waits for", "", "", q::needs),
    (
        "run|start|do|execute|retry|rerun {tasks} [again] [of|in|from {feature}] [with|by|using {agent}] [on|at {place}]",
        "run T004 to T008",
        "gives tasks to an agent",
        c::run,
    ),
    (
        "run|start|do|execute {tasks} on|at {place} [again] [of|in|from {feature}] [with|by|using {agent}]",
        "run T004 on machines with a gpu",
        "gives tasks to an agent, on a device or on devices with tags",
        c::run,
    ),
    ("take over {task} [of|in {feature}]", "take over T004", "takes a task over that another device has claimed", m::take_over),
    ("take {task} over [of|in {feature}]", "", "", m::take_over),
    ("takeover {task} [of|in {feature}]", "", "", m::take_over),
    (
        "run|start|do|execute {tasks} in|of feature {feature} [with|by|using {agent}] [on|at {place}]",
        "run feature 001",
        "gives all open tasks of a feature to an agent",
        c::run,
    ),
    ("give|assign|hand {tasks} [of|in {feature}] to {agent}", "", "", c::run),
    ("give|grant {member} {role} [role]", "", "", c::role),
    ("make {member} {role}", "", "", c::role),
    (
        "why [does|do|doesn't|isn't|won't|cannot|can't] {task} [of|in {feature}] [not] [still] [run|runs|running|start|started|placed|asked] on|at {place}",
        "why is T012 not on laptop-3?",
        "what speaks for and against a device",
        m::why_there,
    ),
    (
        "which|what machine|machines|device|devices [may|might] run|runs|take|takes {task} [of|in {feature}] [with|by|using {agent}]",
        "which machines can run T004?",
        "what speaks for and against each device",
        m::why_there,
    ),
    (
        "why|where [does|do|doesn't] {thing} [of|in {feature}] [not] [still] [waiting|wait|waits|stuck|blocked|started|start|running|run|fail|failed|failing|stopped|stop|done|finished|merged]",
        "why is T012 waiting?",
        "where a task, run or patch stands, and why",
        q::why,
    ),
    ("what [happened|happens|wrong] [to|with] {thing} [of|in {feature}] [waiting|wait|waits|doing] [for|on]", "", "", q::why),
    ("show|open|describe|status [status] [of|for] {thing} [of|in {feature}]", "show T004", "where something stands", q::why),
    (
        "stop|end|cancel|kill|abort {runs} [of|by {agent}] [on|at {place}]",
        "stop everything",
        "ends runs; their work stays in checkpoints",
        c::stop,
    ),
    (
        "tell|ask|order {agent} to stop|end|quit [it|that|working|work|running|everything] [on|at {place}]",
        "tell builder to stop",
        "ends what an agent does; its work stays in checkpoints",
        c::stop_agent,
    ),
    ("stop|end|cancel|kill|abort what|whatever {agent} [doing|do|runs|running|working] [on] [on|at {place}]", "", "", c::stop_agent),
    ("stop|end|cancel|kill|abort {agent} [working|running] [on|at {place}]", "", "", c::stop_agent),
    ("halt {agent} {tail}", "halt builder: …", "freezes an agent on every device, until that is lifted", c::halt),
    ("halt {agent}", "", "", c::halt),
    ("pause|freeze|hold {runs} [on|at {place}]", "pause everything", "freezes runs", c::pause),
    ("resume|continue|unpause|unfreeze {runs} [on|at {place}]", "resume everything", "lets frozen runs go on", c::resume),
    ("evict {runs} [on|from {place}]", "evict everything", "ends what runs on this machine; it is saved, and goes on later", m::evict),
    (
        "take|get|reclaim|free [this] machine|computer|laptop [back]",
        "take this machine back",
        "sends guests away, and takes none until the machine is lent again",
        m::reclaim,
    ),
    ("take|get|give back [this] machine|computer|laptop", "", "", m::reclaim),
    ("give [this] machine|computer|laptop back", "", "", m::reclaim),
    ("keep guests away|out", "", "", m::reclaim),
    ("lend|release [out] [this] machine|computer|laptop [again|out]", "lend this machine", "takes guests again", m::release),
    (
        "show|list|find|get|which|display [all] {run-state} runs [since|from|after|within|in|of {when}] [{when}] [by|of {agent}]",
        "show failed runs since yesterday",
        "runs by their state and time",
        q::runs,
    ),
    (
        "show|list|find|get|which|display [all] runs [since|from|after|within|in|of {when}] [{when}] [by|of {agent}]",
        "show runs today",
        "runs since a moment",
        q::runs,
    ),
    ("which runs {run-state} [since|from|after|within|in {when}] [{when}]", "", "", q::runs),
    ("why [does|do] run|runs fail|failed|failing [since|from|after|within|in {when}] [{when}]", "", "", q::failures),
    ("what|which failed|failing|broke [since|from|after|within|in {when}] [{when}]", "", "", q::failures),
    ("what|who runs|running|working|run [on|at {place}]", "what is running?", "runs that have not ended", q::running),
    (
        "show|list|which|what|find [all] [{patch-state}] patches|reviews waiting|wait|waits|need|needing|ready|to [that] [for] [review|reviews|reviewed|merge] [a]",
        "show patches waiting for review",
        "patches that nobody judged yet",
        q::waiting,
    ),
    ("show|list|which|what|find [all] {patch-state} patches", "show open patches", "patches by their state", q::patches),
    ("show|list|find [all] patches", "", "", q::all_patches),
    ("show|list|which|what|find [all] {task-state} tasks [of|in|from {feature}]", "show open tasks", "tasks by their state", q::tasks),
    ("show|list|which|what|find [all] tasks [of|in|from {feature}]", "", "", q::tasks),
    (
        "show|list|which|what|who [all] agents|features|projects|devices|machines|members",
        "show agents",
        "agents, features, projects, devices or members",
        q::names,
    ),
    ("merge|land|ship {patch}", "merge patch 1a2b3c4d", "merges a patch, once its gate is open", c::merge),
    ("accept|approve {patch} [{tail}]", "accept patch 1a2b3c4d", "a review that accepts", c::accept),
    ("review|comment [on] {patch} {tail}", "comment on patch 1a2b3c4d: …", "a review without a verdict", c::comment),
    (
        "request|ask|demand|want [for] changes|change [on|of|for|in|to] {patch} [{tail}]",
        "request changes on patch 1a2b3c4d: …",
        "a review that asks for changes",
        c::reject,
    ),
    ("reject|refuse {patch} [{tail}]", "", "", c::reject),
    ("close|archive {patch}", "close patch 1a2b3c4d", "closes a patch without merging it", c::close),
    ("send|message|tell|say|write [message] [to] {run} {tail}", "send to run 1AB2CD: …", "a message to the agent of a run", c::send),
    ("send|say {text} to {run}", "", "", c::send),
    ("tell|ask {run} [to] {text}", "", "", c::send),
    ("send|message|tell|ask|say [message] [to] {agent} {tail}", "tell builder: …", "a message to a running agent", c::send_agent),
    ("tell|ask {agent} [to] {text}", "", "", c::send_agent),
    ("allow|permit|yes [{run}]", "allow", "answers what an engine asks", c::allow),
    ("deny|forbid|disallow [{run}]", "deny", "refuses what an engine asks", c::deny),
    ("add|create|write|new [new] task [to|in|for {feature}] {tail}", "add task to feature 001: …", "writes a new task", c::add),
    ("add|create|write|new [new] task {text} to|in {feature}", "", "", c::add),
    ("edit|change|rename|reword|rewrite {task} [of|in {feature}] [to] {tail}", "edit T004: …", "changes what a task says", c::edit),
    ("edit|change|rename|reword {task} [of|in {feature}] to {text}", "", "", c::edit),
    ("capacity", "capacity", "what this machine lends, and what of it is free", q::capacity),
    ("how much|many|what room|capacity|space|slots|free [free] [left]", "", "", q::capacity),
    ("show|what capacity|free|available [here|left]", "", "", q::capacity),
    ("verify|check journal|chain|everything", "verify the journal", "checks every link, hash, signature and blob", q::verify),
    ("journal sound|good|intact", "", "", q::verify),
    ("doctor", "doctor", "what is missing on this machine", q::doctor),
    ("what missing [here|on] [this] [machine]", "", "", q::doctor),
    ("undo [it|that|this|last]", "undo", "takes back what was done last, where that can be", c::undo),
    ("help", "help", "what can be said", q::help),
    ("what do|say|ask|understand", "", "", q::help),
];

impl Sentence {
    /// Its example with things that are there; none where it has none, or speaks of what there is none of.
    pub(super) fn here(&self, world: &World) -> Option<String> {
        if self.example.is_empty() {
            return None;
        }
        let (first, last) = world.open_span();
        let example = if last.is_some() { self.example.to_owned() } else { self.example.replace(" to T008", "") };
        let real = |word: &str| {
            let bare = word.trim_end_matches([':', '?']);
            let thing = match bare {
                "builder" => world.busy_agent()?.to_string(),
                "T004" => first?.to_string(),
                "T008" => last?.to_string(),
                "T012" => world.waiting_task()?.to_string(),
                "001" => world.first_feature()?,
                "1a2b3c4d" => short_patch(world.patches.iter().find(|p| p.state == PatchState::Open)?).to_owned(),
                "1AB2CD" => short_run(world.live().next()?).to_owned(),
                "laptop-3" => world.devices.iter().rfind(|d| Some(&d.did) != world.here.as_ref())?.name.clone(),
                _ => return Some(word.to_owned()),
            };
            Some(thing + &word[bare.len()..])
        };
        Some(example.split(' ').map(real).collect::<Option<Vec<_>>>()?.join(" "))
    }
}

/// Every form, in the order in which they are tried.
pub(super) fn all() -> &'static [Sentence] {
    static ALL: OnceLock<Vec<Sentence>> = OnceLock::new();
    ALL.get_or_init(|| {
        ROWS.iter().map(|(written, example, what, plan)| Sentence { form: form(written), example, what, plan: *plan }).collect()
    })
}
