//! Start and end of windows, the time at which they fire, and late records.

use crate::model::Keep;
use streamgauge::engine::{Engine, EngineOptions};
use streamgauge::prelude::*;

/// (start, end, revision, records).
pub(super) type Fired = (i64, i64, u32, Vec<u64>);

pub(super) fn engine(configure: impl FnOnce(&mut EngineOptions)) -> Engine<u64, Keep> {
    let mut options = EngineOptions::default();
    configure(&mut options);
    Engine::new(Keep, options).unwrap()
}

pub(super) fn at(time: i64) -> Timestamp {
    Timestamp::from_millis(time)
}

pub(super) fn drain(engine: &mut Engine<u64, Keep>) -> Vec<Fired> {
    let mut fired = vec![];
    while let Some(emission) = engine.next_emission().unwrap() {
        let window = emission.window.expect("periodic windows");
        fired.push((
            window.start().as_millis(),
            window.end().as_millis(),
            emission.revision,
            emission.value,
        ));
    }
    fired
}

/// Pushes records named by their index onto one shard.
fn push_all(engine: &mut Engine<u64, Keep>, times: &[i64]) -> Vec<Outcome> {
    let shard = engine.open_shard(ShardId::new("a")).unwrap();
    times
        .iter()
        .enumerate()
        .map(|(id, time)| engine.push(shard, &(id as u64), at(*time)).unwrap())
        .collect()
}

/// The windows of one record, from an engine that waits for everything.
fn windows_of(windows: impl Into<Windows>, time: i64) -> Vec<(i64, i64)> {
    let windows = windows.into();
    let mut engine =
        engine(|options| (options.windows, options.out_of_orderness) = (windows, None));
    push_all(&mut engine, &[time]);
    engine.finish();
    drain(&mut engine).into_iter().map(|(start, end, _, _)| (start, end)).collect()
}

#[test]
fn edge_1_a_window_start_is_a_floor_also_before_the_epoch() {
    let size = 60_000;
    let tumbling = || Tumbling::new(millis(size as u64)).unwrap();
    for (time, start) in
        [(-1, -size), (0, 0), (size - 1, 0), (size, size), (-size, -size), (-size - 1, -2 * size)]
    {
        assert_eq!(windows_of(tumbling(), time), [(start, start + size)], "time {time}");
    }
    let lowest = i64::MIN + size;
    let [(start, end)] = windows_of(tumbling(), lowest)[..] else { panic!("one window") };
    assert!(start <= lowest && lowest < end && start.rem_euclid(size) == 0);
}

#[test]
fn edge_1_a_time_without_room_for_a_window_is_a_dead_letter_and_not_a_wrap() {
    let mut engine = engine(|options| options.windows = Tumbling::new(minutes(1)).unwrap().into());
    assert_eq!(
        push_all(&mut engine, &[i64::MIN, i64::MAX, 0]),
        [Outcome::DeadLetter(()), Outcome::DeadLetter(()), Outcome::Applied]
    );
    assert_eq!(engine.refusal().map(Error::kind), Some(ErrorKind::TimeOutOfRange));
    assert_eq!(
        engine.watermark(),
        Some(at(-1)),
        "a time that no window can be given around moves no watermark"
    );
    assert_eq!(engine.stats().dead_letters, 2);
}

#[test]
fn edge_2_windows_are_aligned_to_the_epoch_and_not_to_the_first_record() {
    assert_eq!(windows_of(Tumbling::new(millis(10)).unwrap(), 1_234_567), [(1_234_560, 1_234_570)]);
    assert_eq!(
        windows_of(Tumbling::new(millis(10)).unwrap().offset(millis(3)), 1_234_562),
        [(1_234_553, 1_234_563)]
    );
    assert_eq!(
        windows_of(Tumbling::new(millis(10)).unwrap().offset(millis(13)), 1_234_563),
        [(1_234_563, 1_234_573)]
    );
}

#[test]
fn edge_3_the_end_is_outside() {
    let mut engine = engine(|options| options.windows = Tumbling::new(millis(10)).unwrap().into());
    push_all(&mut engine, &[9, 10]);
    engine.finish();
    assert_eq!(drain(&mut engine), [(0, 10, 0, vec![0]), (10, 20, 0, vec![1])]);
}

#[test]
fn edge_4_s11_a_window_fires_at_the_record_that_is_its_end_plus_the_bound() {
    let mut engine = engine(|options| {
        options.windows = Tumbling::new(millis(10)).unwrap().into();
        options.out_of_orderness = Some(millis(5));
    });
    push_all(&mut engine, &[3, 14]);
    assert_eq!(drain(&mut engine), []);
    push_all(&mut engine, &[15]);
    assert_eq!(drain(&mut engine), [(0, 10, 0, vec![0])]);
}

#[test]
fn edge_5_behind_the_watermark_is_not_late_while_the_window_is_open() {
    let mut engine = engine(|options| options.windows = Tumbling::new(millis(10)).unwrap().into());
    // The watermark is 7 after the first record; 2 is behind it, and its window ends at 10.
    assert_eq!(
        push_all(&mut engine, &[8, 2, 10, 9]),
        [Outcome::Applied, Outcome::Applied, Outcome::Applied, Outcome::Late(at(9))]
    );
    assert_eq!(engine.stats().late, 1);
    engine.finish();
    assert_eq!(drain(&mut engine), [(0, 10, 0, vec![0, 1]), (10, 20, 0, vec![2])]);
}

#[test]
fn edge_5_s13_a_record_can_be_late_for_one_of_its_windows_and_on_time_for_another() {
    let mut engine =
        engine(|options| options.windows = Sliding::new(millis(10), millis(5)).unwrap().into());
    // At 12 the windows that end at or before 12 have fired; 8 is in [0, 10), which has, and in [5,
    // 15), which has not.
    assert_eq!(
        push_all(&mut engine, &[2, 12, 8, 3]),
        [Outcome::Applied, Outcome::Applied, Outcome::Applied, Outcome::Late(at(3))]
    );
    engine.finish();
    let fired = drain(&mut engine);
    assert_eq!(
        fired,
        [(-5, 5, 0, vec![0]), (0, 10, 0, vec![0]), (5, 15, 0, vec![1, 2]), (10, 20, 0, vec![1])]
    );
}

#[test]
fn edge_6_s14_a_late_record_within_the_lateness_fires_again_with_a_revision() {
    let mut engine = engine(|options| {
        options.windows = Tumbling::new(millis(10)).unwrap().into();
        options.allowed_lateness = millis(10);
    });
    let outcomes = push_all(&mut engine, &[1, 11, 2, 3, 20, 4]);
    assert_eq!(outcomes[..5], [Outcome::Applied; 5]);
    assert_eq!(outcomes[5], Outcome::Late(at(4)), "watermark 19 is end 10 - 1 + lateness 10");
    let fired = drain(&mut engine);
    assert_eq!(
        fired,
        [
            (0, 10, 0, vec![0]),
            (0, 10, 1, vec![0, 2]),
            (0, 10, 2, vec![0, 2, 3]),
            (10, 20, 0, vec![1])
        ]
    );
}

#[test]
fn edge_6_a_window_that_was_empty_when_it_passed_fires_with_revision_0() {
    let mut engine = engine(|options| {
        options.windows = Tumbling::new(millis(10)).unwrap().into();
        options.allowed_lateness = millis(50);
    });
    push_all(&mut engine, &[25, 5]);
    assert_eq!(drain(&mut engine), [(0, 10, 0, vec![1])]);
}

#[test]
fn edge_8_s17_the_end_of_the_input_fires_everything_by_end_then_start() {
    let mut engine = engine(|options| {
        options.windows = Sliding::new(millis(10), millis(5)).unwrap().into();
        options.out_of_orderness = Some(hours(1));
    });
    push_all(&mut engine, &[31, 2]);
    assert_eq!(drain(&mut engine), []);
    engine.finish();
    let fired = drain(&mut engine);
    assert_eq!(
        fired,
        [(-5, 5, 0, vec![1]), (0, 10, 0, vec![1]), (25, 35, 0, vec![0]), (30, 40, 0, vec![0])]
    );
}

#[test]
fn edge_9_every_window_with_a_record_is_emitted_also_those_that_start_before_the_first_record() {
    assert_eq!(windows_of(Sliding::new(minutes(5), seconds(10)).unwrap(), 1_000_000).len(), 30);
}

#[test]
fn edge_9_empty_windows_are_emitted_only_with_emit_empty() {
    for (emit_empty, expected) in [(false, vec![0, 30]), (true, vec![0, 10, 20, 30])] {
        let mut engine = engine(|options| {
            options.windows = Tumbling::new(millis(10)).unwrap().into();
            options.emit_empty = emit_empty;
        });
        push_all(&mut engine, &[1, 35]);
        engine.finish();
        let starts: Vec<i64> = drain(&mut engine).into_iter().map(|(start, ..)| start).collect();
        assert_eq!(starts, expected);
    }
}

#[test]
fn edge_9_s8_empty_windows_after_a_late_one_are_emitted_up_to_the_first_that_has_fired() {
    let mut engine = engine(|options| {
        options.windows = Tumbling::new(millis(10)).unwrap().into();
        (options.emit_empty, options.allowed_lateness) = (true, seconds(1));
    });
    push_all(&mut engine, &[105, 5, 115]);
    let starts = |engine: &mut _| {
        drain(engine)
            .into_iter()
            .map(|(start, _, revision, _)| (start, revision))
            .collect::<Vec<_>>()
    };
    assert_eq!(starts(&mut engine), (0..=10).map(|n| (n * 10, 0)).collect::<Vec<_>>());
    push_all(&mut engine, &[-35, -15, 116]);
    assert_eq!(starts(&mut engine), [(-40, 0), (-30, 0), (-20, 0), (-10, 0), (-20, 1)]);
    engine.finish();
    assert_eq!(starts(&mut engine), [(110, 0)]);
}

#[test]
fn edge_12_a_slide_that_does_not_divide_the_size_and_one_above_it() {
    assert_eq!(
        windows_of(Sliding::new(millis(7), millis(3)).unwrap(), 6),
        [(0, 7), (3, 10), (6, 13)]
    );
    assert_eq!(windows_of(Sliding::new(millis(3), millis(10)).unwrap(), 12), [(10, 13)]);
    let mut engine =
        engine(|options| options.windows = Sliding::new(millis(3), millis(10)).unwrap().into());
    assert_eq!(
        push_all(&mut engine, &[13, 12, 19]),
        [Outcome::BetweenWindows, Outcome::Late(at(12)), Outcome::BetweenWindows]
    );
    assert_eq!(engine.stats().between_windows, 2);
}
