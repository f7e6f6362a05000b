//! Connections: how many, how slow they may be, and how they end.
//!
//! `axum::serve` has no time-out for a header that never ends, so connections are driven by hyper's own builder. A
//! client that stops reading is cut off by [`TimedIo`]: hyper has no time-out for writes.

use axum::Router;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::collections::HashMap;
use std::future::Future as _;
use std::io::{self, IoSlice};
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};
use tokio_util::sync::CancellationToken;

/// The longest request line and headers, in bytes.
const MAX_HEAD_LEN: usize = 16 * 1024;
const MAX_HEADERS: usize = 64;

/// What a client may take of the server.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Open connections in all; more are closed at once.
    pub max_connections: usize,
    /// Open connections from one address (one /64 in IPv6).
    pub max_connections_per_address: usize,
    /// For a request's header to arrive whole, and for an idle connection to ask again.
    pub header_timeout: Duration,
    /// Without a byte going out while some are waiting to.
    pub write_timeout: Duration,
    /// For open connections to finish once the server is told to stop.
    pub drain_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            max_connections: 4096,
            max_connections_per_address: 256,
            header_timeout: Duration::from_secs(15),
            write_timeout: Duration::from_secs(30),
            drain_timeout: Duration::from_secs(20),
        }
    }
}

/// Counts open connections by address.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gate {
    open: Arc<Mutex<Open>>,
}

#[derive(Debug, Default)]
struct Open {
    total: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// One counted connection.
#[derive(Debug)]
pub(crate) struct Admission {
    gate: Gate,
    key: IpAddr,
}

impl Gate {
    /// Lets a connection in, or not.
    pub(crate) fn admit(&self, address: IpAddr, limits: &Limits) -> Option<Admission> {
        let key = network(address);
        let mut open = self.lock();
        if open.total >= limits.max_connections {
            return None;
        }
        let own = open.by_address.entry(key).or_default();
        if *own >= limits.max_connections_per_address {
            return None;
        }
        *own += 1;
        open.total += 1;
        Some(Admission { gate: self.clone(), key })
    }

    /// How many are open.
    pub(crate) fn total(&self) -> usize {
        self.lock().total
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        let mut open = self.gate.lock();
        open.total = open.total.saturating_sub(1);
        if let Some(own) = open.by_address.get_mut(&self.key) {
            *own = own.saturating_sub(1);
            if *own == 0 {
                open.by_address.remove(&self.key);
            }
        }
    }
}

/// Who counts as one: an IPv4 address, or an IPv6 /64, which one household has for itself.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) & (u128::MAX << 64)).into()),
        v4 => v4,
    }
}

/// Where a request came from and where it arrived; every request carries it as an extension.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ends {
    /// The client.
    pub(crate) remote: SocketAddr,
    /// The address of ours that it reached us by.
    pub(crate) local: SocketAddr,
}

/// Answers one connection's requests until it ends, is too slow, or `stop` says to finish.
pub(crate) async fn drive(
    stream: TcpStream,
    ends: Ends,
    router: Router,
    limits: Limits,
    stop: CancellationToken,
) {
    let inner = TowerToHyperService::new(router);
    let service = hyper::service::service_fn(move |mut request: hyper::Request<hyper::body::Incoming>| {
        request.extensions_mut().insert(ends);
        hyper::service::Service::call(&inner, request)
    });
    let io = TokioIo::new(TimedIo { stream, timeout: limits.write_timeout, stalled: None });
    let mut builder = hyper::server::conn::http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_timeout)
        .max_buf_size(MAX_HEAD_LEN)
        .max_headers(MAX_HEADERS);
    let connection = builder.serve_connection(io, service);
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            match tokio::time::timeout(limits.drain_timeout, connection).await {
                Ok(ended) => ended,
                Err(_) => return,
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}

/// A socket whose writes must make progress.
struct TimedIo {
    stream: TcpStream,
    timeout: Duration,
    /// Runs while bytes wait that the client does not take.
    stalled: Option<Pin<Box<Sleep>>>,
}

impl TimedIo {
    fn watch<T>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let timeout = self.timeout;
        let until = || Box::pin(tokio::time::sleep_until(Instant::now() + timeout));
        ready!(self.stalled.get_or_insert_with(until).as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for TimedIo {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for TimedIo {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.watch(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.watch(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gate_counts_in_all_and_by_network() {
        let gate = Gate::default();
        let limits = Limits { max_connections: 3, max_connections_per_address: 2, ..Limits::default() };
        let admit = |text: &str| gate.admit(text.parse().unwrap(), &limits);
        let a = admit("2001:db8::1").unwrap();
        let b = admit("2001:db8::2").unwrap();
        assert!(admit("2001:db8:0:0:ffff::3").is_none(), "the same /64");
        let c = admit("192.0.2.1").unwrap();
        assert!(admit("192.0.2.2").is_none(), "full");
        drop(a);
        let d = admit("::ffff:192.0.2.1").unwrap();
        assert!(admit("192.0.2.1").is_none(), "the same address, written in IPv6");
        assert_eq!(gate.total(), 3);
        drop((b, c, d));
        assert_eq!(gate.total(), 0);
        assert!(gate.lock().by_address.is_empty());
    }
}
