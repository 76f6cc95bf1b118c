//! The terminal: switched to the screen of `--live`, and always restored.

use crossterm::cursor::{Hide, Show};
use crossterm::execute;
use crossterm::terminal::{
    Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use ratatui_core::backend::Backend;
use ratatui_core::buffer::Buffer;
use ratatui_core::layout::Rect;
use ratatui_crossterm::CrosstermBackend;
use std::io::{self, BufWriter, Stdout, stdout};
use std::panic;
use std::sync::{Mutex, MutexGuard, Once, PoisonError, TryLockError};
use std::thread::sleep;
use std::time::Duration;

/// The terminal that frames are drawn on.
pub(super) struct Frames {
    backend: CrosstermBackend<BufWriter<Stdout>>,
    /// What the terminal shows now.
    shown: Buffer,
}

impl Frames {
    fn new() -> Self {
        let backend = CrosstermBackend::new(BufWriter::new(stdout()));
        Frames { backend, shown: Buffer::empty(Rect::ZERO) }
    }

    /// Returns the area of the terminal.
    ///
    /// # Errors
    /// Errors of the terminal.
    pub(super) fn area(&self) -> io::Result<Rect> {
        Ok(Rect::from((ratatui_core::layout::Position::ORIGIN, self.backend.size()?)))
    }

    /// Writes the cells that have changed, unless the terminal has been given back.
    ///
    /// # Errors
    /// Errors of the terminal.
    pub(super) fn draw(&mut self, frame: Buffer) -> io::Result<()> {
        let is_taken = lock();
        if !*is_taken {
            return Ok(());
        }
        if self.shown.area != frame.area {
            execute!(self.backend, Clear(ClearType::All))?;
            self.shown = Buffer::empty(frame.area);
        }
        self.backend.draw(self.shown.diff(&frame).into_iter())?;
        self.shown = frame;
        Backend::flush(&mut self.backend)
    }
}

/// True while the terminal is taken. Locked while anything is written to it.
static IS_TAKEN: Mutex<bool> = Mutex::new(false);

/// Installs the hook of panics once.
static HOOK: Once = Once::new();

/// How long a panic waits for a frame that is being written.
const PANIC_TRIES: u32 = 20;
const PANIC_PAUSE: Duration = Duration::from_millis(10);

/// Takes the terminal: its alternate screen, without a cursor, every key as it comes.
///
/// # Errors
/// Errors of the terminal, which is given back then.
pub(super) fn take() -> io::Result<Frames> {
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            give_back_after_panic();
            before(info);
        }));
    });
    let mut is_taken = lock();
    *is_taken = true;
    let taken = enable_raw_mode()
        .and_then(|()| execute!(stdout(), EnterAlternateScreen, Hide))
        .map(|()| Frames::new());
    if taken.is_err() {
        release(&mut is_taken);
    }
    taken
}

/// Gives the terminal back, if it is taken.
pub(super) fn give_back() {
    release(&mut lock());
}

fn lock() -> MutexGuard<'static, bool> {
    IS_TAKEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Gives the terminal back before a panic writes its message. The thread that panics may be the one
/// that draws, so this does not wait for ever.
fn give_back_after_panic() {
    for _ in 0..PANIC_TRIES {
        match IS_TAKEN.try_lock() {
            Ok(mut is_taken) => return release(&mut is_taken),
            Err(TryLockError::Poisoned(error)) => return release(&mut error.into_inner()),
            Err(TryLockError::WouldBlock) => sleep(PANIC_PAUSE),
        }
    }
    release(&mut true);
}

/// A terminal that has gone needs nothing, so errors are not reported.
fn release(is_taken: &mut bool) {
    if std::mem::take(is_taken) {
        let _ = execute!(stdout(), Show, LeaveAlternateScreen);
        let _ = disable_raw_mode();
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use rustix::fs::{Mode, OFlags};
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    use rustix::termios::tcgetattr;
    use std::env;
    use std::fs::File;
    use std::io::Read;
    use std::process::Command;

    /// Set in a process whose standard input and output are a terminal of its own.
    const ON_TERMINAL: &str = "STREAMGAUGE_TEST_ON_TERMINAL";

    #[test]
    fn s282_the_terminal_is_given_back_before_a_panic_is_told() {
        if env::var_os(ON_TERMINAL).is_some() {
            drop(take().unwrap());
            panic!("this is on purpose");
        }
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let flags = OFlags::RDWR | OFlags::NOCTTY;
        let slave = File::from(rustix::fs::open(name.as_c_str(), flags, Mode::empty()).unwrap());
        let before = tcgetattr(&slave).unwrap();
        let test = thread_name();
        let mut child = Command::new("setsid")
            .args(["--ctty".as_ref(), env::current_exe().unwrap().as_os_str()])
            .args(["--exact", &test, "--nocapture", "--test-threads", "1"])
            .env(ON_TERMINAL, "1")
            .env("TERM", "xterm")
            .stdin(slave.try_clone().unwrap())
            .stdout(slave.try_clone().unwrap())
            .stderr(slave.try_clone().unwrap())
            .spawn()
            .unwrap();
        assert!(!child.wait().unwrap().success(), "the panic fails the test");
        let now = tcgetattr(&slave).unwrap();
        assert_eq!(now.local_modes, before.local_modes);
        assert_eq!(now.input_modes, before.input_modes);
        drop(slave);
        let mut text = Vec::new();
        // At its end the other side of a terminal is an error.
        drop(File::from(master).read_to_end(&mut text));
        let text = String::from_utf8_lossy(&text);
        let places = ["\x1b[?1049h", "\x1b[?1049l", "this is on purpose"].map(|one| text.find(one));
        let [Some(taken), Some(given_back), Some(told)] = places else { panic!("{text:?}") };
        assert!(taken < given_back && given_back < told, "{text:?}");
        assert!(text.find("\x1b[?25h").is_some_and(|shown| shown < told), "{text:?}");
    }

    /// Returns the name of the test that runs, as the harness gives it to the thread.
    fn thread_name() -> String {
        std::thread::current().name().unwrap_or_default().to_owned()
    }
}
