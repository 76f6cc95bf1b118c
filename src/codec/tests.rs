//! What is written is what is read; what is not written by us is refused.

use super::*;
use proptest::prelude::*;

proptest! {
    #[test]
    fn what_is_written_is_read(a: u64, b: i64, c: u128, d: i128, e: f64, f: bool, text: String) {
        let mut writer = Writer::new();
        writer.u64(a);
        writer.i64(b);
        writer.u128(c);
        writer.i128(d);
        writer.f64(e);
        writer.bool(f);
        writer.bytes(text.as_bytes());
        writer.section(|inner| inner.fixed_u64(a));
        let bytes = writer.into_bytes();
        let mut reader = Reader::new(&bytes);
        prop_assert_eq!(reader.u64().unwrap(), a);
        prop_assert_eq!(reader.i64().unwrap(), b);
        prop_assert_eq!(reader.u128().unwrap(), c);
        prop_assert_eq!(reader.i128().unwrap(), d);
        prop_assert_eq!(reader.f64().unwrap().to_bits(), e.to_bits());
        prop_assert_eq!(reader.bool().unwrap(), f);
        prop_assert_eq!(reader.text().unwrap(), text);
        prop_assert_eq!(reader.section().unwrap().fixed_u64().unwrap(), a);
        reader.finish().unwrap();
    }

    #[test]
    fn front_coded_keys_come_back(
        keys in prop::collection::btree_set(prop::collection::vec(0u8..4, 0..40), 0..50),
    ) {
        let (mut writer, mut front) = (Writer::new(), FrontWriter::new());
        keys.iter().for_each(|key| front.write(&mut writer, key));
        let bytes = writer.into_bytes();
        let (mut reader, mut front) = (Reader::new(&bytes), FrontReader::new());
        for key in &keys {
            prop_assert_eq!(front.read(&mut reader).unwrap(), &key[..]);
        }
        reader.finish().unwrap();
    }

    #[test]
    fn counters_come_back(
        counters in prop::collection::vec(prop_oneof![3 => Just(0u64), 1 => 0u64..300, 1 => any::<u64>()], 0..60),
    ) {
        let mut writer = Writer::new();
        writer.counters(counters.iter().copied());
        let bytes = writer.into_bytes();
        if counters.last().is_some_and(|last| *last > 0) {
            let mut sparse = Writer::new();
            sparse.counters_at(
                (0..).zip(counters.iter().copied()).filter(|(_, counter)| *counter > 0),
            );
            prop_assert_eq!(sparse.as_bytes(), &bytes);
        }
        let (mut reader, mut read) = (Reader::new(&bytes), vec![0; counters.len()]);
        reader.counters(counters.len(), |index, counter| read[index] = counter).unwrap();
        reader.finish().unwrap();
        prop_assert_eq!(read, counters);
    }

    /// Decoded keys are in order, and encoding them gives the same bytes again.
    #[test]
    fn front_coding_has_one_form(
        bytes in prop::collection::vec(prop_oneof![0u8..34, any::<u8>()], 0..64),
    ) {
        let (mut reader, mut front) = (Reader::new(&bytes), FrontReader::new());
        let (mut writer, mut again) = (Writer::new(), FrontWriter::new());
        let mut last: Option<Vec<u8>> = None;
        let mut end = 0;
        while let Ok(key) = front.read(&mut reader) {
            prop_assert!(last.as_deref().is_none_or(|last| last < key));
            again.write(&mut writer, key);
            last = Some(key.to_vec());
            end = bytes.len() - reader.remaining();
        }
        prop_assert_eq!(writer.as_bytes(), &bytes[..end]);
    }

    #[test]
    fn any_bytes_give_a_value_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        type Read = fn(&mut Reader<'_>) -> bool;
        let reads: [Read; 5] = [
            |r| r.u64().is_ok(),
            |r| r.i128().is_ok(),
            |r| r.text().is_ok(),
            |r| r.section().is_ok(),
            |r| r.count(3).is_ok(),
        ];
        for read in reads {
            let mut reader = Reader::new(&bytes);
            while read(&mut reader) && reader.remaining() > 0 {}
        }
    }
}

#[test]
fn a_length_that_the_bytes_cannot_fill_is_refused_before_anything_is_allocated() {
    let mut writer = Writer::new();
    writer.u64(u64::MAX);
    let bytes = writer.into_bytes();
    assert_eq!(Reader::new(&bytes).bytes().unwrap_err().kind(), ErrorKind::Corrupt);
    assert_eq!(Reader::new(&[3, 0, 0, 0]).count(2).unwrap_err().kind(), ErrorKind::Corrupt);
}

#[test]
fn keys_that_share_much_do_not_blow_up() {
    let (mut writer, mut front) = (Writer::new(), FrontWriter::new());
    let long = vec![b'a'; 10_000];
    let keys = (0..1000u32).map(|n| [&long[..], &n.to_be_bytes()].concat());
    let total: usize = keys
        .map(|key| {
            front.write(&mut writer, &key);
            key.len()
        })
        .sum();
    assert!(total <= (BORROWED_PER_BYTE + 1) * writer.len());
}

#[test]
fn an_integer_has_one_encoding() {
    assert_eq!(Reader::new(&[0x80, 0x00]).u64().unwrap_err().kind(), ErrorKind::Corrupt);
    assert_eq!(Reader::new(&[0xff; 20]).u128().unwrap_err().kind(), ErrorKind::Corrupt);
}
