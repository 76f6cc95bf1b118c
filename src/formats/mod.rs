//! Decodes bytes into rows: the formats of records, for every adapter that runs declared pipelines.

pub(crate) mod aws_logs;
pub(crate) mod beginning;
pub(crate) mod clf;
mod columns;
mod container;
pub(crate) mod csv;
mod csv_header;
pub(crate) mod decode;
pub(crate) mod decode_error;
pub(crate) mod detect;
pub(crate) mod format;
mod json_fields;
pub(crate) mod json_names;
pub(crate) mod json_scan;
mod json_template;
mod json_text;
mod json_tokens;
pub(crate) mod line_pattern;
pub(crate) mod log_format;
pub(crate) mod logfmt;
mod names;
pub(crate) mod payload;
pub(crate) mod regex_line;
mod request;
pub(crate) mod w3c;
pub(crate) mod words;
