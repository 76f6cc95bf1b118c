//! Aggregates over the rows before each row: `avg(x) over (partition by k rows 9 preceding)`.

use super::lower::{has_aggregate, is_bound, is_rowtime, is_same, statement};
use super::{Select, SqlStatement, named};
use crate::error::Error;
use crate::query::expression::{Ast, Id, Kind, Parser, field_text};
use crate::query::pipeline_spec::PipelineSpec;

/// What stands after `over`.
#[derive(Debug)]
pub(super) enum Over {
    /// The name of a window of the clause `window`.
    Named(String),
    Given(RowsBefore),
}

/// The rows of a partition up to each row.
#[derive(Clone, Debug)]
pub(super) struct RowsBefore {
    partition: Vec<Id>,
    /// The row itself counts, too.
    rows: u64,
}

/// Parses what follows `over`.
pub(super) fn over(parser: &mut Parser<'_>) -> Result<Over, Error> {
    match parser.now().kind {
        Kind::Word | Kind::Name => Ok(Over::Named(parser.bump()?.content())),
        _ => rows_before(parser).map(Over::Given),
    }
}

/// Parses `window w as (partition by k rows 9 preceding), ...` behind the word `window`.
pub(super) fn window_clause(parser: &mut Parser<'_>, select: &mut Select) -> Result<(), Error> {
    loop {
        let name = match parser.now().kind {
            Kind::Word | Kind::Name => parser.bump()?.content(),
            _ => return Err(parser.unexpected("the name of a window")),
        };
        parser.expect("as")?;
        let rows = rows_before(parser)?;
        select.row_windows.push((name, rows));
        if !parser.take(",")? {
            return Ok(());
        }
    }
}

/// Parses `(partition by k rows 9 preceding)`, also with `between .. and current row`.
fn rows_before(parser: &mut Parser<'_>) -> Result<RowsBefore, Error> {
    parser.expect("(")?;
    let mut partition = Vec::new();
    if parser.take("partition")? {
        parser.expect("by")?;
        partition.push(parser.expression()?);
        while parser.take(",")? {
            partition.push(parser.expression()?);
        }
    }
    if parser.now().is("order") {
        let why = "rows are in the order in which they come: leave out ORDER BY";
        return Err(parser.error(why.to_owned()));
    }
    if parser.now().is("range") {
        let why = "there is no RANGE before each row: GROUP BY HOP(time, slide, size) has an answer \
                   at each slide, ROWS n PRECEDING one at each row";
        return Err(parser.error(why.to_owned()));
    }
    parser.expect("rows")?;
    let between = parser.take("between")?;
    let now = parser.now();
    let rows = match now.raw.parse::<u64>() {
        Ok(before) if now.kind == Kind::Number => {
            parser.bump()?;
            parser.expect("preceding")?;
            before.saturating_add(1)
        }
        _ => return Err(parser.unexpected("a number of rows, as in rows 9 preceding")),
    };
    if between {
        parser.expect("and")?;
        parser.expect("current")?;
        parser.expect("row")?;
    }
    parser.expect(")")?;
    Ok(RowsBefore { partition, rows })
}

/// Returns the pipeline of a `select` with `over`, or `None` if it has none.
///
/// # Errors
/// [`ErrorKind::Parse`](crate::ErrorKind::Parse) with the column of what no pipeline can do.
pub(super) fn lowered(ast: &Ast, select: &Select) -> Result<Option<SqlStatement>, Error> {
    let Some(RowsBefore { partition, rows }) = the_rows(ast, select)? else { return Ok(None) };
    let order = select.order.iter().map(|(id, _)| id);
    if let Some(id) = select.group.iter().chain(order).next() {
        let why = "a statement with OVER has a row for each record: without GROUP BY and ORDER BY";
        return Err(ast.error(*id, why));
    }
    let mut spec = PipelineSpec::default();
    (spec.rows, spec.every) = (Some(rows), Some("1".to_owned()));
    let mut group = Vec::new();
    for id in &partition {
        let item = select.items.iter().find(|item| is_same(ast, item.id, *id));
        group.push(named(ast, *id, item.and_then(|item| item.alias.as_deref())));
    }
    let mut agg = Vec::new();
    for item in &select.items {
        let is_group = partition.iter().any(|id| is_same(ast, item.id, *id));
        if is_group || is_bound(ast, item.id) || is_rowtime(ast, item.id) {
            continue;
        }
        let text = ast.canonical(item.id);
        match (&item.over, has_aggregate(ast, item.id)) {
            (Some(_), true) => agg.push(named(ast, item.id, item.alias.as_deref())),
            (Some(_), false) => {
                return Err(ast.error(item.id, format!("{text} OVER rows is not an aggregate")));
            }
            (None, true) => {
                return Err(ast.error(item.id, format!("{text} needs OVER, as the others have it")));
            }
            // The value of the record itself.
            (None, false) => {
                let name = field_text(item.alias.as_deref().unwrap_or(&text));
                agg.push(format!("last({text}) as {name}"));
            }
        }
    }
    spec.filter = select.filter.map(|id| vec![ast.canonical(id)]);
    spec.having = select.having.map(|id| vec![ast.canonical(id)]);
    spec.group = (!group.is_empty()).then_some(group);
    spec.agg = Some(agg);
    Ok(Some(statement(spec, select)))
}

/// Returns the rows that all aggregates of a statement are over.
fn the_rows(ast: &Ast, select: &Select) -> Result<Option<RowsBefore>, Error> {
    let mut found: Option<RowsBefore> = None;
    for item in &select.items {
        let rows = match &item.over {
            None => continue,
            Some(Over::Given(rows)) => rows,
            Some(Over::Named(name)) => {
                let known = |(known, _): &&(String, _)| known.eq_ignore_ascii_case(name);
                let window = select.row_windows.iter().find(known).map(|(_, rows)| rows);
                window.ok_or_else(|| {
                    let why = format!("there is no window {name}: WINDOW {name} AS (..) names one");
                    ast.error(item.id, why)
                })?
            }
        };
        let is_other = |known: &RowsBefore| {
            let pairs = known.partition.iter().zip(&rows.partition);
            known.rows != rows.rows
                || known.partition.len() != rows.partition.len()
                || pairs.into_iter().any(|(a, b)| !is_same(ast, *a, *b))
        };
        if found.as_ref().is_some_and(is_other) {
            let why = "a statement has one window of rows: run one for each, with the same numbers";
            return Err(ast.error(item.id, why));
        }
        found = found.or_else(|| Some(rows.clone()));
    }
    Ok(found)
}
