//! Which line a representation means (RFC 7541, section 6), and what a peer may do to our table.

use super::huffman;
use super::integer;
use super::table::{self, Dynamic, FIRST_DYNAMIC, STATIC};
use crate::fields::{Field, Joined, LINE_OVERHEAD};
use std::fmt;

/// The decoding half of a connection's compression.
///
/// It is fed whole blocks, in the order in which they came. After an error it has lost step with the peer, and
/// the connection must end (RFC 9113, section 4.3).
///
/// Beside each line of both tables it can keep a note of its user's: what was found out about a line that comes again
/// and again need be found out only once ([`Decoder::decode_noted`]).
pub struct Decoder<N = ()> {
    table: Dynamic<N>,
    /// The notes beside the lines of the static table.
    fixed: [N; STATIC.len()],
    /// The most that the peer may choose: our SETTINGS_HEADER_TABLE_SIZE, once acknowledged.
    allowed: u32,
    /// The peer owes a size update to at most this at the start of its next block.
    owed: Option<u32>,
}

/// Why a block cannot be decoded; to the peer they are all one, COMPRESSION_ERROR.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecodeError {
    /// The block ends within a line (RFC 7541, section 6).
    Truncated,
    /// An integer above 2^32-1, or of more than six octets (RFC 7541, section 5.1).
    Integer,
    /// An index that means no line (RFC 7541, section 2.3.3), or 0 where there must be one (section 6.1).
    Index,
    /// EOS within a string, or padding that is not EOS's first bits, fewer than eight (RFC 7541, section 5.2).
    Huffman,
    /// A size update above what was allowed (RFC 7541, section 6.3).
    TableSizeTooLarge,
    /// A size update behind the first line of a block (RFC 7541, section 4.2).
    TableSizeMisplaced,
    /// No size update after the limit was lowered below the size in use (RFC 7541, section 4.2).
    TableSizeMissing,
}

impl Decoder {
    /// A decoder whose peer may fill a table of `table` octets from the start. It holds no memory yet.
    ///
    /// Over HTTP/2 that is [`INITIAL_TABLE_SIZE`](super::INITIAL_TABLE_SIZE) until our SETTINGS are
    /// acknowledged; then [`Decoder::set_table_limit`] says what was announced.
    pub fn new(table: u32) -> Self {
        Self::noting(table)
    }
}

impl<N: Copy + Default> Decoder<N> {
    /// The same with a note beside each line, which is the default one at first.
    pub fn noting(table: u32) -> Self {
        Self {
            table: Dynamic::new(table),
            fixed: [N::default(); STATIC.len()],
            allowed: table,
            owed: None,
        }
    }

    /// What our SETTINGS_HEADER_TABLE_SIZE allows from now on: call it when the peer acknowledged the setting.
    ///
    /// Lowered below the size in use, the table shrinks at once, and the next block must start with a size
    /// update to no more than the lowest value set since the last block (RFC 7541, section 4.2).
    pub fn set_table_limit(&mut self, octets: u32) {
        self.allowed = octets;
        if octets < self.table.limit() {
            self.table.set_limit(octets);
            self.owed = Some(octets);
        }
    }

    /// Decodes one complete block, hands its lines to `line` in order, and says how large the section is: names,
    /// values and 32 octets a line (RFC 9113, section 6.5.2).
    ///
    /// From the line on with which the section exceeds `limit` octets no line is handed over and no string is
    /// kept, yet the table stays in step. So a result above `limit` means that the message is too large, and
    /// that the connection can go on. The same holds for a `line` that ignores what it is given.
    ///
    /// Names come as the peer wrote them, in upper case too, which HTTP/2 forbids (RFC 9113, section 8.2.1).
    ///
    /// # Errors
    /// The block is malformed: the connection's compression is broken for good.
    pub fn decode(
        &mut self,
        block: &[u8],
        limit: usize,
        mut line: impl FnMut(Field<'_>),
    ) -> Result<usize, DecodeError> {
        self.decode_noted(block, limit, |joined, _| line(joined.field()))
    }

    /// The same, with the note beside each line: the one that was left there when the same entry of a table came
    /// last, the default one if this is the first time. A line that enters no table takes its note with it.
    ///
    /// # Errors
    /// As [`Decoder::decode`].
    pub fn decode_noted(
        &mut self,
        block: &[u8],
        limit: usize,
        mut line: impl FnMut(Joined<'_>, &mut N),
    ) -> Result<usize, DecodeError> {
        let mut rest = self.table_sizes(block)?;
        let mut size = 0_usize;
        while let Some((&first, after)) = rest.split_first() {
            rest = after;
            let literal = match Kind::of(first)? {
                None => None,
                Some(kind) => {
                    let room = limit.saturating_sub(size);
                    Some(self.literal(kind, first, &mut rest, room)?)
                }
            };
            let mut fresh = N::default();
            let (joined, note, counts) = match &literal {
                None => {
                    let index = integer::decode(first, 7, &mut rest)?;
                    let (joined, note) = self.indexed(index).ok_or(DecodeError::Index)?;
                    (joined, note, joined.size())
                }
                Some(literal) => {
                    let never_index = literal.kind == Kind::NeverIndexed;
                    let joined = Joined::new(self.table.tail(), literal.name, never_index);
                    (joined, &mut fresh, literal.size)
                }
            };
            size = size.saturating_add(counts);
            if size <= limit {
                line(joined, note);
            }
            if let Some(literal) = literal {
                self.end_literal(literal, fresh);
            }
        }
        self.table.settle();
        Ok(size)
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

    /// The size updates at a block's start (RFC 7541, sections 4.2 and 6.3); what follows them.
    fn table_sizes<'b>(&mut self, block: &'b [u8]) -> Result<&'b [u8], DecodeError> {
        let mut rest = block;
        while let Some((&first, after)) = rest.split_first() {
            if first & 0xe0 != 0x20 {
                break;
            }
            rest = after;
            let size = integer::decode(first, 5, &mut rest)?;
            if size > self.owed.take().unwrap_or(self.allowed) {
                return Err(DecodeError::TableSizeTooLarge);
            }
            self.table.set_limit(size);
        }
        match self.owed {
            Some(_) => Err(DecodeError::TableSizeMissing),
            None => Ok(rest),
        }
    }

    /// The line with this index (RFC 7541, section 2.3.3), and the note beside it.
    #[inline]
    fn indexed(&mut self, index: u32) -> Option<(Joined<'_>, &mut N)> {
        match index.checked_sub(FIRST_DYNAMIC) {
            Some(age) => self.table.noted(age),
            None => {
                let note = self.fixed.get_mut((index as usize).wrapping_sub(1))?;
                Some((table::fixed(index)?, note))
            }
        }
    }

    /// Puts a literal (RFC 7541, section 6.2) together in the tail of the table's arena, if it counts at most `room`
    /// or may be entered.
    fn literal(
        &mut self,
        kind: Kind,
        first: u8,
        rest: &mut &[u8],
        room: usize,
    ) -> Result<Literal, DecodeError> {
        // A string that is longer than both can neither be handed over nor entered: its length is enough.
        let most = room.max(self.table.limit() as usize);
        let name = match integer::decode(first, kind.prefix(), rest)? {
            0 => self.string(rest, most)?,
            index => self.name(index)?,
        };
        let value = self.string(rest, most)?;
        let size = name.saturating_add(value).saturating_add(LINE_OVERHEAD);
        Ok(Literal { kind, name, size })
    }

    /// Enters the literal in the tail, or takes it back. Evicting happens only here, so that its name may be that of
    /// an entry which it evicts (section 4.4).
    fn end_literal(&mut self, literal: Literal, note: N) {
        if literal.kind != Kind::Indexed {
            self.table.take_back();
        } else if literal.size <= self.table.limit() as usize {
            self.table.enter(literal.name, note);
        } else {
            self.table.clear();
        }
    }

    /// Appends the name of the line with this index to the tail, and says how long it is.
    fn name(&mut self, index: u32) -> Result<usize, DecodeError> {
        match index.checked_sub(FIRST_DYNAMIC) {
            Some(age) => self.table.append_name(age).ok_or(DecodeError::Index),
            None => {
                let line = table::fixed(index).ok_or(DecodeError::Index)?;
                self.table.append(line.field().name);
                Ok(line.field().name.len())
            }
        }
    }

    /// Appends a string (RFC 7541, section 5.2) to the tail, unless it is longer than `most`, and says how long
    /// it is.
    fn string(&mut self, rest: &mut &[u8], most: usize) -> Result<usize, DecodeError> {
        let (&first, after) = rest.split_first().ok_or(DecodeError::Truncated)?;
        *rest = after;
        let len = integer::decode(first, 7, rest)?;
        let (string, after) = rest
            .split_at_checked(len as usize)
            .ok_or(DecodeError::Truncated)?;
        *rest = after;
        if first & 0x80 != 0 {
            let room = huffman::most_decoded(string.len()).min(most);
            return huffman::decode(string, most, self.table.arena(room));
        }
        if string.len() <= most {
            self.table.append(string);
        }
        Ok(string.len())
    }
}

/// A literal that was read.
struct Literal {
    kind: Kind,
    /// How long its name is.
    name: usize,
    /// What it counts.
    size: usize,
}

/// The three kinds of literal (RFC 7541, section 6.2).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Indexed,
    NotIndexed,
    NeverIndexed,
}

impl Kind {
    /// What the first octet of a representation says; none for an index.
    #[inline]
    fn of(first: u8) -> Result<Option<Self>, DecodeError> {
        match first >> 4 {
            8.. => Ok(None),
            0 => Ok(Some(Self::NotIndexed)),
            1 => Ok(Some(Self::NeverIndexed)),
            2 | 3 => Err(DecodeError::TableSizeMisplaced),
            _ => Ok(Some(Self::Indexed)),
        }
    }

    /// How many bits of the first octet begin the name's index.
    fn prefix(self) -> u32 {
        match self {
            Self::Indexed => 6,
            Self::NotIndexed | Self::NeverIndexed => 4,
        }
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Truncated => "the field block ends within a line",
            Self::Integer => "the field block has an integer that is too large",
            Self::Index => "the field block has an index that means no line",
            Self::Huffman => "the field block has a string that is not properly Huffman-coded",
            Self::TableSizeTooLarge => "the field block sets a table size above what was allowed",
            Self::TableSizeMisplaced => "the field block sets a table size behind its first line",
            Self::TableSizeMissing => {
                "the field block does not set the table size that the lower limit asks for"
            }
        })
    }
}

impl std::error::Error for DecodeError {}

impl<N: Copy + Default> fmt::Debug for Decoder<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decoder")
            .field("table_size", &self.table_size())
            .field("table_limit", &self.table_limit())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A section within a large limit may need much memory while it is read, but not after.
    #[test]
    fn a_long_line_leaves_no_memory_behind() {
        let mut decoder = Decoder::new(4096);
        let mut block = vec![0x00, 1, b'x'];
        integer::encode(0x00, 7, 1_000_000, &mut block);
        block.resize(block.len() + 1_000_000, b'v');
        assert_eq!(decoder.decode(&block, 2_000_000, |_| ()), Ok(1_000_033));
        assert!(decoder.table.capacity() <= 2 * 4096);
    }

    /// A string beyond every limit takes no memory even while it is read.
    #[test]
    fn a_string_beyond_every_limit_takes_no_memory() {
        let mut decoder = Decoder::new(4096);
        let mut block = vec![0x00, 1, b'x'];
        // Huffman-coded: 1 600 000 times "0", whose code is 00000.
        integer::encode(0x80, 7, 1_000_000, &mut block);
        block.resize(block.len() + 1_000_000, 0);
        let most = 5000;
        let mut rest = &block[1..];
        let literal = decoder.literal(Kind::NotIndexed, block[0], &mut rest, most);
        assert_eq!(literal.map(|literal| literal.size), Ok(1_600_033));
        assert!(decoder.table.capacity() <= 4 * most);
    }
}
