//! The text of a node in one fixed spelling, which parses to the same tree.
//!
//! Columns are named by it, equal expressions are found by it, and a state knows the pipeline again
//! by it. So it does not depend on spaces, upper and lower case of keywords, needless parentheses,
//! or which of two spellings of an operator was chosen.

use super::ast::{Ast, Id, Node, Op};
use super::lexer::{is_one_word, pointer_length};
use super::parser::{IS, KEYWORDS, PATTERN, power};
use std::fmt::Write;

/// How tightly `not` binds its operand.
const NOT: u8 = 30;

/// How tightly a sign binds its operand.
const SIGN: u8 = 80;

/// How tightly what needs no parentheses binds.
const ATOM: u8 = 100;

impl Ast {
    /// Returns the canonical text of a node.
    pub(crate) fn canonical(&self, id: Id) -> String {
        let mut out = String::new();
        self.write(id, &mut out);
        out
    }

    fn write(&self, id: Id, out: &mut String) {
        match self.node(id) {
            Node::Not(of) => {
                out.push_str("not ");
                self.write_tight(*of, NOT + 1, out);
            }
            Node::Neg(of) => {
                out.push('-');
                self.write_tight(*of, SIGN + 1, out);
            }
            Node::Exists(of) => {
                out.push_str("exists ");
                self.write(*of, out);
            }
            Node::Binary(op, left, right) => {
                self.write_tight(*left, power(*op), out);
                let _ = write!(out, " {} ", op.symbol());
                self.write_tight(*right, power(*op) + 1, out);
            }
            Node::Many(op, parts) => self.write_many(*op, parts, out),
            Node::IsNull { of, negated } => {
                self.write_tight(*of, IS, out);
                out.push_str(if *negated { " is not null" } else { " is null" });
            }
            Node::In { of, list, negated } => {
                self.write_tight(*of, PATTERN, out);
                out.push_str(if *negated { " not in (" } else { " in (" });
                self.write_list(list, out);
                out.push(')');
            }
            Node::Between { of, low, high, negated } => {
                self.write_tight(*of, PATTERN, out);
                out.push_str(if *negated { " not between " } else { " between " });
                self.write_tight(*low, PATTERN + 1, out);
                out.push_str(" and ");
                self.write_tight(*high, PATTERN + 1, out);
            }
            Node::Case { .. } => self.write_case(id, out),
            Node::Cast { of, to, trying } => {
                out.push_str(if *trying { "try_cast(" } else { "cast(" });
                self.write(*of, out);
                let _ = write!(out, " as {})", to.name());
            }
            Node::Call { .. } => self.write_call(id, out),
            Node::Tuple(parts) => {
                out.push('(');
                self.write_list(parts, out);
                out.push(')');
            }
            leaf => write_leaf(leaf, out),
        }
    }

    /// Writes a node, in parentheses if it binds less tightly than `least`.
    fn write_tight(&self, id: Id, least: u8, out: &mut String) {
        let is_loose = self.power_of(id) < least;
        out.push_str(if is_loose { "(" } else { "" });
        self.write(id, out);
        out.push_str(if is_loose { ")" } else { "" });
    }

    fn power_of(&self, id: Id) -> u8 {
        match self.node(id) {
            Node::Not(_) => NOT,
            Node::Neg(_) => SIGN,
            Node::Int(value) if *value < 0 => SIGN,
            Node::Float(value) if value.is_sign_negative() => SIGN,
            Node::Duration(millis) if *millis < 0 => SIGN,
            Node::Binary(op, ..) | Node::Many(op, _) => power(*op),
            Node::IsNull { .. } => IS,
            Node::In { .. } | Node::Between { .. } => PATTERN,
            _ => ATOM,
        }
    }

    fn write_many(&self, op: Op, parts: &[Id], out: &mut String) {
        for (index, part) in parts.iter().enumerate() {
            if index > 0 {
                let _ = write!(out, " {} ", op.symbol());
            }
            self.write_tight(*part, power(op) + 1, out);
        }
    }

    fn write_list(&self, list: &[Id], out: &mut String) {
        for (index, item) in list.iter().enumerate() {
            out.push_str(if index > 0 { ", " } else { "" });
            self.write(*item, out);
        }
    }

    fn write_case(&self, id: Id, out: &mut String) {
        let Node::Case { of, arms, otherwise } = self.node(id) else { return };
        out.push_str("case");
        if let Some(of) = of {
            out.push(' ');
            self.write(*of, out);
        }
        for (when, then) in arms {
            out.push_str(" when ");
            self.write(*when, out);
            out.push_str(" then ");
            self.write(*then, out);
        }
        if let Some(otherwise) = otherwise {
            out.push_str(" else ");
            self.write(*otherwise, out);
        }
        out.push_str(" end");
    }

    fn write_call(&self, id: Id, out: &mut String) {
        let Node::Call { name, args, star, distinct, by, filter } = self.node(id) else { return };
        out.push_str(name);
        out.push_str(if *distinct { "(distinct " } else { "(" });
        out.push_str(if *star { "*" } else { "" });
        // In top(10, url by bytes, 1000) the weight stands beside the key.
        let weighted = args.len().min(2);
        for (index, argument) in args.iter().enumerate() {
            out.push_str(if index > 0 { ", " } else { "" });
            self.write(*argument, out);
            if let Some(by) = by.filter(|_| index + 1 == weighted) {
                out.push_str(" by ");
                self.write(by, out);
            }
        }
        out.push(')');
        if let Some(filter) = filter {
            out.push_str(" filter (where ");
            self.write(*filter, out);
            out.push(')');
        }
    }
}

fn write_leaf(leaf: &Node, out: &mut String) {
    // Writing to a text does not fail.
    let _ = match leaf {
        Node::Bool(value) => write!(out, "{value}"),
        Node::Int(value) => write!(out, "{value}"),
        Node::Float(value) => write!(out, "{value:?}"),
        Node::Text(text) => write!(out, "'{}'", text.replace('\'', "''")),
        Node::Time(time) => write!(out, "timestamp '{time}'"),
        Node::Duration(millis) => {
            write_duration(*millis, out);
            Ok(())
        }
        Node::Months(months) => write!(out, "interval '{months}' month"),
        Node::Field(name) => write!(out, "{}", field_text(name)),
        _ => write!(out, "null"),
    };
}

/// Returns a field as it is written in an expression: bare if it can be.
pub(crate) fn field_text(name: &str) -> String {
    let is_keyword = KEYWORDS.iter().any(|keyword| name.eq_ignore_ascii_case(keyword));
    let is_pointer = name.strip_prefix('/').is_some_and(|rest| {
        rest.starts_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '@' | '$'))
            && pointer_length(name) == name.len()
    });
    if is_pointer || is_one_word(name) && !is_keyword {
        name.to_owned()
    } else {
        format!("\"{}\"", name.replace('"', "\"\""))
    }
}

/// Returns a duration in the fewest units, such as `1h30m`.
pub(crate) fn duration_text(millis: i64) -> String {
    let mut out = String::new();
    write_duration(millis, &mut out);
    out
}

fn write_duration(millis: i64, out: &mut String) {
    out.push_str(if millis < 0 { "-" } else { "" });
    let mut rest = millis.unsigned_abs();
    if rest == 0 {
        out.push_str("0s");
    }
    for (unit, length) in [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000)] {
        if rest >= length {
            let _ = write!(out, "{}{unit}", rest / length);
            rest %= length;
        }
    }
    if rest > 0 {
        let _ = write!(out, "{rest}ms");
    }
}
