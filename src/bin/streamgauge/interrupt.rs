//! Ctrl-C and SIGTERM, and behind a screen SIGHUP: the first one ends a run cleanly, the second one
//! at once.

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;
use std::fs::File;
#[cfg(all(unix, feature = "live"))]
use std::io::Write;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

/// The signals that end a run. Without a screen SIGHUP is left as it is, since `nohup` ignores it.
const ENDING: [i32; 2] = [SIGINT, SIGTERM];

/// The number of no signal: a key of the screen asks the run to end.
const QUIT: usize = 1 << 16;

/// A signal that asks a run to end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Signal(usize);

impl Signal {
    /// Returns the exit code that shells use for a process ended by the signal.
    pub(crate) fn exit_code(self) -> u8 {
        match self.0 {
            QUIT => 0,
            number => u8::try_from(number).unwrap_or(0) | 128,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        if self.0 == QUIT {
            return "q";
        }
        match i32::try_from(self.0) {
            Ok(SIGINT) => "Ctrl-C (SIGINT)",
            Ok(SIGHUP) => "SIGHUP",
            _ => "SIGTERM",
        }
    }
}

/// Knows whether there was a signal.
#[derive(Clone)]
pub(crate) struct Interrupt {
    /// The last signal; 0 before there is one.
    signal: Arc<AtomicUsize>,
    /// Readable from the first signal on.
    #[cfg(unix)]
    bell: Arc<io::PipeReader>,
    #[cfg(all(unix, feature = "live"))]
    ringer: Arc<io::PipeWriter>,
    /// True if the next signal ends the process at once.
    second: Arc<AtomicBool>,
}

impl Interrupt {
    /// Watches for signals from now on.
    ///
    /// # Errors
    /// Errors of the operating system.
    pub(crate) fn watch() -> io::Result<Self> {
        let interrupt = Interrupt::watch_for(&ENDING)?;
        interrupt.arm_all()?;
        Ok(interrupt)
    }

    /// Watches for signals from now on. None ends the process at once before
    /// [`arm`](Interrupt::arm): a screen has the terminal, which must be given back.
    ///
    /// # Errors
    /// Errors of the operating system.
    pub(crate) fn watch_behind_screen() -> io::Result<Self> {
        Interrupt::watch_for(&[SIGINT, SIGTERM, SIGHUP])
    }

    fn watch_for(numbers: &[i32]) -> io::Result<Self> {
        let signal = Arc::new(AtomicUsize::new(0));
        let second = Arc::new(AtomicBool::new(false));
        #[cfg(unix)]
        let (bell, ringer) = io::pipe()?;
        for &number in numbers {
            flag::register_conditional_shutdown(number, 128 + number, second.clone())?;
            flag::register_usize(
                number,
                signal.clone(),
                usize::try_from(number).unwrap_or_default(),
            )?;
            #[cfg(unix)]
            signal_hook::low_level::pipe::register(number, ringer.try_clone()?)?;
        }
        Ok(Interrupt {
            signal,
            #[cfg(unix)]
            bell: Arc::new(bell),
            #[cfg(all(unix, feature = "live"))]
            ringer: Arc::new(ringer),
            second,
        })
    }

    /// From now on a second signal ends the process at once.
    fn arm_all(&self) -> io::Result<()> {
        for number in ENDING {
            // The order matters: only a previous signal lets this one end the process.
            flag::register(number, self.second.clone())?;
        }
        if self.signal().is_some() {
            self.second.store(true, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Returns an interrupt that watches for nothing.
    ///
    /// # Panics
    /// If the system creates no pipe.
    #[cfg(test)]
    pub(crate) fn silent() -> Self {
        let (bell, _ringer) = io::pipe().unwrap();
        Interrupt {
            signal: Arc::new(AtomicUsize::new(0)),
            #[cfg(unix)]
            bell: Arc::new(bell),
            #[cfg(all(unix, feature = "live"))]
            ringer: Arc::new(_ringer),
            second: Arc::default(),
        }
    }

    /// Ends the run as Ctrl-C does.
    #[cfg(feature = "live")]
    pub(crate) fn interrupt(&self) {
        self.end(usize::try_from(SIGINT).unwrap_or_default());
    }

    /// Ends the run, which has succeeded: a key of the screen asks for it.
    #[cfg(feature = "live")]
    pub(crate) fn quit(&self) {
        self.end(QUIT);
    }

    #[cfg(feature = "live")]
    fn end(&self, number: usize) {
        // A signal that came before decides.
        let before = self.signal.compare_exchange(0, number, Ordering::Relaxed, Ordering::Relaxed);
        #[cfg(unix)]
        if before.is_ok() {
            // The reader lives as long as this, and the pipe has room for a byte.
            let _ = (&*self.ringer).write(&[0]);
        }
    }

    /// From now on a second signal ends the process at once: no screen has the terminal any more.
    #[cfg(feature = "live")]
    pub(crate) fn arm(&self) {
        // Without it the run ends by the first signal.
        let _ = self.arm_all();
    }

    /// Returns the signal, if there was one.
    pub(crate) fn signal(&self) -> Option<Signal> {
        Some(self.signal.load(Ordering::Relaxed)).filter(|number| *number > 0).map(Signal)
    }

    /// Waits for this time, or until there is a signal.
    ///
    /// # Errors
    /// Errors of the operating system.
    #[cfg(unix)]
    pub(crate) fn rest(&self, length: Duration) -> io::Result<()> {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};
        let length = Timespec {
            tv_sec: i64::try_from(length.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(length.subsec_nanos()),
        };
        match poll(&mut [PollFd::new(&*self.bell, PollFlags::IN)], Some(&length)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Waits for this time.
    #[cfg(not(unix))]
    pub(crate) fn rest(&self, length: Duration) -> io::Result<()> {
        std::thread::sleep(length);
        Ok(())
    }

    /// Waits until the file can be read, or there is a signal.
    #[cfg(unix)]
    fn wait_for(&self, file: &File) -> io::Result<()> {
        use rustix::event::{PollFd, PollFlags, poll};
        loop {
            let mut waited =
                [PollFd::new(file, PollFlags::IN), PollFd::new(&*self.bell, PollFlags::IN)];
            match poll(&mut waited, None) {
                Ok(_) if waited[0].revents().is_empty() && waited[1].revents().is_empty() => {}
                Ok(_) => return Ok(()),
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    #[cfg(not(unix))]
    fn wait_for(&self, _: &File) -> io::Result<()> {
        Ok(())
    }
}

/// An input that may never end. After a signal it fails, so that an incomplete record is not taken
/// as a whole one.
pub(crate) struct Stream {
    /// `None` for standard input.
    path: Option<PathBuf>,
    file: Option<File>,
    interrupt: Interrupt,
}

impl Stream {
    /// Returns the name and the input of a command-line argument: a pipe, a device or standard
    /// input.
    pub(crate) fn new(argument: &Path, interrupt: &Interrupt) -> (String, Self) {
        let path = (argument != Path::new("-")).then(|| argument.to_owned());
        let name =
            path.as_ref().map_or_else(|| "stdin".to_owned(), |path| path.display().to_string());
        (name, Stream { path, file: None, interrupt: interrupt.clone() })
    }

    fn open(&self) -> io::Result<File> {
        match &self.path {
            Some(path) => open(path),
            None => standard_input(),
        }
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.file.is_none() {
            self.file = Some(self.open()?);
        }
        let Some(file) = &mut self.file else { return Ok(0) };
        loop {
            self.interrupt.wait_for(file)?;
            if let Some(signal) = self.interrupt.signal() {
                return Err(io::Error::other(format!("stopped by {}", signal.name())));
            }
            match file.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => return read,
            }
        }
    }
}

/// Opens a pipe without waiting for its writer. The wait is in the first read, where a signal can
/// end it. Only Linux can wait like that for a pipe that nobody has opened for writing.
#[cfg(target_os = "linux")]
fn open(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    let flags = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or(0);
    File::options().read(true).custom_flags(flags).open(path)
}

#[cfg(not(target_os = "linux"))]
fn open(path: &Path) -> io::Result<File> {
    File::open(path)
}

#[cfg(unix)]
fn standard_input() -> io::Result<File> {
    use std::os::fd::AsFd;
    Ok(File::from(io::stdin().as_fd().try_clone_to_owned()?))
}

#[cfg(not(unix))]
fn standard_input() -> io::Result<File> {
    use std::os::windows::io::AsHandle;
    Ok(File::from(io::stdin().as_handle().try_clone_to_owned()?))
}
