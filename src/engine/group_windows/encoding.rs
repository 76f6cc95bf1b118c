//! The encoding of windows of groups.

use super::{Decode, Encode, Gives, Group, GroupAnswer, OpenWindow, WindowTable};
use crate::aggregate::{Aggregate, Partition, Parts};
use crate::codec::{Reader, Writer};
use crate::engine::firing::read_revision;
use crate::error::{Error, ErrorKind};
use crate::limits::Limits;
use smallvec::smallvec;

/// A record came since the window was answered.
const CHANGED: u8 = 1;

/// The window was answered as complete.
const COMPLETE: u8 = 2;

impl<P, K: Clone + Eq, T: Clone> WindowTable<P, K, T> {
    /// Writes the windows and answers.
    pub(super) fn encode_all<R: ?Sized, A: Aggregate<R>>(
        &self,
        aggregate: &A,
        writer: &mut Writer,
        encode: Encode<'_, A::Accumulator>,
    ) -> Result<(), Error>
    where
        P: Partition<R, A, Key = K, Part = T>,
    {
        let mut content = |key: &K, part: &T| {
            let joined = P::join(aggregate, smallvec![(key.clone(), part.clone())])?;
            let mut writer = Writer::new();
            encode(&joined, &mut writer)?;
            Ok::<_, Error>(writer.into_bytes())
        };
        let mut open = Vec::with_capacity(self.len);
        for (key, start, window) in self.windows() {
            open.push((start, window.end, content(key, &window.part)?, window));
        }
        // In an order that does not depend on the history.
        open.sort_by(|left, right| (left.0, left.1, &left.2).cmp(&(right.0, right.1, &right.2)));
        writer.usize(open.len());
        let mut last = 0i64;
        for (start, end, content, window) in open {
            writer.i64(start.wrapping_sub(last));
            writer.i64(end.wrapping_sub(start));
            let changed = if window.changed { CHANGED } else { 0 };
            writer.u8(changed | if window.is_complete { COMPLETE } else { 0 });
            writer.u64(u64::from(window.answered));
            writer.bytes(&content);
            last = start;
        }
        writer.usize(self.agenda.answers.len());
        for answer in &self.agenda.answers {
            writer.i64(answer.start);
            writer.i64(answer.end.wrapping_sub(answer.start));
            writer.u64(u64::from(answer.revision));
            writer.bool(answer.retracted);
            let parts = answer.parts.iter().map(|(key, part)| content(key, part));
            let mut parts = parts.collect::<Result<Vec<_>, _>>()?;
            parts.sort_unstable();
            writer.usize(parts.len());
            parts.iter().for_each(|part| writer.bytes(part));
        }
        Ok(())
    }

    /// Reads what [`encode_all`](WindowTable::encode_all) wrote.
    pub(super) fn decode_all<R: ?Sized, A: Aggregate<R>>(
        &mut self,
        mut reader: Reader<'_>,
        (aggregate, limits): (&A, &Limits),
        decode: Decode<'_, A::Accumulator>,
    ) -> Result<(), Error>
    where
        P: Partition<R, A, Key = K, Part = T>,
    {
        let mut part = |reader: &mut Reader<'_>| {
            let accumulator = decode(reader.section()?)?;
            let parts = P::split(aggregate, accumulator).unwrap_or_default();
            let [part] = <[(K, T); 1]>::try_from(parts)
                .map_err(|_| reader.corrupt("a window of a group is not of one group"))?;
            Ok(part)
        };
        self.decode_open::<R, A>(&mut reader, limits, &mut part)?;
        for _ in 0..reader.count(6)? {
            let start = reader.i64()?;
            let end = self.read_end(&mut reader, start)?;
            let (revision, retracted) = (read_revision(&mut reader)?, reader.bool()?);
            let mut parts = Parts::new();
            for _ in 0..reader.count(1)? {
                parts.push(part(&mut reader)?);
            }
            let answer = GroupAnswer { start, end, revision, retracted, copied: 0, parts };
            self.agenda.answers.push_back(answer);
        }
        self.agenda.is_unsettled = true;
        reader.finish()
    }

    fn decode_open<R: ?Sized, A: Aggregate<R>>(
        &mut self,
        reader: &mut Reader<'_>,
        limits: &Limits,
        part: &mut impl FnMut(&mut Reader<'_>) -> Result<(K, T), Error>,
    ) -> Result<(), Error>
    where
        P: Partition<R, A, Key = K, Part = T>,
    {
        let (mut start, open) = (0i64, reader.count(5)?);
        if open > limits.groups_max {
            let most = limits.groups_max;
            let message = format!(
                "the snapshot has {open} windows of groups, over the {most} of Limits::groups_max"
            );
            return Err(Error::new(ErrorKind::LimitExceeded, message));
        }
        for _ in 0..open {
            start = start.wrapping_add(reader.i64()?);
            let end = self.read_end(reader, start)?;
            let flags = reader.u8()?;
            if flags > CHANGED | COMPLETE {
                return Err(reader.corrupt("a window of a group has unknown flags"));
            }
            let (changed, is_complete) = (flags & CHANGED != 0, flags & COMPLETE != 0);
            let answered = read_revision(reader)?;
            let (key, part) = part(reader)?;
            let (kind, hash) = (self.agenda.kind, P::hash_of(&key));
            let meets = |group: &Group<K, T>| {
                kind.met(&group.windows, |window| window.end, (start, end)).is_some()
            };
            if self.table.find(hash, |group| group.key == key).is_some_and(meets) {
                return Err(reader.corrupt("windows of a group overlap"));
            }
            if is_complete {
                let is_given = answered > 0;
                self.agenda.gives = if is_given { Gives::Emissions } else { Gives::Partials };
                self.agenda.closings.push(end, hash);
            } else {
                self.agenda.ends.push(end, hash);
            }
            let new = OpenWindow::new(end, part);
            let window = OpenWindow { answered, changed, is_complete, ..new };
            self.insert::<R, A>(key, start, window);
        }
        Ok(())
    }

    /// Reads the end of a window, as the distance from its start.
    fn read_end(&self, reader: &mut Reader<'_>, start: i64) -> Result<i64, Error> {
        let end = start.checked_add(reader.i64()?);
        end.filter(|end| *end < i64::MAX && self.agenda.kind.fits((start, *end)))
            .ok_or_else(|| reader.corrupt("no window of a group has these bounds"))
    }
}
