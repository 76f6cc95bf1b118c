//! The expression language: SQL's expressions over the fields of a record.
//!
//! [`parse`] makes an [`Ast`] of a text. The tree has no types: whoever evaluates it finds out
//! which values fit together. [`Ast::canonical`] is the text of a node in one fixed spelling.
//!
//! Every bound is fixed: a text has at most 64 KiB, brackets are nested at most 100 deep, a tree is
//! at most 500 nodes high and has at most 10,000 nodes. So a hostile text costs bounded time and
//! stack.

mod ast;
mod canonical;
mod forms;
mod lexer;
mod parser;
mod position;
#[cfg(test)]
mod tests;

pub(crate) use ast::{Ast, Id, Node, Op, Type};
pub(crate) use canonical::{duration_text, field_text};
pub(crate) use lexer::Kind;
pub(crate) use parser::{Parser, parse};
