//! What has been read.

/// Counts of one input.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct FileStats {
    /// The input's name.
    pub name: String,
    /// Records, dead letters included; header and blank lines are none.
    pub records: u64,
    /// Records that could not be decoded, or were refused by the sink.
    pub dead_letters: u64,
    /// Lines, header and blank ones included.
    pub lines: u64,
    /// Bytes taken from the input as they are there, compressed or not.
    pub bytes_read: u64,
    /// Bytes after decompression.
    pub bytes_decompressed: u64,
    /// Bytes, after decompression and without a byte order mark, of the whole records that were
    /// taken, each with its line end if it has one, and of what was passed over: where
    /// [`RowSink::resume_at`](super::RowSink::resume_at) lets a later run go on.
    pub offset: u64,
}

/// Counts of a whole run, input by input.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct FilesStats {
    /// The inputs that have been read or are being read, in their order.
    pub files: Vec<FileStats>,
}

impl FilesStats {
    /// Records of all inputs.
    pub fn records(&self) -> u64 {
        self.files.iter().map(|file| file.records).sum()
    }

    /// Dead letters of all inputs.
    pub fn dead_letters(&self) -> u64 {
        self.files.iter().map(|file| file.dead_letters).sum()
    }

    /// Bytes taken from all inputs.
    pub fn bytes_read(&self) -> u64 {
        self.files.iter().map(|file| file.bytes_read).sum()
    }

    /// Bytes of all inputs after decompression.
    pub fn bytes_decompressed(&self) -> u64 {
        self.files.iter().map(|file| file.bytes_decompressed).sum()
    }
}
