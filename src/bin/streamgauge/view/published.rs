//! The answers of a run, published while it goes on: served by HTTP, or pushed to a receiver.

use crate::failure::Failure;
use crate::view::html::Origin;
use crate::view::kept::Kept;
use crate::view::metrics::{Metrics, chosen};
use crate::view::otlp::{Exporter, OtlpOptions};
use crate::view::serve::{ServeOptions, Server};
use crate::view::told::SharedTold;
use crate::view::{Counts, Watcher};
use std::sync::Arc;
use streamgauge::Window;
use streamgauge::rows::RowEmission;

/// Buckets of each sign of a histogram: twice the number that OpenTelemetry's own programs have.
const BUCKETS_MAX: usize = 320;

/// Where and what is published.
#[derive(Clone, Debug)]
pub(crate) struct PublishOptions {
    /// The columns that are metrics; none for all columns of numbers.
    pub(crate) metrics: Vec<String>,
    pub(crate) serve: Option<ServeOptions>,
    pub(crate) otlp: Option<OtlpOptions>,
}

impl PublishOptions {
    /// Returns the number of buckets of histograms beside percentiles, if somebody takes them.
    pub(crate) fn histograms(&self) -> Option<usize> {
        self.otlp.is_some().then_some(BUCKETS_MAX)
    }
}

/// Takes the answers of a run and publishes them while it goes on.
pub(crate) struct PublishedWriter {
    told: SharedTold,
    metrics: Arc<Metrics>,
    last: Option<(Option<Window>, u32)>,
    /// Pushes for the last time when it is dropped.
    _exporter: Option<Exporter>,
    /// Ends when it is dropped.
    _server: Option<Server>,
}

impl PublishedWriter {
    /// Starts what publishes the answers.
    ///
    /// # Errors
    /// Wrong usage, or an address that cannot be listened on.
    pub(crate) fn start(
        (group_names, columns): (Vec<String>, Vec<String>),
        origin: Origin,
        options: &PublishOptions,
    ) -> Result<Self, Failure> {
        let metrics = Metrics::new(&chosen(&options.metrics), &columns).map_err(Failure::Usage)?;
        let metrics = Arc::new(metrics);
        let told = SharedTold::new(Kept::new(group_names, columns));
        let serve = options.serve.as_ref();
        let server = serve
            .map(|options| Server::start((told.clone(), metrics.clone()), origin, options))
            .transpose()?;
        let otlp = options.otlp.as_ref();
        let exporter = otlp
            .map(|options| Exporter::start((told.clone(), metrics.clone()), options))
            .transpose()?;
        Ok(PublishedWriter { told, metrics, last: None, _exporter: exporter, _server: server })
    }

    /// Takes a row of a window that has closed.
    pub(crate) fn emission(&mut self, row: &RowEmission) {
        let window = Some((row.window, row.revision));
        let is_next = self.last != window;
        self.last = window;
        let mut told = self.told.lock();
        told.windows += u64::from(is_next);
        told.version += 1;
        told.kept.take(row, None);
        let Some(pushing) = &mut told.pushing else { return };
        for point in self.metrics.histograms(row) {
            match row.revision {
                0 => pushing.waiting.push(point),
                // What a receiver has added cannot be taken back.
                _ => pushing.waiting.left_out += 1,
            }
        }
    }
}

impl Watcher for PublishedWriter {
    fn counts(&self) -> Counts {
        self.told.lock().counts
    }

    fn tell(&mut self, counts: Counts) {
        self.told.lock().counts = counts;
    }
}
