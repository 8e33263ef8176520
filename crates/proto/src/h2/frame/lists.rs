//! Payloads that are lists: the parameters of SETTINGS, the entries of ORIGIN.

/// One line of a SETTINGS frame.
pub const SETTING_LEN: usize = 6;

/// The parameters of a SETTINGS frame, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings<'a>(&'a [u8]);

impl<'a> Settings<'a> {
    /// Over octets that hold whole entries.
    pub fn new(entries: &'a [u8]) -> Self {
        Self(entries)
    }

    /// As they are on the wire.
    pub(super) fn octets(self) -> &'a [u8] {
        self.0
    }

    /// Identifier and value of each.
    pub fn iter(self) -> impl ExactSizeIterator<Item = (u16, u32)> + 'a {
        let (entries, _) = self.0.as_chunks::<SETTING_LEN>();
        entries
            .iter()
            .map(|[a, b, value @ ..]| (u16::from_be_bytes([*a, *b]), u32::from_be_bytes(*value)))
    }
}

/// The entries of an ORIGIN frame, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origins<'a>(&'a [u8]);

impl<'a> Origins<'a> {
    /// Over octets that hold whole entries; none where they do not.
    pub fn new(entries: &'a [u8]) -> Option<Self> {
        let mut rest = entries;
        while !rest.is_empty() {
            (_, rest) = counted(rest)?;
        }
        Some(Self(entries))
    }

    /// As they are on the wire.
    pub(super) fn octets(self) -> &'a [u8] {
        self.0
    }

    /// Each origin, as it was sent.
    pub fn iter(self) -> impl Iterator<Item = &'a [u8]> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            let (origin, after) = counted(rest)?;
            rest = after;
            Some(origin)
        })
    }
}

/// Octets behind their number, and what follows them.
pub(super) fn counted(octets: &[u8]) -> Option<(&[u8], &[u8])> {
    let (number, rest) = octets.split_first_chunk::<2>()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*number)))
}

/// Appends octets behind their number. The caller keeps to 16 bits.
pub(in crate::h2) fn write_counted(octets: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&(octets.len() as u16).to_be_bytes());
    out.extend_from_slice(octets);
}
