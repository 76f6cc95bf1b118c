//! Counts of the files, records and bytes that were read.

/// Counts of one input.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct FileStats {
    /// The input's name.
    pub name: String,
    /// Records, dead letters included. The header and blank lines are not records.
    pub records: u64,
    /// Records that could not be decoded, or that the sink refused.
    pub dead_letters: u64,
    /// Lines, header and blank ones included.
    pub lines: u64,
    /// Bytes of the input before decompression.
    pub bytes_read: u64,
    /// Bytes after decompression.
    pub bytes_decompressed: u64,
    /// Bytes, after decompression and without a byte order mark, of the whole records that were
    /// read, each with its line end if it has one, and of the skipped part. A later run can
    /// continue there by [`RowSink::resume_at`](super::RowSink::resume_at).
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
    /// Returns the records of all inputs.
    pub fn records(&self) -> u64 {
        self.files.iter().map(|file| file.records).sum()
    }

    /// Returns the dead letters of all inputs.
    pub fn dead_letters(&self) -> u64 {
        self.files.iter().map(|file| file.dead_letters).sum()
    }

    /// Returns the bytes read from all inputs, before decompression.
    pub fn bytes_read(&self) -> u64 {
        self.files.iter().map(|file| file.bytes_read).sum()
    }

    /// Returns the bytes of all inputs after decompression.
    pub fn bytes_decompressed(&self) -> u64 {
        self.files.iter().map(|file| file.bytes_decompressed).sum()
    }
}
