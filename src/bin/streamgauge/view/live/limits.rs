//! The limits of the screen, all in one place.

use std::time::Duration;

/// Notices that are kept: the newest ones.
pub(super) const NOTICES_MAX: usize = 100;

/// The least time between two frames.
pub(super) const FRAME_EVERY: Duration = Duration::from_millis(100);

/// A frame waits at least this many times as long as drawing the last one took, so that drawing
/// needs less than 2 % of a core.
pub(super) const FRAME_PAUSE: u32 = 60;

/// The least time between two early answers of the open windows.
pub(super) const EARLY_EVERY: Duration = Duration::from_millis(200);

/// Early answers wait at least this many times as long as the last ones took, so that the run
/// spends less than 1 % of its time on them.
pub(super) const EARLY_PAUSE: u32 = 100;

/// With more open panes there are no early answers.
pub(super) const EARLY_PANES_MAX: u64 = 720;

/// With a larger state there are no early answers.
pub(super) const EARLY_STATE_BYTES_MAX: u64 = 16 << 20;
