//! Unstarted pieces by availability: insert, remove and move in constant time, least available first.

/// Availabilities at or above this share a bucket: nobody cares whether 255 or 300 players have a piece.
const TOP: usize = 255;
const NOWHERE: u32 = u32::MAX;

/// Pieces in buckets. A piece is in at most one.
pub(super) struct Buckets {
    buckets: Vec<Vec<u32>>,
    /// For each piece: its bucket and its position there.
    spots: Vec<(u32, u32)>,
}

impl Buckets {
    pub(super) fn new(pieces: u32) -> Buckets {
        Buckets { buckets: Vec::new(), spots: vec![(NOWHERE, 0); pieces as usize] }
    }

    pub(super) fn contains(&self, piece: u32) -> bool {
        self.spots.get(piece as usize).is_some_and(|spot| spot.0 != NOWHERE)
    }

    pub(super) fn insert(&mut self, piece: u32, avail: u16) {
        if self.contains(piece) {
            return self.moved(piece, avail);
        }
        let bucket = usize::from(avail).min(TOP);
        if self.buckets.len() <= bucket {
            self.buckets.resize_with(bucket + 1, Vec::new);
        }
        let Some(spot) = self.spots.get_mut(piece as usize) else { return };
        *spot = (bucket as u32, self.buckets[bucket].len() as u32);
        self.buckets[bucket].push(piece);
    }

    pub(super) fn remove(&mut self, piece: u32) {
        if !self.contains(piece) {
            return;
        }
        let (bucket, at) = self.spots[piece as usize];
        let bucket = &mut self.buckets[bucket as usize];
        bucket.swap_remove(at as usize);
        if let Some(&other) = bucket.get(at as usize) {
            self.spots[other as usize].1 = at;
        }
        self.spots[piece as usize].0 = NOWHERE;
    }

    /// The piece's availability has changed.
    pub(super) fn moved(&mut self, piece: u32, avail: u16) {
        if self.contains(piece) && self.spots[piece as usize].0 as usize != usize::from(avail).min(TOP) {
            self.remove(piece);
            self.insert(piece, avail);
        }
    }

    pub(super) fn len_of(&self, bucket: usize) -> usize {
        self.buckets.get(bucket).map_or(0, Vec::len)
    }

    /// The pieces of one bucket, once around from `start`.
    pub(super) fn iter_of(&self, bucket: usize, start: usize) -> impl Iterator<Item = u32> + '_ {
        let pieces = self.buckets.get(bucket).map_or(&[][..], Vec::as_slice);
        let start = start.min(pieces.len());
        pieces[start..].iter().chain(&pieces[..start]).copied()
    }

    /// All pieces, least available first, each bucket once around from where `start(len)` says.
    pub(super) fn iter_from<'a>(
        &'a self,
        mut start: impl FnMut(usize) -> usize + 'a,
    ) -> impl Iterator<Item = u32> + 'a {
        (0..self.buckets.len()).filter(|&b| self.len_of(b) > 0).flat_map(move |bucket| {
            let start = start(self.len_of(bucket));
            self.iter_of(bucket, start)
        })
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.buckets.iter().flatten().copied()
    }
}
