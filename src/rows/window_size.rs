//! What the state of each open window is made of.

use super::pending_rows::group_values;
use super::row_aggregate::GroupSizes;
use super::row_pipeline::RowPipeline;
use crate::error::Error;
use crate::row::OutputValue;
use crate::window::Window;

/// The state of a window. Created by [`RowPipeline::next_size`].
///
/// # Example
/// ```
/// use streamgauge::prelude::*;
/// use streamgauge::query::PipelineSpec;
/// use streamgauge::rows::CompileOptions;
/// let spec = PipelineSpec::from_toml("group = 'country'\nagg = 'distinct(user)'", "p.toml")?;
/// let mut pipeline = spec.compile(&CompileOptions::default())?;
/// let shard = pipeline.open_shard(ShardId::new("a"))?;
/// for (country, user) in [("DE", 1), ("FR", 1), ("FR", 2)] {
///     let fields: [(&str, &dyn streamgauge::row::FieldValue); 2] =
///         [("country", &country), ("user", &user)];
///     pipeline.push_fields(shard, &fields, Timestamp::from_millis(0), None)?;
/// }
/// pipeline.finish();
/// let size = pipeline.next_size(1)?.expect("the input has ended");
/// assert_eq!((size.groups, size.largest.len()), (2, 1));
/// assert!(size.bytes >= size.largest[0].bytes);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, PartialEq, Debug, serde::Serialize)]
#[non_exhaustive]
pub struct WindowSize {
    /// The name of the query; `None` for a pipeline without queries.
    pub query: Option<String>,
    /// The window; `None` for a pipeline without windows.
    pub window: Option<Window>,
    /// Approximate bytes in memory.
    pub bytes: usize,
    /// The number of groups; 0 without groups.
    pub groups: usize,
    /// The groups that need the most bytes, in descending order.
    pub largest: Vec<GroupSize>,
}

/// The state of a group in a window.
///
/// # Example
/// ```
/// use streamgauge::rows::WindowSize;
/// fn largest_bytes(size: &WindowSize) -> usize {
///     size.largest.first().map_or(0, |group| group.bytes)
/// }
/// ```
#[derive(Clone, PartialEq, Debug, serde::Serialize)]
#[non_exhaustive]
pub struct GroupSize {
    /// The values of the grouped fields.
    pub group: Vec<OutputValue>,
    /// Approximate bytes in memory.
    pub bytes: usize,
}

impl RowPipeline {
    /// Returns the next window that [`next_emission`](RowPipeline::next_emission) would answer: its
    /// bytes and at most `largest_max` of its largest groups, instead of its rows.
    /// O(groups).
    ///
    /// # Errors
    /// Those of [`next_emission`](RowPipeline::next_emission).
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// use streamgauge::query::PipelineSpec;
    /// use streamgauge::rows::CompileOptions;
    /// let mut pipeline = PipelineSpec::default().compile(&CompileOptions::default())?;
    /// let shard = pipeline.open_shard(ShardId::new("a"))?;
    /// pipeline.push_fields(shard, &[], Timestamp::from_millis(0), None)?;
    /// pipeline.finish();
    /// assert_eq!(pipeline.next_size(10)?.map(|size| size.groups), Some(0));
    /// assert_eq!(pipeline.next_size(10)?, None);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn next_size(&mut self, largest_max: usize) -> Result<Option<WindowSize>, Error> {
        if let Some(size) = self.next_own_size(largest_max)? {
            return Ok(Some(size));
        }
        for other in &mut self.others {
            if let Some(size) = other.next_own_size(largest_max)? {
                return Ok(Some(size));
            }
        }
        Ok(None)
    }

    fn next_own_size(&mut self, largest_max: usize) -> Result<Option<WindowSize>, Error> {
        let found = self
            .engine
            .next_emission_with(|aggregate, content| aggregate.sizes(content.get(), largest_max))?;
        let Some(found) = found else { return Ok(None) };
        let GroupSizes { bytes, groups, largest } = found.value;
        let fields = self.form().group.len();
        let largest = largest
            .into_iter()
            .map(|(key, bytes)| GroupSize { group: group_values(&key, fields), bytes });
        Ok(Some(WindowSize {
            query: self.form().query.clone(),
            window: found.window,
            bytes,
            groups,
            largest: largest.collect(),
        }))
    }
}
