//! Stage two on the KCL: partials of several shards are merged, over restarts and reshards.

use super::daemon::{
    Daemon, LEASE_LOST, SHARD_ENDED, SHUTDOWN_REQUESTED, StepClock, initialize, records,
};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;
use streamgauge::adapter::kcl::{
    AnswerSink, MergerWork, ProcessorOptions, RecordProcessor, StartingPoint, StatefulProcessor,
};
use streamgauge::merger::{Merged, Merger, MergerOptions};
use streamgauge::prelude::*;
use streamgauge::snapshot::Partial;
use streamgauge::store::{MemoryStore, Store};

/// Start, revision and value of merged windows.
type Said = Rc<RefCell<Vec<(i64, u32, u64)>>>;

fn pipeline() -> Pipeline<i64, impl Aggregate<i64, Output = u64>> {
    let builder = Pipeline::builder()
        .event_time(|time: &i64| Timestamp::from_millis(*time))
        .window(Tumbling::new(millis(10)).unwrap());
    builder.aggregate(count()).build().unwrap()
}

fn partials(source: &str, times: &[i64]) -> Vec<Partial> {
    let mut pipeline = pipeline();
    pipeline.push_batch(times).unwrap();
    pipeline.finish();
    std::iter::from_fn(|| pipeline.next_partial(source).unwrap()).collect()
}

fn processor<S: Store>(store: S, said: &Said) -> impl RecordProcessor {
    let mut options = MergerOptions::default();
    (options.sources, options.deadline) = (Some(2), Some(millis(1000)));
    let said = said.clone();
    let work =
        MergerWork::new(Merger::new(pipeline().into_engine(), options).unwrap(), move |_| {
            let said = said.clone();
            let put = move |merged: Merged<u64>| {
                said.borrow_mut().push((
                    merged.window.unwrap().start().as_millis(),
                    merged.revision,
                    merged.value,
                ));
                Ok(())
            };
            Ok(Box::new(put) as Box<dyn AnswerSink<Merged<u64>>>)
        });
    let mut options = ProcessorOptions::default();
    (options.every_records, options.every) = (1, Duration::ZERO);
    options.on_note = Box::new(|note| assert!(note.contains("dead letter"), "{note}"));
    StatefulProcessor::new(work, store, options)
}

fn batch(first: u64, partials: &[&Partial]) -> String {
    let payloads: Vec<&[u8]> = partials.iter().map(|partial| &partial.bytes()[..]).collect();
    records(first, &payloads, 0)
}

const BEGIN: &str = "shardId-000000000000";

#[test]
fn s75_partials_are_merged_once_over_redelivery_and_restarts() {
    let (said, store, mut clock) = (Said::default(), MemoryStore::new(), StepClock::new(0));
    let (a, b) = (partials("a", &[1, 2, 11]), partials("b", &[3]));
    let first = Daemon::new([
        initialize(BEGIN, StartingPoint::TrimHorizon),
        batch(1, &[&a[0], &a[0], &a[1]]),
        records(4, &[b"junk"], 0),
    ]);
    first.run(&mut processor(&store, &said), &mut clock).unwrap();
    assert_eq!(said.take(), [], "one of two sources");
    let second = Daemon::default();
    let (mut talk, mut again) = (second.talk(), processor(&store, &said));
    talk.go_on(
        &[&initialize(BEGIN, StartingPoint::TrimHorizon), &batch(1, &[&a[0]]), &batch(5, &[&b[0]])],
        &mut again,
        &mut clock,
    )
    .unwrap();
    assert_eq!(said.take(), [(0, 0, 3)]);
    clock.now = 1000;
    talk.go_on(&[&records(6, &[], 0)], &mut again, &mut clock).unwrap();
    assert_eq!(said.take(), [(10, 0, 1)], "past its deadline, without b");
    let late = partials("b", &[12, 13]);
    talk.go_on(&[&batch(6, &[&late[0]]), SHUTDOWN_REQUESTED, LEASE_LOST], &mut again, &mut clock)
        .unwrap();
    assert_eq!(said.take(), [(10, 1, 3)], "b has come");
}

#[test]
fn s75_after_a_reshard_a_window_continues_in_the_shard_of_its_partials() {
    let (said, store, mut clock) = (Said::default(), MemoryStore::new(), StepClock::new(0));
    let (a, b) = (partials("a", &[1, 11]), partials("b", &[2, 12, 13]));
    let parent = Daemon::new([
        initialize(BEGIN, StartingPoint::TrimHorizon),
        batch(1, &[&a[0], &a[1]]),
        SHARD_ENDED.into(),
    ]);
    parent.run(&mut processor(&store, &said), &mut clock).unwrap();
    assert_eq!(said.take(), [(0, 0, 1), (10, 0, 1)], "all that it has, at its end");
    for (shard, partial, expected) in
        [("shardId-000000000001", &b[0], (0, 1, 2)), ("shardId-000000000002", &b[1], (10, 1, 3))]
    {
        let daemon = Daemon::new([
            initialize(shard, StartingPoint::TrimHorizon),
            batch(1, &[partial]),
            SHUTDOWN_REQUESTED.into(),
        ]);
        daemon.run(&mut processor(&store, &said), &mut clock).unwrap();
        assert_eq!(said.take(), [expected], "{shard}");
    }
}
