//! The states of a declared pipeline as bytes, and made smaller.

use super::cell::{Cell, ExtremeCell, SquaresCell, StateSpec, SumCell, distinct};
use crate::aggregate::{Persistence, Reductions};
use crate::codec::{Reader, Writer};
use crate::durable::Durable;
use crate::error::Error;
use crate::hash::Seed;
use crate::row::Number;

impl Durable for Number {
    fn write(&self, writer: &mut Writer) {
        match self {
            Number::Int(integer) => {
                writer.u8(0);
                writer.i128(*integer);
            }
            Number::Float(float) => {
                writer.u8(1);
                writer.f64(*float);
            }
        }
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let kind = reader.u8()?;
        read_number(kind, reader)
    }
}

fn read_number(kind: u8, reader: &mut Reader<'_>) -> Result<Number, Error> {
    match kind {
        0 => reader.i128().map(Number::Int),
        1 => match reader.f64()? {
            float if float.is_finite() => Ok(Number::of_float(float)),
            _ => Err(reader.corrupt("a number is not finite")),
        },
        other => Err(reader.corrupt(&format!("{other} is no kind of number"))),
    }
}

impl StateSpec {
    /// The seed of the state's sketch, if it has one.
    pub(super) fn seed(&self) -> Option<Seed> {
        match self {
            StateSpec::Distinct(_, seed) | StateSpec::Top { seed, .. } => Some(*seed),
            _ => None,
        }
    }

    /// The state in words, without its seed.
    pub(super) fn words(&self) -> String {
        match self {
            StateSpec::Distinct(key, _) => format!("distinct({key})"),
            StateSpec::Top { key, counters, .. } => format!("top({key}, {counters})"),
            other => format!("{other:?}"),
        }
    }

    pub(super) fn encode(&self, cell: &Cell, writer: &mut Writer) -> Result<(), Error> {
        match cell {
            Cell::Count(count) => writer.u64(*count),
            Cell::Sum(sum) => {
                writer.u64(sum.count);
                sum.integers.write(writer);
                sum.floats.as_deref().cloned().write(writer);
            }
            Cell::Extreme(ExtremeCell::Ordered(key)) => {
                writer.bool(true);
                writer.u8(KIND_ORDERED);
                writer.bytes(key);
            }
            Cell::Extreme(extreme) => extreme.number().write(writer),
            Cell::Squares(squares) => {
                squares.integers.write(writer);
                squares.floats.write(writer);
            }
            Cell::Edge(edge) => {
                writer.bool(edge.is_some());
                if let Some((time, key)) = edge {
                    time.write(writer);
                    writer.bytes(key);
                }
            }
            Cell::Histogram(histogram) => histogram.encode(writer),
            Cell::Distinct(keys) => {
                distinct(self.seed().unwrap_or_default()).encode(keys, writer)?
            }
            Cell::Top(top) => top.encode(writer),
        }
        Ok(())
    }

    pub(super) fn decode(&self, reader: &mut Reader<'_>) -> Result<Cell, Error> {
        Ok(match self.init() {
            Cell::Count(_) => Cell::Count(reader.u64()?),
            Cell::Sum(_) => {
                let (count, integers) = (reader.u64()?, Durable::read(reader)?);
                let floats: Option<_> = Durable::read(reader)?;
                Cell::Sum(SumCell { count, integers, floats: floats.map(Box::new) })
            }
            Cell::Extreme(_) if !reader.bool()? => Cell::Extreme(ExtremeCell::Missing),
            Cell::Extreme(_) => Cell::Extreme(match reader.u8()? {
                KIND_ORDERED => ExtremeCell::Ordered(reader.bytes()?.into()),
                kind => ExtremeCell::of(read_number(kind, reader)?),
            }),
            Cell::Squares(_) => Cell::Squares(Box::new(SquaresCell {
                integers: Durable::read(reader)?,
                floats: Durable::read(reader)?,
            })),
            Cell::Edge(_) => match reader.bool()? {
                true => Cell::Edge(Some((Durable::read(reader)?, reader.bytes()?.into()))),
                false => Cell::Edge(None),
            },
            Cell::Histogram(empty) => Cell::Histogram(Box::new(empty.decode(reader)?)),
            Cell::Distinct(_) => {
                Cell::Distinct(Box::new(distinct(self.seed().unwrap_or_default()).decode(reader)?))
            }
            Cell::Top(empty) => Cell::Top(Box::new(empty.decode(reader)?)),
        })
    }

    /// As [`Persistence::reduce`].
    pub(super) fn reduce(&self, cell: &mut Cell, tolerance: f64, reductions: &mut Reductions) {
        let reduced = match cell {
            Cell::Histogram(histogram) => histogram.coarsen_within(tolerance),
            Cell::Top(top) => {
                // How many rows are asked for is not known here: as many as a page holds stay in
                // any case.
                let reduced = top.cut_to(((1.0 / tolerance) as usize).max(TOP_ROWS_MIN));
                if reduced {
                    **top = (**top).clone();
                }
                reduced
            }
            Cell::Distinct(keys) => {
                distinct(self.seed().unwrap_or_default()).reduce(keys, tolerance, reductions);
                false
            }
            _ => false,
        };
        if reduced {
            reductions.note(&self.words());
        }
    }
}

/// Beside the kinds of numbers: an extreme that is no number.
const KIND_ORDERED: u8 = 2;

/// Rows of a top-k that are never given up.
const TOP_ROWS_MIN: usize = 100;
