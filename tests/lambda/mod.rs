//! Lambda handlers with a model of the event source mapping, and the built function with a real
//! Runtime API and a real stream.

mod budget;
mod documents;
#[cfg(feature = "lambda-runtime")]
mod end_to_end;
mod hostile;
mod kafka;
mod mapping;
mod modes;
#[cfg(feature = "kcl")]
mod nested;
#[cfg(feature = "kcl")]
mod queries;
mod stream;
mod time;
