//! The functions of expressions: one table with the name, the arguments, what a function gives, and
//! a line of help.

mod called;
mod function;
mod numbers;
mod reference;
mod texts;
mod times;

pub use called::functions;

pub(super) use function::Gives;
pub(super) use reference::LOOKUP;
