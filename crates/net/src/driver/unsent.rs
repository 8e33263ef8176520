//! What a socket did not take: the only output that a connection holds by itself.

use super::socket::Socket;
use bytes::{Buf, Bytes};
use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::task::Context;
use thalweg_proto::session::{Gather, Segment};

/// Pieces that one system call is given, at most.
const PIECES: usize = 64;

/// Octets that wait for room in the socket, in order.
#[derive(Debug, Default)]
pub(super) struct Unsent {
    pieces: VecDeque<Bytes>,
}

impl Unsent {
    /// Appends octets by copy.
    pub(super) fn copy(&mut self, octets: &[u8]) {
        if !octets.is_empty() {
            self.pieces.push_back(Bytes::copy_from_slice(octets));
        }
    }

    /// Appends what is left of a gather after its first `sent` octets: runs by copy, slices as they are.
    pub(super) fn rest_of(&mut self, gather: &Gather, mut sent: usize) {
        for segment in gather.segments() {
            let len = segment.octets().len();
            let skip = sent.min(len);
            sent -= skip;
            match segment {
                Segment::Run(octets) => self.copy(&octets[skip..]),
                Segment::Slice(bytes) if skip < len => self.pieces.push_back(bytes.slice(skip..)),
                Segment::Slice(_) => {}
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Writes until all is written or the socket is full. Answers how much was written.
    pub(super) fn write(
        &mut self,
        socket: &Socket,
        context: &mut Context<'_>,
    ) -> io::Result<usize> {
        let mut total = 0;
        while !self.is_empty() {
            let octets = self.pieces.iter().map(Bytes::as_ref);
            match write_some(socket, context, octets)? {
                Some(written) => {
                    total += written;
                    self.consume(written);
                }
                None => break,
            }
        }
        Ok(total)
    }

    fn consume(&mut self, mut written: usize) {
        while let Some(first) = self.pieces.front_mut() {
            if written < first.len() {
                first.advance(written);
                return;
            }
            written -= first.len();
            self.pieces.pop_front();
        }
    }
}

/// Writes a gather until all is written or the socket is full. Answers how much was written.
pub(super) fn write_gather(
    gather: &Gather,
    socket: &Socket,
    context: &mut Context<'_>,
) -> io::Result<usize> {
    let mut total = 0;
    while total < gather.len() {
        let mut skip = total;
        let rest = gather.segments().map(|segment| match segment {
            Segment::Run(octets) => octets,
            Segment::Slice(bytes) => bytes.as_ref(),
        });
        let rest = rest.filter_map(|octets| {
            let skipped = skip.min(octets.len());
            skip -= skipped;
            Some(&octets[skipped..]).filter(|left| !left.is_empty())
        });
        match write_some(socket, context, rest)? {
            Some(written) => total += written,
            None => break,
        }
    }
    Ok(total)
}

/// One system call with as many pieces as fit. None: the socket is full.
fn write_some<'a>(
    socket: &Socket,
    context: &mut Context<'_>,
    octets: impl Iterator<Item = &'a [u8]>,
) -> io::Result<Option<usize>> {
    let mut pieces = [IoSlice::new(&[]); PIECES];
    let mut count = 0;
    for (piece, octets) in pieces.iter_mut().zip(octets) {
        *piece = IoSlice::new(octets);
        count += 1;
    }
    match socket.write(context, &pieces[..count]) {
        Ok(0) => Err(io::ErrorKind::WriteZero.into()),
        Ok(written) => Ok(Some(written)),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error),
    }
}
