//! Standard error as a log of events with time and level: `--log`.
//!
//! Every line that the command writes to standard error becomes an event of `tracing`, and the
//! libraries below have events of their own. Without the flag nothing of it is active.

use crate::standard_error;
use clap::{Args, ValueEnum};
use std::fmt::Write as _;
use std::io;
use std::panic;
use std::sync::atomic::{AtomicBool, Ordering};
use tracing::Level;
use tracing_subscriber::fmt::MakeWriter;

/// The flags of the log.
#[derive(Debug, Args)]
#[command(next_help_heading = "Log")]
pub(crate) struct LogArguments {
    /// Write standard error as events with time and level, one a line: as text, or as JSON
    #[arg(long, global = true, value_enum, value_name = "FORM", display_order = 1_000)]
    log: Option<LogForm>,
    /// The least level of events. Debug and trace have events of libraries, such as requests to AWS
    #[arg(
        long,
        global = true,
        value_enum,
        value_name = "LEVEL",
        requires = "log",
        default_value = "info",
        display_order = 1_001
    )]
    log_level: LogLevel,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum LogForm {
    Text,
    Json,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

impl From<LogLevel> for Level {
    fn from(level: LogLevel) -> Self {
        match level {
            LogLevel::Error => Level::ERROR,
            LogLevel::Warn => Level::WARN,
            LogLevel::Info => Level::INFO,
            LogLevel::Debug => Level::DEBUG,
            LogLevel::Trace => Level::TRACE,
        }
    }
}

/// True after the log was started.
static IS_ON: AtomicBool = AtomicBool::new(false);

/// Starts the log, if it is wanted.
pub(crate) fn start(arguments: &LogArguments) {
    let Some(form) = arguments.log else { return };
    let events = tracing_subscriber::fmt()
        .with_max_level(Level::from(arguments.log_level))
        .with_writer(ToStandardError)
        .with_ansi(false);
    let is_on = match form {
        LogForm::Text => events.try_init(),
        LogForm::Json => events.json().flatten_event(true).try_init(),
    };
    IS_ON.store(is_on.is_ok(), Ordering::Relaxed);
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |info| match IS_ON.load(Ordering::Relaxed) {
        true => tracing::error!(target: "streamgauge", "{info}"),
        false => before(info),
    }));
}

/// Adds lines to the log. Returns false if the log was not started.
pub(crate) fn take(text: &str) -> bool {
    if !IS_ON.load(Ordering::Relaxed) {
        return false;
    }
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let (level, message) = event(line);
        match level {
            Level::ERROR => tracing::error!(target: "streamgauge", "{message}"),
            Level::WARN => tracing::warn!(target: "streamgauge", "{message}"),
            _ => tracing::info!(target: "streamgauge", "{message}"),
        }
    }
    true
}

/// Returns the level of a line, and the line without the words that say it.
fn event(line: &str) -> (Level, &str) {
    let plain = line.strip_prefix("streamgauge: ").unwrap_or(line);
    if let Some(message) = plain.strip_prefix("error: ") {
        return (Level::ERROR, message);
    }
    if plain.starts_with("dead letter") || plain.contains(": dead letter") {
        return (Level::WARN, plain);
    }
    match plain.strip_prefix("note: ") {
        Some(message) => (Level::WARN, message),
        None => (Level::INFO, plain),
    }
}

/// Writes events as lines of standard error.
struct ToStandardError;

impl<'a> MakeWriter<'a> for ToStandardError {
    type Writer = EventWriter;

    fn make_writer(&'a self) -> EventWriter {
        EventWriter
    }
}

/// Gets each event whole, in one piece.
struct EventWriter;

impl io::Write for EventWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        let mut shown = String::with_capacity(text.len());
        // Events of libraries can have text of others.
        for c in text.chars() {
            let _ = match c == '\n' || !c.is_control() {
                true => write!(shown, "{c}"),
                false => write!(shown, "{}", c.escape_unicode()),
            };
        }
        standard_error::write(&shown);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s317_the_words_of_a_line_say_its_level() {
        for (line, level, message) in [
            ("error: no such file", Level::ERROR, "no such file"),
            ("streamgauge: error: gone", Level::ERROR, "gone"),
            ("note: 3 records came late", Level::WARN, "3 records came late"),
            ("dead letter: a:1: why", Level::WARN, "dead letter: a:1: why"),
            ("streamgauge: s-1: dead letter: why", Level::WARN, "s-1: dead letter: why"),
            ("streamgauge: clicks: 7 records", Level::INFO, "clicks: 7 records"),
        ] {
            assert_eq!(event(line), (level, message));
        }
    }
}
