//! What the static servers have in common: their command line, and the bodies that they answer with.
//!
//! ```text
//!  NAME --http ADDRESS                        in cleartext: HTTP/2 by prior knowledge
//!  NAME --https ADDRESS --cert PEM --key PEM  over TLS, with h2 in ALPN
//! ```

use bytes::Bytes;
use std::net::SocketAddr;
use std::path::PathBuf;

/// The paths that are answered, and how long their bodies are.
pub const BODIES: [(&str, usize); 4] = [
    ("/6", 6),
    ("/1k", 1 << 10),
    ("/100k", 100 << 10),
    ("/10m", 10 << 20),
];

/// All bodies, in memory.
#[derive(Clone)]
pub struct Bodies([Bytes; 4]);

impl Bodies {
    /// Makes them.
    pub fn new() -> Self {
        Self(BODIES.map(|(_, len)| vec![b'x'; len].into()))
    }

    /// The body at this path.
    pub fn find(&self, path: &[u8]) -> Option<&Bytes> {
        let place = BODIES
            .iter()
            .position(|(name, _)| name.as_bytes() == path)?;
        Some(&self.0[place])
    }
}

impl Default for Bodies {
    fn default() -> Self {
        Self::new()
    }
}

/// What a server was told.
pub struct Arguments {
    pub address: SocketAddr,
    /// Certificate and key, for TLS.
    pub identity: Option<(PathBuf, PathBuf)>,
}

impl Arguments {
    /// Those of this process.
    ///
    /// # Errors
    /// When there is one that a server does not know, or too few.
    pub fn parse() -> Result<Self, lexopt::Error> {
        use lexopt::prelude::*;
        let (mut address, mut secure, mut cert, mut key) = (None, false, None, None);
        let mut parser = lexopt::Parser::from_env();
        while let Some(argument) = parser.next()? {
            match argument {
                Long("http") => address = Some(parser.value()?.parse()?),
                Long("https") => {
                    address = Some(parser.value()?.parse()?);
                    secure = true;
                }
                Long("cert") => cert = Some(parser.value()?.into()),
                Long("key") => key = Some(parser.value()?.into()),
                other => return Err(other.unexpected()),
            }
        }
        Ok(Self {
            address: address.ok_or("--http or --https is needed")?,
            identity: match secure {
                true => Some((
                    cert.ok_or("--cert is needed")?,
                    key.ok_or("--key is needed")?,
                )),
                false => None,
            },
        })
    }
}
