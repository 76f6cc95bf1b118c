//! The encoding of accumulators.

use super::{Aggregate, Reductions};
use crate::codec::{Reader, Writer};
use crate::error::{Error, ErrorKind};

/// An aggregate of records `R` whose accumulators `T` have an encoding, for snapshots and for
/// partials that another process merges.
///
/// All aggregates of this crate have one. For an aggregate of your own, implement this trait, and
/// [`Aggregate::persistence`] as `Ok(self)`.
///
/// # Laws
/// - `decode(encode(a))` has the output of `a`, now and after any further `add` and `merge`.
/// - Equal histories give equal bytes.
/// - `decode` of any other bytes returns an accumulator or an error. It never panics, and never
///   allocates by a length that it has not checked ([`Reader::count`], [`Reader::bytes`]).
///
/// # Example
/// ```
/// use streamgauge::aggregate::Persistence;
/// use streamgauge::codec::{Reader, Writer};
/// use streamgauge::prelude::*;
///
/// /// The longest text.
/// struct Longest;
///
/// impl Aggregate<str> for Longest {
///     type Accumulator = String;
///     type Output = String;
///     fn init(&self) -> String {
///         String::new()
///     }
///     fn add(&self, longest: &mut String, text: &str, _time: Timestamp) {
///         if text.len() > longest.len() {
///             *longest = text.to_owned();
///         }
///     }
///     fn merge(&self, into: &mut String, from: &String) -> Result<(), Error> {
///         self.add(into, from, Timestamp::from_millis(0));
///         Ok(())
///     }
///     fn output(&self, longest: &String) -> String {
///         longest.clone()
///     }
///     fn persistence(&self) -> Result<&dyn Persistence<str, String>, Error> {
///         Ok(self)
///     }
/// }
///
/// impl Persistence<str, String> for Longest {
///     fn describe(&self) -> String {
///         String::from("longest text")
///     }
///     fn encode(&self, longest: &String, writer: &mut Writer) -> Result<(), Error> {
///         writer.bytes(longest.as_bytes());
///         Ok(())
///     }
///     fn decode(&self, reader: &mut Reader<'_>) -> Result<String, Error> {
///         reader.text().map(String::from)
///     }
/// }
///
/// let mut pipeline = Pipeline::builder().aggregate(Longest).build()?;
/// pipeline.push("a text")?;
/// let snapshot = pipeline.snapshot()?;
/// # Ok::<(), Error>(())
/// ```
// No subtrait of `Aggregate`: its objects would have `try_add` and all the rest in their table of
// methods, which then are not inlined in the loop over records (3 % of all instructions of a count
// and two sums by group).
pub trait Persistence<R: ?Sized, T> {
    /// Returns what the aggregate computes and with which parameters, as in `top_k(10, 65536
    /// counters)`. State with another description is refused. A closure cannot be described; if
    /// that matters, name a version of the pipeline.
    fn describe(&self) -> String;

    /// Returns the [fingerprints](crate::Seed::fingerprint) of all seeds as one number. State with
    /// other seeds is refused. Default: 0, no seeds.
    fn seed_fingerprint(&self) -> u64 {
        0
    }

    /// Writes the accumulator. [`decode`](Persistence::decode) reads it.
    ///
    /// # Errors
    /// As [`Aggregate::persistence`] of an aggregate inside this one.
    fn encode(&self, accumulator: &T, writer: &mut Writer) -> Result<(), Error>;

    /// Reads an accumulator of this specification from untrusted bytes.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] if the bytes hold no accumulator, [`ErrorKind::LimitExceeded`] if it
    /// is larger than the specification allows.
    fn decode(&self, reader: &mut Reader<'_>) -> Result<T, Error>;

    /// Makes the accumulator smaller if its error is below `tolerance`, until its error is about
    /// `tolerance`: a share of the total for counts, of the value for other aggregates.
    /// [Notes](Reductions::note) each change. The bounds still hold, in later answers too. A larger
    /// tolerance never gives a larger encoding. Default: does nothing.
    ///
    /// See [`Control::snapshot_within`](crate::engine::Control::snapshot_within).
    fn reduce(&self, accumulator: &mut T, tolerance: f64, reductions: &mut Reductions) {
        let _ = (accumulator, tolerance, reductions);
    }
}

/// Writes `encode` and `decode` of a [`Persistence`] whose accumulator is
/// [`Durable`](crate::Durable).
macro_rules! durable_accumulator {
    ($accumulator:ty) => {
        fn encode(
            &self,
            accumulator: &$accumulator,
            writer: &mut crate::codec::Writer,
        ) -> Result<(), crate::error::Error> {
            crate::durable::Durable::write(accumulator, writer);
            Ok(())
        }

        fn decode(
            &self,
            reader: &mut crate::codec::Reader<'_>,
        ) -> Result<$accumulator, crate::error::Error> {
            crate::durable::Durable::read(reader)
        }
    };
}
pub(super) use durable_accumulator;

/// Returns the description of an aggregate. Without an encoding it is a fixed text.
pub(crate) fn description<R: ?Sized, A: Aggregate<R>>(aggregate: &A) -> String {
    let persistence = aggregate.persistence();
    persistence.map_or_else(|_| String::from("custom"), |persistence| persistence.describe())
}

/// Returns the seeds of an aggregate as one number; 0 without an encoding.
pub(crate) fn seed_fingerprint<R: ?Sized, A: Aggregate<R>>(aggregate: &A) -> u64 {
    aggregate.persistence().map_or(0, |persistence| persistence.seed_fingerprint())
}

/// Returns the error for an aggregate without an encoding, with the name of its type.
#[cold]
pub(super) fn no_persistence<A: ?Sized>() -> Error {
    let name = std::any::type_name::<A>();
    Error::new(
        ErrorKind::Unsupported,
        format!(
            "the aggregate {name} cannot be written down, as a snapshot, a partial or a store \
             needs: it does not implement Persistence"
        ),
    )
}
