//! Windows of groups that began in another engine.

use super::{Group, OpenWindow, Placing, WindowTable, check_number};
use crate::aggregate::{Aggregate, Partition};
use crate::error::Error;
use crate::window::{ByStart, Window};

impl<P, K: Clone + Eq, T: Clone> WindowTable<P, K, T> {
    /// Adds windows of several groups, each joined with those of its group that are here.
    pub(super) fn adopt_all<R: ?Sized, A: Aggregate<R>>(
        &mut self,
        engine: &Placing<'_, A>,
        window: Window,
        accumulator: A::Accumulator,
    ) -> Result<(), Error>
    where
        P: Partition<R, A, Key = K, Part = T>,
    {
        let bounds = (window.start().as_millis(), window.end().as_millis());
        if !self.agenda.kind.fits(bounds) {
            return Err(Error::invalid("the window does not belong to this pipeline"));
        }
        if bounds.1 - 1 <= engine.watermark {
            return Err(Error::invalid(
                "a window that is complete here cannot be adopted: adopt before the first record",
            ));
        }
        let parts = P::split(engine.aggregate, accumulator).ok_or_else(|| {
            Error::invalid("groups past the limit were joined: their windows cannot be told apart")
        })?;
        parts.into_iter().try_for_each(|part| self.adopt_part::<R, A>(engine, bounds, part))
    }

    fn adopt_part<R: ?Sized, A: Aggregate<R>>(
        &mut self,
        engine: &Placing<'_, A>,
        (mut start, mut end): (i64, i64),
        (key, mut part): (K, T),
    ) -> Result<(), Error>
    where
        P: Partition<R, A, Key = K, Part = T>,
    {
        check_number(self.len, engine.limits)?;
        let (kind, hash) = (self.agenda.kind, P::hash_of(&key));
        if let Some(group) = self.table.find_mut(hash, |group| group.key == key) {
            let (mut met, mut to) = (Vec::new(), end);
            while let Some(other) = kind.met(&group.windows, |window| window.end, (start, to)) {
                met.push(other);
                to = other;
            }
            // The first one first.
            met.reverse();
            for other in &met {
                if let Some(window) = group.windows.get_mut(*other) {
                    P::merge(engine.aggregate, &mut part, &window.part)?;
                }
            }
            for other in met {
                let Some(window) = group.windows.remove(other) else { continue };
                (start, end) = (start.min(other), end.max(window.end));
                self.len -= 1;
                if window.answered > 0 {
                    let part = (key.clone(), window.part);
                    self.agenda.retract((other, window.end), window.answered, part);
                }
            }
        }
        self.insert::<R, A>(key, start, OpenWindow::new(end, part));
        self.agenda.ends.push(end, hash);
        Ok(())
    }

    /// Adds a window. Its timer is to be set.
    pub(super) fn insert<R: ?Sized, A: Aggregate<R>>(
        &mut self,
        key: K,
        start: i64,
        window: OpenWindow<T>,
    ) where
        P: Partition<R, A, Key = K, Part = T>,
    {
        self.len += 1;
        let hash = P::hash_of(&key);
        match self.table.find_mut(hash, |group| group.key == key) {
            Some(group) => group.windows.insert(start, window),
            None => {
                let group = Group { hash, key, windows: ByStart::One(start, window) };
                self.table.insert_unique(hash, group, |group| group.hash);
            }
        }
    }
}

impl<T> OpenWindow<T> {
    /// Creates a window that was not answered.
    pub(super) fn new(end: i64, part: T) -> Self {
        let (timer, answered, changed, is_complete) = (end, 0, true, false);
        OpenWindow { end, timer, answered, changed, is_complete, part }
    }
}
