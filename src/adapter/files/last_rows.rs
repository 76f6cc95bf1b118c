//! The rows of the windows that are still open at the end of the input.

use crate::engine::Control;
use crate::error::Error;
use crate::rows::{FinishedRows, RowEmission, RowPipeline};
use std::num::NonZeroUsize;

/// Maximum rows that are computed ahead: about 20 MB for each thread. Later rows are computed when
/// they are due.
const ROWS_AHEAD_MAX: usize = 1 << 16;

/// Ends the input of a pipeline. `take` gets a function that fills in the rows of all open windows,
/// one by one, and returns false after the last one. With several threads and many windows to
/// merge, later rows are computed while earlier ones are used. The rows and their order do not
/// depend on the threads.
///
/// The groups of the last answers stay in memory until the pipeline is dropped.
///
/// The function fails like [`RowPipeline::fill_next`].
///
/// # Example
/// ```
/// use std::num::NonZeroUsize;
/// use streamgauge::adapter::files::last_rows;
/// use streamgauge::query::PipelineSpec;
/// use streamgauge::rows::{CompileOptions, RowEmission};
/// use streamgauge::{Control, ShardId, Timestamp};
///
/// let spec = PipelineSpec::from_toml("agg = \"count\"\n", "hits.toml")?;
/// let mut pipeline = spec.compile(&CompileOptions::default())?;
/// let shard = pipeline.open_shard(ShardId::new("hits"))?;
/// let mut row = pipeline.new_row();
/// pipeline.push(shard, &mut row, Timestamp::from_millis(0), None)?;
///
/// last_rows(&mut pipeline, NonZeroUsize::MIN, |next| {
///     let mut row = RowEmission::default();
///     while next(&mut row)? {
///         assert_eq!(row.values[0].to_string(), "1");
///     }
///     Ok(())
/// })?;
/// # Ok::<(), streamgauge::Error>(())
/// ```
pub fn last_rows<R>(
    pipeline: &mut RowPipeline,
    threads: NonZeroUsize,
    take: impl FnOnce(&mut dyn FnMut(&mut RowEmission) -> Result<bool, Error>) -> R,
) -> R {
    pipeline.finish();
    pipeline.keep_last_answers();
    let parts = pipeline.split_finished(threads);
    std::thread::scope(|scope| {
        // The first part gets a thread, too, although this thread could compute it: the system may
        // put a new thread on the core of the thread that started it, where it would wait for this
        // one.
        let parts: Vec<_> =
            parts.into_iter().map(|part| scope.spawn(|| Ahead::compute(part))).collect();
        let mut parts = parts.into_iter();
        let mut part: Option<Ahead> = None;
        take(&mut |row| {
            loop {
                let is_filled = match &mut part {
                    None => pipeline.fill_next(row)?,
                    Some(part) => part.fill_next(row)?,
                };
                if is_filled {
                    return Ok(true);
                }
                let Some(later) = parts.next() else { return Ok(false) };
                let joined = later.join();
                part = Some(joined.unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
            }
        })
    })
}

/// The answers of later windows, computed ahead.
struct Ahead {
    rows: std::vec::IntoIter<RowEmission>,
    /// Why it stopped: an error, or the limit; then the part may have more rows.
    then: Result<FinishedRows, Option<Error>>,
}

impl Ahead {
    /// Computes rows up to the limit.
    fn compute(mut part: FinishedRows) -> Ahead {
        let mut rows = Vec::new();
        while rows.len() < ROWS_AHEAD_MAX {
            match part.next_emission() {
                Ok(Some(row)) => rows.push(row),
                Ok(None) => break,
                Err(error) => return Ahead { rows: rows.into_iter(), then: Err(Some(error)) },
            }
        }
        Ahead { rows: rows.into_iter(), then: Ok(part) }
    }

    /// Fills `row` with the next row.
    fn fill_next(&mut self, row: &mut RowEmission) -> Result<bool, Error> {
        match (self.rows.next(), &mut self.then) {
            (Some(next), _) => {
                *row = next;
                Ok(true)
            }
            (None, Ok(part)) => part.fill_next(row),
            (None, Err(error)) => error.take().map_or(Ok(false), Err),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::PipelineSpec;
    use crate::record::ShardId;
    use crate::rows::CompileOptions;
    use crate::time::Timestamp;

    fn last(pipeline: &mut RowPipeline) -> Vec<String> {
        last_rows(pipeline, NonZeroUsize::MIN, |next| {
            let (mut row, mut rows) = (RowEmission::default(), Vec::new());
            while next(&mut row).unwrap() {
                rows.push(format!("{} {}", row.group[0], row.values[0]));
            }
            rows
        })
    }

    #[test]
    fn a_pipeline_whose_last_groups_are_in_memory_can_be_restored() {
        let spec = PipelineSpec::from_toml("group = 'user'\nagg = 'count'\n", "test").unwrap();
        let mut pipeline = spec.compile(&CompileOptions::default()).unwrap();
        let shard = pipeline.open_shard(ShardId::new("a")).unwrap();
        for user in ["d", "a", "c", "b", "e", "a"] {
            let time = Timestamp::from_millis(0);
            pipeline.push_fields(shard, &[("user", &user)], time, None).unwrap();
        }
        let before = pipeline.snapshot().unwrap();
        let expected = ["a 2", "b 1", "c 1", "d 1", "e 1"];
        assert_eq!(last(&mut pipeline), expected);
        assert!(!pipeline.fill_next(&mut RowEmission::default()).unwrap());
        // Also if the rows were not all fetched.
        for fetched in 0..4 {
            pipeline.restore(&before).unwrap();
            pipeline.finish();
            (0..fetched).for_each(|_| assert!(pipeline.next_emission().unwrap().is_some()));
            pipeline.restore(&before).unwrap();
            assert_eq!(last(&mut pipeline), expected);
        }
    }
}
