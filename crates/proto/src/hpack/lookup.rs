//! Whether a name, or a whole line, has an index: the encoder's side of both tables.
//!
//! ```text
//!  hash ──► heads   the number of the newest line with this hash's low bits
//!             └──► links   (hash, number of the next older) … until a number that was evicted
//! ```
//!
//! Lines are numbered in the order in which they were entered, so that a line's age is one subtraction, eviction
//! touches no chain, and a number that is too old ends one. A hash only finds candidates: their octets are
//! compared, and no chain is longer than the table. So a peer gains nothing by colliding hashes.

use super::table::STATIC;

/// The index of the first line of the static table with this name, whose hash is given.
#[inline]
pub(super) fn static_name(name: &[u8], hash: u64) -> Option<u32> {
    let index = SLOTS.get(slot(hash)).copied()?;
    let (found, _) = STATIC.get(usize::from(index).checked_sub(1)?)?;
    same(found, name).then_some(u32::from(index))
}

/// The same, worked out by the compiler: a name that the static table lacks does not compile.
#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
pub(super) const fn first_index(name: &[u8]) -> u32 {
    let mut at = 0;
    while !equal(STATIC[at].0, name) {
        at += 1;
    }
    at as u32 + 1
}

/// The index of the line of the static table with this value and the name that `first` is the first line of.
#[inline]
pub(super) fn static_line(first: u32, value: &[u8]) -> Option<u32> {
    let at = first as usize - 1;
    let run = RUNS.get(at).copied()?;
    let lines = STATIC.get(at..at + usize::from(run))?;
    let after = lines.iter().position(|line| line.1 == value)?;
    Some(first + after as u32)
}

/// Chains through the lines of a dynamic table, newest first, by some hash of theirs.
pub(super) struct Chains {
    /// The newest line's number, by the low bits of its hash. As many as there are links.
    heads: Vec<u32>,
    /// A ring: a line is at its number's low bits. As many as a power of two, or none.
    links: Vec<Link>,
    /// How many lines were ever entered: the newest one's number. Wraps around.
    entered: u32,
    /// How many of them were left when it was.
    left: u32,
}

#[derive(Clone, Copy, Default)]
struct Link {
    hash: u32,
    older: u32,
}

impl Chains {
    /// No chain; it holds no memory.
    pub(super) fn new() -> Self {
        Self {
            heads: Vec::new(),
            links: Vec::new(),
            entered: 0,
            left: 0,
        }
    }

    /// The age of the newest line with this hash that `is` the one. It may be asked about lines that were evicted
    /// since the last one was entered.
    #[inline]
    pub(super) fn find(&self, hash: u64, is: impl Fn(u32) -> bool) -> Option<u32> {
        let hash = hash as u32;
        let mut number = *self.heads.get(self.place(hash))?;
        loop {
            let age = self.entered.wrapping_sub(number);
            if age >= self.left {
                return None;
            }
            let link = self.links.get(self.place(number))?;
            if link.hash == hash && is(age) {
                return Some(age);
            }
            number = link.older;
        }
    }

    /// A line was entered, and so many others are left.
    pub(super) fn enter(&mut self, hash: u64, others: u32) {
        self.left = others;
        if self.left as usize == self.links.len() {
            self.grow();
        }
        self.link(hash as u32);
    }

    fn link(&mut self, hash: u32) {
        self.entered = self.entered.wrapping_add(1);
        self.left += 1;
        let (head, place) = (self.place(hash), self.place(self.entered));
        if let Some(head) = self.heads.get_mut(head)
            && let Some(link) = self.links.get_mut(place)
        {
            *link = Link { hash, older: *head };
            *head = self.entered;
        }
    }

    /// The low bits of a hash or a number.
    #[inline]
    fn place(&self, number: u32) -> usize {
        number as usize & self.links.len().wrapping_sub(1)
    }

    /// Doubles the room and links the lines anew.
    #[cold]
    fn grow(&mut self) {
        let room = (self.links.len() * 2).max(8);
        let links = std::mem::replace(&mut self.links, vec![Link::default(); room]);
        self.heads = vec![0; room];
        let lines = std::mem::take(&mut self.left);
        self.entered = self.entered.wrapping_sub(lines);
        for _ in 0..lines {
            let place = self.entered.wrapping_add(1) as usize & (links.len() - 1);
            self.link(links.get(place).copied().unwrap_or_default().hash);
        }
    }
}

/// A hash of a name.
#[inline]
pub(super) const fn hash_name(name: &[u8]) -> u64 {
    hash(SEED, name)
}

/// A hash of a line, from that of its name.
#[inline]
pub(super) const fn hash_line(name: u64, value: &[u8]) -> u64 {
    hash(name, value)
}

/// The first number that gives each name of the static table a slot of its own.
const SEED: u64 = 763;

#[inline]
const fn hash(seed: u64, octets: &[u8]) -> u64 {
    let mut hash = seed ^ octets.len() as u64;
    let mut rest = octets;
    while rest.len() > 16
        && let Some((words, after)) = rest.split_first_chunk::<16>()
    {
        let words = u128::from_le_bytes(*words);
        hash = fold(words as u64 ^ hash, (words >> 64) as u64 ^ MIX);
        rest = after;
    }
    let (first, last) = ends(rest);
    fold(first ^ hash, last ^ MIX)
}

/// Up to sixteen octets as two numbers.
#[inline]
const fn ends(octets: &[u8]) -> (u64, u64) {
    if let (Some(first), Some(last)) = (octets.first_chunk(), octets.last_chunk()) {
        return (u64::from_le_bytes(*first), u64::from_le_bytes(*last));
    }
    if let (Some(first), Some(last)) = (octets.first_chunk(), octets.last_chunk()) {
        return (
            u32::from_le_bytes(*first) as u64,
            u32::from_le_bytes(*last) as u64,
        );
    }
    match *octets {
        [a] => (a as u64, 0),
        [a, b] => (a as u64, b as u64),
        [a, b, c] => (a as u64, (b as u64) << 8 | c as u64),
        _ => (0, 0),
    }
}

#[inline]
const fn fold(a: u64, b: u64) -> u64 {
    let product = a as u128 * b as u128;
    product as u64 ^ (product >> 64) as u64
}

/// Any odd number of many bits: this is 2^64 divided by the golden ratio.
const MIX: u64 = 0x9e37_79b9_7f4a_7c15;

/// Whether two short strings are the same, without a call.
#[inline]
pub(super) fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len()
        && if a.len() <= 16 {
            ends(a) == ends(b)
        } else {
            a == b
        }
}

/// How many lines from here on have the name that this one has.
static RUNS: [u8; STATIC.len()] = runs();

#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const fn runs() -> [u8; STATIC.len()] {
    let mut runs = [1; STATIC.len()];
    let mut at = STATIC.len() - 1;
    while at > 0 {
        at -= 1;
        if equal(STATIC[at].0, STATIC[at + 1].0) {
            runs[at] = runs[at + 1] + 1;
        }
    }
    runs
}

/// A perfect hash: the index of the first line with a name, where that name's hash says.
static SLOTS: [u8; 1 << SLOT_BITS] = slots();
const SLOT_BITS: u32 = 8;

#[inline]
const fn slot(hash: u64) -> usize {
    (hash >> (64 - SLOT_BITS)) as usize
}

#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const fn slots() -> [u8; 1 << SLOT_BITS] {
    let mut slots = [0; 1 << SLOT_BITS];
    let mut at = STATIC.len();
    while at > 0 {
        let slot = slot(hash_name(STATIC[at - 1].0));
        let other = slots[slot] as usize;
        // Lines of one name stand together, so that the lowest index is written last.
        assert!(other == 0 || other == at + 1, "two names share a slot");
        slots[slot] = at as u8;
        at -= 1;
    }
    slots
}

#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const fn equal(a: &[u8], b: &[u8]) -> bool {
    let mut at = 0;
    while at < a.len() && at < b.len() && a[at] == b[at] {
        at += 1;
    }
    at == a.len() && at == b.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the table would hold: a line's octets by age are here the number that it was entered with.
    fn enter(chains: &mut Chains, lines: &mut Vec<u64>, hash: u64, most: usize) {
        let kept = lines.len().min(most - 1);
        lines.drain(..lines.len() - kept);
        lines.push(hash);
        chains.enter(hash, kept as u32);
    }

    fn newest(lines: &[u64], hash: u64) -> Option<u32> {
        let age = lines.iter().rev().position(|&line| line == hash)?;
        Some(age as u32)
    }

    #[test]
    fn the_newest_line_is_found_until_it_is_evicted_also_when_numbers_wrap() {
        for start in [0, u32::MAX - 40] {
            let mut chains = Chains::new();
            chains.entered = start;
            let mut lines = Vec::new();
            for n in 0..400_u64 {
                // Seventeen hashes, of which some share their low bits.
                enter(&mut chains, &mut lines, n * n % 17 * 8, 23);
                for hash in 0..17 {
                    let found = chains.find(hash * 8, |_| true);
                    assert_eq!(found, newest(&lines, hash * 8), "{start}, {n}, {hash}");
                }
            }
        }
    }

    #[test]
    fn a_hash_alone_finds_nothing() {
        let mut chains = Chains::new();
        let mut lines = Vec::new();
        for _ in 0..100 {
            enter(&mut chains, &mut lines, 7, 50);
        }
        let tried = std::cell::Cell::new(0);
        let found = chains.find(7, |_| {
            tried.set(tried.get() + 1);
            false
        });
        assert_eq!((found, tried.get()), (None, 50), "every line is tried once");
        assert_eq!(chains.find(7, |age| age == 49), Some(49));
    }

    /// A long string is compared beyond its ends.
    #[test]
    fn strings_that_differ_anywhere_are_not_the_same() {
        for len in 0..40 {
            let string: Vec<u8> = (0..len).collect();
            assert!(same(&string, &string.clone()));
            assert!(!same(&string, &[&string[..], b"x"].concat()));
            for at in 0..string.len() {
                let mut other = string.clone();
                other[at] ^= 0x80;
                assert!(!same(&string, &other), "{len}, {at}");
            }
        }
    }
}
