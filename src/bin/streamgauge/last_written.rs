//! The year of times that are written without one: that before the files were last modified.

use crate::failure::Failure;
use crate::session::is_stream;
use crate::settings::Settings;
use crate::standard_error::say;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};
use streamgauge::Timestamp;
use streamgauge::row::TimeFormat;

/// How much later than its modification time a file's last record may be: a zone's offset, since
/// such times have no zone either.
const AHEAD_MAX: Duration = Duration::from_secs(24 * 3600);
/// How far apart files may have been modified, so that they are not of several years.
const APART_MAX: Duration = Duration::from_secs(300 * 24 * 3600);

/// Returns the settings with the time until which all records were written, if the year of times
/// follows from it, and says so.
///
/// # Errors
/// Inputs that have no modification time, or such different ones that they may be of several years.
pub(crate) fn dated(mut settings: Settings) -> Result<Settings, Failure> {
    let format = settings.spec.time_format.as_deref().and_then(|text| text.parse().ok());
    if !matches!(format, Some(TimeFormat::Syslog(_))) || settings.spec.year.is_some() {
        return Ok(settings);
    }
    let mut times = Vec::new();
    for path in &settings.files {
        if is_stream(path) {
            return Err(Failure::Usage(
                "--time-format syslog: standard input and pipes do not say of which year their \
                 times are: give it by --year"
                    .into(),
            ));
        }
        // A file that cannot be looked at is told when it is opened.
        times.extend(modified(path).map(|time| (time, path.as_path())));
    }
    let (Some((first, earliest)), Some((last, latest))) = (times.iter().min(), times.iter().max())
    else {
        settings.written_until = Some(Timestamp::MAX);
        return Ok(settings);
    };
    if last.checked_sub(APART_MAX).is_some_and(|apart| apart > *first) {
        return Err(Failure::Usage(format!(
            "--time-format syslog: {} was last modified at {first} and {} at {last}, so they may \
             be of several years: read them one by one, or give the --year",
            earliest.display(),
            latest.display()
        )));
    }
    if !settings.quiet {
        say(&format!(
            "note: times without a year are of the year before {last}, when {} was last modified; \
             --year gives another\n",
            latest.display()
        ));
    }
    settings.written_until = last.checked_add(AHEAD_MAX);
    Ok(settings)
}

fn modified(path: &Path) -> Option<Timestamp> {
    let since = path.metadata().ok()?.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some(Timestamp::from_millis(i64::try_from(since.as_millis()).ok()?))
}
