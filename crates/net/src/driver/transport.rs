//! One connection's octets: a socket, perhaps TLS over it, and what the socket did not take.
//!
//! ```text
//!           receive                                  send
//!  socket ─► scratch.plain ─► session      session ─► scratch.gather ─────────────────► socket
//!     └─► scratch.sealed ─► TLS ─┘                 └► scratch.gather_sealed ─► TLS ─► scratch.outgoing ─┘
//! ```
//!
//! All those buffers are the worker's, borrowed for one step. Between two steps a connection holds only an
//! incomplete TLS record and [`Unsent`] octets, and as a rule neither.

use super::socket::Socket;
use super::unsent::{Unsent, write_gather};
use crate::tls::TlsInfo;
use crate::tls::engine::{Engine, State, Wish};
use crate::worker::buffer::Buffer;
use crate::worker::{READ, Scratch, WRITE};
use std::io;
use std::task::Context;
use std::time::{Duration, Instant};
use thalweg_proto::session::{Eof, Gather};

/// The smallest round of writing that a slow client is given.
const LEAST_ROUND: usize = 16 << 10;

/// The largest round while streams of different urgency are open.
const NARROW_ROUND: usize = 64 << 10;

/// What the kernel holds that it has not sent yet, at most: enough for a millisecond at 1 Gbit/s. Measured with ten
/// downloads and a slow client over loopback: an urgent answer comes after 0.2 instead of 4 MiB of them, and a fast
/// client's downloads cost the same.
const UNSENT: u32 = 128 << 10;

pub(super) struct Transport {
    socket: Socket,
    tls: Option<Box<Tls>>,
    unsent: Option<Box<Unsent>>,
    /// While octets wait that the socket does not take.
    stalled: Option<Stall>,
    /// How much the session may gather for one write. It shrinks to what a slow client takes, so that what is
    /// urgent does not queue behind bulk.
    round: usize,
}

/// When the client was last seen to take something, and how much the kernel held for it then.
#[derive(Clone, Copy)]
struct Stall {
    since: Instant,
    queued: usize,
}

impl Stall {
    /// Whether the client has taken as many octets as it has to, and one at least.
    fn has_moved(self, later: Self, rate: u32) -> bool {
        let taken = self.queued.saturating_sub(later.queued);
        let due = later
            .since
            .saturating_duration_since(self.since)
            .as_secs_f64()
            * f64::from(rate);
        taken > 0 && taken as f64 >= due
    }
}

struct Tls {
    engine: Box<dyn Engine>,
    state: State,
    /// An incomplete record.
    kept: Vec<u8>,
    begun: bool,
    /// It has failed: the alert was its last word.
    broken: bool,
}

/// What [`Transport::receive`] found.
#[derive(Debug)]
pub(super) enum Received {
    /// Something; plaintext, if any, is in the scratch.
    Octets,
    /// The peer's octets have ended.
    End(Eof),
    /// Nothing now; the task is woken when there is.
    Nothing,
}

/// Why the transport cannot go on.
#[derive(Debug)]
pub(super) enum Broken {
    Io(io::Error),
    /// The alert that tells the peer waits to be sent.
    Tls(rustls::Error),
    /// The first octets are a plain HTTP request, where TLS was to come.
    PlainHttp,
}

impl From<io::Error> for Broken {
    fn from(error: io::Error) -> Self {
        Broken::Io(error)
    }
}

impl Transport {
    pub(super) fn new(socket: Socket, engine: Option<Box<dyn Engine>>) -> Self {
        Self {
            socket,
            tls: engine.map(|engine| {
                Box::new(Tls {
                    engine,
                    state: State::Handshaking,
                    kept: Vec::new(),
                    begun: false,
                    broken: false,
                })
            }),
            unsent: None,
            stalled: None,
            round: WRITE,
        }
    }

    /// Brings what was kept into the scratch, for one step.
    pub(super) fn begin(&mut self, scratch: &mut Scratch) {
        scratch.sealed.clear();
        scratch.outgoing.clear();
        scratch.gather.clear();
        scratch.gather_sealed.clear();
        if let Some(tls) = &mut self.tls {
            scratch.sealed.extend(&tls.kept);
            tls.kept = Vec::new();
        }
    }

    /// Takes out of the scratch what belongs to this connection.
    pub(super) fn end(&mut self, scratch: &mut Scratch) {
        if let Some(tls) = &mut self.tls {
            tls.kept = scratch.sealed.take();
        }
        let octets = scratch.outgoing.octets();
        if !octets.is_empty() {
            self.unsent.get_or_insert_default().copy(octets);
        }
    }

    pub(super) fn is_handshaking(&self) -> bool {
        self.tls
            .as_ref()
            .is_some_and(|tls| tls.state == State::Handshaking)
    }

    /// What was negotiated; asked once, after the handshake.
    pub(super) fn tls_info(&mut self) -> Option<TlsInfo> {
        self.tls.as_mut().map(|tls| tls.engine.info())
    }

    /// Reads once.
    pub(super) fn receive(
        &mut self,
        context: &mut Context<'_>,
        scratch: &mut Scratch,
    ) -> Result<Received, Broken> {
        let Some(tls) = &mut self.tls else {
            let read = scratch
                .plain
                .append(READ, |free| self.socket.read(context, free));
            return Ok(match read {
                Ok(0) => Received::End(Eof::Clean),
                Ok(_) => Received::Octets,
                Err(error) => nothing(error)?,
            });
        };
        if tls.state == State::PeerClosed {
            return Ok(Received::End(Eof::Clean));
        }
        match scratch
            .sealed
            .append(READ, |free| self.socket.read(context, free))
        {
            Ok(0) => return Ok(Received::End(Eof::Truncated)),
            Ok(_) => {}
            Err(error) => return Ok(nothing(error)?),
        }
        if !tls.begun {
            tls.begun = true;
            // A handshake record begins with 22 (RFC 8446, section 5.1); a method with a letter.
            if scratch
                .sealed
                .octets()
                .first()
                .is_some_and(u8::is_ascii_uppercase)
            {
                return Err(Broken::PlainHttp);
            }
        }
        tls.turn(Wish::Nothing, scratch)?;
        Ok(Received::Octets)
    }

    /// Where the session puts what it sends, with the limit of this round.
    pub(super) fn gather<'a>(&self, scratch: &'a mut Scratch) -> &'a mut Gather {
        let gather = match self.tls {
            None => &mut scratch.gather,
            Some(_) => &mut scratch.gather_sealed,
        };
        gather.set_limit(self.round);
        gather
    }

    /// Writes what was gathered, which may only be when nothing is [blocked](Transport::is_blocked), and what
    /// TLS has to say.
    pub(super) fn send(
        &mut self,
        context: &mut Context<'_>,
        now: Instant,
        scratch: &mut Scratch,
    ) -> Result<(), Broken> {
        match &mut self.tls {
            None => {
                let gather = &mut scratch.gather;
                let (len, sent) = (gather.len(), write_gather(gather, &self.socket, context)?);
                if sent < len {
                    self.unsent.get_or_insert_default().rest_of(gather, sent);
                }
                gather.clear();
                self.count(now, len, sent);
                Ok(())
            }
            Some(tls) => {
                if !scratch.gather_sealed.is_empty() {
                    tls.send_gathered(scratch)?;
                }
                self.flush(context, now, scratch)
            }
        }
    }

    /// Writes what waits, then what TLS has to say.
    pub(super) fn flush(
        &mut self,
        context: &mut Context<'_>,
        now: Instant,
        scratch: &mut Scratch,
    ) -> Result<(), Broken> {
        if let Some(unsent) = &mut self.unsent {
            let sent = unsent.write(&self.socket, context)?;
            if unsent.is_empty() {
                self.unsent = None;
                self.stalled = None;
            } else if sent > 0 {
                self.note_stall(now);
            }
        }
        let octets = scratch.outgoing.octets();
        if octets.is_empty() {
            return Ok(());
        }
        let (len, mut sent) = (octets.len(), 0);
        if self.unsent.is_none() {
            let mut waiting = Unsent::default();
            sent = self.write_run(context, octets)?;
            waiting.copy(&octets[sent..]);
            self.unsent = Some(waiting)
                .filter(|waiting| !waiting.is_empty())
                .map(Box::new);
        } else {
            self.unsent.get_or_insert_default().copy(octets);
        }
        scratch.outgoing.clear();
        self.count(now, len, sent);
        Ok(())
    }

    /// Whether the socket is full and octets wait.
    pub(super) fn is_blocked(&self) -> bool {
        self.unsent.is_some()
    }

    /// Since when the client has taken nothing.
    pub(super) fn stalled(&self) -> Option<Instant> {
        self.stalled.map(|stall| stall.since)
    }

    /// Whether that is too long: for as long as `patience` it has taken fewer octets a second than `rate`. The
    /// socket takes no more before a good part of what the kernel holds has left: of a slow client that reads on,
    /// only the kernel knows.
    pub(super) fn is_stalled(&mut self, now: Instant, patience: Duration, rate: u32) -> bool {
        let Some(stall) = self.stalled else {
            return false;
        };
        if now.saturating_duration_since(stall.since) < patience {
            return false;
        }
        self.note_stall(now);
        self.stalled
            .is_some_and(|later| !stall.has_moved(later, rate))
    }

    fn note_stall(&mut self, now: Instant) {
        self.stalled = Some(Stall {
            since: now,
            queued: self.socket.queued(),
        });
    }

    /// Leaves close_notify to be sent, over TLS that has not failed.
    pub(super) fn say_goodbye(&mut self, scratch: &mut Scratch) -> Result<(), Broken> {
        match &mut self.tls {
            Some(tls) if tls.state != State::Handshaking && !tls.broken => {
                tls.turn(Wish::Close, scratch)
            }
            _ => Ok(()),
        }
    }

    /// Gives TLS up and sends octets as they are.
    pub(super) fn speak_plainly(&mut self, octets: &[u8]) {
        self.tls = None;
        self.unsent.get_or_insert_default().copy(octets);
    }

    /// Has the kernel take no more than the network will soon: the rest waits where what is more urgent overtakes it.
    pub(super) fn keep_kernel_short(&self) {
        if let Err(error) = self.socket.bound_unsent(UNSENT) {
            tracing::debug!(%error, "the kernel takes all it can, and what is urgent comes after that");
        }
    }

    /// Makes the next round a small one: what is urgent may come before it is written.
    pub(super) fn narrow(&mut self) {
        self.round = self.round.min(NARROW_ROUND);
    }

    /// Ends our direction, once all is sent.
    pub(super) fn finish(&self) -> io::Result<()> {
        self.socket.finish()
    }

    /// Looks whether the peer is still there, without reading.
    ///
    /// # Errors
    /// When it has reset the connection.
    pub(super) fn look_out(&self) -> io::Result<()> {
        match self.socket.is_reset()? {
            true => Err(io::ErrorKind::ConnectionReset.into()),
            false => Ok(()),
        }
    }

    /// Makes the end of this connection a reset.
    pub(super) fn reset(&self) {
        if let Err(error) = self.socket.reset_on_close() {
            tracing::debug!(%error, "a connection is closed instead of reset");
        }
    }

    /// Reads octets that nobody wants. 0 is their end.
    pub(super) fn read_away(
        &mut self,
        context: &mut Context<'_>,
        scratch: &mut Scratch,
    ) -> io::Result<usize> {
        scratch.sealed.clear();
        let read = scratch
            .sealed
            .append(READ, |free| self.socket.read(context, free));
        scratch.sealed.clear();
        read
    }

    fn write_run(&self, context: &mut Context<'_>, octets: &[u8]) -> io::Result<usize> {
        let mut sent = 0;
        while sent < octets.len() {
            match self
                .socket
                .write(context, &[io::IoSlice::new(&octets[sent..])])
            {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => sent += written,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(sent)
    }

    /// Notes how a write of `len` octets went.
    fn count(&mut self, now: Instant, len: usize, sent: usize) {
        if sent < len {
            self.note_stall(now);
            self.round = sent.clamp(LEAST_ROUND, WRITE);
        } else if len >= self.round {
            self.round = (self.round * 2).min(WRITE);
        }
    }
}

impl Tls {
    fn turn(&mut self, wish: Wish<'_>, scratch: &mut Scratch) -> Result<(), Broken> {
        let Scratch {
            sealed,
            plain,
            outgoing,
            ..
        } = scratch;
        self.turn_over(wish, sealed, plain, outgoing)
    }

    fn send_gathered(&mut self, scratch: &mut Scratch) -> Result<(), Broken> {
        let Scratch {
            sealed,
            plain,
            gather_sealed: gather,
            outgoing,
            ..
        } = scratch;
        let run = gather.as_run().unwrap_or_default();
        debug_assert_eq!(
            run.len(),
            gather.len(),
            "over TLS all is gathered in one run"
        );
        let turned = self.turn_over(Wish::Send(run), sealed, plain, outgoing);
        gather.clear();
        turned
    }

    fn turn_over(
        &mut self,
        wish: Wish<'_>,
        sealed: &mut Buffer,
        plain: &mut Buffer,
        outgoing: &mut Buffer,
    ) -> Result<(), Broken> {
        match self.engine.turn(sealed.octets_mut(), wish, plain, outgoing) {
            Ok(turn) => {
                sealed.consume(turn.consumed);
                self.state = turn.state;
                Ok(())
            }
            Err(error) => {
                self.broken = true;
                Err(Broken::Tls(error))
            }
        }
    }
}

fn nothing(error: io::Error) -> io::Result<Received> {
    match error.kind() {
        io::ErrorKind::WouldBlock => Ok(Received::Nothing),
        _ => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_that_takes_crumbs_has_not_moved() {
        let since = Instant::now();
        let moved = |queued, seconds, rate| {
            let later = Stall {
                since: since + Duration::from_secs(seconds),
                queued,
            };
            Stall {
                since,
                queued: 100_000,
            }
            .has_moved(later, rate)
        };
        assert!(!moved(100_000, 60, 256), "nothing");
        assert!(!moved(99_000, 60, 256), "1000 octets in a minute");
        assert!(moved(84_000, 60, 256));
        assert!(moved(99_999, 60, 0), "no rate is asked for");
        assert!(!moved(100_000, 60, 0));
        assert!(!moved(120_000, 60, 0));
    }
}
