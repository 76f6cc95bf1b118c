//! The encoding of groups: by key, ascending, each key without the prefix it shares with the key
//! before.

use super::{Group, GroupBy, GroupByAccumulator};
use crate::aggregate::extract::KeyOf;
use crate::aggregate::{Aggregate, Persistence, Reductions, description, seed_fingerprint};
use crate::codec::{FrontReader, FrontWriter, Reader, Writer};
use crate::error::{Error, ErrorKind};
use crate::key::Key;
use crate::sorted_keys::SortedKeys;
use std::borrow::Borrow;

impl<R: ?Sized, E: KeyOf<R>, A: Aggregate<R>>
    Persistence<R, GroupByAccumulator<<E::Key as Key>::Owned, A::Accumulator>> for GroupBy<E, A>
{
    fn describe(&self) -> String {
        format!("{} by {}", description::<R, A>(&self.inner), E::Key::NAME)
    }

    fn seed_fingerprint(&self) -> u64 {
        seed_fingerprint::<R, A>(&self.inner)
    }

    fn encode(
        &self,
        accumulator: &GroupByAccumulator<<E::Key as Key>::Owned, A::Accumulator>,
        writer: &mut Writer,
    ) -> Result<(), Error> {
        let groups: Vec<_> = accumulator.groups.iter().collect();
        let keys = SortedKeys::new::<E::Key>(groups.iter().map(|(key, _)| *key));
        writer.usize(groups.len());
        let mut front = FrontWriter::new();
        for (key, index) in keys.iter() {
            let Some((_, group)) = groups.get(index) else { continue };
            front.write(writer, key);
            self.encode_group(group, writer)?;
        }
        writer.bool(accumulator.overflow_failed);
        writer.bool(accumulator.threshold.is_some());
        if let Some(threshold) = &accumulator.threshold {
            Borrow::<E::Key>::borrow(threshold).with_bytes(|bytes| writer.bytes(bytes));
        }
        writer.bool(accumulator.other.is_some());
        match &accumulator.other {
            Some(other) => self.encode_group(other, writer),
            None => Ok(()),
        }
    }

    fn decode(
        &self,
        reader: &mut Reader<'_>,
    ) -> Result<GroupByAccumulator<<E::Key as Key>::Owned, A::Accumulator>, Error> {
        let mut state = Aggregate::<R>::init(self);
        let count = reader.count(2)?;
        let mut front = FrontReader::new();
        for _ in 0..count {
            let key = key_from::<E::Key>(front.read(reader)?, reader)?;
            let group = self.decode_group(reader)?;
            state.groups.insert(key, group);
        }
        state.overflow_failed = reader.bool()?;
        if count > self.groups_held_max() && !state.overflow_failed {
            let message = format!(
                "{count} groups were saved, over the {} of groups_max and a quarter",
                self.groups_max
            );
            return Err(Error::new(ErrorKind::LimitExceeded, message));
        }
        if reader.bool()? {
            state.threshold = Some(key_from::<E::Key>(reader.bytes()?, reader)?);
        }
        if reader.bool()? {
            state.other = Some(self.decode_group(reader)?);
        }
        self.recount_heap_bytes::<R>(&mut state);
        Ok(state)
    }

    fn reduce(
        &self,
        accumulator: &mut GroupByAccumulator<<E::Key as Key>::Owned, A::Accumulator>,
        tolerance: f64,
        reductions: &mut Reductions,
    ) {
        let Ok(inner) = self.inner.persistence() else { return };
        for group in accumulator.groups.values_mut().chain(&mut accumulator.other) {
            inner.reduce(&mut group.accumulator, tolerance, reductions);
        }
        self.recount_heap_bytes::<R>(accumulator);
    }
}

impl<E, A> GroupBy<E, A> {
    fn encode_group<R: ?Sized>(
        &self,
        group: &Group<A::Accumulator>,
        writer: &mut Writer,
    ) -> Result<(), Error>
    where
        A: Aggregate<R>,
    {
        writer.u64(group.records);
        self.inner.persistence()?.encode(&group.accumulator, writer)
    }

    fn decode_group<R: ?Sized>(
        &self,
        reader: &mut Reader<'_>,
    ) -> Result<Group<A::Accumulator>, Error>
    where
        A: Aggregate<R>,
    {
        Ok(Group { records: reader.u64()?, accumulator: self.inner.persistence()?.decode(reader)? })
    }
}

fn key_from<K: Key + ?Sized>(bytes: &[u8], reader: &Reader<'_>) -> Result<K::Owned, Error> {
    K::from_bytes(bytes).ok_or_else(|| reader.corrupt("these bytes are not a key"))
}
