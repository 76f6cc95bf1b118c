//! The event time of records, by a closure whose type the pipeline does not name.

use crate::time::Timestamp;

/// When records happened.
pub(super) trait EventTime<R: ?Sized>: Send + Sync {
    /// The time of a record.
    fn of(&self, record: &R) -> Timestamp;

    /// The times of records, added to a list: one indirect call for all of them.
    fn of_all(&self, records: &[R], times: &mut Vec<Timestamp>)
    where
        R: Sized;
}

/// The event time that a closure says.
pub(super) struct ByClosure<F>(pub(super) F);

impl<R: ?Sized, F: Fn(&R) -> Timestamp + Send + Sync> EventTime<R> for ByClosure<F> {
    fn of(&self, record: &R) -> Timestamp {
        (self.0)(record)
    }

    fn of_all(&self, records: &[R], times: &mut Vec<Timestamp>)
    where
        R: Sized,
    {
        times.extend(records.iter().map(&self.0));
    }
}
