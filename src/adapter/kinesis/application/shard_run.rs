//! The way of one lease through this worker: wait for the parents, read, end the shard, clean up.

use super::super::cursor::Cursor;
use super::super::pace::{self, Jitter};
use super::super::read_stream::{IteratorPlace, ReadFailure, ReadStream, RecordPage};
use super::checkpoints::LeaseCheckpoints;
use super::held::SharedLease;
use super::lease::{self, Lease, LeaseCheckpoint};
use super::notes::Notes;
use super::settings::Settings;
use super::shards;
use super::table::{Condition, Kind, LeaseTable, TableError, Update, Value};
use super::time::Time;
use super::user_records;
use crate::adapter::worker::{Batch, Clock, ShardWork, StatefulProcessor, StreamStart};
use crate::error::{Error, ErrorKind};
use crate::record::ShardId;
use crate::store::Store;
use crate::time::Timestamp;
use std::time::Duration;

/// The pause between two looks at the parents, or at what keeps a shard from ending.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The pause between two looks at whether the row of an ended shard is needed.
const CLEAN_EVERY: Duration = Duration::from_secs(60);

/// The pause between two calls to a shard at its end.
const QUIET_PAUSE: Duration = Duration::from_secs(1);

/// What a run uses: the stream, the tables, and the clocks.
pub(super) struct Surroundings<'a> {
    pub(super) stream: &'a mut dyn ReadStream,
    pub(super) table: &'a dyn LeaseTable,
    pub(super) time: &'a dyn Time,
    /// The clock of the windows.
    pub(super) clock: &'a mut dyn Clock,
    /// True if the process is about to end.
    pub(super) is_stopping: bool,
}

/// What a step of a run leaves to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Step {
    /// Nothing before this time has passed.
    Wait(Duration),
    /// The lease was lost or given away, or its row was deleted.
    Finished,
}

#[derive(Debug)]
enum Phase {
    /// The shards before it may have records that were not read.
    Waiting,
    Reading(Cursor),
    /// All records were applied.
    AtEnd,
    /// The row says so.
    Ended,
}

/// Makes the processor of a shard.
pub(super) type MakeProcessor<'a, W, S> =
    Box<dyn FnMut() -> Result<StatefulProcessor<W, S>, Error> + 'a>;

/// A lease that this worker has, and the processor of its shard.
pub(super) struct ShardRun<'a, W, S> {
    settings: Settings,
    shard: ShardId,
    row: Lease,
    lease: SharedLease,
    make: MakeProcessor<'a, W, S>,
    processor: Option<StatefulProcessor<W, S>>,
    phase: Phase,
    due: Timestamp,
    jitter: Jitter,
    notes: Notes,
}

impl<'a, W: ShardWork, S: Store> ShardRun<'a, W, S> {
    /// Creates the run of a lease that this worker has got, from its row.
    pub(super) fn new(
        (lease, row): (SharedLease, Lease),
        settings: &Settings,
        make: MakeProcessor<'a, W, S>,
        notes: Notes,
    ) -> Self {
        let phase = if row.is_ended() { Phase::Ended } else { Phase::Waiting };
        ShardRun {
            settings: settings.clone(),
            shard: ShardId::new(row.key.as_str()),
            row,
            lease,
            make,
            processor: None,
            phase,
            due: Timestamp::from_millis(0),
            jitter: Jitter::new(settings.seed),
            notes,
        }
    }

    /// Returns the shard.
    pub(super) fn shard(&self) -> &ShardId {
        &self.shard
    }

    /// Does what is due.
    ///
    /// # Errors
    /// Any error ends the process: those of the processor, and what no repetition helps against.
    pub(super) fn step(&mut self, around: &mut Surroundings<'_>) -> Result<Step, Error> {
        if !self.is_held(around) {
            return Ok(self.lose());
        }
        if around.is_stopping || self.lease.lock().is_asked() {
            return self.leave(around);
        }
        let now = around.clock.now();
        // A clock that was set back must not let it wait for long.
        if self.due > now && pace::between(now, self.due) <= CLEAN_EVERY {
            return Ok(Step::Wait(pace::between(now, self.due)));
        }
        let done = match self.phase {
            Phase::Waiting => self.begin(around),
            Phase::Reading(_) => self.read(around),
            Phase::AtEnd => self.end(around),
            Phase::Ended => self.clean(around),
        };
        match done {
            Ok(step) => Ok(step),
            Err(TableError::Fatal(error)) => Err(error),
            Err(error) => {
                self.notes
                    .failed(&format!("{}: the lease table does not answer", self.shard), &error);
                Ok(self.pause(LOOK_EVERY, around))
            }
        }
    }

    fn is_held(&self, around: &Surroundings<'_>) -> bool {
        self.lease.lock().is_held(around.time.now())
    }

    fn pause(&mut self, length: Duration, around: &mut Surroundings<'_>) -> Step {
        self.due = pace::after(around.clock.now(), length);
        Step::Wait(length)
    }

    /// Stops all output, because another worker may have the lease.
    fn lose(&mut self) -> Step {
        self.lease.lock().lose();
        if let Some(processor) = &mut self.processor {
            processor.release();
        }
        self.notes.say(&format!("{}: the lease is lost", self.shard));
        Step::Finished
    }

    /// Saves and checkpoints what was applied, and gives the lease away.
    fn leave(&mut self, around: &mut Surroundings<'_>) -> Result<Step, Error> {
        if let Some(mut processor) = self.processor.take() {
            processor.shut_down(&mut self.checkpoints(around))?;
            processor.release();
        }
        // Where it fails, the lease is read again when its time is over.
        self.phase = Phase::Ended;
        let next = self.lease.lock().next().map(str::to_owned);
        match self.lease.lock().give_away(around.table) {
            Ok(()) => {}
            Err(TableError::Fatal(error)) => return Err(error),
            Err(error) => {
                self.notes
                    .failed(&format!("{}: the lease cannot be given away", self.shard), &error);
                return Ok(Step::Wait(pace::CALL_PAUSE));
            }
        }
        let to =
            next.map_or_else(|| "given back".to_owned(), |next| format!("handed over to {next}"));
        self.notes.say(&format!("{}: the lease is {to}", self.shard));
        Ok(Step::Finished)
    }

    fn checkpoints<'b>(&self, around: &'b mut Surroundings<'_>) -> LeaseCheckpoints<'b> {
        LeaseCheckpoints {
            lease: self.lease.clone(),
            table: around.table,
            time: around.time,
            clock: &mut *around.clock,
        }
    }

    /// Opens the shard, if all records before it were processed.
    fn begin(&mut self, around: &mut Surroundings<'_>) -> Result<Step, TableError> {
        if !shards::may_begin(&self.row, around.table)? {
            return Ok(self.pause(LOOK_EVERY, around));
        }
        let checkpoint = self.lease.lock().checkpoint().clone();
        let place = self.place(&checkpoint).map_err(TableError::Fatal)?;
        let sequence = match &checkpoint {
            LeaseCheckpoint::After(sequence) => Some(sequence),
            _ => None,
        };
        let now = around.clock.now();
        let mut processor = (self.make)().map_err(TableError::Fatal)?;
        processor.open(&self.shard, sequence, now).map_err(TableError::Fatal)?;
        self.processor = Some(processor);
        self.phase = Phase::Reading(Cursor::new(place, now));
        self.notes.say(&format!("{}: reading from {checkpoint}", self.shard));
        Ok(Step::Wait(Duration::ZERO))
    }

    fn place(&self, checkpoint: &LeaseCheckpoint) -> Result<IteratorPlace, Error> {
        Ok(match checkpoint {
            // An ended shard is not read.
            LeaseCheckpoint::TrimHorizon | LeaseCheckpoint::ShardEnd => IteratorPlace::TrimHorizon,
            LeaseCheckpoint::Latest => IteratorPlace::Latest,
            LeaseCheckpoint::After(sequence) => IteratorPlace::After(sequence.number.clone()),
            LeaseCheckpoint::AtTime => match self.settings.start {
                StreamStart::AtTime(time) => IteratorPlace::AtTime(time),
                _ => {
                    let message = "the lease begins at a time, which each worker has to know: \
                                   start all workers with the same time";
                    return Err(Error::new(ErrorKind::Mismatch, message).at(&self.shard));
                }
            },
        })
    }

    fn read(&mut self, around: &mut Surroundings<'_>) -> Result<Step, TableError> {
        let page = self.next_page(around).map_err(TableError::Fatal)?;
        let Phase::Reading(cursor) = &mut self.phase else { return Ok(Step::Wait(LOOK_EVERY)) };
        self.due = cursor.due;
        let Some(page) = page else { return Ok(Step::Wait(Duration::ZERO)) };
        // Reading may have taken long. Nothing of another worker's lease may be applied.
        if !self.is_held(around) {
            return Ok(self.lose());
        }
        let bytes: usize = page.records.iter().map(|record| record.data.len()).sum();
        self.lease.lock().count(bytes as u64);
        let is_end = page.next.is_none();
        let batch = self.batch(page);
        let mut checkpoints = self.checkpoints(around);
        if let Some(processor) = &mut self.processor {
            processor.process(&batch, &mut checkpoints).map_err(TableError::Fatal)?;
        }
        if self.has_conflict() {
            return self.begin_again(around);
        }
        if is_end {
            self.phase = Phase::AtEnd;
            self.due = Timestamp::from_millis(0);
        }
        Ok(Step::Wait(Duration::ZERO))
    }

    /// Reads a page, and moves the cursor behind it. `None` if no page can be read now.
    fn next_page(&mut self, around: &mut Surroundings<'_>) -> Result<Option<RecordPage>, Error> {
        let Phase::Reading(cursor) = &mut self.phase else { return Ok(None) };
        let now = around.clock.now();
        let iterator = cursor.iterator(&self.shard, around.stream, (now, &mut self.jitter))?;
        let Some(iterator) = iterator else { return Ok(None) };
        let now = around.clock.now();
        match around.stream.records(&[(self.shard.clone(), iterator)]).pop() {
            Some(Ok(page)) => {
                let quiet = (!around.stream.is_pushed()).then_some(QUIET_PAUSE);
                cursor.take(&page, now, quiet);
                Ok(Some(page))
            }
            Some(Err(failure)) => {
                cursor.failed(failure, now, &mut self.jitter)?;
                Ok(None)
            }
            None => Ok(None),
        }
    }

    fn batch(&self, page: RecordPage) -> Batch {
        Batch {
            records: match self.settings.splits_aggregates {
                true => user_records::split(page.records, self.row.range.as_ref()),
                false => page.records,
            },
            rejected: Vec::new(),
            millis_behind_latest: page.millis_behind_latest,
        }
    }

    /// Returns true if another process has taken over the state of the shard.
    fn has_conflict(&self) -> bool {
        self.processor.as_ref().is_some_and(|processor| processor.failure().is_some())
    }

    /// Begins again from the saved state, if the lease is still this worker's: a worker that had it
    /// before was late to notice that it is lost.
    fn begin_again(&mut self, around: &mut Surroundings<'_>) -> Result<Step, TableError> {
        if let Some(mut processor) = self.processor.take() {
            processor.release();
        }
        self.phase = Phase::Waiting;
        match self.lease.lock().confirm(around.table, around.time) {
            Ok(true) => {}
            Ok(false) => {
                self.notes.say(&format!("{}: the lease is lost", self.shard));
                return Ok(Step::Finished);
            }
            Err(error) => return Err(error),
        }
        Ok(self.pause(LOOK_EVERY, around))
    }

    /// Creates the rows of the shards that follow, hands the open windows over, and marks the end.
    fn end(&mut self, around: &mut Surroundings<'_>) -> Result<Step, TableError> {
        let listed = match around.stream.list_shards() {
            Ok(listed) => listed,
            Err(ReadFailure::Fatal(error)) => return Err(TableError::Fatal(error)),
            Err(_) => return Ok(self.pause(LOOK_EVERY, around)),
        };
        let children: Vec<_> =
            listed.into_iter().filter(|shard| shard.parents.contains(&self.shard)).collect();
        let key = self.shard.as_str();
        if children.is_empty() || !shards::create_children(key, &children, around.table)? {
            return Ok(self.pause(LOOK_EVERY, around));
        }
        let names = children.iter().map(|child| child.id.as_str().to_owned()).collect();
        let change =
            Update::default().set(lease::CHILDREN, Value::Texts(names)).only_if(Condition::Exists);
        around.table.update(Kind::Lease, key, &change)?;
        let mut checkpoints = self.checkpoints(around);
        if let Some(processor) = &mut self.processor {
            processor.end(&mut checkpoints).map_err(TableError::Fatal)?;
        }
        if *self.lease.lock().checkpoint() == LeaseCheckpoint::ShardEnd {
            (self.phase, self.processor) = (Phase::Ended, None);
            self.notes.say(&format!("{}: read to its end", self.shard));
            return Ok(self.pause(LOOK_EVERY, around));
        }
        match self.has_conflict() {
            true => self.begin_again(around),
            false => Ok(Step::Wait(Duration::ZERO)),
        }
    }

    /// Deletes the row of the ended shard, once nothing needs it.
    fn clean(&mut self, around: &mut Surroundings<'_>) -> Result<Step, TableError> {
        let row = around.table.get(Kind::Lease, self.shard.as_str())?;
        let row = row.and_then(|item| Lease::from_item(self.shard.as_str(), &item).ok());
        let Some(row) = row else { return Ok(self.lose()) };
        if !shards::is_done_with(&row, around.table)? {
            return Ok(self.pause(CLEAN_EVERY, around));
        }
        self.lease.lock().delete(around.table)?;
        Ok(Step::Finished)
    }
}
