//! A reversible filter for x86 programs: calls, jumps and addresses relative to the instruction become absolute.
//!
//! The same function is then called by the same bytes from everywhere, which the coder after the filter sees as
//! repeats. Opcodes are recognised by their bytes alone, wherever they stand: a wrong guess costs size, never
//! correctness. Addresses are written highest byte first, so that the bytes that repeat stand together.

/// Targets are counted modulo this: programs larger than that lose size only.
const SPAN_BITS: u32 = 25;

/// Length of what looks like an opcode before a four-byte displacement at the front of `code`.
#[inline(always)]
fn opcode_len(code: &[u8; 3]) -> Option<usize> {
    let [first, second, third] = *code;
    // mod 0, r/m 5: relative to the instruction.
    let relative = |modrm: u8| modrm & 0xc7 == 0x05;
    match first {
        // call, jmp
        0xe8 | 0xe9 => Some(1),
        // call and jmp through a table
        0xff if matches!(second, 0x15 | 0x25) => Some(2),
        // 64-bit mov, lea, cmp, add, sub, movsxd and those with an immediate
        0x48..=0x4f
            if matches!(second, 0x8b | 0x8d | 0x89 | 0x3b | 0x39 | 0x03 | 0x2b | 0x63 | 0x83 | 0xc7)
                && relative(third) =>
        {
            Some(3)
        }
        // SSE moves and arithmetic
        0x0f if matches!(
            second,
            0x10 | 0x11 | 0x28 | 0x29 | 0x6f | 0x7f | 0x2e | 0x2f | 0x58 | 0x59 | 0x5c | 0x5e
        ) && relative(third) =>
        {
            Some(3)
        }
        // 32-bit and 8-bit mov and cmp
        0x80 | 0x8b | 0x89 | 0x3b | 0x39 | 0x83 | 0xc6 | 0xc7 if relative(second) => Some(2),
        _ => None,
    }
}

/// Walks over all displacements in `code`; `change` gets each with the position after it.
fn walk(code: &mut [u8], change: impl Fn([u8; 4], u32) -> [u8; 4]) {
    let mut at = 0;
    while let Some(window) = code.get_mut(at..at + 7) {
        let Some(opcode) = window.first_chunk::<3>() else { return };
        let Some(len) = opcode_len(opcode) else {
            at += 1;
            continue;
        };
        if let Some(displacement) = window.get_mut(len..).and_then(|rest| rest.first_chunk_mut::<4>()) {
            *displacement = change(*displacement, (at + len + 4) as u32);
        }
        at += len + 4;
    }
}

/// Whether the address lies within the span, seen from either side: its upper bits are all alike.
fn is_near(value: u32) -> bool {
    matches!(value >> 24, 0 | 0xff)
}

/// `value` modulo the span, with a sign.
fn wrapped(value: u32) -> u32 {
    let shift = 32 - SPAN_BITS;
    (((value << shift) as i32) >> shift) as u32
}

/// Relative to absolute, in place.
pub fn absolute(code: &mut [u8]) {
    walk(code, |bytes, after| {
        let value = u32::from_le_bytes(bytes);
        let value = if is_near(value) { wrapped(value.wrapping_add(after)) } else { value };
        value.to_be_bytes()
    });
}

/// The inverse of [`absolute`].
pub fn relative(code: &mut [u8]) {
    walk(code, |bytes, after| {
        let value = u32::from_be_bytes(bytes);
        let value = if is_near(value) { wrapped(value.wrapping_sub(after)) } else { value };
        value.to_le_bytes()
    });
}

/// Whether the bytes look like x86 code, at least in good part: 64-bit moves and address loads abound.
pub fn looks_like_code(bytes: &[u8]) -> bool {
    /// One such pair in so many bytes; in code there is one in about thirty.
    const RARE: usize = 150;
    let is_hit = |pair: &&[u8]| match pair {
        [rex, opcode] => rex & 0xfb == 0x48 && matches!(opcode, 0x8b | 0x89 | 0x8d | 0x83),
        _ => false,
    };
    let hits = bytes.windows(2).filter(is_hit);
    hits.count() > bytes.len() / RARE
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_same_target_is_the_same_bytes_from_everywhere() {
        let mut code = Vec::new();
        for _ in 0..3 {
            code.push(0xe8);
            let displacement = 0x1234i32 - (code.len() as i32 + 4);
            code.extend(displacement.to_le_bytes());
            code.extend([0x48, 0x8d, 0x05]);
            let displacement = 0x2345i32 - (code.len() as i32 + 4);
            code.extend(displacement.to_le_bytes());
        }
        let before = code.clone();
        absolute(&mut code);
        assert_eq!(code[..12], [0xe8, 0, 0, 0x12, 0x34, 0x48, 0x8d, 0x05, 0, 0, 0x23, 0x45]);
        assert_eq!(code[..12], code[12..24]);
        relative(&mut code);
        assert_eq!(code, before);
    }

    proptest! {
        #[test]
        fn every_change_is_undone(picks in proptest::collection::vec((0usize..16, any::<u8>()), 0..500)) {
            const LIKELY: [u8; 14] =
                [0xe8, 0xe9, 0xff, 0x15, 0x48, 0x8b, 0x05, 0x0f, 0x10, 0x00, 0xff, 0xc7, 0x01, 0xfe];
            let bytes: Vec<u8> =
                picks.into_iter().map(|(pick, other)| LIKELY.get(pick).copied().unwrap_or(other)).collect();
            let mut code = bytes.clone();
            absolute(&mut code);
            relative(&mut code);
            prop_assert_eq!(code, bytes);
        }
    }
}
