//! Access logs in the common and combined format of Apache and nginx.
//!
//! ```text
//! host ident user [time] "request" status bytes "referer" "agent"
//! ```
//! - `-` stands for a missing value. `status` and `bytes` are numbers; the rest is text, as it was logged: escapes inside of the
//!   quotes (`\"`, `\\`, `\x22`) keep a quote from ending the field and stay as they are.
//! - `request` is cut into `method`, `path` and `protocol`: the first word, what is between, and a last word that begins with
//!   `HTTP/`. `GET /path` alone is HTTP/0.9 and has no protocol. Of anything else, such as a TLS handshake sent to a plain port,
//!   all three are missing; the line counts all the same.
//! - `referer` and `agent` are missing in the common format. Whatever follows is passed over; a last quoted field that is not
//!   closed reaches to the end of the line.
//! - A user's name may hold spaces.
//!
//! The formats: httpd's `mod_log_config` and nginx' `ngx_http_log_module` documentation.

use crate::adapter::formats::flaw::Flaw;
use crate::adapter::formats::names;
use crate::error::Error;
use crate::spec::Row;
use std::ops::Range;

/// The fields, in the order of [`AccessLogLine::ranges`].
pub(crate) const FIELDS: [&str; 11] =
    ["host", "ident", "user", "time", "method", "path", "protocol", "status", "bytes", "referer", "agent"];
const STATUS: usize = 7;
const BYTES: usize = 8;

/// Where the fields of a line are; an empty range is a missing one.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct AccessLogLine {
    ranges: [Range<usize>; FIELDS.len()],
}

/// Reads access log lines into rows.
#[derive(Clone, Debug)]
pub struct ClfDecoder {
    /// Which field each slot is, by index into [`FIELDS`].
    fields: Vec<usize>,
}

impl ClfDecoder {
    /// A decoder for these fields, by slot.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) for a name that is not one of the format's eleven.
    pub fn new<S: AsRef<str>>(fields: &[S]) -> Result<Self, Error> {
        let index_of = |field: &S| {
            let field = field.as_ref();
            FIELDS.iter().position(|name| *name == field).ok_or_else(|| names::unknown(field, &FIELDS, "an access log has"))
        };
        Ok(ClfDecoder { fields: fields.iter().map(index_of).collect::<Result<_, _>>()? })
    }

    /// Sets the fields of the line `bytes`, which stands at `start` in the row's source.
    pub(crate) fn line(&self, bytes: &[u8], start: usize, row: &mut Row) -> Result<(), Flaw> {
        let line = parse(bytes)?;
        for (slot, field) in self.fields.iter().enumerate() {
            let Some(range) = line.ranges.get(*field).filter(|range| !range.is_empty()) else { continue };
            let range = start + range.start..start + range.end;
            match *field {
                STATUS | BYTES => row.set_number(slot, range),
                _ => row.set_text(slot, range),
            }
        }
        Ok(())
    }
}

/// Takes a line apart.
///
/// # Errors
/// The first part that is not there. Cost: one pass.
pub(crate) fn parse(line: &[u8]) -> Result<AccessLogLine, Flaw> {
    let missing = |what| Flaw::AccessLog { what };
    let mut ranges: [Range<usize>; FIELDS.len()] = Default::default();
    let host_end = memchr::memchr(b' ', line).filter(|end| *end > 0).ok_or(missing("no host"))?;
    // The user may hold spaces, so the time's bracket is looked for first.
    let bracket = memchr::memmem::find(&line[host_end..], b" [").ok_or(missing("no time in brackets"))? + host_end;
    let ident_at = host_end + 1;
    let ident_end = memchr::memchr(b' ', line.get(ident_at..bracket).unwrap_or_default()).ok_or(missing("no user"))? + ident_at;
    let time_at = bracket + 2;
    let time_end = memchr::memchr(b']', &line[time_at..]).ok_or(missing("the time's bracket is not closed"))? + time_at;
    if line.get(time_end + 1..time_end + 3) != Some(b" \"") {
        return Err(missing("no request in quotes"));
    }
    let request = quoted(line, time_end + 3);
    if line.get(request.end..request.end + 2) != Some(b"\" ") {
        return Err(missing("no status after the request"));
    }
    let status = word(line, request.end + 2);
    let bytes = word(line, status.end + 1);
    ranges[STATUS] = number(line, &status, 3..=3).ok_or(missing("no status of three digits"))?;
    ranges[BYTES] = number(line, &bytes, 1..=20).ok_or(missing("no byte count"))?;
    ranges[0] = present(line, 0..host_end);
    ranges[1] = present(line, ident_at..ident_end);
    ranges[2] = present(line, ident_end + 1..bracket);
    ranges[3] = present(line, time_at..time_end);
    [ranges[4], ranges[5], ranges[6]] = split_request(line, &request);
    if line.get(bytes.end..bytes.end + 2) == Some(b" \"") {
        let referer = quoted(line, bytes.end + 2);
        if line.get(referer.end..referer.end + 3) == Some(b"\" \"") {
            ranges[10] = present(line, quoted(line, referer.end + 3));
        }
        ranges[9] = present(line, referer);
    }
    Ok(AccessLogLine { ranges })
}

/// A quoted field from the byte after its opening quote up to the closing one, or the end of the line.
fn quoted(line: &[u8], start: usize) -> Range<usize> {
    let mut at = start.min(line.len());
    let start = at;
    while let Some(found) = memchr::memchr2(b'"', b'\\', &line[at..]) {
        at += found;
        if line[at] == b'"' {
            return start..at;
        }
        // The escaped byte, whatever it is, does not end the field.
        at = (at + 2).min(line.len());
    }
    start..line.len()
}

fn word(line: &[u8], start: usize) -> Range<usize> {
    let start = start.min(line.len());
    start..memchr::memchr(b' ', &line[start..]).map_or(line.len(), |end| start + end)
}

/// The digits of a number without leading zeros, or an empty range for `-`; `None` for anything else.
fn number(line: &[u8], range: &Range<usize>, digits: std::ops::RangeInclusive<usize>) -> Option<Range<usize>> {
    let text = &line[range.clone()];
    if text == b"-" {
        return Some(0..0);
    }
    if !digits.contains(&text.len()) || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let zeros = text.iter().take(text.len() - 1).take_while(|digit| **digit == b'0').count();
    Some(range.start + zeros..range.end)
}

/// The range, or an empty one if it holds only the dash of a missing value.
fn present(line: &[u8], range: Range<usize>) -> Range<usize> {
    if line.get(range.clone()) == Some(b"-") { 0..0 } else { range }
}

fn split_request(line: &[u8], request: &Range<usize>) -> [Range<usize>; 3] {
    let text = &line[request.clone()];
    let nothing = [0..0, 0..0, 0..0];
    let Some(method_len) = memchr::memchr(b' ', text).filter(|end| *end > 0) else { return nothing };
    if !text[..method_len].iter().all(|byte| byte.is_ascii_alphabetic() || matches!(byte, b'-' | b'_')) {
        return nothing;
    }
    let method = request.start..request.start + method_len;
    let path_at = method.end + 1;
    let last_space = request.start + memchr::memrchr(b' ', text).unwrap_or(method_len);
    if last_space > path_at && line[last_space + 1..request.end].starts_with(b"HTTP/") {
        return [method, path_at..last_space, last_space + 1..request.end];
    }
    if last_space == method.end && path_at < request.end && !line[path_at..request.end].starts_with(b"HTTP/") {
        return [method, path_at..request.end, 0..0];
    }
    nothing
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn fields(line: &str) -> Vec<&str> {
        let parsed = parse(line.as_bytes()).unwrap();
        parsed.ranges.iter().map(|range| &line[range.clone()]).collect()
    }

    #[test]
    fn combined_common_and_odd_lines() {
        let combined =
            r#"2001:db8::1 - frank smith [10/Oct/2000:13:55:36 -0700] "GET /a?q=\"x\" HTTP/1.0" 200 0012 "http://r/" "A \"q\" B" 0.3 "x""#;
        assert_eq!(
            fields(combined),
            [
                "2001:db8::1",
                "",
                "frank smith",
                "10/Oct/2000:13:55:36 -0700",
                "GET",
                r#"/a?q=\"x\""#,
                "HTTP/1.0",
                "200",
                "12",
                "http://r/",
                r#"A \"q\" B"#
            ]
        );
        let common = r#"h i u [t] "-" 408 -"#;
        assert_eq!(fields(common), ["h", "i", "u", "t", "", "", "", "408", "", "", ""]);
        assert_eq!(fields(r#"h - - [t] "GET / HTTP/1.1" 200 5 "-" "not closed'"#)[10], "not closed'");
        assert_eq!(fields(r#"h - - [t] "GET / HTTP/1.1" - 0 0.12"#)[7..], ["", "0", "", ""]);
    }

    #[test]
    fn a_request_is_three_words_or_none() {
        let request = |text: &str| {
            let line = format!(r#"h - - [t] "{text}" 400 0"#);
            fields(&line)[4..7].join("|")
        };
        assert_eq!(request("GET /a b HTTP/1.1"), "GET|/a b|HTTP/1.1");
        assert_eq!(request("GET /a"), "GET|/a|");
        assert_eq!(request("GET HTTP/1.1"), "||");
        assert_eq!(request("GET  HTTP/1.1"), "||");
        assert_eq!(request(r"\x16\x03\x01 \x02"), "||");
        assert_eq!(request("hello"), "||");
        assert_eq!(request("a b c"), "||");
        assert_eq!(request(""), "||");
    }

    #[test]
    fn the_first_missing_part_is_named() {
        let reason = |line: &str| parse(line.as_bytes()).unwrap_err().to_string();
        assert!(reason("").contains("no host"));
        assert!(reason("h - - 10:00").contains("no time"));
        assert!(reason("h [t] \"G / H\" 200 1").contains("no user"));
        assert!(reason("h - - [t \"G\" 200 1").contains("bracket"));
        assert!(reason("h - - [t] GET / 200 1").contains("request"));
        assert!(reason("h - - [t] \"GET /\" OK 1").contains("status"));
        assert!(reason("h - - [t] \"GET /\" 200").contains("byte count"));
        assert!(reason("h - - [t] \"GET / 200 5").contains("status"));
    }

    #[test]
    fn a_field_the_format_lacks_is_refused_with_the_nearest() {
        let error = ClfDecoder::new(&["host", "referrer"]).unwrap_err();
        assert!(error.message().contains("\"referer\""), "{error}");
    }

    proptest! {
        #[test]
        fn no_line_panics(line in prop::collection::vec(prop::sample::select(b"h- []\"\\10aHTTP/".to_vec()), 0..60)) {
            if let Ok(parsed) = parse(&line) {
                prop_assert!(parsed.ranges.iter().all(|range| range.end <= line.len()));
            }
        }
    }
}
