//! The brokers, and the properties of librdkafka.

use crate::error::{Error, ErrorKind};
use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;
use std::path::Path;
use std::sync::Arc;
use std::{env, fmt, fs};

/// The variables of the environment that name the brokers, a file of properties, and a command.
const BROKERS: &str = "STREAMGAUGE_KAFKA_BROKERS";
const CONFIG: &str = "STREAMGAUGE_KAFKA_CONFIG";
const TOKEN_COMMAND: &str = "STREAMGAUGE_KAFKA_TOKEN_COMMAND";

/// Parts of the names of properties whose values may be secrets.
const SECRET: [&str; 5] = ["password", "secret", "token", "pem", "jaas"];

/// How the brokers are reached.
///
/// A value `${env:NAME}` of a property is that of a variable of the environment, and
/// `${file:PATH}` the content of a file without the line feed at its end, for secrets. No value is
/// part of an error or of the `Debug` form.
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct TopicOptions {
    /// Brokers to begin with: `host:port,host:port`.
    pub brokers: String,
    /// The consumer group that shares the partitions. `None`: a reader reads all of them.
    pub group: Option<String>,
    /// Further properties of librdkafka, such as `client.id`.
    pub properties: Vec<(String, String)>,
    /// A command of the shell that writes a token, for `sasl.mechanism=OAUTHBEARER`, as with Amazon
    /// MSK: bare, or as `{"token":"...","expires_ms":1796000000000,"principal":"..."}`. A token of
    /// which no end is known lasts 15 minutes.
    pub token_command: Option<String>,
    /// The headers that the [records](crate::Record::headers) of a reader have: see
    /// [`RecordPipeline::headers`](crate::adapter::RecordPipeline::headers). Default: none.
    pub headers: Vec<Arc<str>>,
}

impl TopicOptions {
    /// Returns the options that the environment names: `STREAMGAUGE_KAFKA_BROKERS` has the brokers,
    /// `STREAMGAUGE_KAFKA_CONFIG` the name of a [file](TopicOptions::read) of properties, and
    /// `STREAMGAUGE_KAFKA_TOKEN_COMMAND` the [command](TopicOptions::token_command) of tokens.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) without brokers, and those
    /// of [`read`](TopicOptions::read).
    pub fn from_environment() -> Result<Self, Error> {
        let mut options = TopicOptions::default();
        if let Ok(path) = env::var(CONFIG) {
            options.read(Path::new(&path)).map_err(|error| error.at(CONFIG))?;
        }
        options.brokers = env::var(BROKERS).unwrap_or_default();
        options.token_command = env::var(TOKEN_COMMAND).ok();
        if options.brokers.is_empty() {
            let message = format!("the brokers are not known: set {BROKERS} to HOST:PORT,...");
            return Err(Error::invalid(message));
        }
        Ok(options)
    }

    /// Adds the properties of a file of lines `NAME=VALUE`. Empty lines and those that begin with #
    /// are skipped.
    ///
    /// # Errors
    /// [`ErrorKind::Io`](crate::ErrorKind::Io) if the file cannot be read, and
    /// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) for another line.
    pub fn read(&mut self, path: &Path) -> Result<(), Error> {
        let text = fs::read_to_string(path).map_err(|error| {
            let message = format!("{}: {error}", path.display());
            Error::new(ErrorKind::Io, message)
        })?;
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            // The line may be a secret, so it is not repeated.
            let property = TopicOptions::property(line).map_err(|use_it| {
                Error::invalid(format!("{}: line {}: {use_it}", path.display(), index + 1))
            })?;
            self.properties.push(property);
        }
        Ok(())
    }

    /// Parses a property: `NAME=VALUE`.
    ///
    /// # Errors
    /// Says what a property looks like.
    pub fn property(text: &str) -> Result<(String, String), String> {
        match text.split_once('=') {
            Some((name, value)) if !name.trim().is_empty() => {
                Ok((name.trim().to_owned(), value.trim().to_owned()))
            }
            _ => Err("use NAME=VALUE".to_owned()),
        }
    }

    /// Sets the brokers and the properties, over those that are set already. An empty value removes
    /// a property. Those of `own` cannot be set.
    pub(crate) fn apply(&self, config: &mut ClientConfig, own: &[&str]) -> Result<(), Error> {
        config.set("bootstrap.servers", &self.brokers);
        config.set_log_level(RDKafkaLogLevel::Error);
        for (name, value) in &self.properties {
            if own.contains(&name.as_str()) {
                let message = format!("{name} cannot be set: streamgauge sets it itself");
                return Err(Error::invalid(message));
            }
            match value.as_str() {
                "" => config.remove(name),
                value => config.set(name, resolved(name, value)?),
            };
        }
        Ok(())
    }
}

impl fmt::Debug for TopicOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Properties may hold secrets.
        f.debug_struct("TopicOptions")
            .field("brokers", &self.brokers)
            .field("group", &self.group)
            .finish_non_exhaustive()
    }
}

/// Returns the value of a property, which may be in the environment or in a file.
fn resolved(name: &str, value: &str) -> Result<String, Error> {
    let place = value.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
    match place.and_then(|place| place.split_once(':')) {
        Some(("env", variable)) => env::var(variable)
            .map_err(|_| Error::invalid(format!("{name}: the variable {variable} is not set"))),
        Some(("file", path)) => match fs::read_to_string(path) {
            Ok(text) => Ok(text.trim_end_matches(['\r', '\n']).to_owned()),
            Err(error) => Err(Error::invalid(format!("{name}: {path}: {error}"))),
        },
        _ => Ok(value.to_owned()),
    }
}

/// Returns the error of a client that cannot be made, without the values of secrets.
pub(crate) fn cannot_be_made(error: KafkaError) -> Error {
    let reason = match error {
        KafkaError::ClientConfig(_, _, name, _) if is_secret(&name) => {
            format!("the value of {name} is not accepted")
        }
        KafkaError::ClientConfig(_, reason, ..) => reason,
        error => error.to_string(),
    };
    let advice = match reason.contains("build time") || reason.contains("No provider for SASL") {
        true => "; TLS, SCRAM and OAUTHBEARER need a build with the feature kafka-tls",
        false => "",
    };
    Error::invalid(format!("the client cannot be made: {reason}{advice}"))
}

fn is_secret(name: &str) -> bool {
    SECRET.iter().any(|part| name.contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_property_has_a_name() {
        let property = TopicOptions::property;
        assert_eq!(property("a.b = c=d"), Ok(("a.b".to_owned(), "c=d".to_owned())));
        assert_eq!(property("a="), Ok(("a".to_owned(), String::new())));
        assert!(property("=a").is_err() && property("a").is_err());
    }

    #[test]
    fn s353_secrets_come_from_files_and_the_environment_and_are_in_no_message() {
        let path = env::temp_dir().join(format!("streamgauge-secret-{}", std::process::id()));
        fs::write(&path, "hush hush\n").unwrap();
        let mut options = TopicOptions::default();
        let set = |name: &str, value: String| vec![(name.to_owned(), value)];
        options.properties = set("sasl.password", format!("${{file:{}}}", path.display()));
        let mut config = ClientConfig::new();
        options.apply(&mut config, &[]).unwrap();
        assert_eq!(config.get("sasl.password"), Some("hush hush"));
        assert!(!format!("{options:?}").contains("hush"));
        fs::remove_file(&path).unwrap();
        let error = options.apply(&mut config, &[]).unwrap_err().to_string();
        assert!(error.starts_with("sasl.password: "), "{error}");
        options.properties = set("client.id", "${env:PATH}".to_owned());
        options.apply(&mut config, &[]).unwrap();
        assert_eq!(config.get("client.id").map(str::to_owned), env::var("PATH").ok());
        options.properties = set("sasl.password", "${env:STREAMGAUGE_NOT_SET}".to_owned());
        let error = options.apply(&mut config, &[]).unwrap_err().to_string();
        assert!(error.contains("STREAMGAUGE_NOT_SET is not set"), "{error}");
        // Neither in the error of a property that is not accepted.
        let refused = KafkaError::ClientConfig(
            rdkafka::types::RDKafkaConfRes::RD_KAFKA_CONF_INVALID,
            "hush is wrong".to_owned(),
            "ssl.key.pem".to_owned(),
            "hush".to_owned(),
        );
        assert!(!cannot_be_made(refused).to_string().contains("hush"));
    }
}
