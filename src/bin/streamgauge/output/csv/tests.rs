//! Lines of CSV against an oracle that makes each field by itself, and an independent reader.

use super::*;
use proptest::prelude::*;
use streamgauge::Timestamp;

/// A field: its text, and whether it is text of a record.
type Field = (String, bool);

fn key(value: &OutputValue) -> Field {
    let is_text = matches!(value, OutputValue::Text(_) | OutputValue::List(_));
    (value.to_string(), is_text)
}

fn fields(value: &OutputValue, kind: ColumnKind, rank: usize) -> Vec<Field> {
    let number = |text: String| (text, false);
    match (kind, value) {
        (ColumnKind::Top, OutputValue::Top(rows)) => match rows.get(rank) {
            Some(row) => vec![
                key(&row.key),
                number(row.count.to_string()),
                number(row.lower.to_string()),
                number(row.upper.to_string()),
                number(row.guaranteed.to_string()),
            ],
            None => vec![number(String::new()); 5],
        },
        (ColumnKind::Top, _) => vec![number(String::new()); 5],
        (ColumnKind::Estimate, OutputValue::Estimate { value, lower, upper }) => {
            let bound = |bound: &Number| bound.to_string().replace("-inf", "").replace("inf", "");
            vec![number(value.to_string()), number(bound(lower)), number(bound(upper))]
        }
        (ColumnKind::Estimate, value) => {
            vec![key(value), number(String::new()), number(String::new())]
        }
        _ => vec![key(value)],
    }
}

fn expected(shape: &Shape, emission: &RowEmission) -> String {
    let tops = emission.values.iter().map(|value| rows_of(value).len()).max().unwrap_or(0);
    let mut text = String::new();
    for rank in 0..tops.max(1) {
        let mut line: Vec<Field> = Vec::new();
        if shape.windowed {
            let times = emission.window.map(|window| [window.start(), window.end()]);
            let times = times
                .map_or([String::new(), String::new()], |times| times.map(|time| time.to_string()));
            line.extend(times.map(|time| (time, false)));
        }
        line.extend(emission.group.iter().map(key));
        line.push((emission.revision.to_string(), false));
        if shape.has_ranks() {
            let rank = if rank < tops { (rank + 1).to_string() } else { String::new() };
            line.push((rank, false));
        }
        for (value, (_, kind)) in emission.values.iter().zip(&shape.columns) {
            line.extend(fields(value, *kind, rank));
        }
        let line = line.into_iter().map(|(field, is_text)| {
            let is_alike = field.is_empty()
                || ["true", "false", "(other)"].contains(&field.as_str())
                || field.trim().parse::<f64>().is_ok();
            match is_text && is_alike || field.contains([',', '"', '\n', '\r']) {
                true => format!("\"{}\"", field.replace('"', "\"\"")),
                false => field,
            }
        });
        text.push_str(&line.collect::<Vec<_>>().join(","));
        text.push('\n');
    }
    text
}

fn shape(kinds: &[ColumnKind], windowed: bool) -> Shape {
    let columns = kinds.iter().enumerate().map(|(index, kind)| (format!("c{index}"), *kind));
    Shape {
        windowed,
        numbered: false,
        zone: None,
        revised: false,
        retracts: false,
        resumed: false,
        group: vec!["g".to_owned(), "h".to_owned()],
        columns: columns.collect(),
        queries: Vec::new(),
    }
}

fn written(shape: &Shape, emissions: &[RowEmission]) -> String {
    let mut out = Vec::new();
    let mut writer = CsvWriter::new(&mut out, shape.clone());
    emissions.iter().for_each(|emission| writer.emission(emission).unwrap());
    writer.finish().unwrap();
    drop(writer);
    String::from_utf8(out).unwrap()
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z,\"\r\n é0-9.()-]{0,12}",
        prop::sample::select(vec![
            "",
            "true",
            "false",
            "(other)",
            "nan",
            "inf",
            "-Infinity",
            " 7",
            "\u{a0}7",
            "1e5",
            "+1",
            "NaN",
            "infinite",
            "/a,b",
            "u1",
        ])
        .prop_map(str::to_owned),
    ]
}

fn number() -> impl Strategy<Value = Number> {
    prop_oneof![
        any::<i64>().prop_map(|integer| Number::Int(integer.into())),
        any::<i128>().prop_map(Number::Int),
        (-1000i64..1000).prop_map(|whole| Number::Float(whole as f64)),
        any::<f64>().prop_map(Number::Float),
        Just(Number::Float(f64::INFINITY)),
        Just(Number::Float(-0.0)),
    ]
}

fn value() -> impl Strategy<Value = OutputValue> {
    prop_oneof![
        Just(OutputValue::Null),
        Just(OutputValue::Other),
        any::<bool>().prop_map(OutputValue::Bool),
        number().prop_map(OutputValue::from),
        text().prop_map(OutputValue::Text),
        Just(OutputValue::Decimal("1.000000000000000000000000001".to_owned())),
        prop::collection::vec(text().prop_map(OutputValue::Text), 0..3).prop_map(OutputValue::List),
    ]
}

fn column() -> impl Strategy<Value = (ColumnKind, OutputValue)> {
    let row = (value(), any::<u64>(), any::<bool>()).prop_map(|(key, count, guaranteed)| {
        TopValue { key, count, lower: count / 2, upper: count, guaranteed }
    });
    prop_oneof![
        value().prop_map(|value| (ColumnKind::Plain, value)),
        value().prop_map(|value| (ColumnKind::Estimate, value)),
        [number(), number(), number()].prop_map(|[value, lower, upper]| {
            (ColumnKind::Estimate, OutputValue::Estimate { value, lower, upper })
        }),
        number().prop_map(|value| {
            (ColumnKind::Estimate, OutputValue::Estimate { value, lower: value, upper: value })
        }),
        prop::collection::vec(row, 0..4).prop_map(|rows| (ColumnKind::Top, OutputValue::Top(rows))),
    ]
}

fn row() -> impl Strategy<Value = (Vec<ColumnKind>, RowEmission)> {
    let window = prop::option::of((-10_000i64..10_000, 1i64..10_000));
    let columns = prop::collection::vec(column(), 1..5);
    (window, 0u32..3, [value(), value()], columns).prop_map(|(window, revision, group, columns)| {
        let (kinds, values) = columns.into_iter().unzip();
        let window = window.map(|(start, length)| {
            let [start, end] = [start, start + length].map(Timestamp::from_millis);
            Window::new(start, end)
        });
        let form = Default::default();
        (kinds, RowEmission { window, revision, group: group.into(), values, form })
    })
}

proptest! {
    #[test]
    fn s94_lines_are_those_of_an_oracle(
        (kinds, row) in row(),
        windowed: bool,
        other_window in prop::option::of(0i64..5000),
    ) {
        let shape = shape(&kinds, windowed);
        let other = other_window.map(Timestamp::from_millis);
        let mut next = row.clone();
        next.window = other.map(|time| Window::new(time, Timestamp::MAX));
        let rows = [row.clone(), next, row];
        let lines: String = rows.iter().map(|row| expected(&shape, row)).collect();
        let text = written(&shape, &rows);
        let (_, found) = text.split_once('\n').unwrap();
        prop_assert_eq!(found, lines);
    }

    #[test]
    fn written_csv_is_read_back(texts in prop::collection::vec("[a-z,\"\r\n é]{1,12}", 2)) {
        let shape = shape(&[], false);
        let group = texts.iter().cloned().map(OutputValue::Text).collect();
        let row = RowEmission {
            window: None, revision: 0, group, values: vec![OutputValue::Null],
            form: Default::default(),
        };
        let text = written(&shape, &[row]);
        let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(text.as_bytes());
        let record = reader.records().next().unwrap().unwrap();
        let read: Vec<String> = record.iter().take(2).map(str::to_owned).collect();
        prop_assert_eq!(read, texts);
    }
}

fn row_of(group: [OutputValue; 2], values: Vec<OutputValue>) -> RowEmission {
    RowEmission { window: None, revision: 1, group: group.into(), values, form: Default::default() }
}

#[test]
fn s94_values_that_differ_are_written_differently() {
    let text = |text: &str| OutputValue::Text(text.to_owned());
    let values = [
        OutputValue::Null,
        text(""),
        OutputValue::Integer(0),
        text("0"),
        OutputValue::Bool(true),
        text("true"),
        OutputValue::Other,
        text("(other)"),
        text("abc"),
    ];
    let mut line = Vec::new();
    for value in &values {
        push_value(&mut line, value);
        line.push(b',');
    }
    let expected = b",\"\",0,\"0\",true,\"true\",(other),\"(other)\",abc,";
    assert_eq!(String::from_utf8(line).unwrap().as_bytes(), expected);
    for like_a_number in ["007", "1.10", " 7", "1e5", "-0", "+1", "nan"] {
        assert!(is_ambiguous(like_a_number), "{like_a_number}");
    }
    for other in ["12ms", "1,5", "-", "NA", "2024-01-01", "10.0.0.1"] {
        assert!(!is_ambiguous(other), "{other}");
    }
}

#[test]
fn every_line_of_csv_is_complete() {
    let top = |key: &str, count| {
        OutputValue::Top(vec![TopValue {
            key: OutputValue::Text(key.to_owned()),
            count,
            lower: count,
            upper: count,
            guaranteed: true,
        }])
    };
    let shape = shape(&[ColumnKind::Plain, ColumnKind::Top, ColumnKind::Estimate], false);
    let key = [OutputValue::Null, OutputValue::Other];
    let values = vec![OutputValue::Integer(3), top("/x", 2), OutputValue::Null];
    let mut retracting = shape.clone();
    retracting.retracts = true;
    let rows = [row_of(key.clone(), values), row_of(key, Vec::new())];
    assert_eq!(
        written(&shape, &rows),
        "g,h,revision,rank,c0,c1,c1 count,c1 lower,c1 upper,c1 guaranteed,c2,c2 lower,c2 upper\n\
         ,(other),1,1,3,/x,2,2,2,true,,,\n\
         ,(other),1,retracted,,,,,,,,,\n"
    );
    assert!(written(&retracting, &rows).ends_with("\n,(other),1,true,,,,,,,,,,\n"));
}

#[test]
fn no_lines_leave_the_header() {
    let mut shape = shape(&[ColumnKind::Plain], false);
    shape.group = vec!["a,b".to_owned()];
    assert_eq!(written(&shape, &[]), "\"a,b\",revision,c0\n");
}
