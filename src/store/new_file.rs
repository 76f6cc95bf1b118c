//! Files that are complete or not there.

use crate::error::{Error, ErrorKind};
use bytes::Bytes;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// A file that gets its name when it is complete. Until then it is a hidden file in the same
/// folder; if it is dropped before, nothing of it stays.
#[derive(Debug)]
pub(crate) struct NewFile {
    path: PathBuf,
    temporary: PathBuf,
    /// `None` if the file has its name.
    file: Option<File>,
}

impl NewFile {
    /// Begins a file. A link to a file stays, and the file that it names is replaced.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] for a path without a name, and for a device or a pipe, which
    /// a file must not replace; [`ErrorKind::Io`] if the folder has no place for it.
    pub(crate) fn create(path: impl Into<PathBuf>) -> Result<Self, Error> {
        let path = path.into();
        let path = fs::canonicalize(&path).unwrap_or(path);
        if path.metadata().is_ok_and(|known| !known.is_file() && !known.is_dir()) {
            let path = path.display();
            let message = format!(
                "{path} is a device or a pipe, and no file may take its place: leave out --out, \
                 and redirect standard output there"
            );
            return Err(Error::invalid(message));
        }
        let Some(name) = path.file_name().filter(|_| !path.is_dir()) else {
            return Err(Error::invalid(format!("{} is not the name of a file", path.display())));
        };
        // Two processes may write the same file at the same time.
        let hidden = format!(".{}.{}.new", name.to_string_lossy(), std::process::id());
        let temporary = path.with_file_name(hidden);
        match File::create(&temporary) {
            Ok(file) => Ok(NewFile { path, temporary, file: Some(file) }),
            Err(error) => Err(failed("cannot write", &path, error)),
        }
    }

    /// Syncs the file and gives it its name.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if that fails. The file is not there then.
    pub(crate) fn keep(mut self) -> Result<(), Error> {
        let Some(file) = self.file.take() else { return Ok(()) };
        let kept = file.sync_all().and_then(|()| fs::rename(&self.temporary, &self.path));
        if kept.is_err() {
            let _ = fs::remove_file(&self.temporary);
        }
        kept.and_then(|()| sync_folder(&self.path))
            .map_err(|error| failed("cannot write", &self.path, error))
    }
}

impl Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.file {
            Some(file) => file.write(bytes),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if self.file.take().is_some() {
            let _ = fs::remove_file(&self.temporary);
        }
    }
}

/// Makes the name of a file as safe as its content.
fn sync_folder(path: &Path) -> io::Result<()> {
    // Only Unix allows opening and syncing a folder.
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    match cfg!(unix) {
        true => File::open(folder.unwrap_or(Path::new("."))).and_then(|folder| folder.sync_all()),
        false => Ok(()),
    }
}

/// A place of whole files, by their paths below it: a directory or a bucket.
#[derive(Debug)]
pub(crate) enum WholeFiles {
    Folder(PathBuf),
    #[cfg(feature = "object-store")]
    Objects(super::ObjectStore),
}

impl WholeFiles {
    /// Opens a place: `s3://BUCKET/PREFIX`, or else a directory.
    ///
    /// # Errors
    /// Those of [`open`](super::open).
    pub(crate) fn open(place: &str) -> Result<Self, Error> {
        match super::address::bucket(place)? {
            #[cfg(feature = "object-store")]
            Some((bucket, prefix)) => {
                super::ObjectStore::s3(bucket, prefix, &[]).map(WholeFiles::Objects)
            }
            #[cfg(not(feature = "object-store"))]
            Some(_) => Err(super::address::unsupported(place)),
            None => {
                let folder = PathBuf::from(place);
                fs::create_dir_all(&folder)
                    .map_err(|error| failed("cannot make the folder", &folder, error))?;
                Ok(WholeFiles::Folder(folder))
            }
        }
    }

    /// Writes a file. If it is there already, it must have the same content.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if it cannot be written. It is not there then.
    pub(crate) fn put(&self, path: &str, bytes: &Bytes) -> Result<(), Error> {
        match self {
            WholeFiles::Folder(folder) => {
                let path = folder.join(path);
                if let Some(parent) = path.parent() {
                    fs::create_dir_all(parent)
                        .map_err(|error| failed("cannot make the folder", parent, error))?;
                }
                let mut file = NewFile::create(&path)?;
                file.write_all(bytes).map_err(|error| failed("cannot write", &path, error))?;
                file.keep()
            }
            #[cfg(feature = "object-store")]
            WholeFiles::Objects(objects) => objects.put_file(path, bytes.clone()),
        }
    }
}

#[cold]
fn failed(what: &str, path: &Path, error: io::Error) -> Error {
    Error::new(ErrorKind::Io, format!("{what} {}", path.display())).with_source(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_complete_or_not_there() {
        let folder = std::env::temp_dir().join(format!("streamgauge-whole-{}", std::process::id()));
        let files = WholeFiles::open(folder.to_str().unwrap()).unwrap();
        files.put("a=1/b", &Bytes::from_static(b"one")).unwrap();
        assert_eq!(fs::read(folder.join("a=1/b")).unwrap(), b"one");
        let names = || fs::read_dir(&folder).unwrap().count();
        let mut file = NewFile::create(folder.join("c")).unwrap();
        file.write_all(b"half").unwrap();
        assert!(!folder.join("c").exists() && names() == 2);
        drop(file);
        assert_eq!(names(), 1, "nothing of it stays");
        let mut file = NewFile::create(folder.join("c")).unwrap();
        file.write_all(b"whole").unwrap();
        file.keep().unwrap();
        assert_eq!((fs::read(folder.join("c")).unwrap(), names()), (b"whole".to_vec(), 2));
        assert!(NewFile::create(&folder).is_err() && NewFile::create(folder.join("x/y")).is_err());
        fs::remove_dir_all(folder).unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn a_link_stays_and_a_device_is_refused() {
        let folder = std::env::temp_dir().join(format!("streamgauge-link-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("old"), b"old").unwrap();
        std::os::unix::fs::symlink("old", folder.join("link")).unwrap();
        let mut file = NewFile::create(folder.join("link")).unwrap();
        file.write_all(b"new").unwrap();
        file.keep().unwrap();
        assert!(folder.join("link").is_symlink());
        assert_eq!(fs::read(folder.join("old")).unwrap(), b"new");
        let error = NewFile::create("/dev/null").unwrap_err();
        assert!(error.to_string().contains("/dev/null is a device or a pipe"), "{error}");
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_full_disk_is_told_with_the_name_of_the_file() {
        // Every write to this device fails as on a full disk.
        let Ok(device) = File::options().write(true).open("/dev/full") else { return };
        let folder = std::env::temp_dir().join(format!("streamgauge-full-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let mut file = NewFile::create(folder.join("c")).unwrap();
        file.file = Some(device);
        assert_eq!(file.write_all(b"x").unwrap_err().kind(), io::ErrorKind::StorageFull);
        drop(file);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
        fs::remove_dir_all(folder).unwrap();
    }
}
