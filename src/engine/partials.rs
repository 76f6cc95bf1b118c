//! Windows as partials, instead of emissions.

use super::Engine;
use super::core::answer_bytes;
use crate::aggregate::Aggregate;
use crate::error::Error;
use crate::snapshot::{Origin, Partial};

impl<R: ?Sized, A: Aggregate<R>> Engine<R, A> {
    /// Fires the next complete window as a partial: see
    /// [`Control::next_partial`](super::Control::next_partial).
    /// [`Control::next_partial`](super::Control::next_partial).
    pub(super) fn fire_partial(&mut self, source: &str) -> Result<Option<Partial>, Error> {
        if self.is_of_rows() {
            // At the end of a shard its windows are answered instead.
            let has_ended = self.watermarks.overall() == i64::MAX;
            return if has_ended { Ok(None) } else { self.check_merges().map(|()| None) };
        }
        if self.of_groups.is_some() {
            return self.fire_group_partial(source);
        }
        let (start, revision, bytes) = match self.pending.front() {
            Some(fired) => {
                let bytes = answer_bytes(&self.aggregate, fired.content.as_ref())?;
                let found = (fired.start, fired.revision, bytes);
                self.pending.pop();
                found
            }
            None => {
                match self.fire_next(|aggregate, content| answer_bytes(aggregate, content.get()))? {
                    Some(fired) => (fired.start, fired.revision, fired.content?),
                    None => return Ok(None),
                }
            }
        };
        self.stats.emitted = self.stats.emitted.saturating_add(1);
        let (is_closed, fires_again) = (self.is_closed(start), self.fires_again(start));
        if !is_closed && !fires_again {
            self.firing.give_again(start);
        }
        let is_final = is_closed && !fires_again;
        let origin = Origin {
            window: self.schedule.window(start),
            source: source.to_owned(),
            revision,
            is_final,
        };
        Partial::new(&self.identity(), &origin, |writer| {
            writer.raw(&bytes);
            Ok(())
        })
        .map(Some)
    }

    /// Returns true if the window will be answered again.
    fn fires_again(&self, start: i64) -> bool {
        start >= self.firing.fired_to()
            || self.firing.is_due_again(start)
            || self.pending.iter().any(|fired| fired.start == start)
    }
}
