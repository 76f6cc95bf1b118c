//! A client of CloudWatch that reads the metrics of streams.
//!
//! Its SDK would be a dependency as large as that of Kinesis for a single call, so the call is made
//! by the parts that all SDKs share: credentials, signature, attempts, time limits, TLS.

use super::metrics::{GetMetricData, StreamMetrics, stream_metrics};
use crate::adapter::aws::{Blocking, ClientOptions, load};
use crate::error::{Error, ErrorKind};
use crate::record::ShardId;
use crate::time::Timestamp;
use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_runtime::auth::SigV4OperationSigningConfig;
use aws_runtime::auth::sigv4::{SCHEME_ID, SigV4AuthScheme};
use aws_runtime::retries::classifiers::AwsErrorCodeClassifier;
use aws_sdk_kinesis::config::http::{HttpRequest, HttpResponse};
use aws_sdk_kinesis::config::{Layer, Region, RuntimeComponentsBuilder, SharedCredentialsProvider};
use aws_sdk_kinesis::error::{BoxError, DisplayErrorContext, ErrorMetadata, ProvideErrorMetadata};
use aws_smithy_runtime::client::orchestrator::operation::Operation;
use aws_smithy_runtime::client::retries::classifiers::{
    HttpStatusCodeClassifier, TransientErrorClassifier,
};
use aws_smithy_runtime_api::client::auth::AuthSchemeOptionResolverParams;
use aws_smithy_runtime_api::client::auth::static_resolver::StaticAuthSchemeOptionResolver;
use aws_smithy_runtime_api::client::identity::SharedIdentityResolver;
use aws_smithy_runtime_api::client::orchestrator::OrchestratorError;
use aws_smithy_runtime_api::client::runtime_plugin::StaticRuntimePlugin;
use serde_json::Value;
use std::fmt;
use std::time::Duration;

/// How long one attempt of a call may take.
const ATTEMPT_MAX: Duration = Duration::from_secs(10);

/// How long a call may take, with all of its attempts.
const CALL_MAX: Duration = Duration::from_secs(30);

/// A client of CloudWatch in one region. The calls block. Those that are throttled are repeated.
///
/// # Example
/// ```no_run
/// use streamgauge::adapter::kinesis::{ClientOptions, CloudWatch};
/// use streamgauge::Timestamp;
/// let mut cloud_watch = CloudWatch::connect(ClientOptions::default())?;
/// let start = Timestamp::from_millis(1_764_460_800_000);
/// let hour = (start, Timestamp::from_millis(1_764_464_400_000));
/// let metrics = cloud_watch.stream_metrics(("clicks", &[]), hour)?;
/// if let Some(bytes) = metrics.stream.bytes_in {
///     println!("{} bytes in its busiest minute", bytes.largest);
/// }
/// # Ok::<(), streamgauge::Error>(())
/// ```
pub struct CloudWatch {
    operation: Operation<String, Vec<u8>, ErrorMetadata>,
    endpoint: String,
    blocking: Blocking,
}

impl CloudWatch {
    /// Creates a client. What the options do not say comes from the environment, as for
    /// [`StreamClient::connect`](super::StreamClient::connect).
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] if neither says a region. [`ErrorKind::Io`] if there are no
    /// credentials, or the operating system refuses what a runtime needs.
    pub fn connect(options: ClientOptions) -> Result<Self, Error> {
        let (blocking, config) = load(options)?;
        let region = config.region().ok_or_else(|| {
            let message = "CloudWatch needs a region: give one, or set AWS_REGION";
            Error::new(ErrorKind::InvalidArgument, message)
        })?;
        let endpoint = match config.endpoint_url() {
            Some(url) => url.to_owned(),
            None => endpoint_of(region.as_ref()),
        };
        let credentials = config.credentials_provider().ok_or_else(|| {
            Error::new(
                ErrorKind::Io,
                "CloudWatch needs credentials: set AWS_ACCESS_KEY_ID and so on",
            )
        })?;
        let operation = operation(&config, &endpoint, (region.clone(), credentials));
        Ok(CloudWatch { operation, endpoint, blocking })
    }

    /// Returns what CloudWatch has of a stream and of these shards in the whole minutes of a span
    /// of time. A call has at most 500 metrics: of 82 shards.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] with what CloudWatch says, also if the answer is not one of CloudWatch.
    pub fn stream_metrics(
        &mut self,
        (stream, shards): (&str, &[ShardId]),
        span: (Timestamp, Timestamp),
    ) -> Result<StreamMetrics, Error> {
        stream_metrics(self, (stream, shards), span).map_err(|error| {
            let message = format!(
                "cannot read the figures of the stream {stream:?} from CloudWatch at {}: {error}",
                self.endpoint
            );
            Error::new(error.kind(), message)
        })
    }
}

impl GetMetricData for CloudWatch {
    fn get_metric_data(&mut self, request: &Value) -> Result<Vec<u8>, Error> {
        let call = self.operation.invoke(request.to_string());
        self.blocking.wait(call)?.map_err(|error| {
            let said = match (error.code(), error.message()) {
                (Some(code), Some(message)) => format!("{code}: {message}"),
                _ => DisplayErrorContext(&error).to_string(),
            };
            Error::new(ErrorKind::Io, said)
        })
    }
}

impl fmt::Debug for CloudWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CloudWatch").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

/// Returns the address of CloudWatch in a region. Isolated regions need an endpoint of the
/// options.
fn endpoint_of(region: &str) -> String {
    let suffix = if region.starts_with("cn-") { ".cn" } else { "" };
    format!("https://monitoring.{region}.amazonaws.com{suffix}")
}

/// Returns GetMetricData in CloudWatch's protocol of JSON 1.0.
fn operation(
    config: &SdkConfig,
    endpoint: &str,
    (region, credentials): (Region, SharedCredentialsProvider),
) -> Operation<String, Vec<u8>, ErrorMetadata> {
    let mut layer = Layer::new("CloudWatch");
    layer.store_put(AuthSchemeOptionResolverParams::new(()));
    let mut signing = SigV4OperationSigningConfig::default();
    (signing.region, signing.name) = (Some(region.into()), Some("monitoring".into()));
    layer.store_put(signing);
    let mut components = RuntimeComponentsBuilder::new("CloudWatch");
    components.push_auth_scheme(SigV4AuthScheme::new());
    components.set_auth_scheme_option_resolver(Some(StaticAuthSchemeOptionResolver::new(vec![
        SCHEME_ID,
    ])));
    components.set_identity_resolver(SCHEME_ID, SharedIdentityResolver::new(credentials));
    let plugin = StaticRuntimePlugin::new().with_config(layer.freeze());
    let mut operation = Operation::builder()
        .service_name("cloudwatch")
        .operation_name("GetMetricData")
        .endpoint_url(endpoint)
        .runtime_plugin(plugin.with_runtime_components(components))
        .standard_retry(&RetryConfig::standard())
        .retry_classifier(TransientErrorClassifier::<ErrorMetadata>::new())
        .retry_classifier(HttpStatusCodeClassifier::default())
        .retry_classifier(AwsErrorCodeClassifier::<ErrorMetadata>::new())
        .timeout_config(
            TimeoutConfig::builder()
                .operation_attempt_timeout(ATTEMPT_MAX)
                .operation_timeout(CALL_MAX)
                .build(),
        );
    if let Some(version) = config.behavior_version() {
        operation = operation.behavior_version(version);
    }
    if let Some(client) = config.http_client() {
        operation = operation.http_client(client);
    }
    operation.serializer(serialized).deserializer(deserialized).build()
}

fn serialized(body: String) -> Result<HttpRequest, BoxError> {
    let mut request = HttpRequest::new(body.into());
    request.set_method("POST")?;
    let headers = request.headers_mut();
    headers.insert("content-type", "application/x-amz-json-1.0");
    headers.insert("x-amz-target", "GraniteServiceVersion20100801.GetMetricData");
    Ok(request)
}

fn deserialized(response: &HttpResponse) -> Result<Vec<u8>, OrchestratorError<ErrorMetadata>> {
    let body = response.body().bytes().unwrap_or_default();
    match response.status().is_success() {
        true => Ok(body.to_vec()),
        false => Err(OrchestratorError::operation(refusal(response.status().as_u16(), body))),
    }
}

/// Returns what a refusal says: `{"__type": "service#Code", "message": ...}`, or its status.
fn refusal(status: u16, body: &[u8]) -> ErrorMetadata {
    let said: Value = serde_json::from_slice(body).unwrap_or_default();
    let code = said["__type"].as_str().map(|code| code.rsplit('#').next().unwrap_or(code));
    let message = said["message"].as_str().or_else(|| said["Message"].as_str());
    let metadata = ErrorMetadata::builder();
    let metadata = match code {
        Some(code) => metadata.code(code).message(message.unwrap_or("no reason is given")),
        None => metadata.code(format!("HTTP status {status}")).message("no answer of CloudWatch"),
    };
    metadata.build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s277_a_refusal_says_its_code_and_reason() {
        for (body, code, message) in [
            (
                r#"{"__type": "a#Throttling", "message": "Rate exceeded"}"#,
                "Throttling",
                "Rate exceeded",
            ),
            (r#"{"__type": "AccessDenied", "Message": "no"}"#, "AccessDenied", "no"),
            (r#"{"__type": "Internal"}"#, "Internal", "no reason is given"),
            ("<html>", "HTTP status 400", "no answer of CloudWatch"),
            ("", "HTTP status 400", "no answer of CloudWatch"),
            (r#"[{"__type": 3}]"#, "HTTP status 400", "no answer of CloudWatch"),
        ] {
            let said = refusal(400, body.as_bytes());
            assert_eq!((said.code(), said.message()), (Some(code), Some(message)), "{body}");
        }
    }

    #[test]
    fn the_address_follows_the_region() {
        assert_eq!(endpoint_of("eu-west-1"), "https://monitoring.eu-west-1.amazonaws.com");
        assert_eq!(endpoint_of("cn-north-1"), "https://monitoring.cn-north-1.amazonaws.com.cn");
    }
}
