//! Which shards have rows: at the start, after a hole was found, and when a shard ends.

use super::lease::{Lease, LeaseCheckpoint};
use super::table::{Kind, LeaseTable, TableError};
use crate::adapter::kinesis::ShardInfo;
use crate::adapter::worker::StreamStart;
use crate::record::ShardId;
use std::collections::{BTreeMap, BTreeSet};

/// Returns true if the leases cover all hash keys, those of ended shards not counted.
pub(super) fn covers_all(leases: &[Lease]) -> bool {
    let mut ranges: Vec<_> = leases
        .iter()
        .filter(|lease| !lease.is_ended())
        .filter_map(|lease| lease.range.map(|range| (range.start, range.end)))
        .collect();
    ranges.sort_unstable();
    let mut next = Some(0);
    for (start, end) in ranges {
        match next {
            Some(expected) if start <= expected => {
                next = end.checked_add(1).map(|end| end.max(expected))
            }
            Some(_) => return false,
            None => break,
        }
    }
    next.is_none()
}

/// Returns the rows to create for shards that have none and whose ancestors have none: of each
/// branch the oldest shard, so that parents come before children. If only new records are wanted,
/// the open shard itself.
pub(super) fn missing(
    listed: &[ShardInfo],
    rows: &BTreeSet<String>,
    start: StreamStart,
) -> Vec<Lease> {
    let shards: BTreeMap<&str, &ShardInfo> =
        listed.iter().map(|shard| (shard.id.as_str(), shard)).collect();
    let checkpoint = match start {
        StreamStart::TrimHorizon => LeaseCheckpoint::TrimHorizon,
        StreamStart::Latest => LeaseCheckpoint::Latest,
        StreamStart::AtTime(_) => LeaseCheckpoint::AtTime,
    };
    let mut found = BTreeMap::new();
    let mut seen = BTreeSet::new();
    let mut open: Vec<&ShardInfo> = listed.iter().filter(|shard| !shard.is_closed).collect();
    while let Some(shard) = open.pop() {
        if rows.contains(shard.id.as_str()) || !seen.insert(shard.id.as_str()) {
            continue;
        }
        let parents: Vec<&ShardInfo> =
            shard.parents.iter().filter_map(|id| shards.get(id.as_str()).copied()).collect();
        let is_first = start == StreamStart::Latest && !has_ancestor(shard, &shards, rows);
        if is_first || parents.is_empty() {
            found.insert(shard.id.as_str(), new_lease(shard, checkpoint.clone()));
        } else {
            open.extend(parents);
        }
    }
    found.into_values().collect()
}

/// Returns true if a shard that this one continues has a row.
fn has_ancestor(
    shard: &ShardInfo,
    shards: &BTreeMap<&str, &ShardInfo>,
    rows: &BTreeSet<String>,
) -> bool {
    let mut open: Vec<&ShardId> = shard.parents.iter().collect();
    let mut seen = BTreeSet::new();
    while let Some(id) = open.pop() {
        if rows.contains(id.as_str()) {
            return true;
        }
        if seen.insert(id) {
            open.extend(shards.get(id.as_str()).into_iter().flat_map(|shard| &shard.parents));
        }
    }
    false
}

fn new_lease(shard: &ShardInfo, checkpoint: LeaseCheckpoint) -> Lease {
    let mut lease = Lease::new(&shard.id, checkpoint);
    lease.range = shard.range;
    lease.parents = shard.parents.iter().map(|id| id.as_str().to_owned()).collect();
    lease
}

/// Creates the rows of the shards that follow an ended one. Returns false if one of them has
/// another parent whose row is not there yet: it has to be known first, so that the child waits for
/// it.
///
/// # Errors
/// Some rows may have been created. It may be tried again.
pub(super) fn create_children(
    parent: &str,
    children: &[ShardInfo],
    table: &dyn LeaseTable,
) -> Result<bool, TableError> {
    for child in children {
        for other in child.parents.iter().filter(|other| other.as_str() != parent) {
            if table.get(Kind::Lease, other.as_str())?.is_none() {
                return Ok(false);
            }
        }
        create(&new_lease(child, LeaseCheckpoint::TrimHorizon), table)?;
    }
    Ok(true)
}

/// Creates a row, unless there is one.
pub(super) fn create(lease: &Lease, table: &dyn LeaseTable) -> Result<(), TableError> {
    match table.create(Kind::Lease, &lease.key, lease.to_item()) {
        Ok(()) | Err(TableError::Refused) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Returns true if nothing needs the row of an ended shard any more: those that follow it have
/// begun, and no row is left of those before it.
///
/// # Errors
/// Those of the table.
pub(super) fn is_done_with(lease: &Lease, table: &dyn LeaseTable) -> Result<bool, TableError> {
    if lease.children.is_empty() {
        return Ok(false);
    }
    for child in &lease.children {
        let row = table.get(Kind::Lease, child)?;
        let child = row.and_then(|item| Lease::from_item(child, &item).ok());
        let Some(child) = child else { return Ok(false) };
        if matches!(child.checkpoint, LeaseCheckpoint::TrimHorizon | LeaseCheckpoint::AtTime) {
            return Ok(false);
        }
    }
    for parent in &lease.parents {
        if table.get(Kind::Lease, parent)?.is_some() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Returns true if all shards before this one were read to their end: their rows say so, or are
/// gone.
///
/// # Errors
/// Those of the table.
pub(super) fn may_begin(lease: &Lease, table: &dyn LeaseTable) -> Result<bool, TableError> {
    for parent in &lease.parents {
        let row = table.get(Kind::Lease, parent)?;
        // A row that cannot be read is not at its end.
        let is_read = row.is_none_or(|item| {
            Lease::from_item(parent, &item).is_ok_and(|parent| parent.is_ended())
        });
        if !is_read {
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapter::kinesis_records::kpl::HashRange;

    fn shard(id: &str, parents: &[&str], is_closed: bool) -> ShardInfo {
        ShardInfo {
            id: ShardId::new(id),
            parents: parents.iter().map(|id| ShardId::new(*id)).collect(),
            range: None,
            is_closed,
        }
    }

    fn names(leases: &[Lease]) -> Vec<&str> {
        leases.iter().map(|lease| lease.key.as_str()).collect()
    }

    #[test]
    fn rows_are_made_for_the_oldest_of_each_branch() {
        let listed = [
            shard("a", &["expired"], true),
            shard("b", &[], true),
            shard("ab", &["a", "b"], true),
            shard("ab1", &["ab"], false),
            shard("ab2", &["ab"], false),
            shard("c", &[], false),
        ];
        let missing = |rows: &[&str], start| {
            let rows = rows.iter().map(|row| (*row).to_owned()).collect();
            names(&missing(&listed, &rows, start)).join(" ")
        };
        assert_eq!(missing(&[], StreamStart::TrimHorizon), "a b c");
        assert_eq!(missing(&[], StreamStart::Latest), "ab1 ab2 c");
        assert_eq!(missing(&["a"], StreamStart::TrimHorizon), "b c");
        assert_eq!(missing(&["ab", "c"], StreamStart::TrimHorizon), "");
        assert_eq!(missing(&["ab", "ab1"], StreamStart::Latest), "c");
    }

    #[test]
    fn holes_are_found() {
        let lease = |start, end| {
            let mut lease = Lease::new(&ShardId::new("s"), LeaseCheckpoint::TrimHorizon);
            lease.range = Some(HashRange { start, end });
            lease
        };
        let top = u128::MAX;
        assert!(!covers_all(&[]));
        assert!(covers_all(&[lease(0, top)]));
        assert!(covers_all(&[lease(10, top), lease(0, 9)]));
        assert!(covers_all(&[lease(0, top), lease(3, 9)]));
        assert!(covers_all(&[lease(0, 20), lease(3, 9), lease(21, top)]));
        assert!(!covers_all(&[lease(0, 9), lease(11, top)]));
        assert!(!covers_all(&[lease(1, top)]));
        assert!(!covers_all(&[lease(0, top - 1)]));
        let mut ended = lease(0, top);
        ended.checkpoint = LeaseCheckpoint::ShardEnd;
        assert!(!covers_all(&[ended]));
    }
}
