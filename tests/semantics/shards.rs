//! Several shards: the shards that the watermark waits for, and records that were delivered before.

use super::edges::{at, drain, engine};
use streamgauge::prelude::*;

#[test]
fn edge_7_two_halves_of_a_log_read_in_sequence_lose_nothing() {
    let mut engine = engine(|options| {
        options.windows = Tumbling::new(seconds(10)).unwrap().into();
        options.out_of_orderness = Some(seconds(5));
    });
    let first = engine.open_shard(ShardId::new("first half")).unwrap();
    let second = engine.open_shard(ShardId::new("second half")).unwrap();
    let mut id = 0;
    for shard in [first, second] {
        for second in 0..600 {
            assert_eq!(engine.push(shard, &id, at(second * 1000)).unwrap(), Outcome::Applied);
            id += 1;
        }
        engine.close_shard(shard);
    }
    engine.finish();
    let fired = drain(&mut engine);
    assert_eq!(fired.len(), 60);
    assert!(fired.iter().all(|(_, _, revision, records)| *revision == 0 && records.len() == 20));
}

#[test]
fn edge_7_s15_a_child_shard_starts_from_its_parents_watermark() {
    let mut engine = engine(|options| options.windows = Tumbling::new(millis(10)).unwrap().into());
    let parent = engine.open_shard(ShardId::new("parent")).unwrap();
    engine.push(parent, &0, at(25)).unwrap();
    let child = engine.open_child_shard(ShardId::new("child"), &[parent]).unwrap();
    engine.close_shard(parent);
    assert_eq!(engine.watermark(), Some(at(24)));
    engine.push(child, &1, at(40)).unwrap();
    assert_eq!(drain(&mut engine), [(20, 30, 0, vec![0])]);
}

#[test]
fn edge_7_s16_an_idle_shard_does_not_freeze_the_others() {
    let mut engine = engine(|options| {
        options.windows = Tumbling::new(millis(10)).unwrap().into();
        options.idle_after = Some(seconds(60));
    });
    let busy = engine.open_shard(ShardId::new("busy")).unwrap();
    engine.open_shard(ShardId::new("idle")).unwrap();
    engine.advance(at(0));
    engine.push(busy, &0, at(5)).unwrap();
    engine.push(busy, &1, at(15)).unwrap();
    engine.advance(at(59_999));
    assert_eq!(drain(&mut engine), []);
    engine.push(busy, &2, at(16)).unwrap();
    engine.advance(at(60_000));
    assert_eq!(drain(&mut engine), [(0, 10, 0, vec![0])]);
}

/// Two busy shards. The second has a record every 10 ms, which the filter drops or the aggregate
/// refuses, with event times a tenth of those of the first.
#[test]
fn s16_a_shard_whose_records_are_filtered_or_refused_is_not_idle() {
    for (what, keep, value) in [("filtered", false, 1.0), ("dead letters", true, f64::NAN)] {
        let mut pipeline = Pipeline::builder()
            .event_time(|event: &(i64, bool, f64)| at(event.0))
            .filter(|event| event.1)
            .window(Tumbling::new(millis(10)).unwrap())
            .idle_after(millis(100))
            .aggregate((count(), sum(|event: &(i64, bool, f64)| event.2)))
            .build()
            .unwrap();
        let (a, b) = (
            pipeline.open_shard(ShardId::new("a")).unwrap(),
            pipeline.open_shard(ShardId::new("b")).unwrap(),
        );
        pipeline.advance(at(0));
        for clock in (0..=300).step_by(10) {
            pipeline.advance(at(clock));
            pipeline.push_to(a, None, &(clock, true, 1.0)).unwrap();
            pipeline.push_to(b, None, &(clock / 10, keep, value)).unwrap();
        }
        assert_eq!(pipeline.engine().watermark(), Some(at(29)), "{what}");
        assert_eq!(pipeline.engine().last_record(b), Some(at(300)), "{what}");
        assert_eq!(
            pipeline.push_to(b, None, &(31, true, 1.0)).unwrap(),
            Outcome::Applied,
            "{what}"
        );
    }
}

/// For each way to push: a window with a record, and then only records that the filter drops.
#[test]
fn s11_filtered_records_move_the_watermark_in_any_way_of_pushing() {
    let build = || {
        let builder = Pipeline::builder()
            .event_time(|event: &(i64, bool)| at(event.0))
            .filter(|event| event.1);
        builder.window(Tumbling::new(millis(10)).unwrap()).aggregate(count()).build().unwrap()
    };
    let events = [(5, true), (9, false), (10, false), (7, true)];
    let fired = |pipeline: &mut Pipeline<(i64, bool), _>| {
        pipeline.drain().map(|emission| emission.unwrap().value).collect::<Vec<u64>>()
    };
    let one_by_one = |pipeline: &mut Pipeline<(i64, bool), _>| {
        events.map(|event| pipeline.push(&event).unwrap())
    };
    let mut pipeline = build();
    assert_eq!(
        one_by_one(&mut pipeline),
        [Outcome::Applied, Outcome::Filtered, Outcome::Filtered, Outcome::Late(at(7))]
    );
    assert_eq!(fired(&mut pipeline), [1]);
    let mut pipeline = build();
    pipeline.push_batch(&events).unwrap();
    assert_eq!((fired(&mut pipeline), pipeline.stats().late), (vec![1], 1));
    let mut pipeline = build();
    assert_eq!(pipeline.over(&events[..3]).next().map(|emission| emission.value), Some(1));
    let mut pipeline = build();
    let shard = pipeline.open_shard(ShardId::new("a")).unwrap();
    let mut push =
        |number: u64, event| pipeline.push_to(shard, Some(&Sequence::new(number)), &event).unwrap();
    assert_eq!([push(1, (5, true)), push(2, (9, false))], [Outcome::Applied, Outcome::Filtered]);
    // A record that is delivered again changes nothing, whatever its time.
    assert_eq!(push(2, (10, false)), Outcome::Duplicate);
    assert!(fired(&mut pipeline).is_empty());
    pipeline.push_to(shard, Some(&Sequence::new(3u64)), &(10, false)).unwrap();
    assert_eq!(fired(&mut pipeline), [1]);
}

#[test]
fn without_a_watermark_the_time_of_a_filtered_record_is_not_read() {
    let never =
        |_: &u64| -> Timestamp { panic!("asked for the time of a record that the filter drops") };
    let builder = Pipeline::builder()
        .event_time(never)
        .filter(|_| false)
        .window(Tumbling::new(millis(10)).unwrap());
    let mut pipeline = builder.unbounded_out_of_orderness().aggregate(count()).build().unwrap();
    pipeline.push(&1).unwrap();
    pipeline.push_batch(&[1, 2]).unwrap();
    assert_eq!(pipeline.stats().filtered, 3);
}

#[test]
fn a_time_out_of_range_of_a_filtered_record_moves_nothing() {
    let mut engine = engine(|options| options.windows = Tumbling::new(millis(10)).unwrap().into());
    let shard = engine.open_shard(ShardId::new("a")).unwrap();
    engine.push(shard, &1, at(5)).unwrap();
    for time in [i64::MIN, i64::MAX, i64::MAX - 9] {
        engine.skip(shard, None, Outcome::Filtered, Some(at(time)));
        assert_eq!(engine.watermark(), Some(at(4)), "{time}");
    }
    engine.skip(shard, None, Outcome::Filtered, Some(at(i64::MAX - 10)));
    assert_eq!(drain(&mut engine), [(0, 10, 0, vec![1])]);
}

#[test]
fn s35_a_duplicate_changes_nothing_and_is_counted() {
    let mut engine = engine(|options| options.windows = Tumbling::new(millis(10)).unwrap().into());
    let shard = engine.open_shard(ShardId::new("a")).unwrap();
    let other = engine.open_shard(ShardId::new("b")).unwrap();
    let place = |number: u64, sub: u64| Sequence { sub, ..Sequence::new(number) };
    let mut push =
        |shard, number, sub| engine.push_at(shard, &place(number, sub), &number, at(1)).unwrap();
    assert_eq!(push(shard, 7, 0), Outcome::Applied);
    assert_eq!(push(shard, 7, 1), Outcome::Applied, "the next user record of an aggregated one");
    assert_eq!(push(shard, 7, 1), Outcome::Duplicate);
    assert_eq!(push(shard, 7, 0), Outcome::Duplicate);
    assert_eq!(push(other, 7, 0), Outcome::Applied, "another shard has its own positions");
    assert_eq!(push(shard, 100, 0), Outcome::Applied, "numbers order as integers");
    assert_eq!(engine.stats().duplicates, 2);
    assert_eq!(engine.applied(shard), Some(&place(100, 0)));
    engine.finish();
    assert_eq!(drain(&mut engine), [(0, 10, 0, vec![7, 7, 7, 100])]);
}
