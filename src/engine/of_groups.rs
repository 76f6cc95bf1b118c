//! What the engine does where each group has windows of its own: sessions and staggered windows.
//!
//! Shards, watermarks, counts, limits and snapshots are those of all windows. Only the place of a
//! record, and what is complete, are found in [`GroupWindows`] instead of in panes.

use super::batch::Batch;
use super::core::{Engine, answer_bytes, out_of_range};
use super::firing::FiredContent;
use super::group_windows::{GroupWindows, Placing, group_windows};
use super::{Emission, Outcome, Shard};
use crate::aggregate::Aggregate;
use crate::codec::Reader;
use crate::error::{Error, ErrorKind};
use crate::snapshot::{Origin, Partial};
use crate::time::Timestamp;
use crate::window::Window;

/// Records whose groups are looked up together.
const AHEAD: usize = 64;

impl<R: ?Sized, A: Aggregate<R>> Engine<R, A> {
    /// Returns true if each group has windows of its own.
    pub(crate) fn is_per_group(&self) -> bool {
        self.of_groups.is_some()
    }

    /// Adds a record to its window, and opens the window if necessary.
    pub(super) fn place_in_group(&mut self, record: &R, time: Timestamp) -> Result<Outcome, Error> {
        let Some(windows) = &mut self.of_groups else { return Ok(Outcome::BetweenWindows) };
        let engine = Placing {
            aggregate: &self.aggregate,
            watermark: self.watermarks.overall(),
            limits: &self.limits,
        };
        let placed = match self.schedule.range(self.lateness).contains(&time.as_millis()) {
            true => windows.place(&engine, record, time),
            false => Err(Error::new(ErrorKind::TimeOutOfRange, out_of_range(time))),
        };
        self.firing.wake_at = windows.wakes_at();
        if matches!(placed, Ok(Outcome::Applied)) {
            self.until_check = self.until_check.saturating_sub(1);
        }
        placed.or_else(|error| self.refuse(error))
    }

    /// Applies the records of a batch: see [`push_batch`](Engine::push_batch).
    pub(super) fn push_batch_to_groups(
        &mut self,
        shard: Shard,
        batch: &mut impl Batch<R>,
        mut tell: impl FnMut(&R, Outcome) -> bool,
    ) -> Result<(), Error> {
        while !batch.times().is_empty() {
            if let (0, Some(windows)) = (self.touched, &self.of_groups) {
                // The groups of several records are fetched from memory at the same time.
                self.touched = batch.times().len().min(AHEAD);
                let aggregate = &self.aggregate;
                batch.each(0..self.touched, |record, _| {
                    windows.touch(aggregate, record);
                    true
                });
            }
            self.touched = self.touched.saturating_sub(1);
            let mut told = Ok(true);
            batch.each(0..1, |record, time| {
                let outcome = self.push_to_group(shard, record, time);
                told = outcome.map(|outcome| tell(record, outcome));
                true
            });
            let goes_on = told?;
            batch.pass(1);
            if !goes_on || self.firing.is_due(self.watermarks.overall()) {
                break;
            }
        }
        Ok(())
    }

    #[inline]
    fn push_to_group(
        &mut self,
        shard: Shard,
        record: &R,
        time: Timestamp,
    ) -> Result<Outcome, Error> {
        self.note_due();
        if self.until_check == 0 {
            self.check_state()?;
        }
        let outcome = self.place_in_group(record, time)?;
        match outcome {
            Outcome::Applied | Outcome::Late(_) => {
                self.watermarks.observe(shard.index(), time.as_millis());
            }
            _ => self.observe(shard, time),
        }
        self.stats.count(&outcome);
        Ok(outcome)
    }

    /// Makes the answers of the windows that are complete.
    pub(super) fn close_group_windows(&mut self) {
        if let Some(windows) = &mut self.of_groups {
            windows.close_due(self.watermarks.overall());
            self.firing.wake_at = windows.wakes_at();
        }
    }

    /// Makes answers of the open windows that have changed.
    pub(super) fn answer_open_group_windows(&mut self) {
        self.close_group_windows();
        if let Some(windows) = &mut self.of_groups {
            windows.answer_open();
        }
    }

    /// Returns the next emission: see [`next_emission`](Engine::next_emission).
    pub(super) fn next_group_emission(&mut self) -> Result<Option<Emission<A::Output>>, Error> {
        self.note_due();
        let Some(windows) = &mut self.of_groups else { return Ok(None) };
        windows.give_emissions();
        let found = windows.next_emission(&self.aggregate)?;
        self.stats.emitted = self.stats.emitted.saturating_add(u64::from(found.is_some()));
        Ok(found)
    }

    /// Returns the next emission: see [`next_emission_with`](Engine::next_emission_with).
    pub(super) fn next_group_emission_with<T>(
        &mut self,
        make: impl FnOnce(&A, FiredContent<'_, A::Accumulator>) -> T,
    ) -> Result<Option<Emission<T>>, Error> {
        self.note_due();
        let Some(windows) = &mut self.of_groups else { return Ok(None) };
        windows.give_emissions();
        let Some(found) = windows.next_accumulator(&self.aggregate)? else { return Ok(None) };
        self.stats.emitted = self.stats.emitted.saturating_add(1);
        let Emission { window, revision, retracted, value } = found;
        let value = make(&self.aggregate, FiredContent::Merged(value));
        Ok(Some(Emission { window, revision, retracted, value }))
    }

    /// Fires the next window as a partial.
    pub(super) fn fire_group_partial(&mut self, source: &str) -> Result<Option<Partial>, Error> {
        if let Some(windows) = &mut self.of_groups {
            windows.give_partials();
        }
        self.note_due();
        let Some(windows) = &mut self.of_groups else { return Ok(None) };
        windows.check_partials()?;
        let Some(found) = windows.next_accumulator(&self.aggregate)? else { return Ok(None) };
        self.stats.emitted = self.stats.emitted.saturating_add(1);
        let bytes = answer_bytes(&self.aggregate, Some(&found.value))?;
        let origin = Origin {
            window: found.window,
            source: source.to_owned(),
            revision: found.revision,
            is_final: true,
        };
        let partial = Partial::new(&self.identity(), &origin, |writer| {
            writer.raw(&bytes);
            Ok(())
        });
        partial.map(Some)
    }

    /// Adds windows of another engine: each group's own, joined with those that are here.
    pub(super) fn adopt_group_windows(
        &mut self,
        window: Window,
        accumulator: A::Accumulator,
    ) -> Result<(), Error> {
        if !self.schedule.range(self.lateness).contains(&window.start().as_millis()) {
            return Err(Error::invalid("the window does not belong to this pipeline"));
        }
        let Some(windows) = &mut self.of_groups else { return Ok(()) };
        let engine = Placing {
            aggregate: &self.aggregate,
            watermark: self.watermarks.overall(),
            limits: &self.limits,
        };
        let adopted = windows.adopt(&engine, window, accumulator);
        self.firing.wake_at = windows.wakes_at();
        adopted
    }

    /// Reads the windows of groups of a snapshot.
    pub(super) fn decode_group_windows(
        &self,
        reader: Reader<'_>,
        room: &mut usize,
    ) -> Result<Option<Box<dyn GroupWindows<R, A>>>, Error> {
        let new = group_windows(&self.aggregate, &self.schedule, self.lateness, self.emit_empty)?;
        let Some(new) = new else { return Ok(None) };
        let decode = &mut |content: Reader<'_>| self.decode_accumulator(content, room);
        new.decode(reader, (&self.aggregate, &self.limits), decode).map(Some)
    }
}
