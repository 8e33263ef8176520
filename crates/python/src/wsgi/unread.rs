//! What has come of a body and has not been read: octets in pieces, read by size or by line.

use bytes::{Buf, Bytes};
use std::collections::VecDeque;

/// Pieces of a body, none of them empty.
#[derive(Default)]
pub(super) struct Unread {
    pieces: VecDeque<Bytes>,
    len: usize,
    /// This many octets from the start are known to hold no line's end.
    searched: usize,
}

impl Unread {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn push(&mut self, piece: Bytes) {
        self.len += piece.len();
        self.pieces.push_back(piece);
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// The length of the first line with its end, if there is an end among the first `most` octets. What was
    /// searched before is not searched again.
    pub(super) fn line(&mut self, most: usize) -> Option<usize> {
        let mut start = 0;
        for piece in &self.pieces {
            let from = self.searched.saturating_sub(start);
            if let Some(rest) = piece.get(from..)
                && let Some(at) = memchr::memchr(b'\n', rest)
            {
                let line = start + from + at + 1;
                self.searched = line - 1;
                return (line <= most).then_some(line);
            }
            start += piece.len();
            if start >= most {
                break;
            }
        }
        self.searched = self.searched.max(start);
        None
    }

    /// Moves the first octets into `out`, filling it.
    ///
    /// # Panics
    /// When there are fewer.
    pub(super) fn take(&mut self, mut out: &mut [u8]) {
        self.len -= out.len();
        self.searched = self.searched.saturating_sub(out.len());
        while let Some(piece) = self.pieces.front_mut()
            && !out.is_empty()
        {
            let (now, later) = out.split_at_mut(piece.len().min(out.len()));
            piece.copy_to_slice(now);
            if piece.is_empty() {
                self.pieces.pop_front();
            }
            out = later;
        }
    }
}
