//! CSV and TSV against the `csv` crate.

use super::{Recorder, Trickle, error_of, options, read};
use proptest::prelude::*;
use streamgauge::ErrorKind;
use streamgauge::adapter::files::{Format, Input, run};

/// Returns the records of the `csv` crate with a header of this many columns, and leaves others
/// out.
fn by_csv_crate(text: &str, delimiter: u8, columns: usize) -> Vec<Vec<String>> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter)
        .from_reader(text.as_bytes());
    let records =
        reader.records().skip(1).map(|record| record.unwrap().iter().map(str::to_owned).collect());
    records.filter(|record: &Vec<String>| record.len() == columns).collect()
}

fn field() -> impl Strategy<Value = String> {
    let plain = prop::collection::vec(
        prop::sample::select(vec![
            "a",
            "12",
            " ",
            "é",
            "-1.5",
            "long text of more than eight bytes",
            "x\"y",
        ]),
        0..3,
    )
    .prop_map(|parts| parts.concat())
    .prop_filter("a quote in front would open a quoted field", |text| !text.starts_with('"'));
    let quoted = prop::collection::vec(
        prop::sample::select(vec!["a", ",", ";", "\t", "\n", "\r\n", "\"\"", "é", "{"]),
        0..5,
    )
    .prop_map(|parts| format!("\"{}\"", parts.concat()));
    prop_oneof![5 => plain, 3 => quoted.clone(), 1 => quoted.prop_map(|text| text + "tail")]
}

/// Usually records of three fields, sometimes with one more or less.
fn records(delimiter: char) -> impl Strategy<Value = String> {
    let width = prop::sample::select(vec![3, 3, 3, 3, 3, 2, 4]);
    let record = width
        .prop_flat_map(|width| prop::collection::vec(field(), width))
        .prop_map(move |fields| fields.join(&delimiter.to_string()));
    let end = prop::sample::select(vec!["\n", "\n", "\r\n", "\n\n", "\r\n\r\n"]);
    (prop::collection::vec((record, end), 0..12), any::<bool>()).prop_map(
        |(records, newline_at_end)| {
            let mut text: String = records.into_iter().map(|(record, end)| record + end).collect();
            if !newline_at_end {
                text.truncate(text.trim_end_matches(['\r', '\n']).len());
            }
            text
        },
    )
}

proptest! {
    #![proptest_config(crate::cases(1000))]

    #[test]
    fn records_are_those_of_the_csv_crate(
        text in records(','),
        tabs in records('\t'),
        semicolons in records(';'),
        block in 64usize..300,
        sizes in prop::collection::vec(1usize..80, 1..4),
    ) {
        let semicolon = (semicolons, Format::Separated(b';'), b';');
        for (text, format, delimiter) in
            [(text, Format::Csv, b','), (tabs, Format::Tsv, b'\t'), semicolon]
        {
            // A header in quotes makes TSV quoted as CSV is.
            let header = ["\"x\"", "y", "z\n"].join(&char::from(delimiter).to_string());
            // The csv crate reads a single carriage return as a line end, so a tail of them would
            // be a record.
            let text = header + &text;
            let mut recorder = Recorder::new(&["z", "x", "y"]);
            let input = Input::from_reader("in", Trickle::new(text.as_bytes(), &sizes));
            run(vec![input], &options(format, block, 1 << 20), &mut recorder).unwrap();
            let got: Vec<Vec<String>> = recorder
                .rows()
                .into_iter()
                .map(|row| {
                    let mut row: Vec<String> =
                        row.into_iter().map(|value| value[1..].to_owned()).collect();
                    row.rotate_left(1);
                    row
                })
                .collect();
            prop_assert_eq!(&got, &by_csv_crate(&text, delimiter, 3), "{:?}", text);
            let all = csv::ReaderBuilder::new()
                .has_headers(false)
                .flexible(true)
                .delimiter(delimiter)
                .from_reader(text.as_bytes())
                .records()
                .count();
            prop_assert_eq!(recorder.dead().len() + got.len() + 1, all);
        }
    }

    #[test]
    fn answers_do_not_depend_on_block_boundaries(
        pieces in prop::collection::vec(prop::sample::select(vec!["a", ",", "\n", "\"", "\r\n", "b\"\"", ",\"x\n\"", "some longer text,", "\u{e9}", "\n\n"]), 0..80),
        block in 64usize..400,
        limit in 10usize..120,
        sizes in prop::collection::vec(1usize..90, 1..5),
    ) {
        let text = format!("x,y\n{}", pieces.concat());
        let events = |block: usize, sizes: &[usize]| {
            let mut recorder = Recorder::new(&["y"]);
            run(
                vec![Input::from_reader("in", Trickle::new(text.as_bytes(), sizes))],
                &options(Format::Csv, block, limit),
                &mut recorder,
            )
            .unwrap();
            recorder.events
        };
        prop_assert_eq!(events(block, &sizes), events(1 << 20, &[1 << 20]), "{:?}", text);
    }
}

#[test]
fn quotes_line_ends_and_marks() {
    let text =
        b"\xef\xbb\xbf\r\nid,\"na\"\"me\"\r\n1,\"a\"\"b\"\r\n\r\n2,\"c,\r\nd\"\n3,e\"f\n4,\"\"\n5,";
    let (got, stats) = read(Format::Csv, text, &["na\"me", "id"]);
    assert_eq!(
        got.rows(),
        [["ta\"b", "u1"], ["uc,\r\nd", "u2"], ["ue\"f", "u3"], ["u", "u4"], ["u", "u5"]]
    );
    assert_eq!((stats.records(), stats.files[0].lines), (5, 9));
}

#[test]
fn ragged_records_are_dead_letters_with_their_lines() {
    let (got, _) = read(Format::Csv, b"a,b\n1\n\"x\ny\",2\n1,2,3\n5,6\n", &["b"]);
    assert_eq!(
        got.dead(),
        [(2, "1 fields where the header has 2"), (5, "3 fields where the header has 2")]
    );
    assert_eq!(got.rows(), [["u2"], ["u6"]]);
}

#[test]
fn a_quote_that_is_not_closed_costs_its_line_only() {
    let (got, _) = read(Format::Csv, b"a,b\n1,2\n3,\"4\n5,6\n7,8\n", &["b"]);
    assert_eq!(got.dead(), [(3, "the quote that opens field 2 is not closed")]);
    assert_eq!(got.rows(), [["u2"], ["u6"], ["u8"]]);
    // Also if the end of the input is further away than the limit of a record.
    let mut text = b"a,b\n3,\"4\n".to_vec();
    text.extend(b"5,6\n".repeat(1000));
    let mut recorder = Recorder::new(&["b"]);
    run(
        vec![Input::from_reader("in", std::io::Cursor::new(text))],
        &options(Format::Csv, 64, 100),
        &mut recorder,
    )
    .unwrap();
    assert_eq!(recorder.dead(), [(2, "longer than the limit of 100 bytes for one record")]);
    assert_eq!(recorder.rows().len(), 1000);
}

#[test]
fn a_field_missing_in_the_header_is_an_error_before_any_record() {
    let error = error_of(Format::Auto, b"time,bytes,status\n1,2,3\n", &["bytse"]);
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    assert!(error.message().contains("did you mean \"bytes\"?"), "{error}");
    let twice = error_of(Format::Csv, b"a,b,a\n1,2,3\n", &["a"]);
    assert!(twice.message().contains("columns 1 and 3"), "{twice}");
}

#[test]
fn a_header_without_records_and_an_empty_file_have_no_records() {
    for text in [&b"a,b\n"[..], b"a,b", b"", b"\n\n", b"\xef\xbb\xbf"] {
        let (got, stats) =
            read(Format::Csv, text, if text.starts_with(b"a") { &["a"] } else { &["whatever"] });
        assert!(got.rows().is_empty() && stats.records() == 0, "{text:?}");
    }
    let (got, _) = read(Format::Auto, b"", &["status"]);
    assert!(got.rows().is_empty());
}

#[test]
fn one_column_can_fill_several_slots() {
    let (got, _) = read(Format::Tsv, b"a\tb\n1\t2\n\"x\"\"\"\t2\n", &["a", "b", "a"]);
    assert_eq!(got.rows(), [["u1", "u2", "u1"], ["tx\"", "u2", "tx\""]]);
}

#[test]
fn s98_a_quote_in_tsv_is_text_unless_quoting_is_certain() {
    let text = b"title\tyear\n\"Hm\t1945\nOk\t1955\n\
                 end\"\t1960\n\"Hm\"\t1\n\"a\tb\"\t2\r\n\"say \"\"hi\"\"\"\t3\nx\t\"\n\"\"\t5";
    let (got, stats) = read(Format::Tsv, text, &["title", "year"]);
    let expected = [
        ["u\"Hm", "u1945"],
        ["uOk", "u1955"],
        ["uend\"", "u1960"],
        ["u\"Hm\"", "u1"],
        ["ua\tb", "u2"],
        ["tsay \"hi\"", "u3"],
        ["ux", "u\""],
        ["u\"\"", "u5"],
    ];
    assert_eq!((got.rows(), got.dead()), (expected.map(|row| row.to_vec()).to_vec(), Vec::new()));
    assert_eq!(stats.files[0].lines, 9);
    // A header in quotes: all of RFC 4180, over lines.
    let (got, _) =
        read(Format::Tsv, b"\"title\"\tyear\n\"Hm\"\t1\n\"two\nlines\"\t2\n", &["title"]);
    assert_eq!(got.rows(), [["uHm"], ["utwo\nlines"]]);
}
