//! Answers for people to look at: a page, and what other views share with it.

mod answers;
mod columns;
mod exactness;
pub(crate) mod html;
mod numbers;
mod scale;
mod text;
mod times;
