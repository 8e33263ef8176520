//! The Huffman code for strings (RFC 7541, section 5.2 and appendix B).
//!
//! The code is canonical: codes of one length are consecutive in the order of their symbols, and follow on from
//! those of the length before. So the lengths alone are written down here, and the compiler works out the rest.

use super::DecodeError;

/// The length of the code of every octet, and of EOS, in bits (RFC 7541, appendix B).
#[rustfmt::skip]
const LENGTHS: [u8; SYMBOLS] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28,
    28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
    6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6,
    5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
    13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
    7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
    15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5,
    6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
    20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23,
    24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
    22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23,
    21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25,
    19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
    20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,
    26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
    30,
];

/// Every octet, and EOS.
const SYMBOLS: usize = 257;

/// The symbol that ends no string but pads it: its code is all ones.
const EOS: u16 = 256;

/// The longest code, in bits.
const LONGEST: u32 = 30;

/// The code of one symbol.
#[derive(Clone, Copy)]
struct Code {
    code: u32,
    bits: u32,
}

/// The codes of one length. Codes are compared from their first bit on, filled up to 32 bits with zeros.
#[derive(Clone, Copy)]
struct Row {
    /// The first code.
    start: u32,
    /// What no code of this length or a shorter one reaches.
    end: u64,
    /// How many codes are shorter.
    rank: usize,
}

/// The codes by symbol, the symbols by code, and where each length starts among them.
struct Canon {
    codes: [Code; SYMBOLS],
    by_rank: [u16; SYMBOLS],
    rows: [Row; LONGEST as usize + 1],
}

static CANON: Canon = canon();

/// The symbol whose code the eight bits start with, and the code's length; length 0 where it is longer.
static SHORT: [(u8, u8); 256] = short();

#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const fn canon() -> Canon {
    let mut canon = Canon {
        codes: [Code { code: 0, bits: 0 }; SYMBOLS],
        by_rank: [0; SYMBOLS],
        rows: [Row {
            start: 0,
            end: 0,
            rank: 0,
        }; LONGEST as usize + 1],
    };
    let mut next = 0_u64;
    let mut rank = 0;
    let mut bits = 1;
    while bits <= LONGEST {
        let row = &mut canon.rows[bits as usize];
        row.start = next as u32;
        row.rank = rank;
        let mut symbol = 0;
        while symbol < SYMBOLS {
            if LENGTHS[symbol] as u32 == bits {
                canon.codes[symbol] = Code {
                    code: (next >> (32 - bits)) as u32,
                    bits,
                };
                canon.by_rank[rank] = symbol as u16;
                rank += 1;
                next += 1 << (32 - bits);
            }
            symbol += 1;
        }
        row.end = next;
        bits += 1;
    }
    assert!(next == 1 << 32, "the code is complete");
    canon
}

#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const fn short() -> [(u8, u8); 256] {
    let canon = canon();
    let mut short = [(0, 0); 256];
    let mut symbol = 0;
    while symbol < SYMBOLS {
        let Code { code, bits } = canon.codes[symbol];
        if bits <= 8 {
            let mut tail = 0;
            while tail < 1 << (8 - bits) {
                short[((code << (8 - bits)) | tail) as usize] = (symbol as u8, bits as u8);
                tail += 1;
            }
        }
        symbol += 1;
    }
    short
}

/// The code of an octet.
#[expect(clippy::indexing_slicing, reason = "there is a code for every octet")]
fn code(octet: u8) -> Code {
    CANON.codes[octet as usize]
}

/// What `octets` need when coded, in octets.
pub(super) fn encoded_len(octets: &[u8]) -> usize {
    let bits: usize = octets.iter().map(|&octet| code(octet).bits as usize).sum();
    bits.div_ceil(8)
}

/// Appends the code of `octets`, padded with ones.
pub(super) fn encode(octets: &[u8], out: &mut Vec<u8>) {
    let mut window = 0_u64;
    let mut held = 0;
    for &octet in octets {
        let Code { code, bits } = code(octet);
        window = window << bits | u64::from(code);
        held += bits;
        if held >= 32 {
            held -= 32;
            out.extend_from_slice(&((window >> held) as u32).to_be_bytes());
        }
    }
    while held >= 8 {
        held -= 8;
        out.push((window >> held) as u8);
    }
    if held > 0 {
        out.push((window << (8 - held)) as u8 | 0xff >> held);
    }
}

/// The most octets that a coded string of `coded` octets can stand for: the shortest codes have five bits.
pub(super) fn most_decoded(coded: usize) -> usize {
    coded.saturating_mul(8) / 5
}

/// Appends the string that `coded` stands for, or nothing if it is longer than `most`, and says how long it is.
/// No more than `most` and a few octets are held meanwhile.
pub(super) fn decode(
    mut coded: &[u8],
    most: usize,
    out: &mut Vec<u8>,
) -> Result<usize, DecodeError> {
    let start = out.len();
    let mut len = 0;
    let mut window = 0_u64; // the next bits, from the top
    let mut held = 0; // how many of them there are
    loop {
        while held <= 56 {
            let Some((&octet, rest)) = coded.split_first() else {
                break;
            };
            window |= u64::from(octet) << (56 - held);
            held += 8;
            coded = rest;
        }
        let (symbol, bits) = symbol(window | u64::MAX.checked_shr(held).unwrap_or(0));
        if bits > held {
            break;
        }
        if symbol == EOS {
            return Err(DecodeError::Huffman);
        }
        len += 1;
        if len <= most {
            out.push(symbol as u8);
        } else {
            out.truncate(start);
        }
        window <<= bits;
        held -= bits;
    }
    let padding = window | u64::MAX >> held;
    if held >= 8 || padding != u64::MAX {
        return Err(DecodeError::Huffman);
    }
    Ok(len)
}

/// The symbol whose code the window starts with, and how many bits it takes.
#[inline]
#[expect(clippy::indexing_slicing, reason = "a table of 256 by 8 bits")]
fn symbol(window: u64) -> (u16, u32) {
    match SHORT[(window >> 56) as usize] {
        (_, 0) => long_symbol(window),
        (symbol, bits) => (u16::from(symbol), u32::from(bits)),
    }
}

#[cold]
fn long_symbol(window: u64) -> (u16, u32) {
    let code = (window >> 32) as u32;
    for (bits, row) in CANON.rows.iter().enumerate() {
        if u64::from(code) < row.end {
            let rank = row.rank + ((code - row.start) >> (32 - bits)) as usize;
            let symbol = CANON.by_rank.get(rank).copied().unwrap_or(EOS);
            return (symbol, bits as u32);
        }
    }
    (EOS, LONGEST)
}
