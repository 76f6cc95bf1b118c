//! The connection to Kafka's brokers that all outputs of the process share.

use std::sync::OnceLock;
use streamgauge::Error;
use streamgauge::adapter::kafka::TopicOptions;
use streamgauge::adapter::{AnswerFilesOptions, PartialTarget, TopicProducer, TopicTarget};

static OPTIONS: OnceLock<TopicOptions> = OnceLock::new();
static PRODUCER: OnceLock<TopicProducer> = OnceLock::new();

/// Sets how the brokers are reached. Without it the environment says so.
pub(crate) fn set(options: &TopicOptions) {
    let _ = OPTIONS.set(options.clone());
}

/// Gives the options of a place the producer, if it is a topic.
///
/// # Errors
/// The brokers are not known, or a property is not accepted.
pub(crate) fn for_place(place: &str, options: &mut AnswerFilesOptions) -> Result<(), Error> {
    if place.starts_with("kafka:") {
        options.producer = Some(producer()?);
    }
    Ok(())
}

/// Returns the target of partials in a topic.
///
/// # Errors
/// No such topic, or no broker answers.
pub(crate) fn target(topic: &str) -> Result<Box<dyn PartialTarget>, Error> {
    Ok(Box::new(TopicTarget::open(producer()?, topic)?))
}

fn producer() -> Result<TopicProducer, Error> {
    if let Some(producer) = PRODUCER.get() {
        return Ok(producer.clone());
    }
    let connected = match OPTIONS.get() {
        Some(options) => TopicProducer::connect(options)?,
        None => TopicProducer::connect(&TopicOptions::from_environment()?)?,
    };
    Ok(PRODUCER.get_or_init(|| connected).clone())
}
