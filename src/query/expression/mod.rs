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

#[expect(unused_imports, reason = "the evaluator follows")]
pub(crate) use ast::{Ast, HEIGHT_MAX, Id, NODES_MAX, Node, Op, Place, Type};
#[expect(unused_imports, reason = "the evaluator follows")]
pub(crate) use canonical::field_text;
#[expect(unused_imports, reason = "the parser of aggregates follows")]
pub(crate) use lexer::{Kind, Token};
#[expect(unused_imports, reason = "the parser of aggregates follows")]
pub(crate) use parser::{Parser, parse};
