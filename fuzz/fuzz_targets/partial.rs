//! Partials and mergers' states: any bytes are refused or merged.
#![cfg_attr(fuzzing, no_main)]

mod envelope;
mod shim;

use streamgauge::merger::{Merger, MergerControl, MergerOptions};
use streamgauge::prelude::*;
use streamgauge::snapshot::{Partial, Summary};

fn pipeline() -> Pipeline<u64, impl Aggregate<u64, Output: std::fmt::Debug>> {
    let builder = Pipeline::builder().event_time(|at: &u64| Timestamp::from_millis(*at as i64)).window(Tumbling::new(millis(10)).expect("a size"));
    builder.aggregate(envelope::aggregate()).build().expect("options in range")
}

fn check(bytes: &[u8]) {
    let _ = Summary::of(bytes.to_vec());
    let [kind, sections @ ..] = bytes else { return };
    let mut options = MergerOptions::default();
    (options.deadline, options.bytes_max) = (Some(millis(0)), 8 << 20);
    let mut merger = Merger::new(pipeline().into_engine(), options).expect("a deadline");
    let mut source = pipeline();
    source.push(&3).expect("a record");
    source.finish();
    let real = source.next_partial("real").expect("every aggregate is durable").expect("a window");
    if kind % 2 == 0 {
        let Ok(partial) = Partial::from_bytes(envelope::around(real.bytes(), sections)) else { return };
        let _ = Summary::of(partial.bytes().clone());
        if merger.add(&partial, Timestamp::from_millis(0)).is_err() {
            assert_eq!(merger.kept(), (0, 0));
            return;
        }
    } else if merger.restore(envelope::around(&merger.snapshot(), sections).into()).is_err() {
        assert_eq!(merger.kept(), (0, 0));
        return;
    }
    let saved = merger.snapshot();
    merger.restore(saved.clone()).expect("what was written is read");
    assert_eq!(merger.snapshot(), saved);
    let _ = merger.add(&real, Timestamp::from_millis(1));
    merger.finish();
    while let Ok(Some(merged)) = merger.next_merged() {
        let _ = format!("{:?}", merged.value);
    }
}

shim::target!(check);
