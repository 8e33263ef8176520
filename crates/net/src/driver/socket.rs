//! A connected socket, TCP or Unix, without blocking: what would block is registered with the runtime, and
//! answered as [`io::ErrorKind::WouldBlock`].

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::ioctl::{Getter, Opcode, ioctl};
use rustix::net::{SendAncillaryBuffer, SendFlags, Shutdown};
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, Interest, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

const UNACKNOWLEDGED: Opcode = libc::TIOCOUTQ as Opcode;

pub(super) enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Socket {
    /// Watches a connected, non-blocking socket.
    pub(super) fn new(descriptor: OwnedFd) -> io::Result<Self> {
        let local = rustix::net::getsockname(&descriptor)?;
        Ok(if SocketAddr::try_from(local).is_ok() {
            Socket::Tcp(TcpStream::from_std(descriptor.into())?)
        } else {
            Socket::Unix(UnixStream::from_std(descriptor.into())?)
        })
    }

    /// Reads what is there, up to the size of `into`; 0 is the end.
    pub(super) fn read(&mut self, context: &mut Context<'_>, into: &mut [u8]) -> io::Result<usize> {
        let mut buffer = ReadBuf::new(into);
        let answer = match self {
            Socket::Tcp(stream) => Pin::new(stream).poll_read(context, &mut buffer),
            Socket::Unix(stream) => Pin::new(stream).poll_read(context, &mut buffer),
        };
        match answer {
            Poll::Ready(Ok(())) => Ok(buffer.filled().len()),
            Poll::Ready(Err(error)) => Err(error),
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    /// Writes what the kernel takes: `send` for one piece, else `sendmsg`. Never raises SIGPIPE, whatever the
    /// process does with it.
    pub(super) fn write(
        &self,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> io::Result<usize> {
        loop {
            match self.poll_write_ready(context) {
                Poll::Ready(ready) => ready?,
                Poll::Pending => return Err(io::ErrorKind::WouldBlock.into()),
            }
            let write = || {
                Ok(match pieces {
                    [piece] => rustix::net::send(self, piece, SendFlags::NOSIGNAL)?,
                    pieces => {
                        let mut control = SendAncillaryBuffer::default();
                        rustix::net::sendmsg(self, pieces, &mut control, SendFlags::NOSIGNAL)?
                    }
                })
            };
            let written = match self {
                Socket::Tcp(stream) => stream.try_io(Interest::WRITABLE, write),
                Socket::Unix(stream) => stream.try_io(Interest::WRITABLE, write),
            };
            match written {
                // The readiness was stale, and is cleared now: ask again, to be woken.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                answer => return answer,
            }
        }
    }

    /// How many octets the kernel holds that the peer has not acknowledged; 0 where it does not say (tcp(7),
    /// SIOCOUTQ).
    pub(super) fn queued(&self) -> usize {
        // SAFETY: the request fills a C int, whatever the socket.
        let queued = unsafe { ioctl(self, Getter::<UNACKNOWLEDGED, libc::c_int>::new()) };
        queued
            .ok()
            .and_then(|octets| usize::try_from(octets).ok())
            .unwrap_or_default()
    }

    /// Bounds what the kernel takes before the network does: octets beyond it wait here, where something more urgent can
    /// still overtake them (tcp(7), TCP_NOTSENT_LOWAT).
    ///
    /// # Errors
    /// Where the kernel does not know the option.
    pub(super) fn bound_unsent(&self, octets: u32) -> io::Result<()> {
        match self {
            Socket::Tcp(stream) => socket2::SockRef::from(stream).set_tcp_notsent_lowat(octets),
            Socket::Unix(_) => Ok(()),
        }
    }

    /// Whether the peer has given up both directions, while ours is open.
    pub(super) fn is_reset(&self) -> io::Result<bool> {
        let mut socket = [PollFd::new(self, PollFlags::empty())];
        poll(&mut socket, Some(&Timespec::default()))?;
        let [socket] = socket;
        Ok(socket.revents().intersects(PollFlags::HUP | PollFlags::ERR))
    }

    /// Tells the peer that nothing more comes.
    pub(super) fn finish(&self) -> io::Result<()> {
        Ok(rustix::net::shutdown(self, Shutdown::Write)?)
    }

    /// Makes closing drop what the kernel still holds, and reset the connection.
    pub(super) fn reset_on_close(&self) -> io::Result<()> {
        Ok(rustix::net::sockopt::set_socket_linger(
            self,
            Some(Duration::ZERO),
        )?)
    }

    fn poll_write_ready(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Socket::Tcp(stream) => stream.poll_write_ready(context),
            Socket::Unix(stream) => stream.poll_write_ready(context),
        }
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Socket::Tcp(stream) => stream.as_fd(),
            Socket::Unix(stream) => stream.as_fd(),
        }
    }
}
