//! The first bytes of an input, from which its format is detected.

/// Maximum number of bytes that are examined, and maximum length of a header line.
pub(crate) const BEGINNING_BYTES_MAX: usize = 128 << 10;

/// The first bytes of an input, without a byte order mark.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Beginning<'a> {
    pub(crate) bytes: &'a [u8],
    /// True if the input ends after these bytes.
    pub(crate) is_whole: bool,
}

impl<'a> Beginning<'a> {
    /// Returns the part of these bytes that is examined.
    pub(crate) fn of(bytes: &'a [u8], has_ended: bool) -> Self {
        let is_whole = has_ended && bytes.len() <= BEGINNING_BYTES_MAX;
        Beginning { bytes: bytes.get(..BEGINNING_BYTES_MAX).unwrap_or(bytes), is_whole }
    }

    /// Returns true if no more bytes will be examined.
    pub(crate) fn is_all(self) -> bool {
        self.is_whole || self.bytes.len() >= BEGINNING_BYTES_MAX
    }

    /// Returns true if there are only blank lines.
    pub(crate) fn is_blank(self) -> bool {
        self.bytes.trim_ascii().is_empty()
    }
}
