//! The recorded messages of the real daemon, in `tests/data/kcl`, sent to the ready-made processor.

use super::daemon::{Daemon, StepClock};
use serde_json::Value;
use std::time::Duration;
use streamgauge::adapter::kcl::{
    Action, Message, PipelineWork, ProcessorOptions, Reply, StatefulProcessor,
};
use streamgauge::adapter::{Decoding, each};
use streamgauge::prelude::*;
use streamgauge::record::Record;
use streamgauge::store::MemoryStore;

fn transcripts() -> Vec<(String, Vec<Value>)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/kcl");
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let read = |path: std::path::PathBuf| {
        let text = std::fs::read_to_string(&path).unwrap();
        (
            path.display().to_string(),
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect(),
        )
    };
    paths.map(read).collect()
}

#[test]
fn every_message_of_a_real_daemon_is_answered_and_every_record_counted() {
    for (name, lines) in transcripts() {
        let text = |line: &Value| line["line"].as_str().unwrap().to_owned();
        let said: Vec<String> =
            lines.iter().filter(|line| line["dir"] == "daemon").map(text).collect();
        // What the daemon answers to checkpoints depends on what is asked.
        let messages: Vec<String> =
            said.into_iter().filter(|line| !line.contains(r#""action":"checkpoint""#)).collect();
        let records = messages
            .iter()
            .map(|line| {
                serde_json::from_str::<Value>(line).unwrap()["records"]
                    .as_array()
                    .map_or(0, Vec::len)
            })
            .sum::<usize>();
        let pipeline = Pipeline::builder()
            .event_time(|record: &Record| record.arrival)
            .window(Tumbling::new(seconds(10)).unwrap());
        let decoding =
            Decoding::new(pipeline.aggregate(count()).build().unwrap(), |record: &Record| {
                Ok::<_, String>(record.clone())
            });
        let mut options = ProcessorOptions::default();
        (options.every_records, options.every) = (1, Duration::ZERO);
        options.on_note = Box::new(|_| {});
        let work = PipelineWork::new(decoding, |_, _| Ok(Box::new(each(|_| Ok(()))))).unwrap();
        let mut processor = StatefulProcessor::new(work, MemoryStore::new(), options);
        let daemon = Daemon::new(messages.iter().cloned());
        daemon.run(&mut processor, &mut StepClock::new(1)).unwrap();

        let statuses: Vec<Action> = daemon
            .heard()
            .into_iter()
            .filter_map(|reply| match reply {
                Reply::Status { response_for } => Some(response_for),
                _ => None,
            })
            .collect();
        let shard = ShardId::new("x");
        let asked: Vec<Action> = messages
            .iter()
            .map(|line| Message::parse(line.as_bytes(), &shard).unwrap().action())
            .collect();
        assert_eq!(statuses, asked, "{name}");
        let stats = processor.work().pipeline().stats();
        assert_eq!((stats.applied, stats.dead_letters), (records as u64, 0), "{name}");
    }
}
