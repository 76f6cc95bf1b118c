//! All limits of the engine, in one struct.
//!
//! Everything that grows with the data has a limit here. Past the limit there is a typed error
//! ([`ErrorKind::LimitExceeded`](crate::ErrorKind::LimitExceeded)) or a counted overflow bucket,
//! whichever the user chose. The process never aborts.

/// The limits that the engine and the adapters keep to.
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
    /// Distinct groups per pane and per window of one `group_by` in a declarative pipeline.
    /// Default: 1,000,000.
    pub groups_max: usize,
    /// Panes that are open at the same time. Default: 1,000,000. Raise it for long replays in which
    /// nothing fires before the end.
    pub panes_max: usize,
    /// Shards of one engine. Default: 100,000.
    pub shards_max: usize,
    /// Approximate bytes of all accumulators. Default: 8 GiB. The size is measured from time to
    /// time, at an amortised constant cost per record, so the state can pass the limit between two
    /// measurements: by at most a quarter of the limit, if no record adds more than 1 KiB.
    pub state_bytes_max: usize,
    /// Approximate bytes of answers that are computed but not yet fetched. Default: 64 MiB. A
    /// complete window is usually computed when it is fetched. It is computed earlier if a late
    /// record changes one of its panes; past this limit such a record is refused until answers are
    /// fetched.
    pub pending_bytes_max: usize,
    /// Bytes of one record or line, after decompression. Default: 16 MiB. A longer record is a dead
    /// letter.
    pub record_bytes_max: usize,
    /// Nesting depth of a JSON record. Default: 128. A deeper record is not passed to a recursive
    /// parser.
    pub json_depth_max: usize,
    /// Bytes of a key of `group_by`, `top_k`, `distinct` or `frequency` in a declarative pipeline.
    /// Default: 64 KiB. A record with a longer key is a dead letter.
    pub key_bytes_max: usize,
    /// Rows of one lookup. Default: 1,000,000.
    pub lookup_rows_max: usize,
    /// Bytes that one lookup is read from. Default: 64 MiB. In memory it takes about two to three
    /// times as much. At most 1 GiB is read.
    pub lookup_bytes_max: usize,
    /// Elements of the array of one record that is unnested. Default: 100,000. A record with more
    /// is a dead letter.
    pub elements_max: usize,
    /// Queries of one declarative pipeline: its tables `query`. Default: 100. All other limits hold
    /// for each query.
    pub queries_max: usize,
    /// Window size of a zstd frame, as a power of two. Default: 27 (128 MiB), the largest that
    /// `zstd --ultra -22` writes without `--long`. Decompression allocates this much memory. Values
    /// outside 10 to 31 (30 on 32-bit systems) are clamped to that range.
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
            elements_max: 100_000,
            lookup_rows_max: 1_000_000,
            lookup_bytes_max: 64 << 20,
            queries_max: 100,
            zstd_window_log_max: 27,
        }
    }
}
