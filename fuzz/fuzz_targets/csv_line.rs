//! CSV: answers do not depend on block boundaries, and are those of the `csv` crate where that
//! reads the same records.
#![cfg_attr(fuzzing, no_main)]

mod recorder;
mod shim;

use recorder::{Event, events};
use streamgauge::adapter::files::Format;

fn check(bytes: &[u8]) {
    let bytes = [b"x,y,z\n", bytes].concat();
    let whole = events(&bytes, Format::Csv, &["x", "y", "z"], 1 << 20);
    assert_eq!(whole, events(&bytes, Format::Csv, &["x", "y", "z"], 64));
    // The csv crate takes a lone carriage return for a line end and reads on in a quote that is
    // never closed.
    let lone_return = bytes.windows(2).any(|pair| pair[0] == b'\r' && pair[1] != b'\n') || bytes.ends_with(b"\r");
    let refused = whole.iter().any(|event| matches!(event, Event::Dead(_, reason, _) if !reason.contains("fields where")));
    if lone_return || refused || std::str::from_utf8(&bytes).is_err() {
        return;
    }
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(&bytes[..]);
    let records = reader.records().map(|record| record.expect("UTF-8"));
    let expected: Vec<Vec<String>> = records.filter(|record| record.len() == 3).map(|record| record.iter().map(str::to_owned).collect()).collect();
    let rows: Vec<Vec<String>> = whole.into_iter().filter_map(|event| if let Event::Row(row) = event { Some(row) } else { None }).collect();
    assert_eq!(rows, expected);
}

shim::target!(check);
