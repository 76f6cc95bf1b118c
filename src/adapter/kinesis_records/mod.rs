//! What a record of a Kinesis stream can be, for every adapter that reads one: records aggregated by
//! the KPL ([`kpl`]) and by CloudWatch Logs ([`logs`]), records that hold others ([`Packing`]),
//! deliveries that are not records ([`Rejected`]) and records that came late ([`LateRecord`]).

pub(crate) mod json;
pub mod kpl;
pub(crate) mod late;
pub mod logs;
pub(crate) mod packing;
pub(crate) mod payload;
mod rejected;

pub use late::LateRecord;
pub use packing::Packing;
pub use rejected::Rejected;
