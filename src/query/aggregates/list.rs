//! The lists of a query: columns, groups, conditions and orders.

use super::lowering::{Lowering, Names};
use super::{Answers, Column, Slots, SortKey};
use crate::error::Error;
use crate::query::expression::{Ast, Id, Kind, Node, Parser, field_text};

/// An expression of a list, and what follows it.
struct Item {
    id: Id,
    /// The name after `as`.
    alias: Option<String>,
    /// Whether `desc` follows.
    is_descending: bool,
}

/// What may follow an expression of a list.
#[derive(Clone, Copy, PartialEq)]
enum Suffix {
    /// `as name`.
    Alias,
    /// `asc` or `desc`.
    Direction,
}

impl Answers {
    /// Adds the columns of a text such as `count, sum(bytes) as bytes`.
    ///
    /// # Errors
    /// [`ErrorKind::Parse`](crate::ErrorKind::Parse) with the column, if the text is not a list of
    /// aggregates.
    pub(crate) fn add_columns(&mut self, text: &str, slots: &mut Slots<'_>) -> Result<(), Error> {
        let wanted = "an aggregate such as count or sum(bytes)";
        let (mut ast, items) = parse_list(text, Suffix::Alias, wanted)?;
        for Item { id, alias, .. } in items {
            let name = alias.unwrap_or_else(|| ast.canonical(id));
            let names = Names::Aggregates;
            let answer = Lowering { ast: &mut ast, answers: self, slots, names }.lower(id)?;
            self.columns.push(Column { name, answer });
        }
        Ok(())
    }

    /// Adds a condition on rows, over aggregates, the columns so far and the names of groups.
    ///
    /// # Errors
    /// [`ErrorKind::Parse`](crate::ErrorKind::Parse) with the column.
    pub(crate) fn add_having(
        &mut self,
        text: &str,
        groups: &[String],
        slots: &mut Slots<'_>,
    ) -> Result<(), Error> {
        let (mut ast, id) = crate::query::expression::parse(text)?;
        let names = Names::Columns(groups);
        let answer = Lowering { ast: &mut ast, answers: self, slots, names }.lower(id)?;
        self.having.push(answer);
        Ok(())
    }

    /// Adds the order of a text such as `bytes desc, country`.
    ///
    /// # Errors
    /// [`ErrorKind::Parse`](crate::ErrorKind::Parse) with the column.
    pub(crate) fn add_sort(
        &mut self,
        text: &str,
        groups: &[String],
        slots: &mut Slots<'_>,
    ) -> Result<(), Error> {
        let (mut ast, items) = parse_list(text, Suffix::Direction, "a column")?;
        for Item { id, is_descending, .. } in items {
            let names = Names::Columns(groups);
            let answer = Lowering { ast: &mut ast, answers: self, slots, names }.lower(id)?;
            self.sort.push(SortKey { answer, is_descending });
        }
        Ok(())
    }
}

/// Parses a list of expressions to group by. Returns each with its name and slot.
///
/// # Errors
/// [`ErrorKind::Parse`](crate::ErrorKind::Parse) with the column, if the text is not such a list.
pub(crate) fn parse_group(
    text: &str,
    slots: &mut Slots<'_>,
) -> Result<Vec<(String, usize)>, Error> {
    let (ast, items) = parse_list(text, Suffix::Alias, "a field or an expression")?;
    let mut group = Vec::new();
    for Item { id, alias, .. } in items {
        let name = alias.unwrap_or_else(|| match ast.node(id) {
            Node::Field(name) => name.to_string(),
            _ => ast.canonical(id),
        });
        group.push((name, slots(&ast, id)?));
    }
    Ok(group)
}

/// Parses a text that is one field. Returns its name.
///
/// # Errors
/// [`ErrorKind::Parse`](crate::ErrorKind::Parse) with the column, if it is not.
pub(crate) fn parse_field(text: &str) -> Result<String, Error> {
    let (ast, items) = parse_list(text, Suffix::Alias, "the name of a field")?;
    let [Item { id, .. }] = items.as_slice() else {
        let count = items.len();
        return Err(Error::invalid(format!(
            "{text:?}: one field holds the event time, not {count}"
        )));
    };
    match ast.node(*id) {
        Node::Field(name) => Ok(name.to_string()),
        _ => {
            let written = ast.written(*id);
            Err(ast.error(*id, format!("one field is expected, not {written}")))
        }
    }
}

/// Returns a list in one fixed spelling: the canonical text of each expression, with its name. A
/// text that is no list is returned as it is.
pub(crate) fn canonical_list(text: &str) -> String {
    let Ok((ast, items)) = parse_list(text, Suffix::Alias, "") else { return text.to_owned() };
    let written = items.iter().map(|item| {
        let expression = ast.canonical(item.id);
        match &item.alias {
            Some(alias) => format!("{expression} as {}", field_text(alias)),
            None => expression,
        }
    });
    written.collect::<Vec<_>>().join(", ")
}

/// Parses a list. `wanted` says what its elements are.
fn parse_list(text: &str, suffix: Suffix, wanted: &str) -> Result<(Ast, Vec<Item>), Error> {
    let mut parser = Parser::new(text)?;
    let mut items = Vec::new();
    loop {
        if parser.now().kind == Kind::End {
            return Err(parser.unexpected(wanted));
        }
        let id = parser.expression()?;
        let mut item = Item { id, alias: None, is_descending: false };
        if suffix == Suffix::Alias && parser.take("as")? {
            item.alias = Some(alias(&mut parser)?);
        }
        if suffix == Suffix::Direction {
            item.is_descending = parser.take("desc")?;
            if !item.is_descending {
                parser.take("asc")?;
            }
        }
        items.push(item);
        if !parser.take(",")? {
            break;
        }
    }
    if parser.now().kind != Kind::End {
        return Err(parser.unexpected_operator(match suffix {
            Suffix::Alias => "an operator, a comma or \"as\"",
            Suffix::Direction => "an operator, a comma, \"asc\" or \"desc\"",
        }));
    }
    Ok((parser.finish()?, items))
}

/// Parses the name after `as`.
fn alias(parser: &mut Parser<'_>) -> Result<String, Error> {
    let token = parser.now();
    if !matches!(token.kind, Kind::Word | Kind::Name | Kind::Text) {
        return Err(parser.unexpected("a name after \"as\""));
    }
    parser.bump()?;
    Ok(token.content())
}
