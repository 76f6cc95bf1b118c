//! The pipelines of the inputs.

use crate::adapter::files::late::Refusal;
use crate::engine::{Control, Shard};
use crate::error::{Error, ErrorKind};
use crate::record::ShardId;
use crate::row::{Row, Value};
use crate::rows::RowPipeline;
use crate::time::Timestamp;

/// The pipelines of a run over files: one for all inputs, or several.
#[derive(Debug)]
pub struct FilePipelines<'a> {
    pipelines: &'a mut [RowPipeline],
    /// The index of each input's pipeline; empty if there is one pipeline.
    of_inputs: Vec<usize>,
    /// The common shard of all inputs; `None` if each input is a shard with the input's name.
    shard: Option<ShardId>,
    /// The pipeline and the shard of each input that was opened.
    opened: Vec<(usize, Shard)>,
    /// The names of the inputs. The second occurrence of a name gets a number.
    names: Vec<String>,
    /// A pipeline that gets every further record, too.
    copy: Option<(RowPipeline, Shard)>,
    fields: Vec<String>,
    /// Slots of the fields that no record has had so far.
    unseen: Vec<usize>,
    records: u64,
    refused: u64,
    /// True if late records are reported.
    hands_out_late: bool,
    /// True if a record can be several rows.
    unnests: bool,
    /// True if records are passed on as rows.
    passes_on: bool,
}

impl<'a> FilePipelines<'a> {
    /// One pipeline for all inputs. Each input is a shard with the input's name.
    pub fn one(pipeline: &'a mut RowPipeline) -> Self {
        Self::new(std::slice::from_mut(pipeline), Vec::new(), None)
    }

    /// Several pipelines that were compiled from one specification. `of_inputs` has the index of
    /// each input's pipeline. Each input is the shard `shard` of its pipeline, whatever the input's
    /// name.
    pub fn several(
        pipelines: &'a mut [RowPipeline],
        of_inputs: Vec<usize>,
        shard: ShardId,
    ) -> Self {
        Self::new(pipelines, of_inputs, Some(shard))
    }

    fn new(
        pipelines: &'a mut [RowPipeline],
        of_inputs: Vec<usize>,
        shard: Option<ShardId>,
    ) -> Self {
        let fields = pipelines.first().map_or(&[][..], |pipeline| pipeline.fields()).to_vec();
        FilePipelines {
            unnests: pipelines.first().is_some_and(RowPipeline::unnests),
            passes_on: pipelines.first().is_some_and(RowPipeline::passes_on),
            pipelines,
            of_inputs,
            shard,
            opened: Vec::new(),
            names: Vec::new(),
            copy: None,
            unseen: (0..fields.len()).collect(),
            fields,
            records: 0,
            refused: 0,
            hands_out_late: false,
        }
    }

    /// Returns the pipeline of an opened input, and the input's shard in it.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] if there is no such input, or it was not opened.
    #[inline]
    pub fn of(&mut self, input: usize) -> Result<(&mut RowPipeline, Shard), Error> {
        let opened = self.opened.get(input).copied();
        match opened.and_then(|(index, shard)| Some((self.pipelines.get_mut(index)?, shard))) {
            Some(found) => Ok(found),
            None => Err(not_opened(input)),
        }
    }

    /// Returns the first pipeline.
    pub fn first(&self) -> Option<&RowPipeline> {
        self.pipelines.first()
    }

    /// Replaces the pipeline of an input by another one of the same specification. Returns the old
    /// one.
    ///
    /// # Errors
    /// Errors of [`of`](FilePipelines::of), and a limit on shards.
    pub fn replace(
        &mut self,
        input: usize,
        mut pipeline: RowPipeline,
    ) -> Result<RowPipeline, Error> {
        pipeline.hand_out_late(self.hands_out_late);
        let shard = self.shard.clone().unwrap_or_else(|| ShardId::new(self.name(input)));
        let shard = pipeline.open_shard(shard)?;
        let place = self.opened.get_mut(input).ok_or_else(|| not_opened(input))?;
        place.1 = shard;
        let old = self.pipelines.get_mut(place.0).ok_or_else(|| not_opened(input))?;
        Ok(std::mem::replace(old, pipeline))
    }

    /// Applies every record from now on to this pipeline, too. It must have the same specification.
    /// Call it before the tails of inputs are read, because tails come record by record.
    ///
    /// # Errors
    /// A limit on shards.
    pub fn copy_to(&mut self, mut pipeline: RowPipeline) -> Result<(), Error> {
        let shard = pipeline.open_shard(ShardId::new("copy"))?;
        self.copy = Some((pipeline, shard));
        Ok(())
    }

    /// Removes and returns the pipeline of [`copy_to`](FilePipelines::copy_to).
    pub fn take_copy(&mut self) -> Option<RowPipeline> {
        self.copy.take().map(|(pipeline, _)| pipeline)
    }

    /// Returns the fields that are read from the records.
    pub fn fields(&self) -> &[String] {
        &self.fields
    }

    /// Returns the fields that no record has had so far.
    pub fn unseen_fields(&self) -> impl Iterator<Item = &str> {
        self.unseen.iter().filter_map(|slot| self.fields.get(*slot)).map(String::as_str)
    }

    /// Returns the number of records so far, dead letters included, also after a failed run.
    pub fn records(&self) -> u64 {
        self.records
    }

    /// Returns the number of records so far that were decoded but not aggregated. They are dead
    /// letters.
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// Opens the next input.
    pub(super) fn open(&mut self, named: ShardId) -> Result<(), Error> {
        let input = self.opened.len();
        self.names.push(named.to_string());
        let index = match self.of_inputs.get(input) {
            Some(index) => *index,
            None if self.of_inputs.is_empty() => 0,
            None => return Err(not_opened(input)),
        };
        let pipeline = self.pipelines.get_mut(index).ok_or_else(|| not_opened(input))?;
        let shard = pipeline.open_shard(self.shard.clone().unwrap_or(named))?;
        // An earlier run may have read the input to its end, and it may have grown.
        pipeline.reopen_shard(shard);
        self.opened.push((index, shard));
        Ok(())
    }

    pub(super) fn name(&self, input: usize) -> &str {
        self.names.get(input).map_or("", String::as_str)
    }

    /// Returns true if a later input continues the shard of this one.
    pub(super) fn goes_on(&self, input: usize) -> bool {
        let mut later = self.opened.iter().skip(input);
        later.next().is_some_and(|place| later.any(|other| other == place))
    }

    /// Closes the shard of an input, unless a later input continues it.
    pub(super) fn close(&mut self, input: usize) {
        if let (false, Ok((pipeline, shard))) = (self.goes_on(input), self.of(input)) {
            pipeline.close_shard(shard);
        }
    }

    /// Sets whether windows wait for an input, as a log that is written to.
    pub(super) fn set_waited_for(
        &mut self,
        input: usize,
        is_waited_for: bool,
    ) -> Result<(), Error> {
        let (pipeline, shard) = self.of(input)?;
        match is_waited_for {
            true => pipeline.reopen_shard(shard),
            false => pipeline.close_shard(shard),
        }
        Ok(())
    }

    /// Closes the shards that earlier runs have read, so that no window waits for them.
    pub(super) fn close_all(&mut self) -> Result<(), Error> {
        for pipeline in self.pipelines.iter_mut() {
            for shard in pipeline.shards().to_vec() {
                let shard = pipeline.open_shard(shard)?;
                pipeline.close_shard(shard);
            }
        }
        Ok(())
    }

    /// Returns the last pipeline. Only records of the last file can be late, and only there the
    /// times of filtered records count.
    /// filtered count.
    pub(super) fn last(&self) -> Option<&RowPipeline> {
        self.pipelines.last()
    }

    pub(super) fn hand_out_late(&mut self, hand_out: bool) {
        self.hands_out_late = hand_out;
        self.pipelines.iter_mut().for_each(|pipeline| pipeline.hand_out_late(hand_out));
    }

    pub(super) fn hands_out_late(&self) -> bool {
        self.hands_out_late
    }

    #[inline]
    pub(super) fn has_copy(&self) -> bool {
        self.copy.is_some()
    }

    #[cold]
    pub(super) fn push_copy(&mut self, row: &mut Row, arrival: Timestamp) -> Result<(), Error> {
        match &mut self.copy {
            Some((pipeline, shard)) => pipeline.push_next_row(*shard, row, arrival).map(drop),
            None => Ok(()),
        }
    }

    /// Sets the line of the next record of an input, if records are passed on.
    #[inline]
    pub(super) fn set_line(&mut self, input: usize, line: u64) {
        if self.passes_on
            && let (Some((index, _)), Some(name)) = (self.opened.get(input), self.names.get(input))
            && let Some(pipeline) = self.pipelines.get_mut(*index)
        {
            pipeline.set_line(name, line);
        }
    }

    /// Puts the next row of a record of an input into `row`.
    #[inline]
    pub(super) fn next_row(
        &mut self,
        input: usize,
        row: &mut Row,
        index: usize,
    ) -> Result<bool, Refusal> {
        if !self.unnests {
            return Ok(index == 0);
        }
        let Ok((pipeline, _)) = self.of(input) else { return Ok(false) };
        let next = pipeline.next_row(row, index);
        next.map_err(|reason| self.refuse(input, reason))
    }

    /// Counts a record that was refused before it was applied.
    #[cold]
    fn refuse(&mut self, input: usize, reason: String) -> Refusal {
        self.count_refused();
        if let Ok((pipeline, shard)) = self.of(input) {
            pipeline.skip_dead_letter(shard, None, None);
        }
        Refusal::DeadLetter(reason)
    }

    pub(super) fn count_records(&mut self, records: u64) {
        self.records += records;
    }

    pub(super) fn count_refused(&mut self) {
        self.refused += 1;
    }

    /// Removes the fields of this row from the unseen ones.
    #[inline]
    pub(super) fn look_at(&mut self, row: &Row) {
        if !self.unseen.is_empty() {
            self.unseen.retain(|slot| row.value(*slot) == Value::Missing);
        }
    }

    /// Removes the unseen fields for which `has_seen` returns true.
    pub(super) fn see(&mut self, has_seen: impl Fn(usize) -> bool) {
        self.unseen.retain(|slot| !has_seen(*slot));
    }
}

#[cold]
fn not_opened(input: usize) -> Error {
    Error::new(ErrorKind::InvalidArgument, format!("input {input} was not opened"))
}
