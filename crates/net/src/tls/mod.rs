//! TLS for servers: a certificate with its key ([`Identity`]), the settings of a port ([`ServerTls`]), and what
//! a handshake came to ([`TlsInfo`]).
//!
//! Versions 1.2 and 1.3, by rustls with aws-lc-rs; session tickets are on. The work on a connection is done by an
//! `Engine`, which sees octets and no sockets.

pub(crate) mod engine;
mod identity;
mod rustls_engine;

pub use identity::{Identity, TlsError};

use crate::service::Protocol;
use engine::Engine;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;

/// What a client names that speaks nothing newer (it is in IANA's registry). The last choice.
const HTTP_1_0: &[u8] = b"http/1.0";

/// The TLS settings of one port. Clones share them, and the keys of their tickets.
#[derive(Clone)]
pub struct ServerTls {
    config: Arc<rustls::ServerConfig>,
}

impl ServerTls {
    /// Settings with one identity, offering these protocols in this order (RFC 7301: the first of ours that the
    /// client has is taken; a client with none of them is refused; one that names none speaks HTTP/1.1).
    ///
    /// # Errors
    /// When the identity's key cannot be used, or the system gives no random octets for the ticket keys.
    pub fn new(identity: &Identity, protocols: &[Protocol]) -> Result<Self, TlsError> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let only = OnlyIdentity(identity.certified(&provider)?);
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Setup)?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(only));
        config.alpn_protocols = protocols
            .iter()
            .map(|protocol| protocol.alpn().to_vec())
            .collect();
        if protocols.contains(&Protocol::Http1) {
            config.alpn_protocols.push(HTTP_1_0.to_vec());
        }
        config.ticketer = rustls::crypto::aws_lc_rs::Ticketer::new().map_err(TlsError::Setup)?;
        Ok(Self {
            config: Arc::new(config),
        })
    }

    /// An engine for a new connection.
    pub(crate) fn engine(&self) -> Result<Box<dyn Engine>, rustls::Error> {
        let engine = rustls_engine::RustlsEngine::new(Arc::clone(&self.config))?;
        Ok(Box::new(engine))
    }
}

impl fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerTls")
            .field("protocols", &self.config.alpn_protocols)
            .finish_non_exhaustive()
    }
}

/// What a handshake came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsInfo {
    /// `TLSv1.2` or `TLSv1.3`, as OpenSSL and mod_ssl (`SSL_PROTOCOL`) write it.
    pub version: &'static str,
    /// The cipher suite's name in IANA's registry: `TLS_AES_128_GCM_SHA256`.
    pub cipher: &'static str,
    /// The name that the client asked for (RFC 6066, section 3).
    pub server_name: Option<Box<str>>,
    /// The protocol that was agreed on; none when the client named none.
    pub protocol: Option<Protocol>,
}

thread_local! {
    /// The name in the ClientHello that is being read. rustls' unbuffered connection does not keep it, but asks
    /// for the certificate by it, inside the engine's turn.
    static ASKED_NAME: RefCell<Option<Box<str>>> = const { RefCell::new(None) };
}

/// One identity for every name, and a note of the name.
#[derive(Debug)]
struct OnlyIdentity(Arc<CertifiedKey>);

impl ResolvesServerCert for OnlyIdentity {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        ASKED_NAME.set(hello.server_name().map(Box::from));
        Some(Arc::clone(&self.0))
    }
}
