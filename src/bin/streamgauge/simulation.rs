//! Runs with a state over files that grow, rotate and are cut, killed at any of their writes,
//! compared with one run over all bytes.
//!
//! `STREAMGAUGE_SIMULATION=n` runs the seed n; `STREAMGAUGE_SIMULATIONS=n` runs n seeds;
//! `STREAMGAUGE_FULL=1` runs a hundred thousand.

use crate::arguments::{Arguments, Command};
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::output::OutputWriter;
use crate::progress::Progress;
use crate::session::{Run, Stores, compile};
use crate::settings::Settings;
use bytes::Bytes;
use clap::Parser;
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use streamgauge::adapter::files::Input;
use streamgauge::rows::JsonLines;
use streamgauge::store::{MemoryStore, Store, Version, VersionedBytes};
use streamgauge::{Error, ErrorKind};

/// SplitMix64 (Steele, Lea and Flood 2014).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

/// The number of writes until the process is killed: half of the kills come before a write, half
/// after it.
struct Power {
    left: AtomicU64,
    after: bool,
}

impl Power {
    /// Performs the write, unless the process is killed before.
    fn write<T>(&self, write: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
        let left =
            self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        let killed = || Error::new(ErrorKind::Io, "killed");
        match left {
            Ok(1) if self.after => write().and(Err(killed())),
            Ok(2..) => write(),
            _ => Err(killed()),
        }
    }
}

/// A store that survives the process.
struct Disk(Arc<MemoryStore>, Arc<Power>);

impl Store for Disk {
    fn load(&self, key: &str) -> Result<Option<VersionedBytes>, Error> {
        self.0.load(key)
    }

    fn save(&self, key: &str, bytes: Bytes, expected: Option<&Version>) -> Result<Version, Error> {
        self.1.write(|| self.0.save(key, bytes, expected))
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>, Error> {
        self.0.list(prefix)
    }

    fn delete(&self, key: &str) -> Result<(), Error> {
        self.1.write(|| self.0.delete(key))
    }
}

/// The standard output of a process. A kill may leave a part of the last write.
struct Pipe(Arc<Mutex<Vec<u8>>>, Arc<Power>);

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Pipe(out, power) = self;
        let written = power.write(|| {
            out.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        });
        written.map_err(io::Error::other)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

type Answers = BTreeMap<(String, String), (u64, String)>;

/// A log with the files that it was rotated to, and the processes that read it.
struct World {
    folder: PathBuf,
    random: Random,
    flags: Vec<&'static str>,
    /// Names of the inputs, in order.
    files: Vec<String>,
    /// The same with the removed files in between, whose bytes are kept for the one run.
    all: Vec<String>,
    store: Arc<MemoryStore>,
    answers: Answers,
    clock: u64,
    fresh: u64,
    /// True if a run that ended by itself has counted all bytes.
    settled: bool,
}

impl World {
    fn new(seed: u64) -> Self {
        let folder = std::env::temp_dir()
            .join(format!("streamgauge-simulation-{}-{seed}", std::process::id()));
        drop(fs::remove_dir_all(&folder));
        fs::create_dir_all(&folder).unwrap();
        let mut random = Random(seed);
        let bounded = random.below(2) == 0;
        let mut flags =
            vec!["--format", "jsonl", "--time", "ts", "--window", "40s", "--every", "20s"];
        if bounded {
            flags.extend(["--max-delay", "30s"]);
        }
        if random.below(3) == 0 {
            // In the row of all other groups, records with equal times have no defined order.
            flags.extend(["--group", "g", "--limit-groups", "2", "--agg", "count,sum(v)"]);
        } else {
            flags.extend(["--agg", "count,sum(v),first(v),last(v)"]);
        }
        let several = random.below(2) == 0;
        let files =
            if several { vec!["a".to_owned(), "b".to_owned()] } else { vec!["a".to_owned()] };
        files.iter().for_each(|file| fs::write(folder.join(file), "").unwrap());
        let (store, all) = (Arc::new(MemoryStore::new()), files.clone());
        World {
            folder,
            random,
            flags,
            files,
            all,
            store,
            answers: Answers::new(),
            clock: 0,
            fresh: 0,
            settled: false,
        }
    }

    fn bounded(&self) -> bool {
        self.flags.contains(&"--max-delay")
    }

    /// Appends lines. The last one may be cut, to be completed later.
    fn append(&mut self, file: usize) {
        let mut text = String::new();
        for _ in 0..self.random.below(6) {
            self.clock += self.random.below(12);
            let time =
                1_700_000_000_000 + (self.clock * 1000).saturating_sub(self.random.below(30_000));
            let group = ["a", "b", "c", "d"][self.random.below(4) as usize];
            self.fresh += 1;
            text += &format!("{{\"ts\":{time},\"v\":{},\"g\":\"{group}\"}}\n", self.fresh);
        }
        let path = self.folder.join(&self.files[file]);
        let mut bytes = fs::read(&path).unwrap();
        if !bytes.is_empty() && !bytes.ends_with(b"\n") {
            // The last line is completed, whatever it was going to be.
            bytes.extend_from_slice(b"0}\n");
        }
        bytes.extend_from_slice(text.as_bytes());
        if self.random.below(4) == 0 {
            bytes.extend_from_slice(b"{\"ts\":1700000");
        }
        fs::write(path, bytes).unwrap();
        self.settled = false;
    }

    fn change(&mut self) {
        let last = self.files.len() - 1;
        match self.random.below(8) {
            // Renamed, or copied and cut: the old file comes before the new one.
            0 => self.rotate(|from, to| fs::rename(from, to).unwrap()),
            1 => self.rotate(|from, to| assert!(fs::copy(from, to).is_ok())),
            2 if self.settled && !self.bounded() => self.replace(),
            3 if !self.bounded() => {
                self.fresh += 1;
                let name = format!("new{}", self.fresh);
                fs::write(self.folder.join(&name), "").unwrap();
                self.all.push(name.clone());
                self.files.push(name);
            }
            _ if self.bounded() && self.files[0] == "a" => {
                let file = self.random.below(self.files.len() as u64) as usize;
                self.append(file);
            }
            _ if self.bounded() => self.append(last),
            _ => {
                let file = self.random.below(self.files.len() as u64) as usize;
                self.append(file);
            }
        }
    }

    fn rotate(&mut self, take_over: impl Fn(&PathBuf, &PathBuf)) {
        // With several files and a watermark, late records of the last file would count once it is
        // not the last any more.
        if self.bounded() && self.files.contains(&"b".to_owned()) {
            return;
        }
        // A first state of two files is not a stream, as when a kill came before the state.
        if self.bounded() && self.store.load("run").unwrap().is_none() {
            return;
        }
        self.fresh += 1;
        let last = self.files.len() - 1;
        let (live, old) = (self.files[last].clone(), format!("old{}", self.fresh));
        let (from, to) = (self.folder.join(&live), self.folder.join(&old));
        if fs::read(&from).unwrap().is_empty() {
            return;
        }
        take_over(&from, &to);
        self.all.iter_mut().filter(|file| **file == live).for_each(|file| file.clone_from(&old));
        self.all.push(live.clone());
        self.files[last] = old;
        self.files.push(live);
        fs::write(from, "").unwrap();
        let last = self.files.len() - 1;
        self.append(last);
    }

    /// Writes a file again whose bytes were all counted.
    fn replace(&mut self) {
        let file = self.random.below(self.files.len() as u64) as usize;
        let path = self.folder.join(&self.files[file]);
        let bytes = fs::read(&path).unwrap();
        if bytes.is_empty() || !bytes.ends_with(b"\n") {
            return;
        }
        self.fresh += 1;
        // The old bytes are kept for the one run, before the file that replaces them.
        let kept = format!("gone/{}", self.fresh);
        fs::create_dir_all(self.folder.join("gone")).unwrap();
        fs::write(self.folder.join(&kept), bytes).unwrap();
        let place = self.all.iter().position(|name| *name == self.files[file]).unwrap();
        self.all.insert(place, kept);
        fs::write(path, "").unwrap();
        self.append(file);
    }

    fn settings(&self, files: &[PathBuf], state: bool) -> Settings {
        let mut arguments = vec![
            "streamgauge".to_owned(),
            "run".to_owned(),
            "-q".to_owned(),
            "--threads".to_owned(),
            "1".to_owned(),
        ];
        arguments.extend(files.iter().map(|file| file.to_string_lossy().into_owned()));
        arguments.extend(self.flags.iter().map(|flag| (*flag).to_owned()));
        if state {
            arguments.extend(["--state".to_owned(), "memory".to_owned()]);
        }
        match Arguments::try_parse_from(arguments).unwrap().command {
            Command::Run(run) => Settings::new(run.input, run.pipeline, &run.output).unwrap(),
            _ => unreachable!("that is a run"),
        }
    }

    /// Runs until the end, or until a kill.
    fn run(&mut self, writes: u64) -> Result<(), Failure> {
        let files: Vec<PathBuf> = self.files.iter().map(|file| self.folder.join(file)).collect();
        let power =
            Arc::new(Power { left: AtomicU64::new(writes), after: self.random.below(2) == 0 });
        let out = Arc::new(Mutex::new(Vec::new()));
        let stores = Stores {
            state: Some(Arc::new(Disk(self.store.clone(), power.clone()))),
            partials: None,
        };
        let ended = one_run(&self.settings(&files, true), Pipe(out.clone(), power.clone()), stores);
        let out = out.lock().unwrap().clone();
        upsert(&mut self.answers, &String::from_utf8(out).unwrap());
        match ended {
            // All answers are written.
            Err(Failure::Run(message)) if message.starts_with("every record was a dead letter") => {
                Ok(())
            }
            ended => ended,
        }
    }

    /// Returns the answers of one run over all bytes that there were.
    fn expected(&self) -> Answers {
        let mut files: Vec<PathBuf> = self.all.iter().map(|file| self.folder.join(file)).collect();
        if self.bounded() && !self.files.contains(&"b".to_owned()) {
            // A stream: one file after the other, with one watermark.
            let mut all = Vec::new();
            for file in &files {
                all.extend(fs::read(file).unwrap());
                if !all.is_empty() && !all.ends_with(b"\n") {
                    all.push(b'\n');
                }
            }
            files = vec![self.folder.join("whole")];
            fs::write(&files[0], all).unwrap();
        }
        let power = Arc::new(Power { left: AtomicU64::new(u64::MAX), after: false });
        let out = Arc::new(Mutex::new(Vec::new()));
        let ended = one_run(
            &self.settings(&files, false),
            Pipe(out.clone(), power),
            Stores { state: None, partials: None },
        );
        assert!(matches!(&ended, Ok(()) | Err(Failure::Run(_))), "{ended:?}");
        let mut answers = Answers::new();
        upsert(&mut answers, &String::from_utf8(out.lock().unwrap().clone()).unwrap());
        answers
    }
}

fn one_run(settings: &Settings, out: Pipe, stores: Stores) -> Result<(), Failure> {
    let pipeline = compile(settings, true)?;
    let output = OutputWriter::Json(JsonLines::default(), BufWriter::with_capacity(200, out));
    let run = Run {
        settings,
        pipeline,
        live: false,
        progress: Progress::new(None, true),
        interrupt: Interrupt::silent(),
        early: None,
        clock: None,
    };
    let inputs = settings.files.iter().map(Input::from_argument).collect();
    run.start(inputs, Some(output), stores)
}

/// Reads the lines that were written completely. A window, group and revision have one content.
fn upsert(answers: &mut Answers, text: &str) {
    let whole = text.rfind('\n').map_or(0, |at| at + 1);
    for line in text[..whole].lines() {
        let mut row: serde_json::Value =
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let key = (row["window"].to_string(), row["group"].to_string());
        let revision = row
            .as_object_mut()
            .unwrap()
            .remove("revision")
            .and_then(|revision| revision.as_u64())
            .unwrap();
        let content = row.to_string();
        match answers.get(&key) {
            Some((last, said)) if *last == revision => {
                assert_eq!(*said, content, "two contents under one revision")
            }
            Some((last, _)) if *last > revision => {}
            _ => drop(answers.insert(key, (revision, content))),
        }
    }
}

fn contents(answers: &Answers) -> Vec<&String> {
    answers
        .values()
        .map(|(_, content)| content)
        .filter(|content| !content.contains("\"retracted\":true"))
        .collect()
}

/// Seeds that once found a bug.
const FAULTS: [u64; 4] = [8649, 16024, 17570, 53124];

fn seeds(default: u64) -> Vec<u64> {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    match (number("STREAMGAUGE_SIMULATION"), number("STREAMGAUGE_SIMULATIONS")) {
        (Some(seed), _) => vec![seed],
        (None, Some(count)) => (0..count).collect(),
        (None, None) if std::env::var_os("STREAMGAUGE_FULL").is_some() => (0..100_000).collect(),
        (None, None) => (0..default).chain(FAULTS).collect(),
    }
}

#[test]
fn s59_s85_s86_s87_s88_files_that_grow_rotate_and_are_cut_give_the_answers_of_one_run_after_any_kills()
 {
    let (mut kills, mut runs) = (0, 0);
    for seed in seeds(1000) {
        let mut world = World::new(seed);
        for _ in 0..2 + world.random.below(7) {
            // A file may grow and be rotated between two runs.
            for _ in 0..=world.random.below(2) {
                world.change();
            }
            let writes =
                if world.random.below(2) == 0 { 1 + world.random.below(8) } else { u64::MAX };
            match world.run(writes) {
                Ok(()) => world.settled = true,
                Err(failure) => {
                    assert!(format!("{failure:?}").contains("killed"), "seed {seed}: {failure:?}");
                    kills += 1;
                }
            }
            runs += 1;
        }
        world.run(u64::MAX).unwrap_or_else(|failure| panic!("seed {seed}: {failure:?}"));
        assert_eq!(
            contents(&world.answers),
            contents(&world.expected()),
            "seed {seed}, {:?} over {:?}",
            world.flags,
            world.files
        );
        drop(fs::remove_dir_all(&world.folder));
    }
    assert!(runs < 100 || kills * 10 > runs, "{kills} kills of {runs} runs");
}
