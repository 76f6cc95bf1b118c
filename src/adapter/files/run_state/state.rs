//! The progress of a run in its files.

use super::following::Following;
use super::identity::{FileId, Fingerprint, OpenFile, Search};
use crate::adapter::files::regular_file::became_shorter;
use crate::adapter::files::source::{Input, Opened};
use crate::codec::{Reader, Writer};
use crate::error::{Error, ErrorKind};
use crate::formats::format::Format;
use crate::limits::Limits;
use crate::rows::RowPipeline;
use crate::snapshot::{
    Envelope, EnvelopeWriter, Kind, Partial, RecordsSummary, ShardSummary, Snapshot, Summary, Tag,
};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

/// Maximum retired files that are searched for, the latest ones. A retired file is no longer an
/// input.
const RETIRED_CHECKED_MAX: usize = 16;

/// Complete windows of a file's pipeline: partials by the end and the start of their window, the
/// order of answers, and by the fingerprint of their query.
pub type HeldWindows = BTreeMap<(i64, i64, u64), Partial>;

/// The state that a run over files saves for the next one: its offset in each file, and the
/// snapshots of the pipelines.
#[derive(Debug, Default)]
pub struct RunState {
    /// True if all files are one stream, with one pipeline.
    pub(super) stream: bool,
    /// The source of the partials that the run writes, if it writes partials.
    source: Option<String>,
    /// How much of each other output file, such as that of dead letters, belongs to this state.
    lines: BTreeMap<String, Fingerprint>,
    /// In the order of reading, retired files included.
    pub(super) files: Vec<CountedFile>,
    /// The file that is being read.
    watched: Option<Watched>,
    pub(super) following: Following,
}

/// A file, and its counted part.
#[derive(Clone, Debug, Default)]
pub(in crate::adapter::files) struct CountedFile {
    /// Its last full path.
    pub(in crate::adapter::files) path: PathBuf,
    pub(in crate::adapter::files) id: FileId,
    /// The fingerprint of the counted bytes; for a compressed file, of all bytes.
    pub(in crate::adapter::files) fingerprint: Fingerprint,
    /// Counted bytes, decompressed and without a byte order mark.
    pub(in crate::adapter::files) offset: u64,
    /// Bytes that were read but not counted, such as a line without its end.
    pub(in crate::adapter::files) unread: u64,
    /// The format of the counted bytes; `Auto` if they have no record.
    pub(in crate::adapter::files) format: Format,
    /// True if the file is no longer an input.
    pub(in crate::adapter::files) retired: bool,
    /// True if records of its pipeline can be late.
    pub(super) judged: bool,
    pub(super) snapshot: Option<Bytes>,
    pub(super) held: HeldWindows,
}

/// The file that is being read.
#[derive(Debug)]
struct Watched {
    index: usize,
    file: File,
    /// Bytes of the byte order mark before the counted ones; `None` for a compressed file.
    mark: Option<u64>,
    /// The fingerprint at the last check.
    seen: Fingerprint,
}

impl RunState {
    /// Reads the state that an earlier run of this pipeline [saved](RunState::to_bytes).
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] if streamgauge did not write the bytes, or they are damaged,
    /// [`ErrorKind::Mismatch`] if they belong to another pipeline or kind of state.
    pub fn from_bytes(bytes: impl Into<Bytes>, pipeline: &RowPipeline) -> Result<Self, Error> {
        let bytes = bytes.into();
        let envelope = Envelope::parse(&bytes)?;
        envelope.check(&bytes, Kind::Run, &pipeline.identity())?;
        RunState::decode(&envelope, &bytes)
    }

    /// Reads the state of any pipeline, for inspection.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] and [`ErrorKind::Mismatch`] as for
    /// [`from_bytes`](RunState::from_bytes).
    pub fn of_any_pipeline(bytes: impl Into<Bytes>) -> Result<Self, Error> {
        let bytes = bytes.into();
        let envelope = Envelope::parse(&bytes)?;
        envelope.check_kind(Kind::Run)?;
        RunState::decode(&envelope, &bytes)
    }

    fn decode(envelope: &Envelope, bytes: &Bytes) -> Result<Self, Error> {
        let mut reader = envelope.section(bytes, Tag::Files)?;
        let stream = reader.bool()?;
        let source = if reader.bool()? { Some(reader.text()?.to_owned()) } else { None };
        let mut lines = BTreeMap::new();
        for _ in 0..reader.count(18)? {
            lines.insert(reader.text()?.to_owned(), read_fingerprint(&mut reader)?);
        }
        let mut files = Vec::new();
        for _ in 0..reader.count(49)? {
            files.push(CountedFile::decode(&mut reader)?);
        }
        reader.finish()?;
        let following = Following::read(envelope, bytes)?;
        Ok(RunState { stream, source, lines, files, watched: None, following })
    }

    /// Returns the state as bytes.
    pub fn to_bytes(&self, pipeline: &RowPipeline) -> Bytes {
        let mut envelope = EnvelopeWriter::new(Kind::Run, &pipeline.identity());
        envelope.section(Tag::Files, |writer| {
            writer.bool(self.stream);
            writer.bool(self.source.is_some());
            self.source.iter().for_each(|source| writer.bytes(source.as_bytes()));
            writer.usize(self.lines.len());
            for (what, fingerprint) in &self.lines {
                writer.bytes(what.as_bytes());
                write_fingerprint(fingerprint, writer);
            }
            writer.usize(self.files.len());
            self.files.iter().for_each(|file| file.encode(writer));
        });
        self.following.write(&mut envelope);
        envelope.finish().into()
    }

    /// Recognises the inputs, and returns the number of each input's file. The other methods take
    /// that number. `bounded` is true if there is a watermark.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] for an input that cannot be read; [`ErrorKind::Mismatch`] if the answers
    /// would not equal those of one run, with the reason and a way out.
    pub fn begin(&mut self, inputs: &[PathBuf], bounded: bool) -> Result<Vec<usize>, Error> {
        let first = self.files.is_empty();
        if self.following.follows {
            return Err(refused(
                "the state is of a run with --follow: repeat the option, or begin with another \
                 --state",
            ));
        }
        if !first && self.stream && !bounded {
            return Err(refused(
                "the state is of a run with --max-delay, whose complete windows are gone: \
                repeat the option, or begin with another --state",
            ));
        }
        let found = self.recognise(inputs)?;
        if first {
            self.stream = bounded && inputs.len() == 1;
        }
        let places = self.put_in_order(inputs, &found)?;
        if self.stream {
            self.check_stream(&places)?;
        }
        if self.files.len() > Limits::default().shards_max {
            let message = format!(
                "{} files were counted, over the limit: begin with another --state",
                self.files.len()
            );
            return Err(Error::new(ErrorKind::LimitExceeded, message));
        }
        Ok(places)
    }

    /// Returns the number of the known file of each input, if there is one: by its identity and its
    /// content, by its content only, or by the content of a compressed file.
    fn recognise(&mut self, inputs: &[PathBuf]) -> Result<Vec<Option<usize>>, Error> {
        let opened = inputs
            .iter()
            .map(|path| OpenFile::open(path).map(|open| (path.as_path(), open.id)))
            .collect::<Result<Vec<_>, _>>()?;
        let mut found = vec![None; inputs.len()];
        for is_it in [CountedFile::is_same, CountedFile::has_same_bytes, CountedFile::is_held_by] {
            for (input, (path, id)) in opened.iter().enumerate() {
                if found[input].is_some() || found.iter().flatten().count() == self.files.len() {
                    continue;
                }
                let open = OpenFile { id: *id, ..OpenFile::open(path)? };
                let candidates = self
                    .files
                    .iter()
                    .enumerate()
                    .filter(|(index, _)| !found.contains(&Some(*index)));
                found[input] = candidates
                    .map(|(index, file)| (index, is_it(file, path, &open)))
                    .find(|(_, is_it)| *is_it)
                    .map(|(index, _)| index);
            }
        }
        let ids: Vec<FileId> = opened.iter().map(|(_, id)| *id).collect();
        self.retire(&found, &ids)?;
        Ok(found)
    }

    /// Retires the known files that are not inputs. All of their bytes must have been counted, as
    /// far as is known.
    fn retire(&mut self, found: &[Option<usize>], inputs: &[FileId]) -> Result<(), Error> {
        let gone =
            self.files.iter().enumerate().rev().filter(|(index, _)| !found.contains(&Some(*index)));
        for (_, file) in gone.take(RETIRED_CHECKED_MAX) {
            file.check_counted(inputs)?;
        }
        for (index, file) in self.files.iter_mut().enumerate() {
            file.retired = !found.contains(&Some(index));
        }
        Ok(())
    }

    /// Sorts the files in the order of reading: the inputs in their order, and each retired file at
    /// its old place.
    fn put_in_order(
        &mut self,
        inputs: &[PathBuf],
        found: &[Option<usize>],
    ) -> Result<Vec<usize>, Error> {
        let mut known: Vec<Option<CountedFile>> =
            std::mem::take(&mut self.files).into_iter().map(Some).collect();
        let last_known = found.iter().flatten().max().copied();
        let mut places = Vec::with_capacity(inputs.len());
        for (input, (path, found_here)) in inputs.iter().zip(found).enumerate() {
            // Files before a recognised one stay before it. The file that was at the path of a new
            // file comes before the new file. Files after all recognised ones come after them,
            // before the first new file.
            let new_behind = found_here.is_none()
                && last_known.is_none_or(|last| known.get(last).is_none_or(Option::is_none));
            let here = canonical(path);
            let same_place = |file: &Option<CountedFile>| {
                file.as_ref().is_some_and(|file| file.retired && file.path == here)
            };
            let until = match found_here {
                Some(index) => *index,
                None if new_behind => known.len(),
                None => {
                    // It may be the file that was at the path of the next input and was copied away
                    // before any of it was counted.
                    let next = found[input..].iter().flatten().next();
                    let uncounted =
                        next.filter(|index| !known.get(**index).is_some_and(has_counted));
                    let replaced = known.iter().rposition(same_place).map_or(0, |index| index + 1);
                    replaced.max(uncounted.copied().unwrap_or(0))
                }
            };
            let before = known
                .iter_mut()
                .take(until)
                .filter(|file| file.as_ref().is_some_and(|file| file.retired));
            self.files.extend(before.filter_map(Option::take).filter(CountedFile::is_known));
            let mut file = found_here
                .and_then(|index| known.get_mut(index).and_then(Option::take))
                .unwrap_or_default();
            file.path = here;
            places.push(self.files.len());
            self.files.push(file);
        }
        self.files.extend(known.into_iter().flatten().filter(CountedFile::is_known));
        Ok(places)
    }

    /// A stream continues only at its end.
    fn check_stream(&self, places: &[usize]) -> Result<(), Error> {
        for place in places {
            let Some(file) = self.files.get(*place) else { continue };
            let followed = self.files[place + 1..].iter().any(|later| later.is_known());
            if followed && (!file.is_known() || file.has_grown()?) {
                let message = format!(
                    "{}: it has bytes that were not counted, and files that come after it were: \
                     with --max-delay their watermark has completed its windows; begin \
                     with another --state, and name all files at once",
                    file.path.display()
                );
                return Err(refused(message));
            }
        }
        Ok(())
    }

    /// Adds to the summary how much of each file was counted, and the content of its pipeline.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] for bytes that are not a snapshot.
    pub fn summarize(&self, summary: &mut Summary) -> Result<(), Error> {
        for file in &self.files {
            let inner = file.snapshot.clone().map(Summary::of).transpose()?;
            let watermark = inner.as_ref().and_then(|inner| inner.watermark);
            let (name, applied) =
                (file.path.display().to_string(), Some((file.offset.to_string(), 0)));
            summary.shards.push(ShardSummary {
                name,
                applied,
                watermark,
                last_record: None,
                closed: file.retired,
            });
            summary.watermark = summary.watermark.max(watermark);
            summary.windows += file.held.len() as u64;
            if let Some(inner) = inner {
                summary.panes.extend(inner.panes);
                summary.records = RecordsSummary::sum(summary.records, inner.records);
                summary.windows += inner.windows;
            }
        }
        Ok(())
    }

    /// Returns true if all files are one stream, with one pipeline.
    pub fn is_stream(&self) -> bool {
        self.stream
    }

    /// Returns the number of files, retired ones included.
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Returns true if nothing was counted.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Returns the last path of a file.
    pub fn path(&self, file: usize) -> &Path {
        self.files.get(file).map_or(Path::new(""), |file| &file.path)
    }

    /// Returns the counted bytes of a file.
    pub fn offset(&self, file: usize) -> u64 {
        self.files.get(file).map_or(0, |file| file.offset)
    }

    /// Returns the format in which bytes of a file were counted, if it differs from `format`.
    pub fn other_format(&self, file: usize, format: Format) -> Option<Format> {
        let counted = self.files.get(file).filter(|file| file.offset > 0)?;
        (counted.format != format).then(|| counted.format.clone())
    }

    /// Forgets the counted part of a file, so that it is read from its beginning.
    pub fn rewind(&mut self, file: usize) {
        if let Some(file) = self.files.get_mut(file) {
            file.offset = 0;
        }
    }

    /// Returns true if a file is no longer an input.
    pub fn is_retired(&self, file: usize) -> bool {
        self.files.get(file).is_some_and(|file| file.retired)
    }

    /// Returns true if records of the file could be late.
    pub fn is_judged(&self, file: usize) -> bool {
        self.files.get(file).is_some_and(|file| file.judged)
    }

    /// Sets whether records of the file can be late.
    pub fn set_judged(&mut self, file: usize, judged: bool) {
        if let Some(file) = self.files.get_mut(file) {
            file.judged = judged;
        }
    }

    /// Returns the snapshot of a file's pipeline; for the last file of a stream, that of the
    /// stream.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] if the bytes are not a snapshot.
    pub fn snapshot(&self, file: usize) -> Result<Option<Snapshot>, Error> {
        let bytes = self.files.get(file).and_then(|file| file.snapshot.clone());
        bytes.map(Snapshot::from_bytes).transpose()
    }

    /// Returns the snapshot of a stream's pipeline.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] if the bytes are not a snapshot.
    pub fn stream_snapshot(&self) -> Result<Option<Snapshot>, Error> {
        let bytes = self.files.iter().find_map(|file| file.snapshot.clone());
        bytes.map(Snapshot::from_bytes).transpose()
    }

    /// Saves the snapshot of a file's pipeline, or of the stream's.
    pub fn set_snapshot(&mut self, file: usize, snapshot: Option<Snapshot>) {
        if self.stream {
            self.files.iter_mut().for_each(|file| file.snapshot = None);
        }
        if let Some(file) = self.files.get_mut(file) {
            file.snapshot = snapshot.map(Snapshot::into_bytes);
        }
    }

    /// Returns the complete windows of a file's pipeline.
    pub fn held(&self, file: usize) -> Option<&HeldWindows> {
        self.files.get(file).map(|file| &file.held)
    }

    /// Saves a window that a file's pipeline has completed.
    pub fn hold(&mut self, file: usize, partial: Partial) {
        if let Some(file) = self.files.get_mut(file) {
            hold(&mut file.held, partial);
        }
    }

    /// Returns the source of the partials.
    pub fn source(&self) -> Option<&str> {
        self.source.as_deref()
    }

    /// Sets the source of the partials.
    pub fn set_source(&mut self, source: &str) {
        self.source = Some(source.to_owned());
    }

    /// Returns how many bytes of another output file, named `what`, belong to the state. Returns
    /// `None` if it is a different file.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the file cannot be read.
    pub fn lines_len(&self, what: &str, file: &File) -> Result<Option<u64>, Error> {
        let Some(known) = self.lines.get(what) else { return Ok(None) };
        let same = known.is_of(file).map_err(|error| {
            Error::new(ErrorKind::Io, format!("{what} cannot be read")).with_source(error)
        })?;
        Ok(same.then_some(known.len))
    }

    /// Records that all bytes of another output file belong to the state.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the file cannot be read.
    pub fn set_lines(&mut self, what: &str, file: &File) -> Result<(), Error> {
        let fingerprint = file.metadata().and_then(|found| Fingerprint::of(file, found.len()));
        let fingerprint = fingerprint.map_err(|error| {
            Error::new(ErrorKind::Io, format!("{what} cannot be read")).with_source(error)
        })?;
        self.lines.insert(what.to_owned(), fingerprint);
        Ok(())
    }

    /// Checks that the opened file is still the recognised one. Returns the offset from which to
    /// read.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if it cannot be read, or another file has taken its place.
    pub fn open(&mut self, index: usize, opened: &Opened<'_>) -> Result<u64, Error> {
        let Some(bytes) = opened.file else {
            return Err(Error::new(
                ErrorKind::Io,
                "an input is not a regular file any more: start the run again",
            ));
        };
        // The bytes on disk are not the bytes that are counted.
        let compressed = !opened.is_plain;
        let Some(file) = self.files.get_mut(index) else { return Ok(0) };
        let failed = |error| super::identity::unreadable(&file.path, error);
        let open = bytes.try_clone().and_then(OpenFile::of).map_err(failed)?;
        let holds = compressed && file.is_held_by(&file.path, &open);
        if file.is_known() && !file.is_in(&open) && !holds {
            let message = format!(
                "{}: another file has taken its place while the run began: start it again",
                file.path.display()
            );
            return Err(Error::new(ErrorKind::Io, message));
        }
        (file.id, file.format) = (open.id, opened.format.clone());
        let seen = Fingerprint::of(&open.file, open.size).map_err(failed)?;
        let mark = if compressed { None } else { Some(byte_order_mark(&open.file)) };
        if compressed {
            (file.fingerprint, file.unread) = (seen, 1);
        }
        self.watched = Some(Watched { index, file: open.file, mark, seen });
        Ok(file.offset)
    }

    /// Records that the file being read was counted up to `offset`. `left` is the number of bytes
    /// after it that were read but not counted; for a file that is not compressed it is looked up.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the file cannot be read, or was cut or rewritten in the meantime.
    pub fn reach(&mut self, offset: u64, left: u64) -> Result<(), Error> {
        let Some(watched) = &mut self.watched else { return Ok(()) };
        let Some(file) = self.files.get_mut(watched.index) else { return Ok(()) };
        let failed = |error| super::identity::unreadable(&file.path, error);
        if !watched.seen.is_of(&watched.file).map_err(failed)? {
            return Err(became_shorter(&file.path.display().to_string()));
        }
        if let Some(mark) = watched.mark {
            let size = watched.file.metadata().map_err(failed)?.len();
            file.fingerprint =
                Fingerprint::of(&watched.file, if offset == 0 { 0 } else { offset + mark })
                    .map_err(failed)?;
            file.unread = size.saturating_sub(offset + mark);
        } else {
            file.unread = left;
        }
        file.offset = offset;
        Ok(())
    }
}

impl CountedFile {
    pub(in crate::adapter::files) fn is_known(&self) -> bool {
        self.fingerprint.len > 0
    }

    /// Returns true if the open file begins with the counted bytes.
    pub(in crate::adapter::files) fn is_in(&self, open: &OpenFile) -> bool {
        self.is_known()
            && self.fingerprint.len <= open.size
            && self.fingerprint.is_of(&open.file).unwrap_or(false)
    }

    /// Returns true if the system says that it is the file, and the file begins with the counted
    /// bytes, if any.
    fn is_same(&self, path: &Path, open: &OpenFile) -> bool {
        let same = self.id == open.id && self.id.is_known();
        let nothing = !self.is_known() && (same || self.path == canonical(path));
        nothing || same && self.is_in(open)
    }

    /// Returns true if the file begins with the counted bytes, and the original file is not found
    /// under another name.
    fn has_same_bytes(&self, path: &Path, open: &OpenFile) -> bool {
        self.is_in(open)
            && self.search().renamed().is_none_or(|(at, _)| canonical(&at) == canonical(path))
    }

    /// Returns true if the file is compressed and contains the counted bytes: a log that was
    /// compressed after it was read.
    fn is_held_by(&self, path: &Path, _: &OpenFile) -> bool {
        let source = Input::Path(path.to_owned()).open(&Limits::default());
        source.is_ok_and(|mut source| {
            self.is_known()
                && source.regular_file().is_none()
                && self.fingerprint.begins(|buffer| source.read(buffer))
        })
    }

    /// Checks a retired file: all of it must have been counted, as far as is known.
    fn check_counted(&self, inputs: &[FileId]) -> Result<(), Error> {
        let path = self.path.display();
        // A program may continue to write to a renamed file. A copy was made once.
        let copied = || if self.retired { None } else { self.search().copied(inputs) };
        match self.search().renamed().or_else(copied) {
            Some((at, open)) if open.size > self.fingerprint.len => {
                let left = open.size - self.fingerprint.len;
                let renamed = if canonical(&at) == self.path {
                    String::new()
                } else {
                    format!(" is {} now", at.display())
                };
                let at = at.display();
                Err(refused(format!(
                    "{path}{renamed}: {left} bytes of it were not counted: name {at} as an input, \
                     too, \
                    before the file that came in its place"
                )))
            }
            None if self.unread > 0 && !self.retired => Err(refused(format!(
                "{path} is not the file that it was, and {} bytes that it had were not counted and \
                 are not found: name the file that has them as an input, too, or \
                 begin with another --state",
                self.unread
            ))),
            _ => Ok(()),
        }
    }

    pub(in crate::adapter::files) fn search(&self) -> Search<'_> {
        Search { path: &self.path, id: self.id, fingerprint: &self.fingerprint }
    }

    fn has_grown(&self) -> Result<bool, Error> {
        Ok(OpenFile::open(&self.path)?.size > self.fingerprint.len)
    }

    fn encode(&self, writer: &mut Writer) {
        writer.bytes(self.path.to_string_lossy().as_bytes());
        [self.id.device, self.id.inode, self.id.born]
            .into_iter()
            .for_each(|part| writer.fixed_u64(part));
        write_fingerprint(&self.fingerprint, writer);
        writer.u64(self.offset);
        writer.u64(self.unread);
        writer.bytes(self.format.to_string().as_bytes());
        writer.bool(self.retired);
        writer.bool(self.judged);
        writer.bool(self.snapshot.is_some());
        self.snapshot.iter().for_each(|snapshot| writer.bytes(snapshot));
        writer.usize(self.held.len());
        self.held.values().for_each(|partial| writer.bytes(partial.bytes()));
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let path = PathBuf::from(reader.text()?);
        let id = FileId {
            device: reader.fixed_u64()?,
            inode: reader.fixed_u64()?,
            born: reader.fixed_u64()?,
        };
        let fingerprint = read_fingerprint(reader)?;
        let (offset, unread) = (reader.u64()?, reader.u64()?);
        let format: Format =
            reader.text()?.parse().map_err(|_| reader.corrupt("a file has no format"))?;
        let (retired, judged) = (reader.bool()?, reader.bool()?);
        let snapshot =
            if reader.bool()? { Some(Bytes::copy_from_slice(reader.bytes()?)) } else { None };
        let mut held = HeldWindows::new();
        for _ in 0..reader.count(34)? {
            let partial = Partial::from_bytes(reader.bytes()?.to_vec())?;
            hold(&mut held, partial);
        }
        Ok(CountedFile {
            path,
            id,
            fingerprint,
            offset,
            unread,
            format,
            retired,
            judged,
            snapshot,
            held,
        })
    }
}

fn has_counted(file: &Option<CountedFile>) -> bool {
    file.as_ref().is_some_and(CountedFile::is_known)
}

/// Adds a window.
fn hold(held: &mut HeldWindows, partial: Partial) {
    let (end, start) = partial.window().map_or((i64::MAX, i64::MIN), |window| {
        (window.end().as_millis(), window.start().as_millis())
    });
    held.insert((end, start, partial.fingerprint()), partial);
}

fn canonical(path: &Path) -> PathBuf {
    std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

fn write_fingerprint(fingerprint: &Fingerprint, writer: &mut Writer) {
    writer.u64(fingerprint.len);
    writer.fixed_u64(fingerprint.head);
    writer.fixed_u64(fingerprint.tail);
}

fn read_fingerprint(reader: &mut Reader<'_>) -> Result<Fingerprint, Error> {
    Ok(Fingerprint { len: reader.u64()?, head: reader.fixed_u64()?, tail: reader.fixed_u64()? })
}

pub(in crate::adapter::files) fn byte_order_mark(file: &File) -> u64 {
    let marked = Fingerprint::of(file, 3).is_ok_and(|found| {
        found.head == crate::hash::hash_bytes(crate::hash::Seed::PUBLIC, b"\xef\xbb\xbf")
    });
    if marked { 3 } else { 0 }
}

#[cold]
pub(super) fn refused(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Mismatch, message.into())
}
