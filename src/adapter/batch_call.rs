//! Calls that take several records, of which the service may refuse some.

use crate::error::{Error, ErrorKind};
use std::time::Duration;

/// How often a record is sent. The pause before the second try doubles each time up to the maximum.
const TRIES: u32 = 10;
const PAUSE_FIRST: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// A service that takes several records of a kind in one call.
pub(crate) trait BatchCall<T> {
    /// Makes one call. Returns for each record, in order, `None` if it was accepted, otherwise the
    /// reason.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the whole call failed, and may be repeated.
    fn call(&mut self, records: &[T]) -> Result<Vec<Option<String>>, Error>;

    /// Waits for this length of time.
    fn pause(&mut self, length: Duration);
}

/// What became of the records of a batch.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Sent<T> {
    /// Records that were accepted, by their place in the batch.
    pub(crate) accepted: Vec<T>,
    /// Records that were refused each time, and the last reason.
    pub(crate) refused: Vec<(T, String)>,
    /// Calls.
    pub(crate) calls: u64,
    /// Records that were sent again.
    pub(crate) repeated: u64,
}

/// Sends a batch. Only the records that are refused, for example because the service is busy, are
/// sent again, up to 10 times with growing pauses.
///
/// # Errors
/// [`ErrorKind::Corrupt`] if the service answers with another number of records than it was sent;
/// errors of calls that cannot be repeated.
pub(crate) fn send<T>(service: &mut impl BatchCall<T>, batch: Vec<T>) -> Result<Sent<T>, Error> {
    let mut sent = Sent { accepted: Vec::new(), refused: Vec::new(), calls: 0, repeated: 0 };
    let (mut left, mut pause) = (batch, PAUSE_FIRST);
    for attempt in 1..=TRIES {
        if left.is_empty() {
            break;
        }
        if attempt > 1 {
            sent.repeated += left.len() as u64;
            service.pause(pause);
            pause = (pause * 2).min(PAUSE_MAX);
        }
        sent.calls += 1;
        let results = results(service, &left)?;
        let mut again = Vec::new();
        for (record, refused) in left.into_iter().zip(results) {
            match refused {
                None => sent.accepted.push(record),
                Some(reason) if attempt == TRIES => sent.refused.push((record, reason)),
                Some(_) => again.push(record),
            }
        }
        left = again;
    }
    Ok(sent)
}

/// Makes one call. If the whole call failed, each record was refused for that reason.
fn results<T>(
    service: &mut impl BatchCall<T>,
    records: &[T],
) -> Result<Vec<Option<String>>, Error> {
    match service.call(records) {
        Ok(results) if results.len() == records.len() => Ok(results),
        Ok(results) => {
            let (sent, told) = (records.len(), results.len());
            let message = format!("{sent} records were put, and the service tells of {told}");
            Err(Error::new(ErrorKind::Corrupt, message))
        }
        Err(error) if error.kind() == ErrorKind::Io => {
            Ok(vec![Some(error.to_string()); records.len()])
        }
        Err(error) => Err(error),
    }
}
