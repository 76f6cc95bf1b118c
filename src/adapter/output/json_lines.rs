//! Answers of a declared pipeline as JSON Lines.

use super::Sink;
use super::lines_output::LinesOutput;
use super::row_sink::RowSink;
use crate::adapter::record_pipeline::Declared;
use crate::error::Error;
use std::io::Write;

/// Writes answers as [`JsonLines`](crate::rows::JsonLines), the same bytes as `streamgauge run
/// --output json`, and flushes after every drain.
#[derive(Debug)]
pub struct JsonLinesSink<W>(RowSink<LinesOutput<W>>);

impl<W: Write> JsonLinesSink<W> {
    /// Creates the sink of a pipeline's answers.
    pub fn new(out: W) -> Self {
        JsonLinesSink(RowSink::new(LinesOutput::new(out)))
    }

    /// Sets whether each line begins with its source, `{"source":"shardId-000000000003",...`, so
    /// that rows of several shards can be distinguished. Default: false.
    #[must_use]
    pub fn with_source(self, with: bool) -> Self {
        JsonLinesSink(self.0.with_source(with))
    }
}

impl<W: Write> Sink<Declared> for JsonLinesSink<W> {
    fn drain(&mut self, pipeline: &mut Declared, source: &str) -> Result<u64, Error> {
        self.0.drain(pipeline, source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapter::RecordPipeline;
    use crate::engine::Control;
    use crate::query::PipelineSpec;
    use crate::record::{Position, Record, Sequence, ShardId};
    use crate::rows::CompileOptions;
    use crate::time::Timestamp;

    fn lines(with_source: bool) -> String {
        let spec = PipelineSpec::from_toml("group = \"c\"\n", "hits.toml").unwrap();
        let mut hits = Declared::compile(&spec, CompileOptions::default()).unwrap();
        let position = Position { shard: ShardId::new("s\"1"), sequence: Sequence::new(1u64) };
        let shard = hits.open_shard(position.shard.clone()).unwrap();
        let record = Record {
            partition_key: "".into(),
            data: r#"{"c":"DE"}"#.into(),
            arrival: Timestamp::from_millis(0),
            position,
            headers: Default::default(),
        };
        hits.push(shard, &record).unwrap();
        hits.finish();
        let mut out = Vec::new();
        assert_eq!(
            JsonLinesSink::new(&mut out).with_source(with_source).drain(&mut hits, "s\"1").unwrap(),
            1
        );
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_line_can_begin_with_its_source() {
        assert_eq!(
            lines(false),
            "{\"window\":null,\"group\":{\"c\":\"DE\"},\"revision\":0,\"count\":1}\n"
        );
        assert_eq!(
            lines(true),
            "{\"source\":\"s\\\"1\",\"window\":null,\"group\":{\"c\":\"DE\"},\"revision\":0,\"count\":1}\n"
        );
    }
}
