//! What the run and its server share.

use super::limits::PAGE_EVERY;
use super::prometheus;
use crate::summary::Summary;
use crate::view::Counts;
use crate::view::answers::Answers;
use crate::view::html::{Facts, Origin, PageWriter};
use crate::view::metrics::Metrics;
use crate::view::told::SharedTold;
use bytes::Bytes;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// The last page that was made.
#[derive(Default)]
struct Made {
    page: Bytes,
    version: u64,
    at: Option<Instant>,
}

/// What the run and its server share.
#[derive(Clone)]
pub(super) struct Shared {
    told: SharedTold,
    made: Arc<Mutex<Made>>,
    origin: Arc<Origin>,
    metrics: Arc<Metrics>,
}

impl Shared {
    pub(super) fn new((told, metrics): (SharedTold, Arc<Metrics>), origin: Origin) -> Self {
        Shared { told, made: Arc::default(), origin: Arc::new(origin), metrics }
    }

    /// Returns true if there are answers that the last page does not have.
    pub(super) fn is_new(&self) -> bool {
        let version = self.told.lock().version;
        self.made().version != version
    }

    fn made(&self) -> MutexGuard<'_, Made> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the metrics.
    pub(super) fn metrics(&self, is_open: bool) -> Bytes {
        let told = self.told.lock();
        Bytes::from(prometheus::text(&self.metrics, &told, is_open))
    }

    /// Returns the page, which is made again if there are new answers and the last one is old
    /// enough.
    pub(super) fn page(&self) -> Bytes {
        let mut made = self.made();
        let told = self.told.lock();
        let is_old = made.at.is_none_or(|at| at.elapsed() >= PAGE_EVERY);
        if !is_old || made.at.is_some() && made.version == told.version {
            return made.page.clone();
        }
        let (version, counts, windows) = (told.version, told.counts, told.windows);
        let mut answers = Answers::new(told.kept.group_names.clone(), told.kept.columns.clone());
        for (_, answer) in told.kept.windows().flat_map(|window| window.rows()) {
            // The answers that are kept are fewer than a page can have.
            let _ = answers.take(answer.clone());
        }
        drop(told);
        made.page = Bytes::from(self.html(answers, (counts, windows)));
        (made.version, made.at) = (version, Some(Instant::now()));
        made.page.clone()
    }

    fn html(&self, answers: Answers, (counts, windows): (Counts, u64)) -> Vec<u8> {
        let mut page = Vec::new();
        let mut writer = PageWriter::of(&mut page, answers, (*self.origin).clone());
        let Counts { records, filtered, late, dead_letters, .. } = counts;
        let applied = records.saturating_sub(filtered).saturating_sub(late);
        let applied = applied.saturating_sub(dead_letters);
        let summary = Summary {
            records,
            applied,
            filtered,
            dead_letters,
            late,
            windows,
            ..Summary::default()
        };
        writer.set_facts(Facts::of_run(&summary));
        writer.set_served();
        // Writing into memory does not fail.
        let _ = writer.finish();
        drop(writer);
        page
    }
}
