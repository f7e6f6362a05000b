//! Which packs lead to a release, one after the other.

use super::input::PackInfo;
use crate::pack::TreeId;

/// Most packs applied one after the other.
pub const MAX_HOPS: usize = 8;
/// Most paths looked at more closely.
pub const MAX_PATHS: usize = 8;
/// Most steps of the search: with every release offering packs from every other there are more paths than anyone needs.
const MAX_EXPANSIONS: usize = 20_000;

/// The paths of packs that lead from nothing, or from one of `starts`, to `target`: those with the fewest bytes first,
/// at most [`MAX_PATHS`], each of at most [`MAX_HOPS`] packs. `starts` says what completing that release would cost in
/// bytes (0 when all of it is here). Whatever is fetched to compare routes (indexes, manifests of releases between) is
/// fetched for these.
pub fn paths(packs: &[PackInfo], starts: &[(TreeId, u64)], target: TreeId) -> Vec<Vec<usize>> {
    let mut search = Search { packs, starts, found: Vec::new(), left: MAX_EXPANSIONS };
    search.backwards(target, 0, &mut Vec::new(), &mut vec![target]);
    let mut found = search.found;
    found.sort();
    found.dedup_by(|next, last| next.1 == last.1);
    found.truncate(MAX_PATHS);
    found.into_iter().map(|(_, path)| path).collect()
}

struct Search<'a> {
    packs: &'a [PackInfo],
    starts: &'a [(TreeId, u64)],
    found: Vec<(u64, Vec<usize>)>,
    left: usize,
}

impl Search<'_> {
    /// `after` are the packs that follow, last one first; `seen` the releases on the way.
    fn backwards(&mut self, to: TreeId, bytes: u64, after: &mut Vec<usize>, seen: &mut Vec<TreeId>) {
        // The best known path of enough others is a bound.
        let mut fitting: Vec<(u64, usize)> = Vec::new();
        for (at, pack) in self.packs.iter().enumerate().filter(|(_, pack)| pack.target == to) {
            fitting.push((bytes.saturating_add(pack.id.len).saturating_add(pack.index_len), at));
        }
        fitting.sort_unstable();
        for (bytes, at) in fitting {
            let Some(left) = self.left.checked_sub(1) else { return };
            self.left = left;
            if self.is_hopeless(bytes) {
                return;
            }
            after.push(at);
            match self.packs.get(at).and_then(|pack| pack.base) {
                None => self.keep(bytes, after),
                Some(base) => {
                    if let Some((_, missing)) = self.starts.iter().find(|(tree, _)| *tree == base) {
                        self.keep(bytes.saturating_add(*missing), after);
                    }
                    if after.len() < MAX_HOPS && !seen.contains(&base) {
                        seen.push(base);
                        self.backwards(base, bytes, after, seen);
                        seen.pop();
                    }
                }
            }
            after.pop();
        }
    }

    fn keep(&mut self, bytes: u64, after: &[usize]) {
        self.found.push((bytes, after.iter().rev().copied().collect()));
        if self.found.len() > 8 * MAX_PATHS {
            self.found.sort();
            self.found.truncate(MAX_PATHS);
        }
    }

    fn is_hopeless(&self, bytes: u64) -> bool {
        self.found.iter().filter(|(known, _)| *known <= bytes).count() >= MAX_PATHS
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::release::FileIdentity;

    fn tree(name: u8) -> TreeId {
        TreeId([name; 32])
    }

    /// `a>b 5`: a pack of five bytes from a to b; `>b` a full one.
    fn packs(text: &str) -> Vec<PackInfo> {
        let one = |line: &str| {
            let (edge, len) = line.split_once(' ').unwrap();
            let (base, target) = edge.split_once('>').unwrap();
            PackInfo {
                id: FileIdentity { len: len.parse().unwrap(), root: [1; 32] },
                base: base.bytes().next().map(tree),
                target: tree(target.as_bytes()[0]),
                index_len: 0,
            }
        };
        text.split(", ").map(one).collect()
    }

    #[test]
    fn the_shortest_come_first_whatever_their_hops() {
        let packs = packs("a>b 1, b>c 1, c>d 1, a>d 9, b>d 3, >d 20, >c 2, d>a 1");
        let found = paths(&packs, &[(tree(b'a'), 0)], tree(b'd'));
        assert_eq!(found, [vec![0, 1, 2], vec![6, 2], vec![0, 4], vec![3], vec![5]]);
        // A start that is half missing.
        let found = paths(&packs, &[(tree(b'a'), 100), (tree(b'b'), 2)], tree(b'd'));
        assert_eq!(found, [vec![6, 2], vec![1, 2], vec![4], vec![5], vec![0, 1, 2], vec![0, 4], vec![3]]);
        assert_eq!(paths(&packs, &[], tree(b'x')), Vec::<Vec<usize>>::new());
    }

    #[test]
    fn a_thousand_packs_that_go_in_circles_end_the_search() {
        let mut all = Vec::new();
        for from in 0..40u8 {
            for to in (0..40u8).filter(|to| *to != from) {
                let id = FileIdentity { len: 1 + u64::from(from ^ to), root: [1; 32] };
                all.push(PackInfo { id, base: Some(tree(from)), target: tree(to), index_len: 1 });
            }
        }
        let found = paths(&all, &[(tree(0), 0)], tree(39));
        assert_eq!(found.len(), MAX_PATHS);
        assert!(found.iter().all(|path| path.len() <= MAX_HOPS));
    }
}
