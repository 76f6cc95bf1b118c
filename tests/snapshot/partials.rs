//! Partials of many sources, in any order and any number of times, give what one stream of all records gives.

use crate::model::Keep;
use proptest::prelude::*;
use std::collections::BTreeMap;
use streamgauge::engine::{Engine, EngineOptions};
use streamgauge::merger::{Added, Merged, Merger, MergerOptions};
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
        for start in (-10..100).map(|n| n * 10).filter(|start| *start <= *time && *time < start + 20) {
            windows.entry(Window::new(at(start), at(start + 20))).or_default().push(*id);
        }
    }
    windows.values_mut().for_each(|ids| ids.sort_unstable());
    windows
}

proptest! {
    #![proptest_config(crate::cases(200))]

    #[test]
    fn s54_any_order_and_any_number_of_times(
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
        let mut shipped: Vec<Partial> = sources.iter().enumerate().flat_map(|(source, records)| partials(source, records, 15)).collect();
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
                let known: Option<Merged<Vec<u64>>> = merged.insert(window.window.unwrap(), window.clone());
                prop_assert_eq!(window.revision, known.map_or(0, |known| known.revision + 1), "revisions count up");
            }
            if index == cut {
                let saved = merger.snapshot();
                merger = self::merger(None, Some(5));
                merger.restore(saved.to_vec()).unwrap();
                prop_assert_eq!(merger.snapshot(), saved);
            }
        }
        merger.finish();
        drain(&mut merger).into_iter().for_each(|window| { merged.insert(window.window.unwrap(), window); });
        let values: BTreeMap<Window, Vec<u64>> = merged.into_iter().map(|(window, merged)| (window, merged.value)).collect();
        prop_assert_eq!(values, windows_of(&all));
    }

    #[test]
    fn any_damage_to_a_partial_or_a_merger_is_found(records in prop::collection::vec(0i64..100, 1..20), byte in any::<prop::sample::Index>(), bit in 0u8..8) {
        let records: Vec<(u64, i64)> = records.iter().map(|time| (7, *time)).collect();
        let partial = partials(0, &records, 0).pop().unwrap();
        let mut merger = merger(Some(2), None);
        merger.add(&partial, at(0)).unwrap();
        for bytes in [partial.bytes().clone(), merger.snapshot()] {
            let mut damaged = bytes.to_vec();
            let at = byte.index(damaged.len());
            damaged[at] ^= 1 << bit;
            prop_assert_eq!(Partial::from_bytes(damaged.clone()).unwrap_err().kind(), ErrorKind::Corrupt);
            prop_assert_eq!(merger.restore(damaged).unwrap_err().kind(), ErrorKind::Corrupt);
        }
    }
}

#[test]
fn a_window_is_given_when_all_sources_have_or_at_its_deadline() {
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
    assert!(given.len() == 2 && given.iter().all(|merged| !merged.complete && merged.sources == 1 && merged.value == [1]));
    second.iter().for_each(|partial| assert_eq!(merger.add(partial, at(1200)).unwrap(), Added::New));
    let again = drain(&mut merger);
    assert!(again.len() == 2 && again.iter().all(|merged| merged.complete && merged.revision == 1 && merged.value == [1, 2]));
    merger.advance(at(1200 + 3_600_001));
    assert_eq!(merger.kept(), (0, 0));
    assert_eq!(merger.add(&first[0], at(0)).unwrap(), Added::Late);
    assert_eq!(merger.late(), 1);
}

#[test]
fn what_goes_past_a_limit_or_is_of_another_pipeline_changes_nothing() {
    let mut options = MergerOptions::default();
    (options.sources, options.windows_max, options.sources_max) = (Some(3), 1, 1);
    let mut merger = Merger::new(engine(0), options).unwrap();
    let ours = partials(0, &[(1, 5)], 0);
    merger.add(&ours[0], at(0)).unwrap();
    assert_eq!(merger.add(&ours[1], at(0)).unwrap_err().kind(), ErrorKind::LimitExceeded);
    assert_eq!(merger.add(&partials(1, &[(1, 5)], 0)[0], at(0)).unwrap_err().kind(), ErrorKind::LimitExceeded);
    let mut other = Pipeline::builder().aggregate(count()).build().unwrap();
    other.push(&7u64).unwrap();
    other.finish();
    let foreign = other.next_partial("x").unwrap().unwrap();
    assert_eq!(merger.add(&foreign, at(0)).unwrap_err().kind(), ErrorKind::Mismatch);
    assert_eq!(merger.kept().0, 1);
    assert_eq!(Snapshot::from_bytes(foreign.into_bytes()).unwrap_err().kind(), ErrorKind::Mismatch);
}
