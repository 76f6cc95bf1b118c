//! Access logs in the common and combined format of Apache and nginx.
//!
//! ```text
//! host ident user [time] "request" status bytes "referer" "agent"
//! ```
//! - `-` means a missing value. `status` and `bytes` are numbers. All other fields are text as
//!   logged: escapes inside quotes (`\"`, `\\`, `\x22`) prevent a quote from ending the field, and
//!   stay in the text.
//! - `request` is split into `method`, `path` and `protocol`: the first word, the text in between,
//!   and a last word that begins with `HTTP/`. `GET /path` alone is HTTP/0.9 and has no protocol.
//!   For any other text, such as a TLS handshake sent to a plain port, all three are missing, but
//!   the line counts.
//! - `referer` and `agent` are missing in the common format. Words without quotes may follow either
//!   format. Quoted addresses, numbers or `-` may follow the agent, as in nginx' `main` format.
//!   They are ignored.
//! - Some servers do not escape quotes. Then the last quote of the line ends the agent, and the
//!   only occurrence of `" "` ends the referer. A line that can be split in two ways is not an
//!   access log line.
//! - If the last quoted field is not closed, it extends to the end of the line.
//! - A user's name may contain spaces. A host with a comma, or an address instead of an ident,
//!   belongs to another format, such as one with the virtual host in front.
//!
//! With the virtual host in front, as in Apache's `vhost_combined`, a line also has the field
//! `vhost`: `www.example.com:443`.
//!
//! Sources: the documentation of httpd's `mod_log_config` and nginx' `ngx_http_log_module`.

use crate::error::Error;
use crate::formats::decode_error::DecodeError;
use crate::formats::format::Format;
use crate::formats::names;
use crate::formats::request::split_request;
use crate::row::Row;
use std::ops::Range;

/// The fields, in the order of [`AccessLogLine::ranges`].
pub(crate) const FIELDS: [&str; 11] = [
    "host", "ident", "user", "time", "method", "path", "protocol", "status", "bytes", "referer",
    "agent",
];
const STATUS: usize = 7;
const BYTES: usize = 8;

/// The field of a line that begins with its virtual host, after [`FIELDS`].
const VHOST: &str = "vhost";

/// The positions of a line's fields. An empty range is a missing field.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct AccessLogLine {
    ranges: [Range<usize>; FIELDS.len()],
}

/// Decodes access log lines into rows.
#[derive(Clone, Debug)]
pub struct ClfDecoder {
    /// The field of each slot, as an index into [`FIELDS`]. The index after the last one is the
    /// virtual host.
    fields: Vec<usize>,
    /// True if each line begins with its virtual host.
    has_vhost: bool,
}

impl ClfDecoder {
    /// Creates a decoder for these fields, by slot.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) for a name that is not one
    /// of the eleven fields of the format.
    pub fn new<S: AsRef<str>>(fields: &[S]) -> Result<Self, Error> {
        ClfDecoder::of(fields, &FIELDS, false)
    }

    /// As [`new`](ClfDecoder::new), for lines that begin with their virtual host, the field
    /// `vhost`.
    ///
    /// # Errors
    /// As [`new`](ClfDecoder::new), but the format has twelve fields.
    pub fn with_vhost<S: AsRef<str>>(fields: &[S]) -> Result<Self, Error> {
        let known: Vec<&str> = FIELDS.into_iter().chain([VHOST]).collect();
        ClfDecoder::of(fields, &known, true)
    }

    fn of<S: AsRef<str>>(fields: &[S], known: &[&str], has_vhost: bool) -> Result<Self, Error> {
        let index_of = |field: &S| {
            let field = field.as_ref();
            known
                .iter()
                .position(|name| *name == field)
                .ok_or_else(|| names::unknown(field, known, "an access log has"))
        };
        Ok(ClfDecoder { fields: fields.iter().map(index_of).collect::<Result<_, _>>()?, has_vhost })
    }

    /// Sets the fields of the line `bytes`, which begins at `start` in the row's source.
    pub(crate) fn line(
        &self,
        bytes: &[u8],
        start: usize,
        row: &mut Row,
    ) -> Result<(), DecodeError> {
        let host_at = if self.has_vhost { after_vhost(bytes)? } else { 0 };
        let line = parse(&bytes[host_at..])?;
        let (start, vhost) = (start + host_at, start..start + host_at.saturating_sub(1));
        for (slot, field) in self.fields.iter().enumerate() {
            if *field == FIELDS.len() {
                row.set_text(slot, vhost.clone());
            }
            let Some(range) = line.ranges.get(*field).filter(|range| !range.is_empty()) else {
                continue;
            };
            let range = start + range.start..start + range.end;
            match *field {
                STATUS | BYTES => row.set_number(slot, range),
                _ => row.set_text(slot, range),
            }
        }
        Ok(())
    }
}

/// Finds the fields of a line. Cost: one pass.
///
/// # Errors
/// The first part that is missing.
pub(crate) fn parse(line: &[u8]) -> Result<AccessLogLine, DecodeError> {
    let missing = |what| DecodeError::AccessLog { what };
    // A line may end with two carriage returns and a newline.
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let mut ranges: [Range<usize>; FIELDS.len()] = Default::default();
    let host_end = memchr::memchr(b' ', line).filter(|end| *end > 0).ok_or(missing("no host"))?;
    // The user may contain spaces, so the bracket of the time is searched first.
    let bracket = memchr::memmem::find(&line[host_end..], b" [")
        .ok_or(missing("no time in brackets"))?
        + host_end;
    let ident_at = host_end + 1;
    let ident_end = memchr::memchr(b' ', line.get(ident_at..bracket).unwrap_or_default())
        .ok_or(missing("no user"))?
        + ident_at;
    let (ident, user) = (ident_at..ident_end, ident_end + 1..bracket);
    if is_other_format(&line[..host_end], &line[ident.clone()], &line[user.clone()]) {
        return Err(missing("more than a host, an ident and a user before the time"));
    }
    let time_at = bracket + 2;
    let time_end = memchr::memchr(b']', &line[time_at..])
        .ok_or(missing("the time's bracket is not closed"))?
        + time_at;
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
    ranges[1] = present(line, ident);
    ranges[2] = present(line, user);
    ranges[3] = present(line, time_at..time_end);
    [ranges[4], ranges[5], ranges[6]] = split_request(line, &request);
    let (referer, agent) = referer_and_agent(line, bytes.end).map_err(missing)?;
    (ranges[9], ranges[10]) = (present(line, referer), present(line, agent));
    Ok(AccessLogLine { ranges })
}

/// Returns the offset after the virtual host and its space.
fn after_vhost(line: &[u8]) -> Result<usize, DecodeError> {
    let end = memchr::memchr(b' ', line).filter(|end| *end > 0);
    end.map(|end| end + 1).ok_or(DecodeError::AccessLog { what: "no virtual host" })
}

/// Returns true if the first words are not a host and an ident but those of another format: a list
/// of forwarded hosts, or a virtual host before the client, or both.
#[inline]
fn is_other_format(host: &[u8], ident: &[u8], user: &[u8]) -> bool {
    // If a virtual host is in front of client, ident and user, there is one word more: the ident
    // becomes part of the user, as in `- bob`.
    memchr::memchr(b',', host).is_some()
        || memchr::memchr(b',', ident).is_some()
        || user.starts_with(b"- ")
        || (ident != b"-" && is_address(ident))
}

/// Returns true if the text is an IP address, with or without a zone or a port.
fn is_address(text: &[u8]) -> bool {
    let text = std::str::from_utf8(text).unwrap_or_default();
    let without_zone = text.split('%').next().unwrap_or_default();
    without_zone.parse::<core::net::IpAddr>().is_ok()
        || text.parse::<core::net::SocketAddr>().is_ok()
}

/// Returns the referer and the agent, which follow the byte count that ends at `at`. Both are empty
/// in the common format.
///
/// # Errors
/// The part that is missing or ambiguous.
#[inline]
fn referer_and_agent(line: &[u8], at: usize) -> Result<(Range<usize>, Range<usize>), &'static str> {
    if line.get(at..at + 2) != Some(b" \"") {
        // Words that follow the common format.
        let is_plain = memchr::memchr(b'"', &line[at.min(line.len())..]).is_none();
        return if is_plain { Ok((0..0, 0..0)) } else { Err("no referer after the byte count") };
    }
    let referer = quoted(line, at + 2);
    // The line was truncated in its referer.
    if referer.end == line.len() {
        return Ok((referer, 0..0));
    }
    if line.get(referer.end..referer.end + 3) == Some(b"\" \"") {
        let agent = quoted(line, referer.end + 3);
        // At the end of the line, or where the line was truncated.
        if agent.end + 1 >= line.len() {
            return Ok((referer, agent));
        }
        if line[agent.end + 1] == b' ' {
            return if is_passed_over(&line[agent.end + 1..]) {
                Ok((referer, agent))
            } else {
                Err(NOT_ESCAPED)
            };
        }
    }
    not_escaped(line, referer.start)
}

const NOT_ESCAPED: &str =
    "quotes in the referer or agent are not escaped, so where it ends is not clear";

/// Returns the referer that begins at `start` and the agent, if quotes in them are not escaped.
/// Only one position may separate them, and only one may end the agent.
#[cold]
fn not_escaped(line: &[u8], start: usize) -> Result<(Range<usize>, Range<usize>), &'static str> {
    let last = memchr::memrchr(b'"', line)
        .filter(|last| *last > start)
        .ok_or("no agent after the referer")?;
    let both = &line[start..last];
    let mut separators = both
        .windows(3)
        .enumerate()
        .filter(|(_, three)| *three == b"\" \"")
        .map(|(at, _)| start + at);
    let separator = separators.next().ok_or("no agent after the referer")?;
    let (referer, agent) = (start..separator, separator + 3..last);
    // A quote before a space could also end the agent.
    let first = quoted(line, agent.start).end;
    let is_within = first == last || line.get(first + 1) != Some(&b' ');
    let is_end = line.get(last + 1).is_none_or(|byte| *byte == b' ') && !both.ends_with(b"\\");
    if separators.next().is_none() && is_within && is_end {
        Ok((referer, agent))
    } else {
        Err(NOT_ESCAPED)
    }
}

/// Returns true if the text after the agent can be ignored: quoted addresses, numbers or `-`, and
/// then words without quotes.
fn is_passed_over(mut rest: &[u8]) -> bool {
    while let Some(field) = rest.strip_prefix(b" \"") {
        let Some(end) =
            memchr::memchr(b'"', field).filter(|end| is_addresses_or_number(&field[..*end]))
        else {
            return false;
        };
        rest = &field[end + 1..];
    }
    rest.is_empty() || rest.starts_with(b" ") && memchr::memchr(b'"', rest).is_none()
}

/// Returns true if the text is `-`, a number, or a list of addresses, like a field after the agent.
fn is_addresses_or_number(text: &[u8]) -> bool {
    let is_number = |text: &[u8]| {
        !text.is_empty() && text.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.')
    };
    let is_one =
        |item: &[u8]| item == b"unknown" || item == b"-" || is_number(item) || is_address(item);
    text.split(|byte| *byte == b',').all(|item| is_one(item.trim_ascii()))
}

/// Returns true if the line is certainly in the common or combined format: its ident, time,
/// request, status and referer also have the right form.
pub(crate) fn is_certain(line: &[u8]) -> bool {
    let Ok(parsed) = parse(line) else { return false };
    let [_, ident, _, time, method, _, _, status, _, referer, _] = &parsed.ranges;
    let [ident, time, status, referer] =
        [ident, time, status, referer].map(|range| &line[range.clone()]);
    // Text that is not a request, which some clients send, is empty or contains escaped bytes.
    let is_request = !method.is_empty()
        || [&b"] \"-\" "[..], b"] \"\" ", b"] \"\\"]
            .iter()
            .any(|no| memchr::memmem::find(line, no).is_some());
    let is_referer =
        referer.is_empty() || referer.starts_with(b"/") || memchr::memchr(b':', referer).is_some();
    let is_ident = memchr::memchr2(b'.', b':', ident).is_none();
    is_ident && is_time(time) && is_request && matches!(status, [b'1'..=b'5', ..]) && is_referer
}

/// Returns the format that can read the line, if there is one, certain or not.
pub(crate) fn readable(line: &[u8]) -> Option<Format> {
    let with_vhost = || after_vhost(line).and_then(|host_at| parse(&line[host_at..]));
    if parse(line).is_ok() { Some(Format::Clf) } else { with_vhost().ok().map(|_| Format::Vhost) }
}

/// Returns true if the line is certainly a virtual host with its port followed by a line for which
/// [`is_certain`] returns true.
pub(crate) fn is_certain_with_vhost(line: &[u8]) -> bool {
    let Ok(host_at) = after_vhost(line) else { return false };
    let mut parts = line[..host_at - 1].rsplitn(2, |byte| *byte == b':');
    let is_port =
        parts.next().is_some_and(|port| !port.is_empty() && port.iter().all(u8::is_ascii_digit));
    is_port && parts.next().is_some_and(|host| !host.is_empty()) && is_certain(&line[host_at..])
}

/// Returns true for `10/Oct/2000:13:55:36 -0700`, with or without a fraction of the second.
fn is_time(text: &[u8]) -> bool {
    const PATTERN: &[u8] = b"00/Aaa/0000:00:00:00";
    let (Some(time), Some(rest)) = (text.get(..PATTERN.len()), text.get(PATTERN.len()..)) else {
        return false;
    };
    let fits = |(byte, pattern): (&u8, &u8)| match pattern {
        b'0' => byte.is_ascii_digit(),
        b'A' => byte.is_ascii_uppercase(),
        b'a' => byte.is_ascii_lowercase(),
        other => byte == other,
    };
    let offset = rest.iter().position(|byte| *byte == b' ').map_or(&b""[..], |at| &rest[at..]);
    let is_offset = matches!(offset, [b' ', b'+' | b'-', digits @ ..] if digits.len() == 4 && digits.iter().all(u8::is_ascii_digit));
    let is_fraction = matches!(&rest[..rest.len() - offset.len()], [] | [b'.', ..]);
    time.iter().zip(PATTERN).all(fits) && is_offset && is_fraction
}

/// Returns a quoted field from the byte after its opening quote to the closing quote, or to the end
/// of the line.
fn quoted(line: &[u8], start: usize) -> Range<usize> {
    let mut at = start.min(line.len());
    let start = at;
    while let Some(found) = memchr::memchr2(b'"', b'\\', &line[at..]) {
        at += found;
        if line[at] == b'"' {
            return start..at;
        }
        // An escaped byte never ends the field.
        at = (at + 2).min(line.len());
    }
    start..line.len()
}

fn word(line: &[u8], start: usize) -> Range<usize> {
    let start = start.min(line.len());
    start..memchr::memchr(b' ', &line[start..]).map_or(line.len(), |end| start + end)
}

/// Returns the digits of a number without leading zeros, or an empty range for `-`. Returns `None`
/// for any other text.
fn number(
    line: &[u8],
    range: &Range<usize>,
    digits: std::ops::RangeInclusive<usize>,
) -> Option<Range<usize>> {
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

/// Returns the range, or an empty one if it contains only the dash of a missing value.
fn present(line: &[u8], range: Range<usize>) -> Range<usize> {
    if line.get(range.clone()) == Some(b"-") { 0..0 } else { range }
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
        let combined = r#"2001:db8::1 - frank smith [10/Oct/2000:13:55:36 -0700] "GET /a?q=\"x\" HTTP/1.0" 200 0012 "http://r/" "A \"q\" B" "1.2.3.4, 5.6.7.8" "-" 0.3 ."#;
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
        assert_eq!(
            fields(r#"h - - [t] "GET / HTTP/1.1" 200 5 "-" "not closed'"#)[10],
            "not closed'"
        );
        assert_eq!(fields(r#"h - - [t] "GET / HTTP/1.1" - 0 0.12"#)[7..], ["", "0", "", ""]);
    }

    #[test]
    fn quotes_that_are_not_escaped_are_read_where_that_is_clear() {
        let read = |end: &str| {
            let line = format!(r#"h - - [t] "GET /h HTTP/1.1" 200 5{end}"#);
            parse(line.as_bytes()).map(|parsed| {
                parsed.ranges[9..]
                    .iter()
                    .map(|range| line[range.clone()].to_owned())
                    .collect::<Vec<_>>()
            })
        };
        let clear = [
            (r#" "-" ""echocrawl 2.0"""#, "", r#""echocrawl 2.0""#),
            (r#" "http://s.test/?q="two words"" "UA1""#, r#"http://s.test/?q="two words""#, "UA1"),
            (r#" "-" "UA "quoted" 4""#, "", r#"UA "quoted" 4"#),
            (r#" "-" "UA "quoted" 4" 0.12"#, "", r#"UA "quoted" 4"#),
            (r#" "a"b" "c"d""#, r#"a"b"#, r#"c"d"#),
            (r#" "-" "curl" "1.2.3.4" rt=0.1"#, "", "curl"),
            (r#" "-" "curl" rt=0.1"#, "", "curl"),
            (r#" "http://r/"#, "http://r/", ""),
            (" 0.1 -", "", ""),
        ];
        for (end, referer, agent) in clear {
            assert_eq!(read(end).unwrap(), [referer, agent], "{end}");
        }
        let unclear = [
            r#" "-" "Mozilla "weird" "agent"""#,
            r#" "-" "a" x "b""#,
            r#" "-" "12" screen""#,
            r#" "a" "b" "c""#,
            r#" "" " """#,
            r#" "-" "curl" rt=0.1 uct="0.000""#,
            r#" "agent alone""#,
            r#" 0.12 "-" "agent""#,
        ];
        for end in unclear {
            assert!(read(end).is_err(), "{end}: {:?}", read(end));
        }
    }

    #[test]
    fn other_formats_are_not_read_by_halves() {
        let rest = r#"[07/Sep/2023:15:58:36 +0200] "GET / HTTP/2.0" 302 360 "-" "c""#;
        for front in [
            "www.test:443 192.0.2.1 - -",
            "www.test:443 client.test - -",
            "shop.test:443 fe80::1%eth0 - bob",
            "10.0.0.1, 10.0.0.2 - -",
            "10.0.0.1,10.0.0.2 - -",
            "- 10.0.0.1 - -",
        ] {
            let line = format!("{front} {rest}");
            assert!(parse(line.as_bytes()).is_err(), "{line}");
        }
        assert!(is_certain(format!("192.0.2.1 - frank smith {rest}").as_bytes()));
        assert!(is_certain_with_vhost(format!("www.test:443 192.0.2.1 - - {rest}").as_bytes()));
        assert!(!is_certain_with_vhost(format!("www.test 192.0.2.1 - - {rest}").as_bytes()));
        let shifted = [
            r#"www.test client.test - [07/Sep/2023:15:58:36 +0200] "GET / HTTP/1.1" 200 5"#,
            r#"h - - [07/Sep/2023:15:58:36 +0200] "GET / HTTP/1.1" 612 200"#,
            r#"h - - [07/Sep/2023:15:58:36 +0200] "www.test" 200 5"#,
        ];
        assert_eq!(shifted.map(|line| is_certain(line.as_bytes())), [false; 3]);
        for request in ["-", "", r"\x16\x03\x01", "GET /", "OPTIONS * HTTP/1.0"] {
            assert!(
                is_certain(
                    format!(r#"h - - [07/Sep/2023:15:58:36 +0200] "{request}" 400 0"#).as_bytes()
                ),
                "{request}"
            );
        }
        let other_time = r#"h - - [2025-10-25T20:00:00+00:00] "GET / HTTP/1.1" 200 5"#;
        let agent_first = r#"h - - [07/Sep/2023:15:58:36 +0200] "GET / HTTP/1.1" 200 5 "Mozilla/5.0 (X11)" "1.2.3.4""#;
        assert!(!is_certain(other_time.as_bytes()) && !is_certain(agent_first.as_bytes()));
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
        fn referer_and_agent_are_right_or_the_line_is_refused(
            referer in prop::collection::vec(prop::sample::select(vec!["a", "\"", " ", "x/y"]), 0..8),
            agent in prop::collection::vec(prop::sample::select(vec!["a", "\"", " ", "x/y"]), 0..8),
        ) {
            let (referer, agent) = (referer.concat(), agent.concat());
            let line = format!("h - - [t] \"GET / HTTP/1.1\" 200 5 \"{referer}\" \"{agent}\"");
            if let Ok(parsed) = parse(line.as_bytes()) {
                prop_assert_eq!(
                    [&line[parsed.ranges[9].clone()], &line[parsed.ranges[10].clone()]],
                    [referer, agent],
                    "{}",
                    line
                );
            }
        }

        #[test]
        fn no_line_panics(
            line in prop::collection::vec(prop::sample::select(b"h- []\"\\10aHTTP/".to_vec()), 0..60),
        ) {
            if let Ok(parsed) = parse(&line) {
                prop_assert!(parsed.ranges.iter().all(|range| range.end <= line.len()));
            }
        }
    }
}
