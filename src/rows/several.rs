//! Several queries over the same rows: each gets every row, in their order.

use super::explain::Explanation;
use super::row_pipeline::{OutputColumn, RowPipeline};
use crate::engine::{Control, Outcome, Shard, Stats};
use crate::error::Error;
use crate::record::Sequence;
use crate::row::Row;
use crate::rows::{RowEmission, RowForm};
use crate::time::Timestamp;
use crate::window::Windows;
use std::iter::once;
use std::sync::Arc;

/// One of the queries of a [`RowPipeline`].
///
/// # Example
/// ```
/// use streamgauge::query::PipelineSpec;
/// use streamgauge::rows::CompileOptions;
/// let toml = "[[query]]\nname = 'hits'\n[[query]]\nname = 'bytes'\nagg = 'sum(bytes)'";
/// let pipeline = PipelineSpec::from_toml(toml, "p.toml")?.compile(&CompileOptions::default())?;
/// let names: Vec<_> = pipeline.queries().map(|query| query.name()).collect();
/// assert_eq!(names, [Some("hits"), Some("bytes")]);
/// # Ok::<(), streamgauge::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Query<'a>(&'a RowPipeline);

impl<'a> Query<'a> {
    /// Returns the name; `None` for the one query of a pipeline without tables `query`.
    pub fn name(&self) -> Option<&'a str> {
        self.0.form().query.as_deref()
    }

    /// Returns what all rows of the query's answers have in common.
    pub fn form(&self) -> &'a Arc<RowForm> {
        self.0.form()
    }

    /// Returns the columns of the answer.
    pub fn columns(&self) -> &'a [OutputColumn] {
        self.0.columns()
    }

    /// Returns the windows.
    pub fn windows(&self) -> &'a Windows {
        self.0.windows()
    }

    /// Returns the explanation of the query and its cost.
    pub fn explain(&self) -> &'a Explanation {
        self.0.explain()
    }

    /// Returns the event time up to which the query has all records.
    pub fn watermark(&self) -> Option<Timestamp> {
        self.0.engine.watermark()
    }

    /// Returns the counts of the query: those that a pipeline of this query alone would have.
    pub fn stats(&self) -> Stats {
        self.0.engine.stats()
    }
}

/// The outcomes of one record in several queries.
#[derive(Debug, Default)]
pub(super) struct Outcomes {
    /// The outcome that tells most, without the dead letters.
    most: Option<Outcome<()>>,
    /// Why the record is a dead letter, and for which queries.
    refusals: Vec<(String, Vec<Arc<RowForm>>)>,
    queries: usize,
}

impl Outcomes {
    /// Adds the outcome in the query whose rows have this form.
    #[inline]
    pub(super) fn add(&mut self, outcome: Outcome<String>, form: &Arc<RowForm>) {
        self.queries += 1;
        if let Outcome::DeadLetter(reason) = outcome {
            return self.refuse(reason, form);
        }
        let outcome = outcome.map_dead_letter(|_| ());
        if self.most.is_none_or(|most| rank(&outcome) > rank(&most)) {
            self.most = Some(outcome);
        }
    }

    #[cold]
    fn refuse(&mut self, reason: String, form: &Arc<RowForm>) {
        match self.refusals.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, forms)) => forms.push(form.clone()),
            None => self.refusals.push((reason, vec![form.clone()])),
        }
    }

    /// Returns the one outcome of the record: that of a query which refused it, or for which it was
    /// late, before others. The reason of a dead letter has the names of the queries, unless all
    /// refused the record for the same reason.
    pub(super) fn joined(self) -> Outcome<String> {
        match (self.refusals.is_empty(), self.most) {
            (true, Some(most)) => most.map_dead_letter(|()| String::new()),
            (true, None) => Outcome::Blank,
            (false, _) => Outcome::DeadLetter(self.reason()),
        }
    }

    #[cold]
    fn reason(&self) -> String {
        let reasons = self.refusals.iter().map(|(reason, forms)| {
            if forms.len() == self.queries {
                return reason.clone();
            }
            let names: Vec<_> = forms.iter().filter_map(|form| form.query.as_deref()).collect();
            let noun = if names.len() == 1 { "query" } else { "queries" };
            format!("{noun} {}: {reason}", names.join(", "))
        });
        reasons.collect::<Vec<_>>().join("; ")
    }
}

/// The order in which outcomes tell more of a record.
fn rank(outcome: &Outcome<()>) -> u8 {
    match outcome {
        Outcome::Late(_) => 5,
        Outcome::Applied => 4,
        Outcome::BetweenWindows => 3,
        Outcome::Filtered => 2,
        Outcome::Duplicate => 1,
        _ => 0,
    }
}

impl RowPipeline {
    /// Makes one pipeline of several, which were compiled over the same fields.
    pub(super) fn of_several(pipelines: Vec<RowPipeline>) -> Result<RowPipeline, Error> {
        let mut pipelines = pipelines.into_iter();
        let first = pipelines.next();
        let mut first = first.ok_or_else(|| Error::invalid("query: the list is empty"))?;
        first.others = pipelines.collect();
        // Nobody else has the preparer yet.
        if let Some(preparer) = Arc::get_mut(&mut first.preparer)
            && !first.others.is_empty()
        {
            preparer.others = first.others.iter().map(|other| other.preparer.clone()).collect();
            preparer.preaggregation = None;
        }
        Ok(first)
    }

    /// Returns the queries, in the order of the specification. The rows of their answers come in
    /// that order, too, where several have an answer at the same record.
    pub fn queries(&self) -> impl Iterator<Item = Query<'_>> {
        once(Query(self)).chain(self.others.iter().map(Query))
    }

    /// Splits the pipeline into one of each query, with its state. Each gets rows of its own then.
    ///
    /// # Example
    /// ```
    /// use streamgauge::query::PipelineSpec;
    /// use streamgauge::rows::CompileOptions;
    /// let toml = "[[query]]\nname = 'hits'\n[[query]]\nname = 'bytes'\nagg = 'sum(bytes)'";
    /// let spec = PipelineSpec::from_toml(toml, "p.toml")?;
    /// let queries = spec.compile(&CompileOptions::default())?.into_queries();
    /// assert_eq!(queries[1].form().query.as_deref(), Some("bytes"));
    /// # Ok::<(), streamgauge::Error>(())
    /// ```
    pub fn into_queries(mut self) -> Vec<RowPipeline> {
        let others = std::mem::take(&mut self.others);
        if let Some(preparer) = Arc::get_mut(&mut self.preparer) {
            preparer.others.clear();
        }
        once(self).chain(others).collect()
    }

    /// Adds a row to all queries: see [`push`](RowPipeline::push).
    #[inline(never)]
    pub(super) fn push_to_all(
        &mut self,
        shard: Shard,
        row: &mut Row,
        (arrival, sequence): (Timestamp, Option<&Sequence>),
    ) -> Result<Outcome<String>, Error> {
        // An element of a record that is applied in part goes to the queries that do not have it.
        let first = if self.engine.is_applied_in_part() { self.have_row } else { 0 };
        self.have_row = first;
        // What one query has no room for, no query takes.
        let selects = once(&self.select).chain(self.others.iter().map(|other| &other.select));
        selects.flatten().try_for_each(|select| select.check_room())?;
        let mut all = Outcomes { queries: first, ..Outcomes::default() };
        for index in first..=self.others.len() {
            let query = match index.checked_sub(1).and_then(|other| self.others.get_mut(other)) {
                Some(other) => other,
                None => &mut *self,
            };
            match query.push_shared((shard, sequence), row, arrival) {
                Ok(outcome) => all.add(outcome, query.form()),
                Err(error) => {
                    self.have_row = index;
                    return Err(error);
                }
            }
        }
        self.have_row = 0;
        Ok(all.joined())
    }

    /// Adds a row that other queries get, too.
    #[inline]
    fn push_shared(
        &mut self,
        (shard, sequence): (Shard, Option<&Sequence>),
        row: &mut Row,
        arrival: Timestamp,
    ) -> Result<Outcome<String>, Error> {
        if let Some(sequence) = sequence
            && self.engine.is_duplicate(shard, sequence)
        {
            return Ok(Outcome::Duplicate);
        }
        if let (Some(select), Some(sequence)) = (&mut self.select, sequence) {
            select.set_position(sequence, 0);
        }
        let preparation = self.preparer.prepare_shared(row, arrival);
        self.push_as(preparation, (shard, row, sequence))
    }

    /// Fills `row` with the next row of the answers of the other queries.
    pub(super) fn fill_next_of_others(&mut self, row: &mut RowEmission) -> Result<bool, Error> {
        for other in &mut self.others {
            if other.fill_own(row)? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
