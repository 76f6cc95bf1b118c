//! A request to a receiver, by HTTP.

use super::limits::REPLY_BYTES_MAX;
use super::options::OtlpOptions;
use super::outcome::Reply;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::handshake;
use hyper::header::{CONTENT_TYPE, HOST, HeaderValue, RETRY_AFTER, USER_AGENT};
use hyper::{Method, Request, Uri};
use hyper_util::rt::TokioIo;
use std::error::Error;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// The name that receivers see.
const AGENT: &str = concat!("streamgauge/", env!("CARGO_PKG_VERSION"));

/// Sends a request and returns the reply, if it comes within this time.
///
/// # Errors
/// A receiver that cannot be reached, breaks the protocol, or takes too long.
pub(super) async fn send(
    options: &OtlpOptions,
    body: Vec<u8>,
    limit: Duration,
) -> Result<Reply, String> {
    match timeout(limit, exchange(options, body)).await {
        Ok(reply) => reply.map_err(|error| root(&*error)),
        Err(_) => Err(format!("no reply within {} ms", limit.as_millis())),
    }
}

async fn exchange(
    options: &OtlpOptions,
    body: Vec<u8>,
) -> Result<Reply, Box<dyn Error + Send + Sync>> {
    let stream = TcpStream::connect(options.address()).await?;
    let (mut sender, connection) = handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let reply = sender.send_request(request(options, body)?).await?;
    let status = reply.status().as_u16();
    let retry_after = reply.headers().get(RETRY_AFTER).and_then(seconds);
    let body = Limited::new(reply.into_body(), REPLY_BYTES_MAX).collect().await;
    connection.abort();
    // What a receiver says beyond its status is a help, and no more.
    let body = body.map(|body| body.to_bytes().to_vec()).unwrap_or_default();
    Ok(Reply { status, retry_after, body })
}

fn request(
    options: &OtlpOptions,
    body: Vec<u8>,
) -> Result<Request<Full<Bytes>>, hyper::http::Error> {
    let path = options.place.path_and_query().map_or("/", |path| path.as_str());
    let host = options.place.authority().map_or("", |authority| authority.as_str());
    // A name with a password belongs to no header.
    let host = host.rsplit('@').next().unwrap_or_default();
    let mut request = Request::builder()
        .method(Method::POST)
        .uri(path.parse::<Uri>()?)
        .header(HOST, host)
        .header(USER_AGENT, AGENT)
        .body(Full::new(Bytes::from(body)))?;
    let headers = request.headers_mut();
    headers.extend(options.headers.iter().map(|(name, value)| (name.clone(), value.clone())));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
    Ok(request)
}

/// Returns a pause in seconds. One that is a date is left to the usual pauses.
fn seconds(value: &HeaderValue) -> Option<Duration> {
    value.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}

/// Returns the message of the error behind an error.
fn root(error: &(dyn Error + 'static)) -> String {
    error.source().map_or_else(|| error.to_string(), root)
}
