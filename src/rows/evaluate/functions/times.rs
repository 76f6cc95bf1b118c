//! Functions of times.

use super::super::calendar::{PARTS, Part, UNITS, Zone, format};
use super::super::lowering::Lowering;
use super::super::names::Kind;
use super::super::tree::{Instant, Num, Text, Typed};
use super::function::{Call, Function, Gives};
use crate::error::Error;
use crate::nearest::nearest;
use crate::query::expression::{Id, Op};
use jiff::tz::TimeZone;

const NUMBER: Gives = Gives::Kind(Kind::Number);
const TIME: Gives = Gives::Kind(Kind::Time);

/// All functions of this file.
pub(super) static FUNCTIONS: &[Function] = &[
    Function {
        names: &["date_trunc"],
        arguments: "unit, t [, zone]",
        count: (2, 3),
        gives: TIME,
        help: "The beginning of the second, minute, hour, day, week, month, quarter or year of t.",
        lower: |lowering, call| {
            let unit = named(lowering, call.arg(0), ("unit of time", &UNITS))?;
            let (time, zone) = (lowering.instant(call.arg(1))?, zone(lowering, call.optional(2))?);
            Ok(Typed::Instant(Instant::Trunc(unit, Box::new(time), zone)))
        },
    },
    Function {
        names: &["date_part", "extract", "datepart"],
        arguments: "part, t [, zone]",
        count: (2, 3),
        gives: NUMBER,
        help: "A part of t: year, quarter, month, week, day, doy, dow, isodow, hour, minute, second.",
        lower: |lowering, call| {
            let part = named(lowering, call.arg(0), ("part of a time", &PARTS))?;
            let (time, zone) = (lowering.instant(call.arg(1))?, zone(lowering, call.optional(2))?);
            Ok(Typed::Num(match part {
                Part::Epoch => Num::Epoch(Box::new(time), 1000),
                part => Num::Part(part, Box::new(time), zone),
            }))
        },
    },
    Function {
        names: &["epoch"],
        arguments: "t",
        count: (1, 1),
        gives: NUMBER,
        help: "The seconds from 1970 to t, or of a duration.",
        lower: |lowering, call| epoch(lowering, call, 1000),
    },
    Function {
        names: &["epoch_ms"],
        arguments: "t",
        count: (1, 1),
        gives: Gives::Epoch,
        help: "The milliseconds from 1970 to t, or of a duration; of a computed number the time.",
        lower: |lowering, call| {
            if lowering.kind(call.arg(0))? == Kind::Number {
                let since_1970 = (Instant::Const(0), lowering.num(call.arg(0))?);
                let place = lowering.place(call.id);
                return Ok(Typed::Instant(Instant::Shift(Box::new(since_1970), true, place)));
            }
            epoch(lowering, call, 1)
        },
    },
    Function {
        names: &["to_timestamp"],
        arguments: "seconds",
        count: (1, 1),
        gives: TIME,
        help: "The time of this number of seconds since 1970.",
        lower: |lowering, call| {
            let seconds = Box::new(lowering.num(call.arg(0))?);
            Ok(Typed::Instant(Instant::OfNum(seconds, lowering.place(call.id))))
        },
    },
    Function {
        names: &["strftime"],
        arguments: "t, format [, zone]",
        count: (2, 3),
        gives: Gives::Kind(Kind::Text),
        help: "t as text, as in '%Y-%m-%d %H:%M'.",
        lower: |lowering, call| {
            let time = Box::new(lowering.instant(call.arg(0))?);
            let pattern = lowering.literal_text(call.arg(1), "a format")?;
            if format(0, pattern, &Zone::Utc).is_none() {
                let why = format!("'{pattern}' is not a format such as '%Y-%m-%d %H:%M:%S'");
                return Err(lowering.ast.error(call.arg(1), why));
            }
            let zone = zone(lowering, call.optional(2))?;
            Ok(Typed::Text(Text::Strftime(time, pattern.into(), zone)))
        },
    },
];

fn epoch(lowering: &mut Lowering<'_>, call: Call<'_>, unit: i64) -> Result<Typed, Error> {
    if lowering.kind(call.arg(0))? == Kind::Duration {
        let (millis, step) = (lowering.num(call.arg(0))?, lowering.step(call.id));
        return Ok(Typed::Num(match unit {
            1 => millis,
            unit => Num::ByConst(Op::Div, Box::new(millis), unit, step),
        }));
    }
    Ok(Typed::Num(Num::Epoch(Box::new(lowering.instant(call.arg(0))?), unit)))
}

/// Returns what a name stands for, in the singular or the plural.
fn named<T: Copy>(
    lowering: &Lowering<'_>,
    id: Id,
    (what, known): (&str, &[(&'static str, T)]),
) -> Result<T, Error> {
    let written = lowering.literal_text(id, &format!("a {what}"))?;
    let lower = written.to_ascii_lowercase();
    let singular = lower.strip_suffix('s').unwrap_or(&lower);
    let found = known.iter().find(|(name, _)| *name == lower || *name == singular);
    found.map(|(_, value)| *value).ok_or_else(|| {
        let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
        let hint = nearest(&lower, names.iter().copied());
        let all = names.join(", ");
        lowering.ast.error(id, format!("'{written}' is no {what}{hint}; there are {all}"))
    })
}

fn zone(lowering: &Lowering<'_>, id: Option<Id>) -> Result<Zone, Error> {
    let Some(id) = id else { return Ok(Zone::Utc) };
    let name = lowering.literal_text(id, "a time zone")?;
    if ["utc", "z", "gmt"].contains(&name.to_ascii_lowercase().as_str()) {
        return Ok(Zone::Utc);
    }
    TimeZone::get(name).map(Zone::Named).map_err(|_| {
        let why = format!("'{name}' is not a time zone such as 'Europe/Berlin'");
        lowering.ast.error(id, why)
    })
}
