//! What the driver knows of its connections: where to put what they are to send.

use crate::net::feed::{Outgoing, Progress};
use crate::swarm::ConnId;
use crate::units::BlockRef;
use crate::wire::{self, Handshake, Message};
use bytes::BytesMut;
use std::collections::HashMap;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// The connections of a swarm. What they are to send is gathered while the machine's outputs are performed and goes
/// to each connection's task in one piece.
#[derive(Default)]
pub(super) struct Conns {
    slots: HashMap<ConnId, Slot>,
    /// Those with something staged; may name connections that are gone.
    dirty: Vec<ConnId>,
}

struct Slot {
    orders: mpsc::UnboundedSender<Vec<Outgoing>>,
    close: CancellationToken,
    handed: Progress,
    gone: Progress,
    staged: Vec<Outgoing>,
    /// Messages since the last staged block.
    small: BytesMut,
}

impl Conns {
    pub(super) fn open(
        &mut self,
        conn: ConnId,
        orders: mpsc::UnboundedSender<Vec<Outgoing>>,
        close: CancellationToken,
    ) {
        let (handed, gone) = (Progress::default(), Progress::default());
        self.slots
            .insert(conn, Slot { orders, close, handed, gone, staged: Vec::new(), small: BytesMut::new() });
    }

    pub(super) fn is_open(&self, conn: ConnId) -> bool {
        self.slots.contains_key(&conn)
    }

    /// The connection ends after what can be sent at once. False if it is gone already.
    pub(super) fn close(&mut self, conn: ConnId) -> bool {
        let Some(mut slot) = self.slots.remove(&conn) else { return false };
        slot.flush();
        slot.close.cancel();
        true
    }

    pub(super) fn close_all(&mut self) {
        self.dirty.clear();
        for (_, mut slot) in self.slots.drain() {
            slot.flush();
            slot.close.cancel();
        }
    }

    pub(super) fn stage_handshake(&mut self, conn: ConnId, handshake: &Handshake) {
        self.stage(conn, |slot| slot.small.extend_from_slice(&handshake.encode()));
    }

    pub(super) fn stage_message(&mut self, conn: ConnId, message: &Message) {
        self.stage(conn, |slot| wire::encode(message, &mut slot.small));
    }

    pub(super) fn stage_block(&mut self, conn: ConnId, block: BlockRef) {
        self.stage(conn, |slot| {
            slot.end_small();
            let block = Outgoing::Block(block);
            slot.handed.all += block.wire_len();
            slot.staged.push(block);
        });
    }

    fn stage(&mut self, conn: ConnId, what: impl FnOnce(&mut Slot)) {
        let Some(slot) = self.slots.get_mut(&conn) else { return };
        if slot.staged.is_empty() && slot.small.is_empty() {
            self.dirty.push(conn);
        }
        what(slot);
    }

    /// Whether a peer does not take even messages any more: more than `max_small` bytes of them wait for it.
    pub(super) fn is_stuck(&self, conn: ConnId, max_small: usize) -> bool {
        self.slots.get(&conn).is_some_and(|slot| slot.waiting_small() > max_small as u64)
    }

    /// Hands over what was staged. Returns connections whose peers do not take even messages any more: they hold
    /// more than `max_small` bytes of them.
    pub(super) fn flush(&mut self, max_small: usize) -> Vec<ConnId> {
        let mut stuck = Vec::new();
        for conn in self.dirty.drain(..) {
            let Some(slot) = self.slots.get_mut(&conn) else { continue };
            slot.flush();
            if slot.waiting_small() > max_small as u64 {
                stuck.push(conn);
            }
        }
        stuck
    }

    /// Bytes that are not in the kernel yet, after `gone` have left.
    pub(super) fn progress(&mut self, conn: ConnId, gone: Progress) -> Option<usize> {
        let slot = self.slots.get_mut(&conn)?;
        slot.gone = gone;
        usize::try_from(slot.handed.all.saturating_sub(gone.all)).ok()
    }
}

impl Slot {
    /// Bytes of messages, blocks not counted, that are not in the kernel yet.
    fn waiting_small(&self) -> u64 {
        (self.handed.small + self.small.len() as u64).saturating_sub(self.gone.small)
    }

    fn end_small(&mut self) {
        if !self.small.is_empty() {
            let bytes = self.small.split().freeze();
            self.handed.all += bytes.len() as u64;
            self.handed.small += bytes.len() as u64;
            self.staged.push(Outgoing::Bytes(bytes));
        }
    }

    fn flush(&mut self) {
        self.end_small();
        if !self.staged.is_empty() {
            // A connection that has just ended says so itself.
            let _ = self.orders.send(std::mem::take(&mut self.staged));
        }
    }
}
