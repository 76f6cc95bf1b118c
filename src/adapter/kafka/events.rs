//! What librdkafka tells in callbacks. They run inside of `poll`, so they only take notes.

use super::read_topic::TopicEvent;
use crate::adapter::brokers::Tokens;
use rdkafka::client::OAuthToken;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext, RebalanceProtocol};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{ClientContext, TopicPartitionList};
use std::collections::BTreeMap;
use std::error::Error;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The shortest time between two notes on the same kind of error.
const NOTE_EVERY: Duration = Duration::from_secs(60);

/// Collects events for the next call of `poll`.
///
/// A change of the group is answered later, by a call outside of the callback: until then the
/// group waits, and `poll` goes on, so that saving the state of a partition that leaves never makes
/// this member look dead.
#[derive(Debug, Default)]
pub(super) struct Events {
    pending: Mutex<Vec<TopicEvent>>,
    /// When the last note was taken of each kind of error.
    noted: Mutex<BTreeMap<Option<i32>, Instant>>,
    /// True while the consumer closes: nobody answers later.
    is_closing: AtomicBool,
    pub(super) tokens: Tokens,
}

impl Events {
    pub(super) fn new(tokens: Tokens) -> Self {
        Events { tokens, ..Events::default() }
    }

    pub(super) fn take(&self) -> Vec<TopicEvent> {
        std::mem::take(&mut *self.pending.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn close(&self) {
        self.is_closing.store(true, Ordering::Relaxed);
    }

    /// Returns true if a note was taken of such an error within the last minute. A connection that
    /// is gone is tried again and again.
    fn is_noted(&self, code: Option<RDKafkaErrorCode>) -> bool {
        let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        let (kind, now) = (code.map(|code| code as i32), Instant::now());
        match noted.get(&kind) {
            Some(last) if now.duration_since(*last) < NOTE_EVERY => true,
            _ => {
                noted.insert(kind, now);
                false
            }
        }
    }

    fn add(&self, event: TopicEvent) {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner).push(event);
    }
}

impl ClientContext for Events {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn generate_oauth_token(&self, _: Option<&str>) -> Result<OAuthToken, Box<dyn Error>> {
        self.tokens.next()
    }

    fn log(&self, _: RDKafkaLogLevel, facility: &str, message: &str) {
        // Errors come to `error`, too.
        if !matches!(facility, "FAIL" | "ERROR") {
            self.add(TopicEvent::Note(message.to_owned()));
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        let code = error.rdkafka_error_code();
        if code == Some(RDKafkaErrorCode::PartitionEOF) || self.is_noted(code) {
            return;
        }
        self.add(TopicEvent::Note(format!("{error}: {reason}")));
    }
}

impl ConsumerContext for Events {
    fn rebalance(
        &self,
        consumer: &BaseConsumer<Self>,
        kind: RDKafkaRespErr,
        list: &mut TopicPartitionList,
    ) {
        let protocol = consumer.rebalance_protocol();
        let is_cooperative = matches!(protocol, RebalanceProtocol::Cooperative);
        if self.is_closing.load(Ordering::Relaxed) {
            // What fails here is over with the consumer.
            let _ = match (kind, is_cooperative) {
                (RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS, true) => {
                    consumer.incremental_assign(list)
                }
                (_, true) => consumer.incremental_unassign(list),
                (_, false) => consumer.unassign(),
            };
            return;
        }
        let partitions = list.elements().iter().map(|element| element.partition()).collect();
        self.add(match kind {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => {
                TopicEvent::Assigned(partitions)
            }
            _ if consumer.assignment_lost() => TopicEvent::Lost(partitions),
            _ => TopicEvent::Revoked(partitions),
        });
    }
}
