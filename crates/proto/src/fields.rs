//! Field lines (RFC 9110, section 5): an ordered list that keeps duplicates, in one arena a message.
//!
//! ```text
//!  octets  "content-typetext/htmlset-cookiea=1set-cookieb=2/index.html"
//!           └─name─────┘└─value─┘└─name────┘…                └ Text: kept octets that are no field
//!  lines   [ {start, name, value, never_index}, … ]
//! ```
//!
//! Two allocations hold a whole message, however many fields it has. A thread keeps those of messages that are over for
//! those that come: a batch of requests is more than most allocators have at hand.

use std::cell::RefCell;
use std::fmt;
use std::num::NonZeroU32;

/// How many lists a thread keeps: as many as a hundred requests and their responses take. They come in such batches.
const SPARE: usize = 256;

/// The octets of an arena, above which it is not kept.
const LARGEST_SPARE: usize = 2 << 10;

thread_local! {
    /// The memory of lists that were dropped.
    static SPARES: RefCell<Vec<(Vec<u8>, Vec<Line>)>> = const { RefCell::new(Vec::new()) };
}

/// An ordered list of field lines. Names are kept in lower case; duplicates and their order are kept.
///
/// ```
/// use thalweg_proto::fields::Fields;
///
/// let mut fields = Fields::new();
/// fields.push(b"Set-Cookie", b"a=1");
/// fields.push(b"Set-Cookie", b"b=2");
/// assert_eq!(fields.first(b"set-cookie"), Some(&b"a=1"[..]));
/// assert_eq!(fields.all(b"set-cookie").count(), 2);
/// assert_eq!(fields.section_size(), 2 * (10 + 3 + 32));
/// ```
#[derive(Default)]
pub struct Fields {
    octets: Vec<u8>,
    lines: Vec<Line>,
}

/// One field line, borrowed from its [`Fields`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Field<'a> {
    /// The name, in lower case.
    pub name: &'a [u8],
    /// The value, without surrounding white space.
    pub value: &'a [u8],
    /// Whether an intermediary must never put this line into a compression table (RFC 7541, section 7.1.3).
    pub never_index: bool,
}

/// One field line whose name and value stand side by side, as a compression table keeps them: copied in one go.
#[derive(Clone, Copy)]
pub struct Joined<'a> {
    octets: &'a [u8],
    name: usize,
    never_index: bool,
}

impl<'a> Joined<'a> {
    /// The line that these octets are, of which the name takes so many.
    #[inline]
    pub(crate) fn new(octets: &'a [u8], name: usize, never_index: bool) -> Self {
        Self {
            octets,
            name,
            never_index,
        }
    }

    /// The same line in two parts.
    #[inline]
    pub fn field(self) -> Field<'a> {
        let (name, value) = self.octets.split_at_checked(self.name).unwrap_or_default();
        Field {
            name,
            value,
            never_index: self.never_index,
        }
    }

    /// Only the value.
    #[inline]
    pub fn value(self) -> &'a [u8] {
        self.octets.get(self.name..).unwrap_or_default()
    }

    /// What the line counts (RFC 9113, section 6.5.2).
    #[inline]
    pub fn size(self) -> usize {
        self.octets.len() + LINE_OVERHEAD
    }
}

/// Octets kept in the arena of a [`Fields`] without being a field: a method, a path. Valid for that list only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Text {
    /// One more than where they start, so that none of them takes no more room than one.
    from: NonZeroU32,
    len: u32,
}

/// No octets.
impl Default for Text {
    fn default() -> Self {
        Self {
            from: NonZeroU32::MIN,
            len: 0,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Line {
    start: u32,
    name: u32,
    value: u32,
    never_index: bool,
}

/// What a field line costs beside its octets in [`Fields::section_size`] (RFC 9113, section 6.5.2).
pub const LINE_OVERHEAD: usize = 32;

impl Fields {
    /// An empty list, which holds no memory.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty list with room for `lines` lines of `octets` octets in all.
    pub fn with_capacity(lines: usize, octets: usize) -> Self {
        // A thread that ends has none.
        let spare = SPARES.try_with(|spares| spares.borrow_mut().pop());
        let mut list = match spare {
            Ok(Some((octets, lines))) => Self { octets, lines },
            _ => Self::new(),
        };
        list.octets.reserve(octets);
        list.lines.reserve(lines);
        list
    }

    /// Appends a line; the name is lowered, the value taken as it is.
    ///
    /// # Panics
    /// When the list would exceed 4 GiB. Sessions bound what a peer can send far below that.
    pub fn push(&mut self, name: &[u8], value: &[u8]) {
        self.push_field(Field {
            name,
            value,
            never_index: false,
        });
    }

    /// Appends a line with its never-index mark; the name is lowered.
    ///
    /// # Panics
    /// As [`Fields::push`].
    pub fn push_field(&mut self, field: Field<'_>) {
        let start = self.octets.len() as u32;
        self.octets.extend_from_slice(field.name);
        if let Some(name) = self.octets.get_mut(start as usize..) {
            name.make_ascii_lowercase();
        }
        self.octets.extend_from_slice(field.value);
        self.end(); // the bound of the arena
        self.lines.push(Line {
            start,
            name: field.name.len() as u32,
            value: field.value.len() as u32,
            never_index: field.never_index,
        });
    }

    /// Appends a line whose name is known to be in lower case.
    #[inline]
    pub(crate) fn push_lower(&mut self, line: Joined<'_>) {
        let start = self.octets.len() as u32;
        self.octets.extend_from_slice(line.octets);
        self.end(); // the bound of the arena
        self.lines.push(Line {
            start,
            name: line.name as u32,
            value: (line.octets.len() - line.name) as u32,
            never_index: line.never_index,
        });
    }

    /// Keeps octets that are no field in the same arena.
    ///
    /// # Panics
    /// As [`Fields::push`].
    pub fn keep(&mut self, octets: &[u8]) -> Text {
        let start = self.octets.len() as u32;
        self.octets.extend_from_slice(octets);
        Text {
            from: NonZeroU32::MIN.saturating_add(start),
            len: self.end() - start,
        }
    }

    /// The octets that [`Fields::keep`] kept; empty for a [`Text`] of another list.
    pub fn text(&self, text: Text) -> &[u8] {
        self.span(text.from.get() - 1, text.len)
    }

    /// The lines in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = Field<'_>> + ExactSizeIterator + Clone {
        self.lines.iter().map(|line| self.field(line))
    }

    /// The value of the first line with this name, given in any letter case.
    pub fn first(&self, name: &[u8]) -> Option<&[u8]> {
        self.iter()
            .find(|field| field.name.eq_ignore_ascii_case(name))
            .map(|field| field.value)
    }

    /// The values of all lines with this name, in order.
    pub fn all<'a>(&'a self, name: &'a [u8]) -> impl Iterator<Item = &'a [u8]> + 'a {
        self.iter()
            .filter(move |field| field.name.eq_ignore_ascii_case(name))
            .map(|field| field.value)
    }

    /// Whether there is a line with this name.
    pub fn contains(&self, name: &[u8]) -> bool {
        self.first(name).is_some()
    }

    /// Removes every line for which `keep` answers false. The arena keeps its octets until the list is dropped.
    pub fn retain(&mut self, mut keep: impl FnMut(Field<'_>) -> bool) {
        let octets = &self.octets;
        self.lines.retain(|line| keep(field_in(octets, line)));
    }

    /// How many lines there are.
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// Whether there is no line.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// The size that limits count: octets of names and values, and 32 a line (RFC 9113, section 6.5.2).
    pub fn section_size(&self) -> usize {
        self.lines
            .iter()
            .map(|line| line.name as usize + line.value as usize + LINE_OVERHEAD)
            .sum()
    }

    /// Becomes a copy of another list, in the memory that it has.
    pub(crate) fn copy_from(&mut self, other: &Self) {
        self.octets.clear();
        self.octets.extend_from_slice(&other.octets);
        self.lines.clear();
        self.lines.extend_from_slice(&other.lines);
    }

    /// Whether this is a copy of another list: the same lines in the same places. Lists that were not made alike may
    /// be equal all the same.
    pub(crate) fn is_copy_of(&self, other: &Self) -> bool {
        self.octets == other.octets && self.lines == other.lines
    }

    fn field(&self, line: &Line) -> Field<'_> {
        field_in(&self.octets, line)
    }

    fn span(&self, start: u32, len: u32) -> &[u8] {
        span_in(&self.octets, start, len)
    }

    #[inline]
    fn end(&self) -> u32 {
        assert!(
            self.octets.len() <= u32::MAX as usize,
            "a field list holds at most 4 GiB"
        );
        self.octets.len() as u32
    }
}

impl Clone for Fields {
    fn clone(&self) -> Self {
        let mut copy = Self::with_capacity(self.lines.len(), self.octets.len());
        copy.copy_from(self);
        copy
    }
}

impl Drop for Fields {
    fn drop(&mut self) {
        let (octets, lines) = (self.octets.capacity(), self.lines.capacity());
        if octets == 0 || octets > LARGEST_SPARE || lines * size_of::<Line>() > LARGEST_SPARE {
            return;
        }
        // A thread that ends keeps none.
        let _ = SPARES.try_with(|spares| {
            let mut spares = spares.borrow_mut();
            if spares.len() < SPARE {
                self.octets.clear();
                self.lines.clear();
                spares.push((
                    std::mem::take(&mut self.octets),
                    std::mem::take(&mut self.lines),
                ));
            }
        });
    }
}

fn field_in<'a>(octets: &'a [u8], line: &Line) -> Field<'a> {
    Field {
        name: span_in(octets, line.start, line.name),
        value: span_in(octets, line.start + line.name, line.value),
        never_index: line.never_index,
    }
}

fn span_in(octets: &[u8], start: u32, len: u32) -> &[u8] {
    let start = start as usize;
    octets.get(start..start + len as usize).unwrap_or_default()
}

impl PartialEq for Fields {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Fields {}

impl<'a> FromIterator<(&'a [u8], &'a [u8])> for Fields {
    fn from_iter<I: IntoIterator<Item = (&'a [u8], &'a [u8])>>(lines: I) -> Self {
        let mut fields = Self::new();
        for (name, value) in lines {
            fields.push(name, value);
        }
        fields
    }
}

impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// Shows the name and, unless the line is marked never-index, the value.
impl fmt::Debug for Field<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value: &dyn fmt::Display = if self.never_index {
            &"(hidden)"
        } else {
            &self.value.escape_ascii()
        };
        write!(f, "{}: {value}", self.name.escape_ascii())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kept_text_is_no_field_and_survives_later_lines() {
        let mut fields = Fields::new();
        let path = fields.keep(b"/a");
        fields.push(b"x", b"1");
        assert_eq!(fields.text(path), b"/a");
        assert_eq!(fields.len(), 1);
    }

    #[test]
    fn names_are_lowered_and_found_in_any_case() {
        let mut fields = Fields::new();
        fields.push(b"X-Any", b"Kept As Is");
        assert_eq!(fields.iter().next().unwrap().name, b"x-any");
        assert_eq!(fields.first(b"X-ANY"), Some(&b"Kept As Is"[..]));
    }

    #[test]
    fn retain_drops_lines_in_place() {
        let mut fields: Fields = [
            (&b"a"[..], &b"1"[..]),
            (&b"connection"[..], &b"close"[..]),
            (&b"b"[..], &b"2"[..]),
        ]
        .into_iter()
        .collect();
        fields.retain(|field| field.name != b"connection");
        assert_eq!(format!("{fields:?}"), "[a: 1, b: 2]");
    }

    #[test]
    fn a_list_in_memory_that_was_used_before_shows_nothing_of_it() {
        let mut first = Fields::with_capacity(2, 64);
        first.push(b"cookie", b"secret");
        let secret = first.keep(b"/secret");
        drop(first);
        let second = Fields::with_capacity(1, 16);
        assert!(second.octets.capacity() >= 64, "it is the same memory");
        assert!(second.is_empty() && second.text(secret).is_empty());
    }

    #[test]
    fn a_large_list_is_not_kept() {
        drop(Fields::with_capacity(1, LARGEST_SPARE + 1));
        assert!(Fields::with_capacity(1, 1).octets.capacity() <= LARGEST_SPARE);
    }

    #[test]
    fn a_never_indexed_value_is_not_shown() {
        let mut fields = Fields::new();
        fields.push_field(Field {
            name: b"authorization",
            value: b"secret",
            never_index: true,
        });
        assert_eq!(format!("{fields:?}"), "[authorization: (hidden)]");
    }
}
