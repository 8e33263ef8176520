//! The crate `h2`, polled by hand over two buffers.

use crate::plan::{Ending, Half, Heard, Plan, octets, trailers_of};
use bytes::Bytes;
use h2::{Reason, RecvStream, SendStream, client, server};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Both directions of a connection, as the peer sees it.
#[derive(Clone, Default)]
pub(crate) struct Wire(Rc<RefCell<Buffers>>);

#[derive(Default)]
struct Buffers {
    incoming: Vec<u8>,
    outgoing: Vec<u8>,
}

impl Wire {
    pub(crate) fn give(&self, octets: &[u8]) {
        self.0.borrow_mut().incoming.extend_from_slice(octets);
    }

    pub(crate) fn take(&self) -> Vec<u8> {
        std::mem::take(&mut self.0.borrow_mut().outgoing)
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let incoming = &mut self.0.borrow_mut().incoming;
        if incoming.is_empty() {
            return Poll::Pending;
        }
        let len = incoming.len().min(buffer.remaining());
        buffer.put_slice(&incoming[..len]);
        incoming.drain(..len);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.0.borrow_mut().outgoing.extend_from_slice(octets);
        Poll::Ready(Ok(octets.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// A peer at one end of the connection. Streams are known by their plan's number.
pub(crate) trait Peer {
    /// Does all that can be done now.
    fn step(&mut self);
    /// What was heard on each stream.
    fn heard(&self) -> BTreeMap<usize, Heard>;
}

/// What was heard on a stream, and where more comes from.
struct Hearing {
    heard: Heard,
    body: Option<RecvStream>,
}

impl Hearing {
    fn new(status: u16, headers: &HeaderMap, body: RecvStream) -> Self {
        let heard = Heard {
            status,
            fields: shown(headers),
            ..Heard::default()
        };
        Self {
            heard,
            body: Some(body),
        }
    }

    fn lost(error: &h2::Error) -> Self {
        Self {
            heard: Heard {
                reset: Some(code(error)),
                ..Heard::default()
            },
            body: None,
        }
    }

    fn step(&mut self, context: &mut Context<'_>) {
        while let Some(body) = &mut self.body {
            match body.poll_data(context) {
                Poll::Pending => return,
                Poll::Ready(Some(Ok(octets))) => {
                    self.heard.hear(&octets);
                    body.flow_control()
                        .release_capacity(octets.len())
                        .expect("what came can be released");
                }
                Poll::Ready(Some(Err(error))) => {
                    self.heard.reset = Some(code(&error));
                    self.body = None;
                }
                Poll::Ready(None) => match body.poll_trailers(context) {
                    Poll::Pending => return,
                    Poll::Ready(Ok(trailers)) => {
                        self.heard.trailers = trailers.as_ref().map(shown);
                        self.heard.ended = true;
                        self.body = None;
                    }
                    Poll::Ready(Err(error)) => {
                        self.heard.reset = Some(code(&error));
                        self.body = None;
                    }
                },
            }
        }
    }
}

/// What is said once: with capacity, since a reset drops what waits in `h2`'s own buffers.
struct Saying {
    stream: SendStream<Bytes>,
    plan: Half,
    at: usize,
}

impl Saying {
    /// Says what there is room for. True: it is over.
    fn step(&mut self, context: &mut Context<'_>) -> bool {
        let pieces = self.plan.body.as_deref().unwrap_or_default();
        let sum: usize = pieces.iter().sum();
        while self.at < sum {
            let mut end = 0;
            let ends = pieces.iter().map(|len| {
                end += len;
                end
            });
            let next = ends.into_iter().find(|end| *end > self.at).unwrap_or(sum);
            self.stream.reserve_capacity(next - self.at);
            match self.stream.poll_capacity(context) {
                Poll::Pending => return false,
                Poll::Ready(Some(Ok(0))) => return false,
                Poll::Ready(Some(Ok(room))) => {
                    let len = room.min(next - self.at);
                    let piece = Bytes::from(octets(self.at, len));
                    if self.stream.send_data(piece, false).is_err() {
                        return true;
                    }
                    self.at += len;
                }
                Poll::Ready(None | Some(Err(_))) => return true,
            }
        }
        // An error says that the other side has reset it.
        let _ = match self.plan.ending {
            Ending::Plain => self.stream.send_data(Bytes::new(), true),
            Ending::Trailers => self.stream.send_trailers(headers(&trailers_of())),
            Ending::Reset => {
                self.stream.send_reset(Reason::CANCEL);
                Ok(())
            }
        };
        true
    }
}

/// `h2` as a server.
pub(crate) struct Server {
    handshake: Option<server::Handshake<Wire, Bytes>>,
    connection: Option<server::Connection<Wire, Bytes>>,
    plans: Vec<Plan>,
    hearing: BTreeMap<usize, Hearing>,
    saying: Vec<Saying>,
}

impl Server {
    pub(crate) fn new(wire: Wire, plans: &[Plan]) -> Self {
        Self {
            handshake: Some(server::Builder::new().handshake(wire)),
            connection: None,
            plans: plans.to_vec(),
            hearing: BTreeMap::new(),
            saying: Vec::new(),
        }
    }
}

impl Peer for Server {
    fn step(&mut self) {
        let context = &mut Context::from_waker(Waker::noop());
        if let Some(handshake) = &mut self.handshake
            && let Poll::Ready(connection) = Pin::new(handshake).poll(context)
        {
            self.connection = Some(connection.expect("our preface and settings are good"));
            self.handshake = None;
        }
        let Some(connection) = &mut self.connection else {
            return;
        };
        while let Poll::Ready(Some(accepted)) = connection.poll_accept(context) {
            let (request, mut respond) = accepted.expect("we break no rule");
            let number = number_in(request.uri().path());
            let plan = &self.plans[number];
            let (head, body) = request.into_parts();
            self.hearing
                .insert(number, Hearing::new(0, &head.headers, body));
            let mut response = Response::builder()
                .status(plan.status)
                .body(())
                .expect("a status");
            *response.headers_mut() = headers(&plan.response.fields);
            let end = plan.response.body.is_none();
            if let Ok(stream) = respond.send_response(response, end)
                && !end
            {
                self.saying.push(Saying {
                    stream,
                    plan: plan.response.clone(),
                    at: 0,
                });
            }
        }
        self.hearing
            .values_mut()
            .for_each(|hearing| hearing.step(context));
        self.saying.retain_mut(|saying| !saying.step(context));
        // What was said leaves.
        if let Poll::Ready(Err(error)) = connection.poll_closed(context) {
            panic!("we break no rule: {error}");
        }
    }

    fn heard(&self) -> BTreeMap<usize, Heard> {
        heard(&self.hearing)
    }
}

/// `h2` as a client.
pub(crate) struct Client {
    handshake: Option<Handshake>,
    sender: Option<client::SendRequest<Bytes>>,
    connection: Option<client::Connection<Wire, Bytes>>,
    plans: Vec<Plan>,
    asked: usize,
    waiting: Vec<(usize, client::ResponseFuture)>,
    hearing: BTreeMap<usize, Hearing>,
    saying: Vec<Saying>,
}

type Shaken = (client::SendRequest<Bytes>, client::Connection<Wire, Bytes>);
type Handshake = Pin<Box<dyn Future<Output = Result<Shaken, h2::Error>>>>;

impl Client {
    pub(crate) fn new(wire: Wire, plans: &[Plan]) -> Self {
        Self {
            handshake: Some(Box::pin(async move {
                client::Builder::new().handshake(wire).await
            })),
            sender: None,
            connection: None,
            plans: plans.to_vec(),
            asked: 0,
            waiting: Vec::new(),
            hearing: BTreeMap::new(),
            saying: Vec::new(),
        }
    }

    fn ask(&mut self, context: &mut Context<'_>) {
        let Some(sender) = &mut self.sender else {
            return;
        };
        while self.asked < self.plans.len() && sender.poll_ready(context).is_ready() {
            let (number, plan) = (self.asked, &self.plans[self.asked]);
            self.asked += 1;
            let mut request = Request::new(());
            *request.method_mut() = Method::POST;
            *request.uri_mut() = format!("http://a/{number}").parse().expect("a URI");
            *request.headers_mut() = headers(&plan.request.fields);
            let end = plan.request.body.is_none();
            let (response, stream) = sender.send_request(request, end).expect("a good request");
            self.waiting.push((number, response));
            if !end {
                self.saying.push(Saying {
                    stream,
                    plan: plan.request.clone(),
                    at: 0,
                });
            }
        }
    }
}

impl Peer for Client {
    fn step(&mut self) {
        let context = &mut Context::from_waker(Waker::noop());
        if let Some(handshake) = &mut self.handshake
            && let Poll::Ready(shaken) = handshake.as_mut().poll(context)
        {
            let (sender, connection) = shaken.expect("our settings are good");
            (self.sender, self.connection) = (Some(sender), Some(connection));
            self.handshake = None;
        }
        self.ask(context);
        for _ in 0..2 {
            let Some(connection) = &mut self.connection else {
                return;
            };
            if let Poll::Ready(Err(error)) = Pin::new(connection).poll(context) {
                panic!("we break no rule: {error}");
            }
            let hearing = &mut self.hearing;
            self.waiting.retain_mut(
                |(number, response)| match Pin::new(response).poll(context) {
                    Poll::Pending => true,
                    Poll::Ready(Ok(response)) => {
                        let (head, body) = response.into_parts();
                        let heard = Hearing::new(head.status.as_u16(), &head.headers, body);
                        hearing.insert(*number, heard);
                        false
                    }
                    Poll::Ready(Err(error)) => {
                        hearing.insert(*number, Hearing::lost(&error));
                        false
                    }
                },
            );
            hearing
                .values_mut()
                .for_each(|hearing| hearing.step(context));
            self.saying.retain_mut(|saying| !saying.step(context));
        }
    }

    fn heard(&self) -> BTreeMap<usize, Heard> {
        heard(&self.hearing)
    }
}

/// The plan that a path names.
pub(crate) fn number_in(path: &str) -> usize {
    path[1..].parse().expect("paths are numbers")
}

fn heard(hearing: &BTreeMap<usize, Hearing>) -> BTreeMap<usize, Heard> {
    hearing
        .iter()
        .map(|(number, hearing)| (*number, hearing.heard.clone()))
        .collect()
}

fn headers(fields: &[(String, Vec<u8>)]) -> HeaderMap {
    let line = |(name, value): &(String, Vec<u8>)| {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("a good name");
        (name, HeaderValue::from_bytes(value).expect("a good value"))
    };
    fields.iter().map(line).collect()
}

fn shown(headers: &HeaderMap) -> Vec<(String, Vec<u8>)> {
    headers
        .iter()
        .map(|(name, value)| (name.to_string(), value.as_bytes().to_vec()))
        .collect()
}

fn code(error: &h2::Error) -> u32 {
    error
        .reason()
        .map_or_else(|| panic!("no stream ends so: {error}"), u32::from)
}
