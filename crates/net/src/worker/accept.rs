//! Accepting connections: one worker does it for all, and hands each to the worker that has the fewest.
//!
//! A process without descriptors left, or with all the connections that it may have, leaves new ones waiting in
//! the kernel's queue and looks again after a short pause. One more of an address that has as many as it may have is
//! closed, so that it does not stand in others' way.

use crate::listen::{Listener, SocketAddress};
use crate::serve::Security;
use crate::tls::ServerTls;
use crate::worker::seats::{Seat, Seats};
use rustix::net::SocketFlags;
use std::io;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// How long accepting rests when it cannot go on.
const PAUSE: Duration = Duration::from_millis(100);

/// A connection that was accepted, on its way to its worker.
pub(crate) struct Arrival {
    pub(crate) socket: OwnedFd,
    pub(crate) address: SocketAddress,
    pub(crate) local: SocketAddress,
    pub(crate) tls: Option<ServerTls>,
    pub(crate) seat: Seat,
}

/// One listening socket.
pub(crate) struct Acceptor {
    listener: AsyncFd<Listener>,
    local: SocketAddress,
    tls: Option<ServerTls>,
    seats: Arc<Seats>,
}

impl Acceptor {
    /// # Errors
    /// When the runtime cannot watch the socket.
    pub(crate) fn new(
        listener: Listener,
        security: Security,
        seats: Arc<Seats>,
    ) -> io::Result<Self> {
        let local = listener.local()?;
        let tls = match security {
            Security::Plain => None,
            Security::Tls(tls) => Some(tls),
        };
        // SAFETY: a listener owns its descriptor, always names the same one, and is dropped after the registration
        // that holds it.
        let listener = unsafe { AsyncFd::register_with_interest(listener, Interest::READABLE) };
        Ok(Self {
            listener: listener.map_err(io::Error::from)?,
            local,
            tls,
            seats,
        })
    }

    /// Accepts for ever: while `full` answers false, and never in a busy loop.
    pub(crate) async fn run(self: Rc<Self>, full: impl Fn() -> bool, arrived: impl Fn(Arrival)) {
        let mut troubled = false;
        loop {
            if full() {
                if !troubled {
                    tracing::warn!(address = %self.local, "as many connections are open as are allowed: new ones wait");
                }
                troubled = true;
                tokio::time::sleep(PAUSE).await;
                continue;
            }
            let accepted = self
                .listener
                .async_io(Interest::READABLE, |listener| Ok(accept(listener)?))
                .await;
            match accepted {
                Ok((socket, address)) => {
                    troubled = false;
                    if let Some(arrival) = self.arrival(socket, address) {
                        arrived(arrival);
                    }
                }
                // The client gave up while it waited.
                Err(error) if gone_already(&error) => {}
                Err(error) => {
                    if !troubled {
                        tracing::error!(address = %self.local, %error, "cannot accept connections: they wait");
                    }
                    troubled = true;
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    /// Accepts what waits in the kernel's queue already: the last act before the listener is closed.
    pub(crate) fn sweep(&self, arrived: impl Fn(Arrival)) {
        loop {
            match accept(self.listener.get_ref()) {
                Ok((socket, address)) => {
                    if let Some(arrival) = self.arrival(socket, address) {
                        arrived(arrival);
                    }
                }
                Err(error) if gone_already(&error.into()) => {}
                Err(rustix::io::Errno::WOULDBLOCK) => return,
                Err(error) => {
                    tracing::error!(address = %self.local, %error, "cannot accept the last connections");
                    return;
                }
            }
        }
    }

    /// None: its address has as many connections as it may have, and this one is closed.
    fn arrival(&self, socket: OwnedFd, address: SocketAddress) -> Option<Arrival> {
        let Some(seat) = self.seats.take(&address) else {
            tracing::debug!(client = %address, "closed at once: its address has too many connections");
            return None;
        };
        Some(Arrival {
            local: self.local_of(&socket),
            socket,
            address,
            tls: self.tls.clone(),
            seat,
        })
    }

    /// The listener's own address, unless it listens on all of them.
    fn local_of(&self, socket: &OwnedFd) -> SocketAddress {
        match &self.local {
            SocketAddress::Ip(local) if local.ip().is_unspecified() => {
                SocketAddress::local_of(socket).unwrap_or_else(|_| self.local.clone())
            }
            local => local.clone(),
        }
    }
}

fn accept(listener: &Listener) -> rustix::io::Result<(OwnedFd, SocketAddress)> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let (socket, address) = rustix::net::acceptfrom_with(listener, flags)?;
    Ok((socket, SocketAddress::from_any(address)))
}

/// Errors of the connection that was to be accepted, not of the listener (accept(2), "Error handling").
fn gone_already(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(
            libc::ECONNABORTED
                | libc::EINTR
                | libc::ENETDOWN
                | libc::EPROTO
                | libc::ENOPROTOOPT
                | libc::EHOSTDOWN
                | libc::EHOSTUNREACH
                | libc::ENONET
                | libc::EOPNOTSUPP
                | libc::ENETUNREACH
                | libc::EPERM
        )
    )
}
