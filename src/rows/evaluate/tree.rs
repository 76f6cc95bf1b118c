//! Typed trees: one for each type of a result, so that no node looks at the kind of a value.
//!
//! [`Lowering`](super::lowering::Lowering) makes them of the syntax tree. They hold no state, so
//! any thread may evaluate them.

use super::calendar::{Part, Unit, Zone};
use super::like::Like;
use super::why::{Shared, WhyKind};
use crate::query::expression::Op;
use crate::query::literal::{Literal, Operator, TextLiteral};
use crate::row::{Number, TimeFormat};
use crate::rows::lookup::Table;
use regex::Regex;
use std::borrow::Cow;
use std::sync::Arc;

/// A tree of any type.
#[derive(Debug)]
pub(super) enum Typed {
    /// A field as it is.
    Any(Any),
    Num(Num),
    Text(Text),
    Truth(Truth),
    Instant(Instant),
    /// A value of reference data.
    Lookup(Box<LookupTree>),
}

/// A column of reference data, in the row that has a key.
#[derive(Debug)]
pub(super) struct LookupTree {
    pub(super) table: Arc<Table>,
    pub(super) column: usize,
    pub(super) key: Text,
}

/// `case`, whose arms have values of one type. The first arm whose condition is true decides.
#[derive(Debug)]
pub(super) struct Case<T> {
    pub(super) arms: Box<[(Truth, T)]>,
    pub(super) otherwise: T,
}

/// A choice among fields, whose values are taken as they are.
#[derive(Debug)]
pub(super) enum Any {
    Missing,
    Field(usize),
    Case(Box<Case<Any>>),
    /// The first that is not missing.
    Coalesce(Box<[Any]>),
    /// The largest that is not missing, or the smallest. Of values without an order the first.
    Extreme(Extreme, Box<[Any]>),
}

/// A field that is read as a number, a time or a duration.
#[derive(Clone, Debug)]
pub(super) struct Reading {
    pub(super) slot: usize,
    /// The place for [`Why`](super::why::Why).
    pub(super) place: u16,
    /// True inside of a condition: a value of another kind is null and counted. Elsewhere the row
    /// is a dead letter.
    pub(super) lenient: bool,
    pub(super) shared: Arc<Shared>,
}

/// A function of one number. `None` is null.
pub(super) type OfNumber = fn(Number) -> Result<Option<Number>, WhyKind>;
/// A function of two numbers.
pub(super) type OfNumbers = fn(Number, Number) -> Result<Option<Number>, WhyKind>;
/// A number of a text.
pub(super) type OfText = fn(&str) -> Result<Option<Number>, WhyKind>;
/// A part of a text.
pub(super) type PartOfText = for<'t> fn(&'t str) -> Option<&'t str>;
/// A text made of a text.
pub(super) type TextOfText = for<'t> fn(&'t str) -> Cow<'t, str>;

/// An expression whose value is a number.
#[derive(Debug)]
pub(super) enum Num {
    Null,
    Const(Number),
    Field(Reading),
    /// A field that is read as a duration.
    Duration(Reading),
    /// A number that was computed before, by its slot.
    Computed(usize),
    /// Arithmetic with an integer on the right.
    ByConst(Op, Box<Num>, i64, Step),
    Arithmetic(Op, Box<(Num, Num)>, Step),
    Case(Box<Case<Num>>),
    Coalesce(Box<[Num]>),
    /// The largest that is not null, or the smallest.
    Extreme(Extreme, Box<[Num]>),
    OfNumber(OfNumber, Box<Num>, u16),
    OfNumbers(OfNumbers, Box<(Num, Num)>, u16),
    /// `width_bucket(v, low, high, n)`.
    Bucket(Box<[Num; 4]>, u16),
    OfText(OfText, Box<Text>, u16),
    /// `position(part, text)`.
    Position(Box<(Text, Text)>),
    OfTruth(Box<Truth>),
    /// Milliseconds since the epoch, divided by this.
    Epoch(Box<Instant>, i64),
    Part(Part, Box<Instant>, Zone),
    /// The milliseconds from the second time to the first.
    Difference(Box<(Instant, Instant)>, u16),
}

/// What an arithmetic operation needs besides its operands.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) place: u16,
    pub(super) shared: Arc<Shared>,
}

/// Which of several values is taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Extreme {
    Greatest,
    Least,
}

/// An expression whose value is text.
#[derive(Debug)]
pub(super) enum Text {
    Null,
    Const(Box<str>),
    Field(usize),
    /// The text of a field that a choice among fields gives.
    Any(Box<Any>),
    OfNum(Box<Num>),
    OfDuration(Box<Num>),
    OfTruth(Box<Truth>),
    OfInstant(Box<Instant>),
    Case(Box<Case<Text>>),
    Coalesce(Box<[Text]>),
    Extreme(Extreme, Box<[Text]>),
    PartOf(PartOfText, Box<Text>),
    Made(TextOfText, Box<Text>, u16),
    /// `a || b`: null if one is null.
    Joined(Box<[Text]>, u16),
    /// `concat(a, b)`: what is null is left out.
    Concat(Box<[Text]>, u16),
    /// `substr(text, start, length)`.
    Substr(Box<(Text, Num, Option<Num>)>),
    /// `left(text, count)`.
    Left(Box<(Text, Num)>),
    /// `split_part(text, separator, index)`.
    Split(Box<(Text, Text, Num)>),
    /// `trim(text, characters)`, on the left and on the right.
    Trim(Box<(Text, Text)>, (bool, bool)),
    Replace(Box<(Text, Text, Text)>, u16),
    /// `regexp_extract(text, regex, group)`.
    Extract(Box<Text>, Pattern, usize),
    RegexReplace(Box<Text>, Pattern, Box<RegexReplacement>),
    /// `url_query(text, name)`.
    UrlQuery(Box<(Text, Text)>),
    /// `ip_prefix(text, bits)`.
    IpPrefix(Box<(Text, Num)>),
    /// `json_extract(text, path)`, with the path as a JSON pointer.
    Json(Box<Text>, Box<str>, u16),
    /// `strftime(time, format, zone)`.
    Strftime(Box<Instant>, Box<str>, Zone),
}

/// What `regexp_replace` writes instead of a match.
#[derive(Debug)]
pub(super) struct RegexReplacement {
    /// With groups as `${1}`.
    pub(super) with: Box<str>,
    /// True for every match, false for the first.
    pub(super) all: bool,
    pub(super) place: u16,
}

/// A regular expression, with its number in the pipeline.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    pub(super) index: usize,
    pub(super) regex: Regex,
}

/// An expression whose value is true, false or null.
#[derive(Debug)]
pub(super) enum Truth {
    Const(Option<bool>),
    /// A field that is a truth value.
    Field(usize),
    /// A field compared with an integer.
    Integer(Operator, i64, Reading),
    /// A field compared with a literal.
    Literal(Operator, Any, Literal, Arc<Shared>),
    /// A field that is one of many literals. Null is among them if the last is true.
    In(Any, Box<Literals>, Arc<Shared>),
    Numbers(Operator, Box<(Num, Num)>),
    Texts(Operator, Box<(Text, Text)>),
    Instants(Operator, Box<(Instant, Instant)>),
    Truths(Operator, Box<(Truth, Truth)>),
    /// Two fields whose types nobody knows.
    Values(Operator, Box<(Any, Any)>, Arc<Shared>),
    Like(Box<Text>, Like),
    Matches(Box<Text>, Regex),
    /// An array that has an element, or another value whose text contains a text.
    Contains(Any, TextLiteral),
    /// A test of two texts.
    OfTexts(fn(&str, &str) -> bool, Box<(Text, Text)>),
    All(Box<[Truth]>),
    Any(Box<[Truth]>),
    Not(Box<Truth>),
    IsNull(Box<Typed>),
    Case(Box<Case<Truth>>),
    Coalesce(Box<[Truth]>),
    /// A number that is not zero.
    OfNum(Box<Num>),
    /// A text that spells true or false. Any other is null if the last is true.
    OfText(Box<Text>, u16, bool),
}

/// The literals of a list.
#[derive(Debug)]
pub(super) struct Literals {
    pub(super) literals: Box<[Literal]>,
    pub(super) has_null: bool,
    /// The texts in order, if there are many and none has more than one spelling.
    pub(super) texts: Box<[Box<str>]>,
}

/// An expression whose value is a time, in milliseconds since the epoch.
#[derive(Debug)]
pub(super) enum Instant {
    Null,
    Const(i64),
    Field(Reading, TimeFormat),
    /// A time that was computed before, by its slot.
    Computed(usize),
    /// A time and milliseconds that are added to it.
    Shift(Box<(Instant, Num)>, bool, u16),
    Trunc(Unit, Box<Instant>, Zone),
    /// Seconds since the epoch.
    OfNum(Box<Num>, u16),
    /// A text that spells a time. Any other is null if the last is true.
    OfText(Box<Text>, u16, bool),
    Case(Box<Case<Instant>>),
    Coalesce(Box<[Instant]>),
    Extreme(Extreme, Box<[Instant]>),
}
