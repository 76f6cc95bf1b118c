//! Sketches that are usable alone: they know nothing of windows.
