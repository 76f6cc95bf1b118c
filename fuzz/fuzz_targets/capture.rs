//! Captures: no bytes panic, neither when they are read nor when their calls are repeated.
#![cfg_attr(fuzzing, no_main)]

mod shim;

use std::collections::BTreeMap;
use streamgauge::adapter::capture::{Call, CaptureReader, Entry};
use streamgauge::adapter::worker::{PipelineWork, StreamWork};
use streamgauge::adapter::{Declared, each};
use streamgauge::query::PipelineSpec;
use streamgauge::record::ShardId;
use streamgauge::rows::{CompileOptions, RowEmission};

fn work() -> PipelineWork<Declared> {
    let text = "window = \"1s\"\nlateness = \"5s\"\ngroup = \"c\"\nagg = \"count, sum(n)\"\n";
    let spec = PipelineSpec::from_toml(text, "hits.toml").expect("a pipeline");
    let pipeline = Declared::compile(&spec, CompileOptions::default()).expect("a pipeline");
    let open = |_: &ShardId, _: &Declared| {
        let sink: Box<dyn streamgauge::adapter::Sink<Declared>> =
            Box::new(each(|_: RowEmission| Ok(())));
        Ok(sink)
    };
    PipelineWork::new(pipeline, open).expect("work")
}

fn check(bytes: &[u8]) {
    let mut stream = StreamWork::new(work());
    let mut shards = BTreeMap::new();
    for (index, entry) in CaptureReader::new(bytes).enumerate() {
        let Ok(Entry::Call(Call { source, step, .. })) = entry else { continue };
        // Half of the calls go to each, whatever the header says.
        let _ = match index % 2 {
            0 => step.repeat_on_stream(&source, &mut stream, &mut drop),
            _ => {
                let work = shards.entry(source.clone()).or_insert_with(work);
                step.repeat_on_shard(&source, work, &mut drop)
            }
        };
    }
}

shim::target!(check);
