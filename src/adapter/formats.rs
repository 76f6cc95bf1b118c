//! From bytes to rows: the formats that records are written in, for every adapter that reads
//! declared pipelines.

pub(super) mod clf;
mod container;
pub(super) mod csv;
mod csv_header;
pub(super) mod decode;
pub(super) mod detect;
pub(super) mod flaw;
pub(super) mod format;
mod json_fields;
pub(super) mod json_names;
pub(super) mod json_scan;
mod json_template;
mod json_text;
mod json_tokens;
mod names;
pub(super) mod payload;
