//! The store that a text names.

use super::{DirectoryStore, Store};
use crate::error::Error;

/// The store at a place that a user has written: `s3://BUCKET/PREFIX` (feature `object-store`;
/// region, credentials and endpoint from the `AWS_...` environment variables), and anything else is
/// a directory, which is made if it is not there.
///
/// # Errors
/// [`ErrorKind::Io`](crate::ErrorKind::Io) if the directory cannot be made,
/// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) for a bucket that cannot be
/// used, [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) for an S3 address where this was
/// built without the feature.
pub fn open(place: &str) -> Result<Box<dyn Store>, Error> {
    let Some(address) = place.strip_prefix("s3://") else {
        return Ok(Box::new(DirectoryStore::open(place)?));
    };
    let (bucket, prefix) = address.split_once('/').unwrap_or((address, ""));
    if bucket.is_empty() {
        return Err(Error::invalid(format!("{place:?} names no bucket: write s3://BUCKET/PREFIX")));
    }
    s3(bucket, prefix)
}

#[cfg(feature = "object-store")]
fn s3(bucket: &str, prefix: &str) -> Result<Box<dyn Store>, Error> {
    Ok(Box::new(super::ObjectStore::s3(bucket, prefix, &[])?))
}

#[cfg(not(feature = "object-store"))]
fn s3(bucket: &str, prefix: &str) -> Result<Box<dyn Store>, Error> {
    let message = format!(
        "s3://{bucket}/{prefix}: this was built without S3; build it with the feature object-store"
    );
    Err(Error::new(crate::error::ErrorKind::Unsupported, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_names_a_directory_or_a_bucket() {
        let folder = std::env::temp_dir().join(format!("streamgauge-place-{}", std::process::id()));
        let store = open(folder.to_str().unwrap()).unwrap();
        store.save("a", b"x"[..].into(), None).unwrap();
        assert_eq!(store.list("").unwrap(), ["a"]);
        std::fs::remove_dir_all(folder).unwrap();
        assert!(open("s3:///x").err().unwrap().to_string().contains("names no bucket"));
    }
}
