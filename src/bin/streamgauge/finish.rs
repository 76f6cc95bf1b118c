//! `streamgauge finish`: writes the open windows of an application that has ended, from its state.

use crate::arguments::FinishArguments;
use crate::failure::Failure;
use crate::kcl::{Out, check_partials, merger, target};
use crate::settings::seed;
use crate::standard_error::say;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use streamgauge::adapter::storm::TupleState;
use streamgauge::adapter::worker::{MergerState, Phase, ShardState, StreamState};
use streamgauge::adapter::{
    Declared, LinesOutput, PartialTarget, RecordPipeline, RowOutput, read_lookups, read_pipeline,
};
use streamgauge::merger::{MergerControl, MergerOptions};
use streamgauge::query::PipelineSpec;
use streamgauge::rows::CompileOptions;
use streamgauge::rows::{RowMerger, RowPipeline};
use streamgauge::snapshot::{Kind, Partial, Summary};
use streamgauge::store::{self, Store};
use streamgauge::{Control, Error, ErrorKind, ShardId, Snapshot};

/// The key of a run's state. A run answers its open windows itself.
const RUN: &str = "run";

/// Suffix of the keys that a Lambda function's schedule uses.
const ANSWERED: &str = ".answered";

/// Writes the open windows of all shards, each once. The state does not change.
///
/// # Errors
/// Wrong usage; a state that cannot be read or belongs to another pipeline, after the states of the
/// other shards; an output that failed.
pub(crate) fn run(arguments: &FinishArguments) -> Result<(), Failure> {
    let spec = read_pipeline(&arguments.pipeline).map_err(|error| Failure::usage(&error))?;
    // A store creates its directory, which would hide a mistyped name.
    if !arguments.state.starts_with("s3://") && !Path::new(&arguments.state).is_dir() {
        return Err(Failure::Usage(format!(
            "--state {}: there is no such directory",
            arguments.state
        )));
    }
    let store =
        store::open(&arguments.state).map_err(|error| Failure::usage(&error.at("--state")))?;
    let (states, mut failed) =
        load(&*store).map_err(|error| Failure::run(&error.at(&arguments.state)))?;
    let mut finish = Finish::new(&spec, arguments)?;
    for (key, state) in &states {
        let open = open_of(key, state, &states);
        if let Err(error) = finish.take(key, open) {
            failed.push(error.at(key));
        }
    }
    finish.end().map_err(|error| Failure::run(&error))?;
    say(&finish.note(states.len()));
    let Some(first) = failed.first() else { return Ok(()) };
    failed.iter().skip(1).for_each(|error| say(&format!("error: {error}\n")));
    Err(Failure::run(first))
}

/// The state under a key.
enum SavedState {
    /// The state of a shard on the KCL.
    Shard(ShardState),
    /// The state of a shard in a Lambda function.
    Snapshot(Bytes),
}

/// Returns the states of the store by key, and the errors of those that could not be read.
fn load(store: &dyn Store) -> Result<(BTreeMap<String, SavedState>, Vec<Error>), Error> {
    let (mut states, mut failed) = (BTreeMap::new(), Vec::new());
    for key in store.list("")? {
        if key == RUN {
            let message = "this is the state of streamgauge run, which gives its open windows at \
                           the end of each run: run it again";
            return Err(Error::new(ErrorKind::Mismatch, message));
        }
        let Some(stored) = store.load(&key)?.filter(|_| !key.ends_with(ANSWERED)) else { continue };
        let state = match ShardState::is_one(&stored.bytes) {
            true => ShardState::from_bytes(&stored.bytes).map(SavedState::Shard),
            false => Snapshot::from_bytes(stored.bytes)
                .map(|snapshot| SavedState::Snapshot(snapshot.into_bytes())),
        };
        match state {
            Ok(state) => drop(states.insert(key, state)),
            Err(error) => failed.push(error.at(&key)),
        }
    }
    Ok((states, failed))
}

/// Returns the open windows of a shard that are in no other shard's state: snapshots, states of
/// mergers, and partials.
fn open_of(key: &str, state: &SavedState, states: &BTreeMap<String, SavedState>) -> Vec<Bytes> {
    match state {
        SavedState::Snapshot(bytes) => vec![bytes.clone()],
        SavedState::Shard(ShardState { phase: Phase::Running { state, .. }, .. }) => {
            vec![state.clone()]
        }
        SavedState::Shard(ShardState {
            phase: Phase::Ended { adopted_by, handed_over }, ..
        }) => match adopted_by.as_deref().map(|adopter| states.get(adopter)) {
            Some(Some(adopter)) if has_adopted(adopter, key) => Vec::new(),
            _ => handed_over.clone(),
        },
        SavedState::Shard(_) => Vec::new(),
    }
}

/// Returns true if the windows of the ended shard are part of the adopter's state, or of the states
/// that adopted them from it in turn.
fn has_adopted(adopter: &SavedState, ended: &str) -> bool {
    match adopter {
        SavedState::Shard(ShardState { phase: Phase::Running { parents, .. }, .. }) => {
            parents.iter().any(|parent| parent == ended)
        }
        SavedState::Shard(ShardState { phase: Phase::Ended { .. }, .. }) => true,
        _ => false,
    }
}

/// Where the windows go.
enum FinishDestination {
    Lines(Option<Out>),
    Partials(Box<dyn PartialTarget>),
}

struct Finish {
    pipeline: Declared,
    fresh: Snapshot,
    /// Makes a merger of the pipeline.
    new_merger: Box<dyn Fn() -> Result<RowMerger, Error>>,
    /// Merges the states of a second stage, because several shards may have the same window.
    merger: Option<RowMerger>,
    destination: FinishDestination,
    windows: u64,
}

impl Finish {
    fn new(spec: &PipelineSpec, arguments: &FinishArguments) -> Result<Self, Failure> {
        let usage = |error: Error| Failure::usage(&error);
        let seed = seed(arguments.seed_file.as_deref())?;
        let mut compile = CompileOptions::default();
        compile.seed = seed;
        compile.lookups = read_lookups(spec, &compile.limits).map_err(usage)?;
        let pipeline = Declared::compile(spec, compile).map_err(usage)?;
        check_partials(arguments.partials.as_deref(), &pipeline)?;
        let of_merger = spec.clone();
        let new_merger = Box::new(move || {
            let mut options = MergerOptions::default();
            // No window is known to be complete, and the bytes of all of them are bounded.
            (options.sources, options.windows_max) = (Some(usize::MAX), usize::MAX);
            merger((&of_merger, seed), options)
        });
        let destination = match &arguments.partials {
            Some(place) => FinishDestination::Partials(
                target(place).map_err(|error| usage(error.at("--partials")))?,
            ),
            None => {
                let place = arguments.out.as_deref();
                let out = place.map(|place| Out::new(place, spec.output.as_deref()));
                FinishDestination::Lines(out)
            }
        };
        let fresh = pipeline.snapshot().map_err(usage)?;
        Ok(Finish { pipeline, fresh, new_merger, merger: None, destination, windows: 0 })
    }

    /// Writes the open windows of a shard.
    fn take(&mut self, key: &str, open: Vec<Bytes>) -> Result<(), Error> {
        if open.is_empty() {
            return Ok(());
        }
        self.pipeline.restore(&self.fresh)?;
        let mut source = key.to_owned();
        for bytes in open {
            if TupleState::is_one(&bytes) {
                let state = TupleState::from_bytes(&bytes)?;
                self.pipeline.restore(&Snapshot::from_bytes(state.snapshot)?)?;
                continue;
            }
            let is_stream = StreamState::is_one(&bytes);
            let bytes = match is_stream {
                true => StreamState::from_bytes(&bytes)?.snapshot,
                false => bytes,
            };
            match Summary::of(bytes.clone()) {
                Ok(summary) if summary.kind == Kind::Snapshot => {
                    // On Lambda the key is not the name of the shard, but the state has the name.
                    let shard = summary.shards.first().filter(|_| !is_stream);
                    source = shard.map_or(source, |shard| shard.name.clone());
                    self.pipeline.restore(&Snapshot::from_bytes(bytes)?)?;
                }
                Ok(summary) if summary.kind == Kind::Partial => {
                    self.pipeline.adopt(&Partial::from_bytes(bytes)?)?
                }
                Ok(_) => self.absorb(bytes)?,
                Err(error) => match MergerState::from_bytes(&bytes) {
                    Ok(state) => self.absorb(state.merger)?,
                    Err(_) => return Err(error),
                },
            }
        }
        // First the windows that are complete but not written yet, then the incomplete ones.
        self.drain(&source, true)?;
        self.pipeline.fire_early()?;
        self.drain(&source, false)
    }

    fn absorb(&mut self, merger: Bytes) -> Result<(), Error> {
        match &mut self.merger {
            Some(own) => own.absorb(merger),
            None => self.merger.insert((self.new_merger)()?).absorb(merger),
        }
    }

    fn drain(&mut self, source: &str, complete: bool) -> Result<(), Error> {
        match &mut self.destination {
            FinishDestination::Partials(target) => {
                while let Some(partial) = self.pipeline.next_partial(source)? {
                    target.put(&partial)?;
                    self.windows += 1;
                }
                target.flush()
            }
            FinishDestination::Lines(out) => {
                let Some(first) = self.pipeline.next_emission()? else { return Ok(()) };
                let mut rows = open(out.as_ref(), source, self.pipeline.pipeline())?;
                rows.set_complete(complete);
                let (mut next, mut last) = (Some(first), None);
                while let Some(row) = next {
                    self.windows += u64::from(last != Some((row.window, row.revision)));
                    last = Some((row.window, row.revision));
                    rows.push(&row)?;
                    next = self.pipeline.next_emission()?;
                }
                rows.flush()
            }
        }
    }

    /// Writes the windows of a second stage, merged over its shards.
    fn end(&mut self) -> Result<(), Error> {
        let Some(merger) = &mut self.merger else { return Ok(()) };
        let FinishDestination::Lines(out) = &self.destination else {
            return Err(Error::new(
                ErrorKind::InvalidArgument,
                "--partials: these are states of --merge, which has no partials to give",
            ));
        };
        merger.finish();
        let mut rows = open(out.as_ref(), "merged", self.pipeline.pipeline())?;
        let mut last = None;
        while let Some(row) = merger.next_row()? {
            let place = (row.emission.window, row.emission.revision);
            self.windows += u64::from(last.replace(place) != Some(place));
            rows.set_complete(row.complete);
            rows.push(&row.emission)?;
        }
        rows.flush()
    }

    fn note(&self, states: usize) -> String {
        let form = match &self.destination {
            FinishDestination::Lines(_) => {
                "; those that had not closed as they stand, with \"complete\":false"
            }
            FinishDestination::Partials(_) => "",
        };
        format!("states {states}, open windows {}{form}. The state is as it was\n", self.windows)
    }
}

/// Opens the output of a source: standard output without a place.
fn open(
    out: Option<&Out>,
    source: &str,
    pipeline: &RowPipeline,
) -> Result<Box<dyn RowOutput>, Error> {
    match out {
        None => Ok(Box::new(LinesOutput::new(io::stdout()))),
        Some(out) => out.open(&ShardId::new(source), pipeline),
    }
}
