//! Makes text narrower: cuts it at its end or in its middle, or breaks it into lines.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Cuts text that is wider than `width` columns, with an ellipsis at its end.
pub(crate) fn cut_end(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut cut = head(text, width.saturating_sub(1)).to_owned();
    if width > 0 {
        cut.push('…');
    }
    cut
}

/// Cuts text that is wider than `width` columns, with an ellipsis in its middle, because paths and
/// names differ at their ends.
pub(crate) fn cut_middle(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let kept = width.saturating_sub(1);
    let tail = tail(text, kept / 2);
    let head = head(text, kept - tail.width());
    if width > 0 { format!("{head}…{tail}") } else { String::new() }
}

/// Returns the longest beginning that fits.
fn head(text: &str, width: usize) -> &str {
    let mut used = 0;
    let end = text.char_indices().find(|(_, c)| {
        used += c.width().unwrap_or_default();
        used > width
    });
    end.map_or(text, |(end, _)| &text[..end])
}

/// Returns the longest end that fits.
fn tail(text: &str, width: usize) -> &str {
    let mut used = 0;
    let begin = text.char_indices().rev().find(|(_, c)| {
        used += c.width().unwrap_or_default();
        used > width
    });
    begin.map_or(text, |(begin, c)| &text[begin + c.len_utf8()..])
}

/// Breaks text into at most `lines` lines of `width` columns, between words if possible. Cuts the
/// last line.
pub(super) fn broken(text: &str, width: usize, lines: usize) -> Vec<String> {
    let (mut rest, mut broken) = (text, Vec::new());
    while rest.width() > width && broken.len() + 1 < lines {
        let line = head(rest, width);
        let words = line.rfind(['(', ',', ' ', '_', '/', '.', '-']).map_or(line.len(), |at| at + 1);
        // A word is broken if it would leave most of the line empty, or would need more than the
        // remaining lines.
        let after = rest.len() - words;
        let at = if words * 2 < line.len() || after > width * (lines - broken.len() - 1) {
            line.len()
        } else {
            words
        };
        if at == 0 {
            break;
        }
        broken.push(rest[..at].trim_end().to_owned());
        rest = rest[at..].trim_start();
    }
    broken.push(cut_end(rest, width));
    broken
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn wide_characters_count_twice() {
        assert_eq!(cut_end("日本語", 5), "日本…");
        assert_eq!(cut_end("日本語", 6), "日本語");
        assert_eq!(cut_end("abc", 0), "");
        assert_eq!(cut_middle("日本語日本語", 8), "日本…語");
    }

    #[test]
    fn both_ends_of_a_path_are_kept() {
        assert_eq!(cut_middle("/api/v1/users/settings", 12), "/api/v…tings");
        assert_eq!(cut_middle("abc", 2), "a…");
        assert_eq!(cut_middle("abc", 0), "");
    }

    #[test]
    fn headers_are_broken_between_words() {
        assert_eq!(broken("p99(latency_ms)", 8, 4), ["p99(", "latency_", "ms)"]);
        assert_eq!(broken("count", 8, 4), ["count"]);
        assert_eq!(broken("window_start", 10, 4), ["window_", "start"]);
        assert_eq!(broken("abcdefghijklmnop", 6, 4), ["abcdef", "ghijkl", "mnop"]);
        assert_eq!(broken("abcdefghijklmnop", 6, 2), ["abcdef", "ghijk…"]);
    }

    proptest! {
        #[test]
        fn text_is_cut_to_its_width(
            text in "[ -~é日\u{301}]{0,40}",
            width in 0usize..50,
            lines in 1usize..5,
        ) {
            prop_assert!(cut_end(&text, width).width() <= width);
            prop_assert!(cut_middle(&text, width).width() <= width);
            prop_assert!(broken(&text, width, lines).iter().all(|line| line.width() <= width));
            prop_assert!(broken(&text, width, lines).len() <= lines);
            if text.width() <= width {
                prop_assert_eq!(cut_middle(&text, width), text);
            }
        }
    }
}
