//! The one error type of the crate.
//!
//! An [`Error`] is one word wide, so a `Result<(), Error>` costs a register. It carries an
//! [`ErrorKind`] to match on and a sentence that says what was wrong, with which value, where, and
//! what would have been right.
//!
//! Late, duplicate and filtered records are not errors: they are [outcomes](crate::engine::Outcome)
//! and are counted. An `Err` means that the caller has to change something; the call that returned
//! it changed nothing.

use std::fmt;

/// The kind of an error, for code to match on.
///
/// More kinds may be added in any version.
///
/// # Example
/// ```
/// use streamgauge::prelude::*;
/// let refused = Tumbling::new(millis(0)).unwrap_err();
/// match refused.kind() {
///     ErrorKind::InvalidArgument => {} // the caller's code must change
///     ErrorKind::Io | ErrorKind::Conflict => panic!("a store"),
///     _ => panic!("more kinds may come"),
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A value given by the caller is outside the documented range.
    InvalidArgument,
    /// Text could not be parsed as a duration, a time, an expression or a specification.
    Parse,
    /// A time, or a window that contains it, is outside the range of
    /// [`Timestamp`](crate::Timestamp).
    TimeOutOfRange,
    /// Two aggregates or sketches with different shapes, seeds or specifications cannot be merged.
    Mismatch,
    /// A limit of [`Limits`](crate::Limits) was reached, and the caller chose an error instead of
    /// an overflow bucket.
    LimitExceeded,
    /// A record cannot be aggregated. Example: its value is NaN.
    InvalidRecord,
    /// The type does not implement the operation. Example: a snapshot of an aggregate that has no
    /// snapshot encoding.
    Unsupported,
    /// The state store holds a newer version than the one that the caller wants to replace: another
    /// owner has saved in the meantime.
    Conflict,
    /// The bytes of a snapshot, a sketch or a record are damaged, truncated or of a newer version.
    Corrupt,
    /// The operating system refused to read or write.
    Io,
}

/// An error with a kind, a sentence, and optionally a source and a place in the input.
///
/// # Example
/// ```
/// use streamgauge::prelude::*;
/// let error = Timestamp::from_seconds(i64::MAX)
///     .ok_or_else(|| Error::new(ErrorKind::TimeOutOfRange, "the time 9e18 is out of range"))
///     .unwrap_err()
///     .at("access.log:17");
/// assert_eq!(error.to_string(), "access.log:17: the time 9e18 is out of range");
/// ```
pub struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    kind: ErrorKind,
    message: String,
    source: Option<Box<dyn std::error::Error + Send + Sync + 'static>>,
}

impl Error {
    /// Creates an error of the given kind. `message` is a sentence without a full stop that
    /// contains the offending value.
    ///
    /// # Example
    /// ```
    /// use streamgauge::{Error, ErrorKind};
    /// let error = Error::new(ErrorKind::InvalidRecord, "a latency of -3 ms; at least 0");
    /// assert_eq!(error.kind(), ErrorKind::InvalidRecord);
    /// ```
    #[cold]
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Error(Box::new(Inner { kind, message: message.into(), source: None }))
    }

    /// Adds the error that caused this one.
    ///
    /// # Example
    /// ```
    /// use std::error::Error as _;
    /// use streamgauge::{Error, ErrorKind};
    /// let cause = "x7".parse::<u64>().unwrap_err();
    /// let error = Error::new(ErrorKind::Parse, "\"x7\" is not a size").with_source(cause);
    /// assert_eq!(error.message(), "\"x7\" is not a size");
    /// assert!(error.source().is_some_and(|cause| cause.to_string().contains("invalid digit")));
    /// ```
    #[cold]
    pub fn with_source(mut self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        self.0.source = Some(Box::new(source));
        self
    }

    /// Puts a place in front of the sentence, as in `access.log:17: ...`.
    ///
    /// # Example
    /// ```
    /// use streamgauge::{Error, ErrorKind};
    /// let error = Error::new(ErrorKind::Parse, "not JSON").at(17).at("access.log");
    /// assert_eq!(error.to_string(), "access.log: 17: not JSON"); // from the outside in
    /// ```
    #[cold]
    pub fn at(mut self, place: impl fmt::Display) -> Self {
        self.0.message = format!("{place}: {}", self.0.message);
        self
    }

    /// Returns true if a single record is wrong, so that the caller can go on with the next record.
    ///
    /// # Example
    /// ```
    /// use streamgauge::{Error, ErrorKind};
    /// let error = |kind| Error::new(kind, "for the example");
    /// assert!(error(ErrorKind::InvalidRecord).is_about_record()); // skip it and go on
    /// assert!(!error(ErrorKind::Conflict).is_about_record()); // stop
    /// ```
    pub fn is_about_record(&self) -> bool {
        matches!(self.kind(), ErrorKind::InvalidRecord | ErrorKind::TimeOutOfRange)
    }

    /// Returns the kind of the error.
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// let refused = "12:30".parse::<streamgauge::record::SequenceNumber>().unwrap_err();
    /// assert_eq!(refused.kind(), ErrorKind::Parse); // for code; the sentence is for people
    /// ```
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Returns the sentence, without the source.
    ///
    /// # Example
    /// ```
    /// use streamgauge::prelude::*;
    /// let refused = Tumbling::new(millis(0)).unwrap_err();
    /// assert_eq!(refused.message(), "a window size of 0 holds no records; at least 1 ms");
    /// ```
    pub fn message(&self) -> &str {
        &self.0.message
    }

    #[cold]
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Error::new(ErrorKind::InvalidArgument, message)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        match &self.0.source {
            Some(source) => write!(f, ": {source}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("message", &self.0.message)
            .field("source", &self.0.source)
            .finish()
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_one_word_wide() {
        assert_eq!(size_of::<Error>(), size_of::<usize>());
        assert_eq!(size_of::<Result<(), Error>>(), size_of::<usize>());
    }

    #[test]
    fn place_and_source_stand_around_the_sentence() {
        let source = std::io::Error::other("disk on fire");
        let error = Error::new(ErrorKind::Io, "cannot read").with_source(source).at("a.log:3");
        assert_eq!(error.to_string(), "a.log:3: cannot read: disk on fire");
        assert_eq!(error.kind(), ErrorKind::Io);
    }
}
