//! From a [`Select`] to a pipeline.

use super::{Select, SqlStatement, Windowing, named};
use crate::error::Error;
use crate::query::aggregates::{is_aggregate, near_aggregate};
use crate::query::expression::{Ast, Id, Node, duration_text, field_text};
use crate::query::pipeline_spec::PipelineSpec;

/// Functions of the begin and the end of a window, which every row of an answer has anyway.
const BOUNDS: [&str; 8] = [
    "tumble_start",
    "tumble_end",
    "hop_start",
    "hop_end",
    "session_start",
    "session_end",
    "window_start",
    "window_end",
];

/// The name of the arrival time in Amazon's SQL.
const ROWTIME: &str = "rowtime";

/// Returns the window that a function makes, or `None` if the function makes none.
pub(super) fn windowing(
    ast: &Ast,
    function: &str,
    args: &[Id],
) -> Option<Result<Windowing, Error>> {
    let window = |time: Id, size: Id, every: Option<Id>| {
        Ok(Windowing {
            time: time_field(ast, time)?,
            size: duration(ast, size)?,
            every: every.map(|every| duration(ast, every)).transpose()?,
            is_session: function == "session",
        })
    };
    match (function, args) {
        ("tumble" | "session", [time, size]) => Some(window(*time, *size, None)),
        ("hop", [time, every, size]) => Some(window(*time, *size, Some(*every))),
        ("tumble" | "hop" | "session", [first, ..]) => {
            let takes = "tumble takes a time and a size, hop a time, a slide and a size, session a \
                         time and a gap";
            Some(Err(ast.error(*first, takes)))
        }
        ("date_trunc", [unit, time]) => {
            let Node::Text(unit) = ast.node(*unit) else { return None };
            let size = match &**unit {
                "second" => 1000,
                "minute" => 60_000,
                "hour" => 3_600_000,
                "day" => 86_400_000,
                _ => return None,
            };
            let time = time_field(ast, *time);
            Some(time.map(|time| Windowing { time, size, every: None, is_session: false }))
        }
        _ => None,
    }
}

fn time_field(ast: &Ast, id: Id) -> Result<Option<String>, Error> {
    match ast.node(id) {
        Node::Field(name) if last_name(name).eq_ignore_ascii_case(ROWTIME) => Ok(None),
        Node::Field(_) => Ok(Some(ast.canonical(id))),
        _ => Err(ast.error(id, "the time of a window is a field")),
    }
}

fn last_name(name: &str) -> &str {
    name.rsplit(['.', '/']).next().unwrap_or(name)
}

fn duration(ast: &Ast, id: Id) -> Result<i64, Error> {
    match ast.node(id) {
        Node::Duration(millis) if *millis > 0 => Ok(*millis),
        _ => Err(ast.error(id, "a duration such as interval '1' minute is expected")),
    }
}

/// Returns the pipeline of a `select`.
///
/// # Errors
/// [`ErrorKind::Parse`](crate::ErrorKind::Parse) with the column of what no pipeline can do.
pub(super) fn lowered(ast: &Ast, select: &Select) -> Result<SqlStatement, Error> {
    let mut spec = PipelineSpec::default();
    let (window, groups) = groups(ast, select)?;
    if let Some(Windowing { time, size, every, is_session }) = window {
        spec.time = time;
        let size = Some(duration_text(size));
        if is_session {
            spec.session = size;
        } else {
            spec.window = size;
        }
        spec.every = every.map(duration_text);
    }
    let (mut group, mut agg) = (Vec::new(), Vec::new());
    for id in &groups {
        let item = select.items.iter().find(|item| is_same(ast, item.id, *id));
        group.push(named(ast, *id, item.and_then(|item| item.alias.as_deref())));
    }
    for item in &select.items {
        if is_bound(ast, item.id) || groups.iter().any(|group| is_same(ast, item.id, *group)) {
            continue;
        }
        if window_of(ast, item.id).is_some() {
            continue;
        }
        if !has_aggregate(ast, item.id) {
            let hint = match ast.node(item.id) {
                Node::Call { name, .. } => near_aggregate(name),
                _ => String::new(),
            };
            let written = ast.written(item.id);
            let why = format!("{written} is neither an aggregate nor in GROUP BY{hint}");
            return Err(ast.error(item.id, why));
        }
        agg.push(named(ast, item.id, item.alias.as_deref()));
    }
    let texts = |ids: Option<Id>| ids.map(|id| vec![ast.canonical(id)]);
    spec.filter = texts(select.filter);
    spec.group = (!group.is_empty()).then_some(group);
    spec.agg = (!agg.is_empty()).then_some(agg);
    spec.having = texts(select.having);
    let order: Vec<String> = select
        .order
        .iter()
        .filter(|(id, _)| !is_bound(ast, *id) && window_of(ast, *id).is_none())
        .map(|(id, descending)| ordered(ast, select, *id) + if *descending { " desc" } else { "" })
        .collect();
    spec.sort = (!order.is_empty()).then_some(order);
    spec.limit = select.limit;
    Ok(SqlStatement { spec, files: select.files.clone() })
}

/// Returns what a row is ordered by: a column by its number, or an expression.
fn ordered(ast: &Ast, select: &Select, id: Id) -> String {
    let item = match ast.node(id) {
        Node::Int(number) => usize::try_from(*number - 1).ok(),
        _ => select.items.iter().position(|item| is_same(ast, item.id, id)),
    };
    match item.and_then(|index| select.items.get(index)) {
        Some(item) => item.alias.as_deref().map_or_else(|| ast.canonical(item.id), field_text),
        None => ast.canonical(id),
    }
}

/// Returns the window of a statement, and its groups without it.
fn groups(ast: &Ast, select: &Select) -> Result<(Option<Windowing>, Vec<Id>), Error> {
    let mut window = select.window.clone();
    let mut groups = Vec::new();
    for id in &select.group {
        let id = resolved(ast, select, *id)?;
        if is_bound(ast, id) {
            continue;
        }
        match window_of(ast, id).transpose()? {
            Some(found) if window.as_ref().is_some_and(|known| *known != found) => {
                return Err(ast.error(id, "there is more than one window"));
            }
            Some(found) => window = Some(found),
            None => groups.push(id),
        }
    }
    Ok((window, groups))
}

/// Returns the item that a group names or numbers, or the group.
fn resolved(ast: &Ast, select: &Select, id: Id) -> Result<Id, Error> {
    match ast.node(id) {
        Node::Int(number) => {
            let index = usize::try_from(*number - 1).ok();
            let item = index.and_then(|index| select.items.get(index));
            item.map(|item| item.id).ok_or_else(|| {
                ast.error(
                    id,
                    format!("there is no column {number}: there are {}", select.items.len()),
                )
            })
        }
        Node::Field(name) => {
            let named = |item: &&super::Item| item.alias.as_deref() == Some(&**name);
            let item = select.items.iter().find(named);
            Ok(item.map_or(id, |item| item.id))
        }
        _ => Ok(id),
    }
}

/// Returns the window that an expression is.
fn window_of(ast: &Ast, id: Id) -> Option<Result<Windowing, Error>> {
    match ast.node(id) {
        Node::Call { name, args, by: Some(size), .. } if &**name == "step" => {
            let time = args.first().map(|time| time_field(ast, *time))?;
            Some(time.and_then(|time| {
                let size = duration(ast, *size)?;
                Ok(Windowing { time, size, every: None, is_session: false })
            }))
        }
        Node::Call { name, args, .. } => windowing(ast, name, args),
        _ => None,
    }
}

fn is_bound(ast: &Ast, id: Id) -> bool {
    match ast.node(id) {
        Node::Field(name) => BOUNDS.iter().any(|bound| name.eq_ignore_ascii_case(bound)),
        Node::Call { name, .. } => BOUNDS.contains(&&**name),
        _ => false,
    }
}

fn is_same(ast: &Ast, a: Id, b: Id) -> bool {
    a == b || ast.canonical(a) == ast.canonical(b)
}

fn has_aggregate(ast: &Ast, id: Id) -> bool {
    if matches!(ast.node(id), Node::Call { name, .. } if is_aggregate(name)) {
        return true;
    }
    let mut found = false;
    ast.each_child(id, &mut |child| found = found || has_aggregate(ast, child));
    found
}
