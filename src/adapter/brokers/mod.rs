//! How Kafka's brokers are reached, for readers and writers of topics: options, the configuration
//! of librdkafka, and its errors.

mod error;
mod options;
mod token;

pub(crate) use error::{failed, failed_at, is_final};
pub use options::TopicOptions;
pub(crate) use options::cannot_be_made;
pub(crate) use token::Tokens;
