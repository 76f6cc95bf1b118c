//! The flags of what is published while a run goes on: `--serve`, `--otlp`, `--metrics`.

use crate::view::published::PublishOptions;
use clap::Args;
#[cfg(feature = "serve")]
use std::path::PathBuf;

/// What is published while the run goes on.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Server")]
#[command(group = clap::ArgGroup::new("published").multiple(true))]
pub(crate) struct PublishArguments {
    /// Serve the answers by HTTP while the run goes on: a page that renews itself, /metrics for
    /// Prometheus, and /healthz
    #[cfg(feature = "serve")]
    #[arg(long, value_name = "ADDRESS:PORT", conflicts_with = "partials", group = "published")]
    pub(crate) serve: Option<std::net::SocketAddr>,
    /// Serve only requests with the token in this file, as a bearer token or as ?token=. Needed
    /// where the address is not a loopback address
    #[cfg(feature = "serve")]
    #[arg(long, value_name = "FILE", requires = "serve")]
    pub(crate) token_file: Option<PathBuf>,
    /// Push the metrics to a receiver of OpenTelemetry while the run goes on: http://HOST:4318, or
    /// `env` for the place that OTEL_EXPORTER_OTLP_ENDPOINT names
    #[cfg(feature = "otlp")]
    #[arg(long, value_name = "URL", conflicts_with = "partials", group = "published")]
    pub(crate) otlp: Option<crate::view::otlp::OtlpOptions>,
    /// The columns that are metrics. Default: all columns of numbers
    #[arg(long, value_name = "COLUMN,...", requires = "published")]
    pub(crate) metrics: Vec<String>,
}

impl PublishArguments {
    /// Returns where and what is published, if that is wanted.
    pub(crate) fn options(&self) -> Option<PublishOptions> {
        #[cfg(feature = "serve")]
        let serve = self.serve.map(|address| crate::view::serve::ServeOptions {
            address,
            token_file: self.token_file.clone(),
        });
        #[cfg(not(feature = "serve"))]
        let serve = None;
        #[cfg(feature = "otlp")]
        let otlp = self.otlp.clone();
        #[cfg(not(feature = "otlp"))]
        let otlp = None;
        let is_wanted = serve.is_some() || otlp.is_some();
        is_wanted.then(|| PublishOptions { metrics: self.metrics.clone(), serve, otlp })
    }
}
