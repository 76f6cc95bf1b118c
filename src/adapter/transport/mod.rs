//! What the readers of several transports need: memory for the payloads of a batch, and fields of
//! JSON that may have any type.

pub(crate) mod json;
pub(crate) mod payloads;
