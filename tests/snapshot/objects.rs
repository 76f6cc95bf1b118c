//! The object store compared with memory, and with a real S3 interface on loopback (see
//! scripts/test-s3).

use super::stores::{counts_up, keeps_its_promises};
use object_store::memory::InMemory;
use std::sync::Arc;
use streamgauge::store::{ObjectStore, Store};

#[test]
fn the_object_store_keeps_its_promises() {
    let objects = Arc::new(InMemory::new());
    keeps_its_promises(&ObjectStore::new(objects.clone(), "state/v1").unwrap());
    let open =
        || Arc::new(ObjectStore::new(objects.clone(), "counters").unwrap()) as Arc<dyn Store>;
    counts_up(vec![open(), open()]);
    assert_eq!(&open().load("counter").unwrap().unwrap().bytes[..], b"200");
    assert_eq!(
        ObjectStore::new(objects, "state/v1")
            .unwrap()
            .bytes_max(3)
            .load("a/2")
            .unwrap()
            .map(|stored| stored.bytes.len()),
        Some(0)
    );
}

#[test]
fn the_object_store_works_inside_of_another_runtime() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let store = ObjectStore::new(Arc::new(InMemory::new()), "").unwrap();
        store.save("a", "1".into(), None).unwrap();
        assert_eq!(store.list("").unwrap(), ["a"]);
    });
}

#[test]
fn an_option_that_s3_does_not_have_is_refused() {
    let error = ObjectStore::s3("bucket", "", &[("regoin", "eu-central-1")]).unwrap_err();
    assert!(error.to_string().contains("regoin"), "{error}");
}

#[test]
#[ignore = "needs an S3 server: scripts/test-s3 starts one and runs this"]
fn s3_keeps_its_promises() {
    let endpoint = std::env::var("STREAMGAUGE_S3_ENDPOINT").expect("the address of an S3 server");
    let options = [
        ("endpoint", endpoint.as_str()),
        ("allow_http", "true"),
        ("region", "us-east-1"),
        ("access_key_id", "test"),
        ("secret_access_key", "test"),
    ];
    let open = |prefix: &str| ObjectStore::s3("streamgauge-test", prefix, &options).unwrap();
    keeps_its_promises(&open("promises"));
    counts_up(vec![Arc::new(open("counters")), Arc::new(open("counters"))]);
    assert_eq!(&open("counters").load("counter").unwrap().unwrap().bytes[..], b"200");
    let missing = ObjectStore::s3("no-such-bucket", "", &options).unwrap();
    assert!(missing.save("a", "1".into(), None).is_err());
}
