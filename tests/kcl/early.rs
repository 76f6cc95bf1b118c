//! Answers of open windows on the KCL, over processes that end at any moment.

use super::daemon::{Daemon, SHARD, StepClock, initialize, records};
use crate::simulation::Random;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use streamgauge::adapter::kcl::{PipelineWork, ProcessorOptions, StartingPoint, StatefulProcessor};
use streamgauge::adapter::{Decoding, RecordPipeline, Sink, each};
use streamgauge::prelude::*;
use streamgauge::record::Record;
use streamgauge::store::{MemoryStore, Store};
use streamgauge::window::{Rows, Session};

/// Window, revision, whether it is taken back, and the count.
type Said = (Window, u32, bool, u64);

/// The answers, and the random numbers by which writing one fails after it was written.
#[derive(Clone)]
struct Output {
    said: Rc<RefCell<Vec<Said>>>,
    random: Rc<RefCell<Random>>,
}

fn sink<P: RecordPipeline<Emission = Emission<u64>> + 'static>(
    output: Output,
) -> impl FnMut(&ShardId, &P) -> Result<Box<dyn Sink<P>>, Error> {
    move |_, _| {
        let output = output.clone();
        Ok(Box::new(each(move |emission: Emission<u64>| {
            let Emission { window, revision, retracted, value } = emission;
            output.said.borrow_mut().push((window.unwrap(), revision, retracted, value));
            match output.random.borrow_mut().below(6) {
                0 => Err(Error::new(ErrorKind::Io, "the output is lost")),
                _ => Ok(()),
            }
        })))
    }
}

fn decode(record: &Record) -> Result<i64, String> {
    String::from_utf8_lossy(&record.data).parse().map_err(|error| format!("{error}"))
}

fn processor<S: Store>(
    windows: &Windows,
    store: S,
    output: &Output,
    save_records: u64,
) -> impl streamgauge::adapter::kcl::RecordProcessor {
    let builder = Pipeline::builder()
        .event_time(|time: &i64| Timestamp::from_millis(*time))
        .window(windows.clone());
    let pipeline = Decoding::new(builder.aggregate(count()).build().unwrap(), decode);
    let work = PipelineWork::new(pipeline, sink(output.clone())).unwrap();
    let mut options = ProcessorOptions::default();
    (options.every_records, options.every) = (save_records, Duration::from_secs(3600));
    StatefulProcessor::new(work.emit_early(seconds(10)), store, options)
}

/// Delivers records to processes that end at random, and returns what they said.
fn run(windows: &Windows, times: &[i64], seed: u64) -> Vec<Said> {
    let random = Rc::new(RefCell::new(Random::new(seed)));
    let output = Output { said: Rc::default(), random: random.clone() };
    let dice = |sides: usize| random.borrow_mut().below(sides);
    let (store, mut clock) = (Arc::new(MemoryStore::new()), StepClock::new(0));
    let texts: Vec<String> = times.iter().map(i64::to_string).collect();
    let mut delivered = 0;
    while delivered < texts.len() {
        let save_records = 1 + dice(5) as u64;
        let mut processor = processor(windows, store.clone(), &output, save_records);
        let mut talk = Daemon::default().talk();
        talk.go_on(&[&initialize(SHARD, StartingPoint::TrimHorizon)], &mut processor, &mut clock)
            .unwrap();
        // All of the records come again, as after a lost checkpoint.
        delivered = 0;
        while delivered < texts.len() && dice(40) > 0 {
            let count = dice(4).min(texts.len() - delivered);
            let payloads: Vec<&[u8]> =
                texts[delivered..delivered + count].iter().map(|text| text.as_bytes()).collect();
            clock.now += dice(8_000) as i64;
            let batch = records(delivered as u64 + 1, &payloads, 0);
            delivered += count;
            if talk.go_on(&[&batch], &mut processor, &mut clock).is_err() {
                delivered = 0;
                break;
            }
        }
        // The last records are answered, too, once a process lives long enough.
        if delivered == texts.len() {
            clock.now += 20_000;
            let empty = records(delivered as u64 + 1, &[], 0);
            if talk.go_on(&[&empty], &mut processor, &mut clock).is_err() {
                delivered = 0;
            }
        }
    }
    output.said.take()
}

#[test]
fn s245_a_revision_has_one_content_whenever_a_process_ends() {
    let windows: [Windows; 4] = [
        Tumbling::new(millis(40)).unwrap().into(),
        Sliding::new(millis(40), millis(15)).unwrap().into(),
        Session::new(millis(4)).unwrap().into(),
        Rows::new(7).unwrap().into(),
    ];
    let times: Vec<i64> = (0..60).map(|record| record * 3 + record % 7).collect();
    let (mut early, mut repeated) = (0, 0);
    for seed in 0..40 {
        for windows in &windows {
            let (mut contents, mut last) = (BTreeMap::new(), BTreeMap::new());
            for (window, revision, retracted, value) in run(windows, &times, seed) {
                let content = (retracted, value);
                let known = contents.insert((window, revision), content);
                assert!(known.is_none_or(|known| known == content), "{window} {revision}");
                repeated += u64::from(known.is_some());
                early += u64::from(revision > 0);
                let entry = last.entry(window).or_insert((revision, content));
                *entry = (*entry).max((revision, content));
            }
            let whole = last.values().filter(|(_, (retracted, _))| !retracted);
            let whole: u64 = whole.map(|(_, (_, value))| value).sum();
            if !windows.is_per_group() && windows.windows_per_record() == 1 {
                assert_eq!(whole, times.len() as u64, "seed {seed}, {windows:?}");
            }
        }
    }
    assert!(early > 500 && repeated > 100, "{early} {repeated}");
}
