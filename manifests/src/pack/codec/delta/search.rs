//! The longest match anywhere in a text, by its sorted suffixes.

use std::cmp::Ordering;

/// A match longer than this is as good as any: comparing goes no further, so that runs of one byte cost no more than
/// other data.
const MAX_COMPARED: usize = 4096;

/// A text's suffixes in order.
pub(super) struct Suffixes<'a> {
    text: &'a [u8],
    order: Vec<i32>,
}

impl<'a> Suffixes<'a> {
    pub(super) fn of(text: &'a [u8]) -> Self {
        let mut order = vec![0; text.len()];
        if !text.is_empty() {
            divsufsort::sort_in_place(text, &mut order);
        }
        Self { text, order }
    }

    fn suffix(&self, rank: usize) -> (usize, &'a [u8]) {
        let start = self.order.get(rank).and_then(|start| usize::try_from(*start).ok()).unwrap_or(0);
        (start, self.text.get(start..).unwrap_or_default())
    }

    /// Where the longest beginning of `wanted` stands that stands anywhere, and its length, up to [`MAX_COMPARED`].
    pub(super) fn longest(&self, wanted: &[u8]) -> (usize, usize) {
        let wanted = wanted.get(..MAX_COMPARED).unwrap_or(wanted);
        let (mut low, mut high) = (0, self.order.len());
        // Bytes that the suffixes at both ends are known to share with what is wanted: all between them do.
        let (mut low_shared, mut high_shared) = (0, 0);
        let mut best = (0, 0);
        while low < high {
            let middle = low + (high - low) / 2;
            let (start, suffix) = self.suffix(middle);
            let known = low_shared.min(high_shared);
            let shared = known + common(suffix.get(known..), wanted.get(known..));
            if shared > best.1 {
                best = (start, shared);
            }
            match suffix.get(shared).cmp(&wanted.get(shared)) {
                // The whole of what is wanted.
                _ if shared == wanted.len() => break,
                Ordering::Less => (low, low_shared) = (middle + 1, shared),
                Ordering::Equal | Ordering::Greater => (high, high_shared) = (middle, shared),
            }
        }
        best
    }
}

fn common(a: Option<&[u8]>, b: Option<&[u8]>) -> usize {
    let (a, b) = (a.unwrap_or_default(), b.unwrap_or_default());
    let words = a.chunks_exact(8).zip(b.chunks_exact(8)).take_while(|(a, b)| a == b).count() * 8;
    let (a, b) = (a.get(words..).unwrap_or_default(), b.get(words..).unwrap_or_default());
    words + a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_match_is_found() {
        let text = b"abracadabra abracadabrabra";
        let suffixes = Suffixes::of(text);
        for (wanted, len) in
            [(&b"cadabrab"[..], 8), (b"abracadabra!", 11), (b"x", 0), (b"", 0), (b"bra a", 5), (b"rabrab", 5)]
        {
            let (start, found) = suffixes.longest(wanted);
            assert_eq!(found, len, "{}", String::from_utf8_lossy(wanted));
            assert_eq!(text[start..start + len], wanted[..len]);
        }
        assert_eq!(Suffixes::of(b"").longest(b"any"), (0, 0));
        let zeros = [0u8; 100_000];
        assert_eq!(Suffixes::of(&zeros).longest(&zeros[1..]).1, MAX_COMPARED);
    }
}
