//! One connection: a task that owns the socket, with a reading half and a writing half that never wait for each
//! other. What the messages mean is the swarm's business.

mod read;
mod write;

use super::bufs::RecvBufs;
use super::feed::{Feed, Lease, Outgoing};
use super::files::Files;
use super::{Limiter, NodeLimits};
use crate::swarm::ConnId;
use read::Reader;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use write::Writer;

/// What the connections of a swarm share with each other and with the driver.
pub(super) struct Link {
    /// Empty until a magnet link's metadata is known.
    pub(super) files: OnceLock<Files>,
    pub(super) feed: mpsc::Sender<Feed>,
    /// False while too much waits for the disk or for the owner: sockets are not read.
    pub(super) reading: watch::Receiver<bool>,
    pub(super) shared: Arc<Common>,
}

/// What the connections of a node share.
#[derive(Debug)]
pub(super) struct Common {
    pub(super) limits: NodeLimits,
    pub(super) upload: Arc<Limiter>,
    pub(super) download: Arc<Limiter>,
    pub(super) recv_bufs: RecvBufs,
}

/// The driver's end of what a connection is given to send, and the end of the connection.
pub(super) struct Orders {
    pub(super) outgoing: mpsc::UnboundedReceiver<Vec<Outgoing>>,
    pub(super) close: CancellationToken,
}

/// Why a connection is over.
#[derive(Debug, thiserror::Error)]
enum End {
    #[error("the peer has left")]
    Left,
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("{0}")]
    Wire(#[from] crate::wire::WireError),
    #[error("no handshake in time")]
    NoHandshake,
    #[error("the peer takes nothing")]
    Stuck,
    #[error("the swarm has stopped")]
    Stopped,
}

/// Connects, then runs the connection.
pub(super) async fn outgoing(
    link: Arc<Link>,
    conn: ConnId,
    addr: SocketAddr,
    connect: impl Future<Output = io::Result<(TcpStream, Lease)>>,
    orders: Orders,
) {
    let connected = tokio::select! {
        () = orders.close.cancelled() => return,
        connected = connect => connected,
    };
    match connected {
        Ok((socket, lease)) => {
            let _ = link.feed.send(Feed::Connected(conn)).await;
            run(link, conn, socket, lease, orders, true).await;
        }
        Err(error) => {
            tracing::debug!(%addr, %error, "not connected");
            let _ = link.feed.send(Feed::ConnectFailed(conn)).await;
        }
    }
}

/// Runs a connection until either side has had enough, or the driver closes it.
pub(super) async fn run(
    link: Arc<Link>,
    conn: ConnId,
    socket: TcpStream,
    lease: Lease,
    orders: Orders,
    expects_handshake: bool,
) {
    let Orders { outgoing, close } = orders;
    if let Err(error) = socket.set_nodelay(true) {
        tracing::debug!(%error, "no TCP_NODELAY");
    }
    let mut reader = Reader::new(Arc::clone(&link), conn, expects_handshake);
    let mut writer = Writer::new(Arc::clone(&link), conn, outgoing);
    let end = tokio::select! {
        end = reader.run(&socket) => end,
        end = writer.run(&socket) => end,
        () = close.cancelled() => {
            writer.flush_at_once(&socket);
            return;
        }
    };
    tracing::debug!(?conn, %end, "connection over");
    drop((socket, lease));
    tokio::select! {
        _ = link.feed.send(Feed::Closed(conn)) => {}
        () = close.cancelled() => {}
    }
}
