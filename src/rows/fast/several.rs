//! Prepared rows that several queries take: each as fast as it can, and their answers in the order
//! of the rows.

use super::prepared_rows::PreparedRows;
use crate::engine::{Control, Outcome, Shard};
use crate::error::Error;
use crate::rows::RowPipeline;
use crate::rows::several::Outcomes;

impl RowPipeline {
    /// Adds rows to all queries: see [`push_prepared`](RowPipeline::push_prepared).
    ///
    /// Each query goes on to its next event: a row that is to be told, or one that completes a
    /// window. Then the first event of all is next. A query that is past it waits, and so do its
    /// answers.
    #[inline(never)]
    pub(in crate::rows) fn push_prepared_to_all(
        &mut self,
        shard: Shard,
        rows: &mut PreparedRows,
        until: usize,
    ) -> Result<Option<(usize, Outcome<String>)>, Error> {
        let mut others = std::mem::take(&mut rows.others);
        let mut gone_on = self.go_on(shard, rows, until);
        for (query, rows) in self.others.iter_mut().zip(&mut others) {
            gone_on = gone_on.and_then(|()| query.go_on(shard, rows, until));
        }
        rows.others = others;
        gone_on?;
        let taken = rows.taken();
        let mut all = Outcomes::default();
        let told = self.wait(rows, taken);
        all.add(told, self.form());
        for (query, rows) in self.others.iter_mut().zip(&mut rows.others) {
            let told = query.wait(rows, taken);
            all.add(told, query.form());
        }
        Ok(match all.joined() {
            Outcome::Blank => None,
            told => Some((taken.saturating_sub(1), told)),
        })
    }

    /// Lets the query wait if it is past the row before `taken`. Returns what is to be told of that
    /// row; `Blank` for nothing.
    fn wait(&mut self, rows: &mut PreparedRows, taken: usize) -> Outcome<String> {
        self.is_ahead = rows.taken_here() > taken;
        let told = if self.is_ahead { None } else { rows.told.take() };
        told.unwrap_or(Outcome::Blank)
    }

    /// Takes the rows up to the query's next event, unless it waits at one.
    fn go_on(&mut self, shard: Shard, rows: &mut PreparedRows, until: usize) -> Result<(), Error> {
        let waits = rows.told.is_some() || self.engine.is_due();
        if !waits && rows.taken_here() < until {
            let told = self.push_own_prepared(shard, rows, until)?;
            rows.told = told.map(|(_, outcome)| outcome);
        }
        Ok(())
    }
}
