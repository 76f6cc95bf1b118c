//! What was said of windows that the end of the input cut short.
//!
//! At the end of its input a run answers every window, also those that more records may go into when a file has grown. So that a later run says nothing else
//! under the same name, each such answer is remembered by its hash and its revision: the same again is not repeated, and another one has a higher revision.

use std::collections::BTreeMap;
use streamgauge::{Error, ErrorKind, Timestamp, Window};

/// Start and end in milliseconds; `None` for the global window.
type Place = Option<(i64, i64)>;

/// The last revision given of a window, and the hash of what it said.
type Said = (u32, u64);

/// What was said of windows, by earlier runs and by this one.
#[derive(Debug, Default)]
pub(crate) struct Answered {
    before: BTreeMap<Place, Said>,
    now: BTreeMap<Place, Said>,
}

impl Answered {
    /// What an earlier run has [kept](Answered::to_json).
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] for anything else.
    pub(crate) fn from_json(bytes: &[u8]) -> Result<Self, Error> {
        let entries: Vec<(Place, Said)> = serde_json::from_slice(bytes)
            .map_err(|error| Error::new(ErrorKind::Corrupt, "what earlier runs answered cannot be read").with_source(error))?;
        Ok(Answered { before: entries.into_iter().collect(), now: BTreeMap::new() })
    }

    /// What the next run needs of this: windows that are complete at the watermark are over, unless they are revised.
    pub(crate) fn to_json(&self, complete_to: Option<Timestamp>) -> Vec<u8> {
        let open = |place: &Place| match (place, complete_to) {
            (Some((_, end)), Some(watermark)) => *end > watermark.as_millis(),
            _ => true,
        };
        let mut all = self.before.clone();
        all.extend(self.now.iter().map(|(place, said)| (*place, *said)));
        let entries: Vec<_> = all.into_iter().filter(|(place, _)| open(place)).collect();
        // Numbers in lists: serde_json writes them all.
        serde_json::to_vec(&entries).unwrap_or_default()
    }

    /// Whether an earlier run has answered the window.
    pub(crate) fn knows(&self, window: Option<Window>) -> bool {
        self.before.contains_key(&place(window))
    }

    /// The revision under which an answer is to be given, which the engine calls `revision`; `None` if an earlier run gave the same. With `ending` it is remembered.
    pub(crate) fn judge(&mut self, window: Option<Window>, revision: u32, content: u64, ending: bool) -> Option<u32> {
        let place = place(window);
        let before = self.before.get(&place).copied();
        let given = match before {
            Some((_, said)) if said == content => None,
            Some((last, _)) => Some(last.saturating_add(1).saturating_add(revision)),
            None => Some(revision),
        };
        if ending && let Some(last) = given.or(before.map(|(last, _)| last)) {
            self.now.insert(place, (last, content));
        }
        given
    }
}

fn place(window: Option<Window>) -> Place {
    window.map(|window| (window.start().as_millis(), window.end().as_millis()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(start: i64) -> Option<Window> {
        Some(Window::new(Timestamp::from_millis(start), Timestamp::from_millis(start + 10)))
    }

    fn next(answered: &Answered) -> Answered {
        Answered::from_json(&answered.to_json(None)).unwrap()
    }

    #[test]
    fn the_same_is_not_said_twice_and_another_thing_has_a_higher_revision() {
        let mut first = Answered::default();
        assert_eq!(first.judge(window(0), 0, 7, true), Some(0));
        let mut second = next(&first);
        assert!(second.knows(window(0)) && !second.knows(window(10)) && !second.knows(None));
        assert_eq!(second.judge(window(0), 0, 7, true), None);
        assert_eq!(second.judge(None, 0, 1, true), Some(0));
        let mut third = next(&second);
        assert_eq!(third.judge(window(0), 0, 8, true), Some(1));
        assert_eq!(third.judge(None, 0, 1, true), None);
        let mut fourth = next(&third);
        assert_eq!(fourth.judge(window(0), 0, 9, false), Some(2), "complete now");
        assert_eq!(fourth.judge(window(0), 1, 10, false), Some(3), "a late record");
    }

    #[test]
    fn windows_that_are_over_are_forgotten() {
        let mut answered = Answered::default();
        for start in 0..3 {
            assert_eq!(answered.judge(window(start * 10), 0, 1, true), Some(0));
        }
        let kept = Answered::from_json(&answered.to_json(Some(Timestamp::from_millis(20)))).unwrap();
        assert_eq!([0, 10, 20].map(|start| kept.knows(window(start))), [false, false, true]);
        assert_eq!(Answered::from_json(b"{").unwrap_err().kind(), ErrorKind::Corrupt);
    }
}
