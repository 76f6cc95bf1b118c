//! The forms of a record of a Kinesis stream, for every adapter that reads one: records aggregated
//! by the KPL ([`kpl`], written by [`Aggregator`]) and by CloudWatch Logs ([`logs`]), how records are unpacked ([`Packing`]),
//! deliveries that are not records ([`Rejected`]) and late records ([`LateRecord`]).

mod aggregator;
pub mod kpl;
pub(crate) mod late;
pub mod logs;
pub(crate) mod packing;
mod rejected;

pub use aggregator::Aggregator;
pub use late::LateRecord;
pub use packing::Packing;
pub use rejected::Rejected;
