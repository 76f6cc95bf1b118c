//! Standard error. While a screen has the terminal, lines wait until it has gone.

use crate::log;
use std::io::{self, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Bytes of lines that wait. Past that lines are only counted.
const WAITING_BYTES_MAX: usize = 64 << 10;

/// Lines that wait, and who else gets them.
struct Held {
    listener: Box<dyn Fn(&str) + Send>,
    text: String,
    /// Lines that did not fit.
    dropped: u64,
}

static HELD: Mutex<Option<Held>> = Mutex::new(None);

fn held() -> MutexGuard<'static, Option<Held>> {
    HELD.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Writes lines to standard error, or adds them to the [log](crate::log). If standard error is
/// closed, there is no other place to report to.
pub(crate) fn say(text: &str) {
    if !log::take(text) {
        write(text);
    }
}

/// Writes lines to standard error as they are.
pub(crate) fn write(text: &str) {
    match &mut *held() {
        None => drop(io::stderr().write_all(text.as_bytes())),
        Some(held) => {
            (held.listener)(text);
            match held.text.len() + text.len() <= WAITING_BYTES_MAX {
                true => held.text.push_str(text),
                false => held.dropped += 1,
            }
        }
    }
}

/// Lets lines wait from now on. The listener gets each of them at once; it must not call [`say`].
#[cfg(feature = "live")]
pub(crate) fn hold(listener: impl Fn(&str) + Send + 'static) {
    *held() = Some(Held { listener: Box::new(listener), text: String::new(), dropped: 0 });
}

/// Writes the lines that wait, and lets no further ones wait.
#[cfg(feature = "live")]
pub(crate) fn release() {
    let Some(held) = held().take() else { return };
    write(&held.text);
    if held.dropped > 0 {
        say(&format!("note: {} more lines are left out\n", held.dropped));
    }
}
