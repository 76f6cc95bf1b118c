//! The serde form of a window: its start and end as text, and its number.

use super::Window;
use crate::time::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::borrow::Cow;
use std::num::NonZeroU64;

#[derive(Serialize, Deserialize)]
pub(super) struct WindowText {
    #[serde(skip_serializing_if = "Option::is_none", default)]
    start: Option<TimeText>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    end: Option<TimeText>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    number: Option<NonZeroU64>,
}

struct TimeText(Timestamp);

impl From<Window> for WindowText {
    fn from(window: Window) -> Self {
        let time = |time| window.is_timed().then_some(TimeText(time));
        WindowText {
            start: time(window.start),
            end: time(window.end),
            number: NonZeroU64::new(window.number),
        }
    }
}

impl TryFrom<WindowText> for Window {
    type Error = String;

    fn try_from(WindowText { start, end, number }: WindowText) -> Result<Self, String> {
        match (start, end, number) {
            (Some(start), Some(end), None) => Ok(Window::new(start.0, end.0)),
            (Some(start), Some(end), Some(number)) => {
                Ok(Window::of_rows(number.get(), Some((start.0, end.0))))
            }
            (None, None, Some(number)) => Ok(Window::of_rows(number.get(), None)),
            _ => Err("a window has a start and an end, or a number".to_owned()),
        }
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
