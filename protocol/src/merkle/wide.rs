//! SHA-256 of sixteen whole blocks side by side, one in each 32-bit lane of AVX-512's registers. One block after the
//! other, even with the processor's SHA instructions, takes nearly twice as long, and hashing is most of what a
//! download costs.

use crate::units::{BLOCK_LEN, Root};
use std::arch::x86_64::{
    __m512i, _mm512_add_epi32, _mm512_loadu_si512, _mm512_ror_epi32, _mm512_set1_epi32, _mm512_set4_epi32,
    _mm512_setzero_si512, _mm512_shuffle_epi8, _mm512_shuffle_i32x4, _mm512_srli_epi32, _mm512_storeu_si512,
    _mm512_ternarylogic_epi32, _mm512_unpackhi_epi32, _mm512_unpackhi_epi64, _mm512_unpacklo_epi32,
    _mm512_unpacklo_epi64,
};

/// Blocks hashed at once.
pub(super) const LANES: usize = 16;
const BLOCK: usize = BLOCK_LEN as usize;

/// FIPS 180-4 §4.2.2 and §5.3.3.
const K: [u32; 64] = [
    0x428a_2f98,
    0x7137_4491,
    0xb5c0_fbcf,
    0xe9b5_dba5,
    0x3956_c25b,
    0x59f1_11f1,
    0x923f_82a4,
    0xab1c_5ed5,
    0xd807_aa98,
    0x1283_5b01,
    0x2431_85be,
    0x550c_7dc3,
    0x72be_5d74,
    0x80de_b1fe,
    0x9bdc_06a7,
    0xc19b_f174,
    0xe49b_69c1,
    0xefbe_4786,
    0x0fc1_9dc6,
    0x240c_a1cc,
    0x2de9_2c6f,
    0x4a74_84aa,
    0x5cb0_a9dc,
    0x76f9_88da,
    0x983e_5152,
    0xa831_c66d,
    0xb003_27c8,
    0xbf59_7fc7,
    0xc6e0_0bf3,
    0xd5a7_9147,
    0x06ca_6351,
    0x1429_2967,
    0x27b7_0a85,
    0x2e1b_2138,
    0x4d2c_6dfc,
    0x5338_0d13,
    0x650a_7354,
    0x766a_0abb,
    0x81c2_c92e,
    0x9272_2c85,
    0xa2bf_e8a1,
    0xa81a_664b,
    0xc24b_8b70,
    0xc76c_51a3,
    0xd192_e819,
    0xd699_0624,
    0xf40e_3585,
    0x106a_a070,
    0x19a4_c116,
    0x1e37_6c08,
    0x2748_774c,
    0x34b0_bcb5,
    0x391c_0cb3,
    0x4ed8_aa4a,
    0x5b9c_ca4f,
    0x682e_6ff3,
    0x748f_82ee,
    0x78a5_636f,
    0x84c8_7814,
    0x8cc7_0208,
    0x90be_fffa,
    0xa450_6ceb,
    0xbef9_a3f7,
    0xc671_78f2,
];
const START: [u32; 8] =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];

/// The hashes of sixteen blocks, or `None` if this processor cannot.
#[allow(unsafe_code, reason = "calls what the processor has just been found to have")]
pub(super) fn hash(blocks: [&[u8; BLOCK]; LANES]) -> Option<[Root; LANES]> {
    if !is_x86_feature_detected!("avx512f") || !is_x86_feature_detected!("avx512bw") {
        return None;
    }
    // SAFETY: both features are there.
    Some(unsafe { digest(blocks) })
}

#[target_feature(enable = "avx512f,avx512bw")]
fn digest(blocks: [&[u8; BLOCK]; LANES]) -> [Root; LANES] {
    let big_endian = _mm512_set4_epi32(0x0c0d_0e0f, 0x0809_0a0b, 0x0405_0607, 0x0001_0203);
    let mut state = [_mm512_setzero_si512(); 8];
    for (register, start) in state.iter_mut().zip(START) {
        *register = _mm512_set1_epi32(start.cast_signed());
    }
    let rows = blocks.map(|block| block.as_chunks::<64>().0);
    for at in 0..BLOCK / 64 {
        let mut words = [_mm512_setzero_si512(); 16];
        for (word, row) in words.iter_mut().zip(rows) {
            *word = _mm512_shuffle_epi8(load(&row[at]), big_endian);
        }
        transpose(&mut words);
        compress(&mut state, &mut words);
    }
    // The padding is the same for all: a bit, zeros, and the length in bits.
    let mut last = [_mm512_setzero_si512(); 16];
    last[0] = _mm512_set1_epi32(i32::MIN);
    last[15] = _mm512_set1_epi32((BLOCK_LEN * 8).cast_signed());
    compress(&mut state, &mut last);
    let mut roots = [Root::ZERO; LANES];
    for (i, register) in state.into_iter().enumerate() {
        for (root, word) in roots.iter_mut().zip(store(register)) {
            root.0[4 * i..4 * i + 4].copy_from_slice(&word.to_be_bytes());
        }
    }
    roots
}

/// Sixteen rows of sixteen words become sixteen columns.
#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
fn transpose(r: &mut [__m512i; 16]) {
    let mut t = *r;
    for i in 0..8 {
        t[2 * i] = _mm512_unpacklo_epi32(r[2 * i], r[2 * i + 1]);
        t[2 * i + 1] = _mm512_unpackhi_epi32(r[2 * i], r[2 * i + 1]);
    }
    for i in [0, 4, 8, 12] {
        r[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
        r[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
        r[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
        r[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
    }
    // r[4g + c] now holds, in its quarter k, column 4k + c of the rows 4g..4g + 4.
    for c in 0..4 {
        let even = _mm512_shuffle_i32x4::<0x88>(r[c], r[4 + c]);
        let odd = _mm512_shuffle_i32x4::<0xdd>(r[c], r[4 + c]);
        let even_below = _mm512_shuffle_i32x4::<0x88>(r[8 + c], r[12 + c]);
        let odd_below = _mm512_shuffle_i32x4::<0xdd>(r[8 + c], r[12 + c]);
        t[c] = _mm512_shuffle_i32x4::<0x88>(even, even_below);
        t[4 + c] = _mm512_shuffle_i32x4::<0x88>(odd, odd_below);
        t[8 + c] = _mm512_shuffle_i32x4::<0xdd>(even, even_below);
        t[12 + c] = _mm512_shuffle_i32x4::<0xdd>(odd, odd_below);
    }
    *r = t;
}

/// FIPS 180-4 §6.2.2, in every lane. `w` is used up.
#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
fn compress(state: &mut [__m512i; 8], w: &mut [__m512i; 16]) {
    let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = *state;
    for (i, k) in K.into_iter().enumerate() {
        let word = w[i % 16];
        let s1 = xor(_mm512_ror_epi32::<6>(e), _mm512_ror_epi32::<11>(e), _mm512_ror_epi32::<25>(e));
        let choice = _mm512_ternarylogic_epi32::<0xca>(e, f, g);
        let input = _mm512_add_epi32(word, _mm512_set1_epi32(k.cast_signed()));
        let t1 = _mm512_add_epi32(_mm512_add_epi32(h, input), _mm512_add_epi32(s1, choice));
        let s0 = xor(_mm512_ror_epi32::<2>(a), _mm512_ror_epi32::<13>(a), _mm512_ror_epi32::<22>(a));
        let majority = _mm512_ternarylogic_epi32::<0xe8>(a, b, c);
        (h, g, f, e) = (g, f, e, _mm512_add_epi32(d, t1));
        (d, c, b, a) = (c, b, a, _mm512_add_epi32(t1, _mm512_add_epi32(s0, majority)));
        if i < 48 {
            let (x, y) = (w[(i + 1) % 16], w[(i + 14) % 16]);
            let g0 = xor(_mm512_ror_epi32::<7>(x), _mm512_ror_epi32::<18>(x), _mm512_srli_epi32::<3>(x));
            let g1 = xor(_mm512_ror_epi32::<17>(y), _mm512_ror_epi32::<19>(y), _mm512_srli_epi32::<10>(y));
            w[i % 16] = _mm512_add_epi32(_mm512_add_epi32(word, w[(i + 9) % 16]), _mm512_add_epi32(g0, g1));
        }
    }
    for (register, value) in state.iter_mut().zip([a, b, c, d, e, f, g, h]) {
        *register = _mm512_add_epi32(*register, value);
    }
}

#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
fn xor(a: __m512i, b: __m512i, c: __m512i) -> __m512i {
    _mm512_ternarylogic_epi32::<0x96>(a, b, c)
}

#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
#[allow(unsafe_code, reason = "the intrinsic takes a pointer")]
fn load(bytes: &[u8; 64]) -> __m512i {
    // SAFETY: 64 readable bytes; no alignment is needed.
    unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) }
}

#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
#[allow(unsafe_code, reason = "the intrinsic takes a pointer")]
fn store(register: __m512i) -> [u32; 16] {
    let mut words = [0; 16];
    // SAFETY: 64 writable bytes; no alignment is needed.
    unsafe { _mm512_storeu_si512(words.as_mut_ptr().cast(), register) };
    words
}
