//! `streamgauge top`: the most frequent values of a field, per window and group.

use crate::arguments::TopArguments;
use crate::failure::Failure;
use crate::last_written::dated;
use crate::session;
use crate::settings::Settings;

/// Runs the pipeline whose first aggregate is `top(k, by)`.
///
/// # Errors
/// Those of [`run`](crate::run::run).
pub(crate) fn run(mut arguments: TopArguments) -> Result<(), Failure> {
    arguments.pipeline.agg.insert(0, aggregate(arguments.k, &arguments.by));
    let settings = Settings::new(arguments.input, arguments.pipeline, &arguments.output)?;
    session::run(&dated(settings)?)
}

/// Returns the aggregate as text. A name that is not a word of an expression gets quotes.
fn aggregate(k: u64, by: &str) -> String {
    let is_word =
        !by.is_empty() && !by.contains(|c: char| c.is_whitespace() || "()[],'\"=!<>".contains(c));
    let is_quoted = by.len() > 1
        && ['\'', '"'].iter().any(|quote| by.starts_with(*quote) && by.ends_with(*quote));
    match is_word || is_quoted {
        true => format!("top({k}, {by})"),
        false => format!("top({k}, \"{}\")", by.replace('"', "\"\"")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_names_get_quotes() {
        assert_eq!(aggregate(10, "url"), "top(10, url)");
        assert_eq!(aggregate(3, "user agent"), "top(3, \"user agent\")");
        assert_eq!(aggregate(3, "\"user agent\""), "top(3, \"user agent\")");
        assert_eq!(aggregate(3, "a, \"b"), "top(3, \"a, \"\"b\")");
        assert_eq!(aggregate(3, "/request/url"), "top(3, /request/url)");
    }
}
