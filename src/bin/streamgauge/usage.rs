//! Tips for flags that do not exist.

use crate::arguments::Arguments;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, Command, CommandFactory};

/// Flags of other tools that people expect of `run` and `top`, and what to use instead.
const EXPECTED: &[(&[&str], &str)] = &[
    (
        &["--sort-by", "--order", "--order-by"],
        "use --sort COLUMN [desc],..., such as --sort 'count desc'",
    ),
    (&["--head", "-n"], "use --limit N with --sort COLUMN for the first N rows of a window"),
    (&["--filter"], "use --where CONDITION, such as --where 'status >= 500'"),
    (&["--group-by", "--groupby"], "use --group FIELD,..."),
    (
        &["--aggregate", "--aggregates"],
        "use --agg AGGREGATE,..., such as --agg 'count, sum(bytes)'",
    ),
    (&["--slide", "--step", "--hop"], "use --every DURATION, with --window for the size"),
    (&["--size", "--interval", "--bucket"], "use --window DURATION"),
    (&["--delay", "--watermark"], "use --max-delay DURATION"),
    (
        &["--json", "--csv", "--table"],
        "use --output json, csv or table; the format of the input is --format",
    ),
    (
        &["--file", "--input", "-f", "-i"],
        "files are given without a flag: streamgauge run FILE..., and - is standard input",
    ),
    (&["-o"], "use --out FILE for the place of the answers; --output is their format"),
    (
        &["--tz", "--time-zone"],
        "use --timezone ZONE for the windows; times without an offset are UTC, and those with one are read by it",
    ),
    (&["--tail"], "use --follow, or a pipe: tail -F FILE | streamgauge run"),
    (
        &["--verbose", "-v"],
        "use --explain, which shows what a run does and how exact its answers are",
    ),
];

/// Returns the error with a helpful tip. The parser's own tips compare letters only, which led from
/// `--sort` to `--source`.
pub(crate) fn with_tip(
    mut error: clap::Error,
    arguments: impl Iterator<Item = String>,
) -> clap::Error {
    let given = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(given))
            if error.kind() == ErrorKind::UnknownArgument && given.starts_with('-') =>
        {
            given.clone()
        }
        _ => return error,
    };
    error.remove(ContextKind::SuggestedArg);
    error.remove(ContextKind::Suggested);
    let subcommand =
        arguments.skip(1).find(|argument| !argument.starts_with('-')).unwrap_or_default();
    let mut command = Arguments::command();
    command.build();
    let command = if command.find_subcommand(&subcommand).is_some() {
        command.find_subcommand_mut(&subcommand)
    } else {
        Some(&mut command)
    };
    let Some(command) = command else { return error };
    error.insert(ContextKind::Usage, ContextValue::StyledStr(command.render_usage()));
    if ["run", "top"].contains(&subcommand.as_str())
        && let Some((_, tip)) = EXPECTED.iter().find(|(flags, _)| flags.contains(&given.as_str()))
    {
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![wrapped(tip).into()]));
    } else if let Some(flag) = nearest_flag(&given, command) {
        error.insert(ContextKind::SuggestedArg, ContextValue::String(flag));
    }
    error
}

/// Returns the flag that the given one is a misspelling of.
fn nearest_flag(given: &str, command: &Command) -> Option<String> {
    let name = given.strip_prefix("--")?.to_lowercase();
    let flags = command.get_arguments().filter_map(Arg::get_long);
    let scored = flags.map(|flag| (strsim::damerau_levenshtein(&name, flag), flag));
    // A quarter of the letters may be wrong. More of them make another word.
    let (distance, flag) = scored.min()?;
    (distance <= name.len().max(flag.len()).div_ceil(4)).then(|| format!("--{flag}"))
}

/// Returns a tip in lines of 80 columns, aligned after `  tip: `.
fn wrapped(tip: &str) -> String {
    let (mut text, mut width) = (String::new(), 7);
    for word in tip.split(' ') {
        if width > 7 && width + 1 + word.len() > 80 {
            text.push_str("\n       ");
            width = 7;
        } else if !text.is_empty() {
            text.push(' ');
            width += 1;
        }
        text.push_str(word);
        width += word.len();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_flag_is_found_and_another_word_is_not() {
        let command = Arguments::command();
        let near = |given: &str| nearest_flag(given, command.find_subcommand("run").unwrap());
        for (given, flag) in [
            ("--windw", "--window"),
            ("--widnow", "--window"),
            ("--max_delay", "--max-delay"),
            ("--Group", "--group"),
        ] {
            assert_eq!(near(given).as_deref(), Some(flag));
        }
        for given in ["--colour", "--frobnicate", "--as"] {
            assert_eq!(near(given), None, "{given}");
        }
    }

    #[test]
    fn tips_are_only_for_flags_that_do_not_exist() {
        let command = Arguments::command();
        let run = command.find_subcommand("run").unwrap();
        for (flag, _) in
            EXPECTED.iter().flat_map(|(flags, tip)| flags.iter().map(move |flag| (flag, tip)))
        {
            let exists = run.get_arguments().any(|argument| {
                argument.get_long().is_some_and(|long| *flag == format!("--{long}"))
                    || argument.get_short().is_some_and(|short| *flag == format!("-{short}"))
            });
            assert!(!exists, "{flag}");
        }
    }
}
