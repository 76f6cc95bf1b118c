//! Files that are followed: they grow, are rotated, and appear.
//!
//! Each path is a *log*: a shard, whose files come one after the other. A file is known by its
//! device and inode and by its counted bytes, as in [`RunState`](super::RunState), so a file that
//! was renamed is read to its end before the file that took its place. A file that was cut begins
//! again, after the rest of its copy was read: that is the file in the same folder whose name
//! begins with the log's name, and whose content begins with the counted bytes.
//!
//! Everything is found by looking again and again. [`FollowedFiles::step`] looks once and reads one
//! block of each log; the caller waits between two steps that have read nothing.
//!
//! # Limits
//! 512 open files, each with about 150 KB of memory; 10,000 entries of a folder. Bytes that are
//! written between the copy and the cut of a file are lost by whoever rotates it so.

mod context;
mod folder;
mod followed_file;
mod log;
mod pattern;

use crate::adapter::files::observer::PipelineObserver;
use crate::adapter::files::options::FilesOptions;
use crate::adapter::files::pipelines::FilePipelines;
use crate::adapter::files::run_pipeline::PipelineSink;
use crate::adapter::files::run_state::{CountedFile, FileId, RunState};
use crate::adapter::files::stats::{FileStats, FilesStats};
use crate::adapter::files::taking::Taking;
use crate::engine::Control as _;
use crate::error::{Error, ErrorKind};
use crate::record::ShardId;
use crate::time::Timestamp;
use context::{BLOCK_BYTES, Context, Known};
use log::Log;
use pattern::Pattern;
use std::collections::{BTreeMap, HashMap};
use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Maximum files that are open at the same time.
const OPEN_MAX: usize = 512;
/// How long a log may be quiet until the windows of other logs no longer wait for it.
const QUIET: i64 = 10_000;
/// Time between two expansions of patterns.
const PATTERNS_EVERY: i64 = 1000;

/// Files that are followed as they grow, are rotated and appear.
pub struct FollowedFiles {
    /// Paths to wait for, and patterns.
    paths: Vec<PathBuf>,
    patterns: Vec<Pattern>,
    logs: Vec<Log>,
    context: Context,
    stats: FilesStats,
    /// When the patterns were expanded last.
    expanded_at: Option<Timestamp>,
    /// If given, the clock completes the windows of a log that was quiet for this time.
    idle_after: Option<i64>,
    /// True after the first look: what comes now is new.
    has_begun: bool,
    notes: Vec<(String, String)>,
}

impl FollowedFiles {
    /// Creates the followed files of these paths and patterns: `*`, `?` and `[abc]` in a path that
    /// does not exist. A path without a file is waited for. `state` says where to continue.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] on a system that gives files no identity; [`ErrorKind::Io`] for a
    /// directory.
    pub fn new(
        arguments: &[PathBuf],
        options: &FilesOptions,
        state: Option<&RunState>,
    ) -> Result<Self, Error> {
        if !cfg!(unix) {
            let message = "files can be followed only where the system gives them an identity";
            return Err(Error::new(ErrorKind::Unsupported, message));
        }
        let (mut paths, mut patterns) = (Vec::new(), Vec::new());
        for argument in arguments {
            if argument.is_dir() {
                let message = format!("{}: is a directory, not a file", argument.display());
                return Err(Error::new(ErrorKind::Io, message));
            }
            let absolute = std::path::absolute(argument).unwrap_or_else(|_| argument.clone());
            match Pattern::of(&absolute) {
                Some(pattern) if !argument.exists() => patterns.push(pattern),
                _ => paths.push(argument.clone()),
            }
        }
        let mut options = options.clone();
        options.block_bytes = Some(options.block_bytes.unwrap_or(BLOCK_BYTES));
        let context = Context {
            options,
            fields: Vec::new(),
            now: Timestamp::MIN,
            folders: BTreeMap::new(),
            known: HashMap::new(),
            has_followed: state.is_some_and(RunState::has_followed),
            left: Vec::new(),
        };
        let (mut context, state) = (context, state.map_or(&[][..], RunState::followed));
        for file in state {
            match file.retired {
                true => drop(context.known.insert(file.id, Known::of(&file.path, false))),
                false => context.left.push(file.clone()),
            }
        }
        Ok(FollowedFiles {
            paths,
            patterns,
            logs: Vec::new(),
            has_begun: !state.is_empty(),
            context,
            stats: FilesStats::default(),
            expanded_at: None,
            idle_after: None,
            notes: Vec::new(),
        })
    }

    /// Lets the clock complete the windows of a log without new lines for this time. Default: the
    /// windows wait for a later record, and a quiet log holds no window of other logs back.
    pub fn set_idle_after(&mut self, length: Duration) {
        self.idle_after = Some(i64::try_from(length.as_millis()).unwrap_or(i64::MAX));
    }

    /// Excludes a file, such as an output that a pattern also matches.
    pub fn exclude(&mut self, file: &Metadata) {
        let output = Known { log: None, is_read: false, misses: 0 };
        self.context.known.insert(FileId::of(file), output);
    }

    /// Returns the paths without a file so far.
    pub fn missing(&self) -> impl Iterator<Item = &Path> {
        self.paths.iter().map(PathBuf::as_path).filter(|path| !path.exists())
    }

    /// Returns the counts of the logs.
    pub fn stats(&self) -> &FilesStats {
        &self.stats
    }

    /// Looks for new, rotated and cut files, and reads at most one block of each log. Answers that
    /// are complete are drained. Returns true if there were bytes to read. `now` is the clock.
    ///
    /// # Errors
    /// Those of [`read_into`](super::read_into); a limit on files.
    pub fn step<O: PipelineObserver>(
        &mut self,
        now: Timestamp,
        pipelines: &mut FilePipelines<'_>,
        observer: &mut O,
    ) -> Result<bool, Error> {
        if self.context.now == Timestamp::MIN {
            self.begin(pipelines, observer.takes_late())?;
        }
        self.context.now = now;
        self.look()?;
        self.open(pipelines)?;
        let mut any = false;
        let clock = self.context.options.clock;
        let mut sink = PipelineSink::new(pipelines, observer, clock);
        for index in 0..self.logs.len() {
            let Some(log) = self.logs.get_mut(index) else { break };
            let mut into = Taking { file: index, stats: &mut self.stats, sink: &mut sink };
            let has_read = log.read(&mut self.context, &mut into);
            self.notes.append(&mut log.notes);
            if has_read? {
                any = true;
                sink.observer.progress(&self.stats)?;
                sink.drain(index)?;
            }
        }
        for (name, note) in self.notes.drain(..) {
            sink.observer.note(&name, &note)?;
        }
        if self.settle(sink.pipelines)? {
            any = true;
            sink.drain(0)?;
        }
        Ok(any)
    }

    fn begin(&mut self, pipelines: &mut FilePipelines<'_>, takes_late: bool) -> Result<(), Error> {
        pipelines.hand_out_late(takes_late);
        self.context.fields = pipelines.fields().to_vec();
        // Shards of an earlier run that no log continues must not hold windows back.
        pipelines.close_all()
    }

    /// Finds new logs, and new files of the logs.
    fn look(&mut self) -> Result<(), Error> {
        for log in &mut self.logs {
            log.look(&mut self.context)?;
            self.notes.append(&mut log.notes);
        }
        let moved = self.context.left.iter().filter(|file| self.is_named(&file.path));
        let moved: Vec<PathBuf> = moved.map(|file| file.path.clone()).collect();
        for path in self.paths.clone().iter().chain(&moved) {
            self.admit(path)?;
        }
        let due = self.expanded_at.is_none_or(|at| {
            self.context.now.as_millis().saturating_sub(at.as_millis()) >= PATTERNS_EVERY
        });
        if due && !self.patterns.is_empty() {
            self.expanded_at = Some(self.context.now);
            let found: Vec<PathBuf> = self.patterns.iter().flat_map(Pattern::expand).collect();
            for path in found {
                self.admit(&path)?;
            }
        }
        self.has_begun = true;
        let open = self.logs.iter().map(Log::open_files).sum::<usize>();
        if open > OPEN_MAX {
            let message = format!("{open} files would be open to be followed, over {OPEN_MAX}");
            return Err(Error::new(ErrorKind::LimitExceeded, message));
        }
        Ok(())
    }

    /// Follows the file at a path, unless it is known.
    fn admit(&mut self, path: &Path) -> Result<(), Error> {
        let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        if self.logs.iter().any(|log| log.path == absolute) {
            return Ok(());
        }
        let Some(found) = path.metadata().ok().filter(Metadata::is_file) else {
            let is_counted = self.context.left.iter().any(|file| file.path == absolute);
            if is_counted {
                self.logs.push(Log::new(path, absolute, &mut self.context)?);
            }
            return Ok(());
        };
        let is_known = match self.context.known.get(&FileId::of(&found)) {
            Some(known) => self.has_begun || known.is_read || known.log.is_none(),
            None => self.has_begun && self.logs.iter().any(|log| log.has_beside_it(&absolute)),
        };
        if !is_known || self.context.left.iter().any(|file| file.path == absolute) {
            self.logs.push(Log::new(path, absolute, &mut self.context)?);
        }
        Ok(())
    }

    /// Returns true if a pattern matches the path.
    fn is_named(&self, path: &Path) -> bool {
        self.patterns.iter().any(|pattern| pattern.is_of(path))
    }

    /// Opens the shards of new logs.
    fn open(&mut self, pipelines: &mut FilePipelines<'_>) -> Result<(), Error> {
        for log in self.logs.iter().skip(self.stats.files.len()) {
            pipelines.open(ShardId::new(log.path.display().to_string()))?;
            self.stats.files.push(FileStats { name: log.name.clone(), ..FileStats::default() });
        }
        Ok(())
    }

    /// Decides which logs are quiet. Returns true if the clock has completed windows.
    fn settle(&mut self, pipelines: &mut FilePipelines<'_>) -> Result<bool, Error> {
        let now = self.context.now.as_millis();
        let mut is_due = false;
        for (index, log) in self.logs.iter_mut().enumerate() {
            let quiet = now.saturating_sub(log.busy_at.as_millis());
            match self.idle_after {
                Some(idle_after) if quiet >= idle_after => {
                    let (pipeline, shard) = pipelines.of(index)?;
                    let was_due = pipeline.is_due();
                    let before = Timestamp::from_millis(now.saturating_sub(idle_after));
                    pipeline.advance_watermark(shard, before);
                    is_due |= !was_due && pipeline.is_due();
                }
                None if quiet >= QUIET && !log.is_quiet => {
                    log.is_quiet = true;
                    pipelines.set_waited_for(index, false)?;
                    is_due |= pipelines.of(index)?.0.is_due();
                }
                _ => {}
            }
        }
        Ok(is_due)
    }

    /// Writes into the state how much of each file was counted.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if a file cannot be examined.
    pub fn record(&self, state: &mut RunState) -> Result<(), Error> {
        let mut files = Vec::new();
        for log in &self.logs {
            log.record(&mut files)?;
        }
        files.extend(self.context.left.iter().cloned());
        let mut others = Vec::new();
        for (id, known) in &self.context.known {
            let Some(path) = &known.log else { continue };
            if !files.iter().any(|file| file.id == *id) {
                others.push(CountedFile::unread(path.clone(), *id));
            }
        }
        others.sort_by(|one, other| (&one.path, one.id).cmp(&(&other.path, other.id)));
        files.append(&mut others);
        state.set_followed(files);
        Ok(())
    }
}

impl std::fmt::Debug for FollowedFiles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FollowedFiles").field("stats", &self.stats).finish_non_exhaustive()
    }
}

#[cfg(unix)]
#[cfg(test)]
mod tests;
