//! Dialects of CSV against the `csv` crate.

use super::{Recorder, options, read};
use proptest::prelude::*;
use std::io::Cursor;
use streamgauge::adapter::files::{CsvDialect, Format, Input, run};

fn dialect(delimiter: u8, change: impl Fn(&mut CsvDialect)) -> Format {
    let mut dialect = CsvDialect::with_delimiter(delimiter);
    change(&mut dialect);
    Format::with_dialect(dialect).unwrap()
}

#[test]
fn a_table_without_a_header_has_numbered_columns() {
    let format = dialect(b',', |dialect| dialect.header = false);
    let (got, stats) = read(format.clone(), b"\na,1\nb,2\n", &["c2", "c1"]);
    assert_eq!(got.rows(), [["u1", "ua"], ["u2", "ub"]]);
    assert_eq!(stats.records(), 2);
    let error = super::error_of(format, b"a,1\n", &["c3"]).to_string();
    assert!(error.contains("there is no field \"c3\": the header has c1, c2"), "{error}");
}

#[test]
fn comments_quotes_and_decimals_are_as_the_dialect_says() {
    let format = dialect(b';', |dialect| {
        dialect.quote = Some(b'\'');
        dialect.comment = Some(b'#');
        dialect.decimal_comma = true;
    });
    let text = "# written by 'hand\na;b\n#x;\"\n1,5;'it''s;\n\"'\n-1.234,25;#no\n";
    let (got, _) = read(format, text.as_bytes(), &["a", "b"]);
    assert_eq!(got.rows(), [["t1.5", "tit's;\n\""], ["t-1234.25", "u#no"]]);
    let format = dialect(b',', |dialect| dialect.quote = Some(0));
    let (got, _) = read(format, b"a,b\n\"1,2\"\n", &["a", "b"]);
    assert_eq!(got.rows(), [["u\"1", "u2\""]]);
}

#[test]
fn s96_a_delimiter_is_found_where_it_is_certain() {
    for (delimiter, text) in [
        (b';', "ts;v\n1;5\n2;6\n"),
        (b'|', "ts|v\n1|5\n2|6\n"),
        (b';', "name;price\na;1,50\nb;2,25\n"),
    ] {
        assert_eq!(Format::detect(text.as_bytes()), Format::Separated(delimiter), "{text}");
    }
    for text in ["a;b\nc;d\n", "Hello; world\nBye; moon\n", "x|y\n"] {
        assert_eq!(Format::detect(text.as_bytes()), Format::Lines, "{text}");
    }
}

proptest! {
    /// What is written in a dialect is read as it was, by this reader and by the `csv` crate.
    #[test]
    fn tables_round_trip_in_any_dialect(
        rows in prop::collection::vec(("[a-c'\";,#|\n ]{0,6}", "[a-c'\";,#|\n ]{0,6}"), 1..12),
        delimiter in prop::sample::select(vec![b',', b';', b'|', b' ']),
        quote in prop::sample::select(vec![b'"', b'\'']),
        commented: bool,
        block in 64usize..100,
    ) {
        let comment = commented.then_some(b'#');
        let format = dialect(delimiter, |dialect| {
            (dialect.quote, dialect.comment, dialect.header) = (Some(quote), comment, false);
        });
        let (open, between) = (char::from(quote), char::from(delimiter));
        let write = |field: &str| match field.is_empty() || field.contains([open, between, '\n', '#']) {
            true => format!("{open}{}{open}", field.replace(open, &format!("{open}{open}"))),
            false => field.to_owned(),
        };
        let mut text = String::new();
        for (a, b) in &rows {
            if commented {
                text.push_str("#no, '\"; record\n");
            }
            text.push_str(&format!("{}{between}{}\n", write(a), write(b)));
        }
        let mut recorder = Recorder::new(&["c1", "c2"]);
        let input = Input::from_reader("in", Cursor::new(text.clone().into_bytes()));
        run(vec![input], &options(format, block, 1 << 20), &mut recorder).unwrap();
        let plain = |value: &str| if value == "-" { String::new() } else { value[1..].to_owned() };
        let read: Vec<(String, String)> =
            recorder.rows().iter().map(|row| (plain(row[0]), plain(row[1]))).collect();
        prop_assert_eq!(&read, &rows, "{}", text);
        let oracle: Vec<(String, String)> = csv::ReaderBuilder::new()
            .delimiter(delimiter).quote(quote).comment(comment).has_headers(false)
            .from_reader(text.as_bytes())
            .records()
            .map(|record| record.map(|record| (record[0].to_owned(), record[1].to_owned())).unwrap())
            .collect();
        prop_assert_eq!(read, oracle);
    }
}
