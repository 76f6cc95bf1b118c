//! Opens the store that a text names.

use super::{DirectoryStore, Store};
use crate::error::Error;

/// Opens the store at an address from the user: `s3://BUCKET/PREFIX` (feature `object-store`;
/// region, credentials and endpoint from the `AWS_...` environment variables), or else a directory,
/// which is created if it does not exist.
///
/// # Errors
/// [`ErrorKind::Io`](crate::ErrorKind::Io) if the directory cannot be created,
/// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) for a bucket that cannot be
/// used, [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) for an S3 address in a build
/// without the feature.
///
/// # Example
/// ```
/// # let folder = std::env::temp_dir().join(format!("streamgauge-open-{}", std::process::id()));
/// # let address = folder.to_str().expect("a path of text");
/// use streamgauge::store::{Store, open};
/// let store = open(address)?; // creates the directory
/// store.save("shard-0", b"state".as_slice().into(), None)?;
/// // The next process finds it there.
/// assert_eq!(open(address)?.list("")?, ["shard-0"]);
/// # std::fs::remove_dir_all(&folder).expect("the directory exists");
/// # Ok::<(), streamgauge::Error>(())
/// ```
pub fn open(address: &str) -> Result<Box<dyn Store>, Error> {
    let Some(path) = address.strip_prefix("s3://") else {
        return Ok(Box::new(DirectoryStore::open(address)?));
    };
    let (bucket, prefix) = path.split_once('/').unwrap_or((path, ""));
    if bucket.is_empty() {
        return Err(Error::invalid(format!(
            "{address:?} names no bucket: write s3://BUCKET/PREFIX"
        )));
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
        let folder =
            std::env::temp_dir().join(format!("streamgauge-address-{}", std::process::id()));
        let store = open(folder.to_str().unwrap()).unwrap();
        store.save("a", b"x"[..].into(), None).unwrap();
        assert_eq!(store.list("").unwrap(), ["a"]);
        std::fs::remove_dir_all(folder).unwrap();
        assert!(open("s3:///x").err().unwrap().to_string().contains("names no bucket"));
    }
}
