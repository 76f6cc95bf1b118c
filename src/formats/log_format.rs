//! The format strings of web servers, as they stand in their configuration: `log_format` of nginx
//! and `LogFormat` of Apache.
//!
//! A string may be given alone, in its quotes, or with its directive. A field of nginx has the name
//! of its variable without `$`. A field of Apache has the name that the same thing has in the
//! common format (`host`, `ident`, `user`, `time`, `status`, `bytes`, `referer`, `agent`), or else
//! in nginx (`http_x_forwarded_for`). A request line is also split into `method`, `path` and
//! `protocol`. Where a name of the common format is free, a variable of nginx that means the same
//! has it too. `-` and nothing are missing values.
//!
//! Sources: the documentation of `ngx_http_log_module` and `mod_log_config`.

use super::columns::{Columns, Part};
use super::line_pattern::{
    Extent, Kind, LinePattern, PATTERN_BYTES_MAX, PatternDecoder, PatternField,
};
use crate::error::{Error, ErrorKind};

/// Variables of nginx that have a name in the common format.
const NGINX_ALSO: [(&str, &str); 17] = [
    ("remote_addr", "host"),
    ("remote_user", "user"),
    ("time_local", "time"),
    ("time_iso8601", "time"),
    ("msec", "time"),
    ("request_method", "method"),
    ("request_uri", "path"),
    ("uri", "path"),
    ("server_protocol", "protocol"),
    ("body_bytes_sent", "bytes"),
    ("bytes_sent", "bytes"),
    ("http_referer", "referer"),
    ("http_user_agent", "agent"),
    ("http_host", "vhost"),
    ("host", "vhost"),
    ("server_name", "vhost"),
    ("http_x_real_ip", "host"),
];

/// Names of Apache's directives without a name in braces.
const APACHE: [(&str, &str); 27] = [
    ("h", "host"),
    ("a", "client_ip"),
    ("A", "local_ip"),
    ("l", "ident"),
    ("u", "user"),
    ("t", "time"),
    ("r", "request"),
    ("s", "status"),
    ("b", "bytes"),
    ("B", "body_bytes_sent"),
    ("O", "bytes_sent"),
    ("I", "bytes_received"),
    ("S", "bytes_transferred"),
    ("D", "duration_us"),
    ("T", "duration_s"),
    ("v", "vhost"),
    ("V", "server_name"),
    ("p", "port"),
    ("P", "pid"),
    ("m", "method"),
    ("U", "path"),
    ("q", "query"),
    ("H", "protocol"),
    ("f", "filename"),
    ("k", "keepalive_requests"),
    ("X", "connection_status"),
    ("R", "handler"),
];

/// The names of text that servers write as a number.
const NUMBERS: [&str; 4] = ["bytes", "body_bytes_sent", "bytes_sent", "request_length"];

/// Creates a decoder of these fields, by slot, of lines that a server writes by this format string.
///
/// # Errors
/// [`ErrorKind::Parse`] for a string that is of no server, with the column; and for a field that
/// the lines do not have.
pub(crate) fn decoder<S: AsRef<str>>(text: &str, fields: &[S]) -> Result<PatternDecoder, Error> {
    let (pattern, columns) = parse(text)?;
    PatternDecoder::new(pattern, &columns, fields)
}

fn refused(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Parse, message.into())
}

/// Parses a format string, with or without its directive.
pub(super) fn parse(text: &str) -> Result<(LinePattern, Columns), Error> {
    if text.len() > PATTERN_BYTES_MAX {
        return Err(refused("a format string has up to 16 KiB"));
    }
    let string = unquoted(text.trim())?;
    if string.contains("escape=json") || string.trim_start().starts_with('{') {
        return Err(refused("a log of this format is JSON: leave --log-format out"));
    }
    let is_nginx = string
        .split('$')
        .skip(1)
        .any(|rest| rest.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '_' | '{')));
    match is_nginx {
        true => nginx(&string),
        false if string.contains('%') => apache(&string),
        false => Err(refused(
            "there is neither a variable of nginx ($status) nor a directive of Apache (%>s) in it",
        )),
    }
}

/// Returns the string of a directive, or the text itself if it is one.
fn unquoted(text: &str) -> Result<String, Error> {
    let mut words = text.split_ascii_whitespace();
    match words.next() {
        Some("log_format") => {
            let name = words.next().unwrap_or_default();
            let rest = after_word(after_word(text, "log_format"), name);
            let escape = words.next().filter(|word| word.starts_with("escape="));
            if escape == Some("escape=json") {
                return Err(refused("a log of this format is JSON: leave --log-format out"));
            }
            quoted_pieces(after_word(rest, escape.unwrap_or_default()).trim_end_matches(';'))
        }
        Some("LogFormat") => {
            let rest = after_word(text, "LogFormat");
            let end =
                closing(rest).ok_or_else(|| refused("the quote after LogFormat is not closed"))?;
            Ok(unescaped(&rest[1..end]))
        }
        _ if text.starts_with('\'') => quoted_pieces(text.trim_end_matches(';')),
        _ if text.starts_with('"') && closing(text) == Some(text.len() - 1) => {
            Ok(unescaped(&text[1..text.len() - 1]))
        }
        // As it stands between the quotes of the configuration.
        _ => Ok(if text.contains("\\\"") { unescaped(text) } else { text.to_owned() }),
    }
}

fn after_word<'a>(text: &'a str, word: &str) -> &'a str {
    text.trim_start().strip_prefix(word).unwrap_or(text).trim_start()
}

/// Returns the offset of the quote that closes the one in front.
fn closing(text: &str) -> Option<usize> {
    let quote = *text.as_bytes().first().filter(|byte| matches!(byte, b'"' | b'\''))?;
    let mut at = 1;
    while let Some(byte) = text.as_bytes().get(at) {
        match *byte {
            b'\\' => at += 2,
            byte if byte == quote => return Some(at),
            _ => at += 1,
        }
    }
    None
}

/// Returns the strings of nginx, which stand one after the other in quotes, as one.
fn quoted_pieces(text: &str) -> Result<String, Error> {
    let (mut string, mut rest) = (String::new(), text.trim());
    while !rest.is_empty() {
        let end = closing(rest).ok_or_else(|| {
            refused("the string of a log_format stands in quotes, and one is not closed")
        })?;
        string.push_str(&unescaped(&rest[1..end]));
        rest = rest[end + 1..].trim_start();
    }
    Ok(string)
}

/// Resolves the escapes of a configuration.
fn unescaped(text: &str) -> String {
    let (mut out, mut chars) = (String::with_capacity(text.len()), text.chars());
    while let Some(char) = chars.next() {
        match char {
            '\\' => match chars.next() {
                Some('t') => out.push('\t'),
                Some('n') | None => {}
                Some(other) => out.push(other),
            },
            other => out.push(other),
        }
    }
    out
}

fn nginx(string: &str) -> Result<(LinePattern, Columns), Error> {
    let mut pattern = LinePattern::default();
    let mut pieces = string.split('$');
    pattern.text(pieces.next().unwrap_or_default());
    for piece in pieces {
        let (name, rest) = match piece.strip_prefix('{').and_then(|rest| rest.split_once('}')) {
            Some(braced) => braced,
            None => {
                let is_end = |c: char| !(c.is_ascii_alphanumeric() || c == '_');
                piece.split_at(piece.find(is_end).unwrap_or(piece.len()))
            }
        };
        if name.is_empty() {
            return Err(refused("a $ without the name of a variable"));
        }
        let is_list = name.starts_with("upstream_") || name.contains("forwarded_for");
        let extent = if is_list { Extent::List } else { Extent::Until };
        let field = PatternField {
            name: name.to_owned(),
            extent,
            kind: kind_of(name),
            after: String::new(),
        };
        pattern.field(field)?;
        pattern.text(rest);
    }
    let columns = columns_of(&pattern, &NGINX_ALSO);
    Ok((pattern, columns))
}

fn kind_of(name: &str) -> Kind {
    match name {
        "status" => Kind::Status,
        name if NUMBERS.contains(&name) => Kind::Digits,
        _ => Kind::Any,
    }
}

/// Names the columns: as they are, then the parts of a request, then what else they are called.
fn columns_of(pattern: &LinePattern, also: &[(&str, &str)]) -> Columns {
    let mut columns = Columns::default();
    let fields = || pattern.fields.iter().map(|field| field.name.as_str()).enumerate();
    for (column, name) in fields() {
        columns.name(name, column, Part::Whole);
    }
    for (column, _) in fields().filter(|(_, name)| *name == "request") {
        columns.name_request(column, Part::Path);
    }
    for (known, name) in also {
        for (column, _) in fields().filter(|(_, field)| field == known) {
            columns.name(name, column, Part::Whole);
        }
    }
    columns
}

fn apache(string: &str) -> Result<(LinePattern, Columns), Error> {
    let mut pattern = LinePattern::default();
    let mut rest = string;
    while let Some(at) = rest.find('%') {
        pattern.text(&rest[..at]);
        let column = string.len() - rest.len() + at + 1;
        let directive = &rest[at + 1..];
        if let Some(after) = directive.strip_prefix('%') {
            pattern.text("%");
            rest = after;
            continue;
        }
        let (name, after) = apache_directive(directive).ok_or_else(|| {
            refused(format!("column {column}: % begins no directive of LogFormat"))
        })?;
        // The time stands in brackets of its own.
        let in_brackets = name == "time";
        if in_brackets {
            pattern.text("[");
        }
        let is_list = name.contains("forwarded_for");
        let extent = if is_list { Extent::List } else { Extent::Until };
        let kind = kind_of(&name);
        pattern.field(PatternField { name, extent, kind, after: String::new() })?;
        if in_brackets {
            pattern.text("]");
        }
        rest = after;
    }
    pattern.text(rest);
    let columns = columns_of(
        &pattern,
        &[
            ("http_referer", "referer"),
            ("http_user_agent", "agent"),
            ("http_host", "vhost"),
            ("server_name", "vhost"),
            ("client_ip", "host"),
            ("host", "remote_addr"),
            ("user", "remote_user"),
            ("time_of_format", "time"),
            ("time_s", "time"),
            ("time_ms", "time"),
            ("time_us", "time"),
            ("body_bytes_sent", "bytes"),
            ("bytes_sent", "bytes"),
            ("referer", "http_referer"),
            ("agent", "http_user_agent"),
        ],
    );
    Ok((pattern, columns))
}

/// Takes a directive after its `%`: conditions, `<` or `>`, a name in braces, and a letter.
fn apache_directive(text: &str) -> Option<(String, &str)> {
    let is_condition = |c: char| c.is_ascii_digit() || matches!(c, '!' | ',' | '<' | '>');
    let text = text.trim_start_matches(is_condition);
    let (argument, text) = match text.strip_prefix('{') {
        Some(braced) => braced.split_once('}').map(|(argument, text)| (Some(argument), text))?,
        None => (None, text),
    };
    let len = if text.starts_with('^') { 3 } else { text.chars().next()?.len_utf8() };
    let (letter, after) = (text.get(..len)?, &text[len..]);
    let variable = |prefix: &str| {
        let name = argument.unwrap_or_default().to_ascii_lowercase();
        format!("{prefix}_{}", name.replace('-', "_"))
    };
    let name = match (letter, argument) {
        ("i", Some(name)) if name.eq_ignore_ascii_case("referer") => "referer".to_owned(),
        ("i", Some(name)) if name.eq_ignore_ascii_case("user-agent") => "agent".to_owned(),
        ("i" | "^ti", Some(_)) => variable("http"),
        ("o" | "^to", Some(_)) => variable("sent_http"),
        ("C", Some(_)) => variable("cookie"),
        ("e", Some(_)) => variable("env"),
        ("n", Some(_)) => variable("note"),
        ("x", Some(_)) => variable("ssl"),
        ("t", Some("sec" | "begin:sec" | "end:sec")) => "time_s".to_owned(),
        ("t", Some("msec" | "begin:msec" | "end:msec")) => "time_ms".to_owned(),
        ("t", Some("usec" | "begin:usec" | "end:usec")) => "time_us".to_owned(),
        ("t", Some(_)) => "time_of_format".to_owned(),
        ("T", Some("ms")) => "duration_ms".to_owned(),
        ("T", Some("us")) => "duration_us".to_owned(),
        ("T", Some("s")) => "duration_s".to_owned(),
        ("p", Some(kind)) => format!("{kind}_port"),
        ("P", Some(kind)) => kind.to_ascii_lowercase(),
        ("a", Some("c")) => "peer_ip".to_owned(),
        ("h", Some("c")) => "peer".to_owned(),
        ("L", _) => "log_id".to_owned(),
        (letter, None) => APACHE.iter().find(|(known, _)| *known == letter)?.1.to_owned(),
        _ => return None,
    };
    Some((name, after))
}
