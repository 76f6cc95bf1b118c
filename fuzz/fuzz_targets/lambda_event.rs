//! Lambda's Kinesis events: no bytes panic, every element of `Records` is a record or rejected, and the fast way agrees with the general
//! one, which an event takes that does not begin with `Records`.
#![cfg_attr(fuzzing, no_main)]

mod shim;

use streamgauge::adapter::lambda::KinesisEvent;

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
    if let Ok(mut event) = event {
        let (records, rejected) = (event.records.len(), event.rejected.len());
        assert!(event.rejected.iter().all(|rejected| rejected.records_before <= records));
        let _ = event.tumbling.as_ref().map(|tumbling| tumbling.state.snapshot());
        let counts = event.deaggregate(None);
        assert_eq!((counts.records, rejected), (event.records.len() as u64, event.rejected.len()));
        assert!(event.rejected.windows(2).all(|pair| pair[0].records_before <= pair[1].records_before));
    }
}

shim::target!(check);
