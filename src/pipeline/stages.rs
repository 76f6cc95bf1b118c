//! What stands before the engine: filters, identities, event times, and who is told of late
//! records.

use super::event_time::EventTime;
use crate::engine::Outcome;
use crate::time::Timestamp;

type Filter<R> = Box<dyn Fn(&R) -> bool + Send + Sync>;
type Identity<R> = Box<dyn Fn(&R) -> u64 + Send + Sync>;
type LateSink<R> = Box<dyn FnMut(&R, Timestamp) + Send>;

/// Only the one window over everything can do without a time, and any will do.
const NO_TIME: Timestamp = Timestamp::from_millis(0);

/// What stands before the engine.
pub(super) struct Stages<R: ?Sized> {
    pub(super) event_time: Option<Box<dyn EventTime<R>>>,
    pub(super) filters: Vec<Filter<R>>,
    /// The stable hash of what identifies a record.
    pub(super) identity: Option<Identity<R>>,
    pub(super) on_late: Option<LateSink<R>>,
}

impl<R: ?Sized> Default for Stages<R> {
    fn default() -> Self {
        Stages { event_time: None, filters: Vec::new(), identity: None, on_late: None }
    }
}

impl<R: ?Sized> Stages<R> {
    #[inline]
    pub(super) fn keeps(&self, record: &R) -> bool {
        self.filters.iter().all(|keep| keep(record))
    }

    /// How many records from the front pass the filters.
    pub(super) fn kept(&self, records: &[R]) -> usize
    where
        R: Sized,
    {
        match self.filters.is_empty() {
            // As most are; to ask each record nothing would be a fifth of what it costs.
            true => records.len(),
            false => records.iter().take_while(|record| self.keeps(record)).count(),
        }
    }

    #[inline]
    pub(super) fn tell_late(&mut self, outcome: Outcome, record: &R) {
        if let Outcome::Late(time) = outcome
            && let Some(sink) = &mut self.on_late
        {
            sink(record, time);
        }
    }

    #[inline]
    pub(super) fn time_of(&self, record: &R) -> Timestamp {
        match &self.event_time {
            Some(time) => time.of(record),
            None => NO_TIME,
        }
    }

    /// The times of records, into a list.
    pub(super) fn times_of(&self, records: &[R], times: &mut Vec<Timestamp>)
    where
        R: Sized,
    {
        times.clear();
        match &self.event_time {
            Some(time) => time.of_all(records, times),
            None => times.resize(records.len(), NO_TIME),
        }
    }
}
