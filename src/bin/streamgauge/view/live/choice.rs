//! What the user has chosen to see.

use crate::view::kept::Order;
use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

/// What lies over the picture.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Panel {
    #[default]
    None,
    Help,
    Notices,
}

/// What the user has chosen to see. Numbers can be past the end: the picture uses the nearest one.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Choice {
    /// The window at which the picture is frozen.
    pub(super) window: Option<Order>,
    pub(super) column: usize,
    /// Rows of the list above its first visible one.
    pub(super) scrolled: usize,
    /// True if all axes begin at zero.
    pub(super) is_from_zero: bool,
    /// The identity of the group; `None` for the largest one.
    pub(super) group: Option<String>,
    pub(super) list: usize,
    pub(super) panel: Panel,
}

/// What a key asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Action {
    Quit,
    Interrupt,
    Suspend,
    Freeze,
    /// Windows towards the newest one.
    Window(isize),
    Oldest,
    Newest,
    Rows(isize),
    Page(isize),
    Column(isize),
    Zero,
    Group,
    List,
    Notices,
    Help,
    Back,
    Report,
}

impl Action {
    /// Returns what a key asks for; nothing for other keys.
    pub(super) fn of(key: &KeyEvent) -> Option<Action> {
        if key.kind == KeyEventKind::Release {
            return None;
        }
        if key.modifiers.contains(KeyModifiers::CONTROL) {
            return match key.code {
                KeyCode::Char('c') => Some(Action::Interrupt),
                KeyCode::Char('z') => Some(Action::Suspend),
                _ => None,
            };
        }
        Some(match key.code {
            KeyCode::Char('q') => Action::Quit,
            KeyCode::Char(' ') => Action::Freeze,
            KeyCode::Left => Action::Window(-1),
            KeyCode::Right => Action::Window(1),
            KeyCode::Home => Action::Oldest,
            KeyCode::End => Action::Newest,
            KeyCode::Up => Action::Rows(-1),
            KeyCode::Down => Action::Rows(1),
            KeyCode::PageUp => Action::Page(-1),
            KeyCode::PageDown => Action::Page(1),
            KeyCode::Tab => Action::Column(1),
            KeyCode::BackTab => Action::Column(-1),
            KeyCode::Char('z') => Action::Zero,
            KeyCode::Char('g') => Action::Group,
            KeyCode::Char('t') => Action::List,
            KeyCode::Char('l') => Action::Notices,
            KeyCode::Char('?') => Action::Help,
            KeyCode::Char('w') => Action::Report,
            KeyCode::Esc => Action::Back,
            _ => return None,
        })
    }
}

/// The keys with their meanings, the most useful first.
pub(super) const KEYS: [(&str, &str); 11] = [
    ("q", "quit"),
    ("space", "freeze"),
    ("←→", "window"),
    ("↑↓", "rows"),
    ("tab", "column"),
    ("?", "help"),
    ("z", "zero"),
    ("g", "group"),
    ("t", "next top-k"),
    ("l", "late and dead letters"),
    ("w", "write report.html"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_their_actions() {
        let key = |code, modifiers| Action::of(&KeyEvent::new(code, modifiers));
        assert_eq!(key(KeyCode::Char('q'), KeyModifiers::NONE), Some(Action::Quit));
        assert_eq!(key(KeyCode::Char('c'), KeyModifiers::CONTROL), Some(Action::Interrupt));
        assert_eq!(key(KeyCode::Char('c'), KeyModifiers::NONE), None);
        assert_eq!(key(KeyCode::BackTab, KeyModifiers::SHIFT), Some(Action::Column(-1)));
        let mut released = KeyEvent::new(KeyCode::Char('q'), KeyModifiers::NONE);
        released.kind = KeyEventKind::Release;
        assert_eq!(Action::of(&released), None);
    }
}
