//! `streamgauge kcl`: the executable that the MultiLangDaemon starts for each shard.

use crate::arguments::{KclArguments, MergingArguments};
use crate::brokers::{self, for_place};
use crate::early;
use crate::failure::Failure;
use crate::protocol_output;
use crate::settings::{duration, seed};
use crate::standard_error::say;
use std::fs::{self, File};
use std::io::{self, BufReader, Write};
use std::path::{Path, PathBuf};
use streamgauge::adapter::capture::Header;
use streamgauge::adapter::kcl::{
    self, AnswerSink, End, MergerWork, OnDeadLetter, PipelineWork, ProcessorOptions, Session,
    ShardWork, StatefulProcessor, SystemClock,
};
use streamgauge::adapter::{
    AnswerFilesOptions, AnswerFormat, AppendFile, Declared, LateRecord, LinesOutput, PartialSink,
    PartialTarget, RowOutput, RowSink, Sink, is_open_ended, is_stream, open_rows, read_lookups,
    read_pipeline,
};
use streamgauge::merger::{MergerControl, MergerOptions};
use streamgauge::query::PipelineSpec;
use streamgauge::rows::CompileOptions;
use streamgauge::rows::MergedRow;
use streamgauge::rows::{RowMerger, RowPipeline};
use streamgauge::snapshot::Partial;
use streamgauge::store::{self, PartialStore};
use streamgauge::{Control, Error, ErrorKind, Seed, ShardId};

/// Lines of the daemon are long.
const INPUT_BUFFER_BYTES: usize = 1 << 20;

/// Runs the session with the daemon until it ends.
///
/// # Errors
/// Wrong usage; a failed run: an unreadable message of the daemon, a limit, a store or an output
/// that failed, or another process that has the shard.
pub(crate) fn run(arguments: &KclArguments) -> Result<(), Failure> {
    let spec = read_pipeline(&arguments.pipeline).map_err(|error| Failure::usage(&error))?;
    refuse_standard_output(arguments, &spec)?;
    let failed = |error: io::Error| Failure::Run(format!("cannot take standard output: {error}"));
    let protocol = protocol_output::take().map_err(failed)?;
    if !spec.answers_streams() {
        return Err(Failure::Usage(String::from(
            "a stream has no end, so the pipeline needs a window: window = \"1m\"",
        )));
    }
    let session = Session::new(BufReader::with_capacity(INPUT_BUFFER_BYTES, io::stdin()), protocol);
    match arguments.merge {
        true => converse(session, merger_work(&spec, arguments)?, arguments, &spec),
        false => converse(session, pipeline_work(&spec, arguments)?, arguments, &spec),
    }
}

/// Only the protocol may go to standard output. Any other output would end the session with the
/// daemon.
fn refuse_standard_output(arguments: &KclArguments, spec: &PipelineSpec) -> Result<(), Failure> {
    let outputs = [
        ("--out", arguments.out.as_deref()),
        ("dead_letters", spec.dead_letters.as_deref().map(Path::new)),
        ("--late", arguments.late.as_deref()),
        ("late", spec.late.as_deref().map(Path::new)),
    ];
    for (name, path) in outputs {
        let Some(path) = path.filter(|path| protocol_output::is_standard_output(path)) else {
            continue;
        };
        let message = format!(
            "{name} {}: standard output carries the daemon's protocol; give a file or a directory",
            path.display()
        );
        return Err(Failure::Usage(message));
    }
    Ok(())
}

fn converse<W: ShardWork>(
    mut session: Session<impl io::BufRead, impl Write>,
    work: W,
    arguments: &KclArguments,
    spec: &PipelineSpec,
) -> Result<(), Failure> {
    let states =
        store::open(&arguments.state).map_err(|error| Failure::usage(&error.at("--state")))?;
    let mut options = processor_options();
    options.every_records = arguments.save_records;
    options.every = duration("--save-every", &arguments.save_every)?;
    options.require_state = arguments.require_state;
    if let Some(path) = &spec.dead_letters {
        options.on_dead_letter = Some(dead_letters(Path::new(path))?);
    }
    let mut processor = StatefulProcessor::new(work, states, options);
    let end = kcl::run(&mut session, &mut processor, &mut SystemClock);
    if processor.dead_letters() > 0 {
        let shard = session.shard().map_or("", ShardId::as_str);
        say(&format!("streamgauge: {shard}: dead letters in all: {}\n", processor.dead_letters()));
    }
    match (end, processor.failure()) {
        (Err(error), _) => Err(Failure::Run(error.to_string())),
        // The processor has reported the reason.
        (Ok(_), Some(failure)) if failure.kind() == ErrorKind::Conflict => {
            let shard = session.shard().map_or("", ShardId::as_str);
            Err(Failure::Run(format!(
                "another process has {shard}, so this one could not finish its work"
            )))
        }
        (Ok(_), Some(failure)) => Err(Failure::Run(failure.to_string())),
        (Ok(End::Early), None) => {
            let shard = session.shard().map_or("before a shard was named", ShardId::as_str);
            Err(Failure::Run(format!(
                "the daemon ended without a message ({shard}); saved state and checkpoints are \
                 intact"
            )))
        }
        (Ok(End::Ordered), None) => Ok(()),
    }
}

/// Returns the default options, with notes among the other lines of the command.
pub(crate) fn processor_options() -> ProcessorOptions {
    let mut options = ProcessorOptions::default();
    options.on_note = Box::new(|note| say(&format!("streamgauge: {note}\n")));
    options
}

/// Returns a writer of dead letters to a file.
pub(crate) fn dead_letters(path: &Path) -> Result<OnDeadLetter, Failure> {
    let mut file = append(path).map_err(|error| Failure::usage(&error))?;
    Ok(Box::new(move |letter| {
        // A quote and escapes: the text is the value of a JSON string.
        let line = format!("{{\"reason\":{}}}\n", serde_json::Value::from(letter.to_string()));
        let written = file.write_all(line.as_bytes()).and_then(|()| file.flush());
        if let Err(error) = written {
            say(&format!("streamgauge: a dead letter cannot be written: {error}: {line}"));
        }
    }))
}

/// Appends late records to a file, each with one write of the operating system, because several
/// shards may use the same file.
pub(crate) fn late_records(path: &Path) -> Result<impl FnMut(&LateRecord<'_>) + 'static, Failure> {
    let opened = File::options().create(true).append(true).open(path);
    let mut file = opened.map_err(|error| {
        Failure::Usage(format!("{}: late records cannot be written: {error}", path.display()))
    })?;
    Ok(move |record: &LateRecord<'_>| {
        let written = serde_json::to_string(record)
            .map_err(io::Error::from)
            .and_then(|line| file.write_all((line + "\n").as_bytes()));
        if let Err(error) = written {
            say(&format!("streamgauge: a late record cannot be written: {error}\n"));
        }
    })
}

/// The place of the answers: a file of lines, a directory with one for each shard, or what
/// [`open_rows`] opens.
#[derive(Clone)]
pub(crate) struct Out {
    place: PathBuf,
    format: AnswerFormat,
}

impl Out {
    /// Takes the place. Other outputs than Parquet, which a pipeline file may name for another
    /// command, are JSON Lines.
    pub(crate) fn new(place: &Path, output: Option<&str>) -> Self {
        let format = match output {
            Some("parquet") => AnswerFormat::Parquet,
            _ => AnswerFormat::JsonLines,
        };
        Out { place: place.to_owned(), format }
    }

    /// Opens the output of a shard. Rows of files and streams have the shard as their source.
    ///
    /// # Errors
    /// A place that cannot be written, or has no form for the answers of the pipeline.
    pub(crate) fn open(
        &self,
        shard: &ShardId,
        pipeline: &RowPipeline,
    ) -> Result<Box<dyn RowOutput>, Error> {
        match self.files(pipeline)? {
            None => Ok(Box::new(LinesOutput::new(self.lines(shard)?))),
            Some(mut files) => {
                files.set_source(shard.as_str());
                Ok(files)
            }
        }
    }

    /// Opens the output of rows over all shards, which come to this shard.
    ///
    /// # Errors
    /// Those of [`open`](Out::open).
    pub(crate) fn open_merged(
        &self,
        shard: &ShardId,
        pipeline: &RowPipeline,
    ) -> Result<Box<dyn RowOutput>, Error> {
        match self.files(pipeline)? {
            None => self.open(shard, pipeline),
            Some(files) => Ok(files),
        }
    }

    /// Refuses a place of files or a stream that cannot be used.
    ///
    /// # Errors
    /// Those of [`open`](Out::open).
    pub(crate) fn check(&self, pipeline: &RowPipeline) -> Result<(), Failure> {
        self.files(pipeline).map(drop).map_err(|error| Failure::usage(&error.at("--out")))
    }

    /// Opens the place if it has files or is a stream; `None` for lines that are appended.
    fn files(&self, pipeline: &RowPipeline) -> Result<Option<Box<dyn RowOutput>>, Error> {
        let place = self.place.to_string_lossy();
        let is_remote = place.starts_with("s3://") || is_stream(&place);
        if !is_remote && self.format == AnswerFormat::JsonLines {
            return Ok(None);
        }
        if !is_open_ended(&place) {
            return Err(Error::new(
                ErrorKind::InvalidArgument,
                format!("{place}: a stream has no end, so Parquet needs a directory: {place}/"),
            ));
        }
        let mut options = AnswerFilesOptions::default();
        options.format = self.format;
        for_place(&place, &mut options)?;
        Ok(Some(open_rows(&place, pipeline, options)?))
    }

    fn lines(&self, shard: &ShardId) -> Result<AppendFile, Error> {
        if self.place.as_os_str().as_encoded_bytes().ends_with(b"/") {
            fs::create_dir_all(&self.place).map_err(|error| cannot_open(&self.place, error))?;
        }
        match self.place.is_dir() {
            true => append(&self.place.join(format!("{}.jsonl", file_name(shard)))),
            false => append(&self.place),
        }
    }
}

/// Returns the shard's name without characters that have a meaning in a path.
fn file_name(shard: &ShardId) -> String {
    shard
        .as_str()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || c == '-' || c == '_' { c } else { '_' })
        .collect()
}

fn append(path: &Path) -> Result<AppendFile, Error> {
    AppendFile::open(path).map_err(|error| cannot_open(path, error))
}

fn cannot_open(path: &Path, error: io::Error) -> Error {
    Error::new(ErrorKind::Io, format!("cannot open {}", path.display())).with_source(error)
}

fn pipeline_work(
    spec: &PipelineSpec,
    arguments: &KclArguments,
) -> Result<PipelineWork<Declared>, Failure> {
    let seed = seed(arguments.seed_file.as_deref())?;
    let mut options = CompileOptions::default();
    options.seed = seed;
    options.lookups =
        read_lookups(spec, &options.limits).map_err(|error| Failure::usage(&error))?;
    let partials = arguments.partials.as_deref();
    let early =
        early::of_stream(spec, &options, partials).map_err(|error| Failure::usage(&error))?;
    let pipeline = Declared::compile(spec, options).map_err(|error| Failure::usage(&error))?;
    let pipeline = arguments.copy.traced(pipeline, spec)?;
    check_partials(arguments.partials.as_deref(), &pipeline)?;
    let late = arguments.late.clone().or_else(|| spec.late.as_ref().map(PathBuf::from));
    let (partials, spec) = (arguments.partials.clone(), spec.clone());
    let out = arguments.out.as_deref().map(|place| Out::new(place, spec.output.as_deref()));
    if let Some(out) = &out {
        out.check(pipeline.pipeline())?;
    }
    let open = move |shard: &ShardId, of: &Declared| -> Result<Box<dyn Sink<Declared>>, Error> {
        let rows = out.as_ref().map(|out| out.open(shard, of.pipeline())).transpose()?;
        Ok(match (rows, &partials) {
            (Some(rows), None) => Box::new(RowSink::new(rows)),
            (None, Some(place)) => Box::new(PartialSink::new(NamedTarget(target(place)?))),
            (Some(rows), Some(place)) => {
                Box::new(Both::new(NamedTarget(target(place)?), rows, (&spec, seed))?)
            }
            (None, None) => {
                return Err(Error::new(
                    ErrorKind::InvalidArgument,
                    "give --out, --partials, or both",
                ));
            }
        })
    };
    let work = PipelineWork::new(pipeline, open).map_err(|error| Failure::usage(&error))?;
    let idle_after = arguments.idle_after.as_deref();
    let idle_after = idle_after.map(|text| duration("--idle-after", text)).transpose()?;
    let header = Header::of_worker(false, arguments.unpacking.packing, idle_after);
    let capture = arguments.copy.open(&header).map_err(|error| Failure::usage(&error))?;
    let work = header.set_up(work);
    let work = match capture {
        Some(capture) => work.on_call(capture.of_calls()),
        None => work,
    };
    let work = match &late {
        Some(path) => work.on_late(late_records(path)?),
        None => work,
    };
    Ok(match early {
        Some(interval) => work.emit_early(interval),
        None => work,
    })
}

/// The target of partials that the command line names.
pub(crate) struct NamedTarget(pub(crate) Box<dyn PartialTarget>);

impl PartialTarget for NamedTarget {
    fn put(&mut self, partial: &Partial) -> Result<(), Error> {
        self.0.put(partial)
    }

    fn flush(&mut self) -> Result<(), Error> {
        self.0.flush()
    }
}

/// Returns the target of partials at a place that the command line names.
pub(crate) fn target(place: &str) -> Result<Box<dyn PartialTarget>, Error> {
    match (place.strip_prefix("kinesis:"), place.strip_prefix("kafka:")) {
        (Some(stream), _) => stream_target(stream),
        (_, Some(topic)) => brokers::target(topic),
        (None, None) => Ok(Box::new(PartialStore::new(store::open(place)?))),
    }
}

#[cfg(feature = "kinesis")]
fn stream_target(stream: &str) -> Result<Box<dyn PartialTarget>, Error> {
    Ok(Box::new(streamgauge::adapter::kinesis::KinesisTarget::connect(stream)?))
}

#[cfg(not(feature = "kinesis"))]
fn stream_target(stream: &str) -> Result<Box<dyn PartialTarget>, Error> {
    let message = format!(
        "kinesis:{stream}: this was built without Kinesis; build it with the feature kinesis"
    );
    Err(Error::new(ErrorKind::Unsupported, message))
}

/// Refuses a place for partials if the pipeline has none.
pub(crate) fn check_partials(place: Option<&str>, pipeline: &Declared) -> Result<(), Failure> {
    let checked = place.map_or(Ok(()), |_| pipeline.pipeline().check_merges());
    checked.map_err(|error| Failure::usage(&error.at("--partials")))
}

/// Returns the pipeline whose partials are read.
pub(crate) fn saved_pipeline((spec, seed): (&PipelineSpec, Seed)) -> Result<RowPipeline, Error> {
    let mut compile = CompileOptions::default();
    compile.arrival_times = true;
    compile.seed = seed;
    compile.lookups = read_lookups(spec, &compile.limits)?;
    spec.compile(&compile)
}

/// Returns a merger of the pipeline's partials.
pub(crate) fn merger(
    (spec, seed): (&PipelineSpec, Seed),
    options: MergerOptions,
) -> Result<RowMerger, Error> {
    let pipeline = saved_pipeline((spec, seed))?;
    if pipeline.queries().any(|query| query.windows().is_per_group()) {
        return Err(Error::new(
            ErrorKind::InvalidArgument,
            "sessions and staggered windows are merged when all partials are there, by `streamgauge merge`, and not while they come",
        ));
    }
    pipeline.into_merger(options)
}

fn merger_work(
    spec: &PipelineSpec,
    arguments: &KclArguments,
) -> Result<MergerWork<RowMerger>, Failure> {
    let Some(place) = &arguments.out else {
        return Err(Failure::Usage(String::from("--merge needs --out")));
    };
    let out = Out::new(place, spec.output.as_deref());
    let spec = (spec, seed(arguments.seed_file.as_deref())?);
    let usage = |error: Error| Failure::usage(&error);
    let merger = merger(spec, merger_options(&arguments.merging)?).map_err(usage)?;
    let pipeline = saved_pipeline(spec).map_err(usage)?;
    out.check(&pipeline)?;
    Ok(MergerWork::new(merger, move |shard| {
        let sink: Box<dyn AnswerSink<MergedRow>> =
            Box::new(MergedRows(out.open_merged(shard, &pipeline)?));
        Ok(sink)
    }))
}

pub(crate) fn merger_options(arguments: &MergingArguments) -> Result<MergerOptions, Failure> {
    let mut options = MergerOptions::default();
    options.sources = arguments.sources;
    options.deadline = Some(duration("--deadline", &arguments.deadline)?);
    options.retention = duration("--retention", &arguments.retention)?;
    Ok(options)
}

/// Merged rows to an output.
pub(crate) struct MergedRows(pub(crate) Box<dyn RowOutput>);

impl AnswerSink<MergedRow> for MergedRows {
    fn put(&mut self, row: MergedRow) -> Result<(), Error> {
        self.0.push(&row.emission)
    }

    fn flush(&mut self) -> Result<(), Error> {
        self.0.flush()
    }
}

/// Windows as partials, and also as rows.
pub(crate) struct Both {
    target: NamedTarget,
    rows: MergedRows,
    /// Makes rows of one partial at a time.
    merger: RowMerger,
    empty: bytes::Bytes,
}

impl Both {
    pub(crate) fn new(
        target: NamedTarget,
        rows: Box<dyn RowOutput>,
        spec: (&PipelineSpec, Seed),
    ) -> Result<Self, Error> {
        let mut options = MergerOptions::default();
        options.sources = Some(1);
        let mut merger = merger(spec, options)?;
        merger.finish();
        let empty = merger.snapshot();
        Ok(Both { target, rows: MergedRows(rows), merger, empty })
    }

    fn put_rows(&mut self, partial: &Partial) -> Result<(), Error> {
        self.merger.restore(self.empty.clone())?;
        self.merger.add(partial, streamgauge::Timestamp::from_millis(0))?;
        while let Some(mut row) = self.merger.next_row()? {
            row.emission.revision = partial.revision();
            self.rows.put(row)?;
        }
        Ok(())
    }
}

impl Sink<Declared> for Both {
    fn drain(&mut self, pipeline: &mut Declared, source: &str) -> Result<u64, Error> {
        let mut windows = 0;
        while let Some(partial) = pipeline.next_partial(source)? {
            self.put_rows(&partial)?;
            self.target.put(&partial)?;
            windows += 1;
        }
        self.target.flush()?;
        self.rows.flush()?;
        Ok(windows)
    }
}
