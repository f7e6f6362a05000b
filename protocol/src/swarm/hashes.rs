//! Hash requests (BEP 52): answered from what we know, sent for piece layers that a magnet link lacks and for the leaf
//! hashes of a piece that failed.

use std::time::Duration;

use super::Swarm;
use super::content::Active;
use super::io::ConnId;
use crate::merkle::{self, HashRange, MAX_REQUEST_HASHES, Tree};
use crate::rates::TokenBucket;
use crate::session::Phase;
use crate::units::{FileIndex, PieceIndex, Root, Time};
use crate::wire::Message;

/// Requests under way at one peer.
const MAX_ASKED: usize = 4;
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(8);
/// Nodes of new trees that are hashed a second for answers.
const NODES_PER_SECOND: u64 = 400_000;
/// Trees kept for answering.
const MAX_TREES: usize = 8;

/// What is known of hashes beyond the torrent itself.
pub(super) struct HashBook {
    /// Piece layers that came from peers, as far as they are complete; unknown nodes are `None`.
    layers: std::collections::BTreeMap<Root, Vec<Option<Root>>>,
    /// Leaf hashes of single pieces that had failed.
    leaves: std::collections::BTreeMap<u32, Vec<Option<Root>>>,
    /// Requests that somebody should be asked.
    pub(super) wanted: Vec<HashRange>,
    trees: Vec<(Root, Tree)>,
    /// Nodes that may be hashed for answers: others must not keep us busy by asking for many files in turn.
    budget: TokenBucket,
    layers_planned: bool,
}

impl Default for HashBook {
    fn default() -> HashBook {
        HashBook {
            layers: std::collections::BTreeMap::new(),
            leaves: std::collections::BTreeMap::new(),
            wanted: Vec::new(),
            trees: Vec::new(),
            budget: TokenBucket::new(Some(NODES_PER_SECOND), Time::ZERO),
            layers_planned: false,
        }
    }
}

impl Active {
    /// The node that a piece must hash to, from the torrent or from peers.
    pub(super) fn piece_root(&self, piece: PieceIndex) -> Option<Root> {
        self.torrent.piece_root(piece).or_else(|| {
            let (file, root) = self.file_and_root(piece)?;
            let at = piece.0.checked_sub(self.torrent.layout.pieces_of_file(file).start)?;
            self.hashes.layers.get(&root)?.get(at as usize).copied().flatten()
        })
    }

    /// A leaf hash that was asked for because its piece had failed.
    pub(super) fn asked_leaf(&self, piece: u32, block: u32) -> Option<Root> {
        self.hashes.leaves.get(&piece)?.get(block as usize).copied().flatten()
    }

    fn file_and_root(&self, piece: PieceIndex) -> Option<(FileIndex, Root)> {
        let file = self.torrent.layout.file_of_piece(piece)?;
        Some((file, self.torrent.layout.files.get(file.idx())?.root?))
    }

    fn file_of_root(&self, root: Root) -> Option<(FileIndex, u64)> {
        let files = &self.torrent.layout.files;
        let at = files.iter().position(|file| file.root == Some(root))?;
        Some((FileIndex(at as u32), files[at].len))
    }

    /// Plans requests for every piece layer that is missing.
    fn plan_layers(&mut self) {
        if std::mem::replace(&mut self.hashes.layers_planned, true) || !self.is_v2() {
            return;
        }
        let layout = &self.torrent.layout;
        for file in &layout.files {
            let Some(root) = file.root.filter(|_| file.len > u64::from(layout.piece_len)) else { continue };
            if self.torrent.piece_layers.contains_key(&root) || self.hashes.layers.contains_key(&root) {
                continue;
            }
            let pieces = file.len.div_ceil(u64::from(layout.piece_len)) as u32;
            self.hashes.layers.insert(root, vec![None; pieces as usize]);
            let base_layer = merkle::piece_layer_of(layout.piece_len);
            let length = pieces.next_power_of_two().clamp(2, MAX_REQUEST_HASHES);
            let proof_layers = merkle::root_layer(file.len) - base_layer - 1;
            let ranges = (0..pieces).step_by(length as usize);
            let range = |index| HashRange { root, base_layer, index, length, proof_layers };
            self.hashes.wanted.extend(ranges.map(range));
        }
    }

    /// Plans requests for the leaves of one piece, provable up to the piece's root.
    fn plan_leaves(&mut self, piece: u32) {
        let Some((file, root)) = self.file_and_root(PieceIndex(piece)) else { return };
        let layout = &self.torrent.layout;
        let file_len = layout.files.get(file.idx()).map_or(0, |file| file.len);
        let blocks = layout.blocks_in_piece(PieceIndex(piece));
        let piece_layer = merkle::piece_layer_of(layout.piece_len).min(merkle::root_layer(file_len));
        if piece_layer == 0 || self.hashes.leaves.contains_key(&piece) {
            return;
        }
        let first = (piece - layout.pieces_of_file(file).start) * layout.blocks_per_piece();
        let length = (1 << piece_layer).min(MAX_REQUEST_HASHES);
        let proof_layers = piece_layer - 1;
        for index in (first..first + blocks).step_by(length as usize) {
            self.hashes.wanted.push(HashRange { root, base_layer: 0, index, length, proof_layers });
        }
        self.hashes.leaves.insert(piece, vec![None; blocks as usize]);
    }

    /// The answer to a peer's request.
    fn answer(&mut self, now: Time, range: &HashRange) -> Option<Vec<Root>> {
        let kept = self.hashes.trees.iter().find(|(root, tree)| {
            *root == range.root && (range.base_layer == 0) == (tree.node(0, 0).is_some())
        });
        if let Some((_, tree)) = kept {
            return tree.answer(range);
        }
        let (file, file_len) = self.file_of_root(range.root)?;
        let nodes = match self.leaves.get(&file) {
            Some(leaves) => leaves.len(),
            None => self.torrent.piece_layers.get(&range.root)?.len(),
        };
        if !self.hashes.budget.take(now, nodes as u64) {
            return None;
        }
        let tree = match self.leaves.get(&file) {
            Some(leaves) => Tree::new(leaves.to_vec(), 0, file_len),
            None => {
                let base = merkle::piece_layer_of(self.torrent.layout.piece_len);
                Tree::new(self.torrent.piece_layers.get(&range.root)?.clone(), base, file_len)
            }
        }?;
        let answer = tree.answer(range);
        if self.hashes.trees.len() >= MAX_TREES {
            self.hashes.trees.remove(0);
        }
        self.hashes.trees.push((range.root, tree));
        answer
    }

    /// Books hashes that are proven. Returns the pieces that can be judged now, and whether they are leaves.
    fn learn(&mut self, range: &HashRange, hashes: &[Root]) -> Option<(Vec<u32>, bool)> {
        let (file, file_len) = self.file_of_root(range.root)?;
        let proven = merkle::prove(range, hashes, file_len).ok()?;
        let first = self.torrent.layout.pieces_of_file(file).start;
        if range.base_layer > 0 || self.torrent.layout.blocks_per_piece() == 1 {
            proven.check_root(range.root, file_len).ok()?;
            let nodes = self.hashes.layers.get_mut(&range.root)?;
            let mut pieces = Vec::new();
            for (at, hash) in (range.index..).zip(&hashes[..range.length as usize]) {
                if let Some(node) = nodes.get_mut(at as usize) {
                    *node = Some(*hash);
                    pieces.push(first + at);
                }
            }
            return Some((pieces, false));
        }
        let blocks = self.torrent.layout.blocks_per_piece();
        let piece = first + range.index / blocks;
        if self.piece_root(PieceIndex(piece))? != proven.node {
            return None;
        }
        let leaves = self.hashes.leaves.get_mut(&piece)?;
        for (at, hash) in (range.index % blocks..).zip(&hashes[..range.length as usize]) {
            if let Some(leaf) = leaves.get_mut(at as usize) {
                *leaf = Some(*hash);
            }
        }
        leaves.iter().all(Option::is_some).then_some((vec![piece], true))
    }
}

impl Swarm {
    pub(super) fn on_hash_request(&mut self, now: Time, conn: ConnId, range: HashRange) {
        let answer = self.content.as_mut().and_then(|content| content.answer(now, &range));
        let message = answer.map_or(Message::HashReject(range), |hashes| Message::Hashes { range, hashes });
        self.send(now, conn, message);
    }

    pub(super) fn on_hashes(&mut self, now: Time, conn: ConnId, range: HashRange, hashes: &[Root]) {
        if !self.was_asked(conn, range) {
            return;
        }
        let Some(content) = &mut self.content else { return };
        let Some((pieces, leaves)) = content.learn(&range, hashes) else {
            // Either it proves nothing, or half of a piece's leaves are still to come.
            let halves = range.base_layer == 0 && content.torrent.layout.blocks_per_piece() > range.length;
            if !halves {
                content.hashes.wanted.push(range);
                self.violation(now, conn, "hashes: they prove nothing");
            }
            return;
        };
        for piece in pieces {
            let complete =
                |p: &crate::picker::Partial| p.arrived() + p.verified_count() == p.blocks().len() as u32;
            if leaves {
                self.judge_suspects(now, piece);
            } else if self.content.as_ref().and_then(|c| c.picker.partial(piece)).is_some_and(complete) {
                self.judge_piece(now, piece);
            }
        }
        self.ask_hashes(now);
    }

    pub(super) fn on_hash_reject(&mut self, conn: ConnId, range: HashRange) {
        if self.was_asked(conn, range) {
            if let Some(session) = self.conns.get_mut(&conn) {
                session.hash_refusals += 1;
            }
            if let Some(content) = &mut self.content {
                content.hashes.wanted.push(range);
            }
        }
    }

    fn was_asked(&mut self, conn: ConnId, range: HashRange) -> bool {
        let Some(session) = self.conns.get_mut(&conn) else { return false };
        let at = session.hash_requests.iter().position(|(asked, _)| *asked == range);
        at.map(|at| session.hash_requests.swap_remove(at)).is_some()
    }

    pub(super) fn ask_leaves_of(&mut self, now: Time, piece: u32) {
        if let Some(content) = self.content.as_mut().filter(|content| content.is_v2()) {
            content.plan_leaves(piece);
            self.ask_hashes(now);
        }
    }

    /// Sends what is wanted to peers that may know it. Called about once a second.
    pub(super) fn ask_hashes(&mut self, now: Time) {
        let Some(content) = &mut self.content else { return };
        content.plan_layers();
        for session in self.conns.values_mut() {
            let wanted = &mut content.hashes.wanted;
            session.hash_requests.retain(|(range, at)| {
                let late = now.since(*at) > PATIENCE;
                if late {
                    wanted.push(*range);
                    session.hash_refusals += 1;
                }
                !late
            });
        }
        if content.hashes.wanted.is_empty() {
            return;
        }
        let mut able: Vec<ConnId> = self
            .conns
            .iter()
            .filter(|(_, s)| s.phase == Phase::Open && s.v2 && s.hash_refusals < 3)
            .map(|(&conn, _)| conn)
            .collect();
        while !able.is_empty() {
            let at = crate::picker::random_below(&mut self.rng, able.len());
            let conn = able[at];
            let busy = self.conns.get(&conn).is_none_or(|s| s.hash_requests.len() >= MAX_ASKED);
            if busy {
                able.swap_remove(at);
                continue;
            }
            let Some(range) = self.content.as_mut().and_then(|c| c.hashes.wanted.pop()) else { return };
            if let Some(session) = self.conns.get_mut(&conn) {
                session.hash_requests.push((range, now));
            }
            self.send(now, conn, Message::HashRequest(range));
        }
    }
}
