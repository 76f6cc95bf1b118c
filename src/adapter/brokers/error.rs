//! Errors of librdkafka as those of this crate.

use crate::error::{Error, ErrorKind};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

/// Returns the error of a call, with what to check.
pub(crate) fn failed(error: KafkaError) -> Error {
    failed_at("Kafka", &error)
}

/// Returns the error of a call for `what`, with what to check.
pub(crate) fn failed_at(what: &str, error: &KafkaError) -> Error {
    let advice = match error.rdkafka_error_code() {
        Some(
            RDKafkaErrorCode::AllBrokersDown
            | RDKafkaErrorCode::BrokerTransportFailure
            | RDKafkaErrorCode::MessageTimedOut
            | RDKafkaErrorCode::OperationTimedOut
            | RDKafkaErrorCode::Resolve,
        ) => "; no broker answers: check their addresses, and that this machine reaches them",
        Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => {
            "; check the name of the topic"
        }
        Some(RDKafkaErrorCode::MessageSizeTooLarge) => {
            "; a record is too large: use fewer groups or counters, or raise message.max.bytes of \
             the client and max.message.bytes of the topic"
        }
        _ => "",
    };
    Error::new(ErrorKind::Io, format!("{what}: {error}{advice}"))
}

/// Returns true if no repetition helps.
pub(crate) fn is_final(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::UnknownTopicOrPartition
                | RDKafkaErrorCode::UnknownTopic
                | RDKafkaErrorCode::UnknownPartition
                | RDKafkaErrorCode::InvalidTopic
                | RDKafkaErrorCode::TopicAuthorizationFailed
                | RDKafkaErrorCode::GroupAuthorizationFailed
        )
    )
}
