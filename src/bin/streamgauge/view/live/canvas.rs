//! Text on the screen, in cells.

use super::palette::{Palette, Role};
use ratatui_core::buffer::Buffer;
use unicode_width::UnicodeWidthStr;

/// The cells of the screen, and its colours.
pub(super) struct Canvas<'a> {
    pub(super) buffer: &'a mut Buffer,
    pub(super) palette: Palette,
}

impl Canvas<'_> {
    pub(super) fn width(&self) -> usize {
        usize::from(self.buffer.area.width)
    }

    pub(super) fn height(&self) -> usize {
        usize::from(self.buffer.area.height)
    }

    /// Writes text, and returns the column after it. What is past the right edge is cut.
    pub(super) fn put(&mut self, x: usize, y: usize, (text, role): (&str, Role)) -> usize {
        let after = x + text.width();
        let (Ok(column), Ok(line)) = (u16::try_from(x), u16::try_from(y)) else { return after };
        if column < self.buffer.area.width && line < self.buffer.area.height {
            let style = self.palette.style(role);
            self.buffer.set_stringn(column, line, text, usize::from(u16::MAX), style);
        }
        after
    }

    /// Writes text that ends before a column, and returns its first column.
    pub(super) fn put_right(&mut self, end: usize, y: usize, text: (&str, Role)) -> usize {
        let x = end.saturating_sub(text.0.width());
        self.put(x, y, text);
        x
    }

    /// Draws a line over the whole width.
    pub(super) fn rule(&mut self, y: usize) {
        let line = "─".repeat(self.width());
        self.put(0, y, (&line, Role::Mute));
    }
}
