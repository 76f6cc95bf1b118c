//! What becomes of a request.

use super::limits::{MESSAGE_CHARS_MAX, PAUSE_MAX, PAUSE_MIN};
use crate::output::printable;
use crate::view::text::head;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceResponse;
use prost::Message;
use std::time::Duration;

/// The reply to a request.
pub(super) struct Reply {
    pub(super) status: u16,
    /// The pause that the receiver asks for.
    pub(super) retry_after: Option<Duration>,
    pub(super) body: Vec<u8>,
}

/// What became of a request.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum Outcome {
    /// Taken; of a part of its points why they were not.
    Taken { refused: u64, message: String },
    /// The same request may be taken later.
    Later { pause: Option<Duration>, message: String },
    /// The same request would be refused again.
    Refused { message: String },
}

impl Outcome {
    /// Returns what became of a request with this reply, or with none.
    pub(super) fn of(reply: Result<Reply, String>) -> Self {
        let reply = match reply {
            Ok(reply) => reply,
            Err(message) => return Outcome::Later { pause: None, message },
        };
        let status = reply.status;
        match status {
            200..=299 => {
                // A body that cannot be read belongs to a receiver that has taken everything.
                let decoded = ExportMetricsServiceResponse::decode(reply.body.as_slice());
                let partial = decoded.ok().and_then(|decoded| decoded.partial_success);
                let (refused, message) = partial.map_or((0, String::new()), |partial| {
                    (partial.rejected_data_points, shown(&partial.error_message))
                });
                Outcome::Taken { refused: u64::try_from(refused).unwrap_or(0), message }
            }
            // The codes of the standard for a receiver that can take the same later.
            429 | 502 | 503 | 504 => {
                let message = format!("the receiver answers {status}");
                Outcome::Later { pause: reply.retry_after, message }
            }
            _ => {
                let text = shown(&String::from_utf8_lossy(&reply.body));
                let text = if text.is_empty() { text } else { format!(": {text}") };
                Outcome::Refused { message: format!("the receiver answers {status}{text}") }
            }
        }
    }
}

/// Returns a text of a receiver as it is shown.
fn shown(text: &str) -> String {
    let text = text.trim();
    let readable = text.chars().all(|c| c != '\u{fffd}');
    match readable {
        true => printable(head(text, MESSAGE_CHARS_MAX)).to_string(),
        false => String::new(),
    }
}

/// Returns the pause after a number of requests in a row that no receiver has taken. `asked` is
/// what the receiver asks for; `part` of 0 to 255 spreads those of many processes.
pub(super) fn pause(failures: u32, asked: Option<Duration>, part: u8) -> Duration {
    let doubled = PAUSE_MIN.saturating_mul(1 << failures.saturating_sub(1).min(16));
    let pause = asked.map_or(doubled, |asked| asked.max(PAUSE_MIN)).min(PAUSE_MAX);
    pause + pause.mul_f64(f64::from(part) / 1_024.0)
}
