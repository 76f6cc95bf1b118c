//! The encoding of space-saving: the rows in the order of their keys, front-coded, then the filter.

use super::{Lookup, SpaceSaving};
use crate::codec::{FrontReader, FrontWriter, Reader, Writer};
use crate::error::{Error, ErrorKind};
use crate::key::Key;
use crate::sketch::space_saving::filter::Filter;
use crate::sorted_keys::SortedKeys;
use std::borrow::Borrow;

impl<K: Key + ?Sized> SpaceSaving<K> {
    /// Writes the content of the sketch. The reader must know capacity and seed. Equal contents
    /// give equal bytes. O(n log n).
    ///
    /// A row takes about 9 bytes for keys such as URLs while exact, and one or two more after that.
    /// Then the cells of the filter are added.
    ///
    /// # Example
    /// ```
    /// use streamgauge::codec::{Reader, Writer};
    /// use streamgauge::sketch::SpaceSaving;
    /// let mut pages = SpaceSaving::<str>::with_capacity(100)?;
    /// pages.add("/a", 3);
    /// let mut writer = Writer::new();
    /// pages.encode(&mut writer);
    /// let bytes = writer.into_bytes();
    /// let read = SpaceSaving::<str>::with_capacity(100)?.decode(&mut Reader::new(&bytes))?;
    /// assert_eq!(read.top(10), pages.top(10));
    /// # Ok::<(), streamgauge::Error>(())
    /// ```
    pub fn encode(&self, writer: &mut Writer) {
        writer.u64(self.total);
        self.filter.encode(writer);
        if self.dead() > 0 {
            return self.clone().encode_rows(writer);
        }
        self.encode_rows(writer);
    }

    fn encode_rows(&self, writer: &mut Writer) {
        writer.usize(self.rows.len());
        let keys = SortedKeys::new::<K>(self.rows.keys().iter());
        let mut front = FrontWriter::new();
        for (key, index) in keys.iter() {
            let Some(row) = self.rows.get(index) else { continue };
            front.write(writer, key);
            writer.u64(row.count);
            // An exact sketch has no errors.
            if !self.is_exact() {
                writer.u64(row.error);
            }
        }
    }

    /// Reads a sketch of this capacity and seed. The content of `self` does not matter.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] if the bytes hold no such sketch, [`ErrorKind::LimitExceeded`] if it
    /// has more rows than this capacity allows.
    ///
    /// # Example
    /// ```
    /// use streamgauge::codec::{Reader, Writer};
    /// use streamgauge::sketch::SpaceSaving;
    /// let mut numbers = SpaceSaving::<u64>::with_capacity(1_000)?;
    /// (0..1_000).for_each(|number| numbers.add(&number, 1));
    /// let mut writer = Writer::new();
    /// numbers.encode(&mut writer);
    /// let bytes = writer.into_bytes();
    /// // Foreign bytes cannot make a sketch larger than its capacity.
    /// assert!(SpaceSaving::<u64>::with_capacity(10)?.decode(&mut Reader::new(&bytes)).is_err());
    /// assert!(SpaceSaving::<u64>::with_capacity(10)?.decode(&mut Reader::new(b"noise")).is_err());
    /// # Ok::<(), streamgauge::Error>(())
    /// ```
    pub fn decode(&self, reader: &mut Reader<'_>) -> Result<Self, Error> {
        let mut sketch = SpaceSaving::with_capacity(self.capacity)?.seeded(self.seed);
        sketch.total = reader.u64()?;
        sketch.filter = Filter::decode(reader, self.capacity)?;
        let exact = sketch.is_exact();
        let rows = reader.count(if exact { 2 } else { 3 })?;
        if rows > self.rows_max() {
            let message =
                format!("a top-k of {rows} rows is over what {} counters allow", self.capacity);
            return Err(Error::new(ErrorKind::LimitExceeded, message));
        }
        let mut front = FrontReader::new();
        for _ in 0..rows {
            let key = K::from_bytes(front.read(reader)?)
                .ok_or_else(|| reader.corrupt("these bytes are not a key"))?;
            let count = reader.u64()?;
            let error = if exact { 0 } else { reader.u64()? };
            if error > count {
                return Err(reader.corrupt("a row's error is above its count"));
            }
            let borrowed: &K = key.borrow();
            let tag = sketch.tag(&borrowed);
            if let Lookup::Vacant(place) = sketch.find(&borrowed, tag) {
                sketch.enter(key, (place, tag), (count, error));
            }
        }
        Ok(sketch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn through_bytes(sketch: &SpaceSaving<str>) -> SpaceSaving<str> {
        let mut writer = Writer::new();
        sketch.encode(&mut writer);
        let bytes = writer.into_bytes();
        let mut reader = Reader::new(&bytes);
        let read = sketch.decode(&mut reader).unwrap();
        reader.finish().unwrap();
        let mut again = Writer::new();
        read.encode(&mut again);
        assert_eq!(again.into_bytes(), bytes);
        read
    }

    fn state(sketch: &SpaceSaving<str>) -> String {
        format!("{:?} {:?} {:?}", sketch, sketch.top(usize::MAX), sketch.filter)
    }

    proptest! {
        #[test]
        fn a_sketch_that_was_read_goes_on_as_the_one_that_was_written(
            capacity in 1usize..6,
            before in prop::collection::vec((0u8..40, 1u64..9), 0..120),
            after in prop::collection::vec((0u8..40, 1u64..9), 0..60),
            cut in prop::option::of(1usize..6),
        ) {
            let mut sketch = SpaceSaving::<str>::with_capacity(capacity).unwrap();
            before.iter().for_each(|(key, weight)| sketch.add(&format!("/page/{key}"), *weight));
            if let Some(rows) = cut {
                sketch.cut_to(rows);
            }
            let mut read = through_bytes(&sketch);
            prop_assert_eq!(state(&read), state(&sketch));
            for (key, weight) in &after {
                sketch.add(&format!("/page/{key}"), *weight);
                read.add(&format!("/page/{key}"), *weight);
            }
            prop_assert_eq!(state(&read), state(&sketch));
            let (mut left, mut right) = (sketch.clone(), read.clone());
            left.merge(&read).unwrap();
            right.merge(&sketch).unwrap();
            prop_assert_eq!(state(&left), state(&right));
        }

        /// The bounds hold after any cuts, adds and merges.
        #[test]
        fn a_cut_keeps_the_bounds(
            parts in prop::collection::vec((prop::collection::vec(0u8..60, 0..80), 1usize..8, prop::collection::vec(0u8..60, 0..40)), 1..4),
        ) {
            let mut exact = std::collections::BTreeMap::<String, u64>::new();
            let mut whole = SpaceSaving::<str>::with_capacity(8).unwrap();
            for (before, rows, after) in &parts {
                let mut sketch = SpaceSaving::<str>::with_capacity(8).unwrap();
                before.iter().for_each(|key| sketch.add(&key.to_string(), 1));
                sketch.cut_to(*rows);
                after.iter().for_each(|key| sketch.add(&key.to_string(), 1));
                before
                    .iter()
                    .chain(after)
                    .for_each(|key| *exact.entry(key.to_string()).or_default() += 1);
                whole.merge(&through_bytes(&sketch)).unwrap();
            }
            let total: u64 = exact.values().sum();
            let rows = parts.iter().map(|(_, rows, _)| *rows as u64).min().unwrap();
            prop_assert!(
                whole.error_max() <= total / (rows + 1),
                "{} of {total} in {rows} \
                        rows",
                whole.error_max()
            );
            for (key, count) in &exact {
                let said = whole.estimate(key);
                prop_assert!(
                    said.lower <= *count && *count <= said.upper,
                    "{key}: {count} in \
                            {said:?}"
                );
            }
        }

        #[test]
        fn any_bytes_give_a_sketch_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let shape = SpaceSaving::<str>::with_capacity(3).unwrap();
            if let Ok(mut sketch) = shape.decode(&mut Reader::new(&bytes)) {
                sketch.add("a", 1);
                sketch.top(3);
                let _ = sketch.clone().merge(&sketch);
            }
        }
    }

    #[test]
    fn ten_thousand_rows_take_at_most_12_characters_of_base64_each() {
        let mut sketch = SpaceSaving::<str>::with_capacity(10_000).unwrap();
        for rank in 1..=10_000u64 {
            // Keys like URLs of 20 to 40 bytes, Zipf 1.1.
            let id = crate::hash::hash_u64(crate::hash::Seed::new(1), rank) % 1_000_000;
            let key = format!("/shop/category-{:02}/product/{id:06}", id % 40);
            sketch.add(&key, (1e6 / (rank as f64).powf(1.1)) as u64 + 1);
        }
        let mut writer = Writer::new();
        sketch.encode(&mut writer);
        let base64 = (writer.len().div_ceil(3) * 4) as f64 / sketch.len() as f64;
        assert!(base64 <= 12.0, "{base64} characters a row");
    }
}
