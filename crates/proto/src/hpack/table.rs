//! The two tables that an index means (RFC 7541, section 2.3): the static one and a dynamic one.
//!
//! ```text
//!  index    1 … 61          62 … 61 + n
//!           static          dynamic, newest first
//!
//!  octets   ░░░░░░░ name value name value name value ┊ the line that is being read
//!           evicted └ oldest                  newest ┘
//!  ring     [ entry, note │ entry, note │ … ]   by the low bits of the number with which it was entered
//! ```
//!
//! A dynamic table is one arena, to whose end new lines are appended and from whose start the oldest fall. A
//! line is read into the arena's tail first and then either entered, without another copy, or taken back. The
//! arena grows as it is used; what was evicted is squeezed out when the arena is full.

use crate::fields::{Field, Joined, LINE_OVERHEAD};

/// The index of the newest dynamic entry (RFC 7541, section 2.3.3).
pub(super) const FIRST_DYNAMIC: u32 = STATIC.len() as u32 + 1;

/// A line of a table: name and value.
pub(super) type Line<'a> = (&'a [u8], &'a [u8]);

/// The dynamic table of one direction of a connection (RFC 7541, section 2.3.2), with a note of its user beside
/// every entry.
pub(super) struct Dynamic<N> {
    octets: Vec<u8>,
    /// Where the tail starts: behind the newest entry.
    tail: usize,
    /// How many octets were squeezed out so far, which is what entries count from. Wraps around, as they do.
    gone: u32,
    /// As many places as a power of two, or none.
    ring: Vec<Entry<N>>,
    /// How many lines were ever entered: the newest one's number. Wraps around.
    entered: u32,
    len: u32,
    size: u32,
    limit: u32,
}

/// Where the octets of an entry are: the name, and the value right behind it.
#[derive(Clone, Copy, Default)]
struct Entry<N> {
    start: u32,
    name: u32,
    value: u32,
    note: N,
}

impl<N: Copy + Default> Dynamic<N> {
    /// An empty table of at most `limit` octets as section 4.1 counts them. It holds no memory.
    pub(super) fn new(limit: u32) -> Self {
        Self {
            octets: Vec::new(),
            tail: 0,
            gone: 0,
            ring: Vec::new(),
            entered: 0,
            len: 0,
            size: 0,
            limit,
        }
    }

    /// The most that the entries may count.
    pub(super) fn limit(&self) -> u32 {
        self.limit
    }

    /// What the entries count (RFC 7541, section 4.1).
    pub(super) fn size(&self) -> u32 {
        self.size
    }

    /// How many entries there are.
    pub(super) fn len(&self) -> u32 {
        self.len
    }

    /// How many were ever entered: the number of the newest. Wraps around.
    #[inline]
    pub(super) fn entered(&self) -> u32 {
        self.entered
    }

    /// For how many entries there is a place now: a power of two, or 0.
    #[inline]
    pub(super) fn places(&self) -> usize {
        self.ring.len()
    }

    /// The entry of this age: 0 is the newest.
    #[inline]
    pub(super) fn entry(&self, age: u32) -> Option<Line<'_>> {
        self.line(self.find(age)?)
    }

    /// The same in one part, with the note beside it.
    #[inline]
    pub(super) fn noted(&mut self, age: u32) -> Option<(Joined<'_>, &mut N)> {
        if age >= self.len {
            return None;
        }
        let place = self.place(self.entered.wrapping_sub(age));
        let entry = self.ring.get_mut(place)?;
        let start = entry.start.wrapping_sub(self.gone) as usize;
        let octets = octets_of(&self.octets, start, entry)?;
        let line = Joined::new(octets, entry.name as usize, false);
        Some((line, &mut entry.note))
    }

    /// The note of the entry of this age.
    #[inline]
    pub(super) fn note(&self, age: u32) -> Option<N> {
        Some(self.find(age)?.note)
    }

    /// The entries, newest first.
    pub(super) fn entries(&self) -> impl ExactSizeIterator<Item = Field<'_>> {
        (0..self.len()).map(|age| {
            let (name, value) = self.entry(age).unwrap_or_default();
            Field {
                name,
                value,
                never_index: false,
            }
        })
    }

    /// Changes the limit and evicts what it no longer allows (RFC 7541, section 4.3).
    pub(super) fn set_limit(&mut self, limit: u32) {
        self.limit = limit;
        self.evict_to(limit);
    }

    /// Appends to the tail.
    pub(super) fn append(&mut self, octets: &[u8]) {
        self.reserve(octets.len());
        self.octets.extend_from_slice(octets);
    }

    /// Appends the name of an entry to the tail and says how long it is; `None` if there is no such entry.
    pub(super) fn append_name(&mut self, age: u32) -> Option<usize> {
        let name = self.find(age)?.name as usize;
        self.reserve(name);
        let start = self.offset(self.find(age)?);
        let range = start..start + name;
        self.octets.get(range.clone())?;
        self.octets.extend_from_within(range);
        Some(name)
    }

    /// The arena, with room for `more` octets, for the caller to append to.
    pub(super) fn arena(&mut self, more: usize) -> &mut Vec<u8> {
        self.reserve(more);
        &mut self.octets
    }

    /// The octets in the tail.
    pub(super) fn tail(&self) -> &[u8] {
        self.octets.get(self.tail..).unwrap_or_default()
    }

    /// Enters the line in the tail, after evicting what it needs (RFC 7541, section 4.4). A line that is larger
    /// than the whole table empties it and is not entered.
    pub(super) fn enter(&mut self, name: usize, note: N) {
        let line = self.octets.len() - self.tail;
        let Some(others) = (self.limit as usize).checked_sub(line + LINE_OVERHEAD) else {
            return self.clear();
        };
        self.evict_to(others as u32);
        if self.len as usize == self.ring.len() {
            self.grow();
        }
        self.size += (line + LINE_OVERHEAD) as u32;
        self.len += 1;
        self.entered = self.entered.wrapping_add(1);
        let entry = Entry {
            start: (self.tail as u32).wrapping_add(self.gone),
            name: name as u32,
            value: (line - name) as u32,
            note,
        };
        let place = self.place(self.entered);
        if let Some(free) = self.ring.get_mut(place) {
            *free = entry;
        }
        self.tail = self.octets.len();
    }

    /// Takes back the line in the tail.
    pub(super) fn take_back(&mut self) {
        self.octets.truncate(self.tail);
    }

    /// Evicts everything, the line in the tail too.
    pub(super) fn clear(&mut self) {
        self.take_back();
        self.evict_to(0);
    }

    /// The octets that the arena has room for.
    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.octets.capacity()
    }

    /// Gives back what long lines took beyond what the table itself can use.
    pub(super) fn settle(&mut self) {
        let most = (self.limit as usize).saturating_mul(2).max(SMALL_ARENA);
        if self.octets.capacity() > most {
            self.squeeze();
            self.octets.shrink_to(most);
        }
    }

    /// Evicts the oldest entries until what is left counts at most `size`.
    fn evict_to(&mut self, size: u32) {
        while self.size > size
            && let Some(&oldest) = self.find(self.len.wrapping_sub(1))
        {
            self.len -= 1;
            self.size -= oldest.name + oldest.value + LINE_OVERHEAD as u32;
        }
    }

    #[inline]
    fn find(&self, age: u32) -> Option<&Entry<N>> {
        if age >= self.len {
            return None;
        }
        self.ring.get(self.place(self.entered.wrapping_sub(age)))
    }

    #[inline]
    fn line(&self, entry: &Entry<N>) -> Option<Line<'_>> {
        let octets = octets_of(&self.octets, self.offset(entry), entry)?;
        octets.split_at_checked(entry.name as usize)
    }

    /// The low bits of a number.
    #[inline]
    fn place(&self, number: u32) -> usize {
        number as usize & self.ring.len().wrapping_sub(1)
    }

    /// Where an entry starts in the arena.
    #[inline]
    fn offset(&self, entry: &Entry<N>) -> usize {
        entry.start.wrapping_sub(self.gone) as usize
    }

    /// Doubles the places of the ring.
    #[cold]
    fn grow(&mut self) {
        let mut ring = vec![Entry::default(); (self.ring.len() * 2).max(FIRST_PLACES)];
        let mask = ring.len() - 1;
        for age in 0..self.len {
            let place = self.entered.wrapping_sub(age) as usize & mask;
            if let (Some(place), Some(entry)) = (ring.get_mut(place), self.find(age)) {
                *place = *entry;
            }
        }
        self.ring = ring;
    }

    /// Makes room behind the tail. What was evicted is squeezed out only when it is a good part of the arena, so
    /// that on the whole no octet is moved more than a few times.
    #[inline]
    fn reserve(&mut self, more: usize) {
        if self.octets.capacity() - self.octets.len() < more {
            self.make_room(more);
        }
    }

    #[cold]
    fn make_room(&mut self, more: usize) {
        if self.evicted() >= self.octets.len() / 4 {
            self.squeeze();
        }
        self.octets.reserve(more);
    }

    /// How many octets before the oldest entry nobody needs any more.
    fn evicted(&self) -> usize {
        match self.find(self.len.wrapping_sub(1)) {
            Some(oldest) => self.offset(oldest),
            None => self.tail,
        }
    }

    /// Moves the entries and the tail to the start of the arena.
    fn squeeze(&mut self) {
        let evicted = self.evicted();
        self.octets.drain(..evicted);
        self.tail -= evicted;
        self.gone = self.gone.wrapping_add(evicted as u32);
    }
}

/// The octets of an entry that starts here.
#[inline]
fn octets_of<'o, N>(octets: &'o [u8], start: usize, entry: &Entry<N>) -> Option<&'o [u8]> {
    octets
        .get(start..)?
        .get(..entry.name as usize + entry.value as usize)
}

/// How many places a ring begins with.
const FIRST_PLACES: usize = 4;

/// An arena this small is never worth shrinking.
const SMALL_ARENA: usize = 512;

/// The lines of the static table in one part: names and values side by side, one line after the other.
static JOINED: [u8; JOINED_LEN] = join();

const JOINED_LEN: usize = {
    let mut len = 0;
    let mut lines = STATIC.as_slice();
    while let [(name, value), rest @ ..] = lines {
        len += name.len() + value.len();
        lines = rest;
    }
    len
};

/// Where the lines of the static table start, and where the last one ends.
static STARTS: [u16; STATIC.len() + 1] = starts();

/// The line of the static table with this index.
#[inline]
pub(super) fn fixed(index: u32) -> Option<Joined<'static>> {
    let at = (index as usize).wrapping_sub(1);
    let (name, _) = STATIC.get(at)?;
    let (start, end) = (*STARTS.get(at)?, *STARTS.get(at + 1)?);
    let octets = JOINED.get(start.into()..end.into())?;
    Some(Joined::new(octets, name.len(), false))
}

#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const fn starts() -> [u16; STATIC.len() + 1] {
    let mut starts = [0; STATIC.len() + 1];
    let mut at = 0;
    while at < STATIC.len() {
        let (name, value) = STATIC[at];
        starts[at + 1] = starts[at] + (name.len() + value.len()) as u16;
        at += 1;
    }
    starts
}

#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const fn join() -> [u8; JOINED_LEN] {
    let starts = starts();
    let mut joined = [0; JOINED_LEN];
    let mut at = 0;
    while at < STATIC.len() {
        let (name, value) = STATIC[at];
        let (before, after) = joined.split_at_mut(starts[at] as usize + name.len());
        before
            .split_at_mut(starts[at] as usize)
            .1
            .copy_from_slice(name);
        after.split_at_mut(value.len()).0.copy_from_slice(value);
        at += 1;
    }
    joined
}

/// The static table (RFC 7541, appendix A). Index 1 is its first line; lines of one name stand together.
pub(super) const STATIC: [Line<'static>; 61] = [
    (b":authority", b""),
    (b":method", b"GET"),
    (b":method", b"POST"),
    (b":path", b"/"),
    (b":path", b"/index.html"),
    (b":scheme", b"http"),
    (b":scheme", b"https"),
    (b":status", b"200"),
    (b":status", b"204"),
    (b":status", b"206"),
    (b":status", b"304"),
    (b":status", b"400"),
    (b":status", b"404"),
    (b":status", b"500"),
    (b"accept-charset", b""),
    (b"accept-encoding", b"gzip, deflate"),
    (b"accept-language", b""),
    (b"accept-ranges", b""),
    (b"accept", b""),
    (b"access-control-allow-origin", b""),
    (b"age", b""),
    (b"allow", b""),
    (b"authorization", b""),
    (b"cache-control", b""),
    (b"content-disposition", b""),
    (b"content-encoding", b""),
    (b"content-language", b""),
    (b"content-length", b""),
    (b"content-location", b""),
    (b"content-range", b""),
    (b"content-type", b""),
    (b"cookie", b""),
    (b"date", b""),
    (b"etag", b""),
    (b"expect", b""),
    (b"expires", b""),
    (b"from", b""),
    (b"host", b""),
    (b"if-match", b""),
    (b"if-modified-since", b""),
    (b"if-none-match", b""),
    (b"if-range", b""),
    (b"if-unmodified-since", b""),
    (b"last-modified", b""),
    (b"link", b""),
    (b"location", b""),
    (b"max-forwards", b""),
    (b"proxy-authenticate", b""),
    (b"proxy-authorization", b""),
    (b"range", b""),
    (b"referer", b""),
    (b"refresh", b""),
    (b"retry-after", b""),
    (b"server", b""),
    (b"set-cookie", b""),
    (b"strict-transport-security", b""),
    (b"transfer-encoding", b""),
    (b"user-agent", b""),
    (b"vary", b""),
    (b"via", b""),
    (b"www-authenticate", b""),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn enter(table: &mut Dynamic<()>, name: &[u8], value: &[u8]) {
        table.append(name);
        table.append(value);
        table.enter(name.len(), ());
    }

    /// However much passes through, the arena holds little more than what the table may.
    #[test]
    fn memory_stays_within_twice_the_limit() {
        let mut table: Dynamic<()> = Dynamic::new(4096);
        for n in 0..10_000_usize {
            let value = vec![n as u8; n * 31 % 700];
            enter(&mut table, b"name", &value);
            assert_eq!(table.entry(0), Some((&b"name"[..], &value[..])));
            assert!(table.size() <= 4096);
            table.settle();
            assert!(table.capacity() <= 2 * 4096, "{n}");
        }
    }

    /// A line that was larger than the table leaves no memory behind.
    #[test]
    fn what_a_long_line_took_is_given_back() {
        let mut table: Dynamic<()> = Dynamic::new(4096);
        enter(&mut table, b"kept", b"value");
        table.append(&[b'x'; 100_000]);
        table.take_back();
        table.settle();
        assert!(table.capacity() <= 2 * 4096);
        assert_eq!(table.entry(0), Some((&b"kept"[..], &b"value"[..])));
        table.set_limit(0);
        table.settle();
        assert!(table.capacity() <= SMALL_ARENA);
    }

    /// The counts of what was entered and squeezed out wrap around without losing an entry.
    #[test]
    fn entries_survive_the_wrapping_of_their_numbers_and_offsets() {
        let mut table: Dynamic<()> = Dynamic::new(300);
        table.gone = u32::MAX - 1000;
        table.entered = u32::MAX - 40;
        for n in 0..200_u8 {
            enter(&mut table, b"name", &[n; 50]);
            let entries: Vec<_> = table.entries().map(|field| field.value[0]).collect();
            let expected: Vec<_> = (0..=n).rev().take(3).collect();
            assert_eq!(entries, expected);
        }
        assert!(table.gone < 100_000, "it did wrap");
    }
}
