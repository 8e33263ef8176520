//! Whether a name, or a whole line, has an index: the encoder's side of both tables.
//!
//! ```text
//!  hash ──► heads   the number of the newest entry with this hash's low bits
//!             └──► links   (hash, number of the next older) … until a number that was evicted
//! ```
//!
//! Entries are numbered in the order in which they were entered, so that an entry's age is one subtraction, eviction
//! touches no chain, and a number that is too old ends one. A hash only finds candidates: their octets are
//! compared, and no chain is longer than the table. So a peer gains nothing by colliding hashes.

use super::table::{Dynamic, STATIC};
use crate::fields::Field;

/// A name on its way through both tables.
#[derive(Clone, Copy)]
pub(super) struct Name {
    /// The index of the first line of the static table with this name.
    pub(super) fixed: Option<u32>,
    hash: u64,
}

impl Name {
    /// Looks a name up in the static table.
    #[inline]
    pub(super) fn of(name: &[u8]) -> Self {
        let words = words(name);
        let hash = mix(SEED, name.len(), words);
        let Slot {
            index,
            len,
            words: its,
        } = SLOTS.get(slot(hash)).copied().unwrap_or(NO_NAME);
        // The words of a long name are not all of it.
        let found = its == words
            && usize::from(len) == name.len()
            && (name.len() <= 16
                || STATIC
                    .get(usize::from(index) - 1)
                    .is_some_and(|line| line.0 == name));
        Self {
            fixed: found.then_some(index.into()),
            hash,
        }
    }

    /// The hash of the line with this name and a value. That of a name of the static table begins with its index,
    /// that of any other with 0: so where two are the same, it is either the same name of that table or none of it.
    #[inline]
    pub(super) fn with(self, value: &[u8]) -> u32 {
        self.fixed.unwrap_or(0) << VALUE_BITS | hash(self.hash, value) as u32 >> (32 - VALUE_BITS)
    }
}

/// How many bits of a line's hash are not its name's index.
const VALUE_BITS: u32 = 24;

/// The index of the first line of the static table with this name, worked out by the compiler: a name that the
/// table lacks does not compile.
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

/// Chains through the entries of a dynamic table, newest first: by the hash of the line, and by that of the name.
pub(super) struct Index {
    /// Twice as many as the table has places.
    heads: Vec<Heads>,
}

/// The numbers of the newest entries, by the low bits of a hash.
#[derive(Clone, Copy, Default)]
struct Heads {
    line: u32,
    name: u32,
}

/// What the index notes beside an entry.
#[derive(Clone, Copy, Default)]
pub(super) struct Links {
    line: Link,
    name: Link,
}

#[derive(Clone, Copy, Default)]
struct Link {
    /// 0 in the link of a name that is in no chain.
    hash: u32,
    older: u32,
}

impl Index {
    /// No chain; it holds no memory.
    pub(super) fn new() -> Self {
        Self { heads: Vec::new() }
    }

    /// The age of the newest entry that is this line, of this hash.
    #[inline]
    pub(super) fn line(&self, table: &Dynamic<Links>, hash: u32, line: Field<'_>) -> Option<u32> {
        let mut number = self.heads.get(self.place(hash))?.line;
        loop {
            let age = table.entered().wrapping_sub(number);
            let link = table.note(age)?.line;
            if link.hash == hash {
                let (name, value) = table.entry(age)?;
                let same_name = hash >> VALUE_BITS != 0 || same(name, line.name);
                if same_name && same(value, line.value) {
                    return Some(age);
                }
            }
            number = link.older;
        }
    }

    /// The age of the newest entry with this name, which is none of the static table.
    #[inline]
    pub(super) fn name(&self, table: &Dynamic<Links>, name: Name, octets: &[u8]) -> Option<u32> {
        let hash = low(name.hash);
        let mut number = self.heads.get(self.place(hash))?.name;
        loop {
            let age = table.entered().wrapping_sub(number);
            let link = table.note(age)?.name;
            if link.hash == hash && same(table.entry(age)?.0, octets) {
                return Some(age);
            }
            number = link.older;
        }
    }

    /// Enters the line in the table's tail, whose name is so long and whose hash is given. It can be found by its
    /// name too, unless the static table has that.
    pub(super) fn enter(&mut self, table: &mut Dynamic<Links>, name: (Name, usize), line: u32) {
        let (name, len) = name;
        let link = |hash| Link { hash, older: 0 };
        let links = Links {
            line: link(line),
            name: link(if name.fixed.is_none() {
                low(name.hash)
            } else {
                0
            }),
        };
        table.enter(len, links);
        if self.heads.len() == 2 * table.places() {
            self.link(table, 0);
        } else {
            self.link_all(table);
        }
    }

    /// Puts the entry of this age, which is newer than all in the chains, before them.
    #[inline]
    fn link(&mut self, table: &mut Dynamic<Links>, age: u32) {
        let number = table.entered().wrapping_sub(age);
        let mask = self.heads.len().wrapping_sub(1);
        let Some((_, links)) = table.noted(age) else {
            return;
        };
        if let Some(heads) = self.heads.get_mut(links.line.hash as usize & mask) {
            links.line.older = std::mem::replace(&mut heads.line, number);
        }
        if links.name.hash != 0
            && let Some(heads) = self.heads.get_mut(links.name.hash as usize & mask)
        {
            links.name.older = std::mem::replace(&mut heads.name, number);
        }
    }

    /// Links all entries anew: the table has more places than before.
    #[cold]
    fn link_all(&mut self, table: &mut Dynamic<Links>) {
        // A number that is too old for any entry ends a chain.
        let end = table.entered().wrapping_sub(table.len());
        self.heads = vec![
            Heads {
                line: end,
                name: end
            };
            2 * table.places()
        ];
        for age in (0..table.len()).rev() {
            self.link(table, age);
        }
    }

    /// The low bits of a hash.
    #[inline]
    fn place(&self, hash: u32) -> usize {
        hash as usize & self.heads.len().wrapping_sub(1)
    }
}

/// The part of a name's hash that is kept, which is not 0.
#[inline]
fn low(hash: u64) -> u32 {
    (hash as u32).max(1)
}

/// The first number that gives each name of the static table a slot of its own.
const SEED: u64 = 83;

#[inline]
const fn hash(seed: u64, octets: &[u8]) -> u64 {
    mix(seed, octets.len(), words(octets))
}

#[inline]
const fn mix(seed: u64, len: usize, (first, last): (u64, u64)) -> u64 {
    fold(first ^ seed ^ len as u64, last ^ MIX)
}

/// A string as two numbers. Of a long one only the ends are looked at: what tells two lines apart is mostly there, and
/// those that differ in between are only compared in vain.
#[inline]
const fn words(octets: &[u8]) -> (u64, u64) {
    if octets.len() > 16
        && let (Some(first), Some(last)) = (octets.first_chunk(), octets.last_chunk())
    {
        let (first, last) = (u128::from_le_bytes(*first), u128::from_le_bytes(*last));
        return (
            fold(first as u64, (first >> 64) as u64 ^ MIX),
            fold(last as u64, (last >> 64) as u64 ^ MIX),
        );
    }
    ends(octets)
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

/// A perfect hash: a name of the static table, where its hash says.
static SLOTS: [Slot; 1 << SLOT_BITS] = slots();
const SLOT_BITS: u32 = 8;

#[derive(Clone, Copy)]
struct Slot {
    /// Of the first line with this name.
    index: u8,
    len: u8,
    words: (u64, u64),
}

/// What is in a slot that no name has: no name is so long.
const NO_NAME: Slot = Slot {
    index: 1,
    len: u8::MAX,
    words: (0, 0),
};

#[inline]
const fn slot(hash: u64) -> usize {
    (hash >> (64 - SLOT_BITS)) as usize
}

#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const fn slots() -> [Slot; 1 << SLOT_BITS] {
    let mut slots = [NO_NAME; 1 << SLOT_BITS];
    let mut at = STATIC.len();
    while at > 0 {
        let name = STATIC[at - 1].0;
        let slot = &mut slots[slot(hash(SEED, name))];
        // Lines of one name stand together, so that the lowest index is written last.
        let free = slot.len == u8::MAX || slot.index as usize == at + 1;
        assert!(free, "two names share a slot");
        *slot = Slot {
            index: at as u8,
            len: name.len() as u8,
            words: words(name),
        };
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
    use crate::fields::Field;

    fn field<'a>(name: &'a [u8], value: &'a [u8]) -> Field<'a> {
        Field {
            name,
            value,
            never_index: false,
        }
    }

    fn enter(
        index: &mut Index,
        table: &mut Dynamic<Links>,
        field: Field<'_>,
        name: u64,
        line: u32,
    ) {
        let hash = Name {
            fixed: None,
            hash: name,
        };
        table.append(field.name);
        table.append(field.value);
        index.enter(table, (hash, field.name.len()), line);
    }

    /// Seventeen hashes, of which some share their low bits, in a table of about twenty entries.
    #[test]
    fn the_newest_line_and_name_are_found_until_they_are_evicted() {
        let mut index = Index::new();
        let mut table = Dynamic::new(700);
        for n in 0..400_u32 {
            let number = (n * n % 17) as u8;
            let (name, value) = ([number / 4], [number]);
            let line = u32::from(number) * 8;
            enter(
                &mut index,
                &mut table,
                field(&name, &value),
                (number / 4).into(),
                line,
            );
            for number in 0..17_u8 {
                let (name, value) = ([number / 4], [number]);
                let newest = |is: &dyn Fn(&Field<'_>) -> bool| {
                    table
                        .entries()
                        .position(|field| is(&field))
                        .map(|age| age as u32)
                };
                let expected = newest(&|field| field.value == value);
                let found = index.line(&table, u32::from(number) * 8, field(&name, &value));
                assert_eq!(found, expected, "{n}, {number}");
                let expected = newest(&|field| field.name == name);
                let hash = Name {
                    fixed: None,
                    hash: (number / 4).into(),
                };
                assert_eq!(index.name(&table, hash, &name), expected, "{n}, {number}");
            }
        }
    }

    #[test]
    fn a_hash_alone_finds_nothing() {
        let mut index = Index::new();
        let mut table = Dynamic::new(4096);
        for n in 0..100 {
            enter(&mut index, &mut table, field(b"name", &[n]), 7, 7);
        }
        assert_eq!(index.line(&table, 7, field(b"name", &[100])), None);
        assert_eq!(index.line(&table, 7, field(b"other", &[99])), None);
        assert_eq!(index.line(&table, 7, field(b"name", &[50])), Some(49));
        let name = Name {
            fixed: None,
            hash: 7,
        };
        assert_eq!(index.name(&table, name, b"other"), None);
    }

    /// A name that the static table has is in no chain of names, also after the chains were made anew.
    #[test]
    fn a_name_of_the_static_table_is_not_looked_for_in_the_other() {
        let mut index = Index::new();
        let mut table = Dynamic::new(4096);
        let date = Name::of(b"date");
        assert_eq!(date.fixed, Some(33));
        for n in 0..20 {
            table.append(b"date");
            table.append(&[n]);
            index.enter(&mut table, (date, 4), date.with(&[n]));
            let hash = Name { hash: 0, ..date };
            assert_eq!(index.name(&table, hash, b"date"), None);
            let first = index.line(&table, date.with(&[0]), field(b"date", &[0]));
            assert_eq!(first, Some(u32::from(n)));
        }
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
