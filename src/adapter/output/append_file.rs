//! A file that several processes append to.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

/// Bytes of a file's end that are searched for the last whole line at a time.
const TAIL_BYTES: u64 = 64 << 10;

/// A writer of whole lines to the end of a file that other processes may write to as well.
///
/// Lines are held until [`flush`](Write::flush), and then appended at once, under a lock of the
/// operating system, and synced. If a process was killed during an append, the next append cuts off
/// its incomplete last line: that line was not flushed, so it comes again.
#[derive(Debug)]
pub struct AppendFile {
    file: File,
    held: Vec<u8>,
}

impl AppendFile {
    /// Opens the file at this path, and creates it if it does not exist.
    ///
    /// # Errors
    /// Errors of the operating system.
    pub fn open(path: impl AsRef<Path>) -> io::Result<AppendFile> {
        // A file opened only for appending could not be read at its end.
        let file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
        Ok(AppendFile { file, held: Vec::new() })
    }

    fn append(&mut self) -> io::Result<()> {
        let length = self.file.metadata()?.len();
        let whole = whole_lines(&mut self.file, length)?;
        if whole < length {
            self.file.set_len(whole)?;
        }
        self.file.write_all(&self.held)?;
        self.file.sync_data()
    }
}

/// Returns the bytes of the file up to the end of its last whole line.
fn whole_lines(file: &mut File, length: u64) -> io::Result<u64> {
    let mut end = length;
    let mut tail = Vec::new();
    while end > 0 {
        let start = end.saturating_sub(if end == length { 1 } else { TAIL_BYTES });
        file.seek(SeekFrom::Start(start))?;
        tail.clear();
        file.take(end - start).read_to_end(&mut tail)?;
        if let Some(at) = tail.iter().rposition(|byte| *byte == b'\n') {
            return Ok(start + at as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

impl Write for AppendFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.held.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.held.is_empty() {
            return Ok(());
        }
        self.file.lock()?;
        let appended = self.append();
        let unlocked = self.file.unlock();
        appended.and(unlocked)?;
        self.held.clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn path(name: &str) -> std::path::PathBuf {
        std::env::temp_dir().join(format!("streamgauge-append-{name}-{}", std::process::id()))
    }

    #[test]
    fn an_incomplete_line_of_a_killed_process_is_cut_off() {
        let path = path("torn");
        for (left, kept) in [("", ""), ("a\n", "a\n"), ("a\nhal", "a\n"), ("hal", "")] {
            fs::write(&path, left).unwrap();
            let mut file = AppendFile::open(&path).unwrap();
            file.write_all(b"whole\n").unwrap();
            assert_eq!(
                fs::read_to_string(&path).unwrap(),
                left,
                "nothing happens before the flush"
            );
            file.flush().unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), format!("{kept}whole\n"));
        }
        let torn = format!("first\n{}", "x".repeat(200_000));
        fs::write(&path, torn).unwrap();
        let mut file = AppendFile::open(&path).unwrap();
        file.write_all(b"second\n").unwrap();
        file.flush().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "first\nsecond\n");
        fs::remove_file(path).unwrap();
    }

    #[test]
    fn several_writers_do_not_mix_their_lines() {
        let path = path("several");
        let _ = fs::remove_file(&path);
        std::thread::scope(|scope| {
            for writer in 0..4 {
                let path = &path;
                scope.spawn(move || {
                    let mut file = AppendFile::open(path).unwrap();
                    for _ in 0..20 {
                        for _ in 0..50 {
                            file.write_all(format!("{writer}").repeat(100).as_bytes()).unwrap();
                            file.write_all(b"\n").unwrap();
                        }
                        file.flush().unwrap();
                    }
                });
            }
        });
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().count(), 4 * 20 * 50);
        assert!(
            text.lines().all(
                |line| line.len() == 100 && line.bytes().all(|byte| byte == line.as_bytes()[0])
            )
        );
        fs::remove_file(path).unwrap();
    }
}
