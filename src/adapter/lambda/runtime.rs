//! The loop that runs a handler as a Lambda function, over AWS's custom runtime interface in the
//! crate `lambda_runtime`.

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

/// Variables that Lambda sets for every function. The library reads them without a check.
const VARIABLES: [&str; 4] = [
    "AWS_LAMBDA_RUNTIME_API",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_VERSION",
];

/// Runs the handler for one invocation after another until Lambda ends the process.
///
/// A failed invocation is reported to Lambda, which delivers its batch again, and to standard
/// error. A record that a strict pipeline refused is reported to standard error.
///
/// # Errors
/// [`ErrorKind::Unsupported`] if the process was not started by Lambda; [`ErrorKind::Io`] if the
/// runtime interface fails.
pub fn run<P, S>(handler: Handler<P, S>) -> Result<(), Error>
where
    P: RecordPipeline + Send + 'static,
    S: Sink<P> + Send + 'static,
{
    if let Some(missing) = VARIABLES.iter().find(|name| std::env::var_os(name).is_none()) {
        let message = format!(
            "{missing} is not set: this must be started by AWS Lambda, or by a stand-in for it"
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
    // If standard error is closed, there is no other place to report to.
    let tell = |text: String| drop(writeln!(io::stderr(), "{text}"));
    if let (Ok(reply), Some(error)) = (&result, &handler.invocation().refused) {
        let from = reply.failure().map(ToString::to_string);
        let offsets = reply.offsets().first();
        let offset = offsets.map(|(partition, offset)| format!("{offset} of {partition}"));
        let from = from.or(offset).unwrap_or_default();
        tell(format!("refused: {error}; Lambda is to deliver again from {from} on"));
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

/// Takes the body of each invocation and gives the library `null` instead. Otherwise the library
/// would parse all of the body as JSON before the handler does.
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
