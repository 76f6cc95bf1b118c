//! Elements of an array as records: `unnest(tags)`, and `from logs cross join unnest(tags) as tag`.

use super::Select;
use crate::error::Error;
use crate::query::expression::{Ast, Id, Node, Parser};

const UNNEST: &str = "unnest";

/// An `unnest` after `from`, and the names that its element has.
#[derive(Debug)]
pub(super) struct Joined {
    array: Id,
    names: Vec<String>,
}

/// Parses `unnest(tags) as tag` or `unnest(tags) as t(tag)`, if it is next.
pub(super) fn joined(parser: &mut Parser<'_>) -> Result<Option<Joined>, Error> {
    if !(parser.now().is(UNNEST) && parser.ahead()?.is("(")) {
        return Ok(None);
    }
    parser.bump()?;
    parser.expect("(")?;
    let array = parser.expression()?;
    parser.expect(")")?;
    parser.take("as")?;
    let mut names = vec![super::parse::name(parser)?];
    if parser.take("(")? {
        let element = super::parse::name(parser)?;
        names = vec![format!("{}.{element}", names.concat()), element];
        parser.expect(")")?;
    }
    Ok(Some(Joined { array, names }))
}

/// Replaces the element of an array by the field of the array, as `unnest` of a pipeline has it.
/// Returns the field.
///
/// # Errors
/// [`ErrorKind::Parse`](crate::ErrorKind::Parse) if there are two arrays, or if a statement takes
/// the array and its element.
pub(super) fn unnested(ast: &mut Ast, select: &mut Select) -> Result<Option<String>, Error> {
    let ids: Vec<Id> = ast.ids().collect();
    let mut arrays = Vec::new();
    for id in &ids {
        let Node::Call { name, args, .. } = ast.node(*id) else { continue };
        match &**args {
            [array] if &**name == UNNEST => arrays.push((*id, *array)),
            _ if &**name == UNNEST => return Err(ast.error(*id, "unnest takes one field")),
            _ => {}
        }
    }
    let joined = select.joined.take();
    let of_join = joined.iter().map(|joined| (joined.array, joined.array));
    let arrays: Vec<(Id, Id)> = of_join.chain(arrays).collect();
    let Some((_, first)) = arrays.first() else {
        return Ok(None);
    };
    let Node::Field(field) = ast.node(*first).clone() else {
        return Err(ast.error(*first, "unnest takes a field, which is an array"));
    };
    for (_, array) in &arrays {
        if *ast.node(*array) != Node::Field(field.clone()) {
            return Err(ast.error(*array, format!("there is one array: {field} is unnested")));
        }
    }
    let below = format!("{field}.");
    for id in ids {
        let is_array = |name: &str| *name == *field || name.starts_with(&below);
        let is_argument = arrays.iter().any(|(_, array)| *array == id);
        if matches!(ast.node(id), Node::Field(name) if is_array(name)) && !is_argument {
            let why = format!("{field} is unnested: name its element, not the array");
            return Err(ast.error(id, why));
        }
    }
    for (call, array) in arrays {
        ast.replace(call, ast.node(array).clone());
    }
    if let Some(joined) = joined {
        rename_elements(ast, select, &joined.names, &field);
    }
    Ok(Some(field.into()))
}

/// Gives the names of an element the name of its array. The columns keep the names that were
/// written.
fn rename_elements(ast: &mut Ast, select: &mut Select, names: &[String], field: &str) {
    let renamed = |name: &str| {
        names.iter().find_map(|element| match name.strip_prefix(element.as_str())? {
            "" => Some(field.to_owned()),
            rest => rest.starts_with('.').then(|| format!("{field}{rest}")),
        })
    };
    for item in &mut select.items {
        if let Node::Field(name) = ast.node(item.id)
            && renamed(name).is_some()
        {
            item.alias.get_or_insert_with(|| name.to_string());
        }
    }
    ast.rename_fields(renamed);
}
