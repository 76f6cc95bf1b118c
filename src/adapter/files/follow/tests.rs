//! Followed files with a clock of the test.

use super::context::ROTATED;
use super::*;
use crate::formats::decode_error::DeadLetter;
use crate::query::PipelineSpec;
use crate::rows::{CompileOptions, RowEmission, RowPipeline};
use std::fs::{self, OpenOptions};
use std::io::Write;

/// A folder with logs, and a pipeline that counts by windows of 10 s.
struct World {
    folder: PathBuf,
    pipeline: RowPipeline,
    now: i64,
}

#[derive(Default)]
struct Seen {
    /// Start of a window in seconds, and its count.
    rows: Vec<(i64, String)>,
    dead: Vec<(String, u64)>,
    notes: Vec<String>,
}

impl PipelineObserver for Seen {
    fn emission(&mut self, row: RowEmission) -> Result<(), Error> {
        let start = row.window.map_or(0, |window| window.start().as_millis() / 1000);
        self.rows.push((start, row.values[0].to_string()));
        Ok(())
    }

    fn dead_letter(&mut self, letter: &DeadLetter<'_>) -> Result<(), Error> {
        let file = Path::new(letter.file).file_name().unwrap().to_string_lossy().into_owned();
        self.dead.push((file, letter.line));
        Ok(())
    }

    fn note(&mut self, _: &str, note: &str) -> Result<(), Error> {
        self.notes.push(note.to_owned());
        Ok(())
    }
}

fn at(seconds: &[i64]) -> String {
    seconds.iter().map(|second| format!("{{\"ts\":{}}}\n", second * 1000)).collect()
}

impl World {
    fn new(name: &str) -> World {
        let folder =
            std::env::temp_dir().join(format!("streamgauge-follow-{name}-{}", std::process::id()));
        drop(fs::remove_dir_all(&folder));
        fs::create_dir_all(&folder).unwrap();
        let pipeline = "time = 'ts'\ntime_format = 'ms'\nwindow = '10s'\nmax_delay = '0s'\n";
        let spec = PipelineSpec::from_toml(pipeline, "p.toml").unwrap();
        let pipeline = spec.compile(&CompileOptions::default()).unwrap();
        World { folder, pipeline, now: 0 }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn append(&self, name: &str, text: &str) {
        let mut file = OpenOptions::new().append(true).create(true).open(self.path(name)).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    /// Follows these names, and lets `act` change the files between two looks.
    fn follow(&mut self, names: &[&str], act: impl FnOnce(&mut Following<'_, '_>)) -> Seen {
        let paths: Vec<PathBuf> = names.iter().map(|name| self.path(name)).collect();
        let options = FilesOptions::default();
        let mut seen = Seen::default();
        let World { folder, pipeline, now } = self;
        let mut following = Following {
            followed: FollowedFiles::new(&paths, &options, None).unwrap(),
            pipelines: FilePipelines::one(pipeline),
            folder,
            seen: &mut seen,
            now,
        };
        following.read();
        act(&mut following);
        seen
    }
}

impl Drop for World {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.folder));
    }
}

struct Following<'a, 's> {
    followed: FollowedFiles,
    pipelines: FilePipelines<'a>,
    folder: &'a Path,
    seen: &'s mut Seen,
    now: &'a mut i64,
}

impl Following<'_, '_> {
    fn append(&self, name: &str, text: &str) {
        let path = self.folder.join(name);
        let mut file = OpenOptions::new().append(true).create(true).open(path).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    fn rename(&self, from: &str, to: &str) {
        fs::rename(self.folder.join(from), self.folder.join(to)).unwrap();
    }

    /// Copies a file and cuts it, as some programs rotate.
    fn copy_and_cut(&self, from: &str, to: &str) {
        fs::copy(self.folder.join(from), self.folder.join(to)).unwrap();
        OpenOptions::new().write(true).truncate(true).open(self.folder.join(from)).unwrap();
    }

    /// Reads all that there is.
    fn read(&mut self) {
        self.wait(1);
    }

    /// Reads all that there is after a time in milliseconds.
    fn wait(&mut self, millis: i64) {
        *self.now += millis;
        let now = Timestamp::from_millis(*self.now);
        while self.followed.step(now, &mut self.pipelines, self.seen).unwrap() {}
    }

    fn records(&self) -> u64 {
        self.pipelines.records()
    }
}

#[test]
fn s256_a_line_counts_when_it_has_its_end() {
    let mut world = World::new("line");
    world.append("log", &at(&[1]));
    let seen = world.follow(&["log"], |following| {
        following.append("log", "{\"ts\":20");
        following.read();
        assert_eq!(following.records(), 1);
        following.append("log", "00}\n{\"ts\":12000}\n");
        following.read();
        assert_eq!(following.records(), 3);
    });
    assert_eq!(seen.rows, [(0, "2".to_owned())]);
    assert!(seen.dead.is_empty());
}

#[test]
fn s256_a_renamed_file_is_read_on_and_the_new_one_after_it() {
    let mut world = World::new("renamed");
    world.append("log", &at(&[1]));
    world.follow(&["log"], |following| {
        following.rename("log", "log.1");
        following.read();
        following.append("log.1", &at(&[2]));
        following.append("log", &at(&[3, 4]));
        following.read();
        assert_eq!(following.records(), 4);
        // The program has not opened the new file yet.
        following.append("log.1", &at(&[5]));
        following.read();
        assert_eq!(following.records(), 5);
        // A last line without its end counts when the file is left alone.
        following.append("log.1", "{\"ts\":6000}");
        following.read();
        assert_eq!(following.records(), 5);
        following.wait(ROTATED);
        assert_eq!(following.records(), 6);
    });
}

#[test]
fn s256_files_that_were_rotated_twice_between_two_looks_are_found() {
    for twice in [false, true] {
        let mut world = World::new(&format!("twice_{twice}"));
        world.append("log.7", &at(&[1, 1, 1]));
        world.append("log", &at(&[1]));
        world.follow(&["log"], |following| {
            following.append("log", &at(&[2]));
            match twice {
                false => following.rename("log", "log.1"),
                true => following.copy_and_cut("log", "log.1"),
            }
            following.append("log", &at(&[3, 3]));
            following.rename("log.1", "log.2");
            match twice {
                false => following.rename("log", "log.1"),
                true => following.copy_and_cut("log", "log.1"),
            }
            following.append("log", &at(&[4, 4, 4]));
            following.read();
            assert_eq!(following.records(), 7, "what was rotated before is not read");
        });
    }
}

#[test]
fn s256_the_rest_of_a_file_that_is_cut_is_read_from_its_copy() {
    let mut world = World::new("cut");
    world.append("log", &at(&[1]));
    let seen = world.follow(&["log"], |following| {
        for round in 0..5 {
            // The copy is seen before the file is cut.
            following.append("log", &at(&[2, 3]));
            let copy = following.folder.join(format!("log.{round}"));
            fs::copy(following.folder.join("log"), &copy).unwrap();
            following.read();
            following.append("log", &at(&[4]));
            following.read();
            following.append("log", &at(&[5]));
            fs::copy(following.folder.join("log"), &copy).unwrap();
            fs::write(following.folder.join("log"), at(&[6; 7])).unwrap();
            following.read();
            assert_eq!(following.records(), 1 + 11 * (round + 1));
        }
        // It is as long as before, and another one.
        following.append("log", &at(&[7]));
        fs::copy(following.folder.join("log"), following.folder.join("log.x")).unwrap();
        fs::write(following.folder.join("log"), at(&[8; 7])).unwrap();
        following.append("log", &at(&[9]));
        following.read();
        assert_eq!(following.records(), 56 + 9);
    });
    assert_eq!((seen.notes.len(), seen.dead.len()), (0, 0), "{:?}", seen.notes);
}

#[test]
fn s256_bytes_that_are_lost_by_a_cut_are_told() {
    let mut world = World::new("lost");
    world.append("log", &at(&[1; 10_000]));
    let seen = world.follow(&["log"], |following| {
        following.append("log", &at(&[1; 10_000]));
        let now = Timestamp::from_millis(2);
        following.followed.step(now, &mut following.pipelines, following.seen).unwrap();
        fs::write(following.folder.join("log"), at(&[2])).unwrap();
        following.read();
    });
    assert!(seen.notes[0].contains("no copy of it is found"), "{:?}", seen.notes);
}

#[test]
fn s257_files_appear_and_a_pattern_is_read_again() {
    let mut world = World::new("appear");
    world.append("a.log", &at(&[1]));
    world.append("a.txt", &at(&[1]));
    let seen = world.follow(&["*.log*", "late/one"], |following| {
        following.append("b.log", &at(&[1]));
        following.wait(PATTERNS_EVERY);
        assert_eq!(following.records(), 2);
        fs::create_dir(following.folder.join("late")).unwrap();
        following.append("late/one", &at(&[1, 1]));
        following.wait(PATTERNS_EVERY);
        assert_eq!(following.records(), 4);
        // The pattern matches the rotated file, which is known.
        following.rename("b.log", "b.log.1");
        following.append("b.log", &at(&[2]));
        following.wait(PATTERNS_EVERY);
        following.copy_and_cut("a.log", "a.log.1");
        following.wait(PATTERNS_EVERY);
        assert_eq!(following.records(), 5);
    });
    assert!(seen.notes.is_empty());
}

#[test]
fn s257_compressed_files_are_read_once_and_uncertain_ones_wait() {
    let mut world = World::new("formats");
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(at(&[1, 2]).as_bytes()).unwrap();
    fs::write(world.path("old.gz"), gzip.finish().unwrap()).unwrap();
    world.append("log", "# a comment\n");
    let seen = world.follow(&["old.gz", "log"], |following| {
        assert_eq!(following.records(), 2);
        following.append("log", &at(&[1; 20]));
        following.read();
    });
    assert_eq!(seen.notes.len(), 2, "{:?}", seen.notes);
    assert!(seen.notes.iter().any(|note| note.contains("read to its end once")));
    assert!(seen.notes.iter().any(|note| note.contains("waits for more lines")));
}

#[test]
fn s258_a_quiet_log_holds_no_other_back_and_is_waited_for_again() {
    let mut world = World::new("quiet");
    world.append("a", &at(&[1]));
    world.append("b", &at(&[1, 31]));
    let mut rows = 0;
    let seen = world.follow(&["a", "b"], |following| {
        following.append("b", &at(&[41]));
        following.wait(QUIET - 1);
        assert!(following.seen.rows.is_empty());
        following.append("b", &at(&[51]));
        following.wait(QUIET - 1);
        rows = following.seen.rows.len();
        following.append("a", &at(&[52]));
        following.append("b", &at(&[99]));
        following.read();
    });
    assert_eq!(rows, 3, "the log a is quiet");
    assert_eq!(seen.rows.len(), 3, "{:?}: the log a has come to 52", seen.rows);
    assert_eq!(seen.rows[0], (0, "2".to_owned()));
}

#[test]
fn s258_the_clock_completes_windows_only_if_it_is_told_to() {
    for idle_after in [None, Some(5_000)] {
        let mut world = World::new(&format!("idle_{}", idle_after.is_some()));
        world.append("a", &at(&[1, 12]));
        let seen = world.follow(&["a"], |following| {
            following.followed.idle_after = idle_after;
            following.wait(24_000);
            following.wait(1_000);
            following.wait(50_000);
        });
        let expected: &[i64] = if idle_after.is_some() { &[0, 10] } else { &[0] };
        assert_eq!(seen.rows.iter().map(|row| row.0).collect::<Vec<_>>(), expected);
    }
}

#[test]
fn s256_a_line_over_the_limit_is_one_dead_letter_however_it_comes() {
    let mut world = World::new("long");
    world.append("log", &at(&[1]));
    let long = "x".repeat(3 << 20);
    let seen = world.follow(&["log"], |following| {
        for _ in 0..3 {
            following.append("log", &long);
            following.read();
        }
        following.append("log", &format!("{long}\n{}", at(&[2])));
        following.read();
        assert_eq!(following.records(), 3);
        // The counted bytes are still known.
        following.copy_and_cut("log", "log.1");
        following.append("log", &at(&[3]));
        following.read();
        assert_eq!(following.records(), 4);
    });
    assert_eq!(seen.dead, [("log".to_owned(), 2)]);
}
