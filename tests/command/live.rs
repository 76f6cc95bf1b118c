//! `--live`: the real command on a terminal of its own, whose screen is read.

use super::{Folder, Run, hits, streamgauge, streamgauge_reading};
use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Termios, Winsize, tcgetattr, tcsetwinsize};
use std::fs::File;
use std::io::{Read, Write};
use std::num::NonZero;
use std::process::{Child, Command};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// A terminal without any output for this long has a command that hangs.
const SILENCE: Duration = Duration::from_secs(120);

/// Pieces of output before something is seen. A screen that lives writes about one a second.
const PIECES_MAX: usize = 300;

const PIPELINE: &str =
    "--time ts --window 10s --max-delay 0s --agg 'count, sum(bytes) as bytes, top(3, url)'";

/// A command on a terminal.
struct Console {
    terminal: File,
    /// The other end, whose modes can be read also after the command.
    slave: File,
    modes: Termios,
    child: Child,
    output: Receiver<Vec<u8>>,
    screen: vt100::Parser,
    raw: Vec<u8>,
}

impl Console {
    /// Starts a shell's command, which is replaced by the command under test.
    fn start(script: &str, size: (u16, u16), variables: &[(&str, &str)]) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let flags = OFlags::RDWR | OFlags::NOCTTY;
        let slave = File::from(rustix::fs::open(name.as_c_str(), flags, Mode::empty()).unwrap());
        let (modes, terminal) = (tcgetattr(&slave).unwrap(), File::from(master));
        resize(&terminal, size);
        // The terminal becomes the one that controls the new session.
        let mut command = Command::new("setsid");
        command.args(["--ctty", "bash", "-c", &format!("exec {script}")]);
        let streamgauge = env!("CARGO_BIN_EXE_streamgauge");
        command.env("STREAMGAUGE", streamgauge).env("TERM", "xterm-256color");
        command.env("LC_ALL", "C.UTF-8").env_remove("NO_COLOR").env_remove("COLORTERM");
        command.envs(variables.iter().copied());
        command.stdin(slave.try_clone().unwrap());
        command.stdout(slave.try_clone().unwrap()).stderr(slave.try_clone().unwrap());
        let child = command.spawn().unwrap();
        let output = reader(terminal.try_clone().unwrap());
        let (columns, rows) = cells(size);
        let screen = vt100::Parser::new(rows, columns, 0);
        Console { terminal, slave, modes, child, output, screen, raw: Vec::new() }
    }

    fn lines(&self) -> Vec<String> {
        let columns = self.screen.screen().size().1;
        self.screen.screen().rows(0, columns.get()).map(|line| line.trim_end().to_owned()).collect()
    }

    fn text(&self) -> String {
        self.lines().join("\n")
    }

    fn take(&mut self, bytes: &[u8]) {
        self.screen.process(bytes);
        self.raw.extend_from_slice(bytes);
    }

    /// Reads until the screen is as expected.
    fn until(&mut self, what: &str, is_so: impl Fn(&[String]) -> bool) {
        for _ in 0..PIECES_MAX {
            if is_so(&self.lines()) {
                return;
            }
            let piece = self.output.recv_timeout(SILENCE).unwrap_or_else(|error| {
                panic!("{what}: {error}\n{}", self.text());
            });
            self.take(&piece);
        }
        panic!("{what} is not seen:\n{}", self.text());
    }

    /// Reads until there is a text on the screen.
    fn sees(&mut self, text: &str) {
        self.until(text, |lines| lines.iter().any(|line| line.contains(text)));
    }

    fn press(&mut self, keys: &str) {
        self.terminal.write_all(keys.as_bytes()).unwrap();
    }

    fn resize(&mut self, size: (u16, u16)) {
        resize(&self.terminal, size);
        let (columns, rows) = cells(size);
        self.screen.screen_mut().set_size(rows, columns);
    }

    fn send(&self, signal: &str) {
        let arguments = [format!("-{signal}"), self.child.id().to_string()];
        assert!(Command::new("kill").args(arguments).status().unwrap().success());
    }

    /// Waits for the end, and returns the exit code and what is on the terminal then, which must be
    /// as it was before.
    fn ended(mut self) -> (i32, String) {
        let status = self.child.wait().unwrap();
        while let Ok(piece) = self.output.recv_timeout(Duration::from_millis(300)) {
            self.take(&piece);
        }
        self.is_restored();
        assert!(!self.text().contains("panicked"), "{}", self.text());
        (status.code().unwrap(), self.text())
    }

    fn is_restored(&self) {
        let screen = self.screen.screen();
        assert!(!screen.alternate_screen() && !screen.hide_cursor(), "{}", self.text());
        let now = tcgetattr(&self.slave).unwrap();
        assert!(now.local_modes.contains(LocalModes::ICANON | LocalModes::ECHO));
        assert_eq!(now.local_modes, self.modes.local_modes);
        assert_eq!(now.input_modes, self.modes.input_modes);
        assert_eq!(now.output_modes, self.modes.output_modes);
    }
}

impl Drop for Console {
    fn drop(&mut self) {
        drop((self.child.kill(), self.child.wait()));
    }
}

fn cells((columns, rows): (u16, u16)) -> (NonZero<u16>, NonZero<u16>) {
    (NonZero::new(columns).unwrap(), NonZero::new(rows).unwrap())
}

fn resize(terminal: &File, (columns, rows): (u16, u16)) {
    let size = Winsize { ws_col: columns, ws_row: rows, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(terminal, size).unwrap();
}

fn reader(mut terminal: File) -> Receiver<Vec<u8>> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let mut buffer = vec![0; 1 << 16];
        while let Ok(bytes @ 1..) = terminal.read(&mut buffer) {
            if sender.send(buffer[..bytes].to_vec()).is_err() {
                return;
            }
        }
    });
    receiver
}

/// A pipe with a name, kept open for writing.
fn pipe(folder: &Folder) -> (String, File) {
    let path = folder.path("records");
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    let pipe = File::options().read(true).write(true).open(&path).unwrap();
    (path, pipe)
}

/// Starts a run over a pipe on standard input, with this number of records in it.
fn live(folder: &Folder, records: u64, variables: &[(&str, &str)]) -> (Console, File) {
    let (path, mut records_in) = pipe(folder);
    let script = format!("\"$STREAMGAUGE\" run --live {PIPELINE} < '{path}'");
    let console = Console::start(&script, (80, 24), variables);
    records_in.write_all(hits(records).as_bytes()).unwrap();
    (console, records_in)
}

#[test]
fn s283_the_screen_redraws_and_obeys_keys() {
    let folder = Folder::new("s283_keys");
    let (mut console, mut records) = live(&folder, 100, &[]);
    console.sees("window 00:01:20");
    console.sees("open: 00:01:30, 10 so far");
    console.sees("records 100  ");
    let lines = console.lines();
    assert!(lines[0].starts_with("streamgauge  stdin · window 10s · by ts"), "{}", lines[0]);
    assert!(lines[0].contains("● live"), "{}", lines[0]);
    assert!(lines[1].starts_with("records 100  "), "{}", lines[1]);
    assert!(lines[23].starts_with(" q  quit"), "{}", lines[23]);
    assert!(console.screen.screen().alternate_screen() && console.screen.screen().hide_cursor());
    console.press("?");
    console.sees("freeze the picture");
    console.press("\x1b");
    console.sees("▸ count  10");
    console.press("\t");
    console.sees("▸ bytes  ");
    console.press(" ");
    console.sees("‖ frozen, 0 windows behind");
    let more: String = hits(130).lines().skip(100).map(|line| format!("{line}\n")).collect();
    records.write_all(more.as_bytes()).unwrap();
    console.sees("‖ frozen, 3 windows behind");
    assert!(console.text().contains("window 00:01:20"), "{}", console.text());
    console.press("\x1b[F");
    console.sees("window 00:01:50");
    console.press("q");
    let (code, text) = console.ended();
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("00:01:50Z     1     10  11,450"), "the last whole window: {text}");
    assert!(text.contains("note: stopped by q: the last window is not complete"), "{text}");
    assert!(text.contains("records 130, applied 130,"), "{text}");
}

#[test]
fn s281_another_size_is_laid_out_at_once() {
    let folder = Folder::new("s281_resize");
    let (mut console, _records) = live(&folder, 100, &[]);
    console.sees("window 00:01:20");
    for size in [(100, 40), (60, 12), (160, 50), (80, 24)] {
        console.resize(size);
        let bottom = usize::from(size.1) - 1;
        console.until("the keys at the bottom", |lines| {
            lines[bottom].starts_with(" q  quit") && lines[2].chars().count() == usize::from(size.0)
        });
        assert_eq!(console.text().matches("streamgauge  ").count(), 1, "{}", console.text());
    }
    console.resize((30, 5));
    console.until("one line", |lines| {
        lines[0].starts_with("● 100 ") && lines[1..].iter().all(String::is_empty)
    });
    console.press("q");
    assert_eq!(console.ended().0, 0);
}

#[test]
fn s282_the_terminal_is_given_back_after_signals() {
    let signals =
        [("TERM", 143, "SIGTERM"), ("INT", 130, "Ctrl-C (SIGINT)"), ("HUP", 129, "SIGHUP")];
    for (signal, code, name) in signals {
        let folder = Folder::new(&format!("s282_{signal}"));
        let (mut console, _records) = live(&folder, 100, &[]);
        console.sees("window 00:01:20");
        console.send(signal);
        let (found, text) = console.ended();
        assert_eq!(found, code, "{text}");
        let note = format!("note: stopped by {name}: the last window is not complete");
        assert!(text.contains(&note) && text.contains("00:01:20Z     1     10"), "{text}");
    }
    // In raw mode Ctrl-C is a key.
    let (mut console, _records) = live(&Folder::new("s282_key"), 100, &[]);
    console.sees("window 00:01:20");
    console.press("\x03");
    assert_eq!(console.ended().0, 130);
}

#[test]
fn s282_a_stopped_run_gives_the_terminal_back_until_it_goes_on() {
    let folder = Folder::new("s282_stop");
    let (mut console, _records) = live(&folder, 100, &[]);
    console.sees("window 00:01:20");
    console.press("\x1a");
    console.until("the shell's screen", |lines| lines.iter().all(String::is_empty));
    let path = format!("/proc/{}/stat", console.child.id());
    while !std::fs::read_to_string(&path).unwrap().contains(") T ") {
        std::thread::yield_now();
    }
    console.is_restored();
    console.send("CONT");
    console.sees("window 00:01:20");
    console.press("q");
    assert_eq!(console.ended().0, 0);
}

#[test]
fn s283_after_the_end_of_the_input_the_screen_stays_until_a_key() {
    let folder = Folder::new("s283_end");
    let log = folder.file("hits.jsonl", hits(300) + "no record\n");
    let script = format!("\"$STREAMGAUGE\" run --live {PIPELINE} '{log}'");
    let mut console = Console::start(&script, (80, 24), &[]);
    console.sees("■ end of input");
    console.sees("window 00:04:50");
    console.sees("dead letters 1");
    console.press("l");
    console.sees("dead letter: ");
    console.press("\x1b[H");
    console.press("\x1b");
    console.sees("window 00:00:00");
    console.press("q");
    let (code, text) = console.ended();
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("dead letter: ") && text.contains("records 301, applied 300"), "{text}");
    // Early answers do not change the one that follows.
    let plain =
        ["run", "--time", "ts", "--window", "10s", "--max-delay", "0s", "--output", "table"];
    let agg = "count, sum(bytes) as bytes, top(3, url)";
    let plain = streamgauge(&[&plain[..], &["--agg", agg, &log]].concat());
    let last = plain.stdout.lines().rev().nth(2).unwrap();
    assert!(last.contains("00:04:50") && text.contains(last.trim_end()), "{last}\n{text}");
}

#[test]
fn s286_the_terminal_gets_what_it_can_show() {
    let folder = Folder::new("s286_plain");
    let (mut console, _records) = live(&folder, 100, &[("NO_COLOR", "1"), ("LC_ALL", "C")]);
    console.sees("window 00:01:20");
    assert!(console.raw.is_ascii());
    let codes = String::from_utf8(console.raw.clone()).unwrap();
    assert!(!codes.contains("38;5;") && !codes.contains("\x1b[34"), "{codes:?}");
    console.press("q");
    assert_eq!(console.ended().0, 0);
    let folder = Folder::new("s286_colours");
    let (mut console, _records) = live(&folder, 100, &[]);
    console.sees("window 00:01:20");
    assert!(String::from_utf8_lossy(&console.raw).contains("38;5;33"));
    console.press("q");
    assert_eq!(console.ended().0, 0);
}

#[test]
fn s282_without_a_terminal_the_usage_is_wrong() {
    let flags = ["run", "--live", "--time", "ts", "--window", "10s"];
    let run: Run = streamgauge_reading(&flags, hits(10).as_bytes());
    run.failed(2, &["--live needs a terminal on standard output: without one use --output"]);
    assert_eq!(run.stdout, "");
    let folder = Folder::new("s282_usage");
    let state = folder.path("state");
    for more in [["--output", "json"], ["--state", &state], ["--partials", &state]] {
        let run = streamgauge(&[&flags[..], &more].concat());
        run.failed(2, &["cannot be used with"]);
    }
    // The records of a run without files would have to be typed.
    let script = format!("\"$STREAMGAUGE\" run --live {PIPELINE}");
    let (code, text) = Console::start(&script, (80, 24), &[]).ended();
    assert_eq!(code, 2, "{text}");
    assert!(text.contains("--live needs the keyboard"), "{text}");
}
