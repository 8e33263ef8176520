//! The Huffman code for strings (RFC 7541, section 5.2 and appendix B).
//!
//! The code is canonical: codes of one length are consecutive in the order of their symbols, and follow on from
//! those of the length before. So the lengths alone are written down here, and the compiler works out the rest.

use super::{DecodeError, integer};

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

/// How many bits are looked at in one step: two codes of the six bits that most text takes.
const STEP_BITS: u32 = 12;

/// One or two symbols whose codes [`STEP_BITS`] bits start with.
#[derive(Clone, Copy)]
struct Step {
    /// The first symbol, and the second one above it.
    symbols: u16,
    /// The bits of all of them.
    bits: u8,
    /// How many symbols; 0 if the first one's code is longer than a step.
    count: u8,
}

static STEPS: [Step; 1 << STEP_BITS] = steps();

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
const fn steps() -> [Step; 1 << STEP_BITS] {
    let canon = canon();
    let mut single = [(0_u8, 0_u8); 1 << STEP_BITS];
    let mut symbol = 0;
    while symbol < SYMBOLS {
        let Code { code, bits } = canon.codes[symbol];
        if bits <= STEP_BITS {
            let rest = STEP_BITS - bits;
            let mut tail = 0;
            while tail < 1 << rest {
                single[(code << rest | tail) as usize] = (symbol as u8, bits as u8);
                tail += 1;
            }
        }
        symbol += 1;
    }
    let mut steps = [Step {
        symbols: 0,
        bits: 0,
        count: 0,
    }; 1 << STEP_BITS];
    let mut at = 0;
    while at < steps.len() {
        let step = &mut steps[at];
        let (first, bits) = single[at];
        // What follows the first code, with zeros behind: they decide nothing that fits into the step.
        let (second, more) = single[(at << bits) % single.len()];
        if bits > 0 && more > 0 && bits + more <= STEP_BITS as u8 {
            step.symbols = (second as u16) << 8 | first as u16;
            step.bits = bits + more;
            step.count = 2;
        } else if bits > 0 {
            step.symbols = first as u16;
            step.bits = bits;
            step.count = 1;
        }
        at += 1;
    }
    steps
}

/// The code of an octet.
#[expect(clippy::indexing_slicing, reason = "there is a code for every octet")]
fn code(octet: u8) -> Code {
    CANON.codes[octet as usize]
}

/// Appends `octets` as a coded string, its length first (RFC 7541, section 5.2), and says whether it did: it does
/// not if that is longer than the octets themselves, or if there are none.
pub(super) fn string(octets: &[u8], out: &mut Vec<u8>) -> bool {
    let start = out.len();
    out.push(0);
    encode(octets, out);
    let coded = out.len() - start - 1;
    if !(1..=octets.len()).contains(&coded) {
        out.truncate(start);
        return false;
    }
    match out.get_mut(start) {
        Some(length) if coded < 0x7f => *length = 0x80 | coded as u8,
        _ => {
            // The length takes more than the one octet that was left for it.
            let mut length = Vec::with_capacity(6);
            integer::encode(0x80, 7, coded as u32, &mut length);
            out.splice(start..=start, length);
        }
    }
    true
}

/// Appends the code of `octets`, padded with ones.
#[inline]
fn encode(octets: &[u8], out: &mut Vec<u8>) {
    let mut bits = Bits::default();
    let (fours, rest) = octets.as_chunks::<4>();
    for four in fours {
        let [a, b, c, d] = four.map(packed);
        let all = (a + b + c + d) & 0xff;
        // Four octets of common text take 20 to 28 bits.
        if all <= 32 {
            let front = (a >> 8) << (b & 31) | b >> 8;
            let back = (c >> 8) << (d & 31) | d >> 8;
            bits = bits.add(front << ((c + d) & 31) | back, all, out);
        } else {
            bits = bits.add_rare(*four, out);
        }
    }
    for octet in rest {
        let Code { code, bits: more } = code(*octet);
        bits = bits.add(code, more, out);
    }
    bits.finish(out);
}

/// The code of an octet, above eight bits with its length, so that four can be added up; for a long code only a length
/// that no four octets may have.
#[inline]
fn packed(octet: u8) -> u32 {
    PACKED.get(octet as usize).copied().unwrap_or_default()
}

static PACKED: [u32; 256] = pack();

#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const fn pack() -> [u32; 256] {
    let canon = canon();
    let mut packed = [0; 256];
    let mut octet = 0;
    while octet < packed.len() {
        let Code { code, bits } = canon.codes[octet];
        packed[octet] = if bits <= 20 { code << 8 | bits } else { 48 };
        octet += 1;
    }
    packed
}

/// Bits on their way to a buffer, four octets at a time.
#[derive(Clone, Copy, Default)]
struct Bits {
    /// The bits that were not written yet, at the bottom.
    window: u64,
    /// How many there are: fewer than 32.
    held: u32,
}

impl Bits {
    /// Adds up to 32 bits.
    #[inline]
    fn add(self, code: u32, bits: u32, out: &mut Vec<u8>) -> Self {
        let window = self.window << bits | u64::from(code);
        let held = self.held + bits;
        if held < 32 {
            return Self { window, held };
        }
        let held = held - 32;
        out.extend_from_slice(&((window >> held) as u32).to_be_bytes());
        Self { window, held }
    }

    /// Adds the codes of any four octets.
    #[cold]
    #[inline(never)]
    fn add_rare(self, octets: [u8; 4], out: &mut Vec<u8>) -> Self {
        octets.iter().fold(self, |all, octet| {
            let Code { code, bits } = code(*octet);
            all.add(code, bits, out)
        })
    }

    /// Adds what is left, filled up to an octet with ones.
    #[inline]
    fn finish(self, out: &mut Vec<u8>) {
        let word = (self.window << 32 >> self.held) as u32 | u32::MAX >> self.held;
        out.extend_from_slice(&word.to_be_bytes());
        out.truncate(out.len() - 4 + self.held.div_ceil(8) as usize);
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
    let mut text = Text::new(most, out);
    let mut window = 0_u64; // the next bits, from the top; zeros behind them
    let mut held = 0; // how many of them there are
    while !coded.is_empty() {
        let (word, bits) = take_word(&mut coded);
        window |= u64::from(word) << 32 >> held;
        held += bits;
        while held >= STEP_BITS {
            let step = step(window);
            let bits = if step.count > 0 {
                text.add(step.symbols, step.count);
                u32::from(step.bits)
            } else {
                let (symbol, bits) = long_symbol(window);
                if bits > held {
                    break;
                }
                if symbol == EOS {
                    return Err(DecodeError::Huffman);
                }
                text.add(symbol, 1);
                bits
            };
            window <<= bits;
            held -= bits;
        }
    }
    // What is left is shorter than a step, or padding, which ones behind it make no code of.
    loop {
        let step = step(window | u64::MAX >> held);
        let first = step.symbols as u8;
        let bits = code(first).bits;
        if step.count == 0 || bits > held {
            break;
        }
        text.add(first.into(), 1);
        window <<= bits;
        held -= bits;
    }
    if held >= 8 || window | u64::MAX >> held != u64::MAX {
        return Err(DecodeError::Huffman);
    }
    Ok(text.finish())
}

/// The next four octets, or what is left, from the top, and how many bits that is.
#[inline]
fn take_word(coded: &mut &[u8]) -> (u32, u32) {
    if let Some((word, rest)) = coded.split_first_chunk() {
        *coded = rest;
        return (u32::from_be_bytes(*word), 32);
    }
    let mut word = [0; 4];
    for (octet, last) in word.iter_mut().zip(*coded) {
        *octet = *last;
    }
    let bits = 8 * coded.len() as u32;
    *coded = &[];
    (u32::from_be_bytes(word), bits)
}

/// Decoded octets on their way to a buffer, eight at a time.
struct Text<'a> {
    out: &'a mut Vec<u8>,
    start: usize,
    most: usize,
    /// How many octets were taken back because there were more than `most`.
    lost: usize,
    octets: u64,
    /// How many bits of `octets` there are.
    bits: u32,
}

impl<'a> Text<'a> {
    fn new(most: usize, out: &'a mut Vec<u8>) -> Self {
        Self {
            start: out.len(),
            out,
            most,
            lost: 0,
            octets: 0,
            bits: 0,
        }
    }

    #[inline]
    fn add(&mut self, symbols: u16, count: u8) {
        self.octets |= u64::from(symbols) << self.bits;
        self.bits += 8 * u32::from(count);
        if self.bits > 48 {
            self.flush();
        }
    }

    #[inline]
    fn flush(&mut self) {
        self.out.extend_from_slice(&self.octets.to_le_bytes());
        let len = self.out.len() - 8 + self.bits as usize / 8;
        self.out.truncate(len);
        self.octets = 0;
        self.bits = 0;
        if len - self.start > self.most {
            self.lost += len - self.start;
            self.out.truncate(self.start);
        }
    }

    fn finish(mut self) -> usize {
        self.flush();
        let kept = self.out.len() - self.start;
        if self.lost > 0 {
            self.out.truncate(self.start);
        }
        self.lost + kept
    }
}

/// The step that the window starts with.
#[inline]
#[expect(clippy::indexing_slicing, reason = "a table of 2^n by n bits")]
fn step(window: u64) -> Step {
    STEPS[(window >> (64 - STEP_BITS)) as usize]
}

/// The symbol whose code the window starts with, and how many bits it takes.
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

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7541, appendix B: the first and the last code of some lengths, as they are printed there.
    #[test]
    fn codes_are_those_of_the_appendix() {
        for (symbol, bits, expected) in [
            (b'0', 5, 0x0),
            (b't', 5, 0x9),
            (b' ', 6, 0x14),
            (b'u', 6, 0x2d),
            (b':', 7, 0x5c),
            (b'z', 7, 0x7b),
            (b'&', 8, 0xf8),
            (b'Z', 8, 0xfd),
            (b'!', 10, 0x3f8),
            (b'?', 10, 0x3fc),
            (b'|', 11, 0x7fc),
            (b'#', 12, 0xffa),
            (0, 13, 0x1ff8),
            (b'~', 13, 0x1ffd),
            (b'{', 15, 0x7ffe),
            (b'\\', 19, 0x7fff0),
            (195, 19, 0x7fff1),
            (1, 23, 0x7fffd8),
            (255, 26, 0x3ffffee),
            (249, 28, 0xffffffe),
            (10, 30, 0x3ffffffc),
            (22, 30, 0x3ffffffe),
        ] {
            let code = code(symbol);
            assert_eq!((code.bits, code.code), (bits, expected), "{symbol}");
        }
    }

    /// What is longer than is wanted is measured, and no more than that much is held for it.
    #[test]
    fn a_string_that_is_too_long_is_measured_and_not_kept() {
        for len in [0_usize, 1, 7, 8, 9, 100, 1000] {
            let mut coded = Vec::new();
            encode(&vec![b'a'; len], &mut coded);
            for most in [0, 1, 7, 8, 9, 99, 100, 999, 1000, 2000] {
                let mut out = b"before".to_vec();
                out.reserve(most + 8);
                let room = out.capacity();
                assert_eq!(decode(&coded, most, &mut out), Ok(len));
                let kept = if len <= most { len } else { 0 };
                assert_eq!(out.len(), b"before".len() + kept, "{len} of {most}");
                assert_eq!(out.capacity(), room, "{len} of {most}");
            }
        }
    }
}
