//! Symbols to blocks as zlib does it: Huffman trees by its heap, the shortest of the three ways to write a block.

const LITERALS: usize = 256;
const END_OF_BLOCK: usize = 256;
const LENGTH_CODES: usize = 29;
const L_CODES: usize = LITERALS + 1 + LENGTH_CODES;
const D_CODES: usize = 30;
const BL_CODES: usize = 19;
const HEAP: usize = 2 * L_CODES + 1;
const MAX_BITS: usize = 15;
const MAX_BL_BITS: usize = 7;

const LENGTH_EXTRA: [u8; LENGTH_CODES] =
    [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0];
const DISTANCE_EXTRA: [u8; D_CODES] =
    [0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13];
const BL_EXTRA: [u8; BL_CODES] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 3, 7];
const BL_ORDER: [usize; BL_CODES] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
/// Codes for runs of code lengths: the last one again 3 to 6 times, zero 3 to 10 times, zero 11 to 138 times.
const REPEAT: usize = 16;
const ZEROS: usize = 17;
const MANY_ZEROS: usize = 18;

fn get<T: Copy + Default>(list: &[T], at: usize) -> T {
    list.get(at).copied().unwrap_or_default()
}

fn set<T>(list: &mut [T], at: usize, value: T) {
    if let Some(slot) = list.get_mut(at) {
        *slot = value;
    }
}

fn add<T: Copy + Default + std::ops::Add<Output = T>>(list: &mut [T], at: usize, more: T) {
    if let Some(slot) = list.get_mut(at) {
        *slot = *slot + more;
    }
}

/// The code a value falls under, its first value and extra bits: values in runs of 2^extra.
fn coded(extra: &[u8], value: usize) -> (usize, usize, u8) {
    let mut first = 0;
    for (code, bits) in extra.iter().enumerate() {
        if value < first + (1 << bits) {
            return (code, first, *bits);
        }
        first += 1 << bits;
    }
    (0, 0, 0)
}

/// The code of a match's length less three. 255, the longest, has a code of its own.
fn length_code(len: usize) -> (usize, usize, u8) {
    if len == 255 { (LENGTH_CODES - 1, 255, 0) } else { coded(&LENGTH_EXTRA, len) }
}

/// What a kind of tree is like.
struct Shape {
    codes: usize,
    extra: &'static [u8],
    /// The first code that has extra bits.
    extra_from: usize,
    max_bits: usize,
    /// Bits of a code in the static tree, where there is one.
    fixed: fn(usize) -> u64,
}

const LITERAL_TREE: Shape = Shape {
    codes: L_CODES,
    extra: &LENGTH_EXTRA,
    extra_from: LITERALS + 1,
    max_bits: MAX_BITS,
    fixed: |code| match code {
        0..144 => 8,
        144..256 => 9,
        256..280 => 7,
        _ => 8,
    },
};
const DISTANCE_TREE: Shape =
    Shape { codes: D_CODES, extra: &DISTANCE_EXTRA, extra_from: 0, max_bits: MAX_BITS, fixed: |_| 5 };
const LENGTHS_TREE: Shape =
    Shape { codes: BL_CODES, extra: &BL_EXTRA, extra_from: 0, max_bits: MAX_BL_BITS, fixed: |_| 0 };

/// A Huffman tree: bits and code of each symbol, and what a block written with it takes.
#[derive(Default)]
struct Tree {
    bits: Vec<u8>,
    codes: Vec<u16>,
    max_code: usize,
    /// Bits of all symbols with this tree, and with the static one.
    total: u64,
    fixed_total: u64,
}

/// A tree on its way: zlib's `build_tree` and `gen_bitlen`.
struct Growing<'a> {
    shape: &'a Shape,
    freq: Vec<u32>,
    depth: Vec<u8>,
    dad: Vec<u16>,
    heap: Vec<u16>,
    heap_len: usize,
}

impl Growing<'_> {
    fn before(&self, a: u16, b: u16) -> bool {
        let key = |node: u16| (get(&self.freq, node.into()), get(&self.depth, node.into()));
        key(a) <= key(b)
    }

    fn sink(&mut self, mut at: usize) {
        let node = get(&self.heap, at);
        let mut child = at * 2;
        while child <= self.heap_len {
            if child < self.heap_len && self.before(get(&self.heap, child + 1), get(&self.heap, child)) {
                child += 1;
            }
            let lower = get(&self.heap, child);
            if self.before(node, lower) {
                break;
            }
            set(&mut self.heap, at, lower);
            (at, child) = (child, child * 2);
        }
        set(&mut self.heap, at, node);
    }

    fn push(&mut self, node: usize) {
        self.heap_len += 1;
        set(&mut self.heap, self.heap_len, node as u16);
    }

    /// Joins the two rarest until one is left. Tells where in the heap the nodes lie, the root first.
    fn join(&mut self) -> usize {
        for at in (1..=self.heap_len / 2).rev() {
            self.sink(at);
        }
        let (mut node, mut last) = (self.shape.codes, HEAP);
        loop {
            let rarest = get(&self.heap, 1);
            let end = get(&self.heap, self.heap_len);
            set(&mut self.heap, 1, end);
            self.heap_len -= 1;
            self.sink(1);
            let next = get(&self.heap, 1);
            set(&mut self.heap, last - 1, rarest);
            set(&mut self.heap, last - 2, next);
            last -= 2;
            let sum = get(&self.freq, rarest.into()) + get(&self.freq, next.into());
            let depth = get(&self.depth, rarest.into()).max(get(&self.depth, next.into())) + 1;
            set(&mut self.freq, node, sum);
            set(&mut self.depth, node, depth);
            set(&mut self.dad, rarest.into(), node as u16);
            set(&mut self.dad, next.into(), node as u16);
            set(&mut self.heap, 1, node as u16);
            node += 1;
            self.sink(1);
            if self.heap_len < 2 {
                let root = get(&self.heap, 1);
                set(&mut self.heap, last - 1, root);
                return last - 1;
            }
        }
    }

    /// Bits of every node, none above the shape's most: then the deepest leaves move.
    fn measure(&mut self, root: usize, tree: &mut Tree) {
        let most = self.shape.max_bits;
        let mut count = [0usize; MAX_BITS + 1];
        let mut overflow = 0isize;
        let mut bits = vec![0u8; HEAP];
        for at in root + 1..HEAP {
            let node = usize::from(get(&self.heap, at));
            let mut len = usize::from(get(&bits, get(&self.dad, node).into())) + 1;
            if len > most {
                (len, overflow) = (most, overflow + 1);
            }
            set(&mut bits, node, len as u8);
            if node <= tree.max_code {
                add(&mut count, len, 1);
                let extra = node.checked_sub(self.shape.extra_from).map_or(0, |at| get(self.shape.extra, at));
                let freq = u64::from(get(&self.freq, node));
                tree.total += freq * (len as u64 + u64::from(extra));
                tree.fixed_total += freq * ((self.shape.fixed)(node) + u64::from(extra));
            }
        }
        if overflow > 0 {
            self.even_out(&mut count, overflow, &mut bits, tree);
        }
        bits.truncate(self.shape.codes);
        tree.bits = bits;
    }

    fn even_out(&self, count: &mut [usize], mut overflow: isize, bits: &mut [u8], tree: &mut Tree) {
        let most = self.shape.max_bits;
        while overflow > 0 {
            let mut len = most - 1;
            while len > 0 && get(count, len) == 0 {
                len -= 1;
            }
            set(count, len, get(count, len).saturating_sub(1));
            add(count, len + 1, 2);
            set(count, most, get(count, most).saturating_sub(1));
            overflow -= 2;
        }
        let mut at = HEAP;
        for len in (1..=most).rev() {
            let mut left = get(count, len);
            while left > 0 && at > 0 {
                at -= 1;
                let node = usize::from(get(&self.heap, at));
                if node > tree.max_code {
                    continue;
                }
                let was = usize::from(get(bits, node));
                if was != len {
                    let freq = u64::from(get(&self.freq, node));
                    tree.total =
                        tree.total.wrapping_add((len as u64).wrapping_sub(was as u64).wrapping_mul(freq));
                    set(bits, node, len as u8);
                }
                left -= 1;
            }
        }
    }
}

impl Tree {
    /// The tree of these frequencies; at least two codes have bits.
    fn build(shape: &Shape, counts: &[u32]) -> Self {
        let mut freq = counts.to_vec();
        freq.resize(HEAP, 0);
        let mut growing = Growing {
            shape,
            freq,
            depth: vec![0; HEAP],
            dad: vec![0; HEAP],
            heap: vec![0; HEAP + 1],
            heap_len: 0,
        };
        let mut tree = Self::default();
        let mut next = 0;
        for code in 0..shape.codes {
            if get(&growing.freq, code) > 0 {
                growing.push(code);
                (tree.max_code, next) = (code, code + 1);
            }
        }
        // Codes forced to be there are paid for by nobody.
        while growing.heap_len < 2 {
            let code = if next < 3 { next } else { 0 };
            if next < 3 {
                (tree.max_code, next) = (next, next + 1);
            }
            growing.push(code);
            set(&mut growing.freq, code, 1);
            tree.total = tree.total.wrapping_sub(1);
            tree.fixed_total = tree.fixed_total.wrapping_sub((shape.fixed)(code));
        }
        let root = growing.join();
        let (total, fixed_total) = (tree.total, tree.fixed_total);
        (tree.total, tree.fixed_total) = (0, 0);
        growing.measure(root, &mut tree);
        tree.total = tree.total.wrapping_add(total);
        tree.fixed_total = tree.fixed_total.wrapping_add(fixed_total);
        tree.codes = codes(&tree.bits);
        tree
    }

    /// The static trees.
    fn fixed(shape: &Shape, count: usize) -> Self {
        let bits: Vec<u8> = (0..count).map(|code| (shape.fixed)(code) as u8).collect();
        Self { codes: codes(&bits), bits, ..Self::default() }
    }

    /// Its code lengths as symbols: (symbol, what its extra bits say, how many they are).
    fn runs(&self) -> Vec<(usize, usize, u8)> {
        let mut out = Vec::new();
        let (mut last, mut at) = (usize::MAX, 0);
        // After a run that was cut because it may be no longer, fewer make the next one.
        let lens: Vec<usize> =
            self.bits.iter().take(self.max_code + 1).map(|bits| usize::from(*bits)).collect();
        while at < lens.len() {
            let len = get(&lens, at);
            let (most, least) = match (len, len == last) {
                (0, _) => (138, 3),
                (_, true) => (6, 3),
                _ => (7, 4),
            };
            let rest = lens.get(at..).unwrap_or_default();
            let mut count = rest.iter().take(most).take_while(|other| **other == len).count();
            at += count;
            if count < least {
                out.extend(std::iter::repeat_n((len, 0, 0), count));
            } else if len != 0 {
                if len != last {
                    out.push((len, 0, 0));
                    count -= 1;
                }
                out.push((REPEAT, count - 3, 2));
            } else if count <= 10 {
                out.push((ZEROS, count - 3, 3));
            } else {
                out.push((MANY_ZEROS, count - 11, 7));
            }
            last = len;
        }
        out
    }
}

/// The codes of a tree by its lengths, each mirrored (RFC 1951, 3.2.2).
fn codes(bits: &[u8]) -> Vec<u16> {
    let mut count = [0u16; MAX_BITS + 1];
    for len in bits.iter().filter(|len| **len > 0) {
        add(&mut count, usize::from(*len), 1);
    }
    let mut next = [0u16; MAX_BITS + 1];
    let mut code = 0u16;
    for len in 1..=MAX_BITS {
        code = code.wrapping_add(get(&count, len - 1)) << 1;
        set(&mut next, len, code);
    }
    let mut of = |len: u8| {
        let code = get(&next, usize::from(len));
        set(&mut next, usize::from(len), code.wrapping_add(1));
        if len == 0 { 0 } else { code.reverse_bits() >> (16 - u32::from(len)) }
    };
    bits.iter().map(|len| of(*len)).collect()
}

/// Blocks as they are written.
pub(super) struct Blocks<'a> {
    plain: &'a [u8],
    expected: Option<&'a [u8]>,
    out: Vec<u8>,
    held: u64,
    held_bits: u32,
    /// Bytes of the output that were compared.
    checked: usize,
    /// First byte of the block.
    start: usize,
    /// (distance, byte or length less three); no distance for a byte.
    symbols: Vec<(u16, u8)>,
    most: usize,
    literals: Vec<u32>,
    distances: Vec<u32>,
}

impl<'a> Blocks<'a> {
    pub(super) fn new(plain: &'a [u8], memory: u8, expected: Option<&'a [u8]>) -> Self {
        let mut blocks = Self {
            plain,
            expected,
            out: Vec::with_capacity(expected.map_or(plain.len() / 2, <[u8]>::len)),
            held: 0,
            held_bits: 0,
            checked: 0,
            start: 0,
            symbols: Vec::new(),
            most: (1 << (u32::from(memory) + 6)) - 1,
            literals: Vec::new(),
            distances: Vec::new(),
        };
        blocks.begin(0);
        blocks
    }

    fn begin(&mut self, start: usize) {
        self.start = start;
        self.symbols.clear();
        self.literals = vec![0; L_CODES];
        self.distances = vec![0; D_CODES];
        set(&mut self.literals, END_OF_BLOCK, 1);
    }

    /// The byte at a position; whether the block is full.
    pub(super) fn literal(&mut self, at: usize) -> bool {
        let byte = get(self.plain, at);
        self.symbols.push((0, byte));
        add(&mut self.literals, usize::from(byte), 1);
        self.symbols.len() == self.most
    }

    /// A match; whether the block is full.
    pub(super) fn matched(&mut self, len: usize, distance: usize) -> bool {
        let len = len - 3;
        self.symbols.push((distance as u16, len as u8));
        add(&mut self.literals, length_code(len).0 + LITERALS + 1, 1);
        add(&mut self.distances, coded(&DISTANCE_EXTRA, distance - 1).0, 1);
        self.symbols.len() == self.most
    }

    /// Ends the block before `end`, in the shortest way; none when something else is expected. What stands before
    /// `window` can no longer be stored.
    pub(super) fn flush(&mut self, end: usize, window: usize, last: bool) -> Option<()> {
        let (literals, distances) =
            (Tree::build(&LITERAL_TREE, &self.literals), Tree::build(&DISTANCE_TREE, &self.distances));
        let runs = (literals.runs(), distances.runs());
        let mut counts = vec![0u32; BL_CODES];
        for (symbol, _, _) in runs.0.iter().chain(&runs.1) {
            add(&mut counts, *symbol, 1);
        }
        let lengths = Tree::build(&LENGTHS_TREE, &counts);
        let used = |at: &usize| BL_ORDER.get(*at).is_some_and(|code| get(&lengths.bits, *code) != 0);
        let length_codes = (3..BL_CODES).rev().find(used).unwrap_or(2) + 1;
        let own = literals
            .total
            .wrapping_add(distances.total)
            .wrapping_add(lengths.total)
            .wrapping_add(3 * length_codes as u64 + 14);
        let fixed = literals.fixed_total.wrapping_add(distances.fixed_total);
        let (own, fixed) = ((own + 10) >> 3, (fixed + 10) >> 3);
        let stored = (end - self.start) as u64 + 4;
        let final_bit = u64::from(last);
        if stored <= own.min(fixed) && self.start >= window {
            self.bits(final_bit, 3);
            self.align();
            let len = (end - self.start) as u16;
            self.out.extend_from_slice(&len.to_le_bytes());
            self.out.extend_from_slice(&(!len).to_le_bytes());
            self.out.extend_from_slice(self.plain.get(self.start..end).unwrap_or_default());
        } else if fixed <= own {
            self.bits(2 + final_bit, 3);
            self.symbols(&Tree::fixed(&LITERAL_TREE, L_CODES + 2), &Tree::fixed(&DISTANCE_TREE, D_CODES));
        } else {
            self.bits(4 + final_bit, 3);
            self.bits(literals.max_code as u64 - 256, 5);
            self.bits(distances.max_code as u64, 5);
            self.bits(length_codes as u64 - 4, 4);
            for code in BL_ORDER.iter().take(length_codes) {
                self.bits(u64::from(get(&lengths.bits, *code)), 3);
            }
            for (symbol, extra, bits) in runs.0.iter().chain(&runs.1) {
                self.code(&lengths, *symbol);
                self.bits(*extra as u64, u32::from(*bits));
            }
            self.symbols(&literals, &distances);
        }
        self.begin(end);
        if last {
            self.align();
        }
        self.check()
    }

    fn check(&mut self) -> Option<()> {
        let Some(expected) = self.expected else { return Some(()) };
        let same = expected.get(self.checked..self.out.len())? == self.out.get(self.checked..)?;
        self.checked = self.out.len();
        same.then_some(())
    }

    fn symbols(&mut self, literals: &Tree, distances: &Tree) {
        let symbols = std::mem::take(&mut self.symbols);
        for (distance, byte) in &symbols {
            if *distance == 0 {
                self.code(literals, usize::from(*byte));
                continue;
            }
            let (code, first, bits) = length_code(usize::from(*byte));
            self.code(literals, code + LITERALS + 1);
            self.bits((usize::from(*byte) - first) as u64, u32::from(bits));
            let distance = usize::from(*distance) - 1;
            let (code, first, bits) = coded(&DISTANCE_EXTRA, distance);
            self.code(distances, code);
            self.bits((distance - first) as u64, u32::from(bits));
        }
        self.code(literals, END_OF_BLOCK);
        self.symbols = symbols;
    }

    fn code(&mut self, tree: &Tree, symbol: usize) {
        self.bits(u64::from(get(&tree.codes, symbol)), u32::from(get(&tree.bits, symbol)));
    }

    fn bits(&mut self, value: u64, count: u32) {
        self.held |= value << self.held_bits;
        self.held_bits += count;
        while self.held_bits >= 8 {
            self.out.push(self.held as u8);
            self.held >>= 8;
            self.held_bits -= 8;
        }
    }

    fn align(&mut self) {
        if self.held_bits > 0 {
            self.out.push(self.held as u8);
        }
        (self.held, self.held_bits) = (0, 0);
    }

    /// The stream.
    pub(super) fn finish(self) -> Vec<u8> {
        self.out
    }
}
