//! The screen of a run in the terminal: `--live`.
//!
//! The run hands over its answers, its counts and what it has to say, and goes on. A thread of its
//! own reads keys and draws. What is kept is [limited](limits). A frame is drawn only if something
//! has changed, and only its changed cells are written. The terminal is given back at the end,
//! after an error, a signal and a panic.
//!
//! Open windows are shown by early answers, which raise the revision of the answer that follows.
//! So they are made only if the screen alone takes the answers: nobody else sees that revision.

mod canvas;
mod charts;
mod choice;
mod draw;
mod facts;
mod feed;
mod layout;
mod limits;
mod lists;
mod palette;
mod panels;
mod picture;
mod report;
mod screen;
mod signs;
mod terminal;
#[cfg(test)]
mod tests;
mod writer;

pub(crate) use writer::LiveWriter;
