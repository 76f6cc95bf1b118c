//! Records that come one at a time, as payloads of a stream.

use super::aws_logs::VpcDecoder;
use super::decode::{Cursor, Decoder, Framing, OtherDecoder};
use super::decode_error::DecodeError;
use super::format::Format;
use crate::error::{Error, ErrorKind};
use crate::limits::Limits;
use crate::row::Block;
use crate::row::Row;
use bytes::Bytes;

/// Decodes payloads, each of which is one record.
#[derive(Clone, Debug)]
pub(crate) struct PayloadDecoder {
    decoder: Decoder,
    record_bytes_max: usize,
}

impl PayloadDecoder {
    /// Creates a decoder of these fields. [`Format::Auto`] means JSON, because a payload does not
    /// show the format of the payloads that follow.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] for a format that needs a header, which payloads do not have,
    /// and for fields that the format does not have.
    pub(crate) fn new(format: Format, fields: &[String], limits: &Limits) -> Result<Self, Error> {
        let named = if format == Format::Auto { &Format::JsonLines } else { &format };
        let decoder = match named {
            Format::Vpc => VpcDecoder::new(None, fields)?.into(),
            named => {
                Decoder::of_records(named, fields, limits.json_depth_max)?.ok_or_else(|| {
                    Error::invalid(format!(
                        "format: the records of a stream have no header, which {format} needs; use \
                     another format, such as jsonl, clf or logfmt"
                    ))
                })?
            }
        };
        Ok(PayloadDecoder { decoder, record_bytes_max: limits.record_bytes_max })
    }

    /// Decodes the payload into the row. Returns false if it contains no record: in formats that
    /// ignore blank lines, a payload that is empty or has only blank lines.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRecord`] with the reason, if the payload is not exactly one record.
    /// Blank lines around it are ignored, as in a file.
    pub(crate) fn decode(&mut self, payload: &Bytes, row: &mut Row) -> Result<bool, Error> {
        let refuse = |what: String| Err(Error::new(ErrorKind::InvalidRecord, what));
        if payload.len() > self.record_bytes_max {
            return refuse(DecodeError::TooLong { limit: self.record_bytes_max }.to_string());
        }
        let (mut cursor, mut framed) =
            (Cursor::default(), Framing { header: false, record_bytes_max: self.record_bytes_max });
        // In plain lines an empty line is a record, too.
        let is_lines = matches!(self.decoder, Decoder::Other(OtherDecoder::Lines(_)));
        let block = match payload.is_empty() && is_lines {
            false => Block::from(payload.clone()),
            true => Block::from(Bytes::from_static(b"\n")),
        };
        let bytes = block.as_bytes().len();
        let mut record = None;
        while record.is_none() && cursor.offset < bytes {
            record = self.decoder.record(&block, &mut framed, &mut cursor, row);
        }
        match record {
            Some(Ok(())) => {}
            Some(Err(error)) => return refuse(error.to_string()),
            None => return Ok(false),
        }
        let rest = payload.get(cursor.offset..).unwrap_or_default();
        match rest.is_empty() || (!is_lines && rest.trim_ascii().is_empty()) {
            true => Ok(true),
            false => refuse("the payload continues after its first line: one record is expected, or the packing lines".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::row::Value;

    fn decode(format: Format, field: &str, payload: &'static [u8]) -> Result<String, String> {
        let limits = Limits { record_bytes_max: 200, ..Limits::default() };
        let mut decoder = PayloadDecoder::new(format, &[field.to_owned()], &limits)
            .map_err(|error| error.to_string())?;
        let mut row = Row::new(1);
        let is_record = decoder
            .decode(&Bytes::from_static(payload), &mut row)
            .map_err(|error| error.to_string())?;
        Ok(match row.value(0) {
            _ if !is_record => "no record".to_owned(),
            Value::Text(text) | Value::Untyped(text) => text.to_owned(),
            other => format!("{other:?}"),
        })
    }

    #[test]
    fn a_payload_is_one_record_with_or_without_a_line_end() {
        for payload in [&b"{\"a\":\"x\"}"[..], b"{\"a\":\"x\"}\n", b" {\"a\":\"x\"} \r\n\n"] {
            assert_eq!(decode(Format::Auto, "a", payload).as_deref(), Ok("x"));
        }
        assert_eq!(decode(Format::Lines, "line", b"started\r\n").as_deref(), Ok("started"));
        let line = b"::1 - - [17/May/2015:10:05:03 +0000] \"GET /a HTTP/1.1\" 200 5";
        assert_eq!(decode(Format::Clf, "path", line).as_deref(), Ok("/a"));
    }

    #[test]
    fn s100_a_payload_without_a_record_is_what_it_would_be_in_a_file() {
        for payload in [&b""[..], b"\n", b" \r\n\n"] {
            assert_eq!(decode(Format::Auto, "a", payload).as_deref(), Ok("no record"));
            assert_eq!(decode(Format::Clf, "path", payload).as_deref(), Ok("no record"));
        }
        assert_eq!(decode(Format::Auto, "a", b"\n \n{\"a\":\"x\"}\n").as_deref(), Ok("x"));
        for payload in [&b""[..], b"\n", b"\r\n"] {
            assert_eq!(decode(Format::Lines, "line", payload).as_deref(), Ok(""));
        }
    }

    #[test]
    fn anything_else_is_refused_with_the_reason() {
        for (payload, reason) in [
            (&b"{\"a\":1}\n{\"a\":2}"[..], "continues after its first line"),
            (b"{\"a\":1} x", "invalid JSON"),
            (b"\xff", "not UTF-8"),
            (b"[]", "invalid JSON"),
            (&[b' '; 201], "longer than the limit of 200 bytes"),
        ] {
            let error = decode(Format::Auto, "a", payload).unwrap_err();
            assert!(error.contains(reason), "{error}");
        }
        assert!(
            decode(Format::Lines, "line", b"a\n\n")
                .unwrap_err()
                .contains("continues after its first line")
        );
        assert!(decode(Format::Csv, "a", b"").unwrap_err().contains("no header"));
        assert!(decode(Format::Lines, "a", b"").unwrap_err().contains("\"a\""));
    }
}
