//! A static server of our crates, as anybody would write it: a handler of the gateway that answers from memory.

use std::net::SocketAddr;
use thalweg_bench_servers::{Arguments, Bodies};
use thalweg_gateway::{Exchange, Gateway, Handler, Router};
use thalweg_net::listen::{Address, Listener};
use thalweg_net::tls::{Identity, ServerTls};
use thalweg_net::{Endpoint, Protocol, Security};
use thalweg_proto::head::Response;

struct Static {
    bodies: Bodies,
}

impl Handler for Static {
    fn handle(&self, exchange: Exchange) {
        let found = exchange
            .head()
            .path()
            .and_then(|path| self.bodies.find(path));
        let (status, body) = match found {
            Some(body) => (200, body.clone()),
            None => (404, bytes::Bytes::new()),
        };
        let head = Response::new(status).with_field(b"content-type", b"text/plain");
        // A client that has gone needs no answer.
        let _ = exchange.respond(head, body);
    }
}

fn endpoint(arguments: &Arguments) -> Result<Endpoint, Box<dyn std::error::Error>> {
    let SocketAddr::V4(address) = arguments.address else {
        return Err("an IPv4 address is needed".into());
    };
    let listener = Listener::bind(&Address::Tcp {
        host: address.ip().to_string(),
        port: address.port(),
    })?;
    let security = match &arguments.identity {
        None => Security::Plain,
        Some((cert, key)) => {
            let identity = Identity::read(cert, key)?;
            let protocols = [Protocol::Http2, Protocol::Http1];
            Security::Tls(ServerTls::new(&identity, &protocols)?)
        }
    };
    Ok(Endpoint { listener, security })
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let endpoint = endpoint(&Arguments::parse()?)?;
    let bodies = Bodies::new();
    let config = thalweg_net::Config::default();
    let mut running = thalweg_net::serve(config, vec![endpoint], move |worker| {
        let handler = Static {
            bodies: bodies.clone(),
        };
        Gateway::new(
            &thalweg_gateway::Config::default(),
            Router::to(handler),
            worker,
        )
    })?;
    running.wait()?;
    Ok(())
}
