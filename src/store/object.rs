//! A store in S3 or in any other service that the `object_store` crate supports.
//!
//! A save is one conditional put: `If-None-Match: *` for a new key, `If-Match` with the ETag of the
//! replaced version otherwise. The service decides which of two owners was first.
//!
//! The interface is blocking. Each call runs on a small runtime of the store, on a separate thread,
//! so that it may be called from anywhere, even from inside another runtime.

use super::{
    KEY_BYTES_MAX, Store, Version, VersionedBytes, check_key, conflict, file_name, key_of,
};
use crate::error::{Error, ErrorKind};
use bytes::Bytes;
use futures_util::TryStreamExt;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::path::Path;
use object_store::{ObjectStoreExt, PutMode, PutOptions, UpdateVersion};
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use tokio::runtime::{Builder, Runtime};

/// The ending of the names of the objects.
const STATE: &str = ".state";

/// The largest object that is read. Default of [`ObjectStore::bytes_max`].
const BYTES_MAX: u64 = 1 << 30;

/// Stores each key's bytes in an object under a prefix. The object's name is the key (escaped as in
/// [`DirectoryStore`](super::DirectoryStore)) and `.state`.
///
/// The service must support conditional puts. S3 does, and so do most services with the S3
/// protocol. Versions are ETags.
///
/// # Example
/// ```
/// use std::sync::Arc;
/// use object_store::memory::InMemory;
/// use streamgauge::store::{ObjectStore, Store};
/// let store = ObjectStore::new(Arc::new(InMemory::new()), "streamgauge/prod")?;
/// let version = store.save("shard-0", b"state".as_slice().into(), None)?;
/// assert!(store.save("shard-0", b"stale".as_slice().into(), None).is_err()); // a conflict
/// store.save("shard-0", b"newer".as_slice().into(), Some(&version))?;
/// assert_eq!(store.list("")?, ["shard-0"]);
/// # Ok::<(), streamgauge::Error>(())
/// ```
pub struct ObjectStore {
    objects: Arc<dyn object_store::ObjectStore>,
    prefix: Path,
    bytes_max: u64,
    /// `None` only during drop.
    runtime: Option<Runtime>,
}

impl ObjectStore {
    /// Opens the store under a prefix of these objects.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the operating system refuses the resources of a runtime.
    ///
    /// # Example
    /// ```
    /// use std::sync::Arc;
    /// use object_store::memory::InMemory;
    /// use streamgauge::store::{ObjectStore, Store};
    /// let bucket = Arc::new(InMemory::new());
    /// let prod = ObjectStore::new(bucket.clone(), "prod")?;
    /// let test = ObjectStore::new(bucket, "test")?;
    /// prod.save("shard-0", b"state".as_slice().into(), None)?;
    /// assert!(test.load("shard-0")?.is_none()); // another prefix
    /// # Ok::<(), streamgauge::Error>(())
    /// ```
    pub fn new(objects: Arc<dyn object_store::ObjectStore>, prefix: &str) -> Result<Self, Error> {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.map_err(|error| {
            Error::new(ErrorKind::Io, "cannot start the object store's runtime").with_source(error)
        })?;
        Ok(ObjectStore {
            objects,
            prefix: Path::from(prefix),
            bytes_max: BYTES_MAX,
            runtime: Some(runtime),
        })
    }

    /// Opens the store under a prefix of an S3 bucket. Region, credentials and endpoint come from
    /// the `AWS_...` environment variables and from the instance or function. `options` overwrite
    /// them, by the names of `object_store::aws::AmazonS3ConfigKey`, such as `region` or
    /// `endpoint`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] for an unknown option or an incomplete configuration.
    ///
    /// # Example
    /// ```
    /// use streamgauge::ErrorKind;
    /// use streamgauge::store::ObjectStore;
    /// let options = [("region", "eu-central-1"), ("endpoint", "https://storage.example.com")];
    /// let store = ObjectStore::s3("my-bucket", "streamgauge/prod", &options);
    /// assert!(store.is_ok()); // nothing is sent before the first load
    /// let refused = ObjectStore::s3("my-bucket", "prod", &[("regoin", "eu-central-1")]).err();
    /// assert_eq!(refused.map(|error| error.kind()), Some(ErrorKind::InvalidArgument));
    /// ```
    pub fn s3(bucket: &str, prefix: &str, options: &[(&str, &str)]) -> Result<Self, Error> {
        let mut builder = AmazonS3Builder::from_env().with_bucket_name(bucket);
        for (name, value) in options {
            let key: AmazonS3ConfigKey = name.parse().map_err(|error| {
                Error::invalid(format!("{name:?} is not an option of S3")).with_source(error)
            })?;
            builder = builder.with_config(key, *value);
        }
        let objects = builder.build().map_err(|error| {
            Error::invalid(format!("the bucket {bucket:?} cannot be used")).with_source(error)
        })?;
        ObjectStore::new(Arc::new(objects), prefix)
    }

    /// Sets the largest number of bytes that one key may load. Default: 1 GiB.
    ///
    /// # Example
    /// ```
    /// use std::sync::Arc;
    /// use object_store::memory::InMemory;
    /// use streamgauge::ErrorKind;
    /// use streamgauge::store::{ObjectStore, Store};
    /// let bucket = Arc::new(InMemory::new());
    /// ObjectStore::new(bucket.clone(), "prod")?.save("a", b"longer".as_slice().into(), None)?;
    /// let refused = ObjectStore::new(bucket, "prod")?.bytes_max(4).load("a").unwrap_err();
    /// assert_eq!(refused.kind(), ErrorKind::LimitExceeded); // before it is in memory
    /// # Ok::<(), streamgauge::Error>(())
    /// ```
    #[must_use]
    pub fn bytes_max(mut self, bytes: u64) -> Self {
        self.bytes_max = bytes;
        self
    }

    /// Writes a file under its path below the prefix, whatever is there: one put.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if it cannot be written.
    #[cfg(feature = "spec")]
    pub(crate) fn put_file(&self, path: &str, bytes: Bytes) -> Result<(), Error> {
        let parts = path.split('/').map(object_store::path::PathPart::from);
        let path = parts.fold(self.prefix.clone(), |path, part| path.join(part));
        let put = self.wait(self.objects.put(&path, bytes.into()))?;
        put.map(drop).map_err(|error| failed("cannot write", &path, error))
    }

    fn path(&self, key: &str) -> Path {
        self.prefix.clone().join(file_name(key, STATE))
    }

    /// Waits for a future, on a thread that belongs to no runtime.
    fn wait<T: Send>(&self, future: impl Future<Output = T> + Send) -> Result<T, Error> {
        let gone = || Error::new(ErrorKind::Io, "the object store's runtime has ended");
        let runtime = self.runtime.as_ref().ok_or_else(gone)?;
        std::thread::scope(|scope| scope.spawn(|| runtime.block_on(future)).join())
            .map_err(|_| gone())
    }

    async fn get(&self, key: &str) -> Result<Option<VersionedBytes>, Error> {
        let path = self.path(key);
        let found = match self.objects.get(&path).await {
            Ok(found) => found,
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(failed("cannot load", &path, error)),
        };
        if found.meta.size > self.bytes_max {
            let message = format!(
                "{path} takes {} bytes, over the {} of this store",
                found.meta.size, self.bytes_max
            );
            return Err(Error::new(ErrorKind::LimitExceeded, message));
        }
        let Some(version) = found.meta.e_tag.clone() else { return Err(no_version(&path)) };
        let bytes = found.bytes().await.map_err(|error| failed("cannot load", &path, error))?;
        Ok(Some(VersionedBytes { bytes, version: Version(version) }))
    }

    async fn put(
        &self,
        key: &str,
        bytes: Bytes,
        expected: Option<&Version>,
    ) -> Result<Version, Error> {
        let path = self.path(key);
        let mode = match expected {
            None => PutMode::Create,
            Some(version) => {
                PutMode::Update(UpdateVersion { e_tag: Some(version.0.clone()), version: None })
            }
        };
        let put = self.objects.put_opts(&path, bytes.into(), PutOptions::from(mode)).await;
        match put {
            Ok(put) => put.e_tag.map(Version).ok_or_else(|| no_version(&path)),
            Err(
                object_store::Error::AlreadyExists { .. }
                | object_store::Error::Precondition { .. }
                | object_store::Error::NotFound { .. },
            ) => {
                let found = self.get(key).await.ok().flatten().map(|stored| stored.version);
                Err(conflict(key, expected, found.as_ref()))
            }
            Err(error) => Err(failed("cannot save", &path, error)),
        }
    }
}

impl Store for ObjectStore {
    fn load(&self, key: &str) -> Result<Option<VersionedBytes>, Error> {
        check_key(key)?;
        self.wait(self.get(key))?
    }

    fn save(&self, key: &str, bytes: Bytes, expected: Option<&Version>) -> Result<Version, Error> {
        check_key(key)?;
        self.wait(self.put(key, bytes, expected))?
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>, Error> {
        let objects: Vec<_> = self
            .wait(self.objects.list(Some(&self.prefix)).try_collect())?
            .map_err(|error| failed("cannot list", &self.prefix, error))?;
        let names = objects.iter().filter_map(|object: &object_store::ObjectMeta| {
            object.location.filename().map(decoded)
        });
        let mut keys: Vec<String> = names
            .filter_map(|name| key_of(&name, STATE))
            .filter(|key| key.starts_with(prefix))
            .collect();
        keys.sort_unstable();
        Ok(keys)
    }

    fn delete(&self, key: &str) -> Result<(), Error> {
        check_key(key)?;
        let path = self.path(key);
        match self.wait(self.objects.delete(&path))? {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(failed("cannot remove", &path, error)),
        }
    }
}

impl Drop for ObjectStore {
    fn drop(&mut self) {
        // Waiting for the runtime would panic inside another runtime.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl fmt::Debug for ObjectStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObjectStore")
            .field("objects", &self.objects)
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}

/// Undoes the escaping of a path, which also escapes our own escapes (`%` becomes `%25`).
fn decoded(name: &str) -> String {
    debug_assert!(name.len() <= 5 * KEY_BYTES_MAX + STATE.len());
    name.replace("%25", "%")
}

#[cold]
fn no_version(path: &Path) -> Error {
    Error::new(
        ErrorKind::Unsupported,
        format!(
            "the service gives no ETag for {path}, without which saves cannot be distinguished"
        ),
    )
}

#[cold]
fn failed(what: &str, path: &Path, error: object_store::Error) -> Error {
    Error::new(ErrorKind::Io, format!("{what} {path}")).with_source(error)
}
