//! Logs that AWS services write into S3: of application load balancers, of S3 itself, and of the
//! flows in a VPC.
//!
//! The columns have the names of the AWS documentation, with `_` for dashes, and the names that the
//! same things have in access logs. `-` is a missing value. AWS adds columns at the end of a line;
//! those that are not known here are ignored.

use super::beginning::Beginning;
use super::columns::{Columns, Part, WantedColumn, set_columns};
use super::decode_error::DecodeError;
use super::words::{Check, WordsDecoder, WordsFormat, split_words};
use crate::error::Error;
use crate::row::Row;
use std::ops::Range;

/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-access-logs.html>
pub(super) static ALB: WordsFormat = WordsFormat {
    line: "line of an ALB log",
    columns: &[
        "type",
        "time",
        "elb",
        "client",
        "target",
        "request_processing_time",
        "target_processing_time",
        "response_processing_time",
        "elb_status_code",
        "target_status_code",
        "received_bytes",
        "sent_bytes",
        "request",
        "user_agent",
        "ssl_cipher",
        "ssl_protocol",
        "target_group_arn",
        "trace_id",
        "domain_name",
        "chosen_cert_arn",
        "matched_rule_priority",
        "request_creation_time",
        "actions_executed",
        "redirect_url",
        "error_reason",
        "target_port_list",
        "target_status_code_list",
        "classification",
        "classification_reason",
        "conn_trace_id",
    ],
    columns_min: 17,
    brackets: false,
    checks: &[
        (0, Check::Word),
        (1, Check::IsoTime),
        (5, Check::Number),
        (6, Check::Number),
        (7, Check::Number),
        (8, Check::Status),
        (9, Check::Status),
        (10, Check::Number),
        (11, Check::Number),
    ],
    also: &[
        ("client_ip", "client", Part::Host),
        ("client_port", "client", Part::Port),
        ("target_ip", "target", Part::Host),
        ("target_port", "target", Part::Port),
        ("host", "client", Part::Host),
        ("method", "request", Part::Method),
        ("url", "request", Part::Path),
        ("path", "request", Part::UrlPath),
        ("protocol", "request", Part::Protocol),
        ("status", "elb_status_code", Part::Whole),
        ("bytes", "sent_bytes", Part::Whole),
        ("agent", "user_agent", Part::Whole),
        ("vhost", "domain_name", Part::Whole),
    ],
};

/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/LogFormat.html>
pub(super) static S3: WordsFormat = WordsFormat {
    line: "line of an S3 access log",
    columns: &[
        "bucket_owner",
        "bucket",
        "time",
        "remote_ip",
        "requester",
        "request_id",
        "operation",
        "key",
        "request_uri",
        "http_status",
        "error_code",
        "bytes_sent",
        "object_size",
        "total_time",
        "turn_around_time",
        "referer",
        "user_agent",
        "version_id",
        "host_id",
        "signature_version",
        "cipher_suite",
        "authentication_type",
        "host_header",
        "tls_version",
        "access_point_arn",
        "acl_required",
    ],
    columns_min: 18,
    brackets: true,
    checks: &[
        (0, Check::Word),
        (9, Check::Status),
        (11, Check::Number),
        (12, Check::Number),
        (13, Check::Number),
        (14, Check::Number),
    ],
    also: &[
        ("host", "remote_ip", Part::Whole),
        ("user", "requester", Part::Whole),
        ("method", "request_uri", Part::Method),
        ("path", "request_uri", Part::Path),
        ("protocol", "request_uri", Part::Protocol),
        ("status", "http_status", Part::Whole),
        ("bytes", "bytes_sent", Part::Whole),
        ("agent", "user_agent", Part::Whole),
        ("vhost", "host_header", Part::Whole),
    ],
};

/// Returns the decoder of an ALB log.
///
/// # Errors
/// A field that it does not have.
pub(crate) fn alb<S: AsRef<str>>(fields: &[S]) -> Result<WordsDecoder, Error> {
    WordsDecoder::new(&ALB, fields)
}

/// Returns the decoder of an S3 access log.
///
/// # Errors
/// A field that it does not have.
pub(crate) fn s3<S: AsRef<str>>(fields: &[S]) -> Result<WordsDecoder, Error> {
    WordsDecoder::new(&S3, fields)
}

/// Returns true if the line is certainly of an ALB log.
pub(super) fn is_alb(line: &[u8]) -> bool {
    let mut words = Vec::new();
    const TYPES: [&[u8]; 6] = [b"http", b"https", b"h2", b"grpcs", b"ws", b"wss"];
    ALB.split(line, &mut words).is_ok() && TYPES.contains(&&line[words[0].clone()])
}

/// Returns true if the line is certainly of an S3 access log: the owner is a canonical user.
pub(super) fn is_s3(line: &[u8]) -> bool {
    let mut words = Vec::new();
    let is_owner = |owner: &[u8]| owner.len() == 64 && owner.iter().all(u8::is_ascii_hexdigit);
    S3.split(line, &mut words).is_ok()
        && is_owner(&line[words[0].clone()])
        && line.get(words[2].start.wrapping_sub(1)) == Some(&b'[')
}

/// The columns of a flow log of the default format, version 2:
/// <https://docs.aws.amazon.com/vpc/latest/userguide/flow-log-records.html>
const VPC_COLUMNS: [&str; 14] = [
    "version",
    "account_id",
    "interface_id",
    "srcaddr",
    "dstaddr",
    "srcport",
    "dstport",
    "protocol",
    "packets",
    "bytes",
    "start",
    "end",
    "action",
    "log_status",
];

const VPC_LINE: &str = "line of a VPC flow log";

/// Decodes flow logs: in the columns of the header, or in those of the default format.
#[derive(Clone, Debug)]
pub(crate) struct VpcDecoder {
    wanted: Vec<WantedColumn>,
    columns: usize,
    has_header: bool,
    words: Vec<Range<usize>>,
}

impl VpcDecoder {
    /// Creates a decoder of these fields, by slot, for lines with this header; `None` if there is
    /// none.
    ///
    /// # Errors
    /// A field that the lines do not have.
    pub(crate) fn new<S: AsRef<str>>(
        header: Option<&[String]>,
        fields: &[S],
    ) -> Result<Self, Error> {
        let default: Vec<String> = VPC_COLUMNS.iter().map(|name| (*name).to_owned()).collect();
        let names = header.unwrap_or(&default);
        let mut columns = Columns::default();
        for (column, name) in names.iter().enumerate() {
            columns.name(name, column, Part::Whole);
        }
        for (column, name) in names.iter().enumerate() {
            columns.name(&name.replace('_', "-"), column, Part::Whole);
            columns.name(&name.replace('-', "_"), column, Part::Whole);
            match name.as_str() {
                "start" => columns.name("time", column, Part::Whole),
                "srcaddr" => columns.name("host", column, Part::Whole),
                _ => {}
            }
        }
        let wanted = columns.wanted(fields, &format!("a {VPC_LINE} has"))?;
        let has_header = header.is_some();
        Ok(VpcDecoder { wanted, columns: names.len(), has_header, words: Vec::new() })
    }

    /// Returns true if the first line is the header.
    pub(crate) fn has_header(&self) -> bool {
        self.has_header
    }

    /// Sets the fields of the line, which begins at `start` in the row's source.
    pub(crate) fn line(
        &mut self,
        line: &[u8],
        start: usize,
        row: &mut Row,
    ) -> Result<(), DecodeError> {
        let is_split = split_words(line, false, &mut self.words).is_some();
        if !is_split || self.words.len() != self.columns {
            let what = "it has not as many words as there are columns";
            return Err(DecodeError::LogLine { line: VPC_LINE, what });
        }
        set_columns(&self.wanted, (line, start), &self.words, row);
        Ok(())
    }
}

/// Returns the header of a flow log, if the input has one. Returns `None` if it needs more bytes.
pub(crate) fn vpc_header(beginning: Beginning<'_>) -> Option<Option<Vec<String>>> {
    let end = memchr::memchr(b'\n', beginning.bytes);
    let line = match end {
        Some(end) => &beginning.bytes[..end],
        None if beginning.is_all() => beginning.bytes,
        None => return None,
    };
    Some(vpc_names(line))
}

/// Returns the names in a line that is the header of a flow log.
pub(super) fn vpc_names(line: &[u8]) -> Option<Vec<String>> {
    let text = std::str::from_utf8(line).ok()?;
    let names: Vec<String> = text.split_ascii_whitespace().map(str::to_owned).collect();
    let is_name = |name: &String| {
        name.bytes()
            .all(|byte| byte.is_ascii_lowercase() || matches!(byte, b'-' | b'_' | b'0'..=b'9'))
    };
    let is_known = |name: &&String| VPC_COLUMNS.contains(&name.replace('-', "_").as_str());
    let known = names.iter().filter(is_known).count();
    (names.len() >= 3 && known >= 3 && names.iter().all(is_name)).then_some(names)
}

/// Returns true if the line is certainly of a flow log: its header, or a line of the default
/// format.
pub(super) fn is_vpc(line: &[u8]) -> bool {
    let mut words = Vec::new();
    let is_number =
        |text: &[u8], len: usize| text.len() == len && text.iter().all(u8::is_ascii_digit);
    let is_default = split_words(line, false, &mut words).is_some() && words.len() == 14 && {
        let word = |at: usize| &line[words[at].clone()];
        word(0) == b"2"
            && is_number(word(1), 12)
            && word(2).starts_with(b"eni-")
            && is_number(word(10), 10)
            && is_number(word(11), 10)
    };
    is_default || vpc_names(line).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALB_LINE: &str = r#"https 2024-07-02T22:23:00.186641Z app/shop-lb/50dc6c495c0c9188 192.0.2.7:2817 10.0.0.12:80 0.086 0.048 0.037 200 200 0 57 "GET https://shop.example.com:443/cart?id=7 HTTP/1.1" "curl/8.4.0" ECDHE-RSA-AES128-GCM-SHA256 TLSv1.2 arn:aws:elasticloadbalancing:us-east-2:123456789012:targetgroup/web/73e2d6bc24d8a067 "Root=1-58337281-1d84f3d73c47ec4e58577259" "shop.example.com" "arn:aws:acm:us-east-2:123456789012:certificate/12345678" 1 2024-07-02T22:22:48.364000Z "authenticate,forward" "-" "-" "10.0.0.12:80" "200" "-" "-" TID_123456"#;
    const S3_LINE: &str = r#"79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be logs-bucket [06/Feb/2024:00:00:38 +0000] 192.0.2.3 arn:aws:iam::123456789012:user/anna 3E57427F3EXAMPLE REST.GET.OBJECT photos/2024/a.jpg "GET /logs-bucket/photos/2024/a.jpg HTTP/1.1" 200 - 113 7600 41 28 "-" "S3Console/0.4" - s9lzHYrFp76ZVxRcpX9+5cjAnEH2ROuNkd2BHfIa6UkFVdtjf5mKR3/eTPFvsiP/XV/VLi31234= SigV4 ECDHE-RSA-AES128-GCM-SHA256 AuthHeader logs-bucket.s3.us-west-1.amazonaws.com TLSV1.2 - -"#;
    const VPC: &str = "2 123456789010 eni-1235b8ca123456789 172.31.16.139 172.31.16.21 20641 22 6 \
                       20 4249 1418530010 1418530070 ACCEPT OK";

    #[test]
    fn lines_of_the_documentation_are_certain_and_others_are_not() {
        let lines = [ALB_LINE, S3_LINE, VPC, "", "2 3", "http 2024-07-02T22:23:00Z x"];
        for (at, line) in lines.iter().enumerate() {
            let line = line.as_bytes();
            assert_eq!([is_alb(line), is_s3(line), is_vpc(line)], [at == 0, at == 1, at == 2]);
        }
        assert!(is_vpc(b"version account-id interface-id srcaddr dstaddr pkt-srcaddr"));
        assert!(!is_vpc(b"started the bytes action end version now."));
    }
}
