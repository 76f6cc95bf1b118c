//! `streamgauge top`: the most frequent values of a field, per window and group.

use crate::arguments::TopArguments;
use crate::failure::Failure;
use crate::last_written::dated;
use crate::replay;
use crate::settings::Settings;

/// Runs the pipeline whose first aggregate is `top(k, by)`.
///
/// # Errors
/// Those of [`run`](crate::run::run).
pub(crate) fn run(mut arguments: TopArguments) -> Result<(), Failure> {
    arguments.pipeline.agg.insert(0, aggregate(arguments.k, &arguments.by));
    let settings = Settings::new(arguments.input, arguments.pipeline, &arguments.output)?;
    replay::run_or_replay(&dated(settings)?)
}

/// Returns the aggregate as text. A name that is not a word of an expression gets quotes.
fn aggregate(k: u64, by: &str) -> String {
    let is_name = |c: char| c.is_alphanumeric() || "_@$.".contains(c);
    let is_word = !by.is_empty() && by.chars().all(is_name) && !by.starts_with(char::is_numeric);
    let is_quoted = by.len() > 1 && by.starts_with('"') && by.ends_with('"');
    // An expression, which no name of a field looks like.
    let is_expression = by.ends_with([')', ']']);
    match is_word || is_quoted || is_expression {
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
        assert_eq!(aggregate(3, "/request/url"), "top(3, \"/request/url\")");
        assert_eq!(aggregate(3, "user-agent"), "top(3, \"user-agent\")");
        assert_eq!(aggregate(3, "4xx"), "top(3, \"4xx\")");
        assert_eq!(aggregate(3, "lower(url)"), "top(3, lower(url))");
    }
}
