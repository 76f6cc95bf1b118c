//! Merges partials of a declared pipeline.

use super::answers::AnswerPlan;
use super::pending_rows::PendingRows;
use super::row_aggregate::RowAggregate;
use super::row_pipeline::{OutputColumn, RowPipeline};
use crate::engine::Emission;
use crate::error::Error;
use crate::merger::{Merger, MergerControl, MergerOptions};
use crate::row::Row;
use crate::rows::RowEmission;
use crate::rows::emission::RowLine;
use serde::{Serialize, Serializer};
use std::sync::Arc;

/// Merges partials of a declared pipeline into rows: a [`Merger`] with the pipeline's fields and
/// columns.
pub struct RowMerger {
    merger: Merger<Row, RowAggregate>,
    columns: Vec<OutputColumn>,
    answers: Arc<AnswerPlan>,
    /// The remaining rows of the current window.
    pending: PendingRows,
    /// The number of sources of the window with pending rows, and true if it was complete.
    origin: (usize, bool),
}

/// A row of a merged window.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub struct MergedRow {
    /// The row.
    pub emission: RowEmission,
    /// The number of merged sources.
    pub sources: usize,
    /// True if all expected sources have given their final partial.
    pub complete: bool,
}

/// The JSON of the row, with `"complete":false` where it is not complete.
impl Serialize for MergedRow {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        RowLine { row: &self.emission, complete: self.complete }.serialize(serializer)
    }
}

impl RowMerger {
    fn new(
        merger: Merger<Row, RowAggregate>,
        columns: Vec<OutputColumn>,
        answers: Arc<AnswerPlan>,
    ) -> Self {
        RowMerger { merger, columns, answers, pending: PendingRows::default(), origin: (0, false) }
    }

    /// Returns the grouped fields; empty without groups.
    pub fn group_names(&self) -> &[String] {
        &self.answers.form().group
    }

    /// Returns the columns of the answer.
    pub fn columns(&self) -> &[OutputColumn] {
        &self.columns
    }

    /// Returns the next row of the windows that are complete, past their deadline, or changed: by
    /// window end, then start, then group ascending.
    ///
    /// # Errors
    /// Those of [`Merger::next_merged`].
    pub fn next_row(&mut self) -> Result<Option<MergedRow>, Error> {
        let RowMerger { merger, answers, pending, origin, .. } = self;
        let row = pending.next(answers, || {
            Ok(merger.next_merged()?.map(|merged| {
                *origin = (merged.sources, merged.complete);
                Emission {
                    window: merged.window,
                    revision: merged.revision,
                    retracted: false,
                    value: merged.value,
                }
            }))
        })?;
        let (sources, complete) = self.origin;
        Ok(row.map(|emission| MergedRow { emission, sources, complete }))
    }
}

impl MergerControl for RowMerger {
    fn control(&self) -> &dyn MergerControl {
        &self.merger
    }

    fn control_mut(&mut self) -> &mut dyn MergerControl {
        &mut self.merger
    }

    fn is_due(&self) -> bool {
        !self.pending.is_empty() || self.merger.is_due()
    }
}

impl RowPipeline {
    /// Converts the pipeline into a merger of its partials.
    ///
    /// # Errors
    /// Those of [`Merger::new`]; [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument)
    /// for a pipeline that passes records on, whose rows are never merged, and for several queries,
    /// whose partials are not of one question: [split](RowPipeline::into_queries) them before.
    pub fn into_merger(self, options: MergerOptions) -> Result<RowMerger, Error> {
        self.check_merges()?;
        let RowPipeline { engine, columns, answers, .. } = self;
        Ok(RowMerger::new(Merger::new(engine, options)?, columns, answers))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Control;
    use crate::query::PipelineSpec;
    use crate::record::ShardId;
    use crate::rows::CompileOptions;
    use crate::snapshot::Partial;
    use crate::time::Timestamp;
    use bytes::Bytes;

    fn pipeline() -> RowPipeline {
        let toml = "group = \"country\"\nagg = \"count, sum(bytes), p50(bytes), distinct(bytes), \
                    top(2, bytes), min(bytes), first(bytes), stddev(bytes)\"\n";
        PipelineSpec::from_toml(toml, "test").unwrap().compile(&CompileOptions::default()).unwrap()
    }

    fn push(pipeline: &mut RowPipeline, records: &[&'static str]) {
        let shard = pipeline.open_shard(ShardId::new("a")).unwrap();
        let mut row = pipeline.new_row();
        for record in records {
            row.begin(&Bytes::from_static(record.as_bytes()));
            row.set_untyped(0, 0..2);
            row.set_untyped(1, 3..record.len());
            pipeline.push(shard, &mut row, Timestamp::from_millis(0), None).unwrap();
        }
    }

    const RECORDS: [&str; 6] = ["DE,200", "FR,7", "DE,0.5", "DE,200", "FR,-3", "IT,1e3"];

    fn whole() -> Vec<RowEmission> {
        let mut pipeline = pipeline();
        push(&mut pipeline, &RECORDS);
        pipeline.finish();
        std::iter::from_fn(|| pipeline.next_emission().unwrap()).collect()
    }

    #[test]
    fn merged_rows_equal_those_of_one_stream() {
        let options = MergerOptions { sources: Some(2), ..MergerOptions::default() };
        let mut merger = pipeline().into_merger(options).unwrap();
        for (source, records) in [("a", &RECORDS[..3]), ("b", &RECORDS[3..])] {
            let mut pipeline = pipeline();
            push(&mut pipeline, records);
            pipeline.finish();
            while let Some(partial) = pipeline.next_partial(source).unwrap() {
                merger
                    .add(
                        &Partial::from_bytes(partial.into_bytes()).unwrap(),
                        Timestamp::from_millis(0),
                    )
                    .unwrap();
            }
        }
        let rows: Vec<MergedRow> = std::iter::from_fn(|| merger.next_row().unwrap()).collect();
        assert!(rows.iter().all(|row| row.sources == 2 && row.complete));
        assert_eq!(rows.into_iter().map(|row| row.emission).collect::<Vec<_>>(), whole());
    }

    #[test]
    fn a_cut_at_any_row_changes_no_answer() {
        for cut in 0..=RECORDS.len() {
            let mut before = pipeline();
            push(&mut before, &RECORDS[..cut]);
            let snapshot = before.snapshot().unwrap();
            let mut after = pipeline();
            after.restore(&snapshot).unwrap();
            assert_eq!(after.snapshot().unwrap().bytes(), snapshot.bytes());
            push(&mut after, &RECORDS[cut..]);
            after.finish();
            let first = after.next_emission().unwrap();
            assert_eq!(
                after.snapshot().unwrap_err().kind(),
                crate::ErrorKind::InvalidArgument,
                "rows are left to be fetched"
            );
            assert!(after.control().snapshot().is_err(), "nor by the engine's control");
            let rest = std::iter::from_fn(|| after.next_emission().unwrap());
            assert_eq!(first.into_iter().chain(rest).collect::<Vec<_>>(), whole());
        }
    }
    #[test]
    fn a_restore_drops_the_rows_that_were_not_fetched() {
        let mut pipeline = pipeline();
        push(&mut pipeline, &RECORDS);
        let snapshot = pipeline.snapshot().unwrap();
        pipeline.finish();
        pipeline.next_emission().unwrap().expect("the first of three groups");
        pipeline.control_mut().restore(&snapshot).unwrap();
        assert_eq!(pipeline.snapshot().unwrap().bytes(), snapshot.bytes());
        pipeline.finish();
        let rows: Vec<_> = std::iter::from_fn(|| pipeline.next_emission().unwrap()).collect();
        assert_eq!(rows, whole());
    }
}
