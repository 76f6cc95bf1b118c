//! The pipelines of the inputs.

use crate::failure::Failure;
use crate::merged::MergedFiles;
use crate::session::compile;
use crate::settings::Settings;
use crate::state::State;
use streamgauge::adapter::files::{Format, HeldWindows, RunState};
use streamgauge::query::PipelineSpec;
use streamgauge::rows::RowPipeline;
use streamgauge::{Control, Error, Stats, Timestamp};

/// The pipeline and the file of an input.
#[derive(Clone, Copy, Default)]
pub(crate) struct Input {
    /// Index of its pipeline.
    pub(crate) pipeline: usize,
    /// Its number in the state of the run.
    pub(crate) file: usize,
}

/// The pipelines of a run: one for all inputs, or one for each.
pub(crate) struct Inputs {
    pub(crate) pipelines: Vec<RowPipeline>,
    pub(crate) inputs: Vec<Input>,
    settings: Settings,
    /// The counts of each query before this run.
    before: Vec<Stats>,
    /// The counts of each query when the pipelines were moved out to be merged.
    ended: Option<Vec<Stats>>,
}

impl Inputs {
    /// Creates one pipeline for all inputs.
    pub(crate) fn together(pipeline: RowPipeline, settings: &Settings) -> Self {
        Inputs {
            before: counted(std::slice::from_ref(&pipeline)),
            pipelines: vec![pipeline],
            inputs: vec![Input::default(); settings.files.len()],
            settings: settings.clone(),
            ended: None,
        }
    }

    /// Creates the pipelines of a run, with the content of the state, if there is one.
    ///
    /// # Errors
    /// A state that the run cannot continue.
    pub(crate) fn of(
        state: Option<&mut State>,
        settings: &Settings,
        bounded_input: bool,
    ) -> Result<Self, Failure> {
        let mut settings = settings.clone();
        let mut state = state;
        if let Some(state) = &mut state {
            settings.written_until = state.run.written_until(settings.written_until);
        }
        match state {
            state if settings.follow.is_some() => Inputs::follow(state, &settings),
            Some(state) => Inputs::resume(state, &settings),
            None => Ok(Inputs::together(compile(&settings, bounded_input)?, &settings)),
        }
    }

    /// Creates the pipeline of files that are followed.
    fn follow(state: Option<&mut State>, settings: &Settings) -> Result<Self, Failure> {
        let run = |error: Error| Failure::run(&error);
        let mut pipeline = compile(settings, false)?;
        if let Some(state) = state {
            state.run.begin_following().map_err(run)?;
            if let Some(snapshot) = state.run.stream_snapshot().map_err(run)? {
                pipeline.restore(&snapshot).map_err(run)?;
            }
        }
        let mut all = Inputs::together(pipeline, settings);
        all.inputs.clear();
        Ok(all)
    }

    /// Creates the pipelines that continue from a state, each with its content.
    ///
    /// # Errors
    /// Inputs that cannot be read, and inputs whose answers would not equal those of one run.
    pub(crate) fn resume(state: &mut State, settings: &Settings) -> Result<Self, Failure> {
        let run = |error: Error| Failure::run(&error);
        let bounded = is_bounded(&settings.spec);
        let files = state.run.begin(&settings.files, bounded).map_err(run)?;
        let mut all = Inputs {
            pipelines: Vec::new(),
            inputs: Vec::new(),
            settings: settings.clone(),
            before: Vec::new(),
            ended: None,
        };
        if state.run.is_stream() {
            let mut pipeline = compile(settings, true)?;
            if let Some(snapshot) = state.run.stream_snapshot().map_err(run)? {
                pipeline.restore(&snapshot).map_err(run)?;
            }
            all.pipelines.push(pipeline);
        } else {
            let last = state.run.len().saturating_sub(1);
            for file in 0..state.run.len() {
                let pipeline = all.resume_file(&mut state.run, file, bounded && file == last)?;
                if files.contains(&file) {
                    all.pipelines.push(pipeline);
                }
            }
        }
        all.inputs = files
            .iter()
            .map(|file| Input { pipeline: all.pipeline_of(&state.run, &files, *file), file: *file })
            .collect();
        all.before = counted(&all.pipelines);
        Ok(all)
    }

    /// Returns the windows of a state that no input continues, for inspection: those of each query.
    ///
    /// # Errors
    /// State of another pipeline.
    pub(crate) fn of_state(
        state: &RunState,
        settings: &Settings,
    ) -> Result<Vec<MergedFiles>, Failure> {
        let none = Inputs {
            pipelines: Vec::new(),
            inputs: Vec::new(),
            settings: settings.clone(),
            before: Vec::new(),
            ended: None,
        };
        none.merge_with(state)
    }

    fn pipeline_of(&self, run: &RunState, files: &[usize], file: usize) -> usize {
        if run.is_stream() { 0 } else { files.iter().filter(|other| **other < file).count() }
    }

    /// Returns the pipeline of one file, with its content. `judged` is true for the last file: only
    /// its records can be late.
    fn resume_file(
        &self,
        run: &mut RunState,
        file: usize,
        judged: bool,
    ) -> Result<RowPipeline, Failure> {
        let at = |error: Error| Failure::run(&error);
        let mut pipeline = self.compile(run.is_judged(file))?;
        if let Some(snapshot) = run.snapshot(file).map_err(at)? {
            pipeline.restore(&snapshot).map_err(at)?;
        }
        let (stats, was_judged) = (pipeline.stats(), run.is_judged(file));
        if judged == was_judged || run.is_retired(file) && stats.late == 0 {
            return Ok(pipeline);
        }
        let path = run.path(file).display();
        if was_judged && stats.late > 0 {
            let late = stats.late;
            let message = format!(
                "{path}: {late} of its records were late while it was the last file, and one run \
                 over these files would count them: begin with another --state, or run without \
                 --max-delay"
            );
            return Err(Failure::Run(message));
        }
        if judged && stats.applied > 0 {
            let message = format!(
                "{path} is the last file now, and was not before: with --max-delay only records of \
                 the last file are late: give the files in their order, or begin with another \
                 --state"
            );
            return Err(Failure::Run(message));
        }
        pipeline.finish();
        while let Some(partial) = pipeline.next_partial("").map_err(at)? {
            run.hold(file, partial);
        }
        run.set_judged(file, judged);
        self.compile(judged)
    }

    /// Returns a pipeline for records that are answered but not counted. No record is late in it.
    ///
    /// # Errors
    /// Those of the pipeline's first compilation.
    pub(crate) fn of_tails(&self) -> Result<RowPipeline, Failure> {
        self.compile_with_delay(None)
    }

    /// Replaces the pipeline of an input by an empty one, because the format of the input is not
    /// the one in which its bytes were counted, now that more of it is known. The old pipeline is
    /// empty if there was no record in it.
    ///
    /// # Errors
    /// Answers that cannot be retracted.
    pub(crate) fn begin_again(
        &self,
        input: Input,
        run: &RunState,
        counted: Format,
    ) -> Result<Option<RowPipeline>, Failure> {
        let spec = &self.settings.spec;
        // A row over everything is answered again, whatever its value was.
        let one = !spec.has_windows()
            && spec.group.is_none()
            && spec.queries.is_none()
            && spec.select.is_none();
        let rows = run.is_stream() || !one;
        if counted == Format::Auto {
            return Ok(None);
        }
        if rows {
            let path = run.path(input.file).display();
            let message = format!(
                "{path}: its first {} bytes were counted as {counted}, and its format is another \
                 one now that it has more: give its --format, and begin with another --state",
                run.offset(input.file)
            );
            return Err(Failure::Run(message));
        }
        self.compile(run.is_judged(input.file)).map(Some)
    }

    /// Forgets the counts of a pipeline before this run.
    pub(crate) fn forget(&mut self, old: &RowPipeline) {
        for (before, old) in self.before.iter_mut().zip(old.queries()) {
            let old = old.stats();
            before.applied = before.applied.saturating_sub(old.applied);
            before.filtered = before.filtered.saturating_sub(old.filtered);
        }
    }

    /// Compiles a pipeline with a watermark, or without one: in a file that others follow, no
    /// record is late.
    fn compile(&self, judged: bool) -> Result<RowPipeline, Failure> {
        if judged {
            return compile(&self.settings, true);
        }
        self.compile_with_delay(None)
    }

    fn compile_with_delay(&self, max_delay: Option<&str>) -> Result<RowPipeline, Failure> {
        let mut settings = self.settings.clone();
        (settings.spec.max_delay, settings.spec.lateness) = (max_delay.map(str::to_owned), None);
        compile(&settings, true)
    }

    /// Returns the counts of each query in this run.
    pub(crate) fn stats(&self) -> Vec<Stats> {
        let mut all = self.ended.clone().unwrap_or_else(|| counted(&self.pipelines));
        for (stats, before) in all.iter_mut().zip(&self.before) {
            for (now, before) in [
                (&mut stats.applied, before.applied),
                (&mut stats.filtered, before.filtered),
                (&mut stats.dead_letters, before.dead_letters),
                (&mut stats.late, before.late),
                (&mut stats.between_windows, before.between_windows),
            ] {
                *now = now.saturating_sub(before);
            }
        }
        all
    }

    /// Returns true if there were records before this run, filtered ones included.
    pub(crate) fn took_before(&self) -> bool {
        let took = |stats: &Stats| stats.applied > 0 || stats.filtered > 0 || stats.late > 0;
        self.before.iter().any(took)
    }

    /// Returns the end up to which the pipeline of a stream has completed and dropped its windows.
    /// They are not answered again.
    pub(crate) fn completed_to(
        pipeline: Option<&RowPipeline>,
        state: Option<&State>,
    ) -> Option<Timestamp> {
        Inputs::answered_to(pipeline.filter(|pipeline| !pipeline.is_revised()), state)
    }

    /// Returns the end up to which the pipeline of a stream has answered its windows.
    pub(crate) fn answered_to(
        pipeline: Option<&RowPipeline>,
        state: Option<&State>,
    ) -> Option<Timestamp> {
        let pipeline = pipeline?;
        let watermark = state.filter(|state| state.run.is_stream()).and(pipeline.watermark())?;
        // A window is complete when the watermark has reached its last millisecond.
        Some(Timestamp::from_millis(watermark.as_millis().saturating_add(1)))
    }

    /// Returns the index of each input's pipeline.
    pub(crate) fn indices(&self) -> Vec<usize> {
        self.inputs.iter().map(|input| input.pipeline).collect()
    }

    /// Returns true if one pipeline has the windows of all files.
    pub(crate) fn is_one(&self, run: &RunState) -> bool {
        run.is_stream()
            || run.len() == 1
                && self.pipelines.len() == 1
                && run.held(0).is_none_or(HeldWindows::is_empty)
    }

    /// Returns the windows of all files, retired files included, after all inputs have ended: those
    /// of each query.
    ///
    /// # Errors
    /// Damaged state, or a limit.
    pub(crate) fn merge(&mut self, run: &RunState) -> Result<Vec<MergedFiles>, Failure> {
        self.ended = Some(counted(&self.pipelines));
        let taken = Inputs {
            pipelines: std::mem::take(&mut self.pipelines),
            inputs: self.inputs.clone(),
            settings: self.settings.clone(),
            before: self.before.clone(),
            ended: None,
        };
        taken.merge_with(run)
    }

    fn merge_with(mut self, run: &RunState) -> Result<Vec<MergedFiles>, Failure> {
        let at = |error: Error| Failure::run(&error);
        let queries = self.compile_with_delay(Some("0s"))?.into_queries().into_iter();
        let mut merged =
            queries.map(MergedFiles::new).collect::<Result<Vec<_>, _>>().map_err(at)?;
        let mut live: Vec<Option<RowPipeline>> =
            std::mem::take(&mut self.pipelines).into_iter().map(Some).collect();
        for file in 0..run.len() {
            let index =
                self.inputs.iter().find(|input| input.file == file).map(|input| input.pipeline);
            let pipeline = match index.and_then(|index| live.get_mut(index).and_then(Option::take))
            {
                Some(pipeline) => pipeline,
                None => {
                    let mut pipeline = self.compile(run.is_stream() || run.is_judged(file))?;
                    if let Some(snapshot) = run.snapshot(file).map_err(at)? {
                        pipeline.restore(&snapshot).map_err(at)?;
                    }
                    pipeline
                }
            };
            let held = run.held(file).cloned().unwrap_or_default();
            for (merged, query) in merged.iter_mut().zip(pipeline.into_queries()) {
                merged.add(&held, query).map_err(at)?;
            }
        }
        Ok(merged)
    }
}

/// Returns the counts of each query in all pipelines.
fn counted(pipelines: &[RowPipeline]) -> Vec<Stats> {
    let mut all: Vec<Stats> = Vec::new();
    for pipeline in pipelines {
        for (index, query) in pipeline.queries().enumerate() {
            match all.get_mut(index) {
                Some(sum) => sum.add(&query.stats()),
                None => all.push(query.stats()),
            }
        }
    }
    all
}

/// Returns true if there is a watermark before the end of the input.
fn is_bounded(spec: &PipelineSpec) -> bool {
    spec.max_delay.as_deref().is_some_and(|delay| delay != "unbounded")
}
