//! The colours of the screen. None has a meaning alone: text or a sign says the same.

use ratatui_core::style::{Color, Modifier, Style};
use std::env;

/// What a part of the screen is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Role {
    Plain,
    /// Names and values of the chosen column.
    Bold,
    /// Labels and bounds.
    Mute,
    /// Lines, bars, and a rank that has risen.
    Accent,
    /// Losses, and a rank that has fallen.
    Warn,
    /// Keys, and the note that the picture is frozen.
    Reverse,
}

/// The colours that the terminal has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Palette {
    /// Bold and reverse only.
    Mono,
    /// The 16 colours of the terminal's own theme.
    Basic,
    /// 256 colours, which every theme shows alike.
    Indexed,
}

impl Palette {
    /// Returns the colours that the environment tells.
    pub(super) fn of_environment() -> Palette {
        let text = |name: &str| env::var(name).unwrap_or_default();
        Palette::of(&text("NO_COLOR"), &text("TERM"), &text("COLORTERM"))
    }

    /// Returns the colours by the variables `NO_COLOR`, `TERM` and `COLORTERM`.
    fn of(no_color: &str, term: &str, color_term: &str) -> Palette {
        match () {
            () if !no_color.is_empty() || ["", "dumb"].contains(&term) => Palette::Mono,
            () if term.ends_with("-m") || term.starts_with("vt") => Palette::Mono,
            () if term.contains("256color") || ["truecolor", "24bit"].contains(&color_term) => {
                Palette::Indexed
            }
            () => Palette::Basic,
        }
    }

    pub(super) fn style(self, role: Role) -> Style {
        let color = |indexed: u8, basic: Option<Color>| match (self, basic) {
            (Palette::Indexed, _) => Style::new().fg(Color::Indexed(indexed)),
            (Palette::Basic, Some(basic)) => Style::new().fg(basic),
            _ => Style::new(),
        };
        match role {
            Role::Plain => Style::new(),
            Role::Bold => Style::new().add_modifier(Modifier::BOLD),
            Role::Mute => color(244, None),
            Role::Accent => color(33, Some(Color::Blue)),
            Role::Warn => color(166, Some(Color::Yellow)),
            Role::Reverse => Style::new().add_modifier(Modifier::REVERSED),
        }
    }
}

/// Returns true if the terminal shows UTF-8, by the first of its variables that is set.
pub(super) fn is_utf8() -> bool {
    let set = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().filter_map(|name| env::var(name).ok());
    let locale = set.into_iter().find(|value| !value.is_empty()).unwrap_or_default();
    let locale = locale.to_ascii_lowercase();
    locale.contains("utf-8") || locale.contains("utf8")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s286_colours_are_those_that_the_terminal_has() {
        let cases = [
            ("", "xterm-256color", "", Palette::Indexed),
            ("", "xterm", "truecolor", Palette::Indexed),
            ("", "xterm", "", Palette::Basic),
            ("", "linux", "", Palette::Basic),
            ("", "dumb", "truecolor", Palette::Mono),
            ("", "", "", Palette::Mono),
            ("", "vt100", "", Palette::Mono),
            ("1", "xterm-256color", "truecolor", Palette::Mono),
        ];
        for (no_color, term, color_term, expected) in cases {
            assert_eq!(Palette::of(no_color, term, color_term), expected, "{term} {color_term}");
        }
        let colored = |role| Palette::Mono.style(role).fg.is_some();
        assert!(![Role::Mute, Role::Accent, Role::Warn].into_iter().any(colored));
    }
}
