//! Aggregates as text: `count, sum(bytes) as bytes, p99(latency_ms), top(10, url)`.

use super::field::Fields;
use super::literal::Literal;
use super::token::{Kind, Token, Tokens};
use crate::aggregate::{COUNTERS_MAX, DEFAULT_COUNTERS};
use crate::error::Error;
use crate::nearest::nearest;

/// A column of the answer.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Column {
    /// The name after `as`, or the text of the aggregate with one space after each comma.
    pub(crate) name: String,
    pub(crate) function: Function,
}

/// The function that is computed. Its numbers are slots of fields.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Function {
    /// Counts records.
    Count,
    /// Counts records that have the field.
    CountOf(usize),
    Sum(usize),
    Mean(usize),
    Min(usize),
    Max(usize),
    Variance(usize),
    Stddev(usize),
    First(usize),
    Last(usize),
    Distinct(usize),
    Quantile(usize, Percent),
    Median(usize),
    Top {
        k: usize,
        slot: usize,
        counters: usize,
    },
    /// Counts records in which the field is equal to the value.
    Frequency(usize, Literal),
}

/// The percentage of a percentile, in hundredths: 9,999 for p99.99. From 1 to 10,000.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Percent(u32);

impl Percent {
    /// Parses the text after the `p`: digits, and at most two decimals.
    fn parse(text: &str) -> Option<Percent> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "00"));
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty()
            || whole.len() > 3
            || fraction.is_empty()
            || fraction.len() > 2
            || !digits(whole)
            || !digits(fraction)
        {
            return None;
        }
        let hundredths =
            whole.parse::<u32>().ok()? * 100 + format!("{fraction:0<2}").parse::<u32>().ok()?;
        (1..=10_000).contains(&hundredths).then_some(Percent(hundredths))
    }

    /// Returns the quantile, from 0.0001 to 1.
    pub(crate) fn quantile(self) -> f64 {
        f64::from(self.0) / 10_000.0
    }
}

/// A function of the field in a slot.
type OfAField = fn(usize) -> Function;

/// The functions of one field, by name.
const OF_A_FIELD: [(&str, OfAField); 10] = [
    ("sum", Function::Sum),
    ("mean", Function::Mean),
    ("min", Function::Min),
    ("max", Function::Max),
    ("variance", Function::Variance),
    ("stddev", Function::Stddev),
    ("first", Function::First),
    ("last", Function::Last),
    ("distinct", Function::Distinct),
    ("median", Function::Median),
];

/// The names of functions in other systems.
const ALIASES: [(&str, &str); 9] = [
    ("avg", "mean"),
    ("average", "mean"),
    ("std", "stddev"),
    ("var", "variance"),
    ("uniq", "distinct"),
    ("count_distinct", "distinct"),
    ("percentile", "p99"),
    ("quantile", "p99"),
    ("topk", "top"),
];

/// Parses a list of aggregates. Each field that they name gets a slot.
///
/// # Errors
/// [`ErrorKind::Parse`](crate::ErrorKind::Parse) with the column, if the text is not a list of
/// aggregates.
pub(crate) fn parse_columns(text: &str, fields: &mut Fields) -> Result<Vec<Column>, Error> {
    let mut parser = Parser { tokens: Tokens::of(text)?, fields };
    let mut columns = vec![parser.column()?];
    while parser.tokens.take_if(",") {
        columns.push(parser.column()?);
    }
    match parser.tokens.peek() {
        None => Ok(columns),
        Some(_) => Err(parser.tokens.unexpected("a comma or \"as\"")),
    }
}

/// Parses a list of fields, the argument of `--group`.
///
/// # Errors
/// [`ErrorKind::Parse`](crate::ErrorKind::Parse) with the column, if the text is not a list of
/// fields.
pub(crate) fn parse_fields(text: &str) -> Result<Vec<String>, Error> {
    let mut tokens = Tokens::of(text)?;
    let mut names = Vec::new();
    loop {
        let Some(name) = tokens.peek().and_then(Token::field) else {
            return Err(tokens.unexpected("the name of a field"));
        };
        tokens.take();
        names.push(name);
        if !tokens.take_if(",") {
            break;
        }
    }
    match tokens.peek() {
        None => Ok(names),
        Some(_) => Err(tokens.unexpected("a comma")),
    }
}

struct Parser<'a, 'f> {
    tokens: Tokens<'a>,
    fields: &'f mut Fields,
}

impl<'a> Parser<'a, '_> {
    fn column(&mut self) -> Result<Column, Error> {
        let wanted = "an aggregate such as count or sum(bytes)";
        let head = match self.tokens.peek() {
            Some(token) if token.kind == Kind::Word => token.clone(),
            _ => return Err(self.tokens.unexpected(wanted)),
        };
        self.tokens.take();
        let arguments = self.arguments()?;
        let function = self.function(&head, arguments.as_deref())?;
        let name = if self.tokens.take_if("as") {
            self.name()?
        } else {
            as_written(&head, arguments.as_deref())
        };
        Ok(Column { name, function })
    }

    /// Parses arguments in parentheses; `None` if there are no parentheses.
    fn arguments(&mut self) -> Result<Option<Vec<Token<'a>>>, Error> {
        if !self.tokens.take_if("(") {
            return Ok(None);
        }
        let mut arguments = Vec::new();
        if self.tokens.take_if(")") {
            return Ok(Some(arguments));
        }
        loop {
            match self.tokens.peek() {
                Some(token) if token.kind != Kind::Symbol => arguments.extend(self.tokens.take()),
                _ => return Err(self.tokens.unexpected("a field or a value")),
            }
            if !self.tokens.take_if(",") {
                self.tokens.expect(")")?;
                return Ok(Some(arguments));
            }
        }
    }

    fn name(&mut self) -> Result<String, Error> {
        match self.tokens.take() {
            Some(Token { kind: Kind::Quoted(name), .. }) => Ok(name),
            Some(Token { kind: Kind::Word, raw, .. }) => Ok(raw.into()),
            Some(token) => Err(self.tokens.error_at(
                token.start,
                format!("a name is expected after \"as\", not {}", token.raw),
            )),
            None => Err(self.tokens.unexpected("a name")),
        }
    }

    fn function(
        &mut self,
        head: &Token<'_>,
        arguments: Option<&[Token<'_>]>,
    ) -> Result<Function, Error> {
        let name = head.raw.to_ascii_lowercase();
        let one =
            OF_A_FIELD.iter().find(|(known, _)| *known == name).map(|(_, function)| *function);
        let percent = name.strip_prefix('p').and_then(Percent::parse);
        let arguments = match (arguments, name.as_str()) {
            (None, "count") => return Ok(Function::Count),
            (None, _) if one.is_some() || percent.is_some() => {
                return Err(self.wrong(head, "takes a field in parentheses"));
            }
            (arguments, _) => arguments.unwrap_or_default(),
        };
        match (name.as_str(), arguments) {
            ("count", []) => Ok(Function::Count),
            ("count", [all]) if all.raw == "*" => Ok(Function::Count),
            ("count", [field]) => Ok(Function::CountOf(self.field(field)?)),
            ("count", _) => Err(self.wrong(head, "takes at most one field")),
            ("top", _) => self.top(head, arguments),
            ("frequency", [field, value]) => {
                Ok(Function::Frequency(self.field(field)?, Literal::of(value, &self.tokens)?))
            }
            ("frequency", _) => {
                Err(self.wrong(head, "takes a field and a value, as in frequency(status, 404)"))
            }
            (_, _) if one.is_none() && percent.is_none() => Err(self.unknown(head)),
            (_, [field]) => {
                let slot = self.field(field)?;
                let quantile = percent.map(|percent| Function::Quantile(slot, percent));
                quantile
                    .or_else(|| one.map(|function| function(slot)))
                    .ok_or_else(|| self.unknown(head))
            }
            _ => Err(self.wrong(head, "takes one field")),
        }
    }

    fn top(&mut self, head: &Token<'_>, arguments: &[Token<'_>]) -> Result<Function, Error> {
        let (k, field, counters) = match arguments {
            [k, field] => (k, field, None),
            [k, field, counters] => (k, field, Some(counters)),
            _ => return Err(self.wrong(head, "takes a number of rows and a field, as in top(10, url), and optionally a number of counters")),
        };
        let k = self.size(k)?;
        let slot = self.field(field)?;
        let counters = match counters {
            Some(token) => {
                let counters = self.size(token)?;
                if counters < k {
                    let why =
                        format!("{counters} counters are too few for the top {k}: at least {k}");
                    return Err(self.tokens.error_at(token.start, why));
                }
                counters
            }
            None => DEFAULT_COUNTERS.max(k),
        };
        Ok(Function::Top { k, slot, counters })
    }

    fn size(&self, token: &Token<'_>) -> Result<usize, Error> {
        match token.raw.parse::<usize>() {
            Ok(size) if (1..=COUNTERS_MAX).contains(&size) => Ok(size),
            _ => Err(self.tokens.error_at(
                token.start,
                format!("{} is not a number from 1 to {COUNTERS_MAX}", token.raw),
            )),
        }
    }

    fn field(&mut self, token: &Token<'_>) -> Result<usize, Error> {
        match token.field() {
            Some(name) => Ok(self.fields.slot(&name)),
            None => Err(self
                .tokens
                .error_at(token.start, format!("{} is not the name of a field", token.raw))),
        }
    }

    #[cold]
    fn wrong(&self, head: &Token<'_>, why: &str) -> Error {
        self.tokens.error_at(head.start, format!("{} {why}", head.raw))
    }

    #[cold]
    fn unknown(&self, head: &Token<'_>) -> Error {
        let name = head.raw.to_ascii_lowercase();
        let known = OF_A_FIELD.iter().map(|(name, _)| *name).chain([
            "count",
            "top",
            "frequency",
            "p50",
            "p99",
        ]);
        let hint = match ALIASES.iter().find(|(alias, _)| *alias == name) {
            Some((_, known)) => format!(" (did you mean {known:?}?)"),
            None if name.starts_with('p')
                && name[1..].starts_with(|c: char| c.is_ascii_digit()) =>
            {
                return self.wrong(
                    head,
                    "is not a percentile from p0.01 to p100 with at most two decimals",
                );
            }
            None => nearest(&name, known.clone()),
        };
        let all: Vec<_> = known.collect();
        self.wrong(head, &format!("is not an aggregate{hint}; there are {}", all.join(", ")))
    }
}

fn as_written(head: &Token<'_>, arguments: Option<&[Token<'_>]>) -> String {
    match arguments {
        Some(arguments) => format!(
            "{}({})",
            head.raw,
            arguments.iter().map(|token| token.raw).collect::<Vec<_>>().join(", ")
        ),
        None => head.raw.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::literal::TextLiteral;
    use super::*;
    use proptest::prelude::*;

    fn parse(text: &str) -> (Vec<Column>, Vec<String>) {
        let mut fields = Fields::default();
        let columns = parse_columns(text, &mut fields).unwrap_or_else(|error| panic!("{error}"));
        (columns, fields.names().to_vec())
    }

    fn error(text: &str) -> String {
        parse_columns(text, &mut Fields::default()).unwrap_err().to_string()
    }

    #[test]
    fn the_issues_example_is_read() {
        let (columns, fields) = parse(
            "count, sum(bytes) as bytes,mean( latency_ms ), p99(latency_ms), distinct(user_id), top(10,url)",
        );
        let names: Vec<_> = columns.iter().map(|column| column.name.as_str()).collect();
        assert_eq!(
            names,
            [
                "count",
                "bytes",
                "mean(latency_ms)",
                "p99(latency_ms)",
                "distinct(user_id)",
                "top(10, url)"
            ]
        );
        assert_eq!(fields, ["bytes", "latency_ms", "user_id", "url"]);
        assert_eq!(columns[1].function, Function::Sum(0));
        assert_eq!(columns[3].function, Function::Quantile(1, Percent(9900)));
        assert_eq!(
            columns[5].function,
            Function::Top { k: 10, slot: 3, counters: DEFAULT_COUNTERS }
        );
    }

    #[test]
    fn everything_else_is_read() {
        let (columns, fields) = parse(
            "count(x), COUNT(*), min(/a/b), max(\"with space\"), variance(x), stddev(x), first(x), last(x), p99.99(x), \
             top(3, x, 1000) as 'the top', frequency(x, 'v'), frequency(x, 1.0), frequency(x, true)",
        );
        assert_eq!(fields, ["x", "/a/b", "with space"]);
        assert_eq!(columns[0].function, Function::CountOf(0));
        assert_eq!(columns[1].function, Function::Count);
        assert_eq!(columns[3].name, "max(\"with space\")");
        assert_eq!(columns[8].function, Function::Quantile(0, Percent(9999)));
        assert_eq!(columns[9].name, "the top");
        assert_eq!(columns[9].function, Function::Top { k: 3, slot: 0, counters: 1000 });
        assert_eq!(
            columns[10].function,
            Function::Frequency(0, Literal::Text(TextLiteral::new("v")))
        );
        assert_eq!(columns[10].name, "frequency(x, 'v')");
    }

    #[test]
    fn percentiles_have_at_most_two_decimals() {
        for (text, hundredths) in [
            ("50", 5000),
            ("99.9", 9990),
            ("99.99", 9999),
            ("100", 10_000),
            ("0.01", 1),
            ("05", 500),
        ] {
            assert_eq!(Percent::parse(text), Some(Percent(hundredths)), "{text}");
        }
        for wrong in ["", "0", "100.01", "99.999", "1e1", "-5", "5.", ".5", "1000"] {
            assert_eq!(Percent::parse(wrong), None, "{wrong}");
        }
        assert_eq!(Percent(9900).quantile(), 0.99);
    }

    #[test]
    fn errors_name_the_column_and_the_remedy() {
        assert!(error("count, sun(bytes)").starts_with(
            "column 8 of \"count, sun(bytes)\": sun is not an aggregate (did you mean \"sum\"?)"
        ));
        assert!(error("avg(x)").contains("did you mean \"mean\""));
        assert!(error("quantile(x)").contains("did you mean \"p99\""));
        assert!(error("p999(x)").contains("not a percentile"));
        assert!(error("sum").contains("takes a field in parentheses"));
        assert!(error("sum(a, b)").contains("takes one field"));
        assert!(error("top(url)").contains("as in top(10, url)"));
        assert!(error("top(0, url)").contains("from 1 to"));
        assert!(error("top(10, url, 5)").contains("too few for the top 10"));
        assert!(error("frequency(x, abc)").contains("write text in quotes: 'abc'"));
        assert!(error("count count").contains("a comma or \"as\" is expected, not count"));
        assert!(error("count,").contains("but the text ends"));
        assert!(error("sum(x").contains("\")\" is expected"));
        assert!(error("sum((x))").contains("a field or a value is expected, not ("));
        assert!(error("").contains("an aggregate such as count"));
        assert!(error("pé(x)").contains("not an aggregate"));
    }

    #[test]
    fn groups_are_lists_of_fields() {
        assert_eq!(
            parse_fields("country, /a/b,\"with, comma\"").unwrap(),
            ["country", "/a/b", "with, comma"]
        );
        assert!(
            parse_fields("").is_err()
                && parse_fields("a,").is_err()
                && parse_fields("a b").is_err()
        );
    }

    proptest! {
        #[test]
        fn any_text_is_no_danger(text: String, words in prop::collection::vec(prop::sample::select(
            vec!["count", "sum", "(", ")", "top", "10", ",", "x", "as", "'a'", "p99", "p", "frequency", "é"]), 0..12)) {
            let _ = parse_columns(&text, &mut Fields::default());
            let _ = parse_columns(&words.join(" "), &mut Fields::default());
            let _ = parse_fields(&text);
        }

        #[test]
        fn a_column_named_by_its_text_reads_back_the_same(head in prop::sample::select(vec!["sum", "p99.5", "distinct"]), field in "[a-z_]{1,8}") {
            let (columns, _) = parse(&format!("{head}(  {field} )"));
            let (again, _) = parse(&columns[0].name);
            prop_assert_eq!(columns, again);
        }
    }
}
