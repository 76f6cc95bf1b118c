//! Answers and partials as records of a topic of Kafka.

mod partials;
mod producer;
#[cfg(feature = "spec")]
mod rows;
#[cfg(test)]
mod tests;

pub use partials::TopicTarget;
pub use producer::TopicProducer;
#[cfg(feature = "spec")]
pub use rows::TopicRows;
