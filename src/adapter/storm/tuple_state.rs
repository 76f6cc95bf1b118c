//! The state of a task of a bolt in the store.
//!
//! ```text
//! magic     8 bytes  89 73 67 73 74 6f 72 6d
//! version   1 byte   1
//! ids       count, and 16 bytes for each, the oldest first
//! rows      count, and for each: option of 16 bytes, the id that it hangs on; 1 if it was sent;
//!           its text
//! snapshot  bytes
//! ```
//! It is part of the state of a shard, whose checksum covers it.

use crate::codec::{Reader, Writer};
use crate::error::Error;
use crate::hash::{Map, hash_bytes_wide};
use bytes::Bytes;
use std::collections::VecDeque;

const MAGIC: [u8; 8] = *b"\x89sgstorm";
const VERSION: u8 = 1;

/// Maximum bytes of rows that are kept after they were sent.
const KEPT_BYTES_MAX: usize = 1 << 20;

/// The hash of an id. With 128 bits two ids of a topology never have the same one.
pub(super) type IdHash = u128;

pub(super) fn hash_of(id: &[u8]) -> IdHash {
    hash_bytes_wide(id)
}

/// The ids of the last tuples. The oldest one is forgotten first.
#[derive(Debug, Default)]
pub(super) struct Ids {
    order: VecDeque<IdHash>,
    known: Map<IdHash, ()>,
}

impl Ids {
    pub(super) fn contains(&self, id: IdHash) -> bool {
        self.known.contains_key(&id)
    }

    /// Adds an id, and forgets the oldest ones above `max`.
    pub(super) fn insert(&mut self, id: IdHash, max: usize) {
        if self.known.insert(id, ()).is_none() {
            self.order.push_back(id);
        }
        while self.order.len() > max {
            if let Some(oldest) = self.order.pop_front() {
                self.known.remove(&oldest);
            }
        }
    }
}

/// A row of an answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct OutRow {
    /// The id of the tuple that completed it, if that has one.
    pub(super) anchor: Option<IdHash>,
    pub(super) sent: bool,
    pub(super) text: Bytes,
}

/// The rows that were not sent yet, and those that may have to be sent again.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    rows: VecDeque<OutRow>,
}

impl Outbox {
    pub(super) fn push(&mut self, anchor: Option<IdHash>, text: Bytes) {
        self.rows.push_back(OutRow { anchor, sent: false, text });
    }

    /// Sends the rows of this tuple again: it came again, so that Storm may not have them.
    pub(super) fn send_again(&mut self, anchor: IdHash) {
        self.rows
            .iter_mut()
            .filter(|row| row.anchor == Some(anchor))
            .for_each(|row| row.sent = false);
    }

    /// Returns the rows to be sent, which then count as sent.
    pub(super) fn take(&mut self) -> Vec<OutRow> {
        let due = self.rows.iter_mut().filter(|row| !row.sent);
        due.map(|row| {
            row.sent = true;
            row.clone()
        })
        .collect()
    }

    /// Forgets rows that are not sent again: those without a tuple, those of a tuple whose id is
    /// forgotten, and the oldest ones above the maximum of bytes.
    fn trim(&mut self, ids: &Ids) {
        self.rows.retain(|row| !row.sent || row.anchor.is_some_and(|anchor| ids.contains(anchor)));
        let sent = |row: &OutRow| if row.sent { row.text.len() } else { 0 };
        let mut kept: usize = self.rows.iter().map(sent).sum();
        self.rows.retain(|row| {
            let is_over = row.sent && kept > KEPT_BYTES_MAX;
            kept -= if is_over { row.text.len() } else { 0 };
            !is_over
        });
    }
}

/// The state of a task of a bolt, for programs that inspect it.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct TupleState {
    /// The number of tuples whose ids are known.
    pub ids: usize,
    /// The number of rows that are kept because they may have to be sent.
    pub rows: usize,
    /// The [`Snapshot`](crate::Snapshot) of the pipeline.
    pub snapshot: Bytes,
}

impl TupleState {
    /// Returns true if the bytes begin like the state of a task.
    pub fn is_one(bytes: &[u8]) -> bool {
        bytes.starts_with(&MAGIC)
    }

    /// Decodes untrusted bytes.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`](crate::ErrorKind::Corrupt) if the bytes are not the state of a task,
    /// or are of a newer version or cut short.
    pub fn from_bytes(bytes: &Bytes) -> Result<TupleState, Error> {
        let (ids, outbox, snapshot) = read(bytes, usize::MAX)?;
        Ok(TupleState { ids: ids.order.len(), rows: outbox.rows.len(), snapshot })
    }
}

/// Returns the bytes of a state. Rows that are not needed any more are forgotten.
pub(super) fn write(ids: &Ids, outbox: &mut Outbox, snapshot: &[u8]) -> Bytes {
    outbox.trim(ids);
    let mut writer = Writer::new();
    writer.raw(&MAGIC);
    writer.u8(VERSION);
    writer.usize(ids.order.len());
    ids.order.iter().for_each(|id| writer.raw(&id.to_le_bytes()));
    writer.usize(outbox.rows.len());
    for row in &outbox.rows {
        writer.bool(row.anchor.is_some());
        row.anchor.iter().for_each(|id| writer.raw(&id.to_le_bytes()));
        writer.bool(row.sent);
        writer.bytes(&row.text);
    }
    writer.bytes(snapshot);
    writer.into_bytes().into()
}

/// Reads a state. Of more ids than `ids_max` the latest ones are kept.
pub(super) fn read(bytes: &Bytes, ids_max: usize) -> Result<(Ids, Outbox, Bytes), Error> {
    let mut reader = Reader::new(bytes);
    reader.header(&MAGIC, VERSION, "the state of a bolt")?;
    let mut ids = Ids::default();
    for _ in 0..reader.count(size_of::<IdHash>())? {
        ids.insert(read_id(&mut reader)?, ids_max);
    }
    let mut outbox = Outbox::default();
    for _ in 0..reader.count(3)? {
        let anchor = if reader.bool()? { Some(read_id(&mut reader)?) } else { None };
        let sent = reader.bool()?;
        // A copy, so that a small row does not keep the whole state in memory.
        let text = Bytes::copy_from_slice(reader.bytes()?);
        outbox.rows.push_back(OutRow { anchor, sent, text });
    }
    let snapshot = bytes.slice_ref(reader.bytes()?);
    reader.finish()?;
    Ok((ids, outbox, snapshot))
}

fn read_id(reader: &mut Reader<'_>) -> Result<IdHash, Error> {
    let mut id = [0; size_of::<IdHash>()];
    id.copy_from_slice(reader.raw(size_of::<IdHash>())?);
    Ok(IdHash::from_le_bytes(id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parts() -> impl Strategy<Value = (Vec<u8>, Vec<OutRow>, Vec<u8>)> {
        let row =
            (prop::option::of(0u8..9), any::<bool>(), prop::collection::vec(any::<u8>(), 0..9))
                .prop_map(|(anchor, sent, text)| OutRow {
                    anchor: anchor.map(|id| hash_of(&[id])),
                    sent,
                    text: text.into(),
                });
        let ids = prop::collection::vec(0u8..9, 0..20);
        (ids, prop::collection::vec(row, 0..9), prop::collection::vec(any::<u8>(), 0..20))
    }

    fn written((ids, rows, snapshot): &(Vec<u8>, Vec<OutRow>, Vec<u8>)) -> Bytes {
        let mut known = Ids::default();
        ids.iter().for_each(|id| known.insert(hash_of(&[*id]), 5));
        write(&known, &mut Outbox { rows: rows.clone().into() }, snapshot)
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(parts in parts()) {
            let bytes = written(&parts);
            let (ids, mut outbox, snapshot) = read(&bytes, 5).unwrap();
            prop_assert_eq!(&snapshot[..], &parts.2[..]);
            prop_assert!(ids.order.len() <= 5);
            // Everything that was not sent is kept, in order.
            let unsent: Vec<OutRow> = parts.1.iter().filter(|row| !row.sent).cloned().collect();
            let kept: Vec<OutRow> = outbox.rows.iter().filter(|row| !row.sent).cloned().collect();
            prop_assert_eq!(kept, unsent);
            prop_assert_eq!(write(&ids, &mut outbox, &snapshot), bytes);
        }

        #[test]
        fn cut_bytes_are_refused_and_changed_ones_cause_no_panic(
            parts in parts(),
            at: prop::sample::Index,
            with: u8,
        ) {
            let bytes = written(&parts);
            let at = at.index(bytes.len());
            prop_assert!(TupleState::from_bytes(&bytes.slice(..at)).is_err());
            let mut changed = bytes.to_vec();
            changed[at] = with;
            let _ = TupleState::from_bytes(&changed.into());
        }
    }

    #[test]
    fn rows_are_kept_while_they_may_be_asked_for_again() {
        let (mut ids, mut outbox) = (Ids::default(), Outbox::default());
        let [a, b] = [b"a", b"b"].map(|id| hash_of(id));
        ids.insert(a, 2);
        ids.insert(b, 2);
        outbox.push(Some(a), "1".into());
        outbox.push(None, "2".into());
        outbox.push(Some(b), vec![b'x'; KEPT_BYTES_MAX].into());
        assert_eq!(outbox.take().len(), 3);
        write(&ids, &mut outbox, b"");
        assert_eq!(outbox.rows.len(), 1, "the oldest is over the maximum");
        outbox.send_again(b);
        assert_eq!((outbox.take().len(), outbox.take().len()), (1, 0));
        ids.insert(hash_of(b"c"), 2);
        ids.insert(hash_of(b"d"), 2);
        write(&ids, &mut outbox, b"");
        assert_eq!(outbox.rows.len(), 0, "its tuple is forgotten");
    }
}
