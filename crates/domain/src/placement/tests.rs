use super::*;
use crate::capacity::{Lane, Resources, Runtime};
use crate::limits::{ASK_MAX, LOOKED_UP_MAX};
use crate::manifest::{Class, Network, Priority, TimeLimits, VERSION, Work};
use crate::run::RunState;
use crate::{RunId, usage::Budget};
use proptest::prelude::*;

pub(crate) fn did(n: u8) -> Did {
    let tail = "A".repeat(43) + &char::from(b'A' + n).to_string();
    parse(&format!("did:key:z6Mk{tail}"))
}

fn parse<T: std::str::FromStr<Err = crate::Problem>>(text: &str) -> T {
    text.parse().unwrap_or_else(|p| unreachable!("{p}"))
}

fn repository(n: u8) -> Rid {
    parse(&format!("rad:z3gqcJUoA1n9HaHKufZs5FCSGazv{n}"))
}

fn manifest(cpu_milli: u64) -> Manifest {
    Manifest {
        version: VERSION,
        org: parse("acme"),
        run: parse("01ARZ3NDEKTSV4RRFFQ69G5FAV"),
        requester: did(0),
        member: did(1),
        at: Timestamp(0),
        expires: Timestamp(1_000),
        class: Class::Ci,
        work: Work::Checks {
            repository: repository(5),
            project: parse("demo"),
            commit: parse(&"a".repeat(40)),
            definitions: parse(&"a".repeat(40)),
            subject: None,
        },
        resources: Resources { cpu_milli, ..Resources::default() },
        tags: [("gpu".to_owned(), "true".to_owned())].into(),
        runtime: None,
        network: Network::default(),
        limits: TimeLimits::default(),
        budget: Budget::default(),
        priority: Priority::Normal,
        gave_way: 0,
        apart: None,
    }
}

fn device(n: u8, cpu: u64, free: u64, gpu: bool) -> Candidate {
    let tags = if gpu { [("gpu".to_owned(), "true".to_owned())].into() } else { BTreeMap::default() };
    let amount = |cpu_milli| Resources { cpu_milli, memory_bytes: 1, ..Resources::default() };
    let capacity = Capacity {
        total: amount(cpu),
        free: amount(free),
        tags,
        gpus: vec![],
        runtimes: vec![Runtime::Local],
        classes: vec![Class::Ci],
        slots: 1,
        slots_free: 1,
        others: Lane::default(),
    };
    Candidate {
        device: did(n),
        owner: "bea".into(),
        capacity,
        reclaimed: None,
        repositories: vec![],
        worked_at: 0,
        engines: vec!["codex".into()],
        suspected: false,
        round_trip_ms: None,
    }
}

fn snapshot(candidates: impl IntoIterator<Item = Candidate>) -> Snapshot {
    let mut snapshot = Snapshot::new();
    for candidate in candidates {
        snapshot.put(candidate);
    }
    snapshot
}

static NOBODY: BTreeMap<Did, Avoid> = BTreeMap::new();

fn request(manifest: &Manifest) -> Request<'_> {
    Request { manifest, member: "ada", engine: None, readers: None, avoid: &NOBODY, at: Timestamp(10) }
}

fn of(decision: &Decision, n: u8) -> Verdict {
    decision.verdicts.iter().find(|v| v.device == did(n)).cloned().unwrap_or_else(|| unreachable!("no verdict of {n}"))
}

#[test]
fn every_device_gets_a_verdict_and_the_best_comes_first() {
    let near = Candidate { repositories: vec![repository(5)], ..device(3, 8000, 4000, true) };
    let all = snapshot([
        device(1, 8000, 8000, true),
        device(2, 8000, 1000, true),
        near,
        device(4, 8000, 8000, false),
        device(5, 1000, 1000, true),
    ]);
    let wanted = manifest(2000);
    let decision = explain(&request(&wanted), &all);
    assert_eq!(decision.order, [did(3), did(1)]);
    assert_eq!(plan(&request(&wanted), &all), decision.order);
    let reasons = |n| of(&decision, n).refusals;
    assert!(matches!(reasons(2).as_slice(), [Refusal::Busy { free: 1000, .. }]));
    assert!(matches!(reasons(4).as_slice(), [Refusal::Tag { has: None, .. }]));
    assert!(matches!(reasons(5).as_slice(), [Refusal::TooSmall { has: 1000, .. }]));
    let best = of(&decision, 3);
    assert_eq!(best.score, best.parts.iter().map(|p| i64::from(p.points)).sum::<i64>());
    assert!(best.parts.contains(&Part { what: Merit::Data, points: 100 }));
    assert!(decision.may_come());
}

#[test]
fn everything_of_which_a_device_has_too_little_is_named() {
    let of = |total: u64, free: u64, asked: u64| {
        let amount = |much| Resources { cpu_milli: much, memory_bytes: much, ..Resources::default() };
        let capacity = Capacity { total: amount(total), free: amount(free), ..device(1, 1, 1, true).capacity };
        refusals(&Manifest { resources: amount(asked), ..manifest(0) }, &capacity)
    };
    assert!(matches!(of(1, 1, 2).as_slice(), [Refusal::TooSmall { .. }, Refusal::TooSmall { has: 1, wanted: 2, .. }]));
    assert!(matches!(of(3, 1, 2).as_slice(), [Refusal::Busy { .. }, Refusal::Busy { free: 1, wanted: 2, .. }]));
    assert!(of(3, 2, 2).is_empty());
}

#[test]
fn a_device_is_warm_for_what_it_worked_at_last_and_not_for_what_merely_lies_there() {
    let wanted = manifest(2000);
    let table = [(vec![5], 0, 100, 0), (vec![5], 1, 100, 20), (vec![4, 5], 1, 100, 0), (vec![4, 3, 5], 3, 100, 0), (vec![4], 1, 0, 0)];
    for (repositories, worked_at, data, warm) in table {
        let repositories: Vec<Rid> = repositories.into_iter().map(repository).collect();
        let all = snapshot([Candidate { repositories, worked_at, ..device(1, 8000, 8000, true) }]);
        let points =
            |what: Merit| of(&explain(&request(&wanted), &all), 1).parts.iter().find(|part| part.what == what).map(|part| part.points);
        assert_eq!((points(Merit::Data), points(Merit::Warm)), (Some(data), Some(warm)), "{worked_at}");
    }
}

#[test]
fn of_a_device_where_no_sandbox_works_that_is_said_and_not_that_its_slots_are_taken() {
    let mut broken = device(1, 8000, 8000, true);
    (broken.capacity.runtimes, broken.capacity.slots_free) = (vec![], 0);
    let (wanted, all) = (manifest(2000), snapshot([broken]));
    assert_eq!(of(&explain(&request(&wanted), &all), 1).refusals, [Refusal::Runtime { wanted: None }]);
    assert!(plan(&request(&wanted), &all).is_empty());
}

/// One change of a device or a request, and what is then said of the device.
#[test]
fn each_filter_refuses_with_its_reason() {
    let wanted = manifest(2000);
    let readers = BTreeSet::from([did(2)]);
    let avoid = |avoid| BTreeMap::from([(did(1), avoid)]);
    let before = avoid(Avoid::RefusedBefore { message: "No.".into() });
    let apart = avoid(Avoid::AntiAffinity { message: "It wrote that.".into() });
    let plain = || device(1, 8000, 8000, true);
    let ask = request(&wanted);
    let closed = Candidate { reclaimed: Some(Reclaim::Present), ..plain() };
    let soon = |until| Candidate { reclaimed: Some(Reclaim::Asked { until: Some(Timestamp(until)) }), ..plain() };
    let lends_nothing = |owner: &str| {
        let mut candidate = Candidate { owner: owner.into(), ..plain() };
        candidate.capacity.classes.clear();
        candidate
    };
    let codes = |ask: Request<'_>, candidate: Candidate| -> Vec<String> {
        let one = snapshot([candidate]);
        let verdict = of(&explain(&ask, &one), 1);
        assert_eq!(plan(&ask, &one).is_empty(), !verdict.refusals.is_empty());
        let code = |r: &Refusal| serde_json::to_value(r).map(|v| v["code"].as_str().unwrap_or_default().to_owned());
        verdict.refusals.iter().map(|r| code(r).unwrap_or_default()).collect()
    };
    let table: [(Request<'_>, Candidate, &[&str]); 16] = [
        (ask, plain(), &[]),
        (ask, closed.clone(), &["reclaimed"]),
        (Request { member: "bea", ..ask }, closed, &[]),
        (ask, soon(11), &["reclaimed"]),
        (ask, soon(10), &[]),
        (ask, lends_nothing("bea"), &["class"]),
        (ask, lends_nothing("ada"), &[]),
        (ask, Candidate { suspected: true, ..plain() }, &["suspected"]),
        (Request { readers: Some(&readers), ..ask }, plain(), &["not_shared"]),
        (Request { engine: Some("claude"), ..ask }, plain(), &["engine"]),
        (Request { engine: Some("codex"), ..ask }, plain(), &[]),
        (Request { avoid: &before, ..ask }, plain(), &["refused_before"]),
        (Request { avoid: &apart, ..ask }, plain(), &["anti_affinity"]),
        (Request { at: Timestamp(1_001), ..ask }, plain(), &["expired"]),
        (Request { at: Timestamp(1_000), ..ask }, plain(), &[]),
        (Request { engine: Some("claude"), ..ask }, Candidate { suspected: true, ..plain() }, &["suspected", "engine"]),
    ];
    for (ask, candidate, expected) in table {
        assert_eq!(codes(ask, candidate.clone()), expected, "{candidate:?}");
    }
}

#[test]
fn among_equals_the_own_device_comes_first_and_then_the_names_decide() {
    let wanted = manifest(2000);
    let own = Candidate { owner: "ada".into(), ..device(3, 8000, 8000, true) };
    let emptier = device(4, 8000, 8000, true);
    let all = snapshot([device(2, 8000, 8000, true), device(1, 8000, 8000, true), own, emptier]);
    assert_eq!(plan(&request(&wanted), &all), [did(3), did(1), did(2), did(4)]);
    let better = Candidate { round_trip_ms: Some(1), ..device(2, 8000, 8000, true) };
    let mut nearer = all;
    nearer.put(better);
    assert_eq!(plan(&request(&wanted), &nearer)[..2], [did(2), did(3)]);
}

#[test]
fn of_machines_of_one_size_the_emptier_and_of_empty_ones_the_smaller_that_suffices() {
    let wanted = manifest(2000);
    let all =
        snapshot([device(1, 8000, 4000, true), device(2, 8000, 8000, true), device(3, 64_000, 64_000, true), device(4, 2000, 2000, true)]);
    assert_eq!(plan(&request(&wanted), &all), [did(4), did(2), did(3), did(1)]);
}

#[test]
fn a_snapshot_keeps_what_was_put_last_and_forgets_what_was_removed() {
    let mut all = snapshot([device(2, 1, 1, true), device(1, 1, 1, true)]);
    all.put(device(2, 4000, 4000, true));
    assert_eq!((all.len(), all.get(&did(2)).map(|c| c.capacity.total.cpu_milli)), (2, Some(4000)));
    assert_eq!(all.iter().map(|c| c.device.clone()).collect::<Vec<_>>(), [did(1), did(2)]);
    assert_eq!(all.total().cpu_milli, 4001);
    all.remove(&did(2));
    all.remove(&did(2));
    assert_eq!((all.len(), all.is_empty(), all.get(&did(2))), (1, false, None));
    assert_eq!(plan(&request(&manifest(1)), &all), [did(1)]);
}

/// Many more names than are looked up one by one, none of them of a device.
fn strangers() -> impl Iterator<Item = Did> {
    (0..=LOOKED_UP_MAX).map(|n| parse(&format!("did:key:z6Mk{n:044}")))
}

prop_compose! {
    fn capacity()(
        total in (1u64..6, 1u64..4, 0u32..2),
        free in (0u64..6, 0u64..4, 0u32..2),
        tags in prop::collection::btree_map("[ab]", "[xy]", 0..2),
        runtimes in prop::sample::subsequence(vec![Runtime::Local, Runtime::Kubernetes], 0..=2),
        classes in prop::sample::subsequence(vec![Class::Agent, Class::Ci], 0..=2),
        slots in (1u32..4, 0u32..4),
    ) -> Capacity {
        let amount = |(cpu, memory, gpus): (u64, u64, u32)| Resources { cpu_milli: cpu * 1000, memory_bytes: memory << 30, disk_bytes: 0, gpus };
        let others = Lane::default();
        let (total, free, gpus) = (amount(total), amount(free), vec![]);
        Capacity { total, free, tags, gpus, runtimes, classes, slots: slots.0, slots_free: slots.1, others }
    }
}

fn reclaim() -> impl Strategy<Value = Option<Reclaim>> {
    let asked = (0i64..20).prop_map(|until| Some(Reclaim::Asked { until: Some(Timestamp(until)) }));
    prop_oneof![4 => Just(None::<Reclaim>), 1 => Just(Some(Reclaim::Lid)), 1 => asked]
}

prop_compose! {
    fn candidate()(
        n in 0u8..24,
        owner in "[ab]",
        capacity in capacity(),
        reclaimed in reclaim(),
        repositories in prop::sample::subsequence(vec![1u8, 2, 3, 4, 5], 0..=5).prop_shuffle(),
        worked_at in 0u32..4,
        engines in prop::sample::subsequence(vec!["codex".to_owned(), "claude".to_owned()], 0..=2),
        suspected in prop::bool::weighted(0.1),
        round_trip_ms in prop::option::of(0u32..200),
    ) -> Candidate {
        let repositories = repositories.into_iter().map(repository).collect();
        Candidate { device: did(n), owner, capacity, reclaimed, repositories, worked_at, engines, suspected, round_trip_ms }
    }
}

/// A device is put in, or taken out.
fn changes() -> impl Strategy<Value = Vec<(Candidate, bool)>> {
    prop::collection::vec((candidate(), prop::bool::weighted(0.8)), 0..60)
}

#[derive(Debug)]
struct Asking {
    manifest: Manifest,
    member: String,
    engine: Option<String>,
    readers: Option<BTreeSet<Did>>,
    avoid: BTreeMap<Did, Avoid>,
    at: i64,
}

prop_compose! {
    fn asking()(
        (cpu, memory, gpus) in (0u64..4, 0u64..3, 0u32..2),
        class in prop::sample::select(vec![Class::Agent, Class::Ci]),
        runtime in prop::option::of(prop::sample::select(vec![Runtime::Local, Runtime::Kubernetes])),
        tags in prop_oneof![2 => Just(BTreeMap::<String, String>::new()), 1 => prop::collection::btree_map("[ab]", "[xy]", 0..2)],
        member in "[ab]",
        engine in prop::option::weighted(0.3, Just("codex".to_owned())),
        readers in prop::option::weighted(0.3, prop::collection::btree_set(0u8..24, 0..24)),
        avoid in prop::collection::btree_set(0u8..24, 0..4),
        (many_readers, many_avoided) in (any::<bool>(), any::<bool>()),
        at in prop_oneof![9 => 0i64..20, 1 => Just(1_001i64)],
    ) -> Asking {
        let resources = Resources { cpu_milli: cpu * 1000, memory_bytes: memory << 30, disk_bytes: 0, gpus };
        let more = |many: bool| strangers().filter(move |_| many);
        let readers = readers.map(|some| some.into_iter().map(did).chain(more(many_readers)).collect());
        let why = |device: Did| (device, Avoid::RefusedBefore { message: "No.".into() });
        let avoid = avoid.into_iter().map(did).chain(more(many_avoided)).map(why).collect();
        Asking { manifest: Manifest { class, runtime, tags, resources, ..manifest(0) }, member, engine, readers, avoid, at }
    }
}

impl Asking {
    fn request(&self) -> Request<'_> {
        let (engine, readers) = (self.engine.as_deref(), self.readers.as_ref());
        Request { manifest: &self.manifest, member: &self.member, engine, readers, avoid: &self.avoid, at: Timestamp(self.at) }
    }
}

proptest! {
    #[test]
    fn the_plan_is_the_first_of_the_explained_order(changes in changes(), asking in asking()) {
        let (mut all, mut last) = (Snapshot::new(), BTreeMap::new());
        for (candidate, there) in changes {
            if there {
                last.insert(candidate.device.clone(), candidate.clone());
                all.put(candidate);
            } else {
                last.remove(&candidate.device);
                all.remove(&candidate.device);
            }
        }
        let (request, decision) = (asking.request(), explain(&asking.request(), &all));
        let planned = plan(&request, &all);
        prop_assert_eq!(&planned[..], &decision.order[..decision.order.len().min(ASK_MAX)]);
        prop_assert_eq!(decision.verdicts.len(), last.len());
        prop_assert!(decision.verdicts.iter().all(|v| v.refusals.is_empty() || (v.score == 0 && v.parts.is_empty())));
        // Only what is known counts, and not how it came to be known.
        let anew = snapshot(last.into_values().rev());
        prop_assert_eq!(plan(&request, &anew), planned);
        prop_assert_eq!(explain(&request, &anew), decision);
    }
}

fn run(n: usize) -> RunId {
    parse(&format!("{n:026}"))
}

/// A guest's run of low priority that takes a slot and so many cores.
fn running(n: usize, cores: u64) -> Running {
    Running {
        run: run(n),
        member: "cy".into(),
        guest: true,
        class: Class::Ci,
        state: RunState::Working,
        priority: Priority::Low.steps(),
        started_at: Timestamp(i64::try_from(n).unwrap_or(0)),
        reserved: Resources { cpu_milli: cores * 1000, ..Resources::default() },
    }
}

fn crowded(free_cores: u64, slots_free: u32) -> Capacity {
    Capacity { slots_free, ..device(1, 64_000, free_cores * 1000, true).capacity }
}

#[test]
fn the_fewest_and_youngest_lower_runs_give_way() {
    let wanted = Manifest { priority: Priority::High, ..manifest(4000) };
    let ask = request(&wanted);
    let high = |n, priority| Running { priority, ..running(n, 8) };
    let own = |n, member: &str| Running { guest: false, member: member.into(), ..running(n, 8) };
    let checked = |n| Running { state: RunState::Verifying, ..running(n, 8) };
    let agents = |n| Running { class: Class::Agent, ..running(n, 8) };
    #[allow(clippy::type_complexity)]
    let table: [(&str, Vec<Running>, Capacity, Option<Vec<usize>>); 13] = [
        ("room is there", vec![running(1, 8)], crowded(4, 1), Some(vec![])),
        ("the youngest", vec![running(1, 4), running(2, 4)], crowded(0, 0), Some(vec![2])),
        ("one large one rather than two small ones", vec![running(1, 4), running(2, 2), running(3, 2)], crowded(0, 1), Some(vec![1])),
        ("two where one is not enough", vec![running(1, 2), running(2, 2), running(3, 2)], crowded(0, 1), Some(vec![3, 2])),
        ("the least important first", vec![high(1, -1), high(2, 0)], crowded(0, 0), Some(vec![1])),
        ("never an equal", vec![high(1, 1)], crowded(0, 0), None),
        ("never one that gave way often", vec![high(1, 2)], crowded(0, 0), None),
        ("never the owner's for a guest", vec![own(1, "bea")], crowded(0, 0), None),
        ("the owner's for themselves", vec![own(1, "ada")], crowded(0, 0), Some(vec![1])),
        ("guests before the owner's", vec![running(1, 8), own(2, "ada")], crowded(0, 0), Some(vec![1])),
        ("what only holds a slot frees no processor", vec![checked(1)], crowded(0, 0), None),
        ("a slot is enough", vec![checked(1)], crowded(4, 0), Some(vec![1])),
        ("agents' runs hold no slot of checks", vec![agents(1)], crowded(4, 0), None),
    ];
    for (what, runs, capacity, expected) in table {
        let expected = expected.map(|runs| runs.into_iter().map(run).collect::<Vec<_>>());
        assert_eq!(victims(&ask, &runs, &capacity), expected, "{what}");
    }
    let other = Manifest { tags: [("gpu".to_owned(), "none".to_owned())].into(), ..wanted };
    assert_eq!(victims(&request(&other), &[running(1, 8)], &crowded(0, 0)), None, "evicting mends no tag");
}

#[test]
fn many_small_runs_give_way_where_four_are_not_enough() {
    let wanted = Manifest { priority: Priority::High, ..manifest(6000) };
    let runs: Vec<Running> = (0..40).map(|n| running(n, 1)).collect();
    let given = victims(&request(&wanted), &runs, &crowded(0, 1)).unwrap_or_default();
    assert_eq!(given, [39, 38, 37, 36, 35, 34].map(run));
}

proptest! {
    #[test]
    fn no_smaller_set_would_make_room(
        cores in prop::collection::vec((1u64..5, -1i32..2), 0..8),
        free in 0u64..4,
        slots_free in 0u32..2,
        wanted in 1u64..9,
    ) {
        let wanted = Manifest { priority: Priority::High, ..manifest(wanted * 1000) };
        let runs: Vec<Running> =
            cores.iter().enumerate().map(|(n, (cores, priority))| Running { priority: *priority, ..running(n, *cores) }).collect();
        let enough = |set: &[&Running]| {
            let freed: u64 = set.iter().map(|run| run.reserved.cpu_milli).sum();
            free * 1000 + freed >= wanted.resources.cpu_milli && set.len() + slots_free as usize >= 1
        };
        let lower: Vec<&Running> = runs.iter().filter(|run| run.priority < 1).collect();
        let of = |bits: u32| lower.iter().enumerate().filter(|(n, _)| (bits >> n) & 1 == 1).map(|(_, run)| *run).collect::<Vec<&Running>>();
        let sets = (0u32..1 << lower.len()).map(of);
        let least = sets.filter(|set: &Vec<&Running>| enough(set)).map(|set| set.len()).min();
        let found = victims(&request(&wanted), &runs, &crowded(free, slots_free));
        let of_found: Option<Vec<&Running>> = found.map(|ids| runs.iter().filter(|run| ids.contains(&run.run)).collect());
        prop_assert!(of_found.iter().all(|set| enough(set) && set.iter().all(|run| run.priority < 1)));
        match (of_found.map(|set| set.len()), least) {
            (Some(len), Some(least)) if least <= crate::limits::VICTIMS_EXACT_MAX => {
                prop_assert_eq!(len, least);
            }
            (len, least) => {
                prop_assert_eq!(len.is_some(), least.is_some());
            }
        }
    }
}
