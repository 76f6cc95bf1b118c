//! Partials of many sources, in any order and any number of times, give the answers of one stream
//! of all records.

use crate::model::Keep;
use proptest::prelude::*;
use std::collections::BTreeMap;
use streamgauge::engine::{Engine, EngineOptions};
use streamgauge::merger::{Added, Merged, Merger, MergerControl, MergerOptions};
use streamgauge::prelude::*;
use streamgauge::snapshot::Partial;

fn engine(lateness: u64) -> Engine<u64, Keep> {
    let mut options = EngineOptions::default();
    options.windows = Sliding::new(millis(20), millis(10)).unwrap().into();
    options.allowed_lateness = millis(lateness);
    Engine::new(Keep, options).unwrap()
}

/// All partials of a source with these records, (id, time).
fn partials(source: usize, records: &[(u64, i64)], lateness: u64) -> Vec<Partial> {
    let mut engine = engine(lateness);
    let shard = engine.open_shard(ShardId::new("a")).unwrap();
    let mut partials = vec![];
    for (id, time) in records {
        engine.push(shard, id, Timestamp::from_millis(*time)).unwrap();
        while let Some(partial) = engine.next_partial(&format!("source-{source}")).unwrap() {
            partials.push(Partial::from_bytes(partial.into_bytes()).unwrap());
        }
    }
    engine.finish();
    while let Some(partial) = engine.next_partial(&format!("source-{source}")).unwrap() {
        partials.push(partial);
    }
    partials
}

fn merger(sources: Option<usize>, deadline: Option<u64>) -> Merger<u64, Keep> {
    let mut options = MergerOptions::default();
    options.sources = sources;
    options.deadline = deadline.map(millis);
    Merger::new(engine(0), options).unwrap()
}

fn drain(merger: &mut Merger<u64, Keep>) -> Vec<Merged<Vec<u64>>> {
    std::iter::from_fn(|| merger.next_merged().unwrap()).collect()
}

fn at(time: i64) -> Timestamp {
    Timestamp::from_millis(time)
}

/// Every window with the records that are in it, by trying them all.
fn windows_of(records: &[(u64, i64)]) -> BTreeMap<Window, Vec<u64>> {
    let mut windows = BTreeMap::<Window, Vec<u64>>::new();
    for (id, time) in records {
        for start in
            (-10..100).map(|n| n * 10).filter(|start| *start <= *time && *time < start + 20)
        {
            windows.entry(Window::new(at(start), at(start + 20))).or_default().push(*id);
        }
    }
    windows.values_mut().for_each(|ids| ids.sort_unstable());
    windows
}

proptest! {
    #![proptest_config(crate::cases(200))]

    #[test]
    fn s54_partials_can_be_added_in_any_order_and_any_number_of_times(
        // The jitter is within the lateness, so nothing is lost, and revisions come.
        records in prop::collection::vec((0usize..3, 0i64..4, 0i64..15), 0..60),
        order in prop::collection::vec((any::<prop::sample::Index>(), 0i64..50), 0..150),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut sources = vec![vec![]; 3];
        let (mut all, mut now) = (vec![], 0);
        for (id, (source, forward, jitter)) in records.iter().enumerate() {
            now += forward;
            sources[*source].push((id as u64, now - jitter));
            all.push((id as u64, now - jitter));
        }
        let mut shipped: Vec<Partial> = sources
            .iter()
            .enumerate()
            .flat_map(|(source, records)| partials(source, records, 15))
            .collect();
        let mut merger = merger(None, Some(5));
        let mut merged = BTreeMap::new();
        let mut clock = 0;
        // Some are shipped early, often and out of order; then all are, once more.
        let mut delivery: Vec<(Partial, i64)> = vec![];
        if !shipped.is_empty() {
            delivery.extend(order.iter().map(|(index, wait)| (index.get(&shipped).clone(), *wait)));
        }
        let cut = cut.index(delivery.len() + 1);
        shipped.reverse();
        delivery.extend(shipped.into_iter().map(|partial| (partial, 1)));
        for (index, (partial, wait)) in delivery.iter().enumerate() {
            clock += wait;
            prop_assert_ne!(merger.add(partial, at(clock)).unwrap(), Added::Late);
            for window in drain(&mut merger) {
                let known: Option<Merged<Vec<u64>>> =
                    merged.insert(window.window.unwrap(), window.clone());
                prop_assert_eq!(
                    window.revision,
                    known.map_or(0, |known| known.revision + 1),
                    "revisions count up"
                );
            }
            if index == cut {
                let saved = merger.snapshot();
                merger = self::merger(None, Some(5));
                merger.restore(saved.to_vec().into()).unwrap();
                prop_assert_eq!(merger.snapshot(), saved);
            }
        }
        merger.finish();
        drain(&mut merger).into_iter().for_each(|window| {
            merged.insert(window.window.unwrap(), window);
        });
        let values: BTreeMap<Window, Vec<u64>> =
            merged.into_iter().map(|(window, merged)| (window, merged.value)).collect();
        prop_assert_eq!(values, windows_of(&all));
    }

    #[test]
    fn any_damage_to_a_partial_or_a_merger_is_found(
        records in prop::collection::vec(0i64..100, 1..20),
        byte in any::<prop::sample::Index>(),
        bit in 0u8..8,
    ) {
        let records: Vec<(u64, i64)> = records.iter().map(|time| (7, *time)).collect();
        let partial = partials(0, &records, 0).pop().unwrap();
        let mut merger = merger(Some(2), None);
        merger.add(&partial, at(0)).unwrap();
        for bytes in [partial.bytes().clone(), merger.snapshot()] {
            let mut damaged = bytes.to_vec();
            let at = byte.index(damaged.len());
            damaged[at] ^= 1 << bit;
            prop_assert_eq!(
                Partial::from_bytes(damaged.clone()).unwrap_err().kind(),
                ErrorKind::Corrupt
            );
            prop_assert_eq!(merger.restore(damaged.into()).unwrap_err().kind(), ErrorKind::Corrupt);
        }
    }
}

#[test]
fn a_window_is_complete_with_all_sources_or_at_its_deadline() {
    let mut merger = merger(Some(2), Some(100));
    let (first, second) = (partials(0, &[(1, 5)], 0), partials(1, &[(2, 5)], 0));
    for partial in &first {
        assert_eq!(merger.add(partial, at(1000)).unwrap(), Added::New);
        assert_eq!(merger.add(partial, at(1000)).unwrap(), Added::Known);
    }
    assert_eq!(drain(&mut merger), []);
    merger.advance(at(1099));
    assert_eq!(drain(&mut merger), []);
    merger.advance(at(1100));
    let given = drain(&mut merger);
    assert!(
        given.len() == 2
            && given
                .iter()
                .all(|merged| !merged.complete && merged.sources == 1 && merged.value == [1])
    );
    second
        .iter()
        .for_each(|partial| assert_eq!(merger.add(partial, at(1200)).unwrap(), Added::New));
    let again = drain(&mut merger);
    assert!(
        again.len() == 2
            && again
                .iter()
                .all(|merged| merged.complete && merged.revision == 1 && merged.value == [1, 2])
    );
    merger.advance(at(1200 + 3_600_001));
    assert_eq!(merger.kept(), (0, 0));
    assert_eq!(merger.add(&first[0], at(0)).unwrap(), Added::Late);
    assert_eq!(merger.late(), 1);
}

/// Returns a merger that has answered a window by its deadline, with records of one source.
fn given_by_deadline(source: usize, records: &[(u64, i64)]) -> Merger<u64, Keep> {
    let mut merger = merger(None, Some(5));
    partials(source, records, 0)
        .iter()
        .for_each(|partial| assert_eq!(merger.add(partial, at(0)).unwrap(), Added::New));
    merger.advance(at(10));
    merger
}

#[test]
fn s83_after_absorbing_a_merger_gives_the_windows_of_both_as_a_whole() {
    let values = |merger: &mut Merger<u64, Keep>| {
        drain(merger).into_iter().map(|merged| (merged.revision, merged.value)).collect::<Vec<_>>()
    };
    for given in [(true, true), (true, false), (false, true), (false, false)] {
        let (mut a, mut b) =
            (given_by_deadline(0, &[(1, 5), (2, 6)]), given_by_deadline(1, &[(3, 7)]));
        assert!(!given.0 || values(&mut a) == [(0, vec![1, 2]), (0, vec![1, 2])]);
        assert!(!given.1 || values(&mut b) == [(0, vec![3]), (0, vec![3])]);
        a.absorb(b.snapshot()).unwrap();
        assert!(a.is_due());
        let revision = u32::from(given.0 || given.1);
        assert_eq!(
            values(&mut a),
            [(revision, vec![1, 2, 3]), (revision, vec![1, 2, 3])],
            "{given:?}"
        );
        // An answer of all sources is not repeated, whichever merger absorbs it.
        let mut c = merger(None, Some(5));
        c.absorb(b.snapshot()).unwrap();
        c.absorb(a.snapshot()).unwrap();
        assert_eq!(values(&mut c), []);
        a.absorb(b.snapshot()).unwrap();
        a.finish();
        assert_eq!(values(&mut a), []);
    }
}

#[test]
fn s83_a_partial_is_late_only_if_its_own_window_was_dropped() {
    let mut options = MergerOptions::default();
    (options.deadline, options.retention, options.windows_max) = (Some(millis(5)), millis(100), 3);
    let make = || Merger::new(engine(0), options.clone()).unwrap();
    let mut merger = make();
    let add = |merger: &mut Merger<u64, Keep>, source: usize, time: i64, now: i64| {
        // Of the two windows of the record the later one.
        merger.add(partials(source, &[(1, time)], 0).last().unwrap(), at(now)).unwrap()
    };
    for (index, time) in [45, 5, 25].into_iter().enumerate() {
        assert_eq!(add(&mut merger, 0, time, index as i64), Added::New);
    }
    merger.advance(at(10));
    assert_eq!(drain(&mut merger).len(), 3);
    // Older than some windows that were dropped, and never seen: it waits for its own deadline.
    assert_eq!(add(&mut merger, 1, 15, 200), Added::New);
    assert_eq!(merger.kept().0, 1, "the three were given too long ago");
    assert_eq!([45, 5, 25].map(|time| add(&mut merger, 1, time, 200)), [Added::Late; 3]);
    let saved = merger.snapshot();
    merger = make();
    merger.restore(saved.clone()).unwrap();
    assert_eq!((merger.snapshot(), merger.late()), (saved.clone(), 3));
    let mut heir = make();
    heir.absorb(saved).unwrap();
    assert_eq!(
        add(&mut heir, 1, 45, 200),
        Added::Late,
        "as it was given and dropped by the one that was absorbed"
    );
    merger.advance(at(205));
    assert_eq!(drain(&mut merger).len(), 1);
    // Three are remembered individually. Windows before the oldest of them count as dropped.
    merger.advance(at(400));
    assert_eq!(merger.kept().0, 0);
    assert_eq!(
        [-5, 5, 35].map(|time| add(&mut merger, 1, time, 400)),
        [Added::Late, Added::Late, Added::New]
    );
}

#[test]
fn s82_a_window_past_a_limit_does_not_hide_later_ones() {
    type Event = (i64, u64);
    let pipeline = || {
        let groups = group_by_value(|event: &Event| event.1, count())
            .groups_max(2)
            .overflow(Overflow::Error);
        let builder = Pipeline::builder().event_time(|event: &Event| at(event.0));
        builder.window(Tumbling::new(millis(10)).unwrap()).aggregate(groups).build().unwrap()
    };
    let mut options = MergerOptions::default();
    options.sources = Some(2);
    let mut merger = Merger::new(pipeline().into_engine(), options).unwrap();
    let shipped = |source: &str, key: u64| {
        let mut pipeline = pipeline();
        pipeline.push_batch(&[(1, key), (2, key + 1), (11, 1), (21, 1)]).unwrap();
        pipeline.finish();
        std::iter::from_fn(|| pipeline.next_partial(source).unwrap()).collect::<Vec<_>>()
    };
    let partials = [shipped("a", 1), shipped("b", 3)].concat();
    partials.iter().for_each(|partial| assert_eq!(merger.add(partial, at(0)).unwrap(), Added::New));
    assert_eq!(merger.next_merged().unwrap_err().kind(), ErrorKind::LimitExceeded);
    let starts = |merger: &mut Merger<Event, _>| {
        std::iter::from_fn(|| merger.next_merged().unwrap())
            .map(|merged| merged.window.unwrap().start().as_millis())
            .collect::<Vec<_>>()
    };
    assert_eq!(starts(&mut merger), [10, 20]);
    assert!(!merger.is_due());
    // A further partial of the window makes it be tried again, once.
    merger.add(&shipped("c", 1)[0], at(1)).unwrap();
    assert_eq!(merger.next_merged().unwrap_err().kind(), ErrorKind::LimitExceeded);
    merger.finish();
    assert!(starts(&mut merger).is_empty());
    merger.advance(at(10_000_000));
    assert_eq!(merger.kept(), (0, 0), "it is dropped as one that was given");
}

/// A step of one of several mergers.
#[derive(Clone, Debug)]
enum Move {
    Add(usize, prop::sample::Index),
    Wait(usize, i64),
    Drain(usize),
    Restore(usize),
    /// The first absorbs the second, which ends.
    Absorb(usize, usize),
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let one = || 0usize..4;
    let step = prop_oneof![
        8 => (one(), any::<prop::sample::Index>()).prop_map(|(merger, partial)| Move::Add(merger, partial)),
        3 => (one(), 0i64..8).prop_map(|(merger, wait)| Move::Wait(merger, wait)),
        4 => one().prop_map(Move::Drain),
        1 => one().prop_map(Move::Restore),
        1 => (one(), one()).prop_map(|(into, from)| Move::Absorb(into, from)),
    ];
    prop::collection::vec(step, 0..120)
}

proptest! {
    #![proptest_config(crate::cases(300))]

    #[test]
    fn s83_mergers_absorbed_in_any_tree_end_with_the_whole(
        records in prop::collection::vec((0usize..3, 0i64..4, 0i64..15), 1..40),
        moves in moves(),
        sources in prop::option::of(1usize..5),
        deadline in 0u64..12,
    ) {
        let mut sources_records = vec![vec![]; 3];
        let (mut all, mut now) = (vec![], 0);
        for (id, (source, forward, jitter)) in records.iter().enumerate() {
            now += forward;
            sources_records[*source].push((id as u64, now - jitter));
            all.push((id as u64, now - jitter));
        }
        let shipped: Vec<Partial> = sources_records
            .iter()
            .enumerate()
            .flat_map(|(source, records)| partials(source, records, 15))
            .collect();
        let mut mergers: Vec<_> =
            (0..4).map(|_| Some((merger(sources, Some(deadline)), 0))).collect();
        // A consumer keeps the highest revision of each window, and the last of equal ones.
        let mut kept = BTreeMap::<Window, Merged<Vec<u64>>>::new();
        let mut take = |merger: &mut Merger<u64, Keep>| {
            for merged in drain(merger) {
                let known = kept.get(&merged.window.unwrap());
                if known.is_none_or(|known| known.revision <= merged.revision) {
                    kept.insert(merged.window.unwrap(), merged);
                }
            }
        };
        for step in &moves {
            match step {
                Move::Add(index, partial) => {
                    if let Some((merger, clock)) = &mut mergers[*index] {
                        prop_assert_ne!(
                            merger.add(partial.get(&shipped), at(*clock)).unwrap(),
                            Added::Late
                        );
                    }
                }
                Move::Wait(index, wait) => {
                    if let Some((merger, clock)) = &mut mergers[*index] {
                        *clock += wait;
                        merger.advance(at(*clock));
                    }
                }
                Move::Drain(index) => {
                    if let Some((merger, _)) = &mut mergers[*index] {
                        take(merger);
                    }
                }
                Move::Restore(index) => {
                    if let Some((merger, _)) = &mut mergers[*index] {
                        let saved = merger.snapshot();
                        *merger = self::merger(sources, Some(deadline));
                        merger.restore(saved.clone()).unwrap();
                        prop_assert_eq!(merger.snapshot(), saved);
                    }
                }
                Move::Absorb(into, from) if into != from && mergers[*into].is_some() => {
                    if let (Some((from, _)), Some((into, _))) =
                        (mergers[*from].take(), &mut mergers[*into])
                    {
                        into.absorb(from.snapshot()).unwrap();
                    }
                }
                Move::Absorb(..) => {}
            }
        }
        let mut left = mergers.into_iter().flatten().map(|(merger, _)| merger);
        let mut whole = left.next().expect("one is left");
        left.for_each(|merger| whole.absorb(merger.snapshot()).unwrap());
        shipped
            .iter()
            .for_each(|partial| assert_ne!(whole.add(partial, at(1000)).unwrap(), Added::Late));
        whole.finish();
        take(&mut whole);
        let values: BTreeMap<Window, Vec<u64>> =
            kept.into_iter().map(|(window, merged)| (window, merged.value)).collect();
        prop_assert_eq!(values, windows_of(&all));
    }
}

#[test]
fn a_partial_past_a_limit_or_of_another_pipeline_changes_nothing() {
    let mut options = MergerOptions::default();
    (options.sources, options.windows_max, options.sources_max) = (Some(3), 1, 1);
    let mut merger = Merger::new(engine(0), options).unwrap();
    let ours = partials(0, &[(1, 5)], 0);
    merger.add(&ours[0], at(0)).unwrap();
    assert_eq!(merger.add(&ours[1], at(0)).unwrap_err().kind(), ErrorKind::LimitExceeded);
    assert_eq!(
        merger.add(&partials(1, &[(1, 5)], 0)[0], at(0)).unwrap_err().kind(),
        ErrorKind::LimitExceeded
    );
    let mut other = Pipeline::builder().aggregate(count()).build().unwrap();
    other.push(&7u64).unwrap();
    other.finish();
    let foreign = other.next_partial("x").unwrap().unwrap();
    assert_eq!(merger.add(&foreign, at(0)).unwrap_err().kind(), ErrorKind::Mismatch);
    assert_eq!(merger.kept().0, 1);
    assert_eq!(Snapshot::from_bytes(foreign.into_bytes()).unwrap_err().kind(), ErrorKind::Mismatch);
}
