//! A client that opens connections one after another, for what a connection costs the server.
//!
//! ```text
//!  opener idle NUMBER --http ADDRESS                keeps them open after one request each; says `open`, and after
//!  opener idle NUMBER --https ADDRESS --cert PEM    a line on the standard input how many are `alive` still
//!  opener handshakes NUMBER --https ADDRESS --cert PEM    closes each after its handshake; says `done`
//! ```
//!
//! TLS is full handshakes only, with one suite and one group (nghttpd has no other), so that every server does the
//! same work. An idle connection is only a socket here: what it takes to speak is dropped once its response has come.

use rustls::crypto::aws_lc_rs::{cipher_suite, default_provider, kx_group};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;
use thalweg_proto::h2;
use thalweg_proto::head::Request;
use thalweg_proto::limits::Limits;
use thalweg_proto::session::{Event, Gather, Output, Session, Streams};

type Failure = Box<dyn std::error::Error>;

/// What is done with the connections.
enum Purpose {
    Idle,
    Handshakes,
}

struct Opener {
    address: SocketAddr,
    tls: Option<Arc<ClientConfig>>,
}

impl Opener {
    /// A connection after one request, as nothing but its socket.
    fn idle(&self) -> Result<TcpStream, Failure> {
        let socket = TcpStream::connect(self.address)?;
        let kept = socket.try_clone()?;
        match &self.tls {
            None => ask(socket, b"http")?,
            Some(tls) => ask(handshake(socket, tls)?, b"https")?,
        }
        Ok(kept)
    }

    /// A connection up to the server's first octets of HTTP, after which it ends.
    fn handshake(&self) -> Result<(), Failure> {
        let tls = self
            .tls
            .as_ref()
            .ok_or("handshakes are TLS's: --https is needed")?;
        let mut stream = handshake(TcpStream::connect(self.address)?, tls)?;
        stream.write_all(h2::PREFACE)?;
        let mut octet = [0];
        stream.read_exact(&mut octet)?;
        Ok(())
    }
}

fn handshake(
    socket: TcpStream,
    tls: &Arc<ClientConfig>,
) -> Result<StreamOwned<ClientConnection, TcpStream>, Failure> {
    socket.set_nodelay(true)?;
    let name = ServerName::try_from("localhost")?;
    let connection = ClientConnection::new(Arc::clone(tls), name)?;
    let mut stream = StreamOwned::new(connection, socket);
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock)?;
    }
    match stream.conn.alpn_protocol() {
        Some(b"h2") => Ok(stream),
        _ => Err("the server does not speak h2 over TLS".into()),
    }
}

/// Sends one request, and reads until its response is complete.
fn ask(mut stream: impl Read + Write, scheme: &[u8]) -> Result<(), Failure> {
    let mut session = h2::Session::client(Limits::default(), Instant::now());
    let get = Request::new(b"GET")
        .with_scheme(scheme)
        .with_authority(b"localhost")
        .with_path(b"/6")
        .with_field(b"user-agent", b"opener");
    session.open(get, true)?;
    let (mut out, mut buffer) = (Gather::new(1 << 16), [0; 1 << 14]);
    let mut answered = false;
    loop {
        let now = Instant::now();
        while session.send(now, &mut out) == Output::Frame {}
        stream.write_all(&out.to_vec())?;
        out.clear();
        if answered {
            return Ok(());
        }
        let read = stream.read(&mut buffer)?;
        if read == 0 {
            return Err("the server closed the connection before it answered".into());
        }
        let mut input = &buffer[..read];
        while !input.is_empty() {
            let received = session.recv(now, input)?;
            input = &input[received.consumed..];
            match received.event {
                Some(Event::Response { head, .. }) if head.status != 200 => {
                    return Err(format!("status {}", head.status).into());
                }
                _ => {}
            }
            while let Some(event) = session.poll() {
                match event {
                    Event::Finished { .. } => answered = true,
                    Event::Reset { code, .. } => return Err(format!("reset: {code:?}").into()),
                    _ => {}
                }
            }
        }
    }
}

/// Whether the server has neither ended the connection nor reset it.
fn is_alive(socket: &TcpStream) -> Result<bool, Failure> {
    socket.set_nonblocking(true)?;
    let (mut socket, mut buffer) = (socket, [0; 1 << 14]);
    loop {
        match socket.read(&mut buffer) {
            Ok(0) => return Ok(false),
            Ok(_) => {}
            Err(error) => return Ok(error.kind() == ErrorKind::WouldBlock),
        }
    }
}

fn client(certificate: &Path) -> Result<Arc<ClientConfig>, Failure> {
    let mut provider = default_provider();
    provider.cipher_suites = vec![cipher_suite::TLS13_AES_128_GCM_SHA256];
    provider.kx_groups = vec![kx_group::SECP256R1];
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(certificate)?)?;
    let mut config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    config.resumption = rustls::client::Resumption::disabled();
    Ok(Arc::new(config))
}

/// Lets this process have as many descriptors as it may.
fn raise_descriptors() -> Result<(), Failure> {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: both are given a valid pointer to a limit.
    let raised = unsafe {
        libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) == 0 && {
            limit.rlim_cur = limit.rlim_max;
            libc::setrlimit(libc::RLIMIT_NOFILE, &limit) == 0
        }
    };
    match raised {
        true => Ok(()),
        false => Err(std::io::Error::last_os_error().into()),
    }
}

fn parse() -> Result<(Purpose, usize, Opener), Failure> {
    use lexopt::prelude::*;
    let (mut purpose, mut number, mut address, mut secure) = (None, None, None, false);
    let mut certificate: Option<PathBuf> = None;
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Value(value) if value == "idle" => purpose = Some(Purpose::Idle),
            Value(value) if value == "handshakes" => purpose = Some(Purpose::Handshakes),
            Value(value) => number = Some(value.parse()?),
            Long("http") => address = Some(parser.value()?.parse()?),
            Long("https") => {
                address = Some(parser.value()?.parse()?);
                secure = true;
            }
            Long("cert") => certificate = Some(parser.value()?.into()),
            other => return Err(other.unexpected().into()),
        }
    }
    let tls = match (secure, certificate) {
        (false, _) => None,
        (true, Some(certificate)) => Some(client(&certificate)?),
        (true, None) => return Err("--cert is needed".into()),
    };
    Ok((
        purpose.ok_or("idle or handshakes?")?,
        number.ok_or("how many?")?,
        Opener {
            address: address.ok_or("--http or --https is needed")?,
            tls,
        },
    ))
}

fn main() -> Result<(), Failure> {
    let (purpose, number, opener) = parse()?;
    match purpose {
        Purpose::Handshakes => {
            for _ in 0..number {
                opener.handshake()?;
            }
            println!("done");
        }
        Purpose::Idle => {
            raise_descriptors()?;
            let sockets = (0..number)
                .map(|_| opener.idle())
                .collect::<Result<Vec<_>, _>>()?;
            println!("open");
            std::io::stdin().read_line(&mut String::new())?;
            let mut alive = 0;
            for socket in &sockets {
                alive += usize::from(is_alive(socket)?);
            }
            println!("alive {alive}");
        }
    }
    Ok(())
}
