//! The server: one thread, a bounded number of connections, requests without bodies.

use super::limits::{
    CONNECTIONS_MAX, HEAD_BYTES_MAX, HEAD_TIME_MAX, HEADERS_MAX, REPLY_TIME_MAX, WAITING_TIME_MAX,
};
use super::replies::Replies;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::{sleep, timeout};

/// The pause after a connection that could not be accepted, as when there are too many files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves until the sender is dropped.
pub(super) fn serve(
    listener: std::net::TcpListener,
    replies: Replies,
    end: oneshot::Receiver<()>,
) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::from_std(listener)?;
        tokio::select! {
            () = accept(listener, Arc::new(replies)) => {}
            _ = end => {}
        }
        Ok(())
    })
}

async fn accept(listener: TcpListener, replies: Arc<Replies>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            sleep(ACCEPT_PAUSE).await;
            continue;
        };
        // Without a place the connection is closed at once.
        if let Ok(place) = places.clone().try_acquire_owned() {
            tokio::spawn(connection(stream, replies.clone(), place));
        }
    }
}

async fn connection(stream: TcpStream, replies: Arc<Replies>, _place: OwnedSemaphorePermit) {
    let is_waiting = Arc::new(AtomicBool::new(false));
    let waits = is_waiting.clone();
    let service = service_fn(move |request| {
        let reply = replies.reply(&request, &waits);
        async move { Ok::<_, Infallible>(reply) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME_MAX)
        .max_headers(HEADERS_MAX)
        .max_buf_size(HEAD_BYTES_MAX)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    let mut served = std::pin::pin!(served);
    // A client that breaks the protocol or goes away ends its own connection, and nothing else.
    if timeout(REPLY_TIME_MAX, &mut served).await.is_err() && is_waiting.load(Ordering::Relaxed) {
        let _ = timeout(WAITING_TIME_MAX, served).await;
    }
}
