//! Rows taken many at a time: prepared, or aggregated too, by any thread, and pushed in their order
//! by one. The answers are those of [`RowPipeline::push`](super::RowPipeline::push).

#[cfg_attr(not(feature = "files"), allow(dead_code, reason = "files alone come in blocks"))]
mod finished_rows;
#[cfg_attr(not(feature = "files"), allow(dead_code, reason = "files alone come in blocks"))]
mod pipeline;
#[cfg_attr(not(feature = "files"), allow(dead_code, reason = "files alone come in blocks"))]
mod preaggregated_rows;
#[cfg_attr(not(feature = "files"), allow(dead_code, reason = "files alone come in blocks"))]
mod prepared_rows;
pub(super) mod preparer;
#[cfg_attr(not(feature = "files"), allow(dead_code, reason = "files alone come in blocks"))]
mod several;
#[cfg(test)]
mod tests;

#[cfg(feature = "files")]
pub(crate) use {
    finished_rows::FinishedRows, preaggregated_rows::PreaggregatedRows,
    prepared_rows::PreparedRows, preparer::RowPreparer,
};
