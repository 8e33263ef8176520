//! The same server of hyper, with tokio-rustls: one thread, a task a connection.

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::convert::Infallible;
use std::sync::Arc;
use thalweg_bench_servers::{Arguments, Bodies};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

type Failure = Box<dyn std::error::Error + Send + Sync>;

fn answer(bodies: &Bodies, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    let found = bodies.find(request.uri().path().as_bytes());
    let mut response = Response::new(Full::new(found.cloned().unwrap_or_default()));
    if found.is_none() {
        *response.status_mut() = StatusCode::NOT_FOUND;
    }
    let plain = HeaderValue::from_static("text/plain");
    response.headers_mut().insert(CONTENT_TYPE, plain);
    response
}

/// Serves one connection to its end, whatever that is.
async fn serve(
    socket: impl AsyncRead + AsyncWrite + Unpin,
    bodies: Bodies,
) -> Result<(), hyper::Error> {
    let service = service_fn(|request| {
        let response = answer(&bodies, &request);
        async { Ok::<_, Infallible>(response) }
    });
    http2::Builder::new(TokioExecutor::new())
        .serve_connection(TokioIo::new(socket), service)
        .await
}

fn acceptor(arguments: &Arguments) -> Result<Option<TlsAcceptor>, Failure> {
    let Some((cert, key)) = &arguments.identity else {
        return Ok(None);
    };
    let chain = CertificateDer::pem_file_iter(cert)?.collect::<Result<Vec<_>, _>>()?;
    let mut config = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(chain, PrivateKeyDer::from_pem_file(key)?)?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(Some(Arc::new(config).into()))
}

async fn accept(arguments: Arguments) -> Result<(), Failure> {
    let acceptor = acceptor(&arguments)?;
    let listener = TcpListener::bind(arguments.address).await?;
    let bodies = Bodies::new();
    loop {
        let (socket, _) = listener.accept().await?;
        socket.set_nodelay(true)?;
        let (acceptor, bodies) = (acceptor.clone(), bodies.clone());
        tokio::spawn(async move {
            // How a connection ends is the client's affair; the harness counts what was answered.
            let _ = match acceptor {
                None => serve(socket, bodies).await.map_err(Failure::from),
                Some(acceptor) => match acceptor.accept(socket).await {
                    Ok(socket) => serve(socket, bodies).await.map_err(Failure::from),
                    Err(error) => Err(error.into()),
                },
            };
        });
    }
}

fn main() -> Result<(), Failure> {
    let arguments = Arguments::parse()?;
    tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?
        .block_on(accept(arguments))
}
