//! Files of answers against the rows that they were made of.

use super::*;
use crate::error::ErrorKind;
use crate::query::PipelineSpec;
use crate::row::OutputValue;
#[cfg(feature = "parquet")]
use crate::row::{Number, TopValue};
use crate::rows::{CompileOptions, JsonLines};
use crate::time::Timestamp;
use crate::window::Window;
#[cfg(feature = "parquet")]
use proptest::prelude::*;
use std::fs;
use std::path::PathBuf;

const DAY: i64 = 86_400_000;
const ROWS_MAX: usize = AnswerFiles::ROWS_MAX;

fn pipeline(toml: &str) -> RowPipeline {
    let spec = PipelineSpec::from_toml(toml, "p.toml").unwrap();
    spec.compile(&CompileOptions { bounded_input: true, ..CompileOptions::default() }).unwrap()
}

fn hours() -> RowPipeline {
    pipeline("time = 't'\nwindow = '1h'\ngroup = 'g, h'\nagg = 'max(a), p50(b), top(3, c)'\n")
}

/// A folder that is removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let name = format!("streamgauge-answer-files-{name}-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        let _ = fs::remove_dir_all(&folder);
        Folder(folder)
    }

    fn place(&self) -> String {
        format!("{}/", self.0.display())
    }

    /// Returns the paths of all files, sorted, with their contents.
    fn files(&self) -> Vec<(String, Vec<u8>)> {
        let mut files = Vec::new();
        let mut folders = vec![self.0.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let name = path.strip_prefix(&self.0).unwrap().to_str().unwrap().to_owned();
                files.push((name, fs::read(path).unwrap()));
            }
        }
        files.sort();
        files
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn row(pipeline: &RowPipeline, hour: i64, revision: u32, group: &str) -> RowEmission {
    let start = Timestamp::from_millis(hour * 3_600_000);
    let end = Timestamp::from_millis((hour + 1) * 3_600_000);
    RowEmission {
        window: Some(Window::new(start, end)),
        revision,
        group: vec![OutputValue::Text(group.to_owned()), OutputValue::Integer(hour.into())],
        values: vec![OutputValue::Integer(1), OutputValue::Null, OutputValue::Top(Vec::new())],
        form: pipeline.form().clone(),
    }
}

fn lines(rows: &[RowEmission]) -> Vec<u8> {
    let mut text = Vec::new();
    rows.iter().for_each(|row| JsonLines::default().append(row, &mut text));
    text
}

#[test]
fn s300_files_are_split_by_window_or_by_date_and_named_by_their_content() {
    let pipeline = hours();
    let rows: Vec<RowEmission> = [(22, 0, "a"), (22, 0, "b"), (23, 0, "a"), (24, 0, "a")]
        .map(|(hour, revision, group)| row(&pipeline, hour, revision, group))
        .into();
    for (per_window, parts) in [(true, vec![0..2, 2..3, 3..4]), (false, vec![0..3, 3..4])] {
        let folder = Folder::new(&format!("split-{per_window}"));
        let options = AnswerFilesOptions { per_window, ..AnswerFilesOptions::default() };
        for _ in 0..2 {
            // The second time is a retry, which changes nothing.
            let mut files = AnswerFiles::open(&folder.place(), &pipeline, options.clone()).unwrap();
            for row in &rows {
                files.push(row).unwrap();
                if !per_window {
                    files.flush().unwrap();
                }
            }
            files.finish().unwrap();
        }
        let files = folder.files();
        assert_eq!(files.len(), parts.len(), "{files:?}");
        for ((name, content), part) in files.iter().zip(parts) {
            assert_eq!(*content, lines(&rows[part.clone()]), "{name}");
            let date = if part.end == 4 { "date=1970-01-02/" } else { "date=1970-01-01/" };
            assert!(name.starts_with(date) && name.ends_with(".jsonl"), "{name}");
        }
        assert!(
            files[0].0.starts_with("date=1970-01-01/19700101T220000.000Z-19700101T230000.000Z-r0-"),
            "{}",
            files[0].0
        );
    }
}

#[test]
fn s300_paths_have_the_date_of_the_time_zone_the_query_and_the_source() {
    let toml = "time = 't'\n[[query]]\nname = 'days'\nwindow = '1d'\ntimezone = 'Asia/Tokyo'\n\
                [[query]]\nname = 'all'\n";
    let pipeline = pipeline(toml);
    let folder = Folder::new("paths");
    let mut files =
        AnswerFiles::open(&folder.place(), &pipeline, AnswerFilesOptions::default()).unwrap();
    files.set_source("stream/shard 1");
    let forms: Vec<_> = pipeline.queries().map(|query| query.form().clone()).collect();
    let window =
        |start| Window::new(Timestamp::from_millis(start), Timestamp::from_millis(start + DAY));
    for (window, form) in [(Some(window(-9 * 3_600_000)), &forms[0]), (None, &forms[1])] {
        let values = vec![OutputValue::Integer(1)];
        let row =
            RowEmission { window, revision: 0, group: Vec::new(), values, form: form.clone() };
        files.push(&row).unwrap();
    }
    files.finish().unwrap();
    let names: Vec<String> = folder.files().into_iter().map(|(name, _)| name).collect();
    assert!(names[0].starts_with("query=all/source=stream%2fshard%201/all-r0-00000-"), "{names:?}");
    assert!(
        names[1].starts_with("query=days/source=stream%2fshard%201/date=1970-01-01/"),
        "{names:?}"
    );
}

#[test]
fn s301_one_file_is_complete_or_not_there() {
    let folder = Folder::new("one");
    fs::create_dir_all(&folder.0).unwrap();
    let path = format!("{}hits.jsonl", folder.place());
    let pipeline = hours();
    let open = || AnswerFiles::open(&path, &pipeline, AnswerFilesOptions::default()).unwrap();
    let mut killed = open();
    killed.push(&row(&pipeline, 1, 0, "a")).unwrap();
    killed.flush().unwrap();
    drop(killed);
    assert_eq!(folder.files(), []);
    let rows = [row(&pipeline, 1, 0, "a"), row(&pipeline, 30, 0, "b")];
    let mut files = open();
    rows.iter().for_each(|row| files.push(row).unwrap());
    files.finish().unwrap();
    assert_eq!(folder.files(), [("hits.jsonl".to_owned(), lines(&rows))]);
    let error = AnswerFiles::open("/none/such/hits", &pipeline, AnswerFilesOptions::default());
    let error = error.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);
    assert!(error.to_string().starts_with("cannot write /none/such/hits: "), "{error}");
}

#[test]
fn s300_many_rows_of_a_window_are_several_files_that_come_again_alike() {
    let pipeline = hours();
    let folder = Folder::new("many");
    for _ in 0..2 {
        let mut files =
            AnswerFiles::open(&folder.place(), &pipeline, AnswerFilesOptions::default()).unwrap();
        for group in 0..ROWS_MAX + 10 {
            files.push(&row(&pipeline, 1, 0, &group.to_string())).unwrap();
        }
        files.finish().unwrap();
    }
    let sizes: Vec<usize> = folder
        .files()
        .iter()
        .map(|(_, content)| content.iter().filter(|byte| **byte == b'\n').count())
        .collect();
    assert_eq!(sizes, [ROWS_MAX, 10]);
}

#[cfg(feature = "parquet")]
mod of_parquet {
    use super::*;
    use ::parquet::file::reader::{FileReader, SerializedFileReader};
    use ::parquet::record::{Field, Row};

    fn options() -> AnswerFilesOptions {
        AnswerFilesOptions { format: AnswerFormat::Parquet, ..AnswerFilesOptions::default() }
    }

    fn read(bytes: Vec<u8>) -> Vec<Row> {
        let reader = SerializedFileReader::new(bytes::Bytes::from(bytes)).unwrap();
        reader.get_row_iter(None).unwrap().map(Result::unwrap).collect()
    }

    fn field<'a>(row: &'a Row, name: &str) -> &'a Field {
        row.get_column_iter().find(|(known, _)| *known == name).map(|(_, field)| field).unwrap()
    }

    /// Returns true if a field has a value. A column with values of several kinds is text.
    fn is_same(field: &Field, value: &OutputValue) -> bool {
        match (field, value) {
            (Field::Null, OutputValue::Null | OutputValue::Other) => true,
            (Field::Null, OutputValue::Float(float)) => !float.is_finite(),
            (Field::Bool(a), OutputValue::Bool(b)) => a == b,
            (Field::Long(a), OutputValue::Integer(b)) => i128::from(*a) == *b,
            (Field::Double(a), OutputValue::Integer(b)) => *a as i128 == *b,
            (Field::Double(a), OutputValue::Float(b)) => a.to_bits() == b.to_bits(),
            (Field::Decimal(a), OutputValue::Integer(b)) => {
                i128::from_be_bytes(a.data().try_into().unwrap()) == *b
            }
            (Field::Str(a), OutputValue::Text(b)) => a == b,
            (Field::Str(a), value) => *a == serde_json::to_string(value).unwrap(),
            _ => false,
        }
    }

    fn value() -> impl Strategy<Value = OutputValue> {
        prop_oneof![
            Just(OutputValue::Null),
            any::<bool>().prop_map(OutputValue::Bool),
            (-9i128..9).prop_map(OutputValue::Integer),
            any::<i64>().prop_map(|integer| OutputValue::Integer(integer.into())),
            any::<i128>().prop_map(OutputValue::Integer),
            any::<f64>().prop_map(OutputValue::Float),
            // Control characters, and text that is written from right to left, too.
            "[\u{0}-\u{1f}a\u{5d0}\u{202e}\u{1f600}]{0,4}".prop_map(OutputValue::Text),
        ]
    }

    /// Values of one kind, which give a column a type, or of several.
    fn values(rows: usize) -> impl Strategy<Value = Vec<OutputValue>> {
        let one = value().prop_map(move |value| vec![value; rows]);
        prop_oneof![one, prop::collection::vec(value(), rows)]
    }

    fn top() -> impl Strategy<Value = OutputValue> {
        let element = (value(), 0u64..9).prop_map(|(key, count)| TopValue {
            key,
            count,
            lower: count / 2,
            upper: if count == 8 { u64::MAX } else { count },
            guaranteed: count > 3,
        });
        let list = prop::collection::vec(element, 0..4).prop_map(OutputValue::Top);
        prop_oneof![Just(OutputValue::Null), list]
    }

    fn estimate(value: i64) -> OutputValue {
        let [value, lower, upper] =
            [value, value - 1, value + 2].map(|value| Number::Int(value.into()));
        OutputValue::Estimate { value, lower, upper }
    }

    type Columns = (Vec<OutputValue>, Vec<OutputValue>, Vec<OutputValue>, Vec<OutputValue>);

    fn columns() -> impl Strategy<Value = Columns> {
        (0usize..6).prop_flat_map(|rows| {
            let tops = prop::collection::vec(top(), rows);
            let bounds = (0i64..3).prop_map(|value| match value {
                0 => OutputValue::Null,
                value => estimate(value),
            });
            (values(rows), values(rows), prop::collection::vec(bounds, rows), tops)
        })
    }

    fn is_same_top(field: &Field, value: &OutputValue) -> bool {
        let OutputValue::Top(elements) = value else { return matches!(field, Field::Null) };
        let Field::ListInternal(list) = field else { return false };
        list.elements().len() == elements.len()
            && list.elements().iter().zip(elements).all(|(read, element)| {
                let Field::Group(group) = read else { return false };
                let of = |name| super::of_parquet::field(group, name);
                let count = |count: u64| OutputValue::Integer(count.into());
                is_same(of("key"), &element.key)
                    && is_same(of("count"), &count(element.count))
                    && is_same(of("lower"), &count(element.lower))
                    && is_same(of("upper"), &count(element.upper))
                    && *of("guaranteed") == Field::Bool(element.guaranteed)
            })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

        #[test]
        fn s302_parquet_has_the_values_of_the_rows((keys, maxima, bounds, tops) in columns()) {
            let pipeline = hours();
            let rows: Vec<RowEmission> = (0..keys.len()).map(|at| RowEmission {
                group: vec![keys[at].clone(), OutputValue::Null],
                values: match at {
                    // A row that takes back another one.
                    5 => Vec::new(),
                    at => vec![maxima[at].clone(), bounds[at].clone(), tops[at].clone()],
                },
                ..row(&pipeline, 1, at as u32 / 9, "")
            }).collect();
            let folder = Folder::new("values");
            fs::create_dir_all(&folder.0).unwrap();
            let path = format!("{}one.parquet", folder.place());
            let mut files = AnswerFiles::open(&path, &pipeline, options()).unwrap();
            rows.iter().for_each(|row| files.push(row).unwrap());
            files.finish().unwrap();
            let read = read(fs::read(path).unwrap());
            prop_assert_eq!(read.len(), rows.len());
            for (row, read) in rows.iter().zip(&read) {
                let null = OutputValue::Null;
                let value = |at: usize| row.values.get(at).unwrap_or(&null);
                prop_assert!(is_same(field(read, "g"), &row.group[0]), "{row:?} {read:?}");
                prop_assert!(is_same(field(read, "max(a)"), value(0)), "{row:?} {read:?}");
                prop_assert!(is_same_top(field(read, "top(3, c)"), value(2)), "{row:?} {read:?}");
                let bounds = ["p50(b)", "p50(b)_lower", "p50(b)_upper"].map(|name| field(read, name));
                match value(1) {
                    OutputValue::Estimate { value, lower, upper } => {
                        for (field, number) in bounds.into_iter().zip([value, lower, upper]) {
                            prop_assert!(is_same(field, &(*number).into()), "{row:?} {read:?}");
                        }
                    }
                    _ => prop_assert_eq!(bounds, [&Field::Null; 3]),
                }
                let start = row.window.unwrap().start().as_millis();
                prop_assert_eq!(field(read, "window_start"), &Field::TimestampMillis(start));
                prop_assert_eq!(field(read, "retracted"), &Field::Bool(row.is_retracted()));
                prop_assert_eq!(field(read, "complete"), &Field::Bool(true));
            }
        }
    }

    #[test]
    fn s302_the_rest_of_the_groups_has_no_group_and_says_so() {
        let pipeline = hours();
        let folder = Folder::new("other");
        let mut files = AnswerFiles::open(&folder.place(), &pipeline, options()).unwrap();
        let mut other = row(&pipeline, 1, 0, "");
        other.group = vec![OutputValue::Other; 2];
        files.push(&row(&pipeline, 1, 0, "a")).unwrap();
        files.set_complete(false);
        files.push(&other).unwrap();
        files.finish().unwrap();
        let read = read(folder.files().remove(0).1);
        let of = |name: &str| [0, 1].map(|at: usize| field(&read[at], name).clone());
        assert_eq!(of("g"), [Field::Str("a".into()), Field::Null]);
        assert_eq!(of("h"), [Field::Long(1), Field::Null], "the type of the others stays");
        assert_eq!(of("other"), [Field::Bool(false), Field::Bool(true)]);
        assert_eq!(of("complete"), [Field::Bool(true), Field::Bool(false)]);
    }

    #[test]
    fn s303_a_large_file_has_row_groups_of_limited_size_and_the_types_of_the_first() {
        let pipeline = hours();
        let folder = Folder::new("large");
        fs::create_dir_all(&folder.0).unwrap();
        let path = format!("{}one.parquet", folder.place());
        let mut files = AnswerFiles::open(&path, &pipeline, options()).unwrap();
        let rows = ROWS_MAX + 10;
        (0..rows).for_each(|at| files.push(&row(&pipeline, at as i64 / 50_000, 0, "a")).unwrap());
        files.finish().unwrap();
        let bytes = bytes::Bytes::from(fs::read(&path).unwrap());
        let reader = SerializedFileReader::new(bytes).unwrap();
        let groups = reader.metadata().row_groups().iter().map(|group| group.num_rows() as usize);
        let groups: Vec<usize> = groups.collect();
        assert_eq!((groups.len(), groups.iter().sum()), (2, rows));
        assert!(groups[0] <= ROWS_MAX);

        let mut files = AnswerFiles::open(&path, &pipeline, options()).unwrap();
        (0..ROWS_MAX).for_each(|_| files.push(&row(&pipeline, 0, 0, "a")).unwrap());
        let mut text = row(&pipeline, 0, 0, "a");
        text.values[0] = OutputValue::Text("n/a".into());
        files.push(&text).unwrap();
        let error = files.finish().unwrap_err().to_string();
        assert!(error.contains("one.parquet: the column \"max(a)\" has values that"), "{error}");
        drop(files);
        assert_eq!(folder.files().len(), 1, "the earlier file stays, and no other");
    }

    #[test]
    fn s302_a_type_that_the_query_says_needs_no_values() {
        let agg = "count, mean(a), p50(a), cast(max(a) as text) as t, max(a) > 1 as b, \
                   cast(sum(a) as int) as i, top(2, a)";
        let pipeline = pipeline(&format!("time = 't'\nwindow = '1h'\nagg = '{agg}'\n"));
        let folder = Folder::new("types");
        let mut files = AnswerFiles::open(&folder.place(), &pipeline, options()).unwrap();
        let row = row(&pipeline, 1, 0, "");
        files.push(&RowEmission { group: Vec::new(), values: Vec::new(), ..row }).unwrap();
        files.finish().unwrap();
        let bytes = bytes::Bytes::from(folder.files().remove(0).1);
        let reader = SerializedFileReader::new(bytes).unwrap();
        let schema = reader.metadata().file_metadata().schema_descr();
        let types: Vec<String> = schema
            .columns()
            .iter()
            .skip(5)
            .map(|column| format!("{} {}", column.path().string(), column.physical_type()))
            .collect();
        let expected = "count INT64, mean(a) DOUBLE, p50(a) DOUBLE, p50(a)_lower DOUBLE, \
                        p50(a)_upper DOUBLE, t BYTE_ARRAY, b BOOLEAN, i INT64, \
                        top(2, a).list.element.key BYTE_ARRAY, top(2, a).list.element.count INT64, \
                        top(2, a).list.element.lower INT64, top(2, a).list.element.upper INT64, \
                        top(2, a).list.element.guaranteed BOOLEAN";
        assert_eq!(types.join(", "), expected);
    }

    #[test]
    fn s302_two_columns_of_one_name_are_refused() {
        let pipeline = pipeline("group = 'a'\nagg = 'count as a'");
        let error = AnswerFiles::open("x/", &pipeline, options()).unwrap_err();
        assert!(error.to_string().contains("two columns"), "{error}");
        let several = super::pipeline("[[query]]\nname = 'a'\n[[query]]\nname = 'b'\n");
        let error = AnswerFiles::open("x.parquet", &several, options()).unwrap_err();
        assert!(error.to_string().contains("name a directory, as in x.parquet/"), "{error}");
    }
}
