//! Takes answers, and writes the page at their end.

use super::facts::{Facts, Origin};
use super::page::Page;
use crate::view::answers::{ANSWERS_BYTES_MAX, Answer, Answers, TooManyGroups, as_read};
use std::io::{self, Write};
use streamgauge::Timestamp;
use streamgauge::rows::RowEmission;

/// Writes answers as a page.
pub(crate) struct PageWriter<W> {
    out: W,
    answers: Answers,
    origin: Origin,
    facts: Facts,
    /// The time of the last record, if that is known.
    latest: Option<Timestamp>,
    /// False if the rows to come are of incomplete windows.
    is_complete: bool,
    /// True if the page is served while the run goes on.
    is_served: bool,
}

impl<W: Write> PageWriter<W> {
    /// A page of answers that are to come.
    pub(crate) fn new(
        out: W,
        group_names: Vec<String>,
        columns: Vec<String>,
        origin: Origin,
    ) -> Self {
        PageWriter::of(out, Answers::new(group_names, columns), origin)
    }

    /// A page of answers that were read.
    pub(crate) fn of(out: W, answers: Answers, origin: Origin) -> Self {
        let facts = Facts::default();
        PageWriter {
            out,
            answers,
            origin,
            facts,
            latest: None,
            is_complete: true,
            is_served: false,
        }
    }

    /// Takes an answer of a run.
    ///
    /// # Errors
    /// The groups of one window are too many to be kept.
    pub(crate) fn emission(&mut self, emission: &RowEmission) -> io::Result<()> {
        self.take(Answer {
            window: emission.window,
            group: emission.group.clone(),
            revision: emission.revision,
            is_complete: self.is_complete,
            is_retracted: emission.is_retracted(),
            values: emission.values.iter().cloned().map(as_read).collect(),
        })
    }

    fn take(&mut self, answer: Answer) -> io::Result<()> {
        self.answers.take(answer).map_err(|TooManyGroups| {
            io::Error::other(format!(
                "a page keeps {} MiB of answers, and the groups of one window are more: use \
                 --limit-groups, or another --output",
                ANSWERS_BYTES_MAX >> 20
            ))
        })
    }

    /// Declares that the following rows belong to incomplete windows.
    pub(crate) fn set_incomplete(&mut self) {
        self.is_complete = false;
    }

    /// Declares that the page is served while the run goes on.
    #[cfg(feature = "serve")]
    pub(crate) fn set_served(&mut self) {
        self.is_served = true;
    }

    /// Takes the time of the last record.
    pub(crate) fn set_latest(&mut self, latest: Option<Timestamp>) {
        self.latest = latest;
    }

    /// Takes what was counted beside the answers.
    pub(crate) fn set_facts(&mut self, facts: Facts) {
        self.facts = facts;
    }

    /// Writes the page.
    ///
    /// # Errors
    /// Those of the output.
    pub(crate) fn finish(&mut self) -> io::Result<()> {
        let Self { answers, origin, facts, latest, is_served, .. } = self;
        let page = Page { answers, origin, facts, latest: *latest, is_served: *is_served };
        self.out.write_all(page.html().as_bytes())?;
        self.out.flush()
    }
}
