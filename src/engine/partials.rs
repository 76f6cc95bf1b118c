//! Windows as partials, instead of emissions.

use super::Engine;
use super::core::answer_bytes;
use crate::aggregate::Aggregate;
use crate::error::Error;
use crate::snapshot::{Origin, Partial};

impl<R: ?Sized, A: Aggregate<R>> Engine<R, A> {
    /// The next window that is complete, as a [`Partial`] of this source, to be merged with those
    /// of other sources: instead of [`next_emission`](Engine::next_emission), in the same
    /// order and with the same revisions. With an allowed lateness a window fires before it closes:
    /// when it does, one more partial of it comes, the last.
    ///
    /// # Errors
    /// As [`next_emission`](Engine::next_emission);
    /// [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) if the aggregate cannot be written
    /// down.
    pub fn next_partial(&mut self, source: &str) -> Result<Option<Partial>, Error> {
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

    /// Further records go to another engine, and no more come here: what
    /// [`next_partial`](Engine::next_partial) gives from now on are the windows that were not
    /// given, for the other engine to [inherit](Engine::inherit). Instead of
    /// [`finish`](Engine::finish), after what is complete was fetched. Of windows that were given
    /// no last partial comes, since records that the other engine gets may still go into them.
    pub fn hand_over(&mut self) {
        self.firing.forget_given();
        self.finish();
    }

    /// Returns true if a further answer of the window is to come.
    fn fires_again(&self, start: i64) -> bool {
        start >= self.firing.fired_to()
            || self.firing.is_due_again(start)
            || self.pending.iter().any(|fired| fired.start == start)
    }
}
