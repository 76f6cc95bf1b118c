//! Durations as text: `90s`, `1 hour 30 minutes` and `01:30:00`.

use crate::time::parse_duration;

/// The units of an interval in words, in milliseconds.
pub(crate) const UNITS: [(&str, i64); 6] = [
    ("millisecond", 1),
    ("second", 1000),
    ("minute", 60_000),
    ("hour", 3_600_000),
    ("day", 86_400_000),
    ("week", 604_800_000),
];

/// Returns the milliseconds of a text such as `1h30m`, `1 hour 30 minutes`, `01:30:00` or `2 days
/// 01:30:00`; `None` if it is not an interval, or longer than 64 bits. Further digits of a second
/// are cut off.
pub(crate) fn read_interval(text: &str) -> Option<i64> {
    if let Ok(length) = parse_duration(text) {
        return i64::try_from(length.as_millis()).ok();
    }
    let mut words = text.split_whitespace();
    let mut total = None;
    while let Some(word) = words.next() {
        let part = match word.contains(':') {
            true => clock(word)?,
            false => word.parse::<i64>().ok()?.checked_mul(unit(words.next()?)?)?,
        };
        total = Some(total.unwrap_or(0i64).checked_add(part)?);
    }
    total
}

/// Returns the text of milliseconds: hours, which may be many, minutes and seconds, as in
/// `01:30:00.5`.
pub(crate) fn interval_text(millis: i128) -> String {
    let sign = if millis < 0 { "-" } else { "" };
    let all = millis.unsigned_abs();
    let (hours, minutes, seconds) = (all / 3_600_000, all / 60_000 % 60, all / 1000 % 60);
    let text = format!("{sign}{hours:02}:{minutes:02}:{seconds:02}");
    match all % 1000 {
        0 => text,
        millis => format!("{text}.{millis:03}").trim_end_matches('0').to_owned(),
    }
}

/// Returns a unit in lower case, and in the singular.
pub(crate) fn singular(word: &str) -> String {
    let folded = word.to_ascii_lowercase();
    folded.strip_suffix('s').map(str::to_owned).unwrap_or(folded)
}

/// Returns the milliseconds of a unit, which may be in the plural.
pub(crate) fn unit(word: &str) -> Option<i64> {
    let word = singular(word);
    UNITS.iter().find(|(name, _)| *name == word).map(|(_, millis)| *millis)
}

/// Returns the milliseconds of `[-]hours:minutes[:seconds[.fraction]]`.
fn clock(word: &str) -> Option<i64> {
    let (sign, word) = match word.strip_prefix('-') {
        Some(word) => (-1, word),
        None => (1, word),
    };
    let (hours, rest) = word.split_once(':')?;
    let (minutes, seconds) = rest.split_once(':').unwrap_or((rest, "0"));
    let (seconds, fraction) = seconds.split_once('.').unwrap_or((seconds, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if ![hours, minutes, seconds, fraction].into_iter().all(digits) {
        return None;
    }
    let sixtieths = |text: &str| text.parse::<i64>().ok().filter(|part| *part < 60);
    let (hours, minutes) = (hours.parse::<i64>().ok()?, sixtieths(minutes)?);
    let millis = fraction.bytes().chain([b'0'; 3]).take(3);
    let millis = millis.fold(0, |millis, digit| 10 * millis + i64::from(digit - b'0'));
    let below_an_hour = minutes * 60_000 + sixtieths(seconds)? * 1000 + millis;
    hours.checked_mul(3_600_000)?.checked_add(below_an_hour)?.checked_mul(sign)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn intervals_have_several_spellings() {
        for (text, millis) in [
            ("90s", 90_000),
            ("1h30m", 5_400_000),
            ("1 hour 30 minutes", 5_400_000),
            ("2 days 01:30:00", 178_200_000),
            ("1 day -02:00:00", 79_200_000),
            ("1:30", 5_400_000),
            ("00:00:00.5", 500),
            ("00:00:00.1239", 123),
            ("-00:00:01", -1000),
            ("-5 minutes", -300_000),
            ("100:00:00", 360_000_000),
            (" 500ms ", 500),
        ] {
            assert_eq!(read_interval(text), Some(millis), "{text}");
        }
        for text in [
            "",
            " ",
            "90",
            "s",
            "1 month",
            "00:60",
            "00:00:60",
            "1:2:3:4",
            ":",
            "1:",
            "-",
            "1:-2",
            "1.5 hours",
            "5 s",
            "9223372036854775807 weeks",
            "9999999999999:00",
            "1:00:00.",
            "é:1",
        ] {
            assert_eq!(read_interval(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn an_interval_is_read_as_it_is_written(millis: i64) {
            prop_assert_eq!(read_interval(&interval_text(millis.into())), Some(millis));
        }

        #[test]
        fn any_text_is_no_danger(text in "[-0-9:. a-zé]*") {
            let _ = read_interval(&text);
        }
    }
}
