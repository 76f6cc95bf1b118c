//! Regular expressions, with a bound on what they take.

use regex::{Regex, RegexBuilder};

/// Maximum bytes of a compiled regular expression, and of the tables that it fills as it runs.
const REGEX_BYTES_MAX: usize = 1 << 20;

/// Maximum number of regular expressions of a pipeline.
pub(super) const REGEXES_MAX: usize = 100;

/// Compiles a regular expression.
pub(super) fn regular(pattern: &str) -> Result<Regex, regex::Error> {
    build(&mut RegexBuilder::new(pattern))
}

/// Compiles a pattern of `like` that was written as a regular expression.
pub(super) fn of_like(pattern: &str, ignoring_case: bool) -> Result<Regex, regex::Error> {
    let mut builder = RegexBuilder::new(pattern);
    build(builder.dot_matches_new_line(true).case_insensitive(ignoring_case))
}

fn build(builder: &mut RegexBuilder) -> Result<Regex, regex::Error> {
    builder.size_limit(REGEX_BYTES_MAX).dfa_size_limit(REGEX_BYTES_MAX).build()
}
