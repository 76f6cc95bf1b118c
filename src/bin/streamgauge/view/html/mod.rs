//! Answers as a page of HTML: one file that needs nothing else.
//!
//! The page is readable without its script, which adds a choice of windows, sorting and a cursor.
//! Its content security policy allows this script and this style alone, and no network. Equal
//! answers are equal bytes. What a page shows is [limited](limits), and so is what is kept until
//! it is written, at the end.

mod bars;
mod chart;
mod details;
mod facts;
mod json;
mod limits;
mod lines;
mod model;
mod page;
mod panels;
mod policy;
mod tables;
#[cfg(test)]
mod tests;
mod thin;
mod top;
mod top_table;
mod writer;

pub(crate) use crate::view::times::Zone;
pub(crate) use facts::{Facts, Origin};
pub(crate) use json::AnswersReader;
pub(crate) use writer::PageWriter;
