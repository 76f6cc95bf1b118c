//! The loop that runs a handler as a Lambda function: AWS's custom runtime interface, by the crate
//! `lambda_runtime`.

use super::{Handler, Reply};
use crate::adapter::output::Sink;
use crate::adapter::record_pipeline::RecordPipeline;
use crate::error::{Error, ErrorKind};
use crate::time::Timestamp;
use bytes::Bytes;
use lambda_runtime::tower::Layer;
use lambda_runtime::{Diagnostic, LambdaEvent, LambdaInvocation, Runtime, Service, service_fn};
use std::future::ready;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{SystemTime, UNIX_EPOCH};

/// What Lambda sets for every function, and the runtime's library does without asking.
const VARIABLES: [&str; 4] = [
    "AWS_LAMBDA_RUNTIME_API",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_VERSION",
];

/// Runs the handler for as long as Lambda lets the process live, one invocation after another.
///
/// An invocation that fails is reported to Lambda, which delivers its batch again, and told on
/// standard error; so is a record that a strict pipeline refused.
///
/// # Errors
/// [`ErrorKind::Unsupported`] where it is not Lambda that has started the process;
/// [`ErrorKind::Io`] if the runtime interface fails.
pub fn run<P, S>(handler: Handler<P, S>) -> Result<(), Error>
where
    P: RecordPipeline + Send + 'static,
    S: Sink<P> + Send + 'static,
{
    if let Some(missing) = VARIABLES.iter().find(|name| std::env::var_os(name).is_none()) {
        let message = format!(
            "{missing} is not set: this is to be started by AWS Lambda, or by something that stands in for it"
        );
        return Err(Error::new(ErrorKind::Unsupported, message));
    }
    let failed = |error| Error::new(ErrorKind::Io, "cannot start the runtime").with_source(error);
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    runtime.block_on(serve(handler))
}

async fn serve<P, S>(mut handler: Handler<P, S>) -> Result<(), Error>
where
    P: RecordPipeline + Send + 'static,
    S: Sink<P> + Send + 'static,
{
    let body = Body::default();
    let taken = body.clone();
    let service = service_fn(move |_: LambdaEvent<()>| ready(answer(&mut handler, &taken.take())));
    let served = Runtime::new(service).layer(body).run().await;
    served.map_err(|error| {
        Error::new(ErrorKind::Io, format!("Lambda's runtime interface has failed: {error}"))
    })
}

fn answer<P: RecordPipeline, S: Sink<P>>(
    handler: &mut Handler<P, S>,
    event: &[u8],
) -> Result<Reply, Diagnostic> {
    let result = handler.handle_bytes(event, now());
    // Where standard error is closed there is nobody to tell.
    let tell = |text: String| drop(writeln!(io::stderr(), "{text}"));
    if let (Ok(reply), Some(error)) = (&result, &handler.invocation().refused) {
        let from = reply.failure().map(ToString::to_string).unwrap_or_default();
        tell(format!("refused: {error}; to be delivered again from {from} on"));
    }
    result.map_err(|error| {
        tell(format!("error: {error}"));
        Diagnostic {
            error_type: format!("streamgauge::{:?}", error.kind()),
            error_message: error.to_string(),
        }
    })
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// Takes the body of each invocation out of the library's hands, which would parse all of it as
/// JSON before the handler does, and leaves `null` in its place.
#[derive(Clone, Default)]
struct Body(Arc<Mutex<Bytes>>);

impl Body {
    fn put(&self, body: Bytes) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = body;
    }

    fn take(&self) -> Bytes {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<S> Layer<S> for Body {
    type Service = TakingBody<S>;

    fn layer(&self, inner: S) -> TakingBody<S> {
        TakingBody { body: self.clone(), inner }
    }
}

struct TakingBody<S> {
    body: Body,
    inner: S,
}

impl<S: Service<LambdaInvocation>> Service<LambdaInvocation> for TakingBody<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut invocation: LambdaInvocation) -> S::Future {
        self.body.put(std::mem::replace(&mut invocation.body, Bytes::from_static(b"null")));
        self.inner.call(invocation)
    }
}
