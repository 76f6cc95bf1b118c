//! The sink against a simulated stream that throttles, and refuses parts of calls.

use super::*;
use crate::row::OutputValue;
use crate::rows::RowForm;
use proptest::prelude::*;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A stream that refuses records and calls as the dice say.
#[derive(Clone, Default)]
struct Stream(Rc<RefCell<State>>);

#[derive(Default)]
struct State {
    taken: Vec<Bytes>,
    calls: Vec<usize>,
    paused: Duration,
    dice: u64,
    /// The share of records that are refused, in percent.
    refuse: u64,
    /// Records of all calls.
    sent: u64,
}

impl State {
    fn percent(&mut self, share: u64) -> bool {
        let mut dice = self.dice | 1;
        dice ^= dice << 13;
        dice ^= dice >> 7;
        dice ^= dice << 17;
        self.dice = dice;
        (dice >> 11) % 100 < share
    }
}

impl PutRecordBatch for Stream {
    fn put_record_batch(&mut self, records: &[Bytes]) -> Result<Vec<Option<String>>, Error> {
        let mut state = self.0.borrow_mut();
        state.calls.push(records.len());
        state.sent += records.len() as u64;
        assert!((1..=500).contains(&records.len()));
        assert!(records.iter().map(Bytes::len).sum::<usize>() <= 4 << 20);
        let share = state.refuse;
        if state.percent(share / 4) {
            return Err(Error::new(ErrorKind::Io, "ServiceUnavailableException: slow down"));
        }
        let mut results = Vec::new();
        for record in records {
            let is_refused = state.percent(share);
            if !is_refused {
                state.taken.push(record.clone());
            }
            results.push(is_refused.then(|| "ServiceUnavailableException".to_owned()));
        }
        Ok(results)
    }

    fn pause(&mut self, length: Duration) {
        self.0.borrow_mut().paused += length;
    }
}

fn row(text: String) -> RowEmission {
    let form = RowForm { columns: vec!["v".to_owned()], ..RowForm::default() };
    let values = vec![OutputValue::Text(text)];
    RowEmission { window: None, revision: 0, group: Vec::new(), values, form: form.into() }
}

fn line(text: &str) -> Bytes {
    format!("{{\"window\":null,\"revision\":0,\"v\":\"{text}\"}}\n").into()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn s305_each_row_is_accepted_once_or_given_up_once(
        count in 0usize..1800,
        large in 1usize..20_000,
        dice: u64,
        refuse in prop_oneof![Just(0u64), Just(20), Just(85)],
    ) {
        let stream = Stream::default();
        (stream.0.borrow_mut().dice, stream.0.borrow_mut().refuse) = (dice, refuse);
        let given_up = Arc::new(Mutex::new(Vec::new()));
        let taken = given_up.clone();
        let mut sink = FirehoseSink::new(stream.clone()).on_refused(move |row, reason| {
            assert!(reason.contains("ServiceUnavailableException"), "{reason}");
            taken.lock().unwrap().push(row);
            Ok(())
        });
        let text = |at: usize| format!("{at:0width$}", width = at * 7919 % large);
        for at in 0..count {
            sink.push(&row(text(at))).unwrap();
            prop_assert!(sink.held.len() <= RECORDS_MAX && sink.held_bytes <= CALL_BYTES_MAX);
        }
        sink.finish().unwrap();
        let (counts, state) = (sink.counts(), stream.0.borrow());
        let given_up = given_up.lock().unwrap();
        prop_assert_eq!(counts.accepted as usize, state.taken.len());
        prop_assert_eq!(counts.refused as usize, given_up.len());
        prop_assert_eq!(counts.calls as usize, state.calls.len());
        prop_assert_eq!(counts.repeated, state.sent - count as u64);
        let mut all: Vec<&Bytes> = state.taken.iter().chain(given_up.iter()).collect();
        let expected: Vec<Bytes> = (0..count).map(|at| line(&text(at))).collect();
        let mut expected: Vec<&Bytes> = expected.iter().collect();
        all.sort();
        expected.sort();
        prop_assert_eq!(all, expected);
        prop_assert_eq!(state.paused.is_zero(), counts.repeated == 0);
    }
}

#[test]
fn s305_a_row_that_is_not_accepted_is_an_error_with_the_reason() {
    let stream = Stream::default();
    stream.0.borrow_mut().refuse = 100;
    let mut sink = FirehoseSink::new(stream.clone());
    sink.push(&row("a".to_owned())).unwrap();
    let error = sink.flush().unwrap_err().to_string();
    assert!(error.starts_with("Firehose has not accepted a row: ServiceUnavail"), "{error}");
    assert_eq!((sink.counts().refused, sink.counts().calls), (1, 10));
    assert!(stream.0.borrow().paused > Duration::from_secs(10), "the pauses grow");
    let error = sink.push(&row("x".repeat(RECORD_BYTES_MAX))).unwrap_err().to_string();
    assert!(error.contains("over the 1024000 of Firehose"), "{error}");
}
