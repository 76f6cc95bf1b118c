//! Tokens for `sasl.mechanism=OAUTHBEARER`, from a command.

use crate::error::{Error, ErrorKind};
use rdkafka::client::OAuthToken;
use serde::Deserialize;
use std::io::Read;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How long a command may take.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(30);

/// The life of a token whose command does not say it: that of the tokens of Amazon MSK.
const LIFE: Duration = Duration::from_secs(900);

/// Maximum bytes of a token.
const TOKEN_BYTES_MAX: u64 = 1 << 20;

/// Gets tokens from a command. The client asks for the next one before the last one ends.
#[derive(Debug, Default)]
pub(crate) struct Tokens {
    command: Option<String>,
    /// True after the first token.
    has_one: AtomicBool,
}

/// What a command may write instead of the bare token.
#[derive(Deserialize)]
struct Answer {
    token: String,
    /// When the token ends, in milliseconds since 1970.
    expires_ms: Option<i64>,
    principal: Option<String>,
}

impl Tokens {
    pub(crate) fn new(command: Option<&str>) -> Self {
        Tokens { command: command.map(str::to_owned), has_one: AtomicBool::new(false) }
    }

    /// Returns true if a token is needed and there was none yet.
    pub(crate) fn is_waiting(&self) -> bool {
        self.command.is_some() && !self.has_one.load(Ordering::Relaxed)
    }

    /// Runs the command.
    ///
    /// # Errors
    /// It fails, takes too long, or writes no token. What it writes is in no error.
    pub(crate) fn next(&self) -> Result<OAuthToken, Box<dyn std::error::Error>> {
        let command = self
            .command
            .as_deref()
            .ok_or_else(|| Error::invalid("sasl.mechanism=OAUTHBEARER needs --token-command"))?;
        let token = token(&run(command)?)?;
        self.has_one.store(true, Ordering::Relaxed);
        Ok(token)
    }
}

fn run(command: &str) -> Result<String, Error> {
    let failed = |what: String| Error::new(ErrorKind::Io, format!("the token command {what}"));
    let mut child = Command::new("sh")
        .args(["-c", command])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| failed(format!("cannot be run: {error}")))?;
    let output = child.stdout.take();
    let reader = thread::spawn(move || {
        let mut text = String::new();
        let read = output.map(|output| output.take(TOKEN_BYTES_MAX).read_to_string(&mut text));
        read.transpose().map(|_| text)
    });
    let end = Instant::now() + COMMAND_TIMEOUT;
    let status = loop {
        match child.try_wait().map_err(|error| failed(error.to_string()))? {
            Some(status) => break status,
            None if Instant::now() < end => thread::sleep(Duration::from_millis(10)),
            None => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(failed(format!("takes over {} s", COMMAND_TIMEOUT.as_secs())));
            }
        }
    };
    if !status.success() {
        return Err(failed(format!("has failed: {status}")));
    }
    match reader.join() {
        Ok(Ok(text)) => Ok(text),
        _ => Err(failed("has written something that is not text".to_owned())),
    }
}

/// Returns the token that a command has written: bare, or as an object.
fn token(written: &str) -> Result<OAuthToken, Error> {
    let written = written.trim();
    let answer = match written.starts_with('{') {
        // The reason may repeat what was written.
        true => serde_json::from_str::<Answer>(written).map_err(|_| {
            Error::invalid("the token command has written an object without a text \"token\"")
        })?,
        false => Answer { token: written.to_owned(), expires_ms: None, principal: None },
    };
    if answer.token.is_empty() || answer.token.contains(char::is_whitespace) {
        return Err(Error::invalid("the token command has written no token"));
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let ends = i64::try_from((now + LIFE).as_millis()).unwrap_or(i64::MAX);
    Ok(OAuthToken {
        token: answer.token,
        principal_name: answer.principal.unwrap_or_else(|| "streamgauge".to_owned()),
        lifetime_ms: answer.expires_ms.unwrap_or(ends),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s354_a_command_gives_the_token_bare_or_with_its_end() {
        let get = |command: &str| Tokens::new(Some(command)).next();
        let bare = get("echo abc.def").unwrap();
        assert_eq!(bare.token, "abc.def");
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64;
        assert!((now + 800_000..=now + 900_000).contains(&bare.lifetime_ms));
        let object = get(r#"echo '{"token":"x","expires_ms":7,"principal":"hits"}'"#).unwrap();
        assert_eq!((object.token.as_str(), object.lifetime_ms), ("x", 7));
        assert_eq!(object.principal_name, "hits");
    }

    #[test]
    fn s353_what_a_token_command_writes_is_in_no_error() {
        for command in ["echo hush; exit 3", "echo '{\"tok\":\"hush\"}'", "echo hush hush", ":"] {
            let tokens = Tokens::new(Some(command));
            let error = tokens.next().err().unwrap().to_string();
            assert!(error.contains("the token command") && !error.contains("hush"), "{error}");
        }
        assert!(Tokens::default().next().is_err() && !Tokens::default().is_waiting());
    }
}
