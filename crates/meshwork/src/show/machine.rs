//! This machine, for people: capacity, what runs, what is missing.

use super::{Names, run, typed_at};
use crate::{
    output::at,
    paint::{Sheet, Tone, cell, paint, table, toned},
    text::{self, ago, clean, cores, size},
};
use domain::{
    Did, Problem, Timestamp,
    capacity::{Capacity, Runtime},
    manifest::Class,
};
use serde_json::Value;

/// What each device has and what of it is free.
pub(crate) fn capacity(value: &Value, names: &Names) -> Result<String, Problem> {
    let mut sheets = Vec::new();
    for device in value.as_array().into_iter().flatten() {
        let (did, has): (Did, Capacity) = (typed_at(device, "device")?, typed_at(device, "capacity")?);
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
        let runtimes: Vec<_> = has.runtimes.iter().map(|r| if *r == Runtime::Local { "local" } else { "kubernetes" }).collect();
        let classes: Vec<_> = has.classes.iter().map(|c| run::class(*c)).collect();
        let tags: Vec<_> = has.tags.iter().map(|(k, v)| clean(&format!("{k}:{v}"))).collect();
        let sheet = Sheet::new(format!("Device {}", names.of(&did)))
            .part("runtimes", runtimes.join(", "))
            .part("takes", classes.join(", "))
            .part("tags", tags.join(", "))
            .part("limits by", clean(&at(device, &["limits"])))
            .section("It lends to runs of agents", table(&["WHAT", "FREE", "OF"], &rows));
        sheets.push(sheet.text());
    }
    Ok(sheets.join("\n\n"))
}

/// What runs now.
pub(crate) fn pods(value: &Value, names: &Names) -> Result<String, Problem> {
    let now = text::now();
    let mut rows = Vec::new();
    for pod in value.as_array().into_iter().flatten() {
        let since: Option<Timestamp> = typed_at(pod, "started_at")?;
        let (state, tone) = match pod["paused"] == true {
            true => ("paused".into(), Tone::Waits),
            false => (at(pod, &["state"]), Tone::Busy),
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
        ]);
    }
    Ok(match rows.is_empty() {
        true => "Nothing runs.".into(),
        false => table(&["RUN", "CLASS", "STATE", "PROJECT", "TASK", "AGENT", "DEVICE", "BEGAN"], &rows),
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
