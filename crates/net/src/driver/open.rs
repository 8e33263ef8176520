//! A connection while its session lives: octets in, events up, commands down, octets out.
//!
//! ```text
//!  ┌► feed the session what was read, until it is quiet ─► let it fill one round, write it ─► read ─┐
//!  └────────────────────────────────────────────────────────────────────────────────────────────────┘
//!                until nothing moves: then wait for the socket, the bell or the deadline
//! ```
//!
//! So one write carries all that one read caused. Reading goes on while the socket takes nothing: what the peer
//! can cause is bounded by the session, and a peer that must write before it reads is not locked out.

use super::transport::{Broken, Received, Transport};
use crate::service::{Connection, Ended};
use crate::worker::{Phase, Scratch};
use std::task::Context;
use std::time::{Duration, Instant};
use thalweg_proto::error::{Code, ConnectionError};
use thalweg_proto::session::{Finish, Session, Shutdown, fill};

/// Rounds in one step, before others have their turn.
const ROUNDS: usize = 8;

/// How often a socket is looked at that is not read from.
const LOOKOUT: Duration = Duration::from_secs(1);

pub(super) struct Open<C: Connection> {
    session: Box<dyn Session>,
    connection: C,
    /// Whether the bell rang since the last step.
    woken: bool,
    /// Whether the session knows that we drain.
    draining: bool,
    /// Whether the peer's octets have ended.
    ended: bool,
    /// Whether close_notify was said, and our direction ended, while the peer's goes on.
    said_goodbye: bool,
    finished: bool,
    /// Whether the session had more to write than the last round took.
    more: bool,
    /// When the socket is looked at, while it is not read from.
    lookout: Option<Instant>,
    error: Option<Box<ConnectionError>>,
}

/// What came of a step.
pub(super) enum Pumped {
    /// Nothing moves any more.
    Wait,
    /// Much was done, and there is more.
    Yield,
    /// The session is over, and all that it had to say is written or waits to be.
    Over(Ended, Finish),
    /// The connection cannot go on.
    Lost(Ended),
}

/// Whether writing came to its end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Written {
    /// Nothing is left.
    All,
    /// There is more to write.
    More,
    /// The socket is full.
    Blocked,
}

impl<C: Connection> Open<C> {
    pub(super) fn new(session: Box<dyn Session>, connection: C) -> Self {
        Self {
            session,
            connection,
            woken: false,
            draining: false,
            ended: false,
            said_goodbye: false,
            finished: false,
            more: false,
            lookout: None,
            error: None,
        }
    }

    pub(super) fn wake(&mut self) {
        self.woken = true;
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        [self.session.deadline(), self.lookout]
            .into_iter()
            .flatten()
            .min()
    }

    /// The end: nothing is called after this.
    pub(super) fn end(&mut self, why: Ended) {
        self.connection.ended(why);
    }

    pub(super) fn pump(
        &mut self,
        context: &mut Context<'_>,
        now: Instant,
        phase: Phase,
        transport: &mut Transport,
        scratch: &mut Scratch,
    ) -> Pumped {
        match self.try_pump(context, now, phase, transport, scratch) {
            Ok(pumped) => pumped,
            Err(Broken::Io(error)) => Pumped::Lost(Ended::Vanished(error)),
            // The alert is as much a last word as any of the session's.
            Err(Broken::Tls(error)) => Pumped::Over(Ended::Tls(error), Finish::Linger),
            Err(Broken::PlainHttp) => Pumped::Lost(Ended::Closed),
        }
    }

    fn try_pump(
        &mut self,
        context: &mut Context<'_>,
        now: Instant,
        phase: Phase,
        transport: &mut Transport,
        scratch: &mut Scratch,
    ) -> Result<Pumped, Broken> {
        if phase.is_over(now) {
            self.session.shutdown(now, Shutdown::Now(Code::NoError));
            self.settle();
            self.write(context, now, transport, scratch)?;
            return Ok(Pumped::Lost(Ended::Stopped));
        }
        self.look_up(now);
        for _ in 0..ROUNDS {
            let fed = self.feed(now, scratch);
            let written = self.write(context, now, transport, scratch)?;
            if written == Written::All {
                if let Some(over) = self.over() {
                    return Ok(over);
                }
                self.half_close(context, now, transport, scratch)?;
            }
            let read = self.read(context, now, transport, scratch)?;
            if fed || read || written == Written::More || self.tell_of_drain(now, phase) {
                continue;
            }
            self.look_out(now, transport, scratch)?;
            return Ok(Pumped::Wait);
        }
        // A peer that never pauses is told as well.
        self.tell_of_drain(now, phase);
        Ok(Pumped::Yield)
    }

    /// Tells the session that we drain, once all that had come by then is dealt with. True: it was not told before.
    fn tell_of_drain(&mut self, now: Instant, phase: Phase) -> bool {
        if phase == Phase::Running || self.draining {
            return false;
        }
        self.draining = true;
        self.session.shutdown(now, Shutdown::Graceful);
        self.settle();
        true
    }

    /// What else than the socket may have something: the bell, the clock.
    fn look_up(&mut self, now: Instant) {
        if std::mem::take(&mut self.woken) {
            self.connection.woken(&mut *self.session);
        }
        if self
            .session
            .deadline()
            .is_some_and(|deadline| deadline <= now)
            && let Err(error) = self.session.expire(now)
        {
            self.error.get_or_insert_with(|| Box::new(error));
        }
        self.settle();
    }

    /// Gives the session what was read. True: it took some of it.
    fn feed(&mut self, now: Instant, scratch: &mut Scratch) -> bool {
        let mut taken = 0;
        let mut input = scratch.plain.octets();
        while !input.is_empty() && self.session.wants().read {
            let received = match self.session.recv(now, input) {
                Ok(received) => received,
                Err(error) => {
                    self.error.get_or_insert_with(|| Box::new(error));
                    // Its last words are all that is left to say; what else came is not for it.
                    taken += input.len();
                    break;
                }
            };
            let quiet = received.event.is_none();
            taken += received.consumed;
            input = input.get(received.consumed..).unwrap_or_default();
            if let Some(event) = received.event {
                self.connection.event(&mut *self.session, event);
            } else if received.consumed == 0 {
                break;
            }
            if !quiet {
                self.settle();
            }
        }
        self.settle();
        scratch.plain.consume(taken);
        taken > 0
    }

    /// Hands up what commands, time and writing caused. True: there was something.
    fn settle(&mut self) -> bool {
        let mut any = false;
        while let Some(event) = self.session.poll() {
            self.connection.event(&mut *self.session, event);
            any = true;
        }
        any
    }

    /// Writes what waits, else one round of what the session has.
    fn write(
        &mut self,
        context: &mut Context<'_>,
        now: Instant,
        transport: &mut Transport,
        scratch: &mut Scratch,
    ) -> Result<Written, Broken> {
        transport.flush(context, now, scratch)?;
        if transport.is_blocked() {
            return Ok(Written::Blocked);
        }
        if self.more && self.session.is_mixed() {
            transport.narrow();
        }
        let more = loop {
            let gather = transport.gather(scratch);
            let full = fill(&mut *self.session, now, &mut self.connection, gather);
            // What writing caused (a stream is finished) may cause more to write.
            let more = self.settle() || full;
            // An HTTP/1.1 session takes the next of pipelined requests when it has answered the last: its answer
            // joins this write.
            if full || !self.feed(now, scratch) {
                break more;
            }
        };
        self.more = more;
        if !transport.gather(scratch).is_empty() {
            transport.send(context, now, scratch)?;
        }
        Ok(match transport.is_blocked() {
            true => Written::Blocked,
            false if more => Written::More,
            false => Written::All,
        })
    }

    /// Reads once, if the session has taken all and wants more. True: there was something.
    fn read(
        &mut self,
        context: &mut Context<'_>,
        now: Instant,
        transport: &mut Transport,
        scratch: &mut Scratch,
    ) -> Result<bool, Broken> {
        let wanted = self.session.wants().read && scratch.plain.is_empty();
        if self.ended || !wanted {
            return Ok(false);
        }
        match transport.receive(context, scratch)? {
            Received::Octets => Ok(true),
            Received::Nothing => Ok(false),
            Received::End(how) => {
                self.ended = true;
                if let Err(error) = self.session.eof(now, how) {
                    self.error.get_or_insert_with(|| Box::new(error));
                }
                self.settle();
                Ok(true)
            }
        }
    }

    /// Looks from time to time whether the peer is still there, where nothing is read that would tell: the next
    /// request waits for its turn, or a body for somebody who takes it. Nobody need work for a peer that has gone.
    fn look_out(
        &mut self,
        now: Instant,
        transport: &Transport,
        scratch: &Scratch,
    ) -> Result<(), Broken> {
        let reads = self.session.wants().read && scratch.plain.is_empty();
        if reads || self.ended || self.finished || self.session.open_streams() == 0 {
            self.lookout = None;
        } else if *self.lookout.get_or_insert(now + LOOKOUT) <= now {
            transport.look_out()?;
            self.lookout = Some(now + LOOKOUT);
        }
        Ok(())
    }

    /// Ends our direction when the session asks for it: the peer's goes on.
    fn half_close(
        &mut self,
        context: &mut Context<'_>,
        now: Instant,
        transport: &mut Transport,
        scratch: &mut Scratch,
    ) -> Result<(), Broken> {
        if self.session.wants().end != Finish::Half || self.finished {
            return Ok(());
        }
        if !self.said_goodbye {
            self.said_goodbye = true;
            transport.say_goodbye(scratch)?;
            transport.flush(context, now, scratch)?;
        }
        if !transport.is_blocked() {
            self.finished = true;
            transport.finish()?;
        }
        Ok(())
    }

    /// Whether the session is over, asked when all is written.
    fn over(&mut self) -> Option<Pumped> {
        let how = match self.session.wants().end {
            Finish::No if self.error.is_some() => Finish::Linger,
            // Nobody can say anything any more.
            Finish::No if self.ended && self.session.open_streams() == 0 => Finish::Now,
            Finish::No | Finish::Half => return None,
            how => how,
        };
        // A peer that has ended its octets can leave none unread.
        let how = if self.ended { Finish::Now } else { how };
        let why = self.error.take();
        let why = why.map_or(Ended::Closed, |error| Ended::Violation(*error));
        Some(Pumped::Over(why, how))
    }
}
