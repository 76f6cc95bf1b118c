//! The loop: apply, emit, save, checkpoint.

use super::batch::Batch;
use super::checkpoint::{Checkpoint, CheckpointOutcome, CheckpointRefusal};
use super::clock::Clock;
use super::options::ProcessorOptions;
use super::shard_store::{ShardStore, Takeover};
use super::shard_work::ShardWork;
use crate::adapter::came_late;
use crate::error::{Error, ErrorKind};
use crate::record::{Sequence, ShardId};
use crate::store::Store;
use crate::time::Timestamp;
use std::fmt;
use std::time::Duration;

/// Number of dead letters that get a note each.
const DEAD_LETTERS_NOTED: u64 = 10;

/// The standing of this process with its shard.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Standing {
    /// The shard is open. It is taken over with the first records, because a process without
    /// records must not disturb the one that has them.
    Waiting,
    /// This process owns it.
    Owned,
    /// The shard has ended, in this process or before.
    Over,
    /// Another process has the shard, since that time.
    Stale(Timestamp),
    /// The source has given the shard to another process.
    Released,
}

/// Processes one shard with the state of its [`ShardWork`] in a [`Store`]: applies records, emits
/// answers, saves the state, takes checkpoints. It does so after a number of records or a time, at
/// the end of the shard and at a shutdown: see [`ProcessorOptions`].
///
/// - After a crash it continues from the last saved state, and skips the records in it.
/// - A save is conditional. If another process has taken the shard over, this one emits, saves and
///   checkpoints nothing any more, writes a note, and has a
///   [`failure`](StatefulProcessor::failure).
/// - An ended shard leaves the state of its open windows in the store, and one of the shards that
///   begin later adopts it. A store belongs to one application, and is lost or kept together with
///   its checkpoints.
///
/// It knows no transport: the adapter of a source calls [`open`](StatefulProcessor::open) first,
/// then [`process`](StatefulProcessor::process) with each batch, and then one of
/// [`release`](StatefulProcessor::release), [`end`](StatefulProcessor::end) and
/// [`shut_down`](StatefulProcessor::shut_down). The calls may stop at any moment.
pub struct StatefulProcessor<W, S> {
    work: W,
    store: Option<S>,
    options: ProcessorOptions,
    shard: Option<ShardId>,
    /// The checkpoint of the source when the shard was opened.
    checkpoint: Option<Sequence>,
    states: Option<ShardStore<S>>,
    /// True if the shard had a state when it was opened.
    has_state: bool,
    /// The record after which a new shard begins, if it does not begin with its first one.
    begins_after: Option<Sequence>,
    standing: Standing,
    /// The last delivered record.
    delivered: Option<Sequence>,
    /// Number of deliveries since the last save.
    unsaved: u64,
    saved_at: Timestamp,
    checkpoints_end: bool,
    dead_letters: u64,
    /// The number of dead letters in the last note.
    dead_letters_noted: u64,
    /// Why the last checkpoint was refused, if it was. One note is enough.
    refusal: Option<CheckpointRefusal>,
    /// The number of late records in the last note.
    late_noted: u64,
    failure: Option<Error>,
}

impl<W: ShardWork, S: Store> StatefulProcessor<W, S> {
    /// Creates a processor of one shard.
    pub fn new(work: W, store: S, options: ProcessorOptions) -> Self {
        StatefulProcessor {
            work,
            store: Some(store),
            options,
            shard: None,
            checkpoint: None,
            states: None,
            has_state: false,
            begins_after: None,
            standing: Standing::Waiting,
            delivered: None,
            unsaved: 0,
            saved_at: Timestamp::from_millis(0),
            checkpoints_end: false,
            dead_letters: 0,
            dead_letters_noted: 0,
            refusal: None,
            late_noted: 0,
            failure: None,
        }
    }

    /// Returns why this process could not finish its work, although all of its source's messages
    /// were answered. [`ErrorKind::Conflict`]: another process has taken the shard over.
    pub fn failure(&self) -> Option<&Error> {
        self.failure.as_ref()
    }

    /// Returns the number of records that could not be decoded or aggregated in this process.
    pub fn dead_letters(&self) -> u64 {
        self.dead_letters
    }

    /// Returns the work.
    pub fn work(&self) -> &W {
        &self.work
    }

    /// Returns the work, for a source of several shards or of tuples.
    pub(crate) fn work_mut(&mut self) -> &mut W {
        &mut self.work
    }

    /// Opens the shard, whose records come after this checkpoint of the source if there is one.
    /// State that cannot be read is an error here. Nothing is saved: the shard is taken over with
    /// its first batch.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] if a shard was opened before; those of the work and of the
    /// store.
    pub fn open(
        &mut self,
        shard: &ShardId,
        checkpoint: Option<&Sequence>,
        now: Timestamp,
    ) -> Result<(), Error> {
        let Some(store) = self.store.take() else {
            return Err(Error::invalid(
                "a processor works on one shard, and was initialized before",
            ));
        };
        self.work.open(shard)?;
        let states = ShardStore::new(store, shard, self.work.is_shared());
        // State that cannot be read should be known now.
        if let Some(state) = states.look(&mut Standstill(now))? {
            self.work.restore(Some(&state)).map_err(|error| error.at(shard))?;
            self.has_state = true;
        }
        self.shard = Some(shard.clone());
        self.checkpoint = checkpoint.cloned();
        (self.states, self.saved_at) = (Some(states), now);
        Ok(())
    }

    /// Returns true if the shard had a state when it was opened.
    pub fn has_state(&self) -> bool {
        self.has_state
    }

    /// Saves that a new shard begins after this record. A shard that has a state is left alone.
    ///
    /// # Errors
    /// Those of the work and of the store.
    pub fn begin_after(
        &mut self,
        before: Option<&Sequence>,
        clock: &mut dyn Clock,
    ) -> Result<(), Error> {
        if self.has_state {
            return Ok(());
        }
        self.begins_after = before.cloned();
        self.take_over(clock)
    }

    /// Processes records. Call it regularly, also with a batch without records, so that the clock
    /// can save the state of a quiet shard and complete its windows.
    ///
    /// # Errors
    /// Any error ends the run: those of the work, of the store and of the source. The source should
    /// then deliver again from its checkpoint.
    pub fn process(&mut self, batch: &Batch, source: &mut dyn Checkpoint) -> Result<(), Error> {
        if !self.owns(source.clock())? {
            return Ok(());
        }
        let now = source.clock().now();
        self.apply(batch, now)?;
        let by_clock = !batch.is_behind() && self.work.advance(now)?;
        let waited = now.as_millis().saturating_sub(self.saved_at.as_millis());
        let is_due = self.unsaved >= self.options.every_records
            || (self.unsaved > 0 && waited >= millis(self.options.every));
        if (is_due || by_clock) && self.commit(source.clock())? {
            self.take_checkpoint(source)?;
        }
        Ok(())
    }

    /// Stops all emissions, saves and checkpoints, because the source has given the shard to
    /// another process.
    pub fn release(&mut self) {
        self.standing = Standing::Released;
    }

    /// Ends the shard: emits complete windows, hands the open ones over and takes the checkpoint at
    /// the end.
    ///
    /// # Errors
    /// Those of [`process`](StatefulProcessor::process); [`ErrorKind::Io`] if the checkpoint was
    /// refused, because without it the child shards never start.
    pub fn end(&mut self, source: &mut dyn Checkpoint) -> Result<(), Error> {
        if self.owns(source.clock())? && self.emit(source.clock())? {
            let handed_over = self.work.hand_over()?;
            if self.work.is_ahead() && !self.emit(source.clock())? {
                return Ok(());
            }
            let Some(states) = &mut self.states else { return Ok(()) };
            let saved = states.end(handed_over, source.clock());
            if self.saved(saved)? {
                self.standing = Standing::Over;
            }
        }
        self.note_dead_letters();
        match self.standing {
            Standing::Over => self.take_last_checkpoint(source),
            _ => Ok(()),
        }
    }

    /// Emits, saves and checkpoints once more, because the source is about to shut down or to give
    /// the shard away.
    ///
    /// # Errors
    /// Those of [`process`](StatefulProcessor::process).
    pub fn shut_down(&mut self, source: &mut dyn Checkpoint) -> Result<(), Error> {
        if self.standing == Standing::Owned && self.commit(source.clock())? {
            self.take_checkpoint(source)?;
        }
        Ok(())
    }

    fn note(&mut self, note: &str) {
        let shard = self.shard.as_ref().map_or("", ShardId::as_str);
        (self.options.on_note)(&format!("{shard}: {note}"));
    }

    /// Returns true if this process owns the shard. Takes it over first if it was only opened.
    fn owns(&mut self, clock: &mut dyn Clock) -> Result<bool, Error> {
        match self.standing {
            Standing::Owned => Ok(true),
            Standing::Over | Standing::Released => Ok(false),
            Standing::Waiting => {
                self.take_over(clock)?;
                Ok(self.standing == Standing::Owned)
            }
            Standing::Stale(since) => {
                let waited = clock.now().as_millis().saturating_sub(since.as_millis());
                match self.failure.take() {
                    Some(failure) if waited >= millis(self.options.stale_after) => Err(failure),
                    failure => {
                        self.failure = failure;
                        Ok(false)
                    }
                }
            }
        }
    }

    fn take_over(&mut self, clock: &mut dyn Clock) -> Result<(), Error> {
        let Some(states) = &mut self.states else {
            return Err(Error::invalid("records came before initialize"));
        };
        loop {
            match states.take_over(clock)? {
                Takeover::Ended => {
                    self.standing = Standing::Over;
                    return Ok(());
                }
                Takeover::Running(state) => {
                    self.work.restore(Some(&state))?;
                    break;
                }
                Takeover::New(handed_over) => {
                    self.work.restore(None)?;
                    handed_over.iter().try_for_each(|state| self.work.adopt(state))?;
                    if let Some(before) = &self.begins_after {
                        self.work.skip_to(before)?;
                    }
                    let state = self.work.state()?;
                    match states.save(state, clock) {
                        Ok(()) => break,
                        // Another process took the shard over at the same time: take it over from
                        // that one.
                        Err(error) if error.kind() == ErrorKind::Conflict => {}
                        Err(error) => return Err(error),
                    }
                }
            }
        }
        states.release_parents(clock);
        self.standing = Standing::Owned;
        self.saved_at = clock.now();
        self.check_gap()
    }

    /// Reports records before the checkpoint that are not in the state: they are lost, because the
    /// source continues after its checkpoint.
    fn check_gap(&mut self) -> Result<(), Error> {
        let (Some(shard), Some(checkpoint)) = (&self.shard, &self.checkpoint) else {
            return Ok(());
        };
        let applied = self.work.applied();
        if applied.is_some_and(|applied| applied >= checkpoint) {
            return Ok(());
        }
        let reached = applied.map_or_else(
            || String::from("nothing"),
            |applied| format!("records up to {}", place(applied)),
        );
        let message = format!(
            "the checkpoint is at {}, and the state in the store has {reached}: records in between \
             are in no answer. Is the store another, or was it lost?",
            place(checkpoint)
        );
        match self.options.require_state {
            true => Err(Error::new(ErrorKind::Mismatch, message).at(shard)),
            false => {
                self.note(&message);
                Ok(())
            }
        }
    }

    fn apply(&mut self, batch: &Batch, now: Timestamp) -> Result<(), Error> {
        let mut letters = Vec::new();
        let applied = self.work.apply(batch, now, &mut |letter| letters.push(letter));
        for letter in letters {
            self.dead_letters += 1;
            match &mut self.options.on_dead_letter {
                Some(tell) => tell(&letter),
                None if self.dead_letters < DEAD_LETTERS_NOTED => {
                    self.note(&format!("dead letter: {letter}"))
                }
                None if self.dead_letters == DEAD_LETTERS_NOTED => self
                    .note(&format!("dead letter: {letter}; further ones are counted and not told")),
                None => {}
            }
        }
        applied?;
        if let Some(last) = batch.last() {
            self.delivered = self.delivered.take().max(Some(last));
        }
        self.unsaved += batch.deliveries();
        Ok(())
    }

    /// Writes a note on the number of late records, if there are new ones.
    fn note_late(&mut self) {
        let (late, handed_out) = self.work.late();
        let hint = if handed_out { "" } else { ", and --late FILE writes them to a file" };
        match self.late_noted {
            noted if noted == late => {}
            0 => self.note(&format!(
                "{}: max_delay says how long such records are waited for{hint}",
                came_late(late)
            )),
            noted => self
                .note(&format!("{} more came late, {late} since this process began", late - noted)),
        }
        self.late_noted = late;
    }

    /// Emits answers. Returns true if this process still owns the shard.
    fn emit(&mut self, clock: &mut dyn Clock) -> Result<bool, Error> {
        if self.work.is_ahead() && !self.save(clock)? {
            return Ok(false);
        }
        self.work.emit()?;
        Ok(true)
    }

    /// Emits answers, then saves. Returns true if this process still owns the shard.
    fn commit(&mut self, clock: &mut dyn Clock) -> Result<bool, Error> {
        Ok(self.emit(clock)? && self.save(clock)?)
    }

    fn save(&mut self, clock: &mut dyn Clock) -> Result<bool, Error> {
        let state = self.work.state()?;
        let Some(states) = &mut self.states else { return Ok(false) };
        let saved = states.save(state, clock);
        (self.unsaved, self.saved_at) = (0, clock.now());
        self.saved(saved)
    }

    fn saved(&mut self, saved: Result<(), Error>) -> Result<bool, Error> {
        match saved {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::Conflict => {
                self.note(&format!("{error}; nothing more is emitted, saved or checkpointed here"));
                self.standing = Standing::Stale(self.saved_at);
                self.failure = Some(error);
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    fn take_checkpoint(&mut self, source: &mut dyn Checkpoint) -> Result<(), Error> {
        self.note_late();
        if self.checkpoints_end || self.delivered.is_none() {
            return Ok(());
        }
        self.note_dead_letters();
        match source.checkpoint(self.delivered.as_ref())? {
            CheckpointOutcome::Refused(refusal) => {
                self.checkpoints_end = refusal.is_final;
                if self.refusal.as_ref() != Some(&refusal) {
                    self.note(&sentence(&refusal));
                }
                self.refusal = Some(refusal);
            }
            CheckpointOutcome::Accepted | CheckpointOutcome::SourceEnded => self.refusal = None,
        }
        Ok(())
    }

    /// Writes a note on the number of dead letters, if there are new ones.
    fn note_dead_letters(&mut self) {
        if self.dead_letters > self.dead_letters_noted {
            self.dead_letters_noted = self.dead_letters;
            let plural = if self.dead_letters == 1 { "" } else { "s" };
            self.note(&format!("{} dead letter{plural} so far", self.dead_letters));
        }
    }

    fn take_last_checkpoint(&mut self, source: &mut dyn Checkpoint) -> Result<(), Error> {
        self.note_late();
        match source.checkpoint(None)? {
            CheckpointOutcome::Refused(refusal) if refusal.is_final => {
                self.note(&sentence(&refusal));
                Ok(())
            }
            CheckpointOutcome::Refused(CheckpointRefusal { source, reason, .. }) => {
                let message = format!(
                    "{source} did not take the checkpoint at the end of the shard: {reason}; \
                     without it the shards that follow never start"
                );
                Err(Error::new(ErrorKind::Io, message))
            }
            CheckpointOutcome::Accepted | CheckpointOutcome::SourceEnded => Ok(()),
        }
    }
}

impl<W: fmt::Debug, S> fmt::Debug for StatefulProcessor<W, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StatefulProcessor")
            .field("work", &self.work)
            .field("standing", &self.standing)
            .finish_non_exhaustive()
    }
}

/// Returns a refusal in words.
fn sentence(refusal: &CheckpointRefusal) -> String {
    let CheckpointRefusal { source, reason, meaning, .. } = refusal;
    format!("{source} did not take a checkpoint: {reason} ({meaning})")
}

/// Returns a position in words.
fn place(sequence: &Sequence) -> String {
    match sequence.sub {
        0 => format!("sequence number {}", sequence.number),
        sub => format!("sequence number {}, sub-sequence number {sub}", sequence.number),
    }
}

fn millis(length: Duration) -> i64 {
    i64::try_from(length.as_millis()).unwrap_or(i64::MAX)
}

/// A clock that stands still, for calls that never wait.
struct Standstill(Timestamp);

impl Clock for Standstill {
    fn now(&mut self) -> Timestamp {
        self.0
    }

    fn sleep(&mut self, _: Duration) {}
}

#[cfg(test)]
mod tests {
    use super::super::PipelineWork;
    use super::*;
    use crate::adapter::{Decoding, each};
    use crate::aggregate::count;
    use crate::engine::Emission;
    use crate::pipeline::Pipeline;
    use crate::record::{Position, Record};
    use crate::store::MemoryStore;
    use crate::time::seconds;
    use crate::window::Tumbling;
    use std::cell::RefCell;
    use std::rc::Rc;

    /// A source that is not the KCL: it refuses all checkpoints except the first ones.
    struct Broker {
        clock: Standstill,
        accepts: usize,
        is_final: bool,
        asked: Vec<Option<u64>>,
    }

    impl Broker {
        fn new(accepts: usize, is_final: bool) -> Self {
            let clock = Standstill(Timestamp::from_millis(1_000_000));
            Broker { clock, accepts, is_final, asked: Vec::new() }
        }
    }

    impl Checkpoint for Broker {
        fn clock(&mut self) -> &mut dyn Clock {
            &mut self.clock
        }

        fn checkpoint(&mut self, upto: Option<&Sequence>) -> Result<CheckpointOutcome, Error> {
            self.asked.push(upto.map(|upto| upto.number.as_str().parse().unwrap()));
            Ok(match self.asked.len() <= self.accepts {
                true => CheckpointOutcome::Accepted,
                false => CheckpointOutcome::Refused(CheckpointRefusal {
                    source: String::from("the broker"),
                    reason: String::from("ILLEGAL_GENERATION"),
                    meaning: String::from("the group has a new member"),
                    is_final: self.is_final,
                }),
            })
        }
    }

    fn batch(shard: &str, places: &[(u64, i64)]) -> Batch {
        let record = |(number, second): &(u64, i64)| Record {
            partition_key: "key".into(),
            data: "hit".into(),
            arrival: Timestamp::from_millis(second * 1000),
            position: Position {
                shard: ShardId::new(shard),
                sequence: Sequence { number: (*number).into(), sub: 0 },
            },
            headers: Default::default(),
        };
        Batch { records: places.iter().map(record).collect(), ..Batch::default() }
    }

    type Told<T> = Rc<RefCell<Vec<T>>>;

    fn options(notes: &Told<String>) -> ProcessorOptions {
        let notes = notes.clone();
        ProcessorOptions {
            every_records: 1,
            on_note: Box::new(move |note| notes.borrow_mut().push(note.to_owned())),
            ..ProcessorOptions::default()
        }
    }

    fn pipeline() -> Pipeline<Record, impl crate::Aggregate<Record, Output = u64> + use<>> {
        Pipeline::builder()
            .event_time(|record: &Record| record.arrival)
            .window(Tumbling::new(seconds(10)).unwrap())
            .aggregate(count())
            .build()
            .unwrap()
    }

    /// Returns a processor that counts records by windows of 10 s.
    fn counter<S: Store>(
        (store, shard): (S, &str),
        counts: &Told<(i64, u64)>,
        notes: &Told<String>,
    ) -> StatefulProcessor<impl ShardWork + use<S>, S> {
        let decoding = Decoding::new(pipeline(), |record: &Record| Ok::<_, Error>(record.clone()));
        let counts = counts.clone();
        let work = PipelineWork::new(decoding, move |_, _| {
            let counts = counts.clone();
            Ok(Box::new(each(move |emission: Emission<u64>| {
                let start = emission.window.unwrap().start().as_millis() / 1000;
                counts.borrow_mut().push((start, emission.value));
                Ok(())
            })))
        });
        let mut processor = StatefulProcessor::new(work.unwrap(), store, options(notes));
        processor.open(&ShardId::new(shard), None, Timestamp::from_millis(0)).unwrap();
        processor
    }

    /// The clock of the next owner may complete the window with fewer records, at the same
    /// revision.
    #[test]
    fn s327_beside_a_clock_a_process_that_was_replaced_emits_nothing() {
        let (store, notes) = (std::sync::Arc::new(MemoryStore::new()), Told::default());
        let counts: Told<u64> = Told::default();
        let open = || {
            let decoding =
                Decoding::new(pipeline(), |record: &Record| Ok::<_, Error>(record.clone()));
            let counts = counts.clone();
            let work = PipelineWork::new(decoding, move |_, _| {
                let counts = counts.clone();
                Ok(Box::new(each(move |emission: Emission<u64>| {
                    counts.borrow_mut().push(emission.value);
                    Ok(())
                })))
            });
            let work = work.unwrap().idle_after(seconds(60));
            let mut processor = StatefulProcessor::new(work, store.clone(), options(&notes));
            processor.open(&ShardId::new("s"), None, Timestamp::from_millis(0)).unwrap();
            processor.process(&Batch::default(), &mut Broker::new(9, false)).unwrap();
            processor
        };
        let (mut earlier, mut later) = (open(), open());
        let completing = batch("s", &[(1, 0), (2, 1), (3, 20)]);
        earlier.process(&completing, &mut Broker::new(9, false)).unwrap();
        assert!(counts.borrow().is_empty(), "{counts:?}");
        later.process(&completing, &mut Broker::new(9, false)).unwrap();
        assert_eq!(*counts.borrow(), [2]);
    }

    #[test]
    fn a_refusal_is_noted_once_in_the_words_of_the_source() {
        for (is_final, asked) in [(false, 3), (true, 2)] {
            let (counts, notes) = (Told::default(), Told::default());
            let mut broker = Broker::new(1, is_final);
            let mut processor = counter((MemoryStore::new(), "s"), &counts, &notes);
            for number in 1..=3 {
                processor.process(&batch("s", &[(number, 5)]), &mut broker).unwrap();
            }
            let expected = [Some(1), Some(2), Some(3)];
            assert_eq!(broker.asked, expected[..asked], "a final refusal is the last");
            let note = "s: the broker did not take a checkpoint: ILLEGAL_GENERATION (the group has \
                        a new member)";
            assert_eq!(notes.take(), [note]);
        }
    }

    #[test]
    fn a_shard_does_not_end_if_its_last_checkpoint_is_refused_temporarily() {
        let (counts, notes) = (Told::default(), Told::default());
        let mut broker = Broker::new(1, false);
        let mut processor = counter((MemoryStore::new(), "s"), &counts, &notes);
        processor.process(&batch("s", &[(1, 5)]), &mut broker).unwrap();
        let error = processor.end(&mut broker).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Io);
        let text = error.to_string();
        assert!(text.starts_with("the broker did not take the checkpoint at the end"), "{text}");
        assert_eq!(broker.asked, [Some(1), None]);
    }

    #[test]
    fn open_windows_are_adopted_by_one_shard_and_a_stale_owner_stops() {
        let (counts, notes) = (Told::default(), Told::default());
        let store = std::sync::Arc::new(MemoryStore::new());
        let mut broker = Broker::new(usize::MAX, false);
        let mut parent = counter((store.clone(), "parent"), &counts, &notes);
        parent.process(&batch("parent", &[(1, 5), (2, 15)]), &mut broker).unwrap();
        parent.end(&mut broker).unwrap();
        assert_eq!(counts.take(), [(0, 1)], "the second window is open");

        let mut old = counter((store.clone(), "child"), &counts, &notes);
        old.process(&batch("child", &[(3, 16)]), &mut broker).unwrap();
        let mut new = counter((store.clone(), "child"), &counts, &notes);
        new.process(&batch("child", &[(3, 16), (4, 25)]), &mut broker).unwrap();
        assert_eq!(counts.take(), [(10, 2)], "one record of each shard, none twice");
        old.process(&batch("child", &[(4, 25)]), &mut broker).unwrap();
        assert_eq!(old.failure().map(Error::kind), Some(ErrorKind::Conflict));
        assert_eq!(broker.asked, [Some(2), None, Some(3), Some(4)], "the old one asks no more");

        let mut other = counter((store, "other"), &counts, &notes);
        counts.take();
        other.process(&batch("other", &[(1, 15), (2, 25)]), &mut broker).unwrap();
        assert_eq!(counts.take(), [(10, 1)], "nothing is left to adopt");
    }
}
