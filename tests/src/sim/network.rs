//! Lines and connections. A line sends one frame at a time, its connections in turns; so a block waits behind what was
//! handed over before it, as in a real socket.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;
use std::time::Duration;

use bytes::Bytes;
use protocol::swarm::{ConnId, JobId};
use protocol::units::Time;
use protocol::wire::{Handshake, Message};

/// What shares a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Flow {
    Conn(ConnId),
    Web(usize, JobId),
}

/// What is sent.
#[derive(Debug)]
pub(super) enum Payload {
    Handshake(Handshake),
    Message(Message),
    Web { data: Bytes, last: bool },
}

#[derive(Debug)]
pub(super) struct Frame {
    pub to: usize,
    /// The receiver's name for the connection or fetch.
    pub flow: Flow,
    pub size: u64,
    pub payload: Payload,
}

/// One node's line.
pub(super) struct Line {
    pub up: u64,
    pub down: u64,
    queues: BTreeMap<Flow, VecDeque<Frame>>,
    last: Option<Flow>,
    leaving: Option<(Flow, Vec<Frame>)>,
    down_free_at: Time,
    /// Bytes sent, frames of blocks and web data only.
    pub sent_blocks: u64,
    pub sent_web: u64,
}

impl Line {
    pub(super) fn new(up: u64, down: u64) -> Line {
        Line {
            up,
            down,
            queues: BTreeMap::new(),
            last: None,
            leaving: None,
            down_free_at: Time::ZERO,
            sent_blocks: 0,
            sent_web: 0,
        }
    }

    pub(super) fn push(&mut self, flow: Flow, frame: Frame) {
        self.queues.entry(flow).or_default().push_back(frame);
    }

    /// Bytes of a flow that have not left.
    pub(super) fn queued(&self, flow: Flow) -> usize {
        let waiting: u64 = self.queues.get(&flow).map_or(0, |queue| queue.iter().map(|f| f.size).sum());
        let leaving =
            self.leaving.as_ref().filter(|(f, _)| *f == flow).map_or(0, |(_, frames)| total(frames));
        usize::try_from(waiting + leaving).unwrap_or(usize::MAX)
    }

    pub(super) fn drop_flow(&mut self, flow: Flow) {
        self.queues.remove(&flow);
    }

    pub(super) fn clear(&mut self) {
        self.queues.clear();
    }

    /// Begins to send the next frame if the line is idle: how long it takes.
    pub(super) fn begin(&mut self) -> Option<Duration> {
        if self.leaving.is_some() {
            return None;
        }
        let after = self.last.map_or(Bound::Unbounded, Bound::Excluded);
        let next = self.queues.range((after, Bound::Unbounded)).next().or_else(|| self.queues.iter().next());
        let flow = *next?.0;
        let queue = self.queues.get_mut(&flow)?;
        // Small messages share a packet.
        let mut frames = Vec::new();
        while total(&frames) < PACKET {
            let Some(frame) = queue.pop_front() else { break };
            frames.push(frame);
        }
        if queue.is_empty() {
            self.queues.remove(&flow);
        }
        let takes = time_for(total(&frames), self.up);
        self.last = Some(flow);
        self.leaving = Some((flow, frames));
        Some(takes)
    }

    /// What was begun has left.
    pub(super) fn left(&mut self) -> Option<(Flow, Vec<Frame>)> {
        let (flow, frames) = self.leaving.take()?;
        for frame in &frames {
            match &frame.payload {
                Payload::Message(Message::Piece { data, .. }) => self.sent_blocks += data.len() as u64,
                Payload::Web { data, .. } => self.sent_web += data.len() as u64,
                _ => {}
            }
        }
        Some((flow, frames))
    }

    /// A frame arrives: when it is through.
    pub(super) fn receive(&mut self, now: Time, size: u64) -> Time {
        self.down_free_at = self.down_free_at.max(now) + time_for(size, self.down);
        self.down_free_at
    }
}

/// Bytes that leave together.
const PACKET: u64 = 1400;

fn total(frames: &[Frame]) -> u64 {
    frames.iter().map(|frame| frame.size).sum()
}

fn time_for(size: u64, rate: u64) -> Duration {
    Duration::from_micros((size * 1_000_000).div_ceil(rate.max(1)))
}

/// Bytes on the wire.
pub(super) fn size_of(message: &Message) -> u64 {
    match message {
        Message::Piece { data, .. } => data.len() as u64 + 13,
        Message::Bitfield(bits) => bits.len() as u64 + 5,
        Message::Extended { payload, .. } => payload.len() as u64 + 6,
        Message::Hashes { hashes, .. } => hashes.len() as u64 * 32 + 53,
        Message::Request(_) | Message::Cancel(_) | Message::RejectRequest(_) => 17,
        _ => 9,
    }
}
