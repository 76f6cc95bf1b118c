//! The limits of pushing, all in one place.

use std::time::Duration;

/// The default time between two requests, as the standard has it.
pub(super) const EVERY: Duration = Duration::from_secs(60);

/// The default time in which a request must have been answered, as the standard has it.
pub(super) const REPLY_TIME_MAX: Duration = Duration::from_secs(10);

/// The pause after the first request of a row that no receiver has taken.
pub(super) const PAUSE_MIN: Duration = Duration::from_secs(1);

/// The longest pause between two such requests, also if a receiver asks for a longer one.
pub(super) const PAUSE_MAX: Duration = Duration::from_secs(300);

/// Histograms of a request.
pub(super) const HISTOGRAMS_MAX: usize = 1_000;

/// Bytes of a reply that are read.
pub(super) const REPLY_BYTES_MAX: usize = 64 << 10;

/// Characters of a receiver's message that are shown.
pub(super) const MESSAGE_CHARS_MAX: usize = 200;
