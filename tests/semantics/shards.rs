//! Several shards: whom the watermark waits for, and which records were there before.

use super::edges::{at, drain, engine};
use streamgauge::prelude::*;

#[test]
fn edge_7_two_halves_of_a_log_read_one_after_the_other_lose_nothing() {
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
fn edge_7_a_child_shard_starts_from_its_parents_watermark() {
    // S15
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
fn edge_7_an_idle_shard_does_not_freeze_the_others() {
    // S16
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

#[test]
fn a_record_that_was_taken_before_changes_nothing_and_is_counted() {
    // S35
    let mut engine = engine(|options| options.windows = Tumbling::new(millis(10)).unwrap().into());
    let shard = engine.open_shard(ShardId::new("a")).unwrap();
    let other = engine.open_shard(ShardId::new("b")).unwrap();
    let place = |number: u64, sub: u64| Sequence { sub, ..Sequence::new(number) };
    let mut push = |shard, number, sub| engine.push_at(shard, &place(number, sub), &number, at(1)).unwrap();
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
