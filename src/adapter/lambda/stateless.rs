//! Stateless mode: each batch on its own.

use super::Reply;
use super::batch::ShardBatch;
use super::core::Core;
use crate::adapter::output::Sink;
use crate::adapter::record_pipeline::RecordPipeline;
use crate::error::Error;
use crate::record::ShardId;

#[derive(Debug)]
pub(super) struct Stateless;

impl Stateless {
    /// The first record of the batch names the source. The same batch, delivered again, gives the
    /// same partials under the same names, and they replace each other.
    pub(super) fn handle<P: RecordPipeline, S: Sink<P>>(
        &self,
        core: &mut Core<P, S>,
        mut batch: ShardBatch,
    ) -> Result<Reply, Error> {
        core.begin(None)?;
        let shard = core.pipeline.open_shard(ShardId::new(batch.source.as_str()))?;
        let stop = core.apply(shard, &batch, None)?;
        if let Some(stop) = stop.as_ref().filter(|stop| stop.inside) {
            // Lambda delivers an aggregated record again as a whole, and without a state nobody
            // knows which of its user records were applied. So none of them is applied.
            batch.keep_before(&stop.from);
            core.begin(None)?;
            let shard = core.pipeline.open_shard(ShardId::new(batch.source.as_str()))?;
            core.apply(shard, &batch, None)?;
        }
        core.pipeline.finish();
        let source = match batch.first() {
            Some(first) => format!("{}:{first}", batch.source),
            None => batch.source,
        };
        core.drain(&source)?;
        Ok(core.reply(stop))
    }
}
