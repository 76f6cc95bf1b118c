//! From bytes to rows: the formats that records are written in, for every adapter that reads
//! declared pipelines.

pub(crate) mod beginning;
pub(crate) mod clf;
mod container;
pub(crate) mod csv;
mod csv_header;
pub(crate) mod decode;
pub(crate) mod detect;
pub(crate) mod flaw;
pub(crate) mod format;
mod json_fields;
pub(crate) mod json_names;
pub(crate) mod json_scan;
mod json_template;
mod json_text;
mod json_tokens;
mod names;
pub(crate) mod payload;
