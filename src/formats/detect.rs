//! Detects the format of an input by its first bytes.
//!
//! The answer depends only on the bytes, not on the pieces in which they come. The text is examined
//! up to the end of its first line, then up to the end of its second one, and so on, until the
//! format is certain or [`LINES`] lines have been examined. So a file and a pipe with the same
//! bytes give the same format, and a pipe is not awaited longer than necessary.
//!
//! If the format is not certain, the input is plain lines, with a reason. An input that cannot be
//! lines of text is refused, with its name.

use crate::formats::aws_logs;
use crate::formats::beginning::Beginning;
use crate::formats::clf;
use crate::formats::container;
use crate::formats::csv_header::{self, Header};
use crate::formats::format::{Format, without_byte_order_mark};
use crate::formats::json_text::{self, JsonText};
use crate::formats::logfmt;
use crate::formats::w3c;

/// Maximum number of lines that are examined, without blank lines and line ends in quotes.
const LINES: usize = 5;
/// Maximum number of lines that are examined if quotes are open at their ends.
const LINES_IN_QUOTES: usize = 20;
/// Number of lines of a log that are enough to be certain.
const LOG_LINES: usize = 2;

/// The result of detection.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Detection {
    /// The format is certain.
    Certain(Format),
    /// JSON that is not one value per line: an array, or objects over several lines.
    Values,
    /// Plain lines, because no other format is certain. The text is the reason.
    Lines(String),
    /// Not lines of text, or not records. The text tells what it is and what to do.
    Refused(String),
}

impl Format {
    /// Detects the format of a file by its first 128 KiB. The name of the file does not matter.
    ///
    /// A byte order mark and leading blank lines are ignored. Then the format is
    /// 1. JSON Lines if the first line is a JSON object, or begins like one and another line is
    ///    one; also JSON that is not one object per line: an array, objects over several lines, or
    ///    several objects on a line, which are read value by value;
    /// 2. an access log if the first two lines certainly have the format, including time and
    ///    referer;
    /// 3. logfmt, or the log of an AWS service (ALB, S3, VPC flows), if the first two lines
    ///    certainly are, and a W3C extended log if it begins with directives, `#Fields:` among them;
    /// 4. TSV or CSV if the first line certainly is a header: the records under it have the same
    ///    number of fields, at least two; its fields are different and read like names, not like
    ///    values; and in at least one column the fields below read like values. Two records under
    ///    the header are examined, or one if there is only one;
    /// 5. plain lines in any other case.
    ///
    /// At most five lines that are not blank are examined. [`run`](crate::adapter::files::run) also
    /// accepts a header that has all the requested fields. It tells why it reads plain lines, and
    /// refuses input that is certainly not lines of text, such as unsupported compression, UTF-32,
    /// or Parquet.
    ///
    /// # Example
    /// ```
    /// use streamgauge::adapter::files::Format;
    /// assert_eq!(Format::detect(b"{\"a\": 1}\n"), Format::JsonLines);
    /// assert_eq!(Format::detect(b"time,bytes\n1,2\n"), Format::Csv);
    /// assert_eq!(Format::detect(b"2024-01-01 12:00:00,123 INFO started\n"), Format::Lines);
    /// ```
    pub fn detect(first_bytes: &[u8]) -> Format {
        let beginning = Beginning::of(without_byte_order_mark(first_bytes), true);
        match detect(beginning, &[]) {
            Some(Detection::Certain(format)) => format,
            Some(Detection::Values) => Format::JsonLines,
            Some(Detection::Lines(_) | Detection::Refused(_)) | None => Format::Lines,
        }
    }
}

/// Examines the beginning of an input whose format is unknown; `None` if it needs more bytes.
/// `fields` are the requested fields: a header that has them is certain.
pub(crate) fn detect(beginning: Beginning<'_>, fields: &[String]) -> Option<Detection> {
    let (mut lines, mut quotes) = (LineCount::default(), 0);
    for newline in memchr::memchr_iter(b'\n', beginning.bytes) {
        let line = &beginning.bytes[lines.end..newline];
        lines.end = newline + 1;
        if line.trim_ascii().is_empty() {
            continue;
        }
        quotes += memchr::memchr_iter(b'"', line).count();
        lines.all += 1;
        lines.balanced += usize::from(quotes % 2 == 0);
        if container::needs_more(&beginning.bytes[..lines.end]) {
            continue;
        }
        let is_last = lines.balanced >= LINES || lines.all >= LINES_IN_QUOTES;
        let looked = Sample {
            bytes: &beginning.bytes[..lines.end],
            lines: lines.all,
            is_last,
            is_whole: false,
        };
        if let Some(detected) = looked.judge(fields) {
            return Some(detected);
        }
    }
    let looked = Sample {
        bytes: beginning.bytes,
        lines: lines.all + 1,
        is_last: true,
        is_whole: beginning.is_whole,
    };
    beginning.is_all().then(|| looked.judge_last(fields))
}

/// Examines the beginning of an input whose format was given; `None` if it needs more bytes.
/// Refuses bytes that are certainly not text.
pub(crate) fn check(beginning: Beginning<'_>, named: &Format) -> Option<Detection> {
    let blank = beginning.bytes.len() - without_blank_lines(beginning.bytes).len();
    let mut ends =
        memchr::memchr_iter(b'\n', &beginning.bytes[blank..]).map(|newline| blank + newline + 1);
    let end = ends.find(|end| !container::needs_more(&beginning.bytes[..*end]));
    if end.is_none() && !beginning.is_all() {
        return None;
    }
    let first = &beginning.bytes[..end.unwrap_or(beginning.bytes.len())];
    // A header reports an error about its line end itself.
    let has_header = named.dialect().is_some();
    let refused = container::named(first).or_else(|| returns_alone(first).filter(|_| !has_header));
    let text = without_blank_lines(first).trim_ascii_start();
    if refused.is_none()
        && *named == Format::JsonLines
        && matches!(text, [b'[' | b'{', ..])
        && json_text::look(text) != JsonText::Line
    {
        return match detect(beginning, &[])? {
            Detection::Values => Some(Detection::Values),
            _ => Some(Detection::Certain(Format::JsonLines)),
        };
    }
    Some(refused.map_or(Detection::Certain(named.clone()), Detection::Refused))
}

/// The number of examined lines.
#[derive(Default)]
struct LineCount {
    all: usize,
    /// The number of lines at whose end no quote is open.
    balanced: usize,
    /// The offset after these lines.
    end: usize,
}

/// The examined lines.
#[derive(Clone, Copy)]
struct Sample<'a> {
    bytes: &'a [u8],
    /// The number of lines, at least one.
    lines: usize,
    /// True if no more bytes will be examined.
    is_last: bool,
    /// True if the input ends after them.
    is_whole: bool,
}

impl<'a> Sample<'a> {
    /// Returns the text from its first line that is not blank.
    fn text(self) -> &'a [u8] {
        without_blank_lines(self.bytes)
    }

    /// Returns the first line that is not blank.
    fn first_line(self) -> &'a [u8] {
        let text = self.text();
        &text[..memchr::memchr(b'\n', text).unwrap_or(text.len())]
    }

    /// Returns the lines that are not blank.
    fn lines(self) -> impl Iterator<Item = &'a [u8]> {
        self.text().split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty())
    }

    /// Returns the format if it is certain, or if no later line can change the answer.
    fn judge(self, fields: &[String]) -> Option<Detection> {
        if let Some(refused) = container::named(self.bytes) {
            return Some(Detection::Refused(refused));
        }
        let first = self.first_line();
        if self.json() == JsonText::Line {
            return Some(Detection::Certain(Format::JsonLines));
        }
        if self.is_last {
            return Some(self.judge_last(fields));
        }
        if let Some(format) = log(first) {
            return self.judge_log(format);
        }
        if self.is_w3c() {
            return Some(Detection::Certain(Format::W3c));
        }
        if let Some(format) = self.table(fields) {
            return Some(Detection::Certain(format));
        }
        let may_be_other = container::is_junk(first) || self.json() != JsonText::No;
        let is_settled = !may_be_other && is_line_of_log(first);
        is_settled.then(|| Detection::Lines(self.reason()))
    }

    /// Returns the format when no more of the input will be examined.
    fn judge_last(self, fields: &[String]) -> Detection {
        let refused = container::named(self.bytes)
            .or_else(|| returns_alone(self.bytes))
            .or_else(|| self.doubled_returns());
        if let Some(refused) = refused {
            return Detection::Refused(refused);
        }
        if self.json().is_to_be_cut() {
            return Detection::Values;
        }
        let is_object =
            |line: &[u8]| matches!(json_text::look(line.trim_ascii_start()), JsonText::Line);
        let begins_an_object = self.text().trim_ascii_start().starts_with(b"{");
        if begins_an_object && (self.json() == JsonText::Unfinished || self.lines().any(is_object))
        {
            return Detection::Certain(Format::JsonLines);
        }
        if let Some(format) = log(self.first_line()) {
            return self.judge_log(format.clone()).unwrap_or(Detection::Certain(format));
        }
        if self.is_w3c() {
            return Detection::Certain(Format::W3c);
        }
        match self.table(fields) {
            Some(format) => Detection::Certain(format),
            None => Detection::Lines(self.reason()),
        }
    }

    fn json(self) -> JsonText {
        json_text::look(self.text().trim_ascii_start())
    }

    /// Returns the reason to refuse lines that end with two carriage returns.
    fn doubled_returns(self) -> Option<String> {
        let mut ends = self
            .text()
            .split_inclusive(|byte| *byte == b'\n')
            .filter(|line| !line.trim_ascii().is_empty());
        let is_doubled = ends.next().is_some_and(|line| line.ends_with(b"\r\r\n"));
        is_doubled.then(|| "its lines end with two carriage returns (\\r\\r\\n): tr -d '\\r' < FILE | streamgauge run".to_owned())
    }

    /// Judges a log whose first line is certain: the next line must be certain, too.
    fn judge_log(self, format: Format) -> Option<Detection> {
        // The header of a flow log says what its lines are.
        let header = aws_logs::vpc_names(self.first_line()).filter(|_| format == Format::Vpc);
        let columns = header.map(|names| names.len());
        let is_other = |line: &&[u8]| match columns {
            Some(columns) => {
                line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).count()
                    != columns
            }
            None => log(line).as_ref() != Some(&format),
        };
        let others = self.lines().filter(is_other).count();
        if others > 0 {
            let what = match format {
                Format::Clf | Format::Vhost => "an access log",
                _ => "a log in that format",
            };
            let reason = format!(
                "its first line is one of {what} and others are not; --format {format} reads those \
                 that are"
            );
            return Some(Detection::Lines(reason));
        }
        (self.lines >= LOG_LINES).then_some(Detection::Certain(format))
    }

    /// Returns true if the lines begin with the directives of a W3C extended log.
    fn is_w3c(self) -> bool {
        self.text().starts_with(b"#") && w3c::is_certain(self.lines())
    }

    /// Returns the table format, if it is certain.
    fn table(self, fields: &[String]) -> Option<Format> {
        // Plain lines have the field `line` too, so it proves nothing.
        let asked: &[String] =
            if fields.iter().all(|field| field == "line") { &[] } else { fields };
        let is_table = |delimiter: u8| {
            csv_header::judge(self.bytes, delimiter, (self.is_last, self.is_whole))
                == Header::Certain
                || !asked.is_empty() && csv_header::has_fields(self.bytes, delimiter, asked)
        };
        match () {
            () if is_table(b'\t') => Some(Format::Tsv),
            () if is_table(b',') => Some(Format::Csv),
            () if is_table(b';') => Some(Format::Separated(b';')),
            () if is_table(b'|') => Some(Format::Separated(b'|')),
            () => None,
        }
    }

    /// Returns the reason why the input is read as plain lines.
    fn reason(self) -> String {
        let first = self.first_line();
        if !container::is_utf8(self.bytes) {
            return "it is not UTF-8; if it is text in another encoding: iconv -f ENCODING -t UTF-8 \
                    FILE | streamgauge run".to_owned();
        }
        if container::is_junk(self.bytes) {
            return "it holds zeros or control characters, as text in UTF-8 does not".to_owned();
        }
        if self.text().trim_ascii_start().starts_with(b"{") {
            return "its first line begins with { and is not JSON".to_owned();
        }
        if memchr::memmem::find(first, b"] \"").is_some() && memchr::memchr(b'[', first).is_some() {
            return match clf::readable(first) {
                Some(format) => {
                    format!("it looks like an access log and is not certainly in the common or \
                             combined format; --format {format} reads it")
                }
                None => "it looks like an access log, in another format than the common or combined one; --log-format 'STRING' reads it, with the string of its server's configuration".to_owned(),
            };
        }
        self.table_reason().unwrap_or_else(|| {
            "it is not certainly JSON Lines, CSV or TSV with a header, or an access log".to_owned()
        })
    }

    /// Returns the reason why the input is not read as a table, if it resembles one.
    fn table_reason(self) -> Option<String> {
        let text = self.text();
        let judge = |delimiter| csv_header::judge(self.bytes, delimiter, (true, self.is_whole));
        if text.starts_with(b"sep=") {
            return Some(
                "it begins with a line sep=, as Excel writes it; without it: tail -n +2 \
                         FILE | streamgauge run"
                    .to_owned(),
            );
        }
        if text.starts_with(b"#") {
            let is_comment = |line: &&[u8]| line.starts_with(b"#");
            let after: Vec<&[u8]> = self.lines().skip_while(is_comment).collect();
            let table = [b',', b'\t', b';']
                .into_iter()
                .any(|delimiter| after.iter().any(|line| line.contains(&delimiter)));
            return table.then(|| {
                "it begins with a comment (#); without it: grep -v '^#' FILE | streamgauge run"
                    .to_owned()
            });
        }
        for (delimiter, format) in [(b'\t', Format::Tsv), (b',', Format::Csv)] {
            match judge(delimiter) {
                Header::Possible(names) => {
                    let names = shown(&names);
                    return Some(format!(
                        "whether its first line is a header ({names}) is not certain; --format \
                         {format} reads it as one"
                    ));
                }
                Header::Ragged(names) => {
                    let names = shown(&names);
                    return Some(format!(
                        "it has other numbers of fields than its first line ({names}); --format \
                         {format} reads records that have as many"
                    ));
                }
                Header::Values if self.lines > 1 => {
                    return Some(format!(
                        "its lines have fields and no certain header; --format {format} takes the \
                         first line for one"
                    ));
                }
                Header::Values | Header::NoTable | Header::Certain => {}
            }
        }
        for delimiter in [';', '|'] {
            if matches!(judge(delimiter as u8), Header::Certain | Header::Possible(_)) {
                return Some(format!(
                    "it looks like a table with '{delimiter}' between the fields; \
                     --delimiter '{delimiter}' reads it as that"
                ));
            }
        }
        if let Some(name) = csv_header::only_column(text) {
            return Some(format!(
                "it looks like CSV with one column, {name}; --format csv reads it as that"
            ));
        }
        is_logfmt(self.first_line()).then(|| {
            "it looks like logfmt (key=value); --format logfmt reads it as that".to_owned()
        })
    }
}

/// Returns the format of a log that the line certainly has.
fn log(line: &[u8]) -> Option<Format> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    match () {
        () if clf::is_certain(line) => Some(Format::Clf),
        () if clf::is_certain_with_vhost(line) => Some(Format::Vhost),
        () if logfmt::is_certain(line) => Some(Format::Logfmt),
        () if aws_logs::is_alb(line) => Some(Format::Alb),
        () if aws_logs::is_s3(line) => Some(Format::S3),
        () if aws_logs::is_vpc(line) => Some(Format::Vpc),
        () => None,
    }
}

/// Returns true for a first line after which only plain lines are possible: it contains a time of
/// day or separates no fields, and is neither one word nor begins like another format.
fn is_line_of_log(line: &[u8]) -> bool {
    let is_marked = line.iter().any(|byte| matches!(byte, b'"' | b'\r'))
        || matches!(line.trim_ascii_start(), [b'{' | b'#', ..]);
    let separates = line.iter().any(|byte| matches!(byte, b',' | b'\t' | b';' | b'|'));
    let is_one_word = !line.trim_ascii().contains(&b' ');
    !is_marked && (csv_header::has_time_of_day(line) || !separates && !is_one_word)
}

/// Returns true if at least two words of the line are `key=value`.
fn is_logfmt(line: &[u8]) -> bool {
    let is_key = |key: &[u8]| {
        !key.is_empty()
            && key
                .iter()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'))
    };
    let is_pair = |word: &&[u8]| memchr::memchr(b'=', word).is_some_and(|at| is_key(&word[..at]));
    line.split(|byte| *byte == b' ').filter(is_pair).count() >= 2
}

/// Returns the reason to refuse bytes whose lines end with carriage returns only.
fn returns_alone(bytes: &[u8]) -> Option<String> {
    let is_one_line = memchr::memchr(b'\n', bytes).is_none();
    let returned = memchr::memchr(b'\r', bytes).is_some_and(|at| at + 1 < bytes.len());
    let way_out = "tr '\\r' '\\n' < FILE | streamgauge run";
    (is_one_line && returned).then(|| {
        format!("its lines end with carriage returns (\\r) and without newlines: {way_out}")
    })
}

fn without_blank_lines(mut bytes: &[u8]) -> &[u8] {
    while let Some(end) = memchr::memchr(b'\n', bytes)
        && bytes[..end].trim_ascii().is_empty()
    {
        bytes = &bytes[end + 1..];
    }
    bytes
}

/// Returns the first names, in a form that fits into a line.
fn shown(names: &[String]) -> String {
    let clipped = |name: &String| {
        name.trim().chars().flat_map(char::escape_debug).take(30).collect::<String>()
    };
    let shown: Vec<String> = names.iter().take(5).map(clipped).collect();
    format!("{}{}", shown.join(", "), if names.len() > shown.len() { ", ..." } else { "" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_decide() {
        let clf = r#"::1 - - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 5"#;
        let cases: &[(&str, Format)] = &[
            ("", Format::Lines),
            ("\u{feff}", Format::Lines),
            ("\n \n", Format::Lines),
            ("{}", Format::JsonLines),
            ("\u{feff}\r\n  {\"a\":1}\n", Format::JsonLines),
            ("{\"a\":1,\"b\":2}\n{\"a\":1,\"b\":2}\n", Format::JsonLines),
            ("[{\"a\":1},\n{\"a\":2}]\n", Format::JsonLines),
            (clf, Format::Clf),
            ("10.0.0.1, 10.0.0.2 - - not a log\n", Format::Lines),
            ("a,b", Format::Lines),
            ("\u{feff}a,b\n1,2\n", Format::Csv),
            ("a\tb,c\n1\t2,3\n", Format::Tsv),
            ("a,\"b\nc\"\n1,2\n", Format::Csv),
            ("2015,2016\n1,2\n", Format::Lines),
            ("2024-01-01 12:00:00,123 ERROR no\n", Format::Lines),
            ("2024-01-01 12:00:00,123 ERROR no\nat x\n", Format::Lines),
            ("id,name\n1\n", Format::Lines),
            ("a,a\n1,2\n", Format::Lines),
            ("Hello, , world\n", Format::Lines),
            (",a,b\n0,1,2\n", Format::Csv),
            ("single\n1\n2\n", Format::Lines),
            ("\0\u{1},binary\n", Format::Lines),
        ];
        for (bytes, format) in cases {
            assert_eq!(Format::detect(bytes.as_bytes()), *format, "{bytes:?}");
        }
    }
}
