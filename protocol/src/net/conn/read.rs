//! The reading half: large reads, many messages for each wake of the driver, no copies of blocks.

use super::super::bufs::RECV_LEN;
use super::{End, Link};
use crate::net::feed::Feed;
use crate::swarm::ConnId;
use crate::wire::{Decoder, HANDSHAKE_LEN, Handshake, Message};
use bytes::{Buf, BytesMut};
use std::io;
use std::sync::Arc;
use tokio::net::TcpStream;

/// Bytes read before the driver and other connections get their turn.
const BURST: usize = 1024 * 1024;
/// Messages likewise: decoded, the shortest take many times their bytes.
const MAX_MESSAGES: usize = 2048;
/// A read is offered at least this much room.
const MIN_ROOM: usize = 64 * 1024;
/// A wake that brought less than this was no block: the connection can do without a buffer of its own.
const QUIET: usize = 4 * 1024;

pub(super) struct Reader {
    link: Arc<Link>,
    conn: ConnId,
    expects_handshake: bool,
    decoder: Decoder,
    buf: BytesMut,
    messages: Vec<Message>,
    /// Decoding stopped at [`MAX_MESSAGES`]: there may be more in the buffer.
    full: bool,
}

impl Reader {
    pub(super) fn new(link: Arc<Link>, conn: ConnId, expects_handshake: bool) -> Reader {
        let decoder = match link.files.get() {
            Some(files) => Decoder::new(files.torrent.layout.piece_count()),
            None => Decoder::without_metadata(),
        };
        Reader {
            link,
            conn,
            expects_handshake,
            decoder,
            buf: BytesMut::new(),
            messages: Vec::new(),
            full: false,
        }
    }

    /// Reads until something is wrong.
    pub(super) async fn run(&mut self, socket: &TcpStream) -> End {
        let end = match self.read(socket).await {
            Ok(never) => match never {},
            Err(end) => end,
        };
        self.link.shared.recv_bufs.give(std::mem::take(&mut self.buf));
        end
    }

    async fn read(&mut self, socket: &TcpStream) -> Result<std::convert::Infallible, End> {
        if self.expects_handshake {
            let limit = self.link.shared.limits.handshake_timeout;
            let handshake = tokio::time::timeout(limit, self.handshake(socket));
            let handshake = handshake.await.map_err(|_| End::NoHandshake)??;
            self.tell(Feed::Handshake(self.conn, handshake)).await?;
            self.decode()?;
            self.deliver().await?;
        }
        let mut reading = self.link.reading.clone();
        loop {
            reading.wait_for(|open| *open).await.map_err(|_| End::Stopped)?;
            if !std::mem::take(&mut self.full) {
                socket.readable().await?;
            }
            let (read, end) = self.burst(socket);
            self.deliver().await?;
            end?;
            if read < QUIET && self.buf.is_empty() {
                self.link.shared.recv_bufs.give(std::mem::take(&mut self.buf));
            }
            self.link.shared.download.acquire(read).await;
        }
    }

    async fn handshake(&mut self, socket: &TcpStream) -> Result<Handshake, End> {
        while self.buf.len() < HANDSHAKE_LEN {
            socket.readable().await?;
            self.fill(socket)?;
        }
        let mut bytes = [0; HANDSHAKE_LEN];
        self.buf.copy_to_slice(&mut bytes);
        Ok(Handshake::decode(&bytes)?)
    }

    /// Reads and decodes while there is something, within bounds. Bytes read, and how it ended: what was decoded
    /// before an error counts.
    fn burst(&mut self, socket: &TcpStream) -> (usize, Result<(), End>) {
        let mut total = 0;
        if let Err(end) = self.decode() {
            return (total, Err(end));
        }
        while total < BURST && !self.full {
            let read = match self.fill(socket) {
                Ok(0) => break,
                Ok(read) => read,
                Err(end) => return (total, Err(end)),
            };
            total += read;
            if let Err(end) = self.decode() {
                return (total, Err(end));
            }
        }
        (total, Ok(()))
    }

    /// One read; 0 bytes if there are none now.
    fn fill(&mut self, socket: &TcpStream) -> Result<usize, End> {
        if self.buf.capacity() - self.buf.len() < MIN_ROOM {
            let mut fresh = self.link.shared.recv_bufs.take();
            fresh.extend_from_slice(&self.buf);
            self.link.shared.recv_bufs.give(std::mem::replace(&mut self.buf, fresh));
        }
        match socket.try_read_buf(&mut self.buf) {
            Ok(0) => Err(End::Left),
            Ok(read) => Ok(read),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => Ok(0),
            Err(e) => Err(e.into()),
        }
    }

    fn decode(&mut self) -> Result<(), End> {
        // The decoder makes room for a message that is not whole by moving it to memory of its own. A message that
        // does not fit here, but fits a fresh buffer of ours, is left for `fill` to move.
        while let Some(&claim) = self.buf.first_chunk() {
            let whole = (u32::from_be_bytes(claim) as usize).saturating_add(claim.len());
            if self.buf.capacity() < whole && whole <= RECV_LEN {
                break;
            }
            if self.messages.len() >= MAX_MESSAGES {
                self.full = true;
                break;
            }
            match self.decoder.decode(&mut self.buf)? {
                Some(message) => self.messages.push(message),
                None => break,
            }
        }
        Ok(())
    }

    async fn deliver(&mut self) -> Result<(), End> {
        if self.messages.is_empty() {
            return Ok(());
        }
        let messages = std::mem::take(&mut self.messages);
        self.tell(Feed::Messages(self.conn, messages)).await
    }

    async fn tell(&self, feed: Feed) -> Result<(), End> {
        self.link.feed.send(feed).await.map_err(|_| End::Stopped)
    }
}
