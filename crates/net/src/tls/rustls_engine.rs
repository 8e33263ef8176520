//! The engine over rustls' unbuffered API.
//!
//! Each call of `process_tls_records` names one state, which must be dealt with before the next call:
//!
//! ```text
//!  EncodeTlsData ─► append to out, again        ReadTraffic ─► append to plain, again
//!  TransmitTlsData ─► it is in out already: done, again
//!  PeerClosed ─► note it, again                 BlockedHandshake ─► more input is needed: end of turn
//!  WriteTraffic ─► do what is wished: end of turn       Closed ─► end of turn
//! ```

use super::engine::{Engine, State, Turn, Wish};
use super::{ASKED_NAME, TlsInfo};
use crate::service::Protocol;
use crate::worker::buffer::Buffer;
use rustls::ProtocolVersion;
use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{
    ConnectionState, EncodeError, EncryptError, UnbufferedStatus, WriteTraffic,
};
use std::sync::Arc;

/// The largest plaintext of one record (RFC 8446, section 5.1), and more than any suite adds to it.
const RECORD: usize = 16 << 10;
const RECORD_OVERHEAD: usize = 64;
/// Room for a handshake message that is encoded; a larger one says how much it needs.
const HANDSHAKE_ROOM: usize = 4 << 10;

pub(super) struct RustlsEngine {
    connection: UnbufferedServerConnection,
    server_name: Option<Box<str>>,
    state: State,
}

impl RustlsEngine {
    pub(super) fn new(config: Arc<rustls::ServerConfig>) -> Result<Self, rustls::Error> {
        Ok(Self {
            connection: UnbufferedServerConnection::new(config)?,
            server_name: None,
            state: State::Handshaking,
        })
    }

    /// One step. True: the turn is over.
    fn step(
        &mut self,
        input: &mut [u8],
        wish: Wish<'_>,
        plain: &mut Buffer,
        out: &mut Buffer,
    ) -> (usize, Result<bool, rustls::Error>) {
        let UnbufferedStatus { mut discard, state } = self.connection.process_tls_records(input);
        let over = state.and_then(|state| match state {
            ConnectionState::EncodeTlsData(mut data) => {
                let mut room = HANDSHAKE_ROOM;
                loop {
                    match out.append(room, |free| data.encode(free)) {
                        Ok(_) => return Ok(false),
                        Err(EncodeError::InsufficientSize(needs)) => room = needs.required_size,
                        Err(error) => return Err(rustls::Error::General(error.to_string())),
                    }
                }
            }
            ConnectionState::TransmitTlsData(data) => {
                data.done();
                Ok(false)
            }
            ConnectionState::ReadTraffic(mut traffic) => {
                while let Some(record) = traffic.next_record() {
                    let record = record?;
                    discard += record.discard;
                    plain.extend(record.payload);
                }
                Ok(false)
            }
            ConnectionState::PeerClosed => {
                self.state = State::PeerClosed;
                Ok(false)
            }
            ConnectionState::WriteTraffic(traffic) => {
                if self.state == State::Handshaking {
                    self.state = State::Open;
                    self.server_name = ASKED_NAME.take();
                }
                grant(wish, traffic, out).map(|()| true)
            }
            ConnectionState::BlockedHandshake | ConnectionState::Closed => Ok(true),
            // Early data is not enabled, and no other state is known.
            _ => Err(rustls::Error::General("unexpected state".into())),
        });
        (discard, over)
    }

    /// After an error: what was to be sent before, up to the alert that tells the peer. Asked for more than that,
    /// rustls would judge the same input again.
    fn last_words(&mut self, input: &mut [u8], out: &mut Buffer) {
        while let UnbufferedStatus {
            state: Ok(ConnectionState::EncodeTlsData(mut data)),
            ..
        } = self.connection.process_tls_records(input)
        {
            let before = out.octets().len();
            // These messages are far smaller than the room. If one were not, closing would have to say it.
            let encoded = out.append(HANDSHAKE_ROOM, |free| data.encode(free));
            if encoded.is_err() || is_alert(&out.octets()[before..]) {
                return;
            }
        }
    }
}

/// Whether a record that we made is an alert: by its type or, where TLS 1.3 hides that, by its length, which no
/// other record has (RFC 8446, sections 5.1, 5.2 and 6: level, description, type, and a tag of 16 or 8 octets).
fn is_alert(record: &[u8]) -> bool {
    match record {
        [21, ..] => true,
        [23, _, _, 0, length, ..] => *length <= 3 + 16,
        _ => false,
    }
}

impl Engine for RustlsEngine {
    fn turn(
        &mut self,
        input: &mut [u8],
        wish: Wish<'_>,
        plain: &mut Buffer,
        out: &mut Buffer,
    ) -> Result<Turn, rustls::Error> {
        let mut consumed = 0;
        loop {
            let (discard, over) = self.step(&mut input[consumed..], wish, plain, out);
            consumed += discard;
            match over {
                Ok(false) => {}
                Ok(true) => {
                    return Ok(Turn {
                        consumed,
                        state: self.state,
                    });
                }
                Err(error) => {
                    self.last_words(&mut input[consumed..], out);
                    return Err(error);
                }
            }
        }
    }

    fn info(&mut self) -> TlsInfo {
        let protocol = match self.connection.alpn_protocol() {
            Some(b"h2") => Some(Protocol::Http2),
            Some(_) => Some(Protocol::Http1),
            None => None,
        };
        let version = match self.connection.protocol_version() {
            Some(ProtocolVersion::TLSv1_3) => "TLSv1.3",
            _ => "TLSv1.2",
        };
        let cipher = self
            .connection
            .negotiated_cipher_suite()
            .and_then(|suite| suite.suite().as_str())
            .unwrap_or("unknown");
        TlsInfo {
            version,
            cipher,
            server_name: self.server_name.take(),
            protocol,
        }
    }
}

fn grant<Data>(
    wish: Wish<'_>,
    mut traffic: WriteTraffic<'_, Data>,
    out: &mut Buffer,
) -> Result<(), rustls::Error> {
    let told = match wish {
        Wish::Nothing => Ok(0),
        Wish::Send(octets) => {
            let records = octets.len().div_ceil(RECORD);
            let room = octets.len() + records * RECORD_OVERHEAD;
            out.append(room, |free| traffic.encrypt(octets, free))
        }
        Wish::Close => out.append(RECORD_OVERHEAD, |free| traffic.queue_close_notify(free)),
    };
    told.map(drop).map_err(|error| match error {
        EncryptError::EncryptExhausted => rustls::Error::EncryptError,
        EncryptError::InsufficientSize(needs) => rustls::Error::General(format!(
            "a record needs {} octets more room than any should",
            needs.required_size
        )),
    })
}
