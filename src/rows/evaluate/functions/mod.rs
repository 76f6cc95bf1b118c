//! The functions of expressions: one table with the name, the arguments, what a function gives, and
//! a line of help.

mod function;
mod lookup;
mod numbers;
mod texts;
mod times;

pub use lookup::functions;

pub(super) use function::Gives;
