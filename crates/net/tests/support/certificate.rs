//! A certificate made for the test, and rustls as the client that trusts it.

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use thalweg_net::tls::{Identity, ServerTls};
use thalweg_net::{Protocol, Security};
use zeroize::Zeroizing;

/// PEM texts of a certificate for `localhost` and of its key.
pub struct Pem {
    pub certificate: String,
    pub key: String,
}

impl Pem {
    pub fn make() -> Self {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        Self {
            certificate: made.cert.pem(),
            key: made.signing_key.serialize_pem(),
        }
    }

    pub fn identity(&self) -> Identity {
        Identity::from_pem(
            self.certificate.clone().into_bytes(),
            Zeroizing::new(self.key.clone().into_bytes()),
            Path::new("test.crt"),
            Path::new("test.key"),
        )
        .unwrap()
    }

    pub fn security(&self) -> Security {
        let protocols = [Protocol::Http2, Protocol::Http1];
        Security::Tls(ServerTls::new(&self.identity(), &protocols).unwrap())
    }

    /// A client's settings: the versions, and the protocols that it offers.
    pub fn client(
        &self,
        versions: &[&'static rustls::SupportedProtocolVersion],
        protocols: &[&[u8]],
    ) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        let certificate = CertificateDer::from_pem_slice(self.certificate.as_bytes()).unwrap();
        roots.add(certificate).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        Arc::new(config)
    }
}

pub type TlsClient = StreamOwned<ClientConnection, TcpStream>;

pub fn connect(config: &Arc<ClientConfig>, socket: TcpStream) -> TlsClient {
    let name = ServerName::try_from("localhost").unwrap();
    let connection = ClientConnection::new(Arc::clone(config), name).unwrap();
    StreamOwned::new(connection, socket)
}
