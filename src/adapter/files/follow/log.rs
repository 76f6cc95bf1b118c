//! A log: a path, and the files that come there one after the other.

use super::context::{Context, Known, ROTATED, ROTATED_MAX};
use super::folder::{Entry, named_like};
use super::followed_file::{Fetched, FollowedFile, Next};
use crate::adapter::files::observer::PipelineObserver;
use crate::adapter::files::run_pipeline::PipelineSink;
use crate::adapter::files::run_state::{CountedBytes, CountedFile, FileId, OpenFile, unreadable};
use crate::adapter::files::source::is_compressed;
use crate::adapter::files::taking::Taking;
use crate::error::Error;
use crate::formats::format::Format;
use crate::time::Timestamp;
use std::fs::{File, Metadata};
use std::path::{Path, PathBuf};

/// How long after a rotation an unknown rotated file may be one that was never seen at the path.
const MISSED: i64 = 2_000;
/// How often in a row a file is not found in the folder until it is forgotten.
const MISSES_MAX: u32 = 5;
/// Bytes that are compared to find the copy of a file of which nothing was counted.
const COMPARED_BYTES: u64 = 4096;

/// The files that come at one path, one after the other.
pub(super) struct Log {
    /// The absolute path.
    pub(super) path: PathBuf,
    /// The path as given.
    pub(super) name: String,
    /// In the order of reading. The last one is at the path, unless it is rotated.
    files: Vec<FollowedFile>,
    /// Copies of the last file, which are read if it is cut.
    copies: Vec<FileId>,
    /// When a file was rotated last.
    rotated_at: Option<Timestamp>,
    /// True if a file in the folder was empty, so that it may still become a copy.
    is_undecided: bool,
    pub(super) notes: Vec<(String, String)>,
    /// When the last records came.
    pub(super) busy_at: Timestamp,
    /// True if no window waits for the log.
    pub(super) is_quiet: bool,
}

impl Log {
    /// Begins a log at a path, or continues it from the state.
    ///
    /// # Errors
    /// A file cannot be read.
    pub(super) fn new(path: &Path, absolute: PathBuf, context: &mut Context) -> Result<Log, Error> {
        let mut log = Log {
            path: absolute,
            name: path.display().to_string(),
            files: Vec::new(),
            copies: Vec::new(),
            rotated_at: None,
            is_undecided: false,
            notes: Vec::new(),
            busy_at: context.now,
            is_quiet: false,
        };
        let is_mine = |file: &CountedFile| file.path == log.path && !file.retired;
        let (mine, left): (Vec<_>, Vec<_>) =
            std::mem::take(&mut context.left).into_iter().partition(is_mine);
        context.left = left;
        if mine.is_empty() || !context.has_followed {
            // Files that were rotated before are not read.
            for entry in log.named_like() {
                context.known.entry(entry.id).or_insert(Known::of(&log.path, false));
            }
        } else {
            // Any of these may have been rotated since.
            log.rotated_at = Some(context.now);
        }
        let ids: Vec<FileId> = mine.iter().map(|file| file.id).collect();
        for file in mine {
            log.resume(file, &ids, context)?;
        }
        log.look(context)?;
        Ok(log)
    }

    /// Continues a file of the state, wherever it is now.
    fn resume(
        &mut self,
        file: CountedFile,
        others: &[FileId],
        context: &mut Context,
    ) -> Result<(), Error> {
        let here = OpenFile::open(&self.path).ok();
        let is_here =
            |open: &OpenFile| open.id == file.id && (!file.is_known() || file.is_in(open));
        let is_moved_here = |open: &OpenFile| file.is_in(open);
        let found = match here {
            Some(open) if is_here(&open) => Some((self.path.clone(), open)),
            here => file
                .search()
                .renamed()
                .or_else(|| file.search().copied(others))
                .or_else(|| here.filter(is_moved_here).map(|open| (self.path.clone(), open))),
        };
        let Some((path, open)) = found else {
            if file.unread > 0 {
                let lost = format!(
                    "is not the file that it was, and {} bytes that it had are not found: they are \
                     not counted",
                    file.unread
                );
                self.notes.push((self.name.clone(), lost));
            }
            return Ok(());
        };
        let is_rotated = path != self.path;
        self.push((&path, open.file), file, is_rotated, context)
    }

    /// Follows a file of the log, after the others.
    fn push(
        &mut self,
        (path, file): (&Path, File),
        counted: CountedFile,
        is_rotated: bool,
        context: &mut Context,
    ) -> Result<(), Error> {
        let name = if is_rotated { path.display().to_string() } else { self.name.clone() };
        let mut file = FollowedFile::of(name, file, counted, context.now)
            .map_err(|error| unreadable(path, error))?;
        file.is_rotated = is_rotated;
        context.known.insert(file.id(), Known::of(&self.path, true));
        self.files.push(file);
        Ok(())
    }

    /// Follows a file that is new at the path.
    fn follow_new(&mut self, file: File, context: &mut Context) -> Result<(), Error> {
        let path = self.path.clone();
        let fresh = CountedFile::fresh(path.clone(), self.format());
        self.push((&path, file), fresh, false, context)
    }

    /// Returns the format of the last file.
    fn format(&self) -> Format {
        self.files.last().map_or(Format::Auto, |last| last.counted.format.clone())
    }

    /// Returns the number of open files.
    pub(super) fn open_files(&self) -> usize {
        self.files.len()
    }

    fn named_like(&self) -> Vec<Entry> {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        self.path.parent().map_or_else(Vec::new, |folder| named_like(folder, &name))
    }

    /// Returns true if this is the path of the log with a sign and more behind it.
    pub(super) fn has_beside_it(&self, path: &Path) -> bool {
        self.suffix(path).is_some()
    }

    fn suffix<'p>(&self, path: &'p Path) -> Option<&'p str> {
        let suffix = path.to_str()?.strip_prefix(self.path.to_str()?)?;
        suffix.starts_with(['.', '-', '_']).then_some(suffix)
    }

    /// Returns true if the log may be rotated to this path: its own with a sign and a number or a
    /// date.
    fn may_be_rotated_to(&self, path: &Path) -> bool {
        self.suffix(path).is_some_and(|suffix| suffix.contains(|sign: char| sign.is_ascii_digit()))
    }

    /// Finds a new file at the path, and rotated ones that were never seen there.
    ///
    /// # Errors
    /// A file cannot be read.
    pub(super) fn look(&mut self, context: &mut Context) -> Result<(), Error> {
        let (here, new) = self.at_path(context)?;
        if let Some(last) = self.files.last_mut() {
            last.is_rotated = here != Some(last.id());
        }
        if new.is_some() && !self.files.is_empty() {
            self.rotated_at = Some(context.now);
        }
        let now = context.now;
        let folder = context.folders.entry(self.path.clone()).or_default();
        let has_changed = self.path.parent().is_some_and(|parent| folder.has_changed(parent, now));
        if new.is_none() && !has_changed && !self.is_undecided {
            return Ok(());
        }
        let found = self.named_like();
        self.forget(&found, context);
        self.is_undecided = false;
        let unknown =
            |entry: &Entry| Some(entry.id) != here && !context.known.contains_key(&entry.id);
        let unknown = self.open(found.into_iter().filter(unknown));
        let is_cut = match self.files.last_mut() {
            Some(last) if new.is_none() && !unknown.is_empty() => last.is_cut()?,
            _ => false,
        };
        if is_cut {
            return self.cut(context);
        }
        for (entry, file) in unknown {
            self.decide(&entry, file, context)?;
        }
        if let Some(file) = new {
            self.copies.clear();
            self.follow_new(file, context)?;
        }
        Ok(())
    }

    /// Returns the file at the path, opened if it was never there before.
    fn at_path(&self, context: &Context) -> Result<(Option<FileId>, Option<File>), Error> {
        let found = self.path.metadata().ok().filter(Metadata::is_file);
        let Some(id) = found.as_ref().map(FileId::of) else { return Ok((None, None)) };
        let is_read = |id: &FileId| context.known.get(id).is_some_and(|known| known.is_read);
        if is_read(&id) {
            return Ok((Some(id), None));
        }
        match File::open(&self.path).and_then(OpenFile::of) {
            // It may be another one by now.
            Ok(open) if is_read(&open.id) => Ok((Some(open.id), None)),
            Ok(open) => Ok((Some(open.id), Some(open.file))),
            // It was moved away again.
            Err(_) if !self.path.exists() => Ok((None, None)),
            Err(error) => Err(unreadable(&self.path, error)),
        }
    }

    /// Opens files that have bytes. One that is empty, or has been moved since, is looked for
    /// again.
    fn open(&mut self, entries: impl Iterator<Item = Entry>) -> Vec<(Entry, File)> {
        let mut opened = Vec::new();
        for entry in entries {
            match File::open(&entry.path).and_then(OpenFile::of) {
                Ok(open) if open.id == entry.id && open.size > 0 => opened.push((entry, open.file)),
                _ => self.is_undecided = true,
            }
        }
        opened
    }

    /// Returns true if there is a file beside the log of which it is not known what it is.
    fn has_unknown(&mut self, context: &Context) -> bool {
        let unknown = self.named_like().into_iter();
        let unknown = unknown.filter(|entry| !context.known.contains_key(&entry.id));
        !self.open(unknown).is_empty()
    }

    /// Forgets files that are neither in the folder nor open. A folder that is changed while it is
    /// listed may lack a file that it has.
    fn forget(&self, found: &[Entry], context: &mut Context) {
        context.known.retain(|id, known| {
            let is_there = known.log.as_ref() != Some(&self.path)
                || found.iter().any(|entry| entry.id == *id)
                || self.files.iter().any(|file| file.id() == *id);
            known.misses = if is_there { 0 } else { known.misses + 1 };
            known.misses < MISSES_MAX
        });
    }

    /// Decides what an unknown file beside the log is: a copy, one that was rotated before it was
    /// seen, or another one.
    fn decide(&mut self, entry: &Entry, file: File, context: &mut Context) -> Result<(), Error> {
        let last = self.files.last().filter(|last| !last.is_over);
        let is_copy = last.is_some_and(|last| {
            let counted = match last.has_counted() {
                true => Ok(last.bytes.clone()),
                false => first_bytes(&last.file),
            };
            counted.and_then(|counted| counted.begins_as(&file)).unwrap_or(false)
        });
        if is_copy {
            self.copies.push(entry.id);
        }
        let was_rotated = self
            .rotated_at
            .is_some_and(|at| context.now.as_millis().saturating_sub(at.as_millis()) < MISSED);
        let may_be_missed = was_rotated || last.is_none_or(|last| !last.has_counted());
        if !is_copy && may_be_missed && self.is_unread(entry, &file) {
            return self.insert(entry, file, context);
        }
        context.known.insert(entry.id, Known::of(&self.path, false));
        Ok(())
    }

    /// Returns true if a file has the name of a rotated one, and has not been read under another
    /// name.
    fn is_unread(&self, entry: &Entry, file: &File) -> bool {
        let has_counted = |other: &FollowedFile| {
            other.has_counted() && other.bytes.fingerprint().is_of(file).unwrap_or(false)
        };
        self.may_be_rotated_to(&entry.path)
            && !is_compressed(file)
            && !self.files.iter().any(has_counted)
    }

    /// Follows a rotated file that was never seen at the path, before the file that is there.
    fn insert(&mut self, entry: &Entry, file: File, context: &mut Context) -> Result<(), Error> {
        let counted = CountedFile::fresh(self.path.clone(), self.format());
        let last = self.files.pop_if(|last| !last.is_rotated);
        let pushed = self.push((&entry.path, file), counted, true, context);
        self.files.extend(last);
        pushed
    }

    /// The last file was cut: the rest of it is in its copy, and the file begins again.
    fn cut(&mut self, context: &mut Context) -> Result<(), Error> {
        let Some(mut old) = self.files.pop() else { return Ok(()) };
        self.rotated_at = Some(context.now);
        let copies = std::mem::take(&mut self.copies);
        let (mut copy, mut missed) = (None, Vec::new());
        let is_other =
            |id: &FileId| context.known.get(id).is_some_and(|known| !known.may_be_copy());
        let candidates = self.named_like().into_iter().filter(|entry| !is_other(&entry.id));
        for (entry, file) in self.open(candidates) {
            if old.has_counted() && old.bytes.fingerprint().is_of(&file).unwrap_or(false) {
                copy = Some((entry, file));
            } else if old.has_counted() && old.bytes.begins_as(&file).unwrap_or(false) {
                // It was copied before the last records were read.
                context.known.insert(entry.id, Known::of(&self.path, false));
            } else if copies.contains(&entry.id)
                || !context.known.contains_key(&entry.id) && self.is_unread(&entry, &file)
            {
                missed.push((entry, file));
            }
        }
        let path = self.path.clone();
        let fresh = CountedFile::fresh(path.clone(), old.counted.format.clone());
        let file = old.file.try_clone().map_err(|error| unreadable(&path, error))?;
        match copy {
            Some((entry, file)) => {
                self.push((&entry.path, file), old.record()?, true, context)?;
            }
            // All of it is in one of these.
            None if !old.has_counted() && !missed.is_empty() => {}
            None => {
                let unread = old.unread();
                if unread > 0 {
                    let lost = format!(
                        "was cut, and no copy of it is found: {unread} bytes or more are not \
                         counted"
                    );
                    self.notes.push((self.name.clone(), lost));
                }
                (old.is_rotated, old.is_over) = (true, true);
                self.files.push(old);
            }
        }
        self.push((&path, file), fresh, false, context)?;
        for (entry, file) in missed {
            self.insert(&entry, file, context)?;
        }
        Ok(())
    }

    /// Reads the next block of the oldest file that has one. Returns true if there was one.
    ///
    /// # Errors
    /// Those of [`read_into`](crate::adapter::files::read_into).
    pub(super) fn read<O: PipelineObserver>(
        &mut self,
        context: &mut Context,
        into: &mut Taking<'_, PipelineSink<'_, '_, O>>,
    ) -> Result<bool, Error> {
        let mut at = 0;
        while at < self.files.len() {
            let is_last = at + 1 == self.files.len();
            let is_many = self.files.len() > ROTATED_MAX;
            let Some(file) = self.files.get_mut(at) else { break };
            let next = file.next(context, into)?;
            if let Some(note) = file.note.take() {
                self.notes.push((file.name.clone(), note));
            }
            let is_first = matches!(next, Next::Piece(_)) && !file.has_counted();
            // Files before it may have been rotated since the last look.
            if is_first && self.has_unknown(context) {
                self.files.get_mut(at).into_iter().for_each(FollowedFile::begin_again);
                self.is_undecided = true;
                return Ok(true);
            }
            let Some(file) = self.files.get_mut(at) else { break };
            match next {
                Next::Piece(piece) => {
                    (self.busy_at, file.busy_at) = (context.now, context.now);
                    self.apply(at, *piece, into)?;
                    return Ok(true);
                }
                Next::Cut if is_last && !file.is_rotated => self.cut(context)?,
                Next::Cut => file.is_over = true,
                Next::Nothing => {
                    let quiet = context.now.as_millis().saturating_sub(file.busy_at.as_millis());
                    let is_kept = !file.is_over && quiet < ROTATED && !is_many;
                    match !file.is_rotated || is_kept {
                        true => at += 1,
                        false if file.begin_anyway(context)? => {}
                        false => self.close(at, into)?,
                    }
                }
            }
        }
        Ok(false)
    }

    /// Closes a rotated file. A last line without an end is a record.
    fn close<O: PipelineObserver>(
        &mut self,
        at: usize,
        into: &mut Taking<'_, PipelineSink<'_, '_, O>>,
    ) -> Result<(), Error> {
        let file = self.files.get_mut(at);
        let tail = file.and_then(|file| file.tail().map(|tail| (tail, file.bytes.clone())));
        if let Some(tail) = tail {
            self.apply(at, tail, into)?;
        }
        self.files.remove(at);
        Ok(())
    }

    fn apply<O: PipelineObserver>(
        &mut self,
        at: usize,
        piece: (Fetched, CountedBytes),
        into: &mut Taking<'_, PipelineSink<'_, '_, O>>,
    ) -> Result<(), Error> {
        if std::mem::take(&mut self.is_quiet) {
            into.sink.pipelines.set_waited_for(into.file, true)?;
        }
        self.files.get_mut(at).map_or(Ok(()), |file| file.apply(piece, into))
    }

    /// Adds to the files of the state how much of each was counted.
    ///
    /// # Errors
    /// A file cannot be examined.
    pub(super) fn record(&self, into: &mut Vec<CountedFile>) -> Result<(), Error> {
        for file in &self.files {
            into.push(file.record()?);
        }
        Ok(())
    }
}

/// Returns the first bytes of a file, to compare them with those of a copy.
fn first_bytes(file: &File) -> std::io::Result<CountedBytes> {
    CountedBytes::read(file, file.metadata()?.len().min(COMPARED_BYTES))
}
