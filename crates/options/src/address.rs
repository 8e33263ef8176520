//! Where to listen, as users write it.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;

/// Where to listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// `HOST:PORT`, `[IPV6]:PORT`, or `:PORT` for every address of the machine (the host is empty then). Port 0
    /// lets the system choose.
    Tcp {
        /// A name or an address, without brackets.
        host: String,
        /// The port.
        port: u16,
    },
    /// A path, which begins with `/` or `.`: a Unix socket.
    Unix(PathBuf),
    /// `fd://N`: a listening socket that the program inherits.
    Descriptor(i32),
    /// `=N`: the N-th `--shared-socket`, from 0.
    Shared(usize),
}

/// The forms of an address, for messages.
pub(crate) const FORMS: &str = "HOST:PORT, :PORT, [IPV6]:PORT, /path/of/a/socket, fd://N or =N";

impl Address {
    /// Reads an address; none when it has no form of those above.
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(number) = text.strip_prefix('=') {
            return number.parse().ok().map(Self::Shared);
        }
        if let Some(number) = text.strip_prefix("fd://") {
            let number = number.parse().ok()?;
            return (number >= 0).then_some(Self::Descriptor(number));
        }
        if text.starts_with(['/', '.']) {
            return (!text.contains('\0')).then(|| Self::Unix(text.into()));
        }
        let (host, port) = text.rsplit_once(':')?;
        let port = port.bytes().all(|b| b.is_ascii_digit()).then_some(port)?;
        let port = port.parse().ok()?;
        let host = match host.strip_prefix('[') {
            Some(rest) => {
                let inner = rest.strip_suffix(']')?;
                let without_zone = inner.split('%').next()?;
                without_zone.parse::<Ipv6Addr>().ok()?;
                inner
            }
            None => is_host(host).then_some(host)?,
        };
        Some(Self::Tcp {
            host: host.to_owned(),
            port,
        })
    }
}

/// A host name, an IPv4 address, or nothing for all addresses. `*` and `0` are no names.
fn is_host(host: &str) -> bool {
    let digits_only = !host.is_empty() && host.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    if digits_only {
        return host.parse::<Ipv4Addr>().is_ok();
    }
    host.bytes()
        .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_'))
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::Unix(path) => path.display().fmt(f),
            Self::Descriptor(number) => write!(f, "fd://{number}"),
            Self::Shared(number) => write!(f, "={number}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_read_and_written_back() {
        for text in [
            "127.0.0.1:8000",
            ":8000",
            "localhost:0",
            "[::1]:8443",
            "[fe80::1%eth0]:1",
            "/run/thalweg.sock",
            "./here.sock",
            "fd://3",
            "=0",
        ] {
            let address = Address::parse(text).unwrap_or_else(|| panic!("{text} was refused"));
            assert_eq!(address.to_string(), text);
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            "8000",
            "localhost",
            "a:b",
            "a:70000",
            "a:+1",
            "a:-1",
            "::1:80",
            "[::1]",
            "[x]:80",
            "*:80",
            "1.2.3:80",
            "300.1.1.1:80",
            "fd://x",
            "fd://-1",
            "=",
            "=x",
            "a b:80",
            "http://a:80",
            "/a\0b",
        ] {
            assert_eq!(Address::parse(text), None, "{text}");
        }
    }
}
