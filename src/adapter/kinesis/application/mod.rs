//! Several processes that read one stream without Java: they share the lease tables of KCL 3, with
//! each other and with Java workers.
//!
//! The protocol is free of I/O: it calls a [`table::LeaseTable`] and a stream, and asks a clock.
//! [`member::Member`] has leases, [`leader::Leader`] gives them to workers, and a
//! [`shard_run::ShardRun`] is the way of one lease. The tests drive them through simulated tables,
//! clocks and shards; [`dynamo::DynamoTable`] has the calls of DynamoDB.

mod assignment;
mod checkpoints;
mod dynamo;
mod held;
mod layout;
mod leader;
mod lease;
mod lock;
mod member;
#[cfg(test)]
mod memory_table;
mod notes;
mod run;
mod settings;
mod setup;
mod shard_run;
mod shards;
mod table;
#[cfg(test)]
mod tests;
mod time;
mod user_records;

use self::dynamo::DynamoTable;
use self::layout::{Form, Layout};
use self::notes::Notes;
use self::settings::Settings;
use self::setup::Setup;
use super::client::StreamClient;
use crate::adapter::Packing;
use crate::adapter::aws::{ClientOptions, load};
use crate::adapter::worker::{Clock, StreamStart, SystemClock};
use crate::error::Error;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

pub use self::notes::OnNote;

/// How long one attempt of a call to DynamoDB may take.
const CALL_TIMEOUT: Duration = Duration::from_secs(3);

/// The shortest failover time: renewals need some calls within it.
const FAILOVER_MIN: Duration = Duration::from_secs(1);

/// The longest failover time.
const FAILOVER_MAX: Duration = Duration::from_secs(86_400);

/// How a process takes part in an application. Each field has a default.
#[non_exhaustive]
pub struct ApplicationOptions {
    /// The name of this worker, which no other one may have. Default: made of the host's name, the
    /// process and a random number.
    pub worker: String,
    /// Where the shards begin when the application is new. Default: with the next record.
    pub start: StreamStart,
    /// A lease that was not renewed for this time goes to another worker. All workers of an
    /// application need the same. Default: 10 s, as in Java.
    pub failover: Duration,
    /// The ARN of the consumer whose subscriptions the shards are read by: enhanced fan-out.
    /// Default: shards are polled.
    pub consumer: Option<String>,
    /// How payloads are unpacked. Default: records that the KPL aggregated are split.
    pub packing: Packing,
    /// The place of DynamoDB, where it differs from what the environment says.
    pub tables: ClientOptions,
    /// Receives notes for an operator. Default: standard error.
    pub on_note: OnNote,
}

impl Default for ApplicationOptions {
    fn default() -> Self {
        ApplicationOptions {
            worker: worker_name(),
            start: StreamStart::default(),
            failover: Duration::from_secs(10),
            consumer: None,
            packing: Packing::default(),
            tables: ClientOptions::default(),
            on_note: Arc::new(|note| {
                // If standard error is closed, there is no other place to report to.
                let _ = writeln!(io::stderr(), "streamgauge: {note}");
            }),
        }
    }
}

impl fmt::Debug for ApplicationOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApplicationOptions")
            .field("worker", &self.worker)
            .field("start", &self.start)
            .field("failover", &self.failover)
            .finish_non_exhaustive()
    }
}

/// Returns a number that differs between processes and calls.
fn random() -> u64 {
    RandomState::new().hash_one(std::process::id())
}

fn worker_name() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = std::env::var("HOSTNAME").unwrap_or(host);
    format!("streamgauge-{}-{}-{:08x}", host.trim(), std::process::id(), random() as u32)
}

/// One worker of an application: a process that reads some shards of a stream, while other workers,
/// in Rust or in Java, read the others. They share them by the lease tables of KCL 3.
///
/// Each shard has its own pipeline and its own state, as on the KCL; the answers of a shard are for
/// its records, and partials give those over all shards. A shard may move from any worker to any
/// other with its open windows, also from and to `streamgauge kcl` under a Java worker, if all have
/// the same store.
///
/// # Example
/// ```no_run
/// use streamgauge::adapter::kinesis::{Application, ApplicationOptions, StreamClient};
/// use streamgauge::adapter::worker::{PipelineWork, ProcessorOptions, StatefulProcessor};
/// use streamgauge::adapter::{Decoding, each};
/// use streamgauge::prelude::*;
/// use streamgauge::store::DirectoryStore;
///
/// let options = ApplicationOptions::default();
/// let application = Application::open("hits", StreamClient::connect("clicks")?, options)?;
/// let processor = || {
///     let hits = Pipeline::builder()
///         .event_time(|record: &Record| record.arrival)
///         .window(minutes(1))
///         .aggregate(count());
///     let decoding =
///         Decoding::new(hits.build()?, |record: &Record| Ok::<_, Error>(record.clone()));
///     let work = PipelineWork::new(decoding, |_, _| {
///         Ok(Box::new(each(|hits: Emission<u64>| {
///             eprintln!("{:?}: {}", hits.window, hits.value);
///             Ok(())
///         })))
///     })?;
///     let store = DirectoryStore::open("/mnt/shared/hits-state")?;
///     Ok(StatefulProcessor::new(work, store, ProcessorOptions::default()))
/// };
/// application.run(processor, || false)?;
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug)]
pub struct Application {
    stream: StreamClient,
    consumer: Option<String>,
    table: DynamoTable,
    settings: Settings,
    notes: Notes,
}

impl Application {
    /// Joins an application, which is the name of its lease table. Tables that are missing are
    /// created.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) for tables of KCL 2, a migration
    /// under way, or an application of several streams;
    /// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) for options that are out
    /// of range; [`ErrorKind::Io`](crate::ErrorKind::Io) if a call fails.
    pub fn open(
        name: &str,
        stream: StreamClient,
        options: ApplicationOptions,
    ) -> Result<Self, Error> {
        if !(FAILOVER_MIN..=FAILOVER_MAX).contains(&options.failover) {
            let message = format!("a failover time of {:?}; 1 s to 1 day", options.failover);
            return Err(Error::invalid(message));
        }
        if options.worker.is_empty() || name.is_empty() {
            return Err(Error::invalid("an application and its workers need a name"));
        }
        let notes = Notes::new(options.on_note);
        let settings = Settings {
            worker: options.worker,
            seed: random(),
            start: options.start,
            failover: options.failover,
            splits_aggregates: matches!(options.packing, Packing::Kpl | Packing::Lines),
        };
        let (blocking, config) = load(options.tables)?;
        let timeout = CALL_TIMEOUT.min(held::renew_every(settings.failover));
        let config = aws_sdk_dynamodb::config::Builder::from(&config)
            .retry_config(RetryConfig::standard().with_max_attempts(2))
            .timeout_config(TimeoutConfig::builder().operation_attempt_timeout(timeout).build())
            .build();
        let client = aws_sdk_dynamodb::Client::from_conf(config);
        let layout = Layout { application: name.to_owned(), form: Form::Three };
        let table = DynamoTable { client, blocking, layout };
        let now = SystemClock.now();
        let setup = Setup { table, worker: &settings.worker, now, notes: &notes };
        let table = setup.run()?;
        Ok(Application { stream, consumer: options.consumer, table, settings, notes })
    }
}
