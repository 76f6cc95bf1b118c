//! The limits of the server, all in one place.

use std::time::Duration;

/// Connections at the same time. Further ones are closed at once.
pub(super) const CONNECTIONS_MAX: usize = 64;

/// Of these, connections of pages that wait for new answers.
pub(super) const WAITING_MAX: usize = 32;

/// Headers of a request.
pub(super) const HEADERS_MAX: usize = 64;

/// Bytes of the head of a request, in which the buffer of a connection is also counted.
pub(super) const HEAD_BYTES_MAX: usize = 16 << 10;

/// The time in which the head of a request must have come.
pub(super) const HEAD_TIME_MAX: Duration = Duration::from_secs(10);

/// The time in which a reply must have been taken.
pub(super) const REPLY_TIME_MAX: Duration = Duration::from_secs(60);

/// The time for which a page waits for new answers on one connection.
pub(super) const WAITING_TIME_MAX: Duration = Duration::from_secs(3_600);

/// The time between two looks for a new answer, for each page that waits.
pub(super) const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Looks without a new answer before a page is told that the server is there.
pub(super) const SILENT_LOOKS: u32 = 7;

/// The least time between two pages that are made. In between the last one is sent again.
pub(super) const PAGE_EVERY: Duration = Duration::from_secs(1);
