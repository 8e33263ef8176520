//! Outgoing octets of one turn, ready for one write: small payloads are copied into contiguous runs, large ones
//! stay where they are.
//!
//! ```text
//!  run     [frame header│head│frame header│small body│frame header]
//!  slices                                                          └► Bytes (a large body)   …
//!  order   Run(0..n), Slice(bytes), Run(n..m), …
//! ```

use bytes::Bytes;

/// Up to this many octets a payload is copied rather than kept as a slice of its own: cheaper, as measured.
pub(super) const COPY_UP_TO: usize = 4 << 10;

/// What one write takes. Its limit is a goal: the frame that reaches it is the last one.
///
/// ```
/// use bytes::Bytes;
/// use thalweg_proto::session::Gather;
///
/// let mut out = Gather::new(64 << 10);
/// out.extend(b"head");
/// out.push(Bytes::from(vec![0; 8192]));
/// assert_eq!(out.len(), 4 + 8192);
/// assert_eq!(out.segments().count(), 2);
/// ```
#[derive(Debug)]
pub struct Gather {
    run: Vec<u8>,
    parts: Vec<Part>,
    /// Where the part of `run` that no entry of `parts` covers begins.
    open: usize,
    len: usize,
    limit: usize,
    contiguous: bool,
}

#[derive(Debug)]
enum Part {
    Run { start: usize, end: usize },
    Slice(Bytes),
}

/// A piece of a [`Gather`], in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Segment<'a> {
    /// Octets that were copied in.
    Run(&'a [u8]),
    /// Octets kept where they were.
    Slice(&'a Bytes),
}

impl Segment<'_> {
    /// Its octets.
    pub fn octets(&self) -> &[u8] {
        match self {
            Segment::Run(octets) => octets,
            Segment::Slice(bytes) => bytes,
        }
    }
}

impl Gather {
    /// An empty one that is full at `limit` octets.
    pub fn new(limit: usize) -> Self {
        Self {
            run: Vec::new(),
            parts: Vec::new(),
            open: 0,
            len: 0,
            limit,
            contiguous: false,
        }
    }

    /// One that copies every payload, for transports that need a single run (TLS).
    pub fn contiguous(limit: usize) -> Self {
        Self {
            contiguous: true,
            ..Self::new(limit)
        }
    }

    /// Copies octets to the end.
    pub fn extend(&mut self, octets: &[u8]) {
        self.run.extend_from_slice(octets);
        self.len += octets.len();
    }

    /// Gives the contiguous tail to a writer (an encoder of field blocks, a number) that appends to it.
    pub fn append<T>(&mut self, write: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        let before = self.run.len();
        let answer = write(&mut self.run);
        debug_assert!(self.run.len() >= before, "the tail only grows");
        self.len += self.run.len().saturating_sub(before);
        answer
    }

    /// Adds a payload, by copy or as a slice, whichever is cheaper.
    pub fn push(&mut self, payload: Bytes) {
        if self.contiguous || payload.len() <= COPY_UP_TO {
            self.extend(&payload);
            return;
        }
        self.close_run();
        self.len += payload.len();
        self.parts.push(Part::Slice(payload));
    }

    /// How many octets fit before the limit.
    pub fn room(&self) -> usize {
        self.limit.saturating_sub(self.len)
    }

    /// Octets in all.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Forgets everything, keeping the memory of the run for the next turn.
    pub fn clear(&mut self) {
        self.run.clear();
        self.parts.clear();
        self.open = 0;
        self.len = 0;
    }

    /// Sets the limit for the next turn.
    pub fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// The pieces in order.
    pub fn segments(&self) -> impl Iterator<Item = Segment<'_>> {
        let tail = self.run.get(self.open..).filter(|tail| !tail.is_empty());
        self.parts
            .iter()
            .map(|part| match part {
                Part::Run { start, end } => {
                    Segment::Run(self.run.get(*start..*end).unwrap_or_default())
                }
                Part::Slice(bytes) => Segment::Slice(bytes),
            })
            .chain(tail.map(Segment::Run))
    }

    /// All octets as one run, where there is no slice among them.
    pub fn as_run(&self) -> Option<&[u8]> {
        self.parts.is_empty().then_some(&self.run)
    }

    /// All octets, copied.
    pub fn to_vec(&self) -> Vec<u8> {
        let mut all = Vec::with_capacity(self.len);
        for segment in self.segments() {
            all.extend_from_slice(segment.octets());
        }
        all
    }

    fn close_run(&mut self) {
        if self.run.len() > self.open {
            self.parts.push(Part::Run {
                start: self.open,
                end: self.run.len(),
            });
            self.open = self.run.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_payloads_are_copied_and_large_ones_kept_in_order() {
        let large = Bytes::from(vec![b'L'; COPY_UP_TO + 1]);
        let mut out = Gather::new(1 << 20);
        out.extend(b"a");
        out.push(Bytes::from_static(b"b"));
        out.push(large.clone());
        out.append(|run| run.push(b'c'));
        let segments: Vec<_> = out.segments().collect();
        assert_eq!(
            segments,
            [
                Segment::Run(b"ab"),
                Segment::Slice(&large),
                Segment::Run(b"c")
            ]
        );
        assert_eq!(out.len(), COPY_UP_TO + 4);
        assert_eq!(out.to_vec().len(), out.len());
        assert!(out.as_run().is_none());
    }

    #[test]
    fn a_contiguous_gather_is_one_run() {
        let mut out = Gather::contiguous(1 << 20);
        out.push(Bytes::from(vec![1; 2 * COPY_UP_TO]));
        assert_eq!(out.as_run().map(<[u8]>::len), Some(2 * COPY_UP_TO));
    }

    #[test]
    fn clearing_leaves_nothing_behind() {
        let mut out = Gather::new(10);
        out.push(Bytes::from(vec![1; COPY_UP_TO + 1]));
        assert_eq!(out.room(), 0);
        out.clear();
        assert!(out.is_empty() && out.segments().next().is_none());
        assert_eq!(out.room(), 10);
    }
}
