//! Aggregates that fall into parts, one per group.

/// What windows of a number of rows of each group ([`Rows`](crate::window::Rows)) need of an
/// aggregate that has groups. `T` is the accumulator.
///
/// Such windows have accumulators of one group each. Methods that take an accumulator are called
/// with one that holds at least one record.
///
/// # Example
/// ```
/// use streamgauge::prelude::*;
/// let by_country = group_by(|country: &str| country, count());
/// let groups = by_country.per_group().expect("it has groups");
/// let mut accumulator = by_country.init();
/// by_country.add(&mut accumulator, "DE", Timestamp::from_millis(0));
/// assert!(groups.is_of_group(&accumulator, "DE") && !groups.is_of_group(&accumulator, "FR"));
/// // All records together are one group otherwise.
/// assert!(Aggregate::<str>::per_group(&count()).is_none());
/// ```
pub trait PerGroup<R: ?Sized, T> {
    /// Returns a hash of the group of a record. It holds in this process only.
    fn group_hash(&self, record: &R) -> u64;

    /// Returns true if the accumulator is that of the record's group.
    fn is_of_group(&self, accumulator: &T, record: &R) -> bool;

    /// Returns the hash of the group of an accumulator.
    fn group_hash_of(&self, accumulator: &T) -> u64;
}
