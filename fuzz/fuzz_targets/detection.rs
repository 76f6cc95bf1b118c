//! Formats: any bytes are told alike as one file and in pieces from a pipe, under the format that
//! is found and under each that can be named; and no bytes panic.
//!
//! The first byte chooses the format that is named and the sizes of the pieces; the rest is the
//! input.
#![cfg_attr(fuzzing, no_main)]

mod recorder;
mod shim;

use recorder::{Told, told};
use std::io::Read;
use streamgauge::adapter::files::{Format, Input};

/// Gives the bytes in pieces of these sizes, in turn.
struct Pieces {
    bytes: Vec<u8>,
    at: usize,
    sizes: [usize; 3],
    turn: usize,
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let size = self.sizes[self.turn % self.sizes.len()];
        self.turn += 1;
        let len = size.min(buffer.len()).min(self.bytes.len() - self.at);
        buffer[..len].copy_from_slice(&self.bytes[self.at..self.at + len]);
        self.at += len;
        Ok(len)
    }
}

const NAMED: [Format; 12] = [
    Format::Auto,
    Format::JsonLines,
    Format::Csv,
    Format::Tsv,
    Format::Clf,
    Format::Vhost,
    Format::Lines,
    Format::Logfmt,
    Format::W3c,
    Format::Alb,
    Format::S3,
    Format::Vpc,
];
const FIELDS: [&[&str]; 4] = [&[], &["a"], &["line"], &["path"]];

fn check(bytes: &[u8]) {
    let Some((choice, bytes)) = bytes.split_first() else { return };
    let choice = usize::from(*choice);
    // Half of all inputs are to be told.
    let format = if choice % 2 == 0 { Format::Auto } else { NAMED[choice / 2 % NAMED.len()].clone() };
    let fields = FIELDS[choice / 16 % FIELDS.len()];
    let whole: Told = told(Input::from_reader("in", std::io::Cursor::new(bytes.to_vec())), format.clone(), fields, 1 << 20);
    let sizes = [1 + choice % 7, 1 + choice % 64, 1 + choice % 3];
    let pieces = Pieces { bytes: bytes.to_vec(), at: 0, sizes, turn: 0 };
    assert_eq!(told(Input::from_reader("in", pieces), format.clone(), fields, 64), whole);
    if format == Format::Auto && whole.1.is_empty() && whole.2.is_ok() && fields.is_empty() {
        // What is told to be a format is read as if it had been named.
        let named = Format::detect(bytes);
        let input = Input::from_reader("in", std::io::Cursor::new(bytes.to_vec()));
        assert!(named != Format::Lines || bytes.trim_ascii().is_empty() || compressed(bytes), "plain lines are noted");
        if !compressed(bytes) && !bytes.trim_ascii().is_empty() {
            assert_eq!(told(input, named, fields, 1 << 20), whole);
        }
    }
}

/// Returns true if the bytes are decompressed before they are told.
fn compressed(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\x1f\x8b") || bytes.starts_with(b"\x28\xb5\x2f\xfd") || matches!(bytes, [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] | [b'P', b'K', 3, 4, ..] | [0xfd, b'7', b'z', b'X', b'Z', 0, ..] | [b'B', b'Z', b'h', b'1'..=b'9', ..] | [0xff, 0xfe, ..] | [0xfe, 0xff, ..])
}

shim::target!(check);
