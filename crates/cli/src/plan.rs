//! What is to be served, once everything outside has been settled: addresses are bound, keys are read, privileges
//! are dropped.

use crate::{Error, VERSION};
use std::sync::Arc;
use thalweg_gateway::{AccessLog, Memory};
use thalweg_net::handover::{self, Handed, Handover};
use thalweg_net::listen::{self, ListenError, Listener, SocketAddress};
use thalweg_net::privileges::Target;
use thalweg_net::tls::{Identity, ServerTls};
use thalweg_net::{Endpoint, Protocol, Security};
use thalweg_options::{Address, Listen, LogTarget, Serve};
use thalweg_proto::limits::Limits;

/// What is to be served: the options, and what they led to.
#[derive(Debug)]
pub struct Plan {
    /// The options.
    pub serve: Serve,
    /// A listener for each of `serve.listen`, in the same order, with what TLS on it needs.
    pub listeners: Vec<Handed>,
}

impl Plan {
    /// Takes what the `thalweg` program hands over to this process, if it does; else does it all here.
    ///
    /// # Errors
    /// What is in the way.
    pub(crate) fn prepare(serve: Serve) -> Result<Self, Error> {
        match handover::take() {
            Ok(None) => Self::from_scratch(serve),
            Ok(Some(handover)) => Self::handed_over(serve, handover),
            Err(error) => Err(Error::new(error.to_string())),
        }
    }

    /// Binds all addresses, reads all keys, then drops privileges.
    fn from_scratch(serve: Serve) -> Result<Self, Error> {
        let sockets = bind_all(&serve)?;
        let listeners = serve
            .listen
            .iter()
            .zip(sockets)
            .map(|(listen, listener)| {
                Ok(Handed {
                    listener,
                    identity: identity(listen)?,
                })
            })
            .collect::<Result<_, Error>>()?;
        drop_privileges(&serve)?;
        Ok(Self { serve, listeners })
    }

    /// The listeners are bound, the privileges gone.
    fn handed_over(serve: Serve, handover: Handover) -> Result<Self, Error> {
        if handover.program != VERSION {
            return Err(Error::new(format!(
                "the program is thalweg {}, its Python package is thalweg {VERSION}: install the same version of both",
                handover.program
            )));
        }
        let tls = |listen: &Listen| listen.keys.is_some();
        let same = serve.listen.iter().map(tls).eq(handover
            .listeners
            .iter()
            .map(|handed| handed.identity.is_some()));
        if !same {
            return Err(Error::new(format!(
                "{} was meant for another command line: it must be left alone",
                handover::VARIABLE
            )));
        }
        Ok(Self {
            serve,
            listeners: handover.listeners,
        })
    }

    /// What the program that takes this one's place needs of it.
    pub fn into_handover(self) -> Handover {
        Handover {
            program: VERSION.to_owned(),
            listeners: self.listeners,
        }
    }

    /// Says in the log what is served, before [`Plan::take_endpoints`].
    pub fn announce(&self) {
        for (listen, handed) in self.serve.listen.iter().zip(&self.listeners) {
            let (scheme, protocols) = match handed.identity {
                Some(_) => ("https", "HTTP/2, HTTP/1.1"),
                None if self.serve.h2c_upgrade => {
                    ("http", "HTTP/1.1, HTTP/2 by prior knowledge or upgrade")
                }
                None => ("http", "HTTP/1.1, HTTP/2 by prior knowledge"),
            };
            match handed.listener.local() {
                Ok(SocketAddress::Ip(address)) => {
                    tracing::info!("serving {scheme}://{address} ({protocols})");
                }
                Ok(address) => tracing::info!("serving {scheme} on {address} ({protocols})"),
                Err(error) => tracing::warn!("serving {scheme} on {} ({error})", listen.address),
            }
            if listen.spdy {
                tracing::warn!(
                    "{} {}: spdy=1 has no effect, SPDY is not built in yet",
                    listen.option,
                    listen.address
                );
            }
        }
    }

    /// What `thalweg_net::serve` serves. The listeners move there.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn take_endpoints(&mut self) -> Result<Vec<Endpoint>, Error> {
        self.listeners.drain(..).map(endpoint).collect()
    }

    /// How `thalweg_net::serve` serves it.
    pub fn net_config(&self) -> thalweg_net::Config {
        let serve = &self.serve;
        thalweg_net::Config {
            workers: serve.io_threads,
            limits: Arc::new(self.limits()),
            h2c_upgrade: serve.h2c_upgrade,
            connections: any_for_0(serve.max_connections),
            connections_per_address: any_for_0(serve.max_connections_per_address),
            handshake_time: serve.handshake_timeout,
            write_time: serve.write_timeout,
            ..thalweg_net::Config::default()
        }
    }

    /// How the gateway behaves. Opens the access log, so call it before the working directory changes.
    ///
    /// # Errors
    /// When the access log cannot be opened.
    pub fn gateway_config(&self) -> Result<thalweg_gateway::Config, Error> {
        let access_log = match &self.serve.access_log {
            None => None,
            Some(LogTarget::Standard) => Some(AccessLog::stderr()),
            Some(LogTarget::File(path)) => Some(AccessLog::file(path).map_err(|error| {
                Error::new(format!(
                    "--access-log '{}': cannot be opened: {error}",
                    path.display()
                ))
            })?),
        };
        let memory = Memory::new(self.serve.request_memory);
        Ok(thalweg_gateway::Config { access_log, memory })
    }

    fn limits(&self) -> Limits {
        let serve = &self.serve;
        Limits {
            head: serve.max_head,
            fields: serve.max_fields,
            target: serve.max_target,
            streams: serve.max_streams,
            stream_window: serve.stream_window,
            connection_window: serve.connection_window,
            largest_window: serve.largest_window,
            head_time: serve.head_timeout,
            idle_time: serve.idle_timeout,
            body_grace: serve.body_grace,
            body_rate: serve.body_rate,
            take_rate: serve.take_rate,
            write_time: serve.write_timeout,
            ..Limits::default()
        }
    }
}

/// Options say 0 where they mean no bound.
fn any_for_0(most: usize) -> usize {
    match most {
        0 => usize::MAX,
        most => most,
    }
}

fn endpoint(handed: Handed) -> Result<Endpoint, Error> {
    let security = match &handed.identity {
        None => Security::Plain,
        Some(identity) => ServerTls::new(identity, &[Protocol::Http2, Protocol::Http1])
            .map(Security::Tls)
            .map_err(|error| Error::new(error.to_string()))?,
    };
    Ok(Endpoint {
        listener: handed.listener,
        security,
    })
}

/// Binds every shared socket and every address, and answers the listeners of `serve.listen`.
fn bind_all(serve: &Serve) -> Result<Vec<Listener>, Error> {
    let mut shared = Vec::new();
    for address in &serve.shared_socket {
        shared.push(Some(bind(address, "--shared-socket")?));
    }
    let mut listeners = Vec::new();
    for listen in &serve.listen {
        listeners.push(match listen.address {
            // The parser made sure that it is there, and referred to once.
            Address::Shared(number) => {
                shared
                    .get_mut(number)
                    .and_then(Option::take)
                    .ok_or_else(|| {
                        Error::usage(format!(
                            "{} {}: no such socket",
                            listen.option, listen.address
                        ))
                    })?
            }
            _ => bind(&listen.address, listen.option)?,
        });
    }
    Ok(listeners)
}

fn bind(address: &Address, option: &str) -> Result<Listener, Error> {
    let place = match address {
        Address::Tcp { host, port } => listen::Address::Tcp {
            host: host.clone(),
            port: *port,
        },
        Address::Unix(path) => listen::Address::Unix(path.clone()),
        Address::Descriptor(number) => listen::Address::Descriptor(*number),
        Address::Shared(_) => {
            return Err(Error::usage(format!(
                "{option} {address}: a reference to a reference"
            )));
        }
    };
    Listener::bind(&place).map_err(|error| {
        let advice = match (&error, address) {
            (ListenError::InUse, _) => "; stop that process or choose another address",
            (ListenError::Denied, Address::Tcp { port: 1..1024, .. }) => {
                "; ports below 1024 need root, who may become another user with --uid"
            }
            _ => "",
        };
        Error::new(format!(
            "cannot listen on {address} ({option}): {error}{advice}"
        ))
    })
}

fn identity(listen: &Listen) -> Result<Option<Identity>, Error> {
    let Some(keys) = &listen.keys else {
        return Ok(None);
    };
    match Identity::read(&keys.certificate, &keys.key) {
        Ok(identity) => Ok(Some(identity)),
        Err(error) => Err(Error::new(format!(
            "{} {}: {error}",
            listen.option, listen.address
        ))),
    }
}

fn drop_privileges(serve: &Serve) -> Result<(), Error> {
    let (user, group) = (serve.uid.as_deref(), serve.gid.as_deref());
    if user.is_none() && group.is_none() {
        return Ok(());
    }
    Target::resolve(user, group)
        .and_then(|target| target.take_on())
        .map_err(|error| {
            let given = [("--uid", user), ("--gid", group)]
                .into_iter()
                .filter_map(|(option, value)| value.map(|value| format!("{option} {value}")));
            Error::new(format!("{}: {error}", given.collect::<Vec<_>>().join(" ")))
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use thalweg_options::{Command, parse};

    fn plan(arguments: &[&str]) -> Plan {
        let Ok(Command::Serve(serve)) = parse(arguments.iter().map(Into::into)) else {
            panic!("{arguments:?}");
        };
        Plan {
            serve: *serve,
            listeners: Vec::new(),
        }
    }

    #[test]
    fn the_tables_defaults_are_those_of_the_crates() {
        let (config, default) = (plan(&["app"]).net_config(), thalweg_net::Config::default());
        assert_eq!(*config.limits, Limits::default());
        assert_eq!(config.workers, default.workers);
        assert_eq!(config.connections, default.connections);
        assert_eq!(
            config.connections_per_address,
            default.connections_per_address
        );
        assert_eq!(config.handshake_time, default.handshake_time);
        assert_eq!(config.write_time, default.write_time);
        let gateway = plan(&["app"]).gateway_config().unwrap();
        assert_eq!(gateway.memory.limit(), Memory::default().limit());
    }

    #[test]
    fn each_option_reaches_what_it_is_about() {
        let plan = plan(&[
            "app",
            "--max-head=1k",
            "--max-fields=8",
            "--max-target=64",
            "--max-streams=1",
            "--stream-window=16k",
            "--connection-window=64k",
            "--largest-window=96k",
            "--head-timeout=1",
            "--idle-timeout=2",
            "--body-grace=3",
            "--body-rate=4",
            "--take-rate=11",
            "--handshake-timeout=5",
            "--write-timeout=6",
            "--max-connections=7",
            "--max-connections-per-address=10",
            "--io-threads=8",
            "--request-memory=9m",
        ]);
        let config = plan.net_config();
        let expected = Limits {
            head: 1024,
            fields: 8,
            target: 64,
            streams: 1,
            stream_window: 16 << 10,
            connection_window: 64 << 10,
            largest_window: 96 << 10,
            head_time: Duration::from_secs(1),
            idle_time: Duration::from_secs(2),
            body_grace: Duration::from_secs(3),
            body_rate: 4,
            take_rate: 11,
            write_time: Duration::from_secs(6),
            ..Limits::default()
        };
        assert_eq!(*config.limits, expected);
        assert_eq!(config.handshake_time, Duration::from_secs(5));
        assert_eq!(config.write_time, Duration::from_secs(6));
        assert_eq!((config.connections, config.workers), (7, 8));
        assert_eq!(config.connections_per_address, 10);
        let gateway = plan.gateway_config().unwrap();
        assert_eq!(gateway.memory.limit(), 9 << 20);
    }

    #[test]
    fn an_access_log_that_cannot_be_opened_is_named() {
        let line = plan(&["app", "--access-log", "/absent/folder/log"])
            .gateway_config()
            .unwrap_err()
            .to_string();
        assert!(
            line.starts_with("--access-log '/absent/folder/log': cannot be opened: "),
            "{line}"
        );
    }
}
