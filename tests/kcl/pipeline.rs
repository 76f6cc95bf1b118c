//! A pipeline on the KCL: when it emits, saves and checkpoints, and when it stops doing so.

use super::daemon::{
    Daemon, LEASE_LOST, SHARD, SHARD_ENDED, SHUTDOWN_REQUESTED, StepClock, initialize, records,
};
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use streamgauge::adapter::kcl::{
    Action, End, PipelineWork, ProcessorOptions, Reply, StartingPoint, StatefulProcessor,
};
use streamgauge::adapter::{Decoding, RecordPipeline, Sink, each};
use streamgauge::prelude::*;
use streamgauge::record::Record;
use streamgauge::store::{MemoryStore, Store};

/// The output: emissions by the start of their window, and notes.
#[derive(Clone, Default)]
struct Said {
    emissions: Rc<RefCell<Vec<(i64, u64)>>>,
    notes: Rc<RefCell<Vec<String>>>,
}

fn decode(record: &Record) -> Result<i64, String> {
    std::str::from_utf8(&record.data)
        .map_err(|error| error.to_string())?
        .parse()
        .map_err(|error| format!("{error}"))
}

fn sink<P: RecordPipeline<Emission = Emission<u64>> + 'static>(
    said: Said,
) -> impl FnMut(&ShardId, &P) -> Result<Box<dyn Sink<P>>, Error> {
    move |_, _| {
        let said = said.clone();
        Ok(Box::new(each(move |emission: Emission<u64>| {
            said.emissions
                .borrow_mut()
                .push((emission.window.unwrap().start().as_millis(), emission.value));
            Ok(())
        })))
    }
}

/// Returns a processor that counts numbers, which are their own event times, in windows of 10 ms.
fn processor<S: Store>(
    store: S,
    said: &Said,
    change: impl FnOnce(&mut ProcessorOptions),
) -> impl streamgauge::adapter::kcl::RecordProcessor + Stale {
    let builder = Pipeline::builder()
        .event_time(|time: &i64| Timestamp::from_millis(*time))
        .window(Tumbling::new(millis(10)).unwrap());
    let pipeline = Decoding::new(builder.aggregate(count()).build().unwrap(), decode);
    let work = PipelineWork::new(pipeline, sink(said.clone())).unwrap().idle_after(millis(1000));
    let mut options = ProcessorOptions::default();
    (options.every_records, options.every) = (1, Duration::ZERO);
    let notes = said.notes.clone();
    options.on_note = Box::new(move |note| notes.borrow_mut().push(note.to_owned()));
    change(&mut options);
    StatefulProcessor::new(work, store, options)
}

trait Stale {
    fn failed(&self) -> Option<ErrorKind>;
}

impl<K: streamgauge::adapter::kcl::ShardWork, S: Store> Stale for StatefulProcessor<K, S> {
    fn failed(&self) -> Option<ErrorKind> {
        self.failure().map(Error::kind)
    }
}

fn begin() -> String {
    initialize(SHARD, StartingPoint::TrimHorizon)
}

#[test]
fn s70_refused_checkpoints_are_repeated_abandoned_or_noted() {
    let throttled =
        [Some("ThrottlingException"), Some("KinesisClientLibDependencyException"), None];
    let (said, store, mut clock) = (Said::default(), MemoryStore::new(), StepClock::new(0));
    let daemon = Daemon::new([
        begin(),
        records(1, &[b"5"], 9),
        SHUTDOWN_REQUESTED.into(),
        LEASE_LOST.into(),
    ])
    .refusing(&throttled);
    assert_eq!(daemon.run(&mut processor(store, &said, |_| {}), &mut clock).unwrap(), End::Ordered);
    assert_eq!(
        daemon.checkpoints(),
        vec![Some((String::from("1"), 0)); 4],
        "three times for the records, once for the shutdown"
    );
    assert_eq!(clock.slept, Duration::from_millis(100 + 200));
    assert!(said.notes.take().is_empty());

    for (name, expected) in
        [("ShutdownException", 1), ("InvalidStateException", 1), ("SomethingElseException", 3)]
    {
        let (said, store) = (Said::default(), MemoryStore::new());
        let daemon = Daemon::new([
            begin(),
            records(1, &[b"5"], 9),
            records(2, &[b"6"], 9),
            SHUTDOWN_REQUESTED.into(),
            LEASE_LOST.into(),
        ]);
        let daemon = daemon.refusing(&[Some(name)]);
        daemon.run(&mut processor(store, &said, |_| {}), &mut StepClock::new(0)).unwrap();
        assert_eq!(daemon.checkpoints().len(), expected, "{name}");
        assert!(said.notes.take()[0].contains(name));
    }

    let always = [Some("ThrottlingException"); 8];
    let (said, mut clock) = (Said::default(), StepClock::new(0));
    let daemon = Daemon::new([begin(), SHARD_ENDED.into()]).refusing(&always);
    let error =
        daemon.run(&mut processor(MemoryStore::new(), &said, |_| {}), &mut clock).unwrap_err();
    assert!(error.to_string().contains("at the end of the shard: ThrottlingException"), "{error}");
    assert!(clock.slept < Duration::from_secs(25), "{:?}", clock.slept);
    assert_ne!(daemon.heard().last(), Some(&Reply::Status { response_for: Action::ShardEnded }));
}

#[test]
fn s72_after_the_lease_is_lost_nothing_is_emitted_or_checkpointed() {
    let said = Said::default();
    // The record of 25 completes the window of 5, which is due at the next save.
    let daemon = Daemon::new([begin(), records(1, &[b"5", b"25"], 9), LEASE_LOST.into()]);
    let end = daemon.run(
        &mut processor(MemoryStore::new(), &said, |options| {
            (options.every_records, options.every) = (100, Duration::from_secs(1))
        }),
        &mut StepClock::new(0),
    );
    assert_eq!(end.unwrap(), End::Ordered);
    assert_eq!((said.emissions.take(), daemon.checkpoints()), (vec![], vec![]));
}

#[test]
fn the_end_of_the_input_is_legal_and_state_is_intact() {
    let (said, store) = (Said::default(), Arc::new(MemoryStore::new()));
    let first = Daemon::new([begin(), records(1, &[b"5", b"6"], 9)]);
    assert_eq!(
        first.run(&mut processor(&*store, &said, |_| {}), &mut StepClock::new(0)).unwrap(),
        End::Early
    );
    assert_eq!(
        Daemon::new([])
            .run(&mut processor(&*store, &said, |_| {}), &mut StepClock::new(0))
            .unwrap(),
        End::Early
    );
    // The records come again, as after a lost checkpoint, together with others.
    let second = Daemon::new([
        begin(),
        records(1, &[b"5", b"6", b"7", b"25"], 9),
        SHUTDOWN_REQUESTED.into(),
        LEASE_LOST.into(),
    ]);
    second.run(&mut processor(&*store, &said, |_| {}), &mut StepClock::new(0)).unwrap();
    assert_eq!(said.emissions.take(), [(0, 3)]);
    assert_eq!(second.checkpoints(), vec![Some((String::from("4"), 0)); 2]);
}

#[test]
fn s243_windows_of_rows_continue_in_another_process_and_end_with_their_shard() {
    let (said, store) = (Said::default(), Arc::new(MemoryStore::new()));
    let run = |messages: Vec<String>| {
        let builder = Pipeline::builder()
            .event_time(|time: &i64| Timestamp::from_millis(*time))
            .window(streamgauge::window::Rows::new(3).unwrap());
        let pipeline = Decoding::new(builder.aggregate(count()).build().unwrap(), decode);
        let work = PipelineWork::new(pipeline, sink(said.clone())).unwrap();
        let mut options = ProcessorOptions::default();
        (options.every_records, options.every) = (1, Duration::ZERO);
        let mut processor = StatefulProcessor::new(work, &*store, options);
        Daemon::new(messages).run(&mut processor, &mut StepClock::new(0)).unwrap()
    };
    run(vec![
        begin(),
        records(1, &[b"9", b"5", b"7", b"8"], 9),
        SHUTDOWN_REQUESTED.into(),
        LEASE_LOST.into(),
    ]);
    assert_eq!(said.emissions.take(), [(5, 3)]);
    // The last records come again, together with others.
    run(vec![begin(), records(3, &[b"7", b"8", b"6", b"4", b"3"], 9), SHARD_ENDED.into()]);
    assert_eq!(said.emissions.take(), [(4, 3), (3, 1)]);
}

#[test]
fn s73_a_process_whose_shard_was_taken_over_reports_it_and_stops() {
    let (said, store, mut clock) =
        (Said::default(), Arc::new(MemoryStore::new()), StepClock::new(0));
    let (mut old, mut new) = (processor(&*store, &said, |_| {}), processor(&*store, &said, |_| {}));
    let (old_daemon, new_daemon) = (Daemon::default(), Daemon::default());
    let (mut old_talk, mut new_talk) = (old_daemon.talk(), new_daemon.talk());
    old_talk.go_on(&[&begin(), &records(1, &[b"5"], 9)], &mut old, &mut clock).unwrap();
    let checkpoints = old_daemon.checkpoints().len();
    // A process that is only initialized disturbs nobody.
    new_talk.go_on(&[&begin()], &mut new, &mut clock).unwrap();
    old_talk.go_on(&[&records(2, &[b"6"], 9)], &mut old, &mut clock).unwrap();
    assert_eq!((old.failed(), old_daemon.checkpoints().len()), (None, checkpoints + 1));

    new_talk.go_on(&[&records(1, &[b"5", b"6", b"7"], 9)], &mut new, &mut clock).unwrap();
    let stored = store.load(SHARD).unwrap().unwrap();
    old_talk
        .go_on(
            &[&records(3, &[b"7"], 9), &records(4, &[b"8", b"30"], 9), SHARD_ENDED],
            &mut old,
            &mut clock,
        )
        .unwrap();
    assert_eq!(old.failed(), Some(ErrorKind::Conflict));
    assert_eq!(old_daemon.checkpoints().len(), checkpoints + 1);
    assert_eq!(store.load(SHARD).unwrap().unwrap(), stored);
    assert_eq!(said.emissions.take(), []);
    assert!(said.notes.take()[0].contains("another owner has saved"));

    new_talk.go_on(&[&records(4, &[b"8", b"30"], 9)], &mut new, &mut clock).unwrap();
    assert_eq!(said.emissions.take(), [(0, 4)]);
    // It answers the daemon for some time. After that it is better to end.
    clock.now += 60_001;
    let error = old_talk.go_on(&[&records(6, &[b"9"], 9)], &mut old, &mut clock).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
}

#[test]
fn s71_the_clock_completes_windows_of_a_quiet_shard_but_not_of_one_that_is_behind() {
    let (said, store, mut clock) = (Said::default(), MemoryStore::new(), StepClock::new(0));
    let mut processor = processor(store, &said, |_| {});
    let mut talk = Daemon::default().talk();
    clock.now = 100_000;
    talk.go_on(&[&begin(), &records(1, &[b"98995", b"99005"], 0)], &mut processor, &mut clock)
        .unwrap();
    assert_eq!(said.emissions.take(), [(98_990, 1)]);
    clock.now = 100_999;
    talk.go_on(&[&records(3, &[], 0)], &mut processor, &mut clock).unwrap();
    assert_eq!(said.emissions.take(), []);
    // At 101,005 it has been quiet for a second. But its window ends at 99,010, which is complete
    // only at 100,010 + 1,000.
    clock.now = 101_005;
    talk.go_on(&[&records(3, &[], 7), &records(3, &[], 0)], &mut processor, &mut clock).unwrap();
    clock.now = 102_000;
    talk.go_on(&[&records(3, &[], 7)], &mut processor, &mut clock).unwrap();
    assert_eq!(said.emissions.take(), [], "it is behind: the records are on their way");
    clock.now = 102_999;
    talk.go_on(&[&records(3, &[], 0)], &mut processor, &mut clock).unwrap();
    assert_eq!(said.emissions.take(), []);
    clock.now = 103_000;
    talk.go_on(&[&records(3, &[], 0)], &mut processor, &mut clock).unwrap();
    assert_eq!(said.emissions.take(), [(99_000, 1)]);
}

/// Records that cannot be decoded have no event time: a shard that delivers only such records is
/// quiet.
#[test]
fn s71_a_shard_with_only_unreadable_records_is_quiet() {
    let (said, store, mut clock) = (Said::default(), MemoryStore::new(), StepClock::new(0));
    let mut processor = processor(store, &said, |_| {});
    let mut talk = Daemon::default().talk();
    clock.now = 100_000;
    talk.go_on(&[&begin(), &records(1, &[b"98995"], 0)], &mut processor, &mut clock).unwrap();
    clock.now = 100_900;
    talk.go_on(&[&records(2, &[b"x"], 0)], &mut processor, &mut clock).unwrap();
    assert_eq!(said.emissions.take(), []);
    clock.now = 101_000;
    talk.go_on(&[&records(3, &[b"x"], 0)], &mut processor, &mut clock).unwrap();
    assert_eq!(said.emissions.take(), [(98_990, 1)]);
}

#[test]
fn s68_one_child_shard_adopts_the_windows_of_ended_shards() {
    let (said, store, mut clock) =
        (Said::default(), Arc::new(MemoryStore::new()), StepClock::new(0));
    for (shard, time) in [("shardId-000000000001", b"5"), ("shardId-000000000002", b"7")] {
        let daemon = Daemon::new([
            initialize(shard, StartingPoint::TrimHorizon),
            records(1, &[time], 9),
            SHARD_ENDED.into(),
        ]);
        let mut parent = processor(&*store, &said, |_| {});
        assert_eq!(daemon.run(&mut parent, &mut clock).unwrap(), End::Ordered);
        assert_eq!(
            daemon.checkpoints().last(),
            Some(&None),
            "all that was given, at the end of the shard"
        );
        // The daemon starts it again, as it does when it ends in the middle of a reshard. It has
        // nothing more to do.
        let again = Daemon::new([
            initialize(shard, StartingPoint::TrimHorizon),
            records(1, &[time], 9),
            SHARD_ENDED.into(),
        ]);
        again.run(&mut processor(&*store, &said, |_| {}), &mut clock).unwrap();
        assert_eq!(again.checkpoints(), [None]);
    }
    assert_eq!(said.emissions.take(), []);
    for (shard, expected) in [("shardId-000000000003", 3), ("shardId-000000000004", 1)] {
        let begin = initialize(shard, StartingPoint::TrimHorizon);
        let daemon = Daemon::new([
            begin,
            records(1, &[b"6", b"20"], 9),
            SHUTDOWN_REQUESTED.into(),
            LEASE_LOST.into(),
        ]);
        daemon.run(&mut processor(&*store, &said, |_| {}), &mut clock).unwrap();
        assert_eq!(said.emissions.take(), [(0, expected)], "{shard}");
    }
}

#[test]
fn records_that_cannot_be_decoded_are_reported_and_skipped() {
    let (said, mut clock) = (Said::default(), StepClock::new(0));
    let junk: Vec<&[u8]> = vec![b"x"; 15];
    let mut broken = records(40, &[b"7"], 9);
    broken = broken.replace("Nw==", "N!");
    let daemon = Daemon::new([
        begin(),
        records(1, &[b"5", b"x", b"6"], 9),
        records(4, &junk, 9),
        broken,
        records(41, &[b"30"], 9),
    ]);
    daemon.run(&mut processor(MemoryStore::new(), &said, |_| {}), &mut clock).unwrap();
    assert_eq!(said.emissions.take(), [(0, 2)]);
    assert_eq!(daemon.checkpoints().len(), 4);
    assert_eq!(
        daemon.checkpoints()[2],
        Some((String::from("40"), 0)),
        "also up to what is no record"
    );
    let notes = said.notes.take();
    let (counts, letters): (Vec<&String>, Vec<&String>) =
        notes.iter().partition(|note| note.ends_with("so far"));
    assert_eq!(letters.len(), 10, "{notes:#?}");
    assert_eq!(
        *letters[0],
        format!(
            "{SHARD}: dead letter: {SHARD}:2: cannot be decoded: invalid digit found in string"
        )
    );
    // One for each checkpoint before which there were some.
    assert_eq!(
        counts,
        ["1 dead letter so far", "16 dead letters so far", "17 dead letters so far"]
            .map(|count| format!("{SHARD}: {count}"))
            .iter()
            .collect::<Vec<_>>()
    );
}

#[test]
fn s74_a_checkpoint_ahead_of_the_state_is_noted_or_refused() {
    let (said, mut clock) = (Said::default(), StepClock::new(0));
    let after = initialize(SHARD, StartingPoint::After(Sequence::new(9u64)));
    let messages = [after, records(10, &[b"5"], 9), SHUTDOWN_REQUESTED.into(), LEASE_LOST.into()];
    Daemon::new(messages.clone())
        .run(&mut processor(MemoryStore::new(), &said, |_| {}), &mut clock)
        .unwrap();
    assert!(said.notes.take()[0].contains(
        "the checkpoint is at sequence number 9, and the state in the store has nothing"
    ));
    let mut strict = processor(MemoryStore::new(), &said, |options| options.require_state = true);
    let error = Daemon::new(messages).run(&mut strict, &mut clock).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Mismatch);
}

#[test]
fn state_is_saved_after_a_number_of_records_or_a_time() {
    let said = Said::default();
    let change =
        |options: &mut ProcessorOptions| (options.every_records, options.every) = (3, millis(50));
    let three: Vec<String> = (1..=6).map(|number| records(number, &[b"5"], 9)).collect();
    let daemon = Daemon::new(std::iter::once(begin()).chain(three));
    daemon.run(&mut processor(MemoryStore::new(), &said, change), &mut StepClock::new(0)).unwrap();
    assert_eq!(daemon.checkpoints(), [Some((String::from("3"), 0)), Some((String::from("6"), 0))]);

    let daemon = Daemon::default();
    let (mut talk, mut clock, mut processor) =
        (daemon.talk(), StepClock::new(0), processor(MemoryStore::new(), &said, change));
    talk.go_on(&[&begin(), &records(1, &[b"5"], 9)], &mut processor, &mut clock).unwrap();
    clock.now = 49;
    talk.go_on(&[&records(2, &[], 0)], &mut processor, &mut clock).unwrap();
    assert_eq!(daemon.checkpoints(), []);
    clock.now = 50;
    talk.go_on(&[&records(2, &[], 0)], &mut processor, &mut clock).unwrap();
    assert_eq!(daemon.checkpoints(), [Some((String::from("1"), 0))]);
}

#[test]
fn kpl_aggregates_are_split_if_the_daemon_did_not_split_them() {
    let said = Said::default();
    let user = |text: &[u8]| {
        [&[0x1a, 4 + text.len() as u8, 0x08, 0, 0x1a, text.len() as u8], text].concat()
    };
    let message = [b"\x0a\x01k".as_slice(), &user(b"5"), &user(b"6"), &user(b"30")].concat();
    use md5::Digest;
    let aggregate =
        [&[0xF3, 0x89, 0x9A, 0xC2], message.as_slice(), &md5::Md5::digest(&message)].concat();
    let daemon = Daemon::new([begin(), records(1, &[&aggregate], 9)]);
    daemon.run(&mut processor(MemoryStore::new(), &said, |_| {}), &mut StepClock::new(0)).unwrap();
    assert_eq!(said.emissions.take(), [(0, 2)]);
    assert_eq!(daemon.checkpoints(), [Some((String::from("1"), 0))]);
}
