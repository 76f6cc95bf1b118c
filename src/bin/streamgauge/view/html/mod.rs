//! Answers as a page of HTML: one file that needs nothing else.
//!
//! The page is readable without its script, which adds a choice of windows, sorting and a cursor.
//! Its content security policy allows this script and this style alone, and no network. Equal
//! answers are equal bytes. What a page shows is [limited](limits), and so is what is kept until
//! it is written, at the end.

mod answers;
mod bars;
mod chart;
mod columns;
mod details;
mod exactness;
mod facts;
mod json;
mod limits;
mod lines;
mod model;
mod numbers;
mod page;
mod panels;
mod policy;
mod scale;
mod tables;
#[cfg(test)]
mod tests;
mod text;
mod thin;
mod times;
mod top;
mod top_table;
mod writer;

pub(crate) use facts::{Facts, Origin};
pub(crate) use json::AnswersReader;
pub(crate) use times::Zone;
pub(crate) use writer::PageWriter;
