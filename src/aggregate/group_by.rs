//! One aggregate per key: a keyed aggregation is an aggregate, too.

#[cfg(feature = "spec")]
mod ordered;
mod partition;
mod per_group;
mod persistence;
mod table;

#[cfg(feature = "spec")]
pub(crate) use ordered::OrderedGroups;
pub(crate) use partition::ByKey;

use super::extract::{ByReference, ByValue, KeyOf};
use super::groups::{Groups, Other};
use super::hints::Reads;
use super::partition::PartsVisitor;
use super::{Aggregate, Hints, Invertible, PerGroup, Persistence};
use crate::error::{Error, ErrorKind};
use crate::key::{BorrowedKey, Key, LookupKey};
use crate::limits::Limits;
use crate::sorted_keys::positions_in_order;
use crate::time::Timestamp;
use std::borrow::Borrow;
use std::hash::Hash;
use table::{ROWS_MAX, Table};

/// The rows of fewer groups than this are usually in a cache of the CPU. In unit tests few groups
/// are many.
const SPREAD_MIN: usize = if cfg!(test) { 3 } else { 8192 };

/// Computes `inner` once per key. Created by [`group_by`] and [`group_by_value`].
///
/// # Example
/// ```
/// use streamgauge::prelude::*;
/// // Groups within groups: the top page of each country.
/// let hits = group_by(|hit: &(&str, &str)| hit.0, top_k(1, |hit: &(&str, &str)| hit.1));
/// let mut pipeline = Pipeline::builder().aggregate(hits).build()?;
/// let log = [("DE", "/a"), ("DE", "/b"), ("DE", "/b"), ("FR", "/c")];
/// let groups = pipeline.over(log).next().expect("the input has ended").value;
/// assert_eq!(groups.find("DE").map(|top| &*top[0].key), Some("/b"));
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Copy)]
pub struct GroupBy<E, A> {
    key: E,
    inner: A,
    groups_max: usize,
    overflow: Overflow,
}

/// What happens to groups past the limit.
///
/// # Example
/// ```
/// use streamgauge::prelude::*;
/// let hosts = |overflow| {
///     let hosts = group_by_value(|host: &u32| *host, count()).groups_max(2).overflow(overflow);
///     Pipeline::builder().aggregate(hosts).build()
/// };
/// let mut refusing = hosts(Overflow::Error)?;
/// refusing.push_batch(&[7, 8])?;
/// assert_eq!(refusing.push(&9).unwrap_err().kind(), ErrorKind::LimitExceeded);
/// let groups = hosts(Overflow::Other)?.over([9, 8, 7]).next().expect("the input has ended").value;
/// assert_eq!(groups.rows, [(7, 1), (8, 1)]); // the smallest keys, in any order of records
/// assert_eq!(groups.other.map(|other| other.records), Some(1));
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum Overflow {
    /// Keeps the groups of the smallest keys, as many as the limit allows. The records of all other
    /// keys share one accumulator, [`Groups::other`], and are counted.
    ///
    /// The kept groups depend only on the keys, never on the order of records, on panes, shards or
    /// threads: a key that is among the smallest of all keys is among the smallest of every part.
    #[default]
    Other,
    /// Refuses a record that would open one group more, and such a merge, with
    /// [`ErrorKind::LimitExceeded`].
    Error,
}

/// The accumulator of [`group_by`]: one accumulator of the inner aggregate per key.
///
/// # Example
/// ```
/// use streamgauge::prelude::*;
/// let by_country = group_by(|country: &str| country, count());
/// let [mut one, mut other] = [by_country.init(), by_country.init()];
/// by_country.add(&mut one, "DE", Timestamp::from_millis(0));
/// by_country.add(&mut other, "DE", Timestamp::from_millis(0));
/// by_country.add(&mut other, "FR", Timestamp::from_millis(0));
/// by_country.merge(&mut one, &other)?;
/// assert_eq!((one.len(), by_country.output(&one).find("DE")), (2, Some(&2)));
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct GroupByAccumulator<K, A> {
    groups: Table<K, Group<A>>,
    other: Option<Group<A>>,
    /// The largest key that was kept when groups were last moved to `other`. The limit allows no
    /// more keys than those up to it, so every larger key belongs to `other`.
    threshold: Option<K>,
    /// True if a group could not be moved to `other`, because the inner aggregate refused to merge.
    overflow_failed: bool,
    /// True if the inner accumulators are [prepared](Invertible::prepare) for subtraction.
    prepared: bool,
    /// Heap bytes of the keys and of the inner accumulators, without the table itself.
    heap_bytes: usize,
}

#[derive(Clone, Debug)]
struct Group<A> {
    records: u64,
    accumulator: A,
}

/// Computes `inner` once per key, for a key inside the record: `group_by(|hit: &Hit|
/// hit.country.as_str(), count())`. The answer is a [`Groups`], in ascending order of the keys.
///
/// A known key costs one lookup and no allocation; a new key is copied. The number of groups is
/// limited, see [`GroupBy::groups_max`] and [`GroupBy::overflow`]. For a computed key use
/// [`group_by_value`]; for a key of several parts add them by [`GroupBy::and_by`].
///
/// # Example
/// ```
/// use streamgauge::aggregate::{Aggregate, count, group_by, sum};
/// use streamgauge::Timestamp;
/// struct Hit { country: String, bytes: u64 }
/// let of_each = (count(), sum(|hit: &Hit| hit.bytes));
/// let by_country = group_by(|hit: &Hit| hit.country.as_str(), of_each);
/// let mut accumulator = by_country.init();
/// for (country, bytes) in [("FR", 10), ("DE", 20), ("FR", 30)] {
///     let hit = Hit { country: country.to_string(), bytes };
///     by_country.add(&mut accumulator, &hit, Timestamp::from_millis(0));
/// }
/// let groups = by_country.output(&accumulator);
/// assert_eq!(groups.find("FR"), Some(&(2, 40)));
/// assert_eq!(&*groups[0].0, "DE");
/// ```
pub fn group_by<R, K, F, A>(key: F, inner: A) -> GroupBy<ByReference<R, K, F>, A>
where
    R: ?Sized,
    K: Key + ?Sized + 'static,
    F: for<'a> Fn(&'a R) -> &'a K,
    A: Aggregate<R>,
{
    GroupBy::new(ByReference::new(key), inner)
}

/// Computes `inner` once per key, for a computed key: `group_by_value(|hit: &Hit| hit.status / 100,
/// count())`. Otherwise as [`group_by`].
///
/// # Example
/// ```
/// use streamgauge::prelude::*;
/// let by_class = group_by_value(|status: &u16| status / 100, count());
/// let mut pipeline = Pipeline::builder().aggregate(by_class).build()?;
/// let groups = pipeline.over([503, 200, 204]).next().expect("the input has ended").value;
/// assert_eq!(groups.rows, [(2, 2), (5, 1)]);
/// # Ok::<(), Error>(())
/// ```
pub fn group_by_value<R, K, F, A>(key: F, inner: A) -> GroupBy<ByValue<R, K, F>, A>
where
    R: ?Sized,
    K: Key<Owned = K> + 'static,
    F: Fn(&R) -> K,
    A: Aggregate<R>,
{
    GroupBy::new(ByValue::new(key), inner)
}

super::keys::joined_keys! {
    /// Adds a key to that of the groups, up to three: the key of a group is then a pair or a
    /// triple. Each part is a reference into the record, so that a record of a known group costs no
    /// allocation. For a computed part use [`and_by_value`](GroupBy::and_by_value).
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// struct Hit { country: String, status: u16, bytes: u64 }
    /// let bytes = group_by(|hit: &Hit| hit.country.as_str(), sum(|hit: &Hit| hit.bytes));
    /// let bytes = bytes.and_by(|hit: &Hit| &hit.status);
    /// let mut pipeline = Pipeline::builder().aggregate(bytes).build()?;
    /// let hits = [("FR", 200), ("DE", 404), ("FR", 200)];
    /// let hits = hits.map(|(country, status)| Hit { country: country.into(), status, bytes: 10 });
    /// let groups = pipeline.over(hits).next().expect("the input has ended").value;
    /// assert_eq!(groups.rows, [(("DE".into(), 404), 10), (("FR".into(), 200), 20)]);
    /// # Ok::<(), Error>(())
    /// ```
    GroupBy<E, A> { inner, groups_max, overflow }
}

impl<E, A> GroupBy<E, A> {
    pub(crate) fn new(key: E, inner: A) -> Self {
        GroupBy {
            key,
            inner,
            groups_max: Limits::default().groups_max,
            overflow: Overflow::default(),
        }
    }

    /// Sets the maximum number of groups, at least 1. Default: that of [`Limits::groups_max`],
    /// 1,000,000. More than 3 billion count as 3 billion.
    ///
    /// With [`Overflow::Other`] there may be up to a quarter more for some time, so that many of
    /// the largest keys are moved to `other` at a time.
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// let hosts = group_by_value(|host: &u32| *host, count()).groups_max(2);
    /// let mut pipeline = Pipeline::builder().aggregate(hosts).build()?;
    /// let groups = pipeline.over([4, 3, 2, 1, 4]).next().expect("the input has ended").value;
    /// assert_eq!(groups.rows, [(1, 1), (2, 1)]);
    /// // No record is lost: those of 3 and 4 are counted together.
    /// assert_eq!(groups.other.map(|other| (other.records, other.value)), Some((3, 3)));
    /// # Ok::<(), Error>(())
    /// ```
    #[must_use]
    pub fn groups_max(mut self, groups_max: usize) -> Self {
        // A quarter more are held for some time.
        self.groups_max = groups_max.min(ROWS_MAX / 4 * 3);
        self
    }

    /// Sets what happens to groups past the limit. Default: [`Overflow::Other`].
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// let hosts = group_by_value(|host: &u32| *host, count());
    /// let hosts = hosts.groups_max(1).overflow(Overflow::Error);
    /// let mut pipeline = Pipeline::builder().aggregate(hosts).build()?;
    /// pipeline.push_batch(&[7, 7])?; // a known group is never refused
    /// assert_eq!(pipeline.push(&8).unwrap_err().kind(), ErrorKind::LimitExceeded);
    /// # Ok::<(), Error>(())
    /// ```
    #[must_use]
    pub fn overflow(mut self, overflow: Overflow) -> Self {
        self.overflow = overflow;
        self
    }

    /// Returns the aggregate of each group.
    #[cfg(feature = "spec")]
    pub(crate) fn inner(&self) -> &A {
        &self.inner
    }

    /// Returns true if a record that would open a group too many is refused.
    #[cfg(feature = "spec")]
    pub(crate) fn refuses(&self) -> bool {
        self.overflow == Overflow::Error
    }

    /// Returns the number of groups past which some are moved to `other`: a quarter above the
    /// limit, so that the records that opened the groups pay for the move.
    fn groups_held_max(&self) -> usize {
        self.groups_max.saturating_add(self.groups_max / 4).max(1)
    }

    /// Returns the accumulator to which a record of this key will be added, or `None` if it does
    /// not exist yet.
    #[inline]
    fn target<'a, V: BorrowedKey<Owned: Eq + Hash>, S>(
        &self,
        accumulator: &'a GroupByAccumulator<V::Owned, S>,
        key: &LookupKey<V>,
    ) -> Target<'a, S> {
        match accumulator.groups.get(key) {
            Some(group) => Target::Known(&group.accumulator),
            None if accumulator.is_past_threshold(&key.0) => {
                Target::Other(accumulator.other.as_ref().map(|group| &group.accumulator))
            }
            None => Target::New,
        }
    }

    /// Checks a record with the group to which it belongs.
    #[inline(never)]
    fn check_group<R: ?Sized>(
        &self,
        state: &GroupByAccumulator<<E::Key as Key>::Owned, A::Accumulator>,
        record: &R,
        may_refuse: bool,
    ) -> Result<(), Error>
    where
        E: KeyOf<R>,
        A: Aggregate<R>,
    {
        match self.target(state, &LookupKey(self.key.key(record))) {
            Target::Known(inner) => self.inner.check(Some(inner), record),
            Target::Other(inner) => self.inner.check(inner, record),
            Target::New
                if may_refuse
                    && (state.overflow_failed || state.groups.len() >= self.groups_max) =>
            {
                Err(self.refusal())
            }
            Target::New => self.inner.check(None, record),
        }
    }

    fn refusal(&self) -> Error {
        Error::new(
            ErrorKind::LimitExceeded,
            format!(
                "more than {} groups; raise groups_max, or let the rest share Overflow::Other",
                self.groups_max
            ),
        )
    }
}

enum Target<'a, S> {
    Known(&'a S),
    Other(Option<&'a S>),
    New,
}

impl<K, S> GroupByAccumulator<K, S> {
    /// Returns the number of groups.
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// let by_country = group_by(|country: &str| country, count());
    /// let mut accumulator = by_country.init();
    /// for country in ["DE", "FR", "DE"] {
    ///     by_country.add(&mut accumulator, country, Timestamp::from_millis(0));
    /// }
    /// assert_eq!(accumulator.len(), 2);
    /// ```
    pub fn len(&self) -> usize {
        self.groups.len()
    }

    /// Returns true if there is no group.
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// let by_country = group_by(|country: &str| country, count());
    /// assert!(by_country.init().is_empty());
    /// assert_eq!(by_country.output(&by_country.init()).rows, []);
    /// ```
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// Returns the groups in no order.
    #[cfg(feature = "spec")]
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &S)> {
        self.groups.iter().map(|(key, group)| (key, &group.accumulator))
    }

    #[inline]
    fn is_past_threshold(&self, key: &impl BorrowedKey<Owned = K>) -> bool {
        self.threshold.as_ref().is_some_and(|threshold| key.compare(threshold).is_gt())
    }
}

impl<E, A> GroupBy<E, A> {
    /// Changes an accumulator of the inner aggregate, and counts the bytes by which it grows.
    #[inline(always)]
    fn change<R: ?Sized, T>(
        &self,
        inner: &mut A::Accumulator,
        heap_bytes: &mut usize,
        change: impl FnOnce(&mut A::Accumulator) -> T,
    ) -> T
    where
        A: Aggregate<R>,
    {
        // One call of `change`, so that it is inlined.
        let grows = self.inner.hints().grows;
        // If the inner aggregate has no heap memory, both sizes are constants and the compiler
        // removes this.
        let before = if grows { self.inner.state_bytes(inner) } else { 0 };
        let changed = change(inner);
        if grows {
            let after = self.inner.state_bytes(inner);
            if after != before {
                *heap_bytes = (*heap_bytes + after).saturating_sub(before);
            }
        }
        changed
    }

    /// Adds a record whose key, of this tag, has no group yet, unless it is refused.
    #[cold]
    #[inline(never)]
    fn try_add_new<R: ?Sized>(
        &self,
        state: &mut GroupByAccumulator<<E::Key as Key>::Owned, A::Accumulator>,
        (record, time): (&R, Timestamp),
        (key, tag): (&E::Borrowed<'_>, u32),
    ) -> Result<(), Error>
    where
        E: KeyOf<R>,
        A: Aggregate<R>,
    {
        Aggregate::check(self, Some(state), record)?;
        self.add_new(state, (record, time), (key, tag));
        Ok(())
    }

    /// Adds a record whose key, of this tag, has no group yet.
    #[cold]
    #[inline(never)]
    fn add_new<R: ?Sized>(
        &self,
        state: &mut GroupByAccumulator<<E::Key as Key>::Owned, A::Accumulator>,
        (record, time): (&R, Timestamp),
        (key, tag): (&E::Borrowed<'_>, u32),
    ) where
        E: KeyOf<R>,
        A: Aggregate<R>,
    {
        if state.is_past_threshold(key) {
            let before = self.heap_bytes_of_other::<R>(state.other.as_ref());
            let group = state
                .other
                .get_or_insert_with(|| Group { records: 0, accumulator: self.inner.init() });
            group.records = group.records.saturating_add(1);
            self.inner.add(&mut group.accumulator, record, time);
            let after = self.heap_bytes_of_other::<R>(state.other.as_ref());
            state.heap_bytes = (state.heap_bytes + after).saturating_sub(before);
            return;
        }
        let mut group = Group { records: 1, accumulator: self.inner.init() };
        self.inner.add(&mut group.accumulator, record, time);
        let key = key.to_key();
        state.heap_bytes += self.group_heap_bytes::<R>(&key, &group);
        state.groups.insert_of_tag(tag, key, group);
        if state.groups.len() > self.groups_held_max() && !state.overflow_failed {
            self.move_largest_to_other::<R>(state);
        }
    }

    fn group_heap_bytes<R: ?Sized>(
        &self,
        key: &<E::Key as Key>::Owned,
        group: &Group<A::Accumulator>,
    ) -> usize
    where
        E: KeyOf<R>,
        A: Aggregate<R>,
    {
        E::Key::heap_bytes(key) + self.heap_bytes_in::<R>(group)
    }

    /// Moves all groups but those of the smallest `groups_max` keys to `other`, in the order of
    /// their keys. Amortised O(1) per opened group.
    #[cold]
    fn move_largest_to_other<R: ?Sized>(
        &self,
        state: &mut GroupByAccumulator<<E::Key as Key>::Owned, A::Accumulator>,
    ) where
        E: KeyOf<R>,
        A: Aggregate<R>,
    {
        let mut keys: Vec<&<E::Key as Key>::Owned> = state.groups.keys().collect();
        let kept = self.groups_max.clamp(1, keys.len().max(1));
        let (_, threshold, _) = keys.select_nth_unstable(kept - 1);
        let threshold = threshold.clone();
        let moved = state.groups.extract_if(|key| *key > threshold);
        state.threshold = Some(threshold);
        let keys: Vec<_> = moved.iter().map(|(key, _)| key).collect();
        let order = positions_in_order::<E::Key>(&keys);
        let mut moved: Vec<_> = moved.into_iter().map(Some).collect();
        for (key, group) in order.into_iter().filter_map(|position| moved.get_mut(position)?.take())
        {
            let other = state
                .other
                .get_or_insert_with(|| Group { records: 0, accumulator: self.inner.init() });
            if self.inner.merge(&mut other.accumulator, &group.accumulator).is_err() {
                // A limit of the inner aggregate. Nothing is lost: the group stays, and `check`
                // refuses records that would open another group.
                state.groups.insert(key, group);
                state.overflow_failed = true;
            } else {
                other.records = other.records.saturating_add(group.records);
            }
        }
        self.recount_heap_bytes::<R>(state);
    }

    fn recount_heap_bytes<R: ?Sized>(
        &self,
        state: &mut GroupByAccumulator<<E::Key as Key>::Owned, A::Accumulator>,
    ) where
        E: KeyOf<R>,
        A: Aggregate<R>,
    {
        let groups: usize =
            state.groups.iter().map(|(key, group)| self.group_heap_bytes::<R>(key, group)).sum();
        state.heap_bytes = groups + self.heap_bytes_of_other::<R>(state.other.as_ref());
    }

    /// Returns the heap bytes of the accumulator past the limit; 0 if there is none.
    fn heap_bytes_of_other<R: ?Sized>(&self, other: Option<&Group<A::Accumulator>>) -> usize
    where
        A: Aggregate<R>,
    {
        other.map_or(0, |other| self.heap_bytes_in::<R>(other))
    }

    /// Returns the heap bytes of an accumulator.
    fn heap_bytes_in<R: ?Sized>(&self, group: &Group<A::Accumulator>) -> usize
    where
        A: Aggregate<R>,
    {
        self.inner.state_bytes(&group.accumulator).saturating_sub(size_of::<A::Accumulator>())
    }

    /// Merges the groups of `from`. Each changes one group of `into`, so their order does not
    /// matter.
    fn merge_groups<R: ?Sized>(
        &self,
        into: &mut GroupByAccumulator<<E::Key as Key>::Owned, A::Accumulator>,
        from: &GroupByAccumulator<<E::Key as Key>::Owned, A::Accumulator>,
    ) -> Result<(), Error>
    where
        E: KeyOf<R>,
        A: Aggregate<R>,
    {
        for (key, group) in from.groups.iter() {
            let Some(known) = into.groups.get_mut(key.borrow()) else {
                let mut group = group.clone();
                if into.prepared {
                    self.prepare_group::<R>(&mut group);
                }
                into.heap_bytes += self.group_heap_bytes::<R>(key, &group);
                into.groups.insert_new(key.clone(), group);
                continue;
            };
            let before = self.inner.state_bytes(&known.accumulator);
            self.inner.merge(&mut known.accumulator, &group.accumulator)?;
            known.records = known.records.saturating_add(group.records);
            into.heap_bytes = (into.heap_bytes + self.inner.state_bytes(&known.accumulator))
                .saturating_sub(before);
        }
        Ok(())
    }
}

impl<E, A> GroupBy<E, A> {
    fn prepare_group<R: ?Sized>(&self, group: &mut Group<A::Accumulator>)
    where
        A: Aggregate<R>,
    {
        if let Some(inverse) = self.inner.inverse() {
            inverse.prepare(&mut group.accumulator);
        }
    }
}

impl<R: ?Sized, E: KeyOf<R>, A: Aggregate<R>> Aggregate<R> for GroupBy<E, A> {
    type Accumulator = GroupByAccumulator<<E::Key as Key>::Owned, A::Accumulator>;
    type Output = Groups<<E::Key as Key>::Owned, A::Output>;

    fn validate(&self) -> Result<(), Error> {
        if self.groups_max == 0 {
            return Err(Error::invalid("groups_max of 0; at least 1 group is needed"));
        }
        self.inner.validate()
    }

    fn init(&self) -> Self::Accumulator {
        GroupByAccumulator {
            groups: Table::default(),
            other: None,
            threshold: None,
            overflow_failed: false,
            prepared: false,
            heap_bytes: 0,
        }
    }

    #[inline]
    fn check(&self, accumulator: Option<&Self::Accumulator>, record: &R) -> Result<(), Error> {
        let may_refuse = self.overflow == Overflow::Error
            || accumulator.is_some_and(|state| state.overflow_failed);
        if !self.inner.hints().checks_accumulator && !may_refuse {
            return self.inner.check(None, record);
        }
        match accumulator {
            Some(state) => self.check_group(state, record, may_refuse),
            None => self.inner.check(None, record),
        }
    }

    #[inline]
    fn add(&self, accumulator: &mut Self::Accumulator, record: &R, time: Timestamp) {
        let key = LookupKey(self.key.key(record));
        let tag = accumulator.groups.tag_of(&key);
        let Some(group) = accumulator.groups.get_mut_of_tag(tag, &key) else {
            return self.add_new(accumulator, (record, time), (&key.0, tag));
        };
        group.records += 1;
        self.change::<R, _>(&mut group.accumulator, &mut accumulator.heap_bytes, |inner| {
            self.inner.add(inner, record, time)
        });
    }

    /// Looks up the group only once.
    #[inline]
    fn try_add(
        &self,
        accumulator: &mut Self::Accumulator,
        record: &R,
        time: Timestamp,
    ) -> Result<(), Error> {
        let key = LookupKey(self.key.key(record));
        let tag = accumulator.groups.tag_of(&key);
        let Some(group) = accumulator.groups.get_mut_of_tag(tag, &key) else {
            return self.try_add_new(accumulator, (record, time), (&key.0, tag));
        };
        self.change::<R, _>(&mut group.accumulator, &mut accumulator.heap_bytes, |inner| {
            self.inner.try_add(inner, record, time)
        })?;
        group.records += 1;
        Ok(())
    }

    fn merge(&self, into: &mut Self::Accumulator, from: &Self::Accumulator) -> Result<(), Error> {
        if self.overflow == Overflow::Error {
            // Counted first, so that a refused merge changes nothing.
            let new =
                from.groups.keys().filter(|key| !into.groups.contains_key((*key).borrow())).count();
            if into.groups.len() + new > self.groups_max {
                return Err(self.refusal());
            }
        }
        if let Some(from) = &from.other {
            let before = self.heap_bytes_of_other::<R>(into.other.as_ref());
            let other = into
                .other
                .get_or_insert_with(|| Group { records: 0, accumulator: self.inner.init() });
            self.inner.merge(&mut other.accumulator, &from.accumulator)?;
            other.records = other.records.saturating_add(from.records);
            let after = self.heap_bytes_of_other::<R>(into.other.as_ref());
            into.heap_bytes = (into.heap_bytes + after).saturating_sub(before);
        }
        into.overflow_failed |= from.overflow_failed;
        if let Some(threshold) = &from.threshold
            && into.threshold.as_ref().is_none_or(|kept| threshold < kept)
        {
            into.threshold = Some(threshold.clone());
        }
        self.merge_groups(into, from)?;
        if into.groups.len() > self.groups_held_max() && !into.overflow_failed {
            self.move_largest_to_other::<R>(into);
        }
        Ok(())
    }

    fn inverse(&self) -> Option<&dyn Invertible<R, Self::Accumulator>> {
        self.inner.inverse().map(|_| self as _)
    }

    fn per_group(&self) -> Option<&dyn PerGroup<R, Self::Accumulator>> {
        Some(self)
    }

    fn visit_parts<V: PartsVisitor<R, Self>>(&self, visitor: V) -> V::Output {
        visitor.visit::<ByKey>()
    }

    #[inline]
    fn is_spread(&self, accumulator: &Self::Accumulator) -> bool {
        accumulator.groups.len() >= SPREAD_MIN
    }

    #[inline]
    fn prefetch(&self, accumulator: &Self::Accumulator, record: &R, reads: Reads) {
        let key = LookupKey(self.key.key(record));
        match reads {
            Reads::Place => accumulator.groups.prefetch_place(&key),
            Reads::Row => accumulator.groups.prefetch_row(&key),
        }
    }

    fn output(&self, accumulator: &Self::Accumulator) -> Self::Output {
        let groups: Vec<_> = accumulator.groups.iter().collect();
        let keys: Vec<_> = groups.iter().map(|(key, _)| *key).collect();
        let mut order = positions_in_order::<E::Key>(&keys);
        let past = order.split_off(self.groups_max.max(1).min(order.len()));
        let at = |position: usize| groups.get(position).copied();
        let answer = |(key, group): (&<E::Key as Key>::Owned, &Group<A::Accumulator>)| {
            (key.clone(), self.inner.output(&group.accumulator))
        };
        let mut rows: Vec<_> = order.into_iter().filter_map(at).map(answer).collect();
        if past.is_empty() {
            let other = accumulator.other.as_ref();
            return Groups {
                rows,
                other: other.map(|other| Other {
                    records: other.records,
                    value: self.inner.output(&other.accumulator),
                }),
            };
        }
        let mut other = accumulator
            .other
            .clone()
            .unwrap_or_else(|| Group { records: 0, accumulator: self.inner.init() });
        for (key, group) in past.into_iter().filter_map(at) {
            match self.inner.merge(&mut other.accumulator, &group.accumulator) {
                Ok(()) => other.records = other.records.saturating_add(group.records),
                Err(_) => rows.push(answer((key, group))),
            }
        }
        Groups {
            rows,
            other: Some(Other {
                records: other.records,
                value: self.inner.output(&other.accumulator),
            }),
        }
    }

    /// O(1). The heap bytes of keys and inner accumulators are counted as they grow. The table
    /// counts as one that was built for the present number of groups.
    fn state_bytes(&self, accumulator: &Self::Accumulator) -> usize {
        let groups = accumulator.groups.len();
        size_of_val(accumulator)
            + Table::<<E::Key as Key>::Owned, Group<A::Accumulator>>::bytes(groups)
            + accumulator.heap_bytes
    }

    fn persistence(&self) -> Result<&dyn Persistence<R, Self::Accumulator>, Error> {
        self.inner.persistence()?;
        Ok(self)
    }

    #[inline]
    fn hints(&self) -> Hints {
        Hints::UNKNOWN
    }
}

#[cfg(feature = "spec")]
impl<R: ?Sized, E: KeyOf<R>, A: Aggregate<R>> super::Growth<R> for GroupBy<E, A> {
    /// 0 if all groups exist and their accumulators do not grow.
    fn growth_max(&self, into: &Self::Accumulator, from: &Self::Accumulator) -> usize {
        let alone = from.other.is_none() && from.threshold.is_none() && !self.inner.hints().grows;
        match alone && from.groups.keys().all(|key| into.groups.contains_key(key.borrow())) {
            true => 0,
            false => self.state_bytes(into) + 2 * self.state_bytes(from),
        }
    }
}

impl<R: ?Sized, E: KeyOf<R>, A: Aggregate<R>>
    Invertible<R, GroupByAccumulator<<E::Key as Key>::Owned, A::Accumulator>> for GroupBy<E, A>
{
    fn prepare(
        &self,
        accumulator: &mut GroupByAccumulator<<E::Key as Key>::Owned, A::Accumulator>,
    ) {
        accumulator.prepared = true;
        accumulator.groups.values_mut().for_each(|group| self.prepare_group::<R>(group));
        self.recount_heap_bytes::<R>(accumulator);
    }

    fn is_exact(
        &self,
        accumulator: &GroupByAccumulator<<E::Key as Key>::Owned, A::Accumulator>,
    ) -> bool {
        let Some(inverse) = self.inner.inverse() else { return false };
        // The keys of the records in `other` are no longer known.
        accumulator.other.is_none()
            && accumulator.threshold.is_none()
            && accumulator
                .groups
                .values()
                .all(|group| group.records < u64::MAX && inverse.is_exact(&group.accumulator))
    }

    fn subtract(
        &self,
        from: &mut GroupByAccumulator<<E::Key as Key>::Owned, A::Accumulator>,
        part: &GroupByAccumulator<<E::Key as Key>::Owned, A::Accumulator>,
    ) -> bool {
        let Some(inverse) = self.inner.inverse() else { return false };
        for (key, group) in part.groups.iter() {
            let Some(known) = from.groups.get_mut(key.borrow()) else { return false };
            let before = self.group_heap_bytes::<R>(key, known);
            let rest = known.records.checked_sub(group.records);
            known.records = rest.unwrap_or(0);
            if rest.is_none() || !inverse.subtract(&mut known.accumulator, &group.accumulator) {
                return false;
            }
            let after = if known.records == 0 { 0 } else { self.group_heap_bytes::<R>(key, known) };
            from.heap_bytes = (from.heap_bytes + after).saturating_sub(before);
            if known.records == 0 {
                from.groups.remove(key.borrow());
            }
        }
        true
    }
}
