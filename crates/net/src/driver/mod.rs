//! The driver: pumps one transport through one session, and stays when both are done until the peer has heard.
//!
//! ```text
//!  Opening ── the handshake is done, or the first octets tell the protocol ─► Open
//!     │ no TLS, no handshake in time                                           │ the session is over
//!     ▼                                                                        ▼
//!    over ◄── all is read, or it took too long ── Lingering ◄── all is sent ── Closing
//! ```
//!
//! A driver is a task of the worker's runtime. In each step it borrows the worker's buffers, does what can be
//! done without waiting, and gives them back. It has no channel and no timer of its own.

mod frames;
mod open;
mod opening;
mod socket;
mod transport;
mod unsent;

use crate::service::{Ended, Protocol, Service};
use crate::worker::accept::Arrival;
use crate::worker::seats::Seat;
use crate::worker::{Armed, Bell, Phase, Scratch, Shared, after};
use open::{Open, Pumped};
use opening::{Opened, Opening};
use socket::Socket;
use std::future::Future;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Instant;
use thalweg_proto::session::Finish;
use transport::Transport;

/// The task of one connection.
pub(crate) struct Driver<S: Service> {
    shared: Rc<Shared>,
    service: Rc<S>,
    transport: Transport,
    /// Plaintext that the session could not take yet.
    held: Vec<u8>,
    stage: Stage<S::Connection>,
    key: usize,
    bell: Rc<Bell>,
    armed: Armed,
    /// Dropped with the rest.
    _seat: Seat,
}

enum Stage<C: crate::Connection> {
    Opening(Opening),
    Open(Open<C>),
    /// The session is over; its last octets are being sent.
    Closing {
        linger: bool,
    },
    /// Ours is ended; what the peer still sends is read away, so that no reset overtakes our last words.
    Lingering {
        until: Instant,
        left: usize,
    },
    Over,
}

/// What a stage does next.
enum Next<C: crate::Connection> {
    /// It waits: for the socket, its bell or its deadline.
    Wait,
    /// It could go on, but others have a right to the worker as well.
    Yield,
    Enter(Stage<C>),
}

// Nothing in it is ever pinned by itself.
impl<S: Service> Unpin for Driver<S> {}

impl<S: Service> Driver<S> {
    /// # Errors
    /// When the runtime cannot watch the socket, or TLS cannot begin.
    pub(crate) fn new(shared: &Rc<Shared>, service: &Rc<S>, arrival: Arrival) -> io::Result<Self> {
        let socket = Socket::new(arrival.socket)?;
        let engine = arrival
            .tls
            .map(|tls| tls.engine())
            .transpose()
            .map_err(io::Error::other)?;
        let time = match engine {
            Some(_) => shared.config.handshake_time,
            None => shared.config.limits.head_time,
        };
        let (key, bell) = shared.hang_bell();
        Ok(Self {
            shared: Rc::clone(shared),
            service: Rc::clone(service),
            transport: Transport::new(socket, engine),
            held: Vec::new(),
            stage: Stage::Opening(Opening {
                address: arrival.address,
                local: arrival.local,
                until: after(Instant::now(), time),
                hurried: false,
            }),
            key,
            bell,
            armed: None,
            _seat: arrival.seat,
        })
    }

    fn step(&mut self, context: &mut Context<'_>, scratch: &mut Scratch) -> Poll<()> {
        let now = Instant::now();
        self.transport.begin(scratch);
        scratch.plain.clear();
        scratch.plain.extend(&self.held);
        self.held = Vec::new();
        loop {
            let next = match &self.stage {
                Stage::Opening(_) => self.open(context, now, scratch),
                Stage::Open(_) => self.pump(context, now, scratch),
                Stage::Closing { linger } => self.close(*linger, context, now, scratch),
                Stage::Lingering { until, left } => {
                    self.linger(*until, *left, context, now, scratch)
                }
                Stage::Over => return Poll::Ready(()),
            };
            match next {
                Next::Enter(stage) => self.stage = stage,
                Next::Yield => {
                    context.waker().wake_by_ref();
                    break;
                }
                Next::Wait => break,
            }
        }
        self.transport.end(scratch);
        self.held = scratch.plain.take();
        self.set_timer(now);
        Poll::Pending
    }

    fn open(
        &mut self,
        context: &mut Context<'_>,
        now: Instant,
        scratch: &mut Scratch,
    ) -> Next<S::Connection> {
        let Stage::Opening(opening) = &mut self.stage else {
            return Next::Wait;
        };
        match self.shared.phase.get() {
            Phase::Running => {}
            phase if phase.is_over(now) => return Next::Enter(Stage::Over),
            _ => opening.hurry(now),
        }
        match opening.step(context, now, &mut self.transport, scratch) {
            Opened::Wait => Next::Wait,
            Opened::Refused => Next::Enter(Stage::Closing { linger: true }),
            Opened::Gone => Next::Enter(Stage::Over),
            Opened::Speaks(peer) => {
                let session = opening::session(&peer, &self.shared.config, now);
                if peer.protocol == Protocol::Http2 {
                    self.transport.keep_kernel_short();
                }
                let wake = crate::Wake::new(Rc::clone(&self.bell));
                let connection = self.service.accept(peer, wake);
                Next::Enter(Stage::Open(Open::new(session, connection)))
            }
        }
    }

    fn pump(
        &mut self,
        context: &mut Context<'_>,
        now: Instant,
        scratch: &mut Scratch,
    ) -> Next<S::Connection> {
        let Stage::Open(open) = &mut self.stage else {
            return Next::Wait;
        };
        if self.bell.answer() {
            open.wake();
        }
        let config = &self.shared.config;
        let stalled = self
            .transport
            .is_stalled(now, config.write_time, config.limits.take_rate);
        let (why, how) = if stalled {
            self.transport.reset();
            (Ended::Stalled, None)
        } else {
            match open.pump(
                context,
                now,
                self.shared.phase.get(),
                &mut self.transport,
                scratch,
            ) {
                Pumped::Wait => return Next::Wait,
                Pumped::Yield => return Next::Yield,
                Pumped::Over(why, how) => (why, Some(how)),
                Pumped::Lost(why) => (why, None),
            }
        };
        open.end(why);
        let Some(how) = how else {
            return Next::Enter(Stage::Over);
        };
        scratch.plain.clear();
        match self.transport.say_goodbye(scratch) {
            Ok(()) => Next::Enter(Stage::Closing {
                linger: how == Finish::Linger,
            }),
            Err(_) => Next::Enter(Stage::Over),
        }
    }

    fn close(
        &mut self,
        linger: bool,
        context: &mut Context<'_>,
        now: Instant,
        scratch: &mut Scratch,
    ) -> Next<S::Connection> {
        let config = &self.shared.config;
        let stalled = self
            .transport
            .is_stalled(now, config.write_time, config.limits.take_rate);
        let flushed = self.transport.flush(context, now, scratch);
        if flushed.is_err() || stalled || self.shared.phase.get().is_over(now) {
            self.transport.reset();
            return Next::Enter(Stage::Over);
        }
        if self.transport.is_blocked() {
            return Next::Wait;
        }
        if !linger || self.transport.finish().is_err() {
            return Next::Enter(Stage::Over);
        }
        Next::Enter(Stage::Lingering {
            until: after(now, config.linger_time),
            left: config.linger_octets,
        })
    }

    fn linger(
        &mut self,
        until: Instant,
        mut left: usize,
        context: &mut Context<'_>,
        now: Instant,
        scratch: &mut Scratch,
    ) -> Next<S::Connection> {
        while left > 0 && now < until && !self.shared.phase.get().is_over(now) {
            match self.transport.read_away(context, scratch) {
                Ok(0) => break,
                Ok(read) => left = left.saturating_sub(read),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.stage = Stage::Lingering { until, left };
                    return Next::Wait;
                }
                Err(_) => break,
            }
        }
        Next::Enter(Stage::Over)
    }

    /// Makes sure of being woken at the next deadline.
    fn set_timer(&mut self, now: Instant) {
        let config = &self.shared.config;
        let stall = self
            .transport
            .stalled()
            .map(|since| after(since, config.write_time));
        let own = match &self.stage {
            Stage::Opening(opening) => Some(opening.until),
            Stage::Open(open) => open.deadline(),
            Stage::Lingering { until, .. } => Some(*until),
            Stage::Closing { .. } | Stage::Over => None,
        };
        let grace = match self.shared.phase.get() {
            Phase::Draining { until } => Some(until),
            Phase::Running | Phase::Stopped => None,
        };
        if let Some(deadline) = [stall, own, grace].into_iter().flatten().min() {
            let mut timers = self.shared.timers.borrow_mut();
            timers.arm(now, self.key, &mut self.armed, deadline);
        }
    }
}

impl<S: Service> Future for Driver<S> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        this.bell.set_waker(context.waker());
        let shared = Rc::clone(&this.shared);
        let over = this.step(context, &mut shared.scratch.borrow_mut());
        shared.stepped();
        over
    }
}

impl<S: Service> Drop for Driver<S> {
    fn drop(&mut self) {
        self.shared
            .timers
            .borrow_mut()
            .disarm(self.key, &mut self.armed);
        self.shared.take_bell(self.key);
        let Stage::Open(open) = &mut self.stage else {
            return;
        };
        if !std::thread::panicking() {
            open.end(Ended::Stopped);
            return;
        }
        // Others may wait for what this connection has begun. Whatever its service is in: a second panic must not
        // leave this drop, or the process would end.
        let told = catch_unwind(AssertUnwindSafe(|| open.end(Ended::Panicked)));
        if told.is_err() {
            tracing::error!("a service that panicked could not be told of the end");
        }
    }
}
