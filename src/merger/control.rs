//! Control of a merger, independent of the type of its answers.

use super::Added;
use crate::error::Error;
use crate::snapshot::Partial;
use crate::time::Timestamp;
use bytes::Bytes;

/// Control of a merger: its partials, its clock, its end, its state. No method names the type of
/// the answers, so the trait is object-safe.
///
/// [`Merger`](super::Merger) implements every method. A type that wraps a merger implements only
/// [`control`](MergerControl::control) and [`control_mut`](MergerControl::control_mut).
pub trait MergerControl {
    /// Returns the merger that implements every method of this trait.
    fn control(&self) -> &dyn MergerControl;

    /// Returns the merger that implements every method of this trait, mutably.
    fn control_mut(&mut self) -> &mut dyn MergerControl;

    /// Adds a partial that arrived at `now`.
    ///
    /// A source that was restarted may send two different partials with the same window and
    /// revision. The merger keeps the one with the greater bytes, so the order of arrival does not
    /// matter.
    ///
    /// # Errors
    /// [`ErrorKind::Mismatch`](crate::ErrorKind::Mismatch) if the partial belongs to another
    /// pipeline or seed, [`ErrorKind::Corrupt`](crate::ErrorKind::Corrupt) if its accumulator
    /// cannot be decoded, [`ErrorKind::LimitExceeded`](crate::ErrorKind::LimitExceeded) past a
    /// limit of the options. The merger is then unchanged.
    ///
    /// # Example
    /// ```
    /// use streamgauge::merger::{Merger, MergerControl, MergerOptions};
    /// use streamgauge::prelude::*;
    /// # let mut options = MergerOptions::default();
    /// # options.sources = Some(1);
    /// # let lines = Pipeline::builder::<str>().aggregate(count()).build()?;
    /// let mut merger = Merger::new(lines.into_engine(), options)?; // of a pipeline that counts
    /// let mut users = Pipeline::builder().aggregate(distinct(|user: &str| user)).build()?;
    /// users.push("ann")?;
    /// users.finish();
    /// let partial = users.next_partial("shard-0")?.expect("the input has ended");
    /// let refused = merger.add(&partial, Timestamp::from_millis(0)).unwrap_err();
    /// assert_eq!(refused.kind(), ErrorKind::Mismatch);
    /// # Ok::<(), Error>(())
    /// ```
    fn add(&mut self, partial: &Partial, now: Timestamp) -> Result<Added, Error> {
        self.control_mut().add(partial, now)
    }

    /// Advances the caller's clock to `now`. Drops windows that were answered longer ago than the
    /// retention. Remembers the last `windows_max` dropped windows individually, and all windows
    /// before them as one range.
    ///
    /// # Example
    /// ```
    /// use streamgauge::merger::{Added, Merger, MergerControl, MergerOptions};
    /// use streamgauge::prelude::*;
    /// # let mut lines = Pipeline::builder().aggregate(count()).build()?;
    /// # lines.push("a line")?;
    /// # lines.finish();
    /// # let partial = lines.next_partial("shard-0")?.expect("the input has ended");
    /// let mut options = MergerOptions::default();
    /// options.sources = Some(1);
    /// options.retention = minutes(1);
    /// # let mut merger = Merger::new(lines.into_engine(), options)?;
    /// merger.add(&partial, Timestamp::from_millis(0))?;
    /// assert!(merger.next_merged()?.is_some());
    /// merger.advance(Timestamp::from_millis(60_001)); // past the retention: the window is dropped
    /// assert_eq!(merger.kept(), (0, 0));
    /// assert_eq!(merger.add(&partial, Timestamp::from_millis(60_002))?, Added::Late);
    /// # Ok::<(), Error>(())
    /// ```
    fn advance(&mut self, now: Timestamp) {
        self.control_mut().advance(now);
    }

    /// Declares that no more partials will come: every window becomes due.
    ///
    /// # Example
    /// ```
    /// use streamgauge::merger::{Merger, MergerControl, MergerOptions};
    /// use streamgauge::prelude::*;
    /// # let mut lines = Pipeline::builder().aggregate(count()).build()?;
    /// # lines.push("a line")?;
    /// # lines.finish();
    /// # let partial = lines.next_partial("shard-0")?.expect("the input has ended");
    /// let mut options = MergerOptions::default();
    /// options.sources = Some(2);
    /// # let mut merger = Merger::new(lines.into_engine(), options)?;
    /// merger.add(&partial, Timestamp::from_millis(0))?; // from one of two sources
    /// merger.finish();
    /// let merged = merger.next_merged()?.expect("nothing more is expected");
    /// assert_eq!((merged.sources, merged.complete), (1, false));
    /// # Ok::<(), Error>(())
    /// ```
    fn finish(&mut self) {
        self.control_mut().finish();
    }

    /// Returns true if there is an answer to fetch.
    ///
    /// # Example
    /// ```
    /// use streamgauge::merger::{Merger, MergerControl, MergerOptions};
    /// use streamgauge::prelude::*;
    /// # let mut lines = Pipeline::builder().aggregate(count()).build()?;
    /// # lines.push("a line")?;
    /// # lines.finish();
    /// # let partial = lines.next_partial("shard-0")?.expect("the input has ended");
    /// let mut options = MergerOptions::default();
    /// options.deadline = Some(seconds(30));
    /// # let mut merger = Merger::new(lines.into_engine(), options)?;
    /// merger.add(&partial, Timestamp::from_millis(0))?;
    /// assert!(!merger.is_due());
    /// merger.advance(Timestamp::from_millis(30_000));
    /// assert!(merger.is_due());
    /// # Ok::<(), Error>(())
    /// ```
    fn is_due(&self) -> bool {
        self.control().is_due()
    }

    /// Returns the number of partials that came after their window was dropped.
    fn late(&self) -> u64 {
        self.control().late()
    }

    /// Returns the number of windows in memory, and the bytes of their partials.
    fn kept(&self) -> (usize, usize) {
        self.control().kept()
    }

    /// Returns the whole state as bytes, for [`restore`](MergerControl::restore). Rows of a window
    /// that is only partly fetched are not included.
    ///
    /// # Example
    /// ```
    /// use streamgauge::merger::{Merger, MergerControl, MergerOptions};
    /// use streamgauge::prelude::*;
    /// # let pipeline = || Pipeline::builder().aggregate(count()).build();
    /// # let mut lines = pipeline()?;
    /// # lines.push("a line")?;
    /// # lines.finish();
    /// # let partial = lines.next_partial("shard-0")?.expect("the input has ended");
    /// # let mut options = MergerOptions::default();
    /// # options.sources = Some(1);
    /// # let merger = || Merger::new(pipeline()?.into_engine(), options.clone());
    /// let (mut before, mut after) = (merger()?, merger()?);
    /// before.add(&partial, Timestamp::from_millis(0))?;
    /// after.restore(before.snapshot())?; // in the next process
    /// assert_eq!(after.next_merged()?.map(|merged| merged.value), Some(1));
    /// # Ok::<(), Error>(())
    /// ```
    fn snapshot(&self) -> Bytes {
        self.control().snapshot()
    }

    /// Replaces the state by a snapshot.
    ///
    /// # Errors
    /// As [`Partial::from_bytes`] and [`add`](MergerControl::add). The merger is then unchanged.
    ///
    /// # Example
    /// ```
    /// use streamgauge::merger::{Merger, MergerControl, MergerOptions};
    /// use streamgauge::prelude::*;
    /// # let mut options = MergerOptions::default();
    /// # options.sources = Some(1);
    /// # let lines = Pipeline::builder::<str>().aggregate(count()).build()?;
    /// let snapshot = lines.snapshot()?.into_bytes(); // of the pipeline, not of its merger
    /// let mut merger = Merger::new(lines.into_engine(), options)?;
    /// assert_eq!(merger.restore(snapshot).unwrap_err().kind(), ErrorKind::Mismatch);
    /// # Ok::<(), Error>(())
    /// ```
    fn restore(&mut self, bytes: Bytes) -> Result<(), Error> {
        self.control_mut().restore(bytes)
    }

    /// Adds the windows of another merger of the same pipeline, given its
    /// [`snapshot`](MergerControl::snapshot).
    ///
    /// Of each source it keeps the partial that [supersedes](Partial::supersedes) the other. A
    /// window that either side has answered counts as answered. It is answered again, with the next
    /// revision, when a partial of it comes, or if the answer with the highest revision lacks a
    /// partial of the other side. A window that the other merger has dropped counts as dropped. The
    /// clock is the later of both clocks.
    ///
    /// # Errors
    /// As [`restore`](MergerControl::restore), and
    /// [`ErrorKind::LimitExceeded`](crate::ErrorKind::LimitExceeded) past a limit of the options.
    /// This merger is then unchanged.
    ///
    /// # Example
    /// ```
    /// use streamgauge::merger::{Merger, MergerControl, MergerOptions};
    /// use streamgauge::prelude::*;
    /// # let pipeline = || Pipeline::builder().aggregate(count()).build();
    /// # let partial = |name: &str| {
    /// #     let mut lines = pipeline()?;
    /// #     lines.push("a line")?;
    /// #     lines.finish();
    /// #     Ok::<_, Error>(lines.next_partial(name)?.expect("the input has ended"))
    /// # };
    /// # let mut options = MergerOptions::default();
    /// # options.sources = Some(2);
    /// # let merger = || Merger::new(pipeline()?.into_engine(), options.clone());
    /// let (mut one, mut other) = (merger()?, merger()?);
    /// one.add(&partial("shard-0")?, Timestamp::from_millis(0))?;
    /// other.add(&partial("shard-1")?, Timestamp::from_millis(0))?;
    /// one.absorb(other.snapshot())?;
    /// assert_eq!(one.next_merged()?.map(|merged| merged.value), Some(2));
    /// # Ok::<(), Error>(())
    /// ```
    fn absorb(&mut self, bytes: Bytes) -> Result<(), Error> {
        self.control_mut().absorb(bytes)
    }
}
