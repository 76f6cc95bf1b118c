//! From text to a [`Select`].

use super::lower::{staggered, windowing};
use super::over::{over, window_clause};
use super::unnest::joined;
use super::{Item, Select};
use crate::error::Error;
use crate::query::expression::{Ast, Kind, Parser};

/// What SQL has and a pipeline has not, with what to do instead.
const REFUSED: [(&str, &str); 13] = [
    ("join", "join of streams"),
    ("inner", "join of streams"),
    ("left", "join of streams"),
    ("right", "join of streams"),
    ("full", "join of streams"),
    ("cross", "join of streams"),
    ("natural", "join of streams"),
    ("union", "UNION: run one statement for each part"),
    ("intersect", "INTERSECT"),
    ("except", "EXCEPT"),
    ("offset", "OFFSET: the rows of a window begin with the first one"),
    ("qualify", "QUALIFY: HAVING is a condition on rows"),
    ("lateral", "LATERAL"),
];

/// Words that end an item, so that it has no name without `as`.
const CLAUSES: [&str; 13] = [
    "from", "over", "where", "window", "windowed", "group", "having", "order", "limit", "as", "on",
    "using", "emit",
];

/// Parses a text with one `select`.
///
/// # Errors
/// [`ErrorKind::Parse`](crate::ErrorKind::Parse) with the column.
pub(super) fn select_of(text: &str) -> Result<(Ast, Select), Error> {
    let mut parser = Parser::new(text)?;
    let mut found = None;
    loop {
        while parser.take(";")? {}
        if parser.now().kind == Kind::End {
            break;
        }
        let start = parser.now();
        let statement = statement(&mut parser)?;
        if found.is_some() && statement.is_some() {
            let why = "there is more than one SELECT: run one for each".to_owned();
            return Err(parser.error_at(start.start, why));
        }
        found = found.or(statement);
        if parser.now().kind != Kind::End && !parser.now().is(";") {
            return Err(refused(&parser, "a clause (WHERE, GROUP BY, HAVING, ORDER BY, LIMIT)"));
        }
    }
    match found {
        Some(select) => {
            let mut ast = parser.finish()?;
            ast.rename_fields(|name| unqualified(name, &select.tables));
            Ok((ast, select))
        }
        None => Err(parser.unexpected("SELECT")),
    }
}

/// Returns the name of a field without the name of a table in front of it: there is one table.
fn unqualified(name: &str, tables: &[String]) -> Option<String> {
    let is_table = |part: &str| tables.iter().any(|table| table.eq_ignore_ascii_case(part));
    if let Some((table, rest)) = name.strip_prefix('/').and_then(|name| name.split_once('/')) {
        let plain = if rest.contains(['/', '~']) { format!("/{rest}") } else { rest.to_owned() };
        return is_table(table).then_some(plain);
    }
    let (table, rest) = name.split_once('.')?;
    is_table(table).then(|| rest.to_owned())
}

/// Returns the error about the next token, which may be a clause that is not available.
#[cold]
fn refused(parser: &Parser<'_>, wanted: &str) -> Error {
    match REFUSED.iter().find(|(word, _)| parser.now().is(word)) {
        Some((_, what)) => parser.error(format!("there is no {what}")),
        None => parser.unexpected_operator(&format!("an operator, {wanted} or the end")),
    }
}

fn statement(parser: &mut Parser<'_>) -> Result<Option<Select>, Error> {
    if parser.now().is("select") {
        return select(parser).map(Some);
    }
    if !parser.take("create")? {
        return Err(parser.unexpected("SELECT or CREATE"));
    }
    if parser.take("or")? {
        parser.expect("replace")?;
    }
    if parser.take("pump")? {
        name(parser)?;
        for word in ["as", "insert", "into"] {
            parser.expect(word)?;
        }
        name(parser)?;
        return select(parser).map(Some);
    }
    parser.expect("stream")?;
    name(parser)?;
    columns(parser)?;
    Ok(None)
}

/// Skips the columns of a stream, whose types records have themselves.
fn columns(parser: &mut Parser<'_>) -> Result<(), Error> {
    parser.expect("(")?;
    let mut depth = 1u32;
    while depth > 0 {
        if parser.now().kind == Kind::End {
            return Err(parser.unexpected("\")\""));
        }
        let token = parser.bump()?;
        depth = depth + u32::from(token.is("(")) - u32::from(token.is(")"));
    }
    Ok(())
}

/// Parses a name, in whatever quotes.
pub(super) fn name(parser: &mut Parser<'_>) -> Result<String, Error> {
    match parser.now().kind {
        Kind::Word | Kind::Name | Kind::Text => Ok(parser.bump()?.content()),
        _ => Err(parser.unexpected("a name")),
    }
}

fn select(parser: &mut Parser<'_>) -> Result<Select, Error> {
    parser.expect("select")?;
    parser.take("stream")?;
    if parser.now().is("distinct") {
        let why = "there is no SELECT DISTINCT: GROUP BY the columns".to_owned();
        return Err(parser.error(why));
    }
    let mut select = Select::default();
    items(parser, &mut select)?;
    if !parser.take("from")? {
        return Err(refused(parser, "a comma, AS or FROM"));
    }
    from(parser, &mut select)?;
    if parser.take("where")? {
        select.filter = Some(parser.expression()?);
    }
    windowed(parser, &mut select)?;
    if parser.take("window")? {
        window_clause(parser, &mut select)?;
    }
    if parser.take("group")? {
        parser.expect("by")?;
        select.group = list(parser)?;
    }
    if parser.take("having")? {
        select.having = Some(parser.expression()?);
    }
    if parser.take("order")? {
        parser.expect("by")?;
        order(parser, &mut select)?;
    }
    if parser.take("limit")? {
        select.limit = Some(limit(parser)?);
    }
    Ok(select)
}

/// Parses `windowed by stagger (partition by k range interval '1' minute)`, whose time is that of
/// the arrival.
fn windowed(parser: &mut Parser<'_>, select: &mut Select) -> Result<(), Error> {
    if !parser.take("windowed")? {
        return Ok(());
    }
    parser.expect("by")?;
    parser.expect("stagger")?;
    parser.expect("(")?;
    if parser.take("partition")? {
        parser.expect("by")?;
        select.partition = list(parser)?;
    }
    parser.expect("range")?;
    let size = parser.expression()?;
    parser.expect(")")?;
    select.window = Some(staggered(parser.tree(), size)?);
    Ok(())
}

fn items(parser: &mut Parser<'_>, select: &mut Select) -> Result<(), Error> {
    loop {
        if parser.now().is("*") {
            let why = "there is no SELECT *: name the columns, or an aggregate such as count(*)";
            return Err(parser.error(why.to_owned()));
        }
        let id = parser.expression()?;
        let over = if parser.take("over")? { Some(over(parser)?) } else { None };
        let now = parser.now();
        let is_name = now.kind == Kind::Name
            || now.kind == Kind::Word
                && !CLAUSES.iter().any(|word| now.is(word))
                && !REFUSED.iter().any(|(word, _)| now.is(word));
        let alias = if parser.take("as")? || is_name { Some(name(parser)?) } else { None };
        select.items.push(Item { id, alias, over });
        if !parser.take(",")? {
            return Ok(());
        }
    }
}

fn from(parser: &mut Parser<'_>, select: &mut Select) -> Result<(), Error> {
    if parser.now().is("(") {
        return Err(parser.error("there are no subqueries: give a file in quotes".to_owned()));
    }
    if parser.now().is("table") && parser.ahead()?.is("(") {
        return table_function(parser, select);
    }
    table(parser, select)?;
    loop {
        let is_cross = parser.now().is("cross") && parser.ahead()?.is("join");
        if is_cross {
            parser.bump()?;
            parser.bump()?;
        } else if !parser.take(",")? {
            return Ok(());
        }
        match joined(parser)? {
            Some(_) if select.joined.is_some() => {
                return Err(parser.error("there is one UNNEST".to_owned()));
            }
            Some(found) => select.joined = Some(found),
            None if is_cross || parser.now().kind != Kind::Text => {
                return Err(parser.error("there is no join of streams".to_owned()));
            }
            None => table(parser, select)?,
        }
    }
}

/// Parses a file or a table, and the other name that it may have.
fn table(parser: &mut Parser<'_>, select: &mut Select) -> Result<(), Error> {
    let is_file = parser.now().kind == Kind::Text;
    let found = name(parser)?;
    if is_file {
        select.files.push(found);
    } else {
        select.tables.push(found);
    }
    let now = parser.now();
    let is_name = now.kind == Kind::Name
        || now.kind == Kind::Word
            && !CLAUSES.iter().any(|word| now.is(word))
            && !REFUSED.iter().any(|(word, _)| now.is(word));
    if parser.take("as")? || is_name {
        select.tables.push(name(parser)?);
    }
    Ok(())
}

/// Parses `table(tumble(table t, descriptor(time), size))`, and `hop` likewise.
fn table_function(parser: &mut Parser<'_>, select: &mut Select) -> Result<(), Error> {
    parser.bump()?;
    parser.bump()?;
    let function = parser.now();
    let called = name(parser)?.to_ascii_lowercase();
    parser.expect("(")?;
    argument_name(parser)?;
    parser.expect("table")?;
    table(parser, select)?;
    parser.expect(",")?;
    argument_name(parser)?;
    parser.expect("descriptor")?;
    parser.expect("(")?;
    let mut args = vec![parser.expression()?];
    parser.expect(")")?;
    while parser.take(",")? {
        argument_name(parser)?;
        args.push(parser.expression()?);
    }
    parser.expect(")")?;
    parser.expect(")")?;
    let found = windowing(parser.tree(), &called, &args)
        .ok_or_else(|| parser.error_at(function.start, format!("{called} is no window")))?;
    select.window = Some(found?);
    Ok(())
}

/// Skips the name of an argument, as in `size => interval '1' minute`.
fn argument_name(parser: &mut Parser<'_>) -> Result<(), Error> {
    if parser.now().kind == Kind::Word && parser.ahead()?.is("=>") {
        parser.bump()?;
        parser.bump()?;
    }
    Ok(())
}

fn list(parser: &mut Parser<'_>) -> Result<Vec<super::Id>, Error> {
    let mut list = vec![parser.expression()?];
    while parser.take(",")? {
        list.push(parser.expression()?);
    }
    Ok(list)
}

fn order(parser: &mut Parser<'_>, select: &mut Select) -> Result<(), Error> {
    loop {
        let id = parser.expression()?;
        let is_descending = parser.take("desc")?;
        if !is_descending {
            parser.take("asc")?;
        }
        select.order.push((id, is_descending));
        if !parser.take(",")? {
            return Ok(());
        }
    }
}

fn limit(parser: &mut Parser<'_>) -> Result<u64, Error> {
    let now = parser.now();
    match now.raw.parse() {
        Ok(limit) if now.kind == Kind::Number => {
            parser.bump()?;
            Ok(limit)
        }
        _ => Err(parser.unexpected("a number of rows")),
    }
}
