//! Decides whether the beginning of a text is certainly CSV or TSV with a header.
//!
//! Lines of a log that contain commas can be split into fields, too. So the first record counts as
//! a header only if
//! - all examined records have the same number of fields, at least two;
//! - its fields look like names: they are different and not empty (except the first one, because an
//!   index has no name, and the name of a column that is empty). They are not figures or times
//!   (except years in equal steps above other figures), not markers of missing values, and contain
//!   no time of day and no `=`;
//! - in at least one column, all fields below are values (figures, times, measures with a unit,
//!   addresses, paths, true and false) and the name is not, or the name is a measure, such as
//!   `5min`, and the fields are figures.
//!
//! Two records after the header are enough, or one if the text ends there. Three are needed if a
//! name reads like a part of a sentence.

use crate::formats::csv;

/// Number of records after the header that are enough.
const RECORDS_ENOUGH: usize = 2;
/// The same if names could be parts of sentences.
const RECORDS_ENOUGH_OF_SENTENCES: usize = 3;
/// Maximum bytes of a name. Longer ones are text.
const NAME_BYTES_MAX: usize = 300;

/// The kind of the first record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Header {
    /// It is a header.
    Certain,
    /// It could be a header with these names.
    Possible(Vec<String>),
    /// It reads like a header with these names, but the records have other numbers of fields.
    Ragged(Vec<String>),
    /// It is not a header: it has only one field, or it does not read like one and the records have
    /// other numbers of fields.
    NoTable,
    /// The records have the same number of fields, but the first one does not read like a header.
    Values,
}

/// The first records of a text.
struct Records {
    header: Vec<String>,
    rows: Vec<Vec<String>>,
}

/// Judges the first record. `is_last` means that no more bytes will be examined, `is_whole` that
/// the input ends here.
pub(crate) fn judge(bytes: &[u8], delimiter: u8, (is_last, is_whole): (bool, bool)) -> Header {
    let Some(Records { header, rows }) = records(bytes, delimiter, is_whole) else {
        return Header::NoTable;
    };
    if header.len() < 2 {
        return Header::NoTable;
    }
    if rows.iter().any(|row| row.len() != header.len()) {
        let reads = !header.iter().any(|name| is_part_of_sentence(name)) && are_names(&header, &[]);
        return if reads { Header::Ragged(header) } else { Header::NoTable };
    }
    if !are_names(&header, &rows) {
        return Header::Values;
    }
    let sentences = header.iter().any(|name| is_part_of_sentence(name));
    let enough = if sentences { RECORDS_ENOUGH_OF_SENTENCES } else { RECORDS_ENOUGH };
    let contrast = (0..header.len()).any(|column| is_contrast(&header, &rows, column));
    let is_enough = rows.len() >= enough || (is_last && !rows.is_empty() && !sentences);
    if contrast && is_enough { Header::Certain } else { Header::Possible(header) }
}

/// Returns true if the first record has all of these fields, has at least two fields, and has no
/// name twice.
pub(crate) fn has_fields(bytes: &[u8], delimiter: u8, fields: &[String]) -> bool {
    let bytes = csv::without_blank_lines(bytes);
    let syntax = delimiter.into();
    let Some((header, next)) = csv::first_record(bytes, syntax, csv::quoting(bytes, syntax)) else {
        return false;
    };
    let is_line = next == bytes.len() || bytes.get(next - 1) == Some(&b'\n');
    is_line
        && header.len() >= 2
        && are_different(&header)
        && fields.iter().all(|field| header.contains(field))
}

/// Returns the name of the column, if the text could be a table of one column: a word above values.
pub(crate) fn only_column(bytes: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(bytes).ok()?;
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let name = lines.next()?;
    let is_word = name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '"'))
        && !is_value(name);
    let mut below = lines.peekable();
    (is_word && below.peek().is_some() && below.all(is_value))
        .then(|| name.trim_matches('"').to_owned())
}

/// Returns the whole records, without blank lines.
fn records(bytes: &[u8], delimiter: u8, is_whole: bool) -> Option<Records> {
    let bytes = csv::without_blank_lines(bytes);
    let syntax = delimiter.into();
    let quoting = csv::quoting(bytes, syntax);
    let (mut all, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        if let Some(len) = csv::blank_line(&bytes[at..]) {
            at += len;
            continue;
        }
        let Some((record, len)) = csv::first_record(&bytes[at..], syntax, quoting) else {
            break;
        };
        at += len;
        // The last record may be cut off.
        if at < bytes.len() || is_whole || bytes.ends_with(b"\n") {
            all.push(record);
        }
    }
    let mut all = all.into_iter();
    Some(Records { header: all.next()?, rows: all.collect() })
}

fn are_different(names: &[String]) -> bool {
    let mut sorted: Vec<&str> = names.iter().map(|name| name.trim()).collect();
    sorted.sort_unstable();
    sorted.windows(2).all(|pair| pair[0] != pair[1])
}

fn are_names(header: &[String], rows: &[Vec<String>]) -> bool {
    let below =
        |column: usize| rows.iter().filter_map(move |row| row.get(column)).map(|cell| cell.trim());
    let mut figures = Vec::new();
    for (column, name) in header.iter().map(|name| name.trim()).enumerate() {
        if name.is_empty() {
            if column > 0 && !below(column).all(str::is_empty) {
                return false;
            }
        } else if is_figure(name) {
            figures.push((column, name));
        } else if !is_name(name) {
            return false;
        }
    }
    let years = figures.iter().map(|(_, name)| year(name)).collect::<Option<Vec<_>>>();
    let are_steps =
        years.is_some_and(|years| are_equal_steps(&years) && years.len() < header.len());
    let over_others =
        |column: usize| below(column).any(|cell| year(cell).is_none() && is_figure(cell));
    are_different(header)
        && (figures.is_empty()
            || are_steps && figures.iter().all(|(column, _)| over_others(*column)))
}

fn year(text: &str) -> Option<u32> {
    text.parse().ok().filter(|year| text.len() == 4 && (1500..2200).contains(year))
}

fn are_equal_steps(years: &[u32]) -> bool {
    let mut steps = years.windows(2).map(|pair| i64::from(pair[1]) - i64::from(pair[0]));
    let first = steps.next();
    first.is_some_and(|first| first != 0 && steps.all(|step| step == first))
}

/// Returns true if the text can be a name. The caller has excluded figures.
fn is_name(text: &str) -> bool {
    let is_control = text.contains(|c: char| c.is_control() && c != '\n')
        || text.contains(char::REPLACEMENT_CHARACTER);
    let is_boolean = ["true", "false"].iter().any(|word| text.eq_ignore_ascii_case(word));
    !is_control
        && !is_boolean
        && !is_marker(text)
        && !has_time_of_day(text.as_bytes())
        && !text.contains('=')
        && text.len() <= NAME_BYTES_MAX
}

/// Returns true if a name could just as well be a part of a sentence or of a log line.
fn is_part_of_sentence(name: &str) -> bool {
    let is_end = name.contains(' ') && name.ends_with(['.', '!', ';']);
    is_end
        || name.starts_with([' ', '[', '<', '{', '\''])
        || name.contains(": ")
        || name.contains("  ")
}

fn is_marker(text: &str) -> bool {
    const MARKERS: &[&str] =
        &["-", "?", "\\n", "na", "n/a", "nan", "null", "none", "nil", "inf", "unknown"];
    text.is_empty() || MARKERS.iter().any(|marker| text.eq_ignore_ascii_case(marker))
}

/// Returns true for text such as `at 12:30`.
pub(crate) fn has_time_of_day(text: &[u8]) -> bool {
    text.windows(4).any(|four| matches!(four, [b'0'..=b'9', b':', b'0'..=b'9', b'0'..=b'9']))
}

/// Returns true if at least one field of the column is not missing, all such fields are values, and
/// the name is of another kind.
fn is_contrast(header: &[String], rows: &[Vec<String>], column: usize) -> bool {
    let mut cells = rows
        .iter()
        .filter_map(|row| row.get(column))
        .map(|cell| cell.trim())
        .filter(|cell| !is_marker(cell))
        .peekable();
    let (Some(name), Some(_)) = (header.get(column).map(|name| name.trim()), cells.peek()) else {
        return false;
    };
    // The caller has checked that years are above other figures.
    match is_value(name) && year(name).is_none() {
        true => is_measure(name) && cells.all(is_figure),
        false => cells.all(is_value),
    }
}

/// Returns true if the text consists of digits and signs, and of words that occur in times.
fn is_figure(text: &str) -> bool {
    const WORDS: &[&str] = &["t", "z", "e", "am", "pm", "utc", "gmt"];
    let is_sign = |c: char| {
        matches!(
            c,
            '+' | '-'
                | '.'
                | ','
                | ':'
                | '/'
                | ' '
                | '%'
                | '\''
                | '_'
                | '('
                | ')'
                | '$'
                | '€'
                | '£'
                | '¥'
                | '−'
        )
    };
    let is_word = |word: &str| {
        WORDS.iter().any(|known| word.eq_ignore_ascii_case(known)) || is_month_or_weekday(word)
    };
    let first_word: String = text.chars().take_while(|c| c.is_alphabetic()).collect();
    let begins = first_word.is_empty() || is_month_or_weekday(&first_word);
    begins
        && text.contains(|c: char| c.is_ascii_digit())
        && text.chars().all(|c| c.is_ascii_digit() || is_sign(c) || c.is_alphabetic())
        && text.split(|c: char| !c.is_alphabetic()).filter(|word| !word.is_empty()).all(is_word)
}

fn is_month_or_weekday(word: &str) -> bool {
    const NAMES: &[&str] = &[
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
        "monday",
        "tuesday",
        "wednesday",
        "thursday",
        "friday",
        "saturday",
        "sunday",
    ];
    let lower = word.to_ascii_lowercase();
    let is_short = |name: &&str| lower.len() == 3 && name.starts_with(&lower);
    NAMES.iter().any(|name| *name == lower || is_short(name))
}

/// Returns true if the text reads like a value and not like a name.
fn is_value(text: &str) -> bool {
    let is_boolean = ["true", "false"].iter().any(|word| text.eq_ignore_ascii_case(word));
    let is_mail = text
        .split_once('@')
        .is_some_and(|(before, after)| !before.is_empty() && after.contains('.'))
        && !text.contains(' ');
    let is_place = text.starts_with('/') || text.contains("://");
    is_figure(text) || is_boolean || is_mail || is_place || is_measure(text) || is_hexadecimal(text)
}

/// Returns true for a figure with a short unit, such as `12ms`.
fn is_measure(text: &str) -> bool {
    let figure = text.trim_end_matches(|c: char| c.is_alphabetic());
    let unit = text.len() - figure.len();
    figure.starts_with(|c: char| c.is_ascii_digit())
        && (1..=3).contains(&unit)
        && is_figure(figure.trim_end())
}

/// Returns true for the text of a hash, an identifier or an IPv6 address.
fn is_hexadecimal(text: &str) -> bool {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    digits.len() >= 6
        && digits.contains(|c: char| c.is_ascii_digit())
        && digits.chars().all(|c| c.is_ascii_hexdigit() || matches!(c, '-' | ':' | '.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header_of(text: &str) -> Header {
        judge(text.as_bytes(), b',', (true, true))
    }

    #[test]
    fn headers_that_people_write_are_certain() {
        let texts = [
            "ts,url,bytes\n0,/a,5\n1,/b,7\n",
            "a,b\n1,2",
            ",a,b\n0,1,2\n",
            "Order ID,Ship Date,Unit Price (EUR)\nX-1,2024-01-02,\"1,50\"\n",
            "\"Name\",\"Größe [cm]\"\n\"Anna\",\"170\"\n",
            "名前,年齢\n太郎,30\n花子,25\n",
            "country,2015,2016,2017\nDE,1.5,2.5,3\nFR,2,3,4\n",
            "load,1min,5min,15min\n2024-01-01,0.1,0.2,0.3\n",
            "Timestamp,\"How old are you?\",\"Where, exactly?\"\n2024-01-01 10:00:00,30,here\n",
            "\"(PDH-CSV 4.0) (UTC)(0)\",\"\\\\HOST\\Processor(_Total)\\% Processor \
             Time\"\n\"10/25/2025 20:00:01.123\",\"3.45\"\n",
            "user,active\nanna,true\nbob,false\n",
            "name,email\nanna,anna@example.test\n",
            "id,name\n550e8400-e29b-41d4-a716-446655440000,x\n",
            "region,latency\neu,12ms\nus,7ms\n",
            "t,x\n1,NA\n2,\n",
            "time, value\n1, 2\n3, 4\n5, 6\n",
            "date,a,\n2024-01-01,x,\n2024-01-02,y,\n",
        ];
        for text in texts {
            assert_eq!(header_of(text), Header::Certain, "{text:?}");
        }
    }

    #[test]
    fn logs_and_records_are_not_headers() {
        let texts = [
            "Hello, world\n",
            "Hello, world\nGoodbye, moon\n",
            "2024-01-01 12:00:00,123 INFO started\n2024-01-01 12:00:01,456 INFO done\n",
            "1,2\n3,4\n",
            "alice,NA\nbob,5\n",
            "alice,5\nbob,6\n",
            "user=a,x\nuser=b,5\n",
            "[2016-12-19 16:25:00,123] INFO x\n[2016-12-19 16:25:00,124] INFO y\n",
            "a,a\n1,2\n",
            "a,,c\n1,2,3\n",
            "INFO,12:30:01,x\nINFO,12:30:02,y\n",
            "name,city\nanna,berlin\nbob,paris\n",
            "Got it, five\nGot it, 5\n",
            "2015,2016\n1,2\n",
            "anna,1950,2010\nbob,1951,2011\n",
            "id,name\n1\n",
            "true,x\nfalse,5\n",
            "a,b\n",
        ];
        for text in texts {
            assert_ne!(header_of(text), Header::Certain, "{text:?}");
        }
        assert_eq!(
            header_of("name,city\nanna,berlin\n"),
            Header::Possible(vec!["name".into(), "city".into()])
        );
        assert_eq!(header_of("alice,5\nbob,6\n"), Header::Values);
        assert_eq!(header_of("a,b\n1\n"), Header::Ragged(vec!["a".into(), "b".into()]));
        assert_eq!(header_of("Hello, world\n1\n"), Header::NoTable);
    }

    #[test]
    fn more_bytes_are_waited_for() {
        let judged = |text: &str| judge(text.as_bytes(), b',', (false, false));
        assert_eq!(judged("a,b\n1,2\n"), Header::Possible(vec!["a".into(), "b".into()]));
        assert_eq!(judged("a,b\n1,2\n3,4\n"), Header::Certain);
        assert_eq!(judged("a,b\n1,2\n3\n"), Header::Ragged(vec!["a".into(), "b".into()]));
    }

    #[test]
    fn one_column_is_a_word_over_values() {
        assert_eq!(
            only_column(b"t\n2024-01-01T00:00:00Z\n2024-01-01T00:00:01Z\n").as_deref(),
            Some("t")
        );
        for text in ["started\nstopped\n", "1\n2\n", "t\n", "a b\n1\n"] {
            assert_eq!(only_column(text.as_bytes()), None, "{text:?}");
        }
    }

    #[test]
    fn a_header_with_the_fields_asked_for_is_one() {
        let has = |text: &str, fields: &[&str]| {
            let fields: Vec<String> = fields.iter().map(|field| (*field).to_owned()).collect();
            has_fields(text.as_bytes(), b',', &fields)
        };
        assert!(
            has("name,city\n", &["city"]) && has("name,city\nanna,berlin\n", &["city", "name"])
        );
        assert!(
            !has("name,city\n", &["town"])
                && !has("name\n", &["name"])
                && !has("name,name\n", &["name"])
        );
    }
}
