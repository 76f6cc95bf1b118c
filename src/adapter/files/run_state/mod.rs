//! The state that a run over files saves for the next run.
//!
//! [`RunState`] has the offset of the run in each file, and the snapshots of the pipelines. A file
//! is recognised by its device and inode and by its counted bytes, never by its name. A file that
//! has grown or was renamed continues at its offset; one that was cut or replaced is a new file and
//! is read from its beginning. [`RunAnswers`] has the answer and the revision of each window: a
//! window and a revision never have two different answers.
//!
//! # Which pipeline has which file
//!
//! Each file has its own pipeline if there are several files, or no watermark (an unbounded
//! out-of-orderness). The answer of a window is the merge of the answers of all files, in the order
//! of the files. It equals the answer of one run that reads them one after the other, whichever
//! file has grown. In a run with a watermark only records of the last file can be late. Its
//! complete windows are kept, because an earlier file may still grow. So all windows are kept, as
//! in a run without a watermark.
//!
//! A run with a watermark over one file is a stream: files that replace it continue its watermark,
//! and complete windows are not kept. A run that follows its files is a stream over any number of
//! them.

mod answers;
mod followed;
mod following;
mod identity;
mod state;

pub use answers::{Judgement, QueryWindow, RunAnswers};
pub(super) use identity::{
    CountedBytes, FOLDER_ENTRIES_MAX, FileId, Fingerprint, OpenFile, unreadable,
};
pub(super) use state::{CountedFile, byte_order_mark};
pub use state::{HeldWindows, RunState};
