//! From a [`Select`] to a pipeline.

use super::{Select, SqlStatement, WindowKind, Windowing, named};
use crate::error::Error;
use crate::query::aggregates::{is_aggregate, near_aggregate};
use crate::query::expression::{Ast, Id, Node, duration_text, field_text};
use crate::query::pipeline_spec::PipelineSpec;

/// Functions of the begin and the end of a window, which every row of an answer has anyway.
const BOUNDS: [&str; 10] = [
    "tumble_start",
    "tumble_end",
    "hop_start",
    "hop_end",
    "session_start",
    "session_end",
    "stagger_start",
    "stagger_end",
    "window_start",
    "window_end",
];

const DAY_MILLIS: i64 = 86_400_000;

/// The units that `date_trunc` cuts time by, and the windows that they are.
const UNITS: [(&str, &str); 8] = [
    ("second", "1s"),
    ("minute", "1m"),
    ("hour", "1h"),
    ("day", "1d"),
    ("week", "1w"),
    ("month", "1mo"),
    ("quarter", "1q"),
    ("year", "1y"),
];

/// The name of the arrival time in Amazon's SQL.
const ROWTIME: &str = "rowtime";

/// Returns the window that a function makes, or `None` if the function makes none.
pub(super) fn windowing(
    ast: &Ast,
    function: &str,
    args: &[Id],
) -> Option<Result<Windowing, Error>> {
    let kind = match function {
        "tumble" | "hop" => WindowKind::Aligned,
        "time_bucket" => return bucket(ast, args),
        "session" => WindowKind::Session,
        "stagger" => WindowKind::Stagger,
        "date_trunc" => return truncated(ast, args),
        _ => return None,
    };
    let (time, every, size) = match (function, args) {
        ("hop", [time, every, size]) => (*time, Some(*every), *size),
        ("tumble" | "session" | "stagger", [time, size]) => (*time, None, *size),
        (_, [first, ..]) => {
            let takes = "tumble and stagger take a time and a size, hop a time, a slide and a size, \
                         session a time and a gap";
            return Some(Err(ast.error(*first, takes)));
        }
        (_, []) => return None,
    };
    let window = || {
        let (time, zone) = time_field(ast, time)?;
        let every = every.map(|every| length(ast, every)).transpose()?;
        Ok(Windowing { time, zone, kind, size: length(ast, size)?, every })
    };
    Some(window())
}

/// Returns the window of `time_bucket(interval '5' minute, ts)`. Its buckets begin in 2000, and
/// windows in 1970: sizes that divide a day, and calendar months, have the same bounds by both.
fn bucket(ast: &Ast, args: &[Id]) -> Option<Result<Windowing, Error>> {
    let [size, time] = args else {
        let takes = "time_bucket takes a size and a time: a window with an origin is --offset";
        return args.first().map(|first| Err(ast.error(*first, takes)));
    };
    let is_same = match ast.node(*size) {
        Node::Duration(millis) => *millis > 0 && DAY_MILLIS % *millis == 0,
        Node::Months(months) => matches!(months, 1 | 3 | 12),
        _ => true,
    };
    if !is_same {
        let why = "time_bucket takes a size that divides a day, a month, a quarter or a year; \
                   others, by TUMBLE(time, size), begin at 1970";
        return Some(Err(ast.error(*size, why)));
    }
    windowing(ast, "tumble", &[*time, *size])
}

/// Returns staggered windows by the arrival time.
pub(super) fn staggered(ast: &Ast, size: Id) -> Result<Windowing, Error> {
    let size = length(ast, size)?;
    Ok(Windowing { time: None, zone: None, kind: WindowKind::Stagger, size, every: None })
}

/// Returns the window of `date_trunc`, which `floor(t to minute)` is, too.
fn truncated(ast: &Ast, args: &[Id]) -> Option<Result<Windowing, Error>> {
    let (unit, time, zone) = match args {
        [unit, time] => (*unit, *time, None),
        [unit, time, zone] => (*unit, *time, Some(ast.node(*zone))),
        _ => return None,
    };
    let Node::Text(unit) = ast.node(unit) else { return None };
    let (_, size) = UNITS.iter().find(|(name, _)| *name == &**unit)?;
    let found = time_field(ast, time).map(|(time, written)| {
        let zone = match zone {
            Some(Node::Text(zone)) => Some(zone.to_string()),
            _ => written,
        };
        let (kind, size) = (WindowKind::Aligned, (*size).to_owned());
        Windowing { time, zone, kind, size, every: None }
    });
    Some(found)
}

/// Returns a field or an expression, or `None` for the arrival time, and the time zone of `at time
/// zone`.
fn time_field(ast: &Ast, id: Id) -> Result<(Option<String>, Option<String>), Error> {
    match ast.node(id) {
        Node::Field(_) if is_rowtime(ast, id) => Ok((None, None)),
        Node::Field(_) => Ok((Some(ast.canonical(id)), None)),
        Node::Call { name, args, .. } if &**name == "timezone" => match &**args {
            [zone, time] => match ast.node(*zone) {
                Node::Text(zone) => Ok((time_field(ast, *time)?.0, Some(zone.to_string()))),
                _ => Err(ast.error(*zone, "a time zone is a text in quotes")),
            },
            _ => Err(ast.error(id, "a time zone and a time are expected")),
        },
        Node::Call { .. } | Node::Binary(..) | Node::Cast { .. } | Node::Case { .. } => {
            Ok((Some(ast.canonical(id)), None))
        }
        _ => Err(ast.error(id, "the time of a window is a field, or an expression of fields")),
    }
}

/// Returns true for the arrival time.
pub(super) fn is_rowtime(ast: &Ast, id: Id) -> bool {
    matches!(ast.node(id), Node::Field(name) if last_name(name).eq_ignore_ascii_case(ROWTIME))
}

fn last_name(name: &str) -> &str {
    name.rsplit(['.', '/']).next().unwrap_or(name)
}

/// Returns the length that an interval is, as in a pipeline file.
fn length(ast: &Ast, id: Id) -> Result<String, Error> {
    match ast.node(id) {
        Node::Duration(millis) if *millis > 0 => Ok(duration_text(*millis)),
        Node::Months(months) if *months > 0 => Ok(match months {
            months if months % 12 == 0 => format!("{}y", months / 12),
            months if months % 3 == 0 => format!("{}q", months / 3),
            months => format!("{months}mo"),
        }),
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
    if window.is_none()
        && groups.is_empty()
        && !select.items.iter().any(|item| has_aggregate(ast, item.id))
    {
        return passed_on(ast, select);
    }
    if let Some(Windowing { time, zone, kind, size, every }) = window {
        (spec.time, spec.timezone, spec.every) = (time, zone, every);
        let key = match kind {
            WindowKind::Aligned => &mut spec.window,
            WindowKind::Session => &mut spec.session,
            WindowKind::Stagger => &mut spec.stagger,
        };
        *key = Some(size);
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
    spec.sort = sort(ast, select)?;
    spec.limit = select.limit;
    Ok(statement(spec, select))
}

pub(super) fn statement(spec: PipelineSpec, select: &Select) -> SqlStatement {
    let table = select.tables.first().cloned();
    SqlStatement { spec, files: select.files.clone(), table }
}

/// Returns the pipeline of a `select` without groups and aggregates: each record is a row.
fn passed_on(ast: &Ast, select: &Select) -> Result<SqlStatement, Error> {
    let order = select.order.iter().map(|(id, _)| *id);
    let first = select.items.iter().map(|item| item.id).filter(|_| select.limit.is_some());
    if let Some(id) = order.chain(select.having).chain(first).next() {
        let why = "a statement without aggregates has a row for each record, in their order: \
                   without HAVING, ORDER BY and LIMIT";
        return Err(ast.error(id, why));
    }
    let items = select.items.iter().filter(|item| !is_rowtime(ast, item.id));
    let columns = items.map(|item| named(ast, item.id, item.alias.as_deref())).collect();
    let spec = PipelineSpec {
        filter: select.filter.map(|id| vec![ast.canonical(id)]),
        select: Some(columns),
        ..PipelineSpec::default()
    };
    Ok(statement(spec, select))
}

/// Returns the order of the rows of a window. That of the windows is theirs.
fn sort(ast: &Ast, select: &Select) -> Result<Option<Vec<String>>, Error> {
    let mut order = Vec::new();
    for (id, descending) in &select.order {
        let item = resolved(ast, select, *id)?;
        let is_window = is_bound(ast, item) || window_of(ast, item).is_some();
        match (is_window, descending) {
            (true, false) => {}
            (true, true) => {
                let why = "windows come in the order of time: leave out DESC";
                return Err(ast.error(*id, why));
            }
            (false, true) => order.push(ordered(ast, select, *id) + " desc"),
            (false, false) => order.push(ordered(ast, select, *id)),
        }
    }
    Ok((!order.is_empty()).then_some(order))
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
    // Times in a partition are groups: the window is given.
    let mut groups = select.partition.clone();
    for id in grouped(ast, select)? {
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

/// Returns what is grouped by: each column without an aggregate after `group by all`.
fn grouped(ast: &Ast, select: &Select) -> Result<Vec<Id>, Error> {
    match &select.group[..] {
        [all] if ast.written(*all).eq_ignore_ascii_case("all") => {
            let ids = select.items.iter().map(|item| item.id);
            Ok(ids.filter(|id| !has_aggregate(ast, *id)).collect())
        }
        group => group.iter().map(|id| resolved(ast, select, *id)).collect(),
    }
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
            Some(time.and_then(|(time, zone)| {
                let (kind, size) = (WindowKind::Aligned, length(ast, *size)?);
                Ok(Windowing { time, zone, kind, size, every: None })
            }))
        }
        Node::Call { name, args, .. } => windowing(ast, name, args),
        _ => None,
    }
}

pub(super) fn is_bound(ast: &Ast, id: Id) -> bool {
    match ast.node(id) {
        Node::Field(name) => BOUNDS.iter().any(|bound| name.eq_ignore_ascii_case(bound)),
        Node::Call { name, .. } => BOUNDS.contains(&&**name),
        _ => false,
    }
}

pub(super) fn is_same(ast: &Ast, a: Id, b: Id) -> bool {
    a == b || ast.canonical(a) == ast.canonical(b)
}

pub(super) fn has_aggregate(ast: &Ast, id: Id) -> bool {
    if matches!(ast.node(id), Node::Call { name, .. } if is_aggregate(name)) {
        return true;
    }
    let mut found = false;
    ast.each_child(id, &mut |child| found = found || has_aggregate(ast, child));
    found
}
