//! Partials in a store.

use super::{Store, VersionedBytes};
use crate::error::{Error, ErrorKind};
use crate::hash::hash_bytes_wide;
use crate::snapshot::Partial;
use crate::window::Window;

/// Characters of a source's name that appear in a key.
const SOURCE_CHARS: usize = 24;

/// Number of attempts of a put, if another process puts the same key at the same time.
const TRIES: usize = 16;

/// Stores the last partial of each window and source in a [`Store`], for a
/// [`Merger`](crate::merger::Merger) in another process.
///
/// A key is `<start of the window>.<end of the window>.<source>.<hash of the source>`, with times
/// in milliseconds since the epoch, or `all..` for the global window.
///
/// # Example
/// ```
/// use streamgauge::prelude::*;
/// use streamgauge::store::{MemoryStore, PartialStore};
/// # let mut pipeline = Pipeline::builder().aggregate(count()).build()?;
/// # pipeline.push("a line")?;
/// # pipeline.finish();
/// # let partial = pipeline.next_partial("shard-0")?.expect("the input has ended");
/// let store = PartialStore::new(MemoryStore::new());
/// store.put(&partial)?; // in the process of the source
/// let received = store.partials()?.collect::<Result<Vec<_>, Error>>()?; // in that of the merger
/// assert_eq!(received[0].source(), "shard-0");
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct PartialStore<S>(S);

impl<S: Store> PartialStore<S> {
    /// Uses this store, which must hold nothing but partials.
    ///
    /// # Example
    /// ```
    /// use std::sync::Arc;
    /// use streamgauge::store::{MemoryStore, PartialStore};
    /// // Several owners of one store, by any pointer.
    /// let store = Arc::new(MemoryStore::new());
    /// let (writer, reader) = (PartialStore::new(store.clone()), PartialStore::new(store));
    /// # let _ = writer;
    /// assert_eq!(reader.partials()?.count(), 0);
    /// # Ok::<(), streamgauge::Error>(())
    /// ```
    pub fn new(store: S) -> Self {
        PartialStore(store)
    }

    /// Stores the partial, unless the store already has it or one that
    /// [supersedes](Partial::supersedes) it.
    ///
    /// Cost: one load and one conditional save.
    ///
    /// # Errors
    /// The errors of the store, and [`ErrorKind::Corrupt`] if its content is not a partial.
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// use streamgauge::store::{MemoryStore, PartialStore};
    /// # let mut pipeline = Pipeline::builder().aggregate(count()).build()?;
    /// # pipeline.push("a line")?;
    /// # pipeline.finish();
    /// # let partial = pipeline.next_partial("shard-0")?.expect("the input has ended");
    /// let store = PartialStore::new(MemoryStore::new());
    /// store.put(&partial.with_revision(1)?)?;
    /// store.put(&partial)?; // came late: the higher revision stays
    /// let revisions: Vec<u32> =
    ///     store.partials()?.map(|found| Ok(found?.revision())).collect::<Result<_, Error>>()?;
    /// assert_eq!(revisions, [1]);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn put(&self, partial: &Partial) -> Result<(), Error> {
        let key = key_of(partial.window(), partial.source());
        let mut conflict = None;
        for _ in 0..TRIES {
            let found = self.0.load(&key)?;
            if let Some(VersionedBytes { bytes, .. }) = &found
                && !partial.supersedes(
                    &Partial::from_bytes(bytes.clone()).map_err(|error| error.at(&key))?,
                )
            {
                return Ok(());
            }
            match self.0.save(
                &key,
                partial.bytes().clone(),
                found.as_ref().map(|found| &found.version),
            ) {
                Ok(_) => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Conflict => conflict = Some(error),
                Err(error) => return Err(error),
            }
        }
        Err(conflict.unwrap_or_else(|| Error::new(ErrorKind::Conflict, key)))
    }

    /// Removes the partial of a window and source, if there is one: the source has no record of the
    /// window any more.
    ///
    /// # Errors
    /// Those of the store.
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// use streamgauge::store::{MemoryStore, PartialStore};
    /// # let mut pipeline = Pipeline::builder().aggregate(count()).build()?;
    /// # pipeline.push("a line")?;
    /// # pipeline.finish();
    /// # let partial = pipeline.next_partial("shard-0")?.expect("the input has ended");
    /// let store = PartialStore::new(MemoryStore::new());
    /// store.put(&partial)?;
    /// store.remove(partial.window(), "shard-1")?; // another source: does nothing
    /// assert_eq!(store.partials()?.count(), 1);
    /// store.remove(partial.window(), "shard-0")?;
    /// assert_eq!(store.partials()?.count(), 0);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn remove(&self, window: Option<Window>, source: &str) -> Result<(), Error> {
        self.0.delete(&key_of(window, source))
    }

    /// Returns all partials, in the order of their keys. Loads one at a time.
    ///
    /// # Errors
    /// The errors of the store, and [`ErrorKind::Corrupt`] as an item for content that is not a
    /// partial.
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// use streamgauge::store::{MemoryStore, PartialStore, Store};
    /// let store = MemoryStore::new();
    /// store.save("noise", b"not a partial".as_slice().into(), None)?;
    /// let found = PartialStore::new(&store).partials()?.next().expect("one key");
    /// // An item that names the damaged key. The items after it are still returned.
    /// assert!(found.is_err_and(|error| error.message().starts_with("noise: ")));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn partials(&self) -> Result<impl Iterator<Item = Result<Partial, Error>> + '_, Error> {
        let keys = self.0.list("")?;
        // Skips a key that was deleted since the list was read.
        Ok(keys.into_iter().filter_map(|key| match self.0.load(&key) {
            Ok(None) => None,
            Ok(Some(stored)) => {
                Some(Partial::from_bytes(stored.bytes).map_err(|error| error.at(&key)))
            }
            Err(error) => Some(Err(error)),
        }))
    }
}

fn key_of(window: Option<Window>, source: &str) -> String {
    let window = match window {
        Some(window) => format!("{}.{}", window.start().as_millis(), window.end().as_millis()),
        None => "all.".to_owned(),
    };
    let shown: String = source
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' })
        .take(SOURCE_CHARS)
        .collect();
    format!("{window}.{shown}.{:016x}", hash_bytes_wide(source.as_bytes()) as u64)
}

#[cfg(test)]
mod tests {
    use super::super::MemoryStore;
    use super::*;
    use crate::aggregate::count;
    use crate::engine::Control;
    use crate::pipeline::Pipeline;
    use crate::time::Timestamp;
    use crate::window::Tumbling;
    use std::time::Duration;

    fn partial(source: &str, records: usize) -> Partial {
        let builder = Pipeline::builder()
            .event_time(|at: &i64| Timestamp::from_millis(*at))
            .window(Tumbling::new(Duration::from_secs(1)).unwrap());
        let mut pipeline = builder.aggregate(count()).build().unwrap();
        pipeline.push_batch(&vec![-5; records]).unwrap();
        pipeline.finish();
        pipeline.next_partial(source).unwrap().unwrap()
    }

    #[test]
    fn the_later_partial_of_a_window_and_source_stays() {
        let store = PartialStore::new(MemoryStore::new());
        let long = "s3://bucket/a very long name of a source, longer than a key may be".repeat(3);
        for source in ["a", "b", &long] {
            for records in [2, 3, 1, 3] {
                store.put(&partial(source, records)).unwrap();
            }
        }
        let kept: Vec<Partial> = store.partials().unwrap().map(Result::unwrap).collect();
        assert_eq!(kept.len(), 3);
        for partial_kept in kept {
            let expected = (1..=3)
                .map(|records| partial(partial_kept.source(), records))
                .reduce(|a, b| if b.supersedes(&a) { b } else { a })
                .unwrap();
            assert_eq!(partial_kept.bytes(), expected.bytes());
        }
    }

    #[test]
    fn what_is_no_partial_is_an_error_that_names_the_key() {
        let memory = MemoryStore::new();
        memory.save("note", b"text"[..].into(), None).unwrap();
        let store = PartialStore::new(memory);
        let error = store.partials().unwrap().next().unwrap().unwrap_err();
        assert!(error.to_string().starts_with("note"), "{error}");
    }
}
