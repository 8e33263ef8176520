//! Which representation a line gets (RFC 7541, sections 6 and 7.1).

use super::lookup::{self, Index, Links, Name};
use super::table::{Dynamic, FIRST_DYNAMIC};
use super::{INITIAL_TABLE_SIZE, huffman, integer};
use crate::fields::{Field, LINE_OVERHEAD};
use std::fmt;

/// The encoding half of a connection's compression.
///
/// Blocks must be sent in the order in which they were encoded, and none may be left out.
pub struct Encoder {
    table: Dynamic<Links>,
    index: Index,
    /// The most that we use, whatever the peer allows.
    most: u32,
    /// What the next block must announce.
    announce: Option<Announce>,
    /// How often the table has changed.
    changes: u64,
    huffman: bool,
}

/// What becomes of a line that no table holds yet (RFC 7541, section 6.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Indexing {
    /// It enters the dynamic table: it is likely to come again.
    Enter,
    /// It does not enter the dynamic table.
    Without,
    /// It must not enter a table here or at any intermediary, nor be taken from one (RFC 7541, section 7.1.3).
    Never,
}

/// Size updates that are due (RFC 7541, section 4.2).
#[derive(Clone, Copy)]
struct Announce {
    /// The smallest size since the last block.
    smallest: u32,
    /// The size from the next block on.
    last: u32,
}

impl Encoder {
    /// An encoder that uses a table of at most `table` octets. It holds no memory yet.
    ///
    /// The peer is taken to allow [`INITIAL_TABLE_SIZE`] until [`Encoder::set_table_limit`] says otherwise.
    pub fn new(table: u32) -> Self {
        let mut encoder = Self {
            table: Dynamic::new(INITIAL_TABLE_SIZE),
            index: Index::new(),
            most: table,
            announce: None,
            changes: 0,
            huffman: true,
        };
        encoder.set_table_limit(INITIAL_TABLE_SIZE);
        encoder
    }

    /// The same encoder, writing all strings plainly instead of in the shorter way (RFC 7541, section 5.2).
    #[must_use]
    pub fn without_huffman(mut self) -> Self {
        self.huffman = false;
        self
    }

    /// The peer's SETTINGS_HEADER_TABLE_SIZE. The next block announces the change; after several, the smallest
    /// size and the last one (RFC 7541, section 4.2).
    pub fn set_table_limit(&mut self, peer: u32) {
        let last = peer.min(self.most);
        let in_use = self.table.limit();
        let smallest = self.announce.map_or(in_use, |due| due.smallest).min(last);
        self.announce =
            (smallest < in_use || last != in_use).then_some(Announce { smallest, last });
    }

    /// Starts a block: appends the size updates that are due.
    pub fn begin(&mut self, out: &mut Vec<u8>) {
        let Some(Announce { smallest, last }) = self.announce.take() else {
            return;
        };
        self.changes += 1;
        if smallest < last.min(self.table.limit()) {
            self.announce_size(smallest, out);
        }
        self.announce_size(last, out);
    }

    /// Appends a line to the block that was begun. A name is written in lower case, whatever it comes in.
    ///
    /// A line that is marked never-index, credentials, and cookies short enough to be guessed never enter a
    /// table, here or at any intermediary (RFC 7541, section 7.1.3).
    pub fn field(&mut self, field: Field<'_>, out: &mut Vec<u8>) {
        self.represent(field, None, out);
    }

    /// Appends a line as [`Encoder::field`] does, for a caller who knows better what is to become of it.
    ///
    /// A line that counts more than the whole table is not entered, and one that is marked never-index stays so.
    pub fn field_as(&mut self, field: Field<'_>, indexing: Indexing, out: &mut Vec<u8>) {
        self.represent(field, Some(indexing), out);
    }

    /// A number for what the table is now: between two moments with the same number the same lines make the same block.
    /// None while a size update is due.
    pub(crate) fn state(&self) -> Option<u64> {
        self.announce.is_none().then_some(self.changes)
    }

    /// The entries of the dynamic table, newest first: the first one has index 62 (RFC 7541, section 2.3.3).
    pub fn table(&self) -> impl ExactSizeIterator<Item = Field<'_>> {
        self.table.entries()
    }

    /// What the entries count: names, values and 32 octets an entry (RFC 7541, section 4.1).
    pub fn table_size(&self) -> u32 {
        self.table.size()
    }

    /// The most that the entries may count now: what the last size update said.
    pub fn table_limit(&self) -> u32 {
        self.table.limit()
    }

    #[inline]
    fn represent(&mut self, field: Field<'_>, asked: Option<Indexing>, out: &mut Vec<u8>) {
        let name = Name::of(field.name);
        let asked = match field.never_index {
            true => Some(Indexing::Never),
            false => asked,
        };
        let never = match asked {
            None => is_secret(field, name),
            Some(asked) => asked == Indexing::Never,
        };
        if never {
            return self.literal(field, name, 0, Some(Indexing::Never), out);
        }
        let line = name.with(field.value);
        match self.line_index(field, name, line) {
            Some(index) => integer::encode(0x80, 7, index, out),
            None => self.literal(field, name, line, asked, out),
        }
    }

    /// The index of a line, in either table.
    #[inline]
    fn line_index(&self, field: Field<'_>, name: Name, line: u32) -> Option<u32> {
        let fixed = name
            .fixed
            .and_then(|first| lookup::static_line(first, field.value));
        fixed.or_else(|| {
            let age = self.index.line(&self.table, line, field)?;
            Some(FIRST_DYNAMIC + age)
        })
    }

    /// Appends a line that has no index, or must not have one. `line` is its hash.
    #[inline(never)]
    fn literal(
        &mut self,
        field: Field<'_>,
        name: Name,
        line: u32,
        asked: Option<Indexing>,
        out: &mut Vec<u8>,
    ) {
        let index = name.fixed.or_else(|| {
            let age = self.index.name(&self.table, name, field.name)?;
            Some(FIRST_DYNAMIC + age)
        });
        if index.is_none() && field.name.iter().any(u8::is_ascii_uppercase) {
            // No table holds such a name, so that only now it must be looked at.
            let lower = &*field.name.to_ascii_lowercase();
            let field = Field {
                name: lower,
                ..field
            };
            return self.represent(field, asked, out);
        }
        let size = field.name.len() + field.value.len() + LINE_OVERHEAD;
        let indexing = asked.unwrap_or_else(|| self.indexing(size, field, name));
        let enter = indexing == Indexing::Enter && size <= self.table.limit() as usize;
        let (flags, prefix) = match indexing {
            Indexing::Never => (0x10, 4),
            _ if enter => (0x40, 6),
            _ => (0x00, 4),
        };
        integer::encode(flags, prefix, index.unwrap_or(0), out);
        if index.is_none() {
            self.string(field.name, out);
        }
        self.string(field.value, out);
        if enter {
            self.changes += 1;
            self.table.append(field.name);
            self.table.append(field.value);
            self.index
                .enter(&mut self.table, (name, field.name.len()), line);
        }
    }

    /// Which way is best for a line of this size that no table holds. What changes with every message, or is large,
    /// would only push better entries out; the list is libnghttp2's.
    fn indexing(&self, size: usize, field: Field<'_>, name: Name) -> Indexing {
        match name.fixed {
            _ if is_secret(field, name) => Indexing::Never,
            Some(
                PATH | AGE | CONTENT_LENGTH | ETAG | IF_MODIFIED_SINCE | IF_NONE_MATCH | LOCATION
                | SET_COOKIE,
            ) => Indexing::Without,
            _ if size > self.table.limit() as usize / 4 * 3 => Indexing::Without,
            _ => Indexing::Enter,
        }
    }

    /// Appends a string, Huffman-coded where that is not longer (RFC 7541, section 5.2).
    fn string(&self, octets: &[u8], out: &mut Vec<u8>) {
        if !(self.huffman && huffman::string(octets, out)) {
            integer::encode(0x00, 7, octets.len() as u32, out);
            out.extend_from_slice(octets);
        }
    }

    fn announce_size(&mut self, size: u32, out: &mut Vec<u8>) {
        integer::encode(0x20, 5, size, out);
        self.table.set_limit(size);
        self.table.settle();
    }
}

/// Whether a line must never enter a table, nor be taken from one: credentials, and what could be guessed.
#[inline]
fn is_secret(field: Field<'_>, name: Name) -> bool {
    match name.fixed {
        Some(AUTHORIZATION | PROXY_AUTHORIZATION) => true,
        Some(COOKIE) => field.value.len() < GUESSABLE,
        _ => false,
    }
}

const AGE: u32 = lookup::first_index(b"age");
const AUTHORIZATION: u32 = lookup::first_index(b"authorization");
const CONTENT_LENGTH: u32 = lookup::first_index(b"content-length");
const COOKIE: u32 = lookup::first_index(b"cookie");
const ETAG: u32 = lookup::first_index(b"etag");
const IF_MODIFIED_SINCE: u32 = lookup::first_index(b"if-modified-since");
const IF_NONE_MATCH: u32 = lookup::first_index(b"if-none-match");
const LOCATION: u32 = lookup::first_index(b"location");
const PATH: u32 = lookup::first_index(b":path");
const PROXY_AUTHORIZATION: u32 = lookup::first_index(b"proxy-authorization");
const SET_COOKIE: u32 = lookup::first_index(b"set-cookie");

/// A cookie shorter than this, in octets, might be found out by trying (RFC 7541, section 7.1).
const GUESSABLE: usize = 20;

impl fmt::Debug for Encoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encoder")
            .field("table_size", &self.table_size())
            .field("table_limit", &self.table_limit())
            .finish_non_exhaustive()
    }
}
