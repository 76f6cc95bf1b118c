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
    match bucket(address)? {
        #[cfg(feature = "object-store")]
        Some((bucket, prefix)) => Ok(Box::new(super::ObjectStore::s3(bucket, prefix, &[])?)),
        #[cfg(not(feature = "object-store"))]
        Some(_) => Err(unsupported(address)),
        None => Ok(Box::new(DirectoryStore::open(address)?)),
    }
}

/// Returns the bucket and the prefix of an S3 address; `None` for a directory.
///
/// # Errors
/// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) if no bucket is named.
pub(super) fn bucket(address: &str) -> Result<Option<(&str, &str)>, Error> {
    let Some(path) = address.strip_prefix("s3://") else { return Ok(None) };
    let (bucket, prefix) = path.split_once('/').unwrap_or((path, ""));
    match bucket.is_empty() {
        false => Ok(Some((bucket, prefix))),
        true => {
            Err(Error::invalid(format!("{address:?} names no bucket: write s3://BUCKET/PREFIX")))
        }
    }
}

#[cfg(not(feature = "object-store"))]
pub(super) fn unsupported(address: &str) -> Error {
    let message =
        format!("{address}: this was built without S3; build it with the feature object-store");
    Error::new(crate::error::ErrorKind::Unsupported, message)
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
