//! Memory for the keys and payloads of a batch of records: few large blocks that the records share.

use base64_simd::{AsOut, STANDARD};
use bytes::{Bytes, BytesMut};

/// Maximum size of a block, for large batches.
const BLOCK_BYTES_MAX: usize = 256 << 10;

/// The size of the first block of a batch.
const BLOCK_BYTES_MIN: usize = 4 << 10;

/// Copies and decodes into blocks, and returns [`Bytes`] that point into them.
///
/// One allocation serves many records. A block lives until the last of its records is dropped, so
/// that a record which is kept holds at most one block ([`BLOCK_BYTES_MAX`], or the record's own
/// size if it is larger) in memory.
#[derive(Debug, Default)]
pub(crate) struct Payloads {
    block: BytesMut,
    /// The size of the next block.
    next: usize,
}

impl Payloads {
    /// Returns a copy of the bytes.
    pub(crate) fn copy(&mut self, bytes: &[u8]) -> Bytes {
        self.reserve(bytes.len());
        self.block.extend_from_slice(bytes);
        self.block.split().freeze()
    }

    /// Decodes text in standard base64 (RFC 4648 section 4, padded). Returns `None` for other text.
    pub(crate) fn decode_base64(&mut self, text: &[u8]) -> Option<Bytes> {
        let bytes_max = STANDARD.estimated_decoded_length(text.len());
        self.reserve(bytes_max);
        self.block.resize(bytes_max, 0);
        match STANDARD.decode(text, self.block.as_mut().as_out()) {
            Ok(decoded) => {
                let bytes = decoded.len();
                self.block.truncate(bytes);
                Some(self.block.split().freeze())
            }
            Err(_) => {
                self.block.clear();
                None
            }
        }
    }

    /// Makes room for `bytes` bytes; the block is empty before and after.
    fn reserve(&mut self, bytes: usize) {
        if self.block.capacity() < bytes {
            let block = self.next.clamp(BLOCK_BYTES_MIN, BLOCK_BYTES_MAX);
            self.next = block * 2;
            self.block = BytesMut::with_capacity(block.max(bytes));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn invalid_base64_is_refused_and_changes_nothing() {
        let mut payloads = Payloads::default();
        for wrong in ["a", "ab", "ab==c", "YQ", "YR==", "Y Q=", "YWJj\n", "é===", "____"] {
            assert_eq!(payloads.decode_base64(wrong.as_bytes()), None, "{wrong:?}");
        }
        assert_eq!(payloads.decode_base64(b"YWJj").unwrap(), "abc");
        assert_eq!(payloads.decode_base64(b"").unwrap(), "");
    }

    proptest! {
        #[test]
        fn payloads_are_read_back_across_blocks(
            pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..3000), 1..20),
        ) {
            let mut payloads = Payloads::default();
            let copied: Vec<Bytes> = pieces.iter().map(|piece| payloads.copy(piece)).collect();
            let decoded: Vec<Bytes> = pieces
                .iter()
                .map(|piece| {
                    payloads.decode_base64(STANDARD.encode_to_string(piece).as_bytes()).unwrap()
                })
                .collect();
            for ((piece, copied), decoded) in pieces.iter().zip(&copied).zip(&decoded) {
                prop_assert_eq!(&piece[..], &copied[..]);
                prop_assert_eq!(&piece[..], &decoded[..]);
            }
        }
    }
}
