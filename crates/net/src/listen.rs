//! Where a server listens: an [`Address`] is what a user writes, a [`Listener`] the one descriptor behind it.
//!
//! A listener may have been bound here, inherited from a supervisor, or handed over through `exec`; from then on
//! there is no difference. Its flags (non-blocking, TCP_NODELAY) belong to the socket itself, so that accepted
//! connections inherit them without a system call each.

use crate::inherited;
use rustix::net::{SocketAddrAny, SocketAddrUnix};
use socket2::{Domain, Protocol, Socket, Type};
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

/// How many connections may wait to be accepted. The kernel lowers it to `net.core.somaxconn`.
const BACKLOG: i32 = 4096;

/// Where to listen.
///
/// ```
/// use thalweg_net::listen::Address;
///
/// let all = Address::Tcp { host: String::new(), port: 8443 };
/// assert_eq!(all.to_string(), ":8443");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Address {
    /// A TCP port on the first address of a host. An empty host means every address, IPv6 and IPv4; port 0 a
    /// free port.
    Tcp {
        /// A name, an IPv4 or an IPv6 address (without brackets), or nothing.
        host: String,
        /// The port.
        port: u16,
    },
    /// A Unix socket. A socket file that nobody listens on any more is replaced.
    Unix(PathBuf),
    /// A descriptor that was inherited, already bound and listening.
    Descriptor(RawFd),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Address::Tcp { host, port } => write!(f, "{host}:{port}"),
            Address::Unix(path) => path.display().fmt(f),
            Address::Descriptor(descriptor) => write!(f, "fd://{descriptor}"),
        }
    }
}

/// The address of one end of a socket.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum SocketAddress {
    /// TCP.
    Ip(SocketAddr),
    /// A Unix socket: its path, where it has one (clients have none as a rule).
    Unix(Option<PathBuf>),
}

impl fmt::Display for SocketAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SocketAddress::Ip(address) => address.fmt(f),
            SocketAddress::Unix(Some(path)) => path.display().fmt(f),
            SocketAddress::Unix(None) => f.write_str("unix:"),
        }
    }
}

impl SocketAddress {
    /// The address of our end of any socket.
    ///
    /// # Errors
    /// When the descriptor is no socket.
    pub fn local_of(socket: impl AsFd) -> io::Result<Self> {
        Ok(Self::from_any(Some(rustix::net::getsockname(socket)?)))
    }

    /// From the kernel's form. An IPv4 address that came through an IPv6 socket is shown as what it is.
    pub(crate) fn from_any(address: Option<SocketAddrAny>) -> Self {
        let ip = address
            .clone()
            .and_then(|address| SocketAddr::try_from(address).ok());
        if let Some(ip) = ip {
            return SocketAddress::Ip(SocketAddr::new(ip.ip().to_canonical(), ip.port()));
        }
        let unix = address.and_then(|address| SocketAddrUnix::try_from(address).ok());
        let path = unix
            .as_ref()
            .and_then(SocketAddrUnix::path_bytes)
            .map(|path| PathBuf::from(std::ffi::OsStr::from_bytes(path)));
        SocketAddress::Unix(path)
    }
}

/// Why an address cannot be listened on. Reads well after "cannot listen on ADDRESS: ".
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ListenError {
    /// The host has no address.
    #[error("the host name cannot be resolved: {0}")]
    Resolve(#[source] io::Error),
    /// Another process listens there.
    #[error("the address is in use by another process")]
    InUse,
    /// It needs rights that this process does not have: a port below 1024, a folder that it may not write to.
    #[error("permission denied")]
    Denied,
    /// There is a file, and it is no socket.
    #[error("a file that is no socket stands in the way")]
    NotASocket,
    /// The inherited descriptor is not open, no socket, or not listening.
    #[error("descriptor {0} is no listening stream socket (was it inherited?)")]
    NotListening(RawFd),
    /// Anything else that the kernel says.
    #[error("{0}")]
    Io(#[source] io::Error),
}

impl ListenError {
    fn from_bind(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::AddrInUse => ListenError::InUse,
            io::ErrorKind::PermissionDenied => ListenError::Denied,
            _ => ListenError::Io(error),
        }
    }
}

/// A listening socket.
///
/// ```
/// use thalweg_net::listen::{Address, Listener, SocketAddress};
///
/// let listener = Listener::bind(&Address::Tcp { host: "127.0.0.1".into(), port: 0 })?;
/// let SocketAddress::Ip(local) = listener.local()? else { unreachable!() };
/// assert_ne!(local.port(), 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Listener {
    descriptor: OwnedFd,
}

impl Listener {
    /// Binds and listens.
    ///
    /// # Errors
    /// [`ListenError`]; nothing stays bound then.
    pub fn bind(address: &Address) -> Result<Self, ListenError> {
        match address {
            Address::Tcp { host, port } => bind_tcp(host, *port),
            Address::Unix(path) => bind_unix(path),
            Address::Descriptor(descriptor) => inherit(*descriptor),
        }
    }

    /// The address that it is bound to: with port 0 asked for, the port that was found.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn local(&self) -> io::Result<SocketAddress> {
        SocketAddress::local_of(self)
    }

    /// A second descriptor of the same socket, closed on `exec`.
    ///
    /// # Errors
    /// When the process has no descriptor left.
    pub fn try_clone(&self) -> io::Result<Self> {
        let descriptor = self.descriptor.try_clone()?;
        Ok(Self { descriptor })
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

impl AsRawFd for Listener {
    fn as_raw_fd(&self) -> RawFd {
        self.descriptor.as_raw_fd()
    }
}

impl From<Listener> for OwnedFd {
    fn from(listener: Listener) -> Self {
        listener.descriptor
    }
}

/// Takes a socket that listens already.
impl TryFrom<OwnedFd> for Listener {
    type Error = ListenError;

    fn try_from(descriptor: OwnedFd) -> Result<Self, ListenError> {
        if !listens(descriptor.as_fd()) {
            return Err(ListenError::NotListening(descriptor.as_raw_fd()));
        }
        prepare(descriptor).map_err(ListenError::Io)
    }
}

/// Sets the flags that every listener has.
fn prepare(descriptor: OwnedFd) -> io::Result<Listener> {
    rustix::io::ioctl_fionbio(&descriptor, true)?;
    rustix::io::fcntl_setfd(&descriptor, rustix::io::FdFlags::CLOEXEC)?;
    let local = rustix::net::getsockname(&descriptor)?;
    if SocketAddr::try_from(local).is_ok() {
        rustix::net::sockopt::set_tcp_nodelay(&descriptor, true)?;
    }
    Ok(Listener { descriptor })
}

fn bind_tcp(host: &str, port: u16) -> Result<Listener, ListenError> {
    if host.is_empty() {
        let all = SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), port);
        return match bind_ip(all) {
            // No IPv6 on this machine.
            Err(ListenError::Io(error)) if is_unsupported(&error) => {
                bind_ip(SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), port))
            }
            answer => answer,
        };
    }
    let mut addresses = (host, port)
        .to_socket_addrs()
        .map_err(ListenError::Resolve)?;
    let first = addresses.next().ok_or_else(|| {
        ListenError::Resolve(io::Error::new(io::ErrorKind::NotFound, "it has no address"))
    })?;
    bind_ip(first)
}

fn is_unsupported(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EAFNOSUPPORT | libc::EADDRNOTAVAIL | libc::EPROTONOSUPPORT)
    )
}

fn bind_ip(address: SocketAddr) -> Result<Listener, ListenError> {
    let bind = || {
        let socket = Socket::new(
            Domain::for_address(address),
            Type::STREAM.cloexec(),
            Some(Protocol::TCP),
        )?;
        // A restart must not wait for the connections of the last run to be forgotten.
        socket.set_reuse_address(true)?;
        if address.is_ipv6() {
            socket.set_only_v6(!address.ip().is_unspecified())?;
        }
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        prepare(OwnedFd::from(socket))
    };
    bind().map_err(ListenError::from_bind)
}

fn bind_unix(path: &Path) -> Result<Listener, ListenError> {
    remove_stale(path)?;
    let bind = || {
        let socket = Socket::new(Domain::UNIX, Type::STREAM.cloexec(), None)?;
        socket.bind(&socket2::SockAddr::unix(path)?)?;
        socket.listen(BACKLOG)?;
        prepare(OwnedFd::from(socket))
    };
    bind().map_err(ListenError::from_bind)
}

/// Removes a socket file whose listener has gone. One that answers is left alone.
fn remove_stale(path: &Path) -> Result<(), ListenError> {
    let Ok(found) = std::fs::symlink_metadata(path) else {
        return Ok(()); // Nothing there, or out of reach: bind says which.
    };
    if !found.file_type().is_socket() {
        return Err(ListenError::NotASocket);
    }
    match std::os::unix::net::UnixStream::connect(path) {
        Ok(_) => Err(ListenError::InUse),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            std::fs::remove_file(path).map_err(ListenError::from_bind)
        }
        Err(error) => Err(ListenError::from_bind(error)),
    }
}

fn inherit(number: RawFd) -> Result<Listener, ListenError> {
    let descriptor =
        inherited::own(number, listens).map_err(|_| ListenError::NotListening(number))?;
    prepare(descriptor).map_err(ListenError::Io)
}

/// Whether it is a stream socket that listens.
fn listens(descriptor: BorrowedFd<'_>) -> bool {
    use rustix::net::SocketType;
    use rustix::net::sockopt::{socket_acceptconn, socket_type};
    socket_acceptconn(descriptor).unwrap_or(false)
        && socket_type(descriptor).is_ok_and(|kind| kind == SocketType::STREAM)
}
