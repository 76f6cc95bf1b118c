//! The windows of several files, merged in the order of the files.

use streamgauge::adapter::files::HeldWindows;
use streamgauge::engine::Shard;
use streamgauge::rows::{RowEmission, RowPipeline};
use streamgauge::snapshot::Partial;
use streamgauge::{Control, Error, ShardId, Timestamp, Window};

/// Windows of a file, in the order of answers.
enum FileWindows {
    /// Windows that were completed before.
    Held(std::vec::IntoIter<Partial>),
    /// Windows of a pipeline whose input has ended.
    Ended(Box<RowPipeline>),
}

impl FileWindows {
    fn next(&mut self) -> Result<Option<Partial>, Error> {
        match self {
            FileWindows::Held(held) => Ok(held.next()),
            FileWindows::Ended(pipeline) => pipeline.next_partial(""),
        }
    }
}

/// Merges the windows of several files.
pub(crate) struct MergedFiles {
    sources: Vec<(Option<Partial>, FileWindows)>,
    /// Adopts the partials of one window at a time. Its watermark follows the windows without
    /// delay.
    pipeline: RowPipeline,
    shard: Shard,
}

impl MergedFiles {
    /// Creates the merger. `pipeline` has no records, and an out-of-orderness of 0.
    ///
    /// # Errors
    /// A limit on shards.
    pub(crate) fn new(mut pipeline: RowPipeline) -> Result<Self, Error> {
        let shard = pipeline.open_shard(ShardId::new("files"))?;
        Ok(MergedFiles { sources: Vec::new(), pipeline, shard })
    }

    /// Adds the windows of a file: those that were completed before, of all queries, and those of a
    /// pipeline with the rest of the records.
    ///
    /// # Errors
    /// Those of a window's first computation.
    pub(crate) fn add(
        &mut self,
        held: &HeldWindows,
        mut pipeline: RowPipeline,
    ) -> Result<(), Error> {
        pipeline.finish();
        let own = pipeline.fingerprint();
        let held = held.values().filter(|partial| partial.fingerprint() == own).cloned();
        let held: Vec<Partial> = held.collect();
        for mut windows in
            [FileWindows::Held(held.into_iter()), FileWindows::Ended(Box::new(pipeline))]
        {
            self.sources.push((windows.next()?, windows));
        }
        Ok(())
    }

    /// Returns the next row of the answer.
    ///
    /// # Errors
    /// Those of [`RowPipeline::next_emission`].
    pub(crate) fn next_row(&mut self) -> Result<Option<RowEmission>, Error> {
        loop {
            if let Some(row) = self.pipeline.next_emission()? {
                return Ok(Some(row));
            }
            if !self.merge_next()? {
                return Ok(None);
            }
        }
    }

    /// Returns the next window as a partial.
    ///
    /// # Errors
    /// Those of [`Control::next_partial`].
    pub(crate) fn next_partial(&mut self, source: &str) -> Result<Option<Partial>, Error> {
        loop {
            if let Some(partial) = self.pipeline.next_partial(source)? {
                return Ok(Some(partial));
            }
            if !self.merge_next()? {
                return Ok(None);
            }
        }
    }

    /// Merges the next window. Returns false if there is no other window.
    fn merge_next(&mut self) -> Result<bool, Error> {
        if self.pipeline.windows().is_per_group() {
            return self.merge_all();
        }
        let windows = self
            .sources
            .iter()
            .filter_map(|(next, _)| next.as_ref().map(|next| order(next.window())));
        let Some(first) = windows.min() else { return Ok(false) };
        for (next, windows) in &mut self.sources {
            while let Some(partial) = next.take_if(|next| order(next.window()) == first) {
                self.pipeline.adopt(&partial)?;
                *next = windows.next()?;
            }
        }
        match first {
            (i64::MAX, i64::MIN) => self.pipeline.finish(),
            (end, _) => self.pipeline.advance_watermark(self.shard, Timestamp::from_millis(end)),
        }
        Ok(true)
    }
}

impl MergedFiles {
    /// Merges all windows of groups: one may join windows of another file that end later.
    fn merge_all(&mut self) -> Result<bool, Error> {
        let mut any = false;
        for (next, windows) in &mut self.sources {
            while let Some(partial) = next.take() {
                self.pipeline.adopt(&partial)?;
                (*next, any) = (windows.next()?, true);
            }
        }
        self.pipeline.finish();
        Ok(any)
    }
}

/// Order by end, then start; the global window is the last.
fn order(window: Option<Window>) -> (i64, i64) {
    window.map_or((i64::MAX, i64::MIN), |window| {
        (window.end().as_millis(), window.start().as_millis())
    })
}
