//! The output of answers: a table, JSON Lines, CSV or a page.

pub(crate) mod cell;
mod csv;
pub(crate) mod digits;
mod fit;
mod sheet;
mod shorten;
pub(crate) mod table;
mod text;

pub(crate) use cell::printable;
pub(crate) use sheet::Shape;
#[cfg(feature = "live")]
pub(crate) use shorten::{cut_end, cut_middle};
pub(crate) use table::Terminal;

use self::csv::CsvWriter;
use self::sheet::Sheet;
use self::table::TableWriter;
use crate::view::Watcher;
use crate::view::html::{Facts, Origin, PageWriter};
use crate::view::live::LiveWriter;
use crate::view::published::PublishedWriter;
use std::io::{self, Write};
use streamgauge::adapter::RowOutput;
use streamgauge::rows::{JsonLines, RowEmission};
use streamgauge::{Error, Timestamp};

/// Writes emissions in the format that the user chose.
pub(crate) enum OutputWriter<W> {
    Table(Sheet, TableWriter<W>),
    Json(JsonLines, W),
    Csv(CsvWriter<W>),
    Html(Box<PageWriter<W>>),
    /// Files or a stream, and nothing on standard output.
    Files(Box<dyn RowOutput + Send>),
    /// A screen, and the table that is printed after it.
    Live(Box<LiveWriter>, Box<OutputWriter<W>>),
    /// Answers that are also served by HTTP or pushed.
    Published(Box<PublishedWriter>, Box<OutputWriter<W>>),
}

impl<W: Write> OutputWriter<W> {
    /// Creates a writer of a table as wide as the terminal.
    pub(crate) fn table(shape: Shape, terminal: Terminal, out: W) -> Self {
        let sheet = Sheet::new(shape);
        let writer = TableWriter::new(out, terminal, &sheet.header());
        OutputWriter::Table(sheet, writer)
    }

    /// Creates a writer of CSV with a header.
    pub(crate) fn csv(shape: Shape, out: W) -> Self {
        OutputWriter::Csv(CsvWriter::new(out, shape))
    }

    /// Creates a writer of a page of HTML.
    pub(crate) fn html(shape: Shape, origin: Origin, out: W) -> Self {
        let columns = shape.columns.into_iter().map(|(name, _)| name).collect();
        OutputWriter::Html(Box::new(PageWriter::new(out, shape.group, columns, origin)))
    }

    pub(crate) fn emission(&mut self, emission: &RowEmission) -> io::Result<()> {
        match self {
            OutputWriter::Table(sheet, writer) => {
                sheet.lines(emission).into_iter().try_for_each(|line| writer.line(line))
            }
            OutputWriter::Json(lines, out) => lines.write(emission, out),
            OutputWriter::Csv(writer) => writer.emission(emission),
            OutputWriter::Html(page) => page.emission(emission),
            OutputWriter::Files(files) => files.push(emission).map_err(of_files),
            OutputWriter::Live(live, _) => {
                live.emission(emission);
                Ok(())
            }
            OutputWriter::Published(published, output) => {
                published.emission(emission);
                match emission.form.histograms.is_empty() {
                    true => output.emission(emission),
                    false => {
                        let mut columns = emission.clone();
                        columns.values.truncate(columns.form.columns.len());
                        output.emission(&columns)
                    }
                }
            }
        }
    }

    /// Declares that the following rows belong to incomplete windows.
    pub(crate) fn set_incomplete(&mut self) {
        match self {
            OutputWriter::Json(lines, _) => lines.set_complete(false),
            OutputWriter::Html(page) => page.set_incomplete(),
            OutputWriter::Files(files) => files.set_complete(false),
            OutputWriter::Live(live, _) => live.set_incomplete(),
            OutputWriter::Published(_, output) => output.set_incomplete(),
            OutputWriter::Table(..) | OutputWriter::Csv(..) => {}
        }
    }

    /// Takes the time of the last record, for an output that shows where the input ends.
    pub(crate) fn set_latest(&mut self, latest: Option<Timestamp>) {
        match self {
            OutputWriter::Html(page) => page.set_latest(latest),
            OutputWriter::Published(_, output) => output.set_latest(latest),
            _ => {}
        }
    }

    /// Takes what was counted beside the answers, for an output that tells it.
    pub(crate) fn set_facts(&mut self, facts: Facts) {
        match self {
            OutputWriter::Html(page) => page.set_facts(facts),
            OutputWriter::Published(_, output) => output.set_facts(facts),
            _ => {}
        }
    }

    /// Flushes the output. More rows may follow.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        match self {
            OutputWriter::Table(_, writer) => writer.flush(),
            OutputWriter::Json(_, out) => out.flush(),
            OutputWriter::Csv(writer) => writer.flush(),
            OutputWriter::Files(files) => files.flush().map_err(of_files),
            // A page is written at its end, and a screen draws itself.
            OutputWriter::Html(_) | OutputWriter::Live(..) => Ok(()),
            OutputWriter::Published(_, output) => output.flush(),
        }
    }

    /// Writes the end of the output. No more rows follow.
    pub(crate) fn finish(&mut self) -> io::Result<()> {
        match self {
            OutputWriter::Csv(writer) => writer.finish(),
            OutputWriter::Html(page) => page.finish(),
            OutputWriter::Files(files) => files.finish().map_err(of_files),
            OutputWriter::Live(live, table) => table.all(&live.finish()?),
            OutputWriter::Published(_, output) => output.finish(),
            _ => self.flush(),
        }
    }

    /// Closes a screen, because the run has failed.
    pub(crate) fn close(&mut self) -> io::Result<()> {
        match self {
            OutputWriter::Live(live, table) => table.all(&live.close()?),
            _ => Ok(()),
        }
    }

    /// Writes rows, and the end of the output.
    fn all(&mut self, rows: &[RowEmission]) -> io::Result<()> {
        rows.iter().try_for_each(|row| self.emission(row))?;
        self.finish()
    }

    /// Returns who is told the counts of the run while it goes on, if somebody is.
    pub(crate) fn watcher(&mut self) -> Option<&mut dyn Watcher> {
        match self {
            OutputWriter::Live(live, _) => Some(&mut **live),
            OutputWriter::Published(published, _) => Some(&mut **published),
            _ => None,
        }
    }

    /// Returns the screen, if there is one.
    pub(crate) fn live(&mut self) -> Option<&mut LiveWriter> {
        match self {
            OutputWriter::Live(live, _) => Some(live),
            _ => None,
        }
    }
}

/// Returns the error of files, which names the place, among those of standard output.
fn of_files(error: Error) -> io::Error {
    io::Error::other(error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use streamgauge::Window;
    use streamgauge::row::{Number, OutputValue};
    use streamgauge::rows::ColumnKind;

    /// 2025-10-25T20:00:00Z.
    const START: i64 = 1_761_422_400_000;

    fn eight_columns() -> Shape {
        let column = |name: &str, kind| (name.to_owned(), kind);
        let plain = ["count", "bytes", "mean(latency_ms)", "max(latency_ms)"]
            .map(|name| column(name, ColumnKind::Plain));
        let estimates = ["p50(latency_ms)", "p90(latency_ms)", "p99(latency_ms)", "distinct(user)"];
        let columns = plain
            .into_iter()
            .chain(estimates.map(|name| column(name, ColumnKind::Estimate)))
            .collect();
        Shape {
            windowed: true,
            numbered: false,
            zone: None,
            revised: false,
            retracts: false,
            resumed: false,
            group: vec!["path".to_owned()],
            columns,
            queries: Vec::new(),
        }
    }

    fn estimate(value: i128) -> OutputValue {
        OutputValue::Estimate {
            value: Number::Int(value),
            lower: Number::Int(value - 36),
            upper: Number::Int(value + 38),
        }
    }

    fn row(hour: i64, path: OutputValue, count: i128) -> RowEmission {
        let (start, end) = (START + hour * 3_600_000, START + (hour + 1) * 3_600_000);
        let exact = OutputValue::Estimate {
            value: Number::Int(1583),
            lower: Number::Int(1583),
            upper: Number::Int(1583),
        };
        let values = vec![
            OutputValue::Integer(count),
            OutputValue::Integer(count * 50_000),
            OutputValue::Float(count as f64 / 8.3),
            OutputValue::Null,
            exact,
            estimate(2185),
            estimate(990),
            estimate(count + 100),
        ];
        let window = Some(Window::new(Timestamp::from_millis(start), Timestamp::from_millis(end)));
        RowEmission { window, revision: 0, group: vec![path], values, form: Default::default() }
    }

    fn rows() -> Vec<RowEmission> {
        let text = |text: &str| OutputValue::Text(text.to_owned());
        vec![
            row(0, OutputValue::Null, 12),
            row(0, text(""), 4_073),
            row(0, text("/api/v1/users/settings"), 999),
            row(4, text("null"), 51_234),
            row(4, text("/日本語/設定"), 7),
        ]
    }

    fn table(width: Option<usize>, batches: &[&[RowEmission]]) -> String {
        let mut out = Vec::new();
        let mut writer =
            OutputWriter::table(eight_columns(), Terminal { width, color: false }, &mut out);
        for batch in batches {
            batch.iter().for_each(|row| writer.emission(row).unwrap());
            writer.flush().unwrap();
        }
        drop(writer);
        String::from_utf8(out).unwrap()
    }

    fn same(width: usize, expected: &str) {
        let table = table(Some(width), &[&rows()]);
        assert_eq!(table, expected, "\n{table}");
    }

    #[test]
    fn s107_eight_columns_fit_a_terminal_of_80_columns() {
        same(
            80,
            "\
\x20                                                      p50(         p99(\n\
\x20                                        mean(   max( laten   p90( laten\n\
\x20                                       latenc latenc   cy_ latenc   cy_ distinc\n\
start path          count         bytes  y_ms)  y_ms)   ms)  y_ms)   ms) t(user)\n\
2025-10-25 UTC\n\
20:00 null             12       600,000  1.446   null 1,583 ~2,185  ~990    ~112\n\
20:00 \"\"            4,073   203,650,000  490.7   null 1,583 ~2,185  ~990  ~4,173\n\
20:00 /api/v…tings    999    49,950,000  120.4   null 1,583 ~2,185  ~990  ~1,099\n\
2025-10-26 UTC\n\
00:00 \"null\"       51,234 2,561,700,000  6,173   null 1,583 ~2,185  ~990 ~51,334\n\
00:00 /日本語/設定      7       350,000 0.8434   null 1,583 ~2,185  ~990    ~107\n",
        );
    }

    #[test]
    fn s107_eight_columns_fit_a_terminal_of_120_columns() {
        same(
            120,
            "\
\x20                                                          mean(\n\
\x20                                                       latency_  max(latenc  p50(laten  \
p90(laten  p99(laten  distinct(\n\
start  path                     count          bytes         ms)       y_ms)     cy_ms)     \
cy_ms)     cy_ms)      user)\n\
2025-10-25 UTC\n\
20:00  null                        12        600,000     1.44578        null      1,583     \
~2,185       ~990       ~112\n\
20:00  \"\"                       4,073    203,650,000     490.723        null      1,583     \
~2,185       ~990     ~4,173\n\
20:00  /api/v1/users/settings     999     49,950,000     120.361        null      1,583     \
~2,185       ~990     ~1,099\n\
2025-10-26 UTC\n\
00:00  \"null\"                  51,234  2,561,700,000    6,172.77        null      1,583     \
~2,185       ~990    ~51,334\n\
00:00  /日本語/設定                 7        350,000    0.843373        null      1,583     ~2,185       ~990       ~107\n",
        );
    }

    #[test]
    fn s107_digits_stand_under_digits_and_bounds_beside_them() {
        let mut lines = rows();
        lines[1].values[5] = lines[1].values[4].clone();
        let table = table(None, &[&lines]);
        let digits = |line: &str, text: &str| line.find(text).unwrap() + text.len();
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(
            digits(lines[2], "null            1,583  1,583"),
            digits(lines[1], "null            1,583  2,185"),
            "{table}"
        );
        assert!(lines[1].contains("2,185 [2,149, 2,223]"), "{table}");
    }

    #[test]
    fn s107_later_lines_have_their_date_and_the_form_of_the_first() {
        let (first, later) = (
            rows(),
            [row(4, OutputValue::Integer(2024), 7), row(28, OutputValue::Integer(2024), 8)],
        );
        let batches = table(Some(80), &[&first[..2], &first[2..], &later]);
        let dates: Vec<&str> = batches.lines().filter(|line| line.ends_with(" UTC")).collect();
        assert_eq!(dates, ["2025-10-25 UTC", "2025-10-26 UTC", "2025-10-27 UTC"], "{batches}");
        // A key is a name, not an amount, so it has no thousands separators.
        assert!(batches.lines().last().unwrap().starts_with("00:00 2024 "), "{batches}");
        assert_eq!(batches.lines().filter(|line| line.contains("start")).count(), 1, "{batches}");
        assert!(
            batches.lines().all(|line| unicode_width::UnicodeWidthStr::width(line) <= 80),
            "{batches}"
        );
    }

    #[test]
    fn s107_a_table_of_days_has_dates_for_times() {
        let days = [row(4, OutputValue::Null, 1), row(28, OutputValue::Null, 2)];
        let table = table(Some(80), &[&days]);
        let starts: Vec<&str> = table.lines().rev().take(2).map(|line| &line[..10]).collect();
        assert_eq!(starts, ["2025-10-27", "2025-10-26"], "{table}");
        assert!(!table.contains("UTC"), "{table}");
    }

    #[test]
    fn s107_eight_columns_have_their_bounds_at_200_columns() {
        same(
            200,
            "\
window_start          path                     count          bytes  mean(latency_ms)  \
max(latency_ms)  p50(latency_ms)       p90(latency_ms)   p99(latency_ms)           distinct(user)\n\
2025-10-25T20:00:00Z  null                        12        600,000           1.44578             \
null            1,583  2,185 [2,149, 2,223]  990 [954, 1,028]     112 [76, 150]\n\
2025-10-25T20:00:00Z  \"\"                       4,073    203,650,000           490.723             null            1,583  2,185 [2,149, 2,223]  990 [954, 1,028]   4,173 [4,137, 4,211]\n\
2025-10-25T20:00:00Z  /api/v1/users/settings     999     49,950,000           120.361             \
null            1,583  2,185 [2,149, 2,223]  990 [954, 1,028]   1,099 [1,063, 1,137]\n\
2025-10-26T00:00:00Z  \"null\"                  51,234  2,561,700,000          6,172.77             null            1,583  2,185 [2,149, 2,223]  990 [954, 1,028]  51,334 [51,298, 51,372]\n\
2025-10-26T00:00:00Z  /日本語/設定                 7        350,000          0.843373             \
null            1,583  2,185 [2,149, 2,223]  990 [954, 1,028]     107 [71, 145]\n",
        );
    }
}
