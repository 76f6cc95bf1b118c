//! What a run over files keeps for the run that is started after it.
//!
//! [`RunState`] says where the run stands in each file, and holds the pipelines' snapshots. A file
//! is known by its device and inode and by the bytes that were counted of it, never by its name: a
//! file that has grown or was renamed goes on where it stopped, and one that was cut or replaced is
//! a new file, read from its beginning. [`RunAnswers`] says which answer each window was given,
//! with which revision: of one window and revision there is never another answer.
//!
//! # Which pipeline has which file
//! Without a watermark (an unbounded out-of-orderness) or of several files, each file has a
//! pipeline of its own. The answer of a window is the merge of those of all files, in the order of
//! the files: that of one run that reads them one after the other, whichever of them has grown. Of
//! a run with a watermark only the last file's records can be late; the windows that it completes
//! are held, since an earlier file may still grow. So all windows are kept, as they are without a
//! watermark.
//!
//! A run with a watermark over one file is a stream: files that come in its place go on with its
//! watermark, and windows that are complete are not kept.

mod answers;
mod identity;
mod state;

pub use answers::{Judgement, RunAnswers};
pub use state::{HeldWindows, RunState};
