//! The contract of every store.

use bytes::Bytes;
use std::sync::Arc;
use streamgauge::prelude::*;
use streamgauge::store::{DirectoryStore, MemoryStore, Store};

/// Checks the promises of the trait for an empty store.
pub(super) fn keeps_its_promises(store: &dyn Store) {
    let bytes = |text: &'static str| Bytes::from_static(text.as_bytes());
    assert_eq!(store.load("a/1").unwrap(), None);
    let first = store.save("a/1", bytes("one"), None).unwrap();
    let stored = store.load("a/1").unwrap().unwrap();
    assert_eq!((stored.bytes, &stored.version), (bytes("one"), &first));

    let taken = store.save("a/1", bytes("two"), None).unwrap_err();
    assert_eq!(taken.kind(), ErrorKind::Conflict, "{taken}");
    let second = store.save("a/1", bytes("two"), Some(&first)).unwrap();
    let stale = store.save("a/1", bytes("three"), Some(&first)).unwrap_err();
    assert_eq!(stale.kind(), ErrorKind::Conflict, "{stale}");
    assert_eq!(
        store.load("a/1").unwrap().unwrap().bytes,
        bytes("two"),
        "a conflict changes nothing"
    );
    assert_eq!(
        store.save("b", bytes("x"), Some(&second)).unwrap_err().kind(),
        ErrorKind::Conflict,
        "nothing is not a version"
    );

    store.save("a/2", bytes(""), None).unwrap();
    store.save("b", bytes("x"), None).unwrap();
    assert_eq!(store.list("").unwrap(), ["a/1", "a/2", "b"]);
    assert_eq!(store.list("a/").unwrap(), ["a/1", "a/2"]);
    store.delete("a/1").unwrap();
    store.delete("a/1").unwrap();
    assert_eq!(store.load("a/1").unwrap(), None);
    assert_eq!(store.list("a/").unwrap(), ["a/2"]);
    assert_eq!(store.load("a/2").unwrap().unwrap().bytes, bytes(""));
    assert_eq!(store.load("").unwrap_err().kind(), ErrorKind::InvalidArgument);
    assert_eq!(
        store.save(&"k".repeat(81), bytes(""), None).unwrap_err().kind(),
        ErrorKind::InvalidArgument
    );
    store.save(&"ß".repeat(40), bytes("long"), None).unwrap();
}

fn folder(name: &str) -> std::path::PathBuf {
    let folder = std::env::temp_dir().join(format!("streamgauge-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    folder
}

#[test]
fn the_memory_store_keeps_its_promises() {
    keeps_its_promises(&MemoryStore::new());
}

#[test]
fn the_directory_store_keeps_its_promises() {
    let folder = folder("promises");
    keeps_its_promises(&DirectoryStore::open(&folder).unwrap());
    std::fs::remove_dir_all(folder).unwrap();
}

/// Each thread adds 1 a hundred times, and starts again after a conflict: no addition is lost.
pub(super) fn counts_up(stores: Vec<Arc<dyn Store>>) {
    let threads: Vec<_> = stores
        .into_iter()
        .map(|store| {
            std::thread::spawn(move || {
                for _ in 0..100 {
                    loop {
                        let stored = store.load("counter").unwrap();
                        let count: u64 = stored.as_ref().map_or(0, |stored| {
                            std::str::from_utf8(&stored.bytes).unwrap().parse().unwrap()
                        });
                        match store.save(
                            "counter",
                            (count + 1).to_string().into(),
                            stored.as_ref().map(|stored| &stored.version),
                        ) {
                            Ok(_) => break,
                            Err(error) => assert_eq!(error.kind(), ErrorKind::Conflict, "{error}"),
                        }
                    }
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

#[test]
fn s55_two_owners_never_overwrite_each_other() {
    let folder = folder("owners");
    let open = || Arc::new(DirectoryStore::open(&folder).unwrap()) as Arc<dyn Store>;
    counts_up(vec![open(), open(), open()]);
    assert_eq!(&open().load("counter").unwrap().unwrap().bytes[..], b"300");
    std::fs::remove_dir_all(folder).unwrap();
    let memory = Arc::new(MemoryStore::new());
    counts_up(vec![memory.clone(), memory.clone()]);
    assert_eq!(&memory.load("counter").unwrap().unwrap().bytes[..], b"200");
}
