//! Lambda's events of Kinesis and Kafka: no bytes panic, every element of `Records` is a record or
//! rejected, and the fast way agrees with the general one, which an event takes that does not begin
//! with `Records`. A handler of each mode takes any event, and gives a reply or an error; what it
//! asks for again is of the batch.
#![cfg_attr(fuzzing, no_main)]

mod shim;

use streamgauge::adapter::lambda::{Handler, KafkaEvent, KinesisEvent};
use streamgauge::adapter::{Declared, Packing, each};
use streamgauge::rows::CompileOptions;
use streamgauge::query::PipelineSpec;
use streamgauge::store::MemoryStore;
use streamgauge::{Error, Sequence, ShardId, Timestamp};

fn check(bytes: &[u8]) {
    let event = KinesisEvent::from_slice(bytes);
    if let Some(rest) = bytes.trim_ascii_start().strip_prefix(b"{") {
        let general = KinesisEvent::from_slice(&[b"{\"\":0,", rest].concat());
        assert_eq!(event.is_ok(), general.is_ok());
        if let (Ok(event), Ok(general)) = (&event, &general) {
            assert_eq!(event.records, general.records);
            assert_eq!((&event.stream_arn, &event.tumbling), (&general.stream_arn, &general.tumbling));
            let places = |event: &KinesisEvent| event.rejected.iter().map(|r| (r.index, r.records_before, r.error.to_string())).collect::<Vec<_>>();
            assert_eq!(places(event), places(general));
        }
    }
    for strict in [false, true] {
        handle(bytes, strict);
    }
    if let Ok(mut event) = event {
        let (records, rejected) = (event.records.len(), event.rejected.len());
        assert!(event.rejected.iter().all(|rejected| rejected.records_before <= records));
        let _ = event.tumbling.as_ref().map(|tumbling| tumbling.state.snapshot());
        let counts = event.deaggregate(None);
        assert_eq!((counts.records, rejected), (event.records.len() as u64, event.rejected.len()));
        assert!(event.rejected.windows(2).all(|pair| pair[0].records_before <= pair[1].records_before));
    }
}

/// Each mode takes the event twice: the second time it is a repetition, or meets the state of the
/// first.
fn handle(bytes: &[u8], strict: bool) {
    let numbers: Vec<String> = match KinesisEvent::from_slice(bytes) {
        Ok(event) => {
            let rejected = event.rejected.iter().filter_map(|rejected| rejected.sequence.as_ref().map(|sequence| &sequence.number));
            event.records.iter().map(|record| &record.position.sequence.number).chain(rejected).map(ToString::to_string).collect()
        }
        Err(_) => Vec::new(),
    };
    let offsets = offsets(bytes);
    let spec = PipelineSpec::from_toml("window = \"1m\"\nevery = \"20s\"\ngroup = \"page\"\nagg = \"count, top(3, user)\"\n", "p").expect("a pipeline");
    for mode in 0..3 {
        let mut options = CompileOptions::default();
        options.strict = strict;
        let pipeline = Declared::compile(&spec, options).expect("a pipeline");
        let handler = Handler::new(pipeline, each(|_| Ok::<(), Error>(()))).expect("it can be written down");
        let handler = handler.packing(if strict { Packing::Lines } else { Packing::Kpl });
        let mut handler = match mode {
            0 => handler.tumbling(),
            1 => handler.stored(MemoryStore::new()),
            _ => handler.stateless(),
        };
        for clock in [1_700_000_000_000, 1_700_000_090_000] {
            if let Ok(reply) = handler.handle_bytes(bytes, Timestamp::from_millis(clock)) {
                let failure = reply.failure().map(ToString::to_string);
                assert!(failure.is_none_or(|failure| strict && numbers.contains(&failure)));
                assert!(reply.offsets().iter().all(|offset| strict && offsets.contains(offset)));
            }
        }
        if mode == 1 {
            handler.answer_idle(Timestamp::from_millis(i64::MAX)).expect("what was saved can be read");
        }
    }
}

/// Returns partition and offset of each record of an event of Kafka that has them.
fn offsets(bytes: &[u8]) -> Vec<(ShardId, u64)> {
    let Ok(event) = KafkaEvent::from_slice(bytes) else { return Vec::new() };
    let mut offsets = Vec::new();
    for partition in &event.partitions {
        for index in 0..partition.records.len() {
            let _ = partition.headers(index);
        }
        let rejected = partition.rejected.iter().filter_map(|rejected| rejected.sequence.as_ref());
        let all = partition.records.iter().map(|record| &record.position.sequence).chain(rejected);
        let offset = |sequence: &Sequence| sequence.number.as_str().parse().expect("63 bits");
        offsets.extend(all.map(|sequence| (partition.name.clone(), offset(sequence))));
    }
    offsets
}

shim::target!(check);
