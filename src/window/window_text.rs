//! The serde form of a window: its start and end as text.

use super::Window;
use crate::time::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::borrow::Cow;

#[derive(Serialize, Deserialize)]
pub(super) struct WindowText {
    start: TimeText,
    end: TimeText,
}

struct TimeText(Timestamp);

impl From<Window> for WindowText {
    fn from(window: Window) -> Self {
        WindowText { start: TimeText(window.start), end: TimeText(window.end) }
    }
}

impl From<WindowText> for Window {
    fn from(WindowText { start, end }: WindowText) -> Self {
        Window::new(start.0, end.0)
    }
}

impl Serialize for TimeText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for TimeText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        text.parse().map(TimeText).map_err(de::Error::custom)
    }
}
