//! Answers for people to look at.

pub(crate) mod html;
