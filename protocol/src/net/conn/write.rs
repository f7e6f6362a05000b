//! The writing half: blocks are read in batches (on the pool, unless they are in memory already) and leave together
//! with everything else in one vectored write.

use super::{End, Link};
use crate::net::feed::{Feed, Outgoing, Progress};
use crate::swarm::{ConnId, IoFault};
use crate::units::BlockRef;
use crate::wire;
use bytes::{Buf, Bytes};
use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio::sync::mpsc;

/// Slices for one write.
const MAX_SLICES: usize = 128;
/// What may go out, blocks not counted, before the driver is told, in bytes.
const REPORT_SMALL: u64 = 64 * 1024;

pub(super) struct Writer {
    link: Arc<Link>,
    conn: ConnId,
    orders: mpsc::UnboundedReceiver<Vec<Outgoing>>,
    /// Not looked at yet.
    queue: VecDeque<Outgoing>,
    /// Ready to be written.
    chunks: VecDeque<Chunk>,
    gone: Progress,
    reported: Progress,
}

enum Chunk {
    /// Of a `piece` message.
    Header(io::Cursor<[u8; 13]>),
    /// Of a block.
    Data(Bytes),
    /// Other messages.
    Small(Bytes),
}

impl Chunk {
    fn bytes(&mut self) -> &mut dyn Buf {
        match self {
            Chunk::Header(header) => header,
            Chunk::Data(bytes) | Chunk::Small(bytes) => bytes,
        }
    }

    fn slice(&self) -> IoSlice<'_> {
        IoSlice::new(match self {
            Chunk::Header(header) => header.chunk(),
            Chunk::Data(bytes) | Chunk::Small(bytes) => bytes,
        })
    }
}

impl Writer {
    pub(super) fn new(
        link: Arc<Link>,
        conn: ConnId,
        orders: mpsc::UnboundedReceiver<Vec<Outgoing>>,
    ) -> Writer {
        let (gone, reported) = (Progress::default(), Progress::default());
        Writer { link, conn, orders, queue: VecDeque::new(), chunks: VecDeque::new(), gone, reported }
    }

    /// Writes until something is wrong.
    pub(super) async fn run(&mut self, socket: &TcpStream) -> End {
        loop {
            if let Err(end) = self.turn(socket).await {
                return end;
            }
        }
    }

    async fn turn(&mut self, socket: &TcpStream) -> Result<(), End> {
        if self.queue.is_empty() {
            self.queue.extend(self.orders.recv().await.ok_or(End::Stopped)?);
        }
        self.take_orders();
        self.prepare().await?;
        self.write(socket).await?;
        let since = self.gone.all - self.reported.all;
        if since > self.gone.small - self.reported.small || since > REPORT_SMALL {
            self.report().await?;
        }
        Ok(())
    }

    fn take_orders(&mut self) {
        while let Ok(more) = self.orders.try_recv() {
            self.queue.extend(more);
        }
    }

    /// Makes chunks of about one turn's bytes.
    async fn prepare(&mut self) -> Result<(), End> {
        let quantum = self.link.shared.upload.quantum() as u64;
        let (mut batch, mut bytes, mut blocks) = (Vec::new(), 0, Vec::new());
        while bytes < quantum {
            let Some(next) = self.queue.pop_front() else { break };
            bytes += next.wire_len();
            if let Outgoing::Block(block) = next {
                blocks.push(block);
            }
            batch.push(next);
        }
        let payload: usize = blocks.iter().map(|block| block.len as usize).sum();
        if payload > 0 {
            self.link.shared.upload.acquire(payload).await;
        }
        let mut read = self.read(blocks).await.into_iter();
        for item in batch {
            match item {
                Outgoing::Bytes(bytes) => self.chunks.push_back(Chunk::Small(bytes)),
                Outgoing::Block(block) => match read.next() {
                    Some(Ok(parts)) => self.push_block(block, parts),
                    Some(Err(fault)) => self.unreadable(block, fault).await?,
                    None => self.unreadable(block, IoFault("nothing was read".to_owned())).await?,
                },
            }
        }
        Ok(())
    }

    fn push_block(&mut self, block: BlockRef, parts: Vec<Bytes>) {
        let header = wire::piece_header(block.piece, block.offset, block.len);
        self.chunks.push_back(Chunk::Header(io::Cursor::new(header)));
        self.chunks.extend(parts.into_iter().map(Chunk::Data));
    }

    async fn unreadable(&mut self, block: BlockRef, fault: IoFault) -> Result<(), End> {
        self.gone.all += Outgoing::Block(block).wire_len();
        self.link.feed.send(Feed::ReadFailed(self.conn, block, fault)).await.map_err(|_| End::Stopped)
    }

    /// One result for each block.
    async fn read(&self, blocks: Vec<BlockRef>) -> Vec<Result<Vec<Bytes>, IoFault>> {
        let Some(files) = self.link.files.get().filter(|_| !blocks.is_empty()) else { return Vec::new() };
        if let Some(ready) = blocks.iter().map(|&block| files.block_at_once(block).map(Ok)).collect() {
            return ready;
        }
        let files = files.clone();
        let read = tokio::task::spawn_blocking(move || files.read_for_peers(&blocks));
        read.await.unwrap_or_else(|error| vec![Err(IoFault(error.to_string()))])
    }

    async fn write(&mut self, socket: &TcpStream) -> Result<(), End> {
        while !self.chunks.is_empty() {
            if !self.write_some(socket)? {
                // The machine may want to hand over more while we wait.
                if self.gone.all - self.reported.all > REPORT_SMALL {
                    self.report().await?;
                }
                let limit = self.link.shared.limits.send_timeout;
                tokio::time::timeout(limit, socket.writable()).await.map_err(|_| End::Stuck)??;
            }
        }
        Ok(())
    }

    /// False when the socket takes nothing now.
    fn write_some(&mut self, socket: &TcpStream) -> Result<bool, End> {
        let slices: Vec<IoSlice<'_>> = self.chunks.iter().take(MAX_SLICES).map(Chunk::slice).collect();
        match socket.try_write_vectored(&slices) {
            Ok(0) => Err(End::Left),
            Ok(written) => {
                self.advance(written);
                Ok(true)
            }
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(e) => Err(e.into()),
        }
    }

    fn advance(&mut self, mut written: usize) {
        self.gone.all += written as u64;
        while let Some(chunk) = self.chunks.front_mut() {
            let small = matches!(chunk, Chunk::Small(_));
            let bytes = chunk.bytes();
            let some = written.min(bytes.remaining());
            bytes.advance(some);
            written -= some;
            self.gone.small += if small { some as u64 } else { 0 };
            if bytes.has_remaining() {
                break;
            }
            self.chunks.pop_front();
        }
    }

    async fn report(&mut self) -> Result<(), End> {
        self.reported = self.gone;
        self.link.feed.send(Feed::Sent(self.conn, self.gone)).await.map_err(|_| End::Stopped)
    }

    /// The connection is being closed: sends what needs no reading and no waiting.
    pub(super) fn flush_at_once(&mut self, socket: &TcpStream) {
        self.take_orders();
        while let Some(Outgoing::Bytes(bytes)) = self.queue.pop_front() {
            self.chunks.push_back(Chunk::Small(bytes));
        }
        while !self.chunks.is_empty() && matches!(self.write_some(socket), Ok(true)) {}
    }
}
