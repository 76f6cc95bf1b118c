//! Answers as files in a directory, in an object store or at one path: JSON Lines or Parquet.

#[cfg(feature = "parquet")]
mod cells;
mod files;
mod held;
mod held_row;
#[cfg(feature = "parquet")]
mod layout;
mod name;
mod one_file;
mod options;
#[cfg(not(feature = "parquet"))]
mod parquet_disabled;
#[cfg(feature = "parquet")]
mod parquet_file;

#[cfg(not(feature = "parquet"))]
use parquet_disabled as parquet_file;

pub use files::AnswerFiles;
pub(super) use files::is_folder;
pub use options::{AnswerFilesOptions, AnswerFormat};
