//! Which representation a line gets (RFC 7541, sections 6 and 7.1).

use super::lookup::{self, Chains};
use super::table::{Dynamic, FIRST_DYNAMIC};
use super::{INITIAL_TABLE_SIZE, huffman, integer};
use crate::fields::{Field, LINE_OVERHEAD};
use std::fmt;

/// The encoding half of a connection's compression.
///
/// Blocks must be sent in the order in which they were encoded, and none may be left out.
pub struct Encoder {
    table: Dynamic,
    lines: Chains,
    names: Chains,
    /// The most that we use, whatever the peer allows.
    most: u32,
    /// What the next block must announce.
    announce: Option<Announce>,
}

/// Size updates that are due (RFC 7541, section 4.2).
#[derive(Clone, Copy)]
struct Announce {
    /// The smallest size since the last block.
    smallest: u32,
    /// The size from the next block on.
    last: u32,
}

/// What becomes of a literal (RFC 7541, section 6.2).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Indexing {
    Enter,
    Without,
    Never,
}

impl Encoder {
    /// An encoder that uses a table of at most `table` octets. It holds no memory yet.
    ///
    /// The peer is taken to allow [`INITIAL_TABLE_SIZE`] until [`Encoder::set_table_limit`] says otherwise.
    pub fn new(table: u32) -> Self {
        let mut encoder = Self {
            table: Dynamic::new(INITIAL_TABLE_SIZE),
            lines: Chains::new(),
            names: Chains::new(),
            most: table,
            announce: None,
        };
        encoder.set_table_limit(INITIAL_TABLE_SIZE);
        encoder
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
        if smallest < last {
            self.announce_size(smallest, out);
        }
        self.announce_size(last, out);
    }

    fn announce_size(&mut self, size: u32, out: &mut Vec<u8>) {
        integer::encode(0x20, 5, size, out);
        self.table.set_limit(size);
        self.lines.evict_to(self.table.len());
        self.names.evict_to(self.table.len());
    }

    /// Appends a line to the block that was begun. A name is written in lower case, whatever it comes in.
    ///
    /// A line that is marked never-index, credentials, and cookies short enough to be guessed never enter a
    /// table, here or at any intermediary (RFC 7541, section 7.1.3).
    pub fn field(&mut self, field: Field<'_>, out: &mut Vec<u8>) {
        let Field { name, value, .. } = field;
        let hash = lookup::hash_name(name);
        let fixed = lookup::static_name(name, hash);
        let indexing = self.indexing(field);
        let line = lookup::hash_line(hash, value);
        if indexing != Indexing::Never {
            let index = fixed
                .and_then(|first| lookup::static_line(first, value))
                .or_else(|| self.dynamic_line(field, line));
            if let Some(index) = index {
                integer::encode(0x80, 7, index, out);
                return;
            }
        }
        let index = fixed.or_else(|| self.dynamic_name(name, hash));
        if index.is_none() && name.iter().any(u8::is_ascii_uppercase) {
            let name = &*name.to_ascii_lowercase();
            return self.field(Field { name, ..field }, out);
        }
        let index_or_new = index.unwrap_or(0);
        match indexing {
            Indexing::Enter => integer::encode(0x40, 6, index_or_new, out),
            Indexing::Without => integer::encode(0x00, 4, index_or_new, out),
            Indexing::Never => integer::encode(0x10, 4, index_or_new, out),
        }
        if index.is_none() {
            string(name, out);
        }
        string(value, out);
        if indexing == Indexing::Enter {
            self.table.append(name);
            self.table.append(value);
            self.table.enter(name.len());
            self.lines.enter(line);
            self.names.enter(hash);
            self.lines.evict_to(self.table.len());
            self.names.evict_to(self.table.len());
        }
    }

    /// The index of the dynamic entry that is this line.
    fn dynamic_line(&self, field: Field<'_>, hash: u64) -> Option<u32> {
        let is = |age| self.table.entry(age) == Some((field.name, field.value));
        Some(FIRST_DYNAMIC + self.lines.find(hash, is)?)
    }

    /// The index of the newest dynamic entry with this name.
    fn dynamic_name(&self, name: &[u8], hash: u64) -> Option<u32> {
        let is = |age| self.table.entry(age).is_some_and(|line| line.0 == name);
        Some(FIRST_DYNAMIC + self.names.find(hash, is)?)
    }

    fn indexing(&self, field: Field<'_>) -> Indexing {
        let Field { name, value, .. } = field;
        if field.never_index {
            return Indexing::Never;
        }
        match name {
            b"authorization" | b"proxy-authorization" => return Indexing::Never,
            b"cookie" if value.len() < GUESSABLE => return Indexing::Never,
            b":path" | b"age" | b"content-length" | b"etag" | b"if-modified-since"
            | b"if-none-match" | b"location" | b"set-cookie" => return Indexing::Without,
            _ => {}
        }
        let size = name.len() + value.len() + LINE_OVERHEAD;
        if size > self.table.limit() as usize / 4 * 3 {
            return Indexing::Without;
        }
        Indexing::Enter
    }
}

/// A cookie shorter than this, in octets, might be found out by trying (RFC 7541, section 7.1).
const GUESSABLE: usize = 20;

/// Appends a string, Huffman-coded where that is shorter (RFC 7541, section 5.2).
fn string(octets: &[u8], out: &mut Vec<u8>) {
    let coded = huffman::encoded_len(octets);
    if coded < octets.len() {
        integer::encode(0x80, 7, coded as u32, out);
        huffman::encode(octets, out);
    } else {
        integer::encode(0x00, 7, octets.len() as u32, out);
        out.extend_from_slice(octets);
    }
}

impl fmt::Debug for Encoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encoder")
            .field("entries", &self.table.len())
            .field("size", &self.table.size())
            .field("limit", &self.table.limit())
            .finish_non_exhaustive()
    }
}
