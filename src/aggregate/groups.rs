//! The answers for every key.

use std::borrow::Borrow;
use std::ops::Deref;

/// The answer of [`group_by`](super::group_by()): the groups in ascending order of their keys.
/// Reads like a slice of pairs.
///
/// # Example
/// ```
/// use streamgauge::prelude::*;
/// let by_country = group_by(|country: &str| country, count());
/// let mut pipeline = Pipeline::builder().aggregate(by_country).build()?;
/// let groups = pipeline.over(["FR", "DE", "FR"]).next().expect("the input has ended").value;
/// let rows: Vec<String> = groups.iter().map(|(key, count)| format!("{key} {count}")).collect();
/// assert_eq!(rows, ["DE 1", "FR 2"]);
/// assert!(groups.other.is_none());
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Groups<K, V> {
    /// Each key with its answer, in ascending order of the keys.
    pub rows: Vec<(K, V)>,
    /// The records of all keys past the limit, if there are any.
    pub other: Option<Other<V>>,
}

/// The groups past the limit, together. Their number is unknown: to count distinct keys, use
/// [`distinct`](super::distinct()).
///
/// # Example
/// ```
/// use streamgauge::prelude::*;
/// let sizes = group_by_value(|size: &u64| *size, sum(|size: &u64| *size)).groups_max(1);
/// let mut pipeline = Pipeline::builder().aggregate(sizes).build()?;
/// let groups = pipeline.over([10, 20, 30]).next().expect("the input has ended").value;
/// let other = groups.other.expect("20 and 30 are past the limit");
/// assert_eq!((other.records, other.value), (2, 50)); // their answer, but not their number
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Other<V> {
    /// The number of their records.
    pub records: u64,
    /// The inner aggregate's answer for all these records.
    pub value: V,
}

impl<K, V> Groups<K, V> {
    /// Returns the answer of one group. O(log n).
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// let by_country = group_by(|country: &str| country, count());
    /// let mut pipeline = Pipeline::builder().aggregate(by_country).build()?;
    /// let groups = pipeline.over(["FR", "DE", "FR"]).next().expect("the input has ended").value;
    /// assert_eq!((groups.find("FR"), groups.find("IT")), (Some(&2), None));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn find<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        let index = self.rows.binary_search_by(|(row, _)| row.borrow().cmp(key)).ok()?;
        self.rows.get(index).map(|(_, value)| value)
    }
}

impl<K, V> Deref for Groups<K, V> {
    type Target = [(K, V)];

    fn deref(&self) -> &[(K, V)] {
        &self.rows
    }
}

impl<K, V> IntoIterator for Groups<K, V> {
    type Item = (K, V);
    type IntoIter = std::vec::IntoIter<(K, V)>;

    /// Returns the rows, without the records past the limit.
    fn into_iter(self) -> Self::IntoIter {
        self.rows.into_iter()
    }
}

impl<'a, K, V> IntoIterator for &'a Groups<K, V> {
    type Item = &'a (K, V);
    type IntoIter = std::slice::Iter<'a, (K, V)>;

    fn into_iter(self) -> Self::IntoIter {
        self.rows.iter()
    }
}
