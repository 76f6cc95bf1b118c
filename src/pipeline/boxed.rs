//! A pipeline without its aggregate in its type.

use super::Pipeline;
use crate::aggregate::Aggregate;
use crate::engine::{Emission, Outcome, Shard, Stats};
use crate::error::Error;
use crate::record::{Sequence, ShardId};
use crate::snapshot::{Partial, Reductions, Snapshot};
use crate::time::Timestamp;

/// What every pipeline over records `R` with answers `V` can do: [`Pipeline`] as an object-safe
/// trait. Each method is that of the same name.
#[expect(missing_docs, reason = "each method is Pipeline's of the same name, documented there")]
pub trait AnyPipeline<R: ?Sized, V> {
    fn push(&mut self, record: &R) -> Result<Outcome, Error>;
    fn push_to(
        &mut self,
        shard: Shard,
        sequence: Option<&Sequence>,
        record: &R,
    ) -> Result<Outcome, Error>;
    fn open_shard(&mut self, id: ShardId) -> Result<Shard, Error>;
    fn open_child_shard(&mut self, id: ShardId, parents: &[Shard]) -> Result<Shard, Error>;
    fn applied(&self, shard: Shard) -> Option<&Sequence>;
    fn close_shard(&mut self, shard: Shard);
    fn advance(&mut self, now: Timestamp);
    fn finish(&mut self);
    fn next_emission(&mut self) -> Result<Option<Emission<V>>, Error>;
    fn next_partial(&mut self, source: &str) -> Result<Option<Partial>, Error>;
    fn snapshot(&self) -> Result<Snapshot, Error>;
    fn snapshot_within(&self, bytes_max: usize) -> Result<(Snapshot, Reductions), Error>;
    fn restore(&mut self, snapshot: &Snapshot) -> Result<(), Error>;
    fn stats(&self) -> Stats;
}

/// A pipeline that can be stored and returned by naming only its records and answers.
///
/// # Example
/// ```
/// use streamgauge::prelude::*;
///
/// struct Counter { pipeline: BoxedPipeline<str, u64> }
///
/// fn counter() -> Result<Counter, Error> {
///     Ok(Counter { pipeline: Pipeline::builder().aggregate(count()).build()?.boxed() })
/// }
///
/// let mut counter = counter()?;
/// counter.pipeline.push("a line")?;
/// counter.pipeline.finish();
/// assert_eq!(counter.pipeline.next_emission()?.map(|emission| emission.value), Some(1));
/// # Ok::<(), Error>(())
/// ```
pub type BoxedPipeline<R, V> = Box<dyn AnyPipeline<R, V> + Send>;

impl<R: ?Sized, A: Aggregate<R>> AnyPipeline<R, A::Output> for Pipeline<R, A> {
    fn push(&mut self, record: &R) -> Result<Outcome, Error> {
        Pipeline::push(self, record)
    }

    fn push_to(
        &mut self,
        shard: Shard,
        sequence: Option<&Sequence>,
        record: &R,
    ) -> Result<Outcome, Error> {
        Pipeline::push_to(self, shard, sequence, record)
    }

    fn open_shard(&mut self, id: ShardId) -> Result<Shard, Error> {
        Pipeline::open_shard(self, id)
    }

    fn open_child_shard(&mut self, id: ShardId, parents: &[Shard]) -> Result<Shard, Error> {
        Pipeline::open_child_shard(self, id, parents)
    }

    fn applied(&self, shard: Shard) -> Option<&Sequence> {
        Pipeline::applied(self, shard)
    }

    fn close_shard(&mut self, shard: Shard) {
        Pipeline::close_shard(self, shard);
    }

    fn advance(&mut self, now: Timestamp) {
        Pipeline::advance(self, now);
    }

    fn finish(&mut self) {
        Pipeline::finish(self);
    }

    fn next_emission(&mut self) -> Result<Option<Emission<A::Output>>, Error> {
        Pipeline::next_emission(self)
    }

    fn next_partial(&mut self, source: &str) -> Result<Option<Partial>, Error> {
        Pipeline::next_partial(self, source)
    }

    fn snapshot(&self) -> Result<Snapshot, Error> {
        Pipeline::snapshot(self)
    }

    fn snapshot_within(&self, bytes_max: usize) -> Result<(Snapshot, Reductions), Error> {
        Pipeline::snapshot_within(self, bytes_max)
    }

    fn restore(&mut self, snapshot: &Snapshot) -> Result<(), Error> {
        Pipeline::restore(self, snapshot)
    }

    fn stats(&self) -> Stats {
        Pipeline::stats(self)
    }
}

impl<R: ?Sized + 'static, A> Pipeline<R, A>
where
    A: Aggregate<R> + Send + 'static,
    A::Output: Send + 'static,
{
    /// The same pipeline behind a pointer, its type without the aggregate. Costs an indirect call
    /// per record.
    pub fn boxed(self) -> BoxedPipeline<R, A::Output> {
        Box::new(self)
    }
}
