//! Every cap of the engine, in one struct.
//!
//! Whatever grows with the data has a limit here. Past it there is a typed error
//! ([`ErrorKind::LimitExceeded`](crate::ErrorKind::LimitExceeded)) or a counted overflow bucket, as
//! the user chose; never an abort.

/// The caps that an engine and the adapters keep to.
///
/// # Example
/// ```
/// let mut limits = streamgauge::Limits::default();
/// limits.panes_max = 10_000;
/// assert_eq!(limits.groups_max, 1_000_000);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Distinct groups that one `group_by` of a declarative pipeline holds per pane and per window;
    /// default 1,000,000.
    pub groups_max: usize,
    /// Panes that are open at a time; default 1,000,000. Raise it for long replays in which nothing
    /// fires before the end.
    pub panes_max: usize,
    /// Shards that one engine follows; default 100,000.
    pub shards_max: usize,
    /// Approximate bytes of all accumulators; default 8 GiB. Checked at an amortised constant cost
    /// per record, so the state may pass the limit by what arrives between two checks: a quarter of
    /// it, where no record adds more than 1 KiB.
    pub state_bytes_max: usize,
    /// Approximate bytes of answers that were made and not fetched; default 64 MiB. A window that
    /// is complete is made when it is fetched, unless a record changes a pane of it before: past
    /// this limit such a record is refused until the answers are fetched.
    pub pending_bytes_max: usize,
    /// Bytes of one record or line, after decompression; default 16 MiB. A longer one is a dead
    /// letter.
    pub record_bytes_max: usize,
    /// Nesting of a JSON record; default 128, above which no parser that recurses is asked.
    pub json_depth_max: usize,
    /// Bytes of a key of `group_by`, `top_k`, `distinct` or `frequency` in a declarative pipeline;
    /// default 64 KiB. A record with a longer one is a dead letter.
    pub key_bytes_max: usize,
    /// The window that a frame of zstd may ask its reader for, as a power of two; default 27, 128
    /// MiB, the most that `zstd --ultra -22` writes without `--long`. It is memory that
    /// decompressing takes. Values outside of 10 to 31 (30 on 32 bits) are those ends.
    pub zstd_window_log_max: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            groups_max: 1_000_000,
            panes_max: 1_000_000,
            shards_max: 100_000,
            state_bytes_max: 8 << 30,
            pending_bytes_max: 64 << 20,
            record_bytes_max: 16 << 20,
            json_depth_max: 128,
            key_bytes_max: 64 << 10,
            zstd_window_log_max: 27,
        }
    }
}
