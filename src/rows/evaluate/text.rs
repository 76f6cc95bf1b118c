//! Evaluation of texts. A part of a text of the record is borrowed. Only new text is copied.

use super::calendar;
use super::number::whole;
use super::strings::{ip_prefix, json_at, left, parameter, split_part, substr, trim};
use super::tree::{RegexReplacement, Text};
use super::why::{TEXT_BYTES_MAX, Why, WhyKind};
use crate::row::interval_text::interval_text;
use crate::row::text::{text_of, written};
use crate::row::{Number, Row, Value};
use regex::Regex;
use std::borrow::Cow;

/// A text, or null.
type Borrowed<'r> = Result<Option<Cow<'r, str>>, Why>;

impl Text {
    /// Returns the text; `None` for null.
    pub(super) fn eval<'r>(&'r self, row: &'r Row) -> Borrowed<'r> {
        match self {
            Text::Null => Ok(None),
            Text::Const(text) => Ok(Some(Cow::Borrowed(text))),
            Text::Field(slot) => Ok(text_of(row.value(*slot))),
            Text::Any(any) => Ok(text_of(any.value(row)?)),
            Text::OfNum(of) => Ok(of.eval(row)?.map(|number| number_text(number).into())),
            Text::OfDuration(of) => Ok(of.eval(row)?.map(|millis| duration_text(millis).into())),
            Text::OfTruth(of) => {
                Ok(of.eval(row)?.map(|truth| if truth { "true" } else { "false" }.into()))
            }
            Text::OfInstant(of) => Ok(of.eval(row)?.map(|millis| calendar::text(millis).into())),
            Text::Case(case) => case.chosen(row)?.eval(row),
            Text::Coalesce(parts) => {
                for part in parts {
                    if let Some(text) = part.eval(row)? {
                        return Ok(Some(text));
                    }
                }
                Ok(None)
            }
            Text::Extreme(extreme, parts) => {
                extreme.of(parts.iter().map(|part| part.eval(row)), |a, b| a.cmp(b))
            }
            Text::Joined(parts, place) => joined(parts, row, (true, *place)),
            Text::Concat(parts, place) => joined(parts, row, (false, *place)),
            Text::Made(function, of, place) => match of.eval(row)? {
                None => Ok(None),
                Some(text) => match function(&text) {
                    Cow::Borrowed(made) if made.len() == text.len() => Ok(Some(text)),
                    made => bounded(made.into_owned(), *place),
                },
            },
            other => other.part(row),
        }
    }

    /// Returns a part of a text, or a text that a pattern makes.
    fn part<'r>(&'r self, row: &'r Row) -> Borrowed<'r> {
        match self {
            Text::PartOf(function, of) => Ok(part_of(of.eval(row)?, function)),
            Text::Substr(of) => {
                let (text, start, length) = (of.0.eval(row)?, of.1.eval(row)?, &of.2);
                let length = match length {
                    None => None,
                    Some(length) => match length.eval(row)? {
                        None => return Ok(None),
                        length => length,
                    },
                };
                let Some(start) = start else { return Ok(None) };
                let bounds = (index(start), length.map(index));
                Ok(part_of(text, |text| Some(substr(text, bounds))))
            }
            Text::Left(of) => {
                let (text, count) = (of.0.eval(row)?, of.1.eval(row)?);
                let Some(count) = count else { return Ok(None) };
                Ok(part_of(text, |text| Some(left(text, index(count)))))
            }
            Text::Split(of) => {
                let (text, separator, part) = (of.0.eval(row)?, of.1.eval(row)?, of.2.eval(row)?);
                let (Some(separator), Some(part)) = (separator, part) else { return Ok(None) };
                Ok(part_of(text, |text| Some(split_part(text, &separator, index(part)))))
            }
            Text::Trim(of, sides) => {
                let (text, characters) = (of.0.eval(row)?, of.1.eval(row)?);
                let Some(characters) = characters else { return Ok(None) };
                Ok(part_of(text, |text| Some(trim(text, &characters, *sides))))
            }
            Text::Extract(of, pattern, group) => Ok(part_of(of.eval(row)?, |text| {
                row.captured((pattern.index, &pattern.regex), text, *group)
            })),
            Text::UrlQuery(of) => {
                let (text, name) = (of.0.eval(row)?, of.1.eval(row)?);
                let Some(name) = name else { return Ok(None) };
                Ok(part_of(text, |text| parameter(text, &name)))
            }
            other => other.made(row),
        }
    }

    /// Returns a text that is newly made.
    fn made<'r>(&'r self, row: &'r Row) -> Borrowed<'r> {
        match self {
            Text::Replace(of, place) => {
                let texts = (of.0.eval(row)?, of.1.eval(row)?, of.2.eval(row)?);
                let (Some(text), Some(from), Some(with)) = texts else { return Ok(None) };
                if from.is_empty() || !text.contains(&*from) {
                    return Ok(Some(text));
                }
                let found = text.matches(&*from).count();
                if text.len() + found * with.len() > TEXT_BYTES_MAX + found * from.len() {
                    return Err(WhyKind::TooLong.at(*place));
                }
                Ok(Some(text.replace(&*from, &with).into()))
            }
            Text::RegexReplace(of, pattern, replacement) => match of.eval(row)? {
                Some(text) => regex_replaced(text, &pattern.regex, replacement),
                None => Ok(None),
            },
            Text::IpPrefix(of) => {
                let (text, bits) = (of.0.eval(row)?, of.1.eval(row)?);
                let (Some(text), Some(bits)) = (text, bits) else { return Ok(None) };
                Ok(ip_prefix(&text, index(bits)).map(Cow::Owned))
            }
            Text::Json(of, pointer, place) => match of.eval(row)? {
                Some(text) => match json_at(&text, pointer) {
                    Some(found) => bounded(found, *place),
                    None => Ok(None),
                },
                None => Ok(None),
            },
            Text::Strftime(of, format, zone) => Ok(of
                .eval(row)?
                .and_then(|millis| calendar::format(millis, format, zone))
                .map(Cow::Owned)),
            _ => Ok(None),
        }
    }
}

/// Returns a part of a text that is borrowed if the text is.
fn part_of<'r>(
    text: Option<Cow<'r, str>>,
    part: impl for<'t> Fn(&'t str) -> Option<&'t str>,
) -> Option<Cow<'r, str>> {
    match text? {
        Cow::Borrowed(text) => part(text).map(Cow::Borrowed),
        Cow::Owned(text) => part(&text).map(|part| Cow::Owned(part.to_owned())),
    }
}

fn bounded<'r>(text: String, place: u16) -> Borrowed<'r> {
    match text.len() > TEXT_BYTES_MAX {
        true => Err(WhyKind::TooLong.at(place)),
        false => Ok(Some(Cow::Owned(text))),
    }
}

/// Joins texts. One that is null makes all of it null, or is left out. All are evaluated.
fn joined<'r>(parts: &'r [Text], row: &'r Row, (strict, place): (bool, u16)) -> Borrowed<'r> {
    let (mut all, mut is_null) = (String::new(), false);
    for part in parts {
        match part.eval(row)? {
            Some(text) => all.push_str(&text),
            None => is_null |= strict,
        }
        if all.len() > TEXT_BYTES_MAX {
            return Err(WhyKind::TooLong.at(place));
        }
    }
    Ok((!is_null).then(|| all.into()))
}

fn regex_replaced<'r>(
    text: Cow<'r, str>,
    regex: &Regex,
    replacement: &RegexReplacement,
) -> Borrowed<'r> {
    let (mut out, mut end) = (String::new(), 0);
    for captures in regex.captures_iter(&text).take(if replacement.all { usize::MAX } else { 1 }) {
        let Some(all) = captures.get(0) else { continue };
        out.push_str(text.get(end..all.start()).unwrap_or_default());
        captures.expand(&replacement.with, &mut out);
        end = all.end();
        if out.len() > TEXT_BYTES_MAX {
            return Err(WhyKind::TooLong.at(replacement.place));
        }
    }
    if end == 0 && out.is_empty() {
        return Ok(Some(text));
    }
    out.push_str(text.get(end..).unwrap_or_default());
    bounded(out, replacement.place)
}

/// Returns a number as an integer that says where something is: beyond the range of 64 bits it is
/// the nearest in it.
fn index(number: Number) -> i64 {
    match number {
        Number::Int(integer) => integer.clamp(i64::MIN.into(), i64::MAX.into()) as i64,
        Number::Float(float) => float.round() as i64,
    }
}

/// Returns the text of a duration, whose milliseconds are rounded.
fn duration_text(millis: Number) -> String {
    match millis {
        Number::Int(millis) => interval_text(millis),
        Number::Float(millis) => interval_text(millis.round() as i128),
    }
}

/// Returns the text of a number, as answers have it.
pub(super) fn number_text(number: Number) -> String {
    match whole(number) {
        Number::Int(integer) => integer.to_string(),
        Number::Float(float) => written(Value::Float(float)),
    }
}
