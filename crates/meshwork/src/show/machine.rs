//! This machine, for people: capacity, what runs, what is missing.

use super::{Names, halted, run, typed_at};
use crate::{
    output::at,
    paint::{Sheet, Tone, cell, paint, table, toned},
    text::{self, ago, clean, cores, size, span},
};
use domain::{
    Did, Problem, Timestamp,
    capacity::{Capacity, Gpu, Lane, Runtime},
    lend::{Condition, Reclaim},
    manifest::Class,
    placement::Refusal,
};
use serde_json::Value;

/// The org's devices, and whether each can be reached.
pub(crate) fn devices(value: &Value) -> Result<String, Problem> {
    let now = text::now();
    let mut rows = Vec::new();
    for device in value.as_array().into_iter().flatten() {
        let seen: Option<Timestamp> = typed_at(device, "seen_at")?;
        let (tone, reach) = match (device["here"] == true, device["reachable"] == true) {
            (true, _) => (Tone::Good, "this device".to_owned()),
            (_, true) if device["radicle_connected"] != true => (Tone::Waits, "reachable; Radicle not connected yet".to_owned()),
            (_, true) => (Tone::Good, "reachable".to_owned()),
            _ if device["halted"].is_string() => (Tone::Bad, "cut off".to_owned()),
            _ => (Tone::Bad, not_reachable(device["heard_at"].is_i64(), &last_seen(seen, now))),
        };
        let (tone, reach) = match device["halted"].as_str() {
            Some(what) => (Tone::Bad, format!("{reach}: {}", halted(what))),
            None => (tone, reach),
        };
        let addresses: Vec<String> = typed_at(device, "addresses")?;
        rows.push(vec![
            cell(clean(&at(device, &["name"]))),
            cell(clean(&at(device, &["owner"]))),
            toned(tone, reach),
            cell(at(device, &["runs"])),
            cell(clean(&addresses.join(", "))),
            cell(clean(&at(device, &["problem"]))),
        ]);
    }
    Ok(table(&["DEVICE", "OWNER", "STATE", "RUNS", "ADDRESS", ""], &rows))
}

/// That a device cannot be reached now, and when it was there last: where it never `answered` here, others may have told that.
fn not_reachable(answered: bool, last_seen: &str) -> String {
    let never = if answered { "" } else { ": no answer since meshwork up began here" };
    format!("not reachable{never}; {last_seen}")
}

/// When a device was there last, as far as anybody told.
fn last_seen(seen: Option<Timestamp>, now: Timestamp) -> String {
    seen.map_or_else(|| "never seen from here".to_owned(), |at| format!("last seen {}", ago(at, now)))
}

/// What each device has and what of it is free.
pub(crate) fn capacity(value: &Value, names: &Names) -> Result<String, Problem> {
    let (mut sheets, now) = (Vec::new(), text::now());
    for device in value.as_array().into_iter().flatten() {
        let (did, has): (Did, Option<Capacity>) = (typed_at(device, "device")?, typed_at(device, "capacity")?);
        let title = format!("Device {}", names.of(&did));
        let stopped = device["halted"].as_str().map(halted).unwrap_or_default();
        let Some(has) = has else {
            let state = format!("not heard since this process began; {}", last_seen(typed_at(device, "seen_at")?, now));
            let owner = clean(&at(device, &["owner"]));
            let sheet = Sheet::new(title).part("state", paint(Tone::Bad, &state)).part("halted", stopped);
            sheets.push(sheet.part("owner", owner).text());
            continue;
        };
        let (total, free) = (has.total, has.free);
        let mut rows = vec![
            vec![cell("runs at once"), cell(has.slots_free.to_string()), cell(has.slots.to_string())],
            vec![cell("processor"), cell(cores(free.cpu_milli)), cell(cores(total.cpu_milli))],
            vec![cell("memory"), cell(size(free.memory_bytes)), cell(size(total.memory_bytes))],
            vec![cell("disk"), cell(size(free.disk_bytes)), cell(size(total.disk_bytes))],
        ];
        if total.gpus > 0 {
            rows.push(vec![cell("GPUs"), cell(free.gpus.to_string()), cell(total.gpus.to_string())]);
        }
        let classes: Vec<_> = has.classes.iter().map(|c| run::class(*c)).collect();
        let tags: Vec<_> = has.tags.iter().map(|(k, v)| clean(&format!("{k}:{v}"))).collect();
        let heard: Option<Timestamp> = typed_at(device, "at")?;
        let round_trip_ms: Option<u32> = typed_at(device, "round_trip_ms")?;
        let state = match device["state"].as_str() {
            Some("suspected") => paint(Tone::Bad, "not heard of now; this is what it said last"),
            Some("live") => paint(Tone::Good, "heard"),
            _ => paint(Tone::Good, "this device"),
        };
        let condition: Condition = typed_at(device, "condition")?;
        let reclaimed: Option<Reclaim> = typed_at(device, "reclaimed")?;
        let sheet = Sheet::new(title)
            .part("state", state)
            .part("halted", stopped)
            .part("as of", heard.map(|at| ago(at, now)).unwrap_or_default())
            .part("rtt", round_trip_ms.filter(|_| device["state"] == "live").map(|ms| format!("{ms} ms")).unwrap_or_default())
            .part("owner", clean(&at(device, &["owner"])))
            .part("condition", self::condition(&condition))
            .part("guests", reclaimed.map(|why| Refusal::Reclaimed { why }.text()).unwrap_or_default())
            .part("runtimes", runtimes(&has.runtimes))
            .part("takes", classes.join(", "))
            .part("tags", tags.join(", "))
            .part("GPUs", gpus(&has.gpus))
            .part("other orgs use", others(&has.others))
            .part("limits by", clean(&at(device, &["limits"])))
            .section("It lends to runs of agents", table(&["WHAT", "FREE", "OF"], &rows));
        sheets.push(sheet.text());
    }
    Ok(sheets.join("\n\n"))
}

/// Where a device runs things; that nothing can run there is said with what to do.
fn runtimes(all: &[Runtime]) -> String {
    if all.is_empty() {
        let no_runs = format!("none, so it gets no runs. {}", Refusal::Runtime { wanted: None }.text());
        return paint(Tone::Bad, &no_runs);
    }
    let name = |runtime: &Runtime| if *runtime == Runtime::Local { "local" } else { "kubernetes" };
    all.iter().map(name).collect::<Vec<_>>().join(", ")
}

/// What a device's sensors saw, as far as there are any.
fn condition(seen: &Condition) -> String {
    let mut words = Vec::new();
    if let Some(idle_s) = seen.idle_s {
        words.push(if idle_s < 60 {
            "somebody is at it".to_owned()
        } else {
            format!("nobody at it for {}", span(idle_s.saturating_mul(1_000)))
        });
    }
    match (seen.on_battery, seen.battery_percent) {
        (Some(true), Some(percent)) => words.push(format!("on battery, {percent} %")),
        (Some(true), None) => words.push("on battery".into()),
        (Some(false), _) => words.push("on mains".into()),
        (None, _) => {}
    }
    if seen.lid_closed == Some(true) {
        words.push("lid closed".into());
    }
    words.join(", ")
}

/// A device's GPUs by name, and their memory where it is known.
fn gpus(all: &[Gpu]) -> String {
    let one = |gpu: &Gpu| {
        let memory = gpu.memory_bytes.map(|bytes| format!(" ({})", size(bytes)));
        format!("{}{}", clean(&gpu.name), memory.unwrap_or_default())
    };
    all.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// What other orgs of this machine use of it.
fn others(lane: &Lane) -> String {
    let reserved = lane.reserved;
    match lane.is_empty() {
        true => String::new(),
        false => format!("{} slots, {}, {} of memory", lane.slots, cores(reserved.cpu_milli), size(reserved.memory_bytes)),
    }
}

/// What runs now.
pub(crate) fn pods(value: &Value, names: &Names) -> Result<String, Problem> {
    let now = text::now();
    let mut rows = Vec::new();
    for pod in value.as_array().into_iter().flatten() {
        let since: Option<Timestamp> = typed_at(pod, "started_at")?;
        let state = at(pod, &["stands"]);
        let tone = match state.as_str() {
            "ending" => Tone::Bad,
            "halted" | "paused" | "frozen" => Tone::Waits,
            _ => Tone::Busy,
        };
        let device: Option<Did> = typed_at(pod, "device")?;
        rows.push(vec![
            cell(text::run(&at(pod, &["run"]))),
            cell(run::class(typed_at::<Class>(pod, "class")?)),
            toned(tone, state),
            cell(clean(&at(pod, &["project"]))),
            cell(at(pod, &["task", "task"])),
            cell(at(pod, &["agent"])),
            cell(device.map(|d| names.of(&d)).unwrap_or_default()),
            cell(since.map(|s| ago(s, now)).unwrap_or_default()),
            cell(clean(pod["unended"].as_str().unwrap_or_default())),
        ]);
    }
    Ok(match rows.is_empty() {
        true => "Nothing runs.".into(),
        false => table(&["RUN", "CLASS", "STATE", "PROJECT", "TASK", "AGENT", "DEVICE", "BEGAN", "WHY"], &rows),
    })
}

/// What was looked at, and how to mend what is bad.
pub(crate) fn findings(all: &Value) -> String {
    let line = |f: &Value| {
        let next = f["next"].as_str().map(|n| format!("\n      {}", clean(n))).unwrap_or_default();
        let mark = if f["ok"] == true { paint(Tone::Good, "ok ") } else { paint(Tone::Bad, "BAD") };
        format!("{mark}  {}: {}{next}", clean(&at(f, &["what"])), clean(&at(f, &["detail"])))
    };
    all.as_array().into_iter().flatten().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_runs_here_stands_where_every_list_has_it() {
        let pod = json!({"run": "01JZZZZZZZZZZZZZZZZZWRK001", "class": "agent", "project": "demo", "state": "working", "paused": true,
            "stands": "halted"});
        let table = pods(&json!([pod]), &Names::default());
        assert!(table.as_ref().is_ok_and(|table| table.contains("halted") && !table.contains("paused")), "{table:?}");
    }

    #[test]
    fn of_a_device_where_no_sandbox_works_it_is_said_that_it_gets_no_runs_and_who_can_mend_that() {
        let said = runtimes(&[]);
        assert!(said.contains("gets no runs") && said.contains("`meshwork doctor` there"), "{said}");
        assert_eq!(runtimes(&[Runtime::Local, Runtime::Kubernetes]), "local, kubernetes");
    }

    #[test]
    fn of_a_device_that_others_alone_heard_it_is_said_that_it_did_not_answer_this_one() {
        let now = Timestamp(60_000);
        let told = not_reachable(false, &last_seen(Some(now), now));
        assert_eq!(told, "not reachable: no answer since meshwork up began here; last seen now");
        assert_eq!(not_reachable(true, &last_seen(Some(Timestamp(0)), now)), "not reachable; last seen 1 min ago");
        assert_eq!(not_reachable(false, &last_seen(None, now)).split("; ").last(), Some("never seen from here"));
    }

    #[test]
    fn of_a_gpu_the_name_is_told_and_its_memory_where_that_is_known() {
        let gpu = |name: &str, memory_bytes| Gpu { name: name.into(), memory_bytes };
        assert_eq!(gpus(&[]), "");
        let two = [gpu("NVIDIA A100", Some(40 << 30)), gpu("NVIDIA GB10", None)];
        assert_eq!(gpus(&two), "NVIDIA A100 (40 GiB), NVIDIA GB10");
    }
}
