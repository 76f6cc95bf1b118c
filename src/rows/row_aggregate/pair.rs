//! A key beside the value that it is ranked by, for `max_by` and `min_by`.

use super::extreme::{Extreme, OrderedValue};
use crate::aggregate::Ranked;
use crate::codec::{Reader, Writer};
use crate::durable::Durable;
use crate::error::Error;
use std::cmp::Ordering;

/// A key of a row and the value that it is ranked by. Of equal values the keys are ranked, so that
/// it does not matter in which order records come.
#[derive(Clone, Copy)]
pub(crate) struct RankedKey<'a> {
    pub(super) by: OrderedValue<'a>,
    pub(super) key: &'a [u8],
}

/// A [`RankedKey`] that is kept.
#[derive(Clone, Debug)]
pub(crate) struct KeptKey(Box<(Extreme, Box<[u8]>)>);

impl KeptKey {
    /// Returns the key.
    pub(super) fn key(&self) -> &[u8] {
        &self.0.1
    }
}

impl Ranked for RankedKey<'_> {
    type Kept = KeptKey;

    #[inline]
    fn rank(&self, kept: &KeptKey) -> Ordering {
        let (by, key) = &*kept.0;
        self.by.rank(by).then_with(|| self.key.cmp(key))
    }

    fn keep(self) -> KeptKey {
        KeptKey(Box::new((self.by.keep(), self.key.into())))
    }

    fn rank_kept(new: &KeptKey, kept: &KeptKey) -> Ordering {
        let ((by, key), (kept_by, kept_key)) = (&*new.0, &*kept.0);
        OrderedValue::rank_kept(by, kept_by).then_with(|| key.cmp(kept_key))
    }

    fn is_nan(_kept: &KeptKey) -> bool {
        false
    }
}

impl Durable for KeptKey {
    fn write(&self, writer: &mut Writer) {
        self.0.0.write(writer);
        writer.bytes(&self.0.1);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let by = Extreme::read(reader)?;
        Ok(KeptKey(Box::new((by, reader.bytes()?.into()))))
    }

    fn heap_bytes(&self) -> usize {
        size_of_val(&*self.0) + self.0.0.heap_bytes() + self.0.1.len()
    }
}
