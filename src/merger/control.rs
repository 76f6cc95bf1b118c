//! What can be done with a merger whatever its answers are.

use super::Added;
use crate::error::Error;
use crate::snapshot::Partial;
use crate::time::Timestamp;
use bytes::Bytes;

/// Control of a merger: its partials, its clock, its end, its state. No method names the type of
/// the answers, so the trait is object-safe.
///
/// [`Merger`](super::Merger) implements every method. A merger around another says where that is,
/// by [`control`](MergerControl::control) and [`control_mut`](MergerControl::control_mut).
pub trait MergerControl {
    /// The merger that implements every method of this trait.
    fn control(&self) -> &dyn MergerControl;

    /// The merger that implements every method of this trait.
    fn control_mut(&mut self) -> &mut dyn MergerControl;

    /// Takes a partial that has come at `now`.
    ///
    /// Of two partials of one source, window and revision that differ, which a source may give when
    /// it was started again, the one whose bytes are greater is kept: the order in which they come
    /// does not matter.
    ///
    /// # Errors
    /// [`ErrorKind::Mismatch`](crate::ErrorKind::Mismatch) if it is of another pipeline or seed,
    /// [`ErrorKind::Corrupt`](crate::ErrorKind::Corrupt) if its accumulator is none,
    /// [`ErrorKind::LimitExceeded`](crate::ErrorKind::LimitExceeded) past a limit of the options.
    /// The merger is then as it was.
    fn add(&mut self, partial: &Partial, now: Timestamp) -> Result<Added, Error> {
        self.control_mut().add(partial, now)
    }

    /// The caller's clock has come to `now`. Windows that were given longer ago than the retention
    /// are dropped, and remembered: as many as `windows_max` one by one, and those before them as a
    /// whole.
    fn advance(&mut self, now: Timestamp) {
        self.control_mut().advance(now);
    }

    /// No more partials will come: every window is to be given.
    fn finish(&mut self) {
        self.control_mut().finish();
    }

    /// Returns true if there is an answer to give.
    fn is_due(&self) -> bool {
        self.control().is_due()
    }

    /// Partials whose window had been dropped.
    fn late(&self) -> u64 {
        self.control().late()
    }

    /// Windows that are kept, and the bytes of their partials.
    fn kept(&self) -> (usize, usize) {
        self.control().kept()
    }

    /// The whole state as bytes, for [`restore`](MergerControl::restore). Rows that were not yet
    /// fetched of a window that was begun are not in it.
    fn snapshot(&self) -> Bytes {
        self.control().snapshot()
    }

    /// Replaces the state by one that was saved.
    ///
    /// # Errors
    /// As [`Partial::from_bytes`] and [`add`](MergerControl::add); the merger is then as it was.
    fn restore(&mut self, bytes: Bytes) -> Result<(), Error> {
        self.control_mut().restore(bytes)
    }

    /// Takes over the windows of another merger of the same pipeline, from its
    /// [`snapshot`](MergerControl::snapshot): of each source the partial that
    /// [supersedes](Partial::supersedes) the other. A window that was given on either side counts
    /// as given here. It is given again, with the next revision, once a partial of it comes, or if
    /// the answer of the highest revision so far lacks a partial of the other side. What was
    /// dropped there counts as dropped here, and the clock has come to where it was told to be
    /// there.
    ///
    /// # Errors
    /// As [`restore`](MergerControl::restore);
    /// [`ErrorKind::LimitExceeded`](crate::ErrorKind::LimitExceeded) past a limit of the options.
    /// This one is then as it was.
    fn absorb(&mut self, bytes: Bytes) -> Result<(), Error> {
        self.control_mut().absorb(bytes)
    }
}
